"""A pilot draws a survey on the map, sees it laid out, and takes it to the check; the keyboard alone does it too."""

import pytest
from playwright.sync_api import expect

from flights.formats import read_plan
from tests.browser.conftest import DESK_PX, MAP_TIMEOUT_MS, PHONE_PX, shoot, wait_for_map

AREA = "113.262, 23.125\n113.274, 23.125\n113.274, 23.133\n113.262, 23.133"


@pytest.fixture
def survey(sign_in):
    def go(**look):
        page = sign_in("F1", **look)
        page.goto("/pilot/survey")
        wait_for_map(page)
        page.wait_for_selector("#tools:not([hidden])", timeout=MAP_TIMEOUT_MS)
        return page

    return go


def type_area(page, text=AREA):
    page.locator("summary", has_text="Corners").click()
    page.fill("#shape", text)
    page.fill("#value", "60")


def laid_out(page):
    page.wait_for_selector("#result .verdict.yes", timeout=MAP_TIMEOUT_MS)


def test_survey__drawn_with_the_mouse__laid_out_and_its_corners_written(survey):
    page = survey()
    page.get_by_role("button", name="Area", exact=True).click()
    box = page.locator("#map canvas").bounding_box()
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for east, north in ((-120, 60), (-40, 60), (-40, 110), (-120, 110)):
        page.mouse.click(centre[0] + east, centre[1] + north)
    # The first corner again closes the area.
    page.mouse.click(centre[0] - 120, centre[1] + 60)
    page.wait_for_selector("#result .verdict", timeout=MAP_TIMEOUT_MS)
    assert page.input_value("#shape").count("\n") == 3
    expect(page.get_by_role("button", name="Move corners")).to_have_attribute("aria-pressed", "true")


def test_survey__typed_alone__laid_out_and_changed_live(survey):
    page = survey()
    type_area(page)
    laid_out(page)
    lines = page.inner_text("#result .lead")
    page.fill("#side", "80")
    expect(page.locator("#result .lead")).not_to_have_text(lines, timeout=MAP_TIMEOUT_MS)
    expect(page.locator("#result")).to_contain_text("Ground sampling distance")


def test_survey__refused__rule_and_place(survey):
    page = survey()
    type_area(page)
    page.fill("#home", "113.2700, 23.1293")
    # What was typed first is answered first, and may be refused for other reasons.
    refusal = page.locator("#result .refusal", has_text="Above home the camera would see a private place")
    expect(refusal).to_have_count(1, timeout=MAP_TIMEOUT_MS)
    refusal.get_by_role("button", name="Show on the map").click()


def test_survey__patrol_area__taken_away_as_a_plan(survey):
    page = survey()
    page.select_option("#area", "PA1")
    laid_out(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=".plan").click()
    data = download.value.path().read_bytes()
    assert read_plan(data, "survey.plan").items


def test_survey__handed_to_the_check__its_plan_stands_in_the_form(survey):
    page = survey()
    type_area(page)
    laid_out(page)
    page.get_by_role("button", name="Check this plan").click()
    expect(page.locator("#result .verdict .lead")).to_contain_text("cannot be flown", timeout=MAP_TIMEOUT_MS)
    wait_for_map(page)
    assert page.eval_on_selector("#plan", "input => input.files[0].name") == "survey.plan"


def test_survey__reloaded__draft_is_still_there(survey):
    page = survey()
    type_area(page)
    laid_out(page)
    page.reload()
    laid_out(page)
    expect(page.locator("#shape")).to_have_value(AREA)


def test_survey__without_scripts__the_button_brings_the_page(sign_in):
    page = sign_in("F1", scripts=False)
    page.goto("/pilot/survey")
    page.select_option("#area", "PA1")
    page.click("#lay-out")
    expect(page.locator("#result .verdict.yes")).to_contain_text("minutes in the air")


@pytest.mark.parametrize(("size", "name", "lang"), [(DESK_PX, "desk", "en"), (PHONE_PX, "phone", "zh")])
def test_survey__looks__nothing_overflows(survey, size, name, lang):
    page = survey(size=size, lang=lang)
    page.locator("details summary").filter(has=page.locator("xpath=../*[@class='field']")).click()
    page.fill("#shape", AREA)
    page.fill("#value", "60")
    laid_out(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    shoot(page, f"survey-{name}-{lang}", whole=size == PHONE_PX)
