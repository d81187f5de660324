"""Citizens speak, in a real browser: a place is drawn, a mail confirmed and ended, a complaint answered (GD-45.1)."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PHONE_PX, press, shoot, wait_for_map
from web.smtp import send_due

LOOKS = [("desk", "en"), ("phone", "zh")]
SIZES = {"desk": DESK_PX, "phone": PHONE_PX}
PAIR = re.compile(r"113\.\d+, 23\.\d+")


@pytest.fixture(scope="module")
def site(mailing_site):
    return mailing_site


def is_sound(page, name, look):
    assert faults(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    shoot(page, f"asking-{name}-{look}", whole=True)


def drawable(page):
    wait_for_map(page)
    page.wait_for_selector("#map[data-drawable]")


def at(page, x, y):
    """A place on the map, by its share of width and height."""
    box = page.locator("#map canvas").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_subscribe__circle_drawn__mail_confirmed_and_ended(site, open_page, mailbox, size, lang):
    look = f"{size}-{lang}"
    mailbox.taken.clear()
    page = open_page("/subscribe", size=SIZES[size], lang=lang)
    drawable(page)
    is_sound(page, "subscribe", look)
    page.locator("#map").scroll_into_view_if_needed()
    page.mouse.click(*at(page, 0.5, 0.5))
    page.mouse.move(*at(page, 0.6, 0.5), steps=4)
    page.mouse.click(*at(page, 0.62, 0.5))
    expect(page.locator("#place")).to_have_value(PAIR)
    assert int(page.locator("#radius").input_value()) > 100
    press(page.locator("form[data-keep=subscribe] button[type=submit]"))
    drawable(page)
    is_sound(page, "subscribe-place", look)
    page.fill("#address", "me@example")
    press(page.locator("form[method=post] button[type=submit]"))
    expect(page.locator("#address")).to_have_attribute("aria-invalid", "true")
    page.fill("#address", "me@example.org")
    press(page.locator("form[method=post] button[type=submit]"))
    is_sound(page, "subscribe-asked", look)
    assert [one.outcome for one in send_due(site.services)] == ["sent"]
    ((_, mail),) = mailbox.taken
    page.goto(re.search(r"example\.org(/subscribe/confirm/\S+)", mail.get_content())[1])
    is_sound(page, "subscribe-confirm", look)
    press(page.locator("main form button"))
    is_sound(page, "subscribe-confirmed", look)
    press(page.locator("main a[href^='/subscribe/end/']"))
    press(page.locator("main form button"))
    is_sound(page, "subscribe-ended", look)
    with site.services.session() as db:
        assert db.scalar(text("SELECT count(*) FROM core.subscription")) == 0


def test_zone__area_drawn_by_mouse_and_by_keyboard__asked(site, open_page):
    page = open_page("/zone-requests/new?place=113.2641,23.1331&radius=100")
    drawable(page)
    page.get_by_role("button", name="Area").click()
    for x, y in ((0.45, 0.45), (0.55, 0.45), (0.55, 0.55), (0.45, 0.55), (0.45, 0.45)):
        page.mouse.move(*at(page, x, y), steps=3)
        page.mouse.click(*at(page, x, y))
    expect(page.locator("#shape")).to_have_value(re.compile(r"113\.\d+, 23\.\d+\n113\.\d+"))
    assert page.locator("#place").input_value() == ""
    assert len(page.locator("#shape").input_value().splitlines()) == 4
    page.get_by_role("button", name="Clear").press("Enter")
    expect(page.locator("#shape")).to_have_value("")
    # Without a pointer: the arrow keys move the map, a button takes its middle.
    here = page.get_by_role("button", name="Use the middle of the map")
    page.get_by_role("button", name="Area").press("Enter")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        here.press("Enter")
        before = page.locator("#shape").input_value()
        page.locator("#map canvas").focus()
        page.keyboard.press(key)
        page.wait_for_timeout(700)
    here.press("Enter")
    assert len(set(page.locator("#shape").input_value().splitlines())) == 4, before
    for name, said in {"reason": "A shelter.", "where": "7 Lane", "asked_by": "Somebody", "contact": "s@x.org"}.items():
        page.fill(f"[name={name}]", said)
    page.reload()
    drawable(page)
    expect(page.locator("[name=reason]")).to_have_value("A shelter.")
    is_sound(page, "zone-drawn", "desk-en")
    page.select_option("#authority", "AU-A1")
    press(page.locator("form[method=post] button[type=submit]"))
    expect(page.locator("#number")).to_have_text(re.compile(r"ZR-\w+"))
    is_sound(page, "zone-asked", "desk-en")


@pytest.mark.parametrize(("size", "lang"), LOOKS)
def test_GD_45_1__complaint__sent_answered_and_read(site, open_page, sign_in, size, lang):
    look = f"{size}-{lang}"
    page = open_page("/ask?about=device/DV-DV1", size=SIZES[size], lang=lang)
    press(page.locator("form[method=post] button[type=submit]"))
    is_sound(page, "ask-fault", look)
    page.check("[name=kind][value=complaint]")
    page.fill("#said", "The camera on Qinghe Road looks into my kitchen since Monday.")
    press(page.locator("form[method=post] button[type=submit]"))
    number, word = page.locator("#number").inner_text(), page.locator("#word").inner_text()
    is_sound(page, "receipt", look)
    desk = sign_in("O1", size=SIZES[size], lang=lang)
    desk.goto("/complaints")
    is_sound(desk, "desk", look)
    press(desk.locator(f"a[href='/complaints/{number}']"))
    desk.check("[name=outcome][value=justified]")
    desk.fill("#note", "Looked at from the pavement; the sector reaches the window.")
    is_sound(desk, "desk-one", look)
    press(desk.locator("form[method=post] button[type=submit]"))
    for name, said in {
        "reply": "You were right; the camera was turned away today.",
        "text_en": "A camera was turned away from a window.",
        "text_zh": "已将摄像头调离住户窗户。",
    }.items():
        desk.fill(f"[name={name}]", said)
    is_sound(desk, "desk-reply", look)
    press(desk.locator("form[method=post] button[type=submit]"))
    page.goto(f"/ask/status?number={number}")
    page.fill("#word", word.lower())
    press(page.locator("form[method=post] button[type=submit]"))
    is_sound(page, "status", look)
    expect(page.locator("main")).to_contain_text("turned away today")
    page.goto("/ask/register")
    is_sound(page, "register", look)


def test_pages__at_360_px_and_in_the_dark__fit_and_are_sound(site, open_page):
    page = open_page("/ask", size=(360, 740), scheme="dark")
    for name, path in {
        "ask": "/ask",
        "status-form": "/ask/status",
        "register": "/ask/register",
        "zone": "/zone-requests/new",
        "zone-register": "/zone-requests",
        "subscribe-place": "/subscribe?place=113.26,23.13&radius=800",
        # From so far that devices stand in groups; a tile that is refused would be a complaint of the browser.
        "subscribe-far": "/subscribe?place=113.26,23.13&radius=20000",
    }.items():
        page.goto(path)
        if page.locator("#map").count():
            wait_for_map(page)
        is_sound(page, name, "narrow-dark")
