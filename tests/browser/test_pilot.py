"""A pilot: a plan that cannot be flown, every reason at its place, then one that can, filed."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MAP_TIMEOUT_MS, again, wait_for_map
from tests.web.plans import R1, geojson

ACROSS = [[113.2550, 23.1300], [113.2950, 23.1300]]


@pytest.fixture
def plan(tmp_path):
    def write(coordinates):
        path = tmp_path / "plan.geojson"
        path.write_bytes(geojson(coordinates))
        return path

    return write


def check(page, path):
    page.set_input_files("#plan", path)
    page.fill("#at", "2025-07-03T10:00")
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_selector("#result .verdict", timeout=MAP_TIMEOUT_MS)


def test_pilot__plan_refused__every_rule_with_fix_and_place(sign_in_by_form, plan):
    page = sign_in_by_form("F1")
    wait_for_map(page)
    check(page, plan(ACROSS))
    expect(page.locator("#result .verdict .lead")).to_contain_text("This plan cannot be flown")
    refusals = page.locator("#result .refusal")
    expect(refusals.filter(has_text="GD-16.5")).to_have_count(1)
    expect(refusals.filter(has_text="GD-16.3")).to_contain_text("What to do")
    zone = refusals.filter(has_text="GD-16.5")
    zone.get_by_role("button", name="Show on the map").click()
    expect(zone).to_have_attribute("aria-current", "true")
    # The form is as it was: nothing has to be chosen again.
    assert page.eval_on_selector("#plan", "input => input.files.length") == 1


def test_pilot__select_on_the_map__selects_in_the_list(sign_in_by_form, plan):
    page = sign_in_by_form("F1")
    wait_for_map(page)
    check(page, plan(ACROSS))
    zone = page.locator("#result .refusal").filter(has_text="GD-16.3")
    zone.get_by_role("button", name="Show on the map").click()
    expect(zone).to_have_attribute("aria-current", "true")
    page.eval_on_selector_all("#result .refusal", "all => all.forEach((each) => each.removeAttribute('aria-current'))")
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    chosen = page.locator("#result .refusal[aria-current=true]")
    again(lambda: page.mouse.click(x, y), lambda: expect(chosen).to_have_count(1, timeout=1_000))


def test_pilot__good_plan__checked_filed_and_on_the_desk(sign_in_by_form, plan):
    page = sign_in_by_form("F1")
    check(page, plan(R1))
    expect(page.locator("#result .verdict .lead")).to_contain_text("may be flown")
    page.get_by_role("button", name="File this flight").click()
    page.wait_for_url("**/pilot/flight/*")
    expect(page.locator("h1")).to_contain_text("Passed the check")
    flight = page.url.rsplit("/", 1)[1]
    page.goto("/pilot")
    expect(page.locator("main")).to_contain_text(flight)
