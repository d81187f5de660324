"""Five minutes from nothing: a list of cameras and a boundary, the gaps on the map, a camera moved, the change kept."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.browser.axe import faults
from tests.browser.conftest import MAP_TIMEOUT_MS, PHONE_PX, again, press, shoot, wait_for_map
from tests.browser.test_looks import fits
from tests.web.studying import GROUND, answered
from web.planning_jobs import do_next

FINDINGS = 0
CAMERAS = (
    "name,lon,lat,sector_azimuth_deg,hfov_deg,range_m\nBridge,113.265,23.128,90,60,600\nWeir,113.268,23.131,,,400\n"
)
BAD_ROW = "Mill,113.270,23.131,400,60,600\n"
BOUNDARY = {"type": "Feature", "properties": {}, "geometry": GROUND.__geo_interface__}


def upload(page, name, kind, text):
    page.set_input_files(name, {"name": f"given.{kind}", "mimeType": "text/plain", "buffer": text.encode()})


def devices_are_there(page):
    wait_for_map(page)
    page.wait_for_selector("#map[data-devices]", timeout=MAP_TIMEOUT_MS)


def test_study__from_two_files_to_a_kept_change(sign_in, site):
    page = sign_in("N1")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/planner/coverage/new")
    wait_for_map(page)
    page.fill("#title", "East bank")
    upload(page, "#ground_file", "geojson", json.dumps({"type": "FeatureCollection", "features": [BOUNDARY]}))
    expect(page.locator("#ground-file")).to_be_checked()
    upload(page, "#file", "csv", CAMERAS + BAD_ROW)
    page.check("#own_only")
    page.get_by_text("What columns there may be").click()
    page.fill("#crs", "EPSG:4326")
    page.get_by_role("button", name="Find the gaps").click()
    # The bad row is told, and neither the files nor what was typed are lost.
    expect(page.locator("#told")).to_contain_text("1 of 3 rows")
    assert faults(page) == []
    page.check("#partly")
    press(page.get_by_role("button", name="Find the gaps"))
    expect(page.locator("h1")).to_contain_text("the answer is on its way")
    assert do_next(site.services)
    # The page asks by itself, and is drawn anew when there is an answer.
    expect(page.locator("h1")).to_contain_text("of this ground is seen; nobody sees")
    devices_are_there(page)
    page.locator("[data-gap]").first.click()
    expect(page).to_have_url(re.compile("#gap-1$"))

    # By the keyboard alone: found by its name, its range typed, the answer read.
    page.locator("#find-device").focus()
    page.keyboard.type("bri")
    page.keyboard.press("Enter")
    expect(page.locator("#device-name")).to_have_text("Bridge")
    page.fill("#wi-range", "900")
    expect(page.locator("#wi-lead")).to_contain_text("more would be seen")
    page.fill("#wi-range", "0")
    expect(page.locator("#wi-fault")).to_contain_text("range")
    page.fill("#wi-range", "900")
    expect(page.locator("#wi-fault")).to_be_empty()
    assert faults(page) == []
    # And by hand: the device stands in the middle of the map.
    box = page.locator("#map canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag():
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 60, middle[1] + 40, steps=5)
        page.mouse.up()

    again(drag, lambda: expect(page.locator("#wi-lon")).not_to_have_value("113.265", timeout=1_000))
    shoot(page, "coverage-what-if")
    press(page.get_by_role("button", name="Keep these changes"))
    expect(page.locator("h1")).to_contain_text("the answer is on its way")
    assert do_next(site.services)
    expect(page.locator("h1")).to_contain_text("of this ground is seen")


def test_what_if__answer_that_takes_long__the_page_says_that_it_is_on_its_way(sign_in, site):
    name = answered(site.services)
    page = sign_in("N1")
    held = []
    page.route("**/what-if", lambda route: held.append(route))
    page.goto(f"/planner/coverage/{name}")
    devices_are_there(page)
    page.locator("#find-device").focus()
    page.keyboard.type("own-1")
    page.keyboard.press("Enter")
    page.fill("#wi-range", "900")
    expect(page.locator("#wi-time")).to_have_text("The latest change is being computed …")
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "true")
    shoot(page, "coverage-what-if-slow")
    held[0].continue_()
    expect(page.locator("#wi-time")).to_contain_text("Computed in")
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "false")


def held_questions(page):
    """What the page asks from now on, each held back until it is answered by hand; what was asked, by range."""
    held = []
    page.route("**/what-if", lambda route: held.append(route))
    return held, lambda: [[one["range_m"] for one in route.request.post_data_json["changes"]] for route in held]


def typing_at_a_camera(page, site):
    page.goto(f"/planner/coverage/{answered(site.services)}")
    devices_are_there(page)
    page.locator("#find-device").focus()
    page.keyboard.type("own-1")
    page.keyboard.press("Enter")


def test_what_if__many_changes_while_an_answer_is_on_its_way__the_last_alone_is_asked_next(sign_in, site):
    page = sign_in("N1")
    held, asked = held_questions(page)
    typing_at_a_camera(page, site)
    for reach in (900, 800, 700, 650):
        page.fill("#wi-range", str(reach))
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "true")
    assert asked() == [[900]]
    with page.expect_request("**/what-if"):
        held[0].continue_()
    expect(page.locator("#wi-time")).to_have_text("The latest change is being computed …")
    # The first one came late, and for what is wished no more: nothing of it is told.
    assert asked() == [[900], [650]]
    assert page.locator("#wi-rows tr").count() == 0
    held[1].continue_()
    expect(page.locator("#wi-time")).to_contain_text("Computed in")
    expect(page.locator("#wi-rows tr").first).to_be_visible()
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "false")
    assert asked() == [[900], [650]]


def test_what_if__all_changes_dropped_while_an_answer_is_on_its_way__nothing_of_it_is_told(sign_in, site):
    page = sign_in("N1")
    held, asked = held_questions(page)
    typing_at_a_camera(page, site)
    page.fill("#wi-range", "900")
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "true")
    page.locator("#wi-undo").click()
    with page.expect_response("**/what-if"):
        held[0].continue_()
    expect(page.locator("#wi-answer")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#wi-answer")).to_be_hidden()
    assert page.locator("#map").get_attribute("data-answered") is None
    assert asked() == [[900]]


def test_study__on_a_phone_in_chinese_and_in_the_dark__fits(sign_in, site):
    name = answered(site.services)
    page = sign_in("N1", lang="zh", size=PHONE_PX, scheme="dark")
    for path in ("/planner/coverage", "/planner/coverage/new", f"/planner/coverage/{name}"):
        page.goto(path)
        if page.locator("#map").count():
            wait_for_map(page)
        assert fits(page), path
        assert faults(page) == [], path
        shoot(page, f"coverage-{path.rsplit('/', 1)[-1]}-phone-zh", whole=True)
