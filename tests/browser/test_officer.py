"""An officer at the review desk: the keyboard, the picture, outlines, and two who want the same finding."""

import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests.browser.conftest import PHONE_PX, shoot, wait_for_map

# Tests run in any order: each decides findings of its own.
FINDINGS = 6
# Without a graphics card a picture costs by its pixels.
SMALL_PX = (1120, 640)


def opened(sign_in, site, number, **look):
    """An officer at the finding of that number, with the picture drawn."""
    page = sign_in("O1", **{"size": SMALL_PX} | look)
    page.goto(f"/review/{site.findings[number]}")
    wait_for_map(page)
    return page


def kept(site, query, **values):
    with site.services.session() as db:
        return db.execute(text(query), values).all()


def middle(page):
    """The middle of the picture, where the finding lies, in pixels of the page."""
    box = page.locator("#map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def reading(page):
    return page.locator("#edit-bar [data-part=reading]")


def test_officer__images_on_their_way__said_so_until_they_are_there(sign_in, site):
    page, held = sign_in("O1", size=SMALL_PX), []
    page.route("**/review/*/tiles/**", lambda route: held.append(route))
    with page.expect_request("**/review/*/tiles/**"):
        page.goto(f"/review/{site.findings[0]}")
    said = page.get_by_text("The images are loading …")
    expect(said).to_be_visible()
    assert held
    page.unroute("**/review/*/tiles/**")
    page.reload()
    wait_for_map(page)
    expect(said).to_be_hidden()


def test_officer__keyboard__three_findings_without_a_new_page_and_one_taken_back(sign_in, site):
    first, second, third = site.findings[1:4]
    page = opened(sign_in, site, 1)
    page.evaluate("window.stays = true")
    waiting = page.locator("#queue a").count()
    page.keyboard.press("j")
    expect(page).to_have_url(f"{site.url}/review/{second}")
    page.keyboard.press("k")
    expect(page.locator("#map")).to_have_attribute("data-finding", first)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("a ploughed field, jar and all")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text(f"{first} is now “Rejected”")
    expect(page.locator("#map")).to_have_attribute("data-finding", second)
    # A reason of the list needs its number alone.
    page.keyboard.press("a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text(f"{second} is now “Accepted as a lead”")
    page.keyboard.press("u")
    page.keyboard.type("too hazy")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text(f"{third} is now “Left undecided”")
    expect(page.locator("#queue a")).to_have_count(waiting - 3)
    page.keyboard.press("z")
    expect(page.locator("#map")).to_have_attribute("data-finding", third)
    expect(page.locator("#queue a")).to_have_count(waiting - 2)
    page.go_back()
    expect(page).to_have_url(f"{site.url}/review/{site.findings[4]}?done={third}")
    expect(page.locator("#map")).to_have_attribute("data-finding", site.findings[4])
    assert page.evaluate("window.stays") is True
    told = "SELECT c.code FROM core.decision c JOIN core.detection d ON d.id = c.detection_id WHERE d.public_id = :id"
    assert kept(site, told, id=second) == [("clearly_visible",)]


def test_officer__picture__swiped_by_pointer_and_keyboard_and_the_look_remembered(sign_in, site):
    page = opened(sign_in, site, 0)
    handle = page.get_by_role("slider")
    clip = "document.querySelector('[data-side=before]').style.clipPath"
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 150, y, steps=4)
    page.mouse.up()
    expect(handle).not_to_have_attribute("aria-valuenow", "50")
    moved = int(handle.get_attribute("aria-valuenow"))
    assert moved < 45
    handle.focus()
    page.keyboard.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", str(moved + 2))
    assert "inset(0" in page.evaluate(clip)
    drawn = []
    page.on("response", lambda answer: "/tiles/after/" in answer.url and drawn.append((answer.status, answer.url)))
    page.keyboard.press("3")
    page.keyboard.press("s")
    expect(page.locator("#map")).to_have_class("pictures side")
    page.reload()
    wait_for_map(page)
    expect(page.locator("#map")).to_have_class("pictures side")
    expect(page.locator("[data-combination=ndvi]")).to_have_attribute("aria-pressed", "true")
    assert any("/ndvi/" in url for _, url in drawn)
    assert {status for status, _ in drawn} <= {200, 304}


def test_officer__outline__grown_redrawn_and_recorded_with_the_acceptance(sign_in, site):
    page = opened(sign_in, site, 0)
    x, y = middle(page)
    page.keyboard.press("g")
    page.mouse.click(x + 40, y + 10)
    expect(reading(page)).to_contain_text("ha")
    page.keyboard.press("Enter")
    expect(page.locator("#own-outline")).to_contain_text("not yet recorded")
    # What was drawn outlives the page.
    page.reload()
    wait_for_map(page)
    expect(page.locator("#own-outline")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("e")
    for corner in ((-80, -60), (80, -60), (90, 70), (-70, 60)):
        page.mouse.click(x + corner[0], y + corner[1])
    page.mouse.click(x - 80, y - 60)
    # What can be moved is closed; while it is drawn it is measured too.
    expect(page.locator("#edit-bar [data-part=say]")).not_to_contain_text("close the outline")
    expect(page.locator("#edit-bar [data-part=done]")).to_be_enabled()
    told = float(reading(page).inner_text().split()[0])
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text("Accepted as a lead")
    ((area_m2, corners),) = kept(
        site,
        "SELECT ST_Area(l.geom::geography), ST_NPoints(l.geom) FROM core.label l "
        "JOIN core.detection d ON d.id = l.detection_id WHERE d.public_id = :id AND l.kind = 'edit'",
        id=site.findings[0],
    )
    # The page measures on the ellipsoid, as the database does.
    assert area_m2 / 10_000 == pytest.approx(told, abs=0.01)
    assert corners == 5
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('review-draft')).length") == 0


def test_officer__cut_and_joined_again__and_taken_back(sign_in, site):
    page = opened(sign_in, site, 4)
    x, y = middle(page)
    page.keyboard.press("x")
    page.mouse.click(x + 40, y - 130)
    page.mouse.click(x + 60, y)
    page.keyboard.press("Control+z")
    page.mouse.click(x + 40, y + 130)
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text("Cut into parts")
    part = page.locator("#map").get_attribute("data-finding")
    assert part not in site.findings
    wait_for_map(page)
    page.keyboard.press("z")
    expect(page.locator("#map")).to_have_attribute("data-finding", site.findings[4])


def test_officer__somebody_was_faster__told_who_and_what_and_nothing_typed_is_lost(sign_in, site):
    finding = site.findings[5]
    slow, fast = sign_in("O1", size=SMALL_PX), sign_in("O2", size=SMALL_PX)
    for page, typed in ((slow, "mine was not recorded"), (fast, "clearly visible")):
        page.goto(f"/review/{finding}")
        page.wait_for_selector("#map[data-finding]")
        page.keyboard.press("a")
        page.keyboard.type(typed)
    fast.keyboard.press("Enter")
    expect(fast.locator(".done")).to_contain_text("Accepted as a lead")
    slow.keyboard.press("Enter")
    alert = slow.locator("#desk-head [role=alert]")
    expect(alert).to_contain_text("was changed by somebody else")
    expect(alert).to_contain_text("O2")
    expect(alert).to_contain_text("mine was not recorded")
    expect(slow.locator("#panel")).to_contain_text("Accepted as a lead")


def test_officer__phone__decision_at_the_foot_of_the_screen(sign_in, site):
    page = opened(sign_in, site, 4, size=PHONE_PX)
    box = page.locator("#decision").bounding_box()
    assert box["y"] + box["height"] == pytest.approx(PHONE_PX[1], abs=2)
    page.get_by_text("Reject", exact=True).click()
    expect(page.locator(".reasons").get_by_text("Ploughed field or harvest")).to_be_visible()
    shoot(page, "review-decide-phone-en")


def test_officer__signed_out__back_shows_nothing(sign_in):
    page = sign_in("O1")
    page.goto("/account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/")
    page.goto("/review")
    expect(page.locator("h1")).to_have_text("Please sign in")


def test_officer__without_scripts__both_images_and_the_form(sign_in, site):
    page = sign_in("O1", scripts=False)
    page.goto(f"/review/{site.findings[4]}")
    images = page.locator(".cutouts img")
    expect(images).to_have_count(2)
    for image in images.all():
        expect(image).to_have_js_property("naturalWidth", 512)
    assert json.loads(page.locator("#map").get_attribute("data-config"))["id"] == site.findings[4]
    expect(page.locator("#decision button[type=submit]")).to_be_visible()
