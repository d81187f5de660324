"""Issue 6 without scripts: everything that citizens read, ask and say works in plain pages, in both languages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests.browser.conftest import DESK_PX, PHONE_PX, press, shoot
from web.smtp import send_due

SIZES = {"desk": DESK_PX, "phone": PHONE_PX}
# Each size and each language once, as in the other tests of looks.
LOOKS = [("desk", "en"), ("phone", "zh")]
LATER = timedelta(minutes=16)
# What waits for a script that never comes.
PROMISES = "text=/is being drawn|正在绘制|click anywhere|点击地图/"


@pytest.fixture(scope="module")
def site(mailing_site):
    return mailing_site


@pytest.fixture(params=LOOKS, ids="-".join)
def plain(request, open_page, site):
    """A page without scripts in one of the looks, of a reader who comes so late that nobody counts what was sent."""
    site.services.clock.at += LATER
    size, lang = request.param
    page = open_page("/privacy", size=SIZES[size], lang=lang, scripts=False)
    page.look = f"{size}-{lang}"
    return page


def stands(page, name):
    """Nothing sticks out, and nothing that is shown waits for a script."""
    shoot(page, f"plain-{name}-{page.look}", whole=True)
    box = page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
    assert box == 0, name
    for said in page.locator(PROMISES).all():
        assert not said.is_visible(), (name, said.inner_text())
    assert page.locator("h1").first.is_visible(), name


def send(page, form="main form[method=post]"):
    press(page.locator(f"{form} button[type=submit]"))


def test_map_page__asked_by_place_number_and_day__answers_in_words(plain):
    plain.goto("/")
    stands(plain, "home")
    plain.fill("#q", "113.2610, 23.1300")
    press(plain.locator("form[role=search] [type=submit]"))
    expect(plain.locator("#answer")).to_contain_text("DV1")
    stands(plain, "answer")
    plain.fill("#q", "DV-DV1")
    press(plain.locator("form[role=search] [type=submit]"))
    stands(plain, "found")
    press(plain.locator("main a[href*='DV-DV1']").first)
    plain.goto("/")
    plain.fill("#f-on", "2025-06-15")
    press(plain.locator("#legend button[type=submit]"))
    expect(plain.locator("#head")).to_contain_text("2025-06-15")
    stands(plain, "day")
    press(plain.locator("#back-to-today"))
    expect(plain.locator("#head")).not_to_contain_text("2025-06-15")
    plain.uncheck("#legend [name=kind][value=drone]")
    press(plain.locator("#legend button[type=submit]"))
    expect(plain.locator("#in-view")).not_to_contain_text("DR1")
    stands(plain, "narrowed")
    press(plain.locator("#to-print"))
    expect(plain.locator(".sheet-list")).to_contain_text("DV-DV1")
    expect(plain.locator(".sheet-list")).not_to_contain_text("DV-DR1")
    stands(plain, "print")


def test_list__filtered_searched_and_of_a_day__leads_to_each_record(plain):
    plain.goto("/list")
    stands(plain, "list")
    plain.fill("#f-q", "DR1")
    press(plain.locator(".filters button"))
    expect(plain.locator("#results tbody tr")).to_have_count(1)
    plain.goto("/list")
    plain.fill("#f-on", "2025-05-01")
    press(plain.locator(".filters button"))
    expect(plain.locator("#results tbody tr")).to_have_count(0)
    stands(plain, "list-day")
    plain.goto("/list")
    press(plain.locator("#results tbody a[href='/device/DV-DV1']"))
    expect(plain.locator("#card")).to_contain_text("+86 00")
    stands(plain, "device")
    for layer in ("patrol_areas", "deployment_points", "patrol_routes", "privacy_zones"):
        plain.goto(f"/list?layer={layer}")
        stands(plain, layer)
        press(plain.locator("#results tbody a").first)
        stands(plain, f"one-of-{layer}")
    for path in ("rules", "data", "flights", "figures", "ledger", "ask/register", "zone-requests", "embed/map"):
        plain.goto(f"/{path}")
        if path != "embed/map":
            stands(plain, path.replace("/", "-"))


def test_subscribe__circle_typed__mail_confirmed_and_ended(plain, site, mailbox):
    mailbox.taken.clear()
    plain.goto("/device/DV-DV1")
    press(plain.locator("main a[href^='/subscribe']").first)
    plain.goto("/subscribe")
    stands(plain, "subscribe")
    plain.fill("#place", "113.2610, 23.1300")
    plain.fill("#radius", "5")
    send(plain, "form[data-keep=subscribe]")
    expect(plain.locator("#radius")).to_have_attribute("aria-invalid", "true")
    plain.fill("#radius", "800")
    send(plain, "form[data-keep=subscribe]")
    stands(plain, "subscribe-place")
    assert (
        plain.request.get(plain.locator("a.feed").get_attribute("href"))
        .headers["content-type"]
        .startswith("application/atom")
    )
    plain.fill("#address", "nobody")
    send(plain)
    expect(plain.locator("#address")).to_have_attribute("aria-invalid", "true")
    stands(plain, "subscribe-fault")
    plain.fill("#address", "me@example.org")
    send(plain)
    stands(plain, "subscribe-asked")
    assert [one.outcome for one in send_due(site.services)] == ["sent"]
    ((_, mail),) = mailbox.taken
    plain.goto(re.search(r"example\.org(/subscribe/confirm/\S+)", mail.get_content())[1])
    with site.services.session() as db:
        assert db.scalar(text("SELECT confirmed_at FROM core.subscription")) is None
    stands(plain, "subscribe-confirm")
    send(plain)
    with site.services.session() as db:
        assert db.scalar(text("SELECT confirmed_at FROM core.subscription")) is not None
    stands(plain, "subscribe-confirmed")
    press(plain.locator("main a[href^='/subscribe/end/']"))
    send(plain)
    stands(plain, "subscribe-ended")
    with site.services.session() as db:
        assert db.scalar(text("SELECT count(*) FROM core.subscription")) == 0


@pytest.mark.parametrize("kind", ["complaint", "question"])
def test_GD_45_1__complaint_and_question__sent_answered_and_read(plain, sign_in, kind):
    plain.goto("/device/DV-DV1")
    press(plain.locator("main a[href^='/ask?']").first)
    send(plain)
    expect(plain.locator("#summary")).to_be_visible()
    stands(plain, "ask-fault")
    plain.check(f"[name=kind][value={kind}]")
    plain.fill("#said", "The camera looks into my kitchen since Monday.")
    send(plain)
    number, word = plain.locator("#number").inner_text(), plain.locator("#word").inner_text()
    stands(plain, "receipt")
    desk = sign_in("O1", scripts=False)
    desk.goto(f"/complaints/{number}")
    desk.check(f"[name=outcome][value={'justified' if kind == 'complaint' else 'answered'}]")
    desk.fill("#note", "Looked at from the pavement.")
    send(desk)
    desk.fill("[name=reply]", "It was turned away today.")
    for name in ("text_en", "text_zh"):
        if desk.locator(f"[name={name}]").count():
            desk.fill(f"[name={name}]", "A camera was turned away. · 已调整摄像头。")
    send(desk)
    plain.goto("/ask/status")
    plain.fill("#number", number)
    plain.fill("#word", word)
    send(plain)
    expect(plain.locator("main")).to_contain_text("It was turned away today.")
    stands(plain, "status")


def test_zone__asked_for_by_coordinates_and_radius__stands_in_the_register(plain):
    plain.goto("/")
    press(plain.locator("main a[href='/zone-requests/new']").first)
    stands(plain, "zone")
    words = ["Ask for this zone", "申请设立"]
    assert plain.locator("main form[method=post] button[type=submit]").inner_text() in words
    plain.fill("#place", "113.2641, 23.1331")
    send(plain)
    expect(plain.locator("#summary")).to_be_visible()
    stands(plain, "zone-fault")
    expect(plain.locator("#place")).to_have_value("113.2641, 23.1331")
    plain.fill("#radius", "60")
    for name, said in {"reason": "A shelter.", "where": "7 Lane", "asked_by": "Somebody", "contact": "s@x.org"}.items():
        plain.fill(f"[name={name}]", said)
    plain.select_option("#authority", "AU-A1")
    send(plain)
    number = plain.locator("#number").inner_text()
    assert number.startswith("ZR-")
    stands(plain, "zone-asked")
    press(plain.locator("main a[href='/zone-requests']").first)
    expect(plain.locator("main")).to_contain_text(number)


def test_GD_41_1__contact__told_at_the_desk_by_keyboard__is_read_by_everybody(plain, sign_in):
    desk = sign_in("O1", scripts=False)
    desk.goto("/registry/contact")
    desk.locator("#contact_person").focus()
    for said in ("", "2 Weir Lane", "+86 00 1111"):
        desk.keyboard.press("ControlOrMeta+a")
        desk.keyboard.type(said) if said else desk.keyboard.press("Delete")
        desk.keyboard.press("Tab")
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    expect(desk.locator("#contact_person")).to_have_attribute("aria-invalid", "true")
    expect(desk.locator("#contact_address")).to_have_value("2 Weir Lane")
    desk.fill("#contact_person", "Duty desk")
    send(desk)
    expect(desk.get_by_role("status")).to_be_visible()
    plain.goto("/device/DV-DV1")
    expect(plain.locator("#card")).to_contain_text("Duty desk · 2 Weir Lane · +86 00 1111")
