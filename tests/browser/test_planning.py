"""A siting plan from the map to its approval: drafted, reviewed twice, returned with words, drafted anew, granted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, MAP_TIMEOUT_MS, PHONE_PX, leaving, press, shoot, wait_for_map
from tests.web.conftest import PASSWORD

FINDINGS = 0
RECORD = {"name": "record.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 record\n%%EOF"}
REASONS = ("legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity")
NEEDS = ("risk_evidence", "incidents", "coverage_gap")


@pytest.fixture
def at_desk(sign_in):
    """`at_desk("N1", "/planner")` is that page; a question about unsaved work is answered with yes."""

    def go(code: str, path: str, **look) -> Page:
        page = sign_in(code, **look)
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(path)
        return page

    return go


def drawable(page):
    wait_for_map(page)
    page.wait_for_selector("#map[data-drawable]", timeout=MAP_TIMEOUT_MS)


def click_map(page, east, north):
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + east, box["y"] + box["height"] / 2 - north)


def tell_site(page, number, words):
    page.fill(f"[id='s{number}.place_text']", words)
    page.fill(f"[id='s{number}.purpose_en']", "Outfall")
    page.fill(f"[id='s{number}.purpose_zh']", "排污口")


def fill_case(page):
    for name in REASONS:
        page.fill(f"[id='reason.{name}']", "Said.")
    for name in NEEDS:
        page.fill(f"[id='need.{name}']", "Shown.")
    press(page.get_by_role("button", name="This is the case"))


def check_list(page, *, fails=""):
    # What is read at once, as all() does, would be read from the page before.
    expect(page.locator(".check-item").first).to_be_visible()
    page.wait_for_load_state()
    for item in page.locator(".check-item").all():
        failing = bool(fails) and fails in item.inner_text()
        item.get_by_label("Fails" if failing else "Passes", exact=True).check()
        if failing:
            item.get_by_role("textbox").fill("The record of the night is missing.")
        else:
            item.locator("input[type=file]").set_input_files(RECORD)
        for standard in item.locator("input[name=standard]").all()[:1]:
            standard.check()
    press(page.get_by_role("button", name="Record this review"))


def path_of(page):
    return re.sub(r"^https?://[^/]+|\?.*", "", page.url)


def test_plan__from_the_map_to_its_approval(at_desk):
    path = draft_on_the_map(at_desk("N1", "/planner/plans/new"))
    review_the_law(at_desk("L1", "/reviews"))
    # No form needs a script: from here on everybody works without one.
    return_to_the_planner(at_desk("T1", path.replace("/planner", "/reviews"), scripts=False))
    planner = at_desk("N1", "/planner", scripts=False)
    draft_anew_without_the_weir(planner)
    head = at_desk("H1", path.replace("/planner", "/reviews"), scripts=False)
    # Others see it when it is recorded, and not before.
    press(head.get_by_role("button", name="Submit it to the approver"))
    approve(at_desk("P1", "/reviews", scripts=False))
    planner.goto(path)
    expect(planner.get_by_role("link", name="Register a device here")).to_have_count(1)


def draft_on_the_map(planner):
    """Two sites clicked, a reload in between, the case, and both reviewers; the path of the plan."""
    drawable(planner)
    planner.fill("#title_en", "Outfalls (fictional)")
    planner.fill("#title_zh", "排口（虚构）")
    planner.select_option("#item", "ECO-01")
    click_map(planner, -60, 60)
    expect(planner.locator("[id='s1.lon']")).to_have_value(re.compile(r"^113\.\d{6}$"))
    tell_site(planner, 1, "Bridge (fictional)")
    click_map(planner, 80, 60)
    expect(planner.locator("[id='s2.purpose_zh']")).to_have_value("排污口")
    planner.fill("[id='s2.place_text']", "Weir (fictional)")
    # What was typed and drawn outlives a reload; files apart, nothing has to be done twice.
    planner.reload()
    drawable(planner)
    expect(planner.get_by_text("What you typed here and did not send is back")).to_be_visible()
    expect(planner.locator("[id='s2.place_text']")).to_have_value("Weir (fictional)")
    assert faults(planner) == []
    press(planner.get_by_role("button", name="Draft this plan"))
    expect(planner.locator("h1")).to_contain_text("say why its devices are needed")
    path = path_of(planner)
    fill_case(planner)
    expect(planner.locator("h1")).to_contain_text("choose the two reviewers")
    press(planner.get_by_role("button", name="Hand it over"))
    expect(planner.locator("h1")).to_contain_text("with its two reviewers")
    return path


def review_the_law(legal):
    """Both sites pass, found by the keyboard."""
    expect(legal.locator(".waiting-for-you")).to_contain_text("1 review to make")
    assert faults(legal) == []
    legal.locator(".waits a").focus()
    legal.keyboard.press("j")
    with leaving(legal):
        legal.keyboard.press("Enter")
    expect(legal.locator("h1")).to_have_text("Outfalls (fictional)")
    press(legal.get_by_role("link", name="Legal review").first)
    expect(legal.locator(".check-item").first).to_be_visible()
    assert faults(legal) == []
    check_list(legal)
    check_list(legal)
    expect(legal.locator("h1")).to_have_text("Outfalls (fictional)")


def return_to_the_planner(technical):
    """One site passes, the other does not: the plan goes back, with words."""
    press(technical.get_by_role("link", name="Technical review").first)
    check_list(technical)
    check_list(technical, fails="It is reliable")
    technical.get_by_text("Return it to the planner").click()
    technical.fill("#reason", "Take the weir out.")
    press(technical.get_by_role("button", name="Return it", exact=True))
    expect(technical.locator("blockquote.verdict")).to_have_text("Take the weir out.")


def draft_anew_without_the_weir(planner):
    """The planner reads why it came back, takes that site out, and hands the second version over."""
    expect(planner.locator(".waiting-for-you")).to_contain_text("1 draft that came back")
    press(planner.get_by_role("link", name="Outfalls (fictional)"))
    expect(planner.locator("blockquote.verdict")).to_have_text("Take the weir out.")
    expect(planner.locator(".sites")).to_contain_text("The record of the night is missing.")
    press(planner.get_by_role("link", name="Draft it anew"))
    planner.get_by_label("Take this site out").nth(1).check()
    planner.fill("#reason", "The weir is left to the patrols.")
    for step in ("Draft it so", "This is the case", "Hand it over"):
        press(planner.get_by_role("button", name=step))
    expect(planner.locator(".panel", has_text="Drafted by")).to_contain_text("version 2")


def approve(approver):
    press(approver.locator(".waits a"))
    approver.fill("#approval_no", "GD-2025-42")
    press(approver.get_by_role("button", name="Approve it"))
    expect(approver.locator("main")).to_contain_text("GD-2025-42")


def test_plan__by_keyboard_and_without_a_script__refused_and_drafted(at_desk):
    page = at_desk("N1", "/planner/plans/new", scripts=False)
    page.fill("#title_en", "Typed (fictional)")
    page.fill("#title_zh", "键入（虚构）")
    page.select_option("#item", "ECO-01")
    page.fill("[id='s1.lon']", "113.2630")
    page.keyboard.press("Tab")
    page.keyboard.type("north")
    tell_site(page, 1, "Bridge (fictional)")
    page.get_by_role("button", name="Draft this plan").focus()
    with leaving(page):
        page.keyboard.press("Enter")
    expect(page.locator("[id='s1.lat-fault']")).to_contain_text("north")
    page.get_by_role("link", name="north").click()
    page.fill("[id='s1.lat']", "23.1320")
    press(page.get_by_role("button", name="Add a site"))
    expect(page.locator("[id='s2.purpose_en']")).to_have_value("Outfall")
    press(page.get_by_role("button", name="Draft this plan"))
    expect(page.locator("h1")).to_contain_text("This plan is a draft")


def test_area__drawn_with_the_mouse__its_corners_are_written_and_kept_when_the_session_is_lost(at_desk):
    page = at_desk("N1", "/planner/areas/new")
    drawable(page)
    page.wait_for_selector("#tools:not([hidden])", timeout=MAP_TIMEOUT_MS)
    for east, north in ((-60, 40), (60, 40), (60, -40), (-60, -40)):
        click_map(page, east, north)
    click_map(page, -60, 40)
    expect(page.locator("#shape")).not_to_have_value("")
    corners = page.input_value("#shape")
    assert len(corners.splitlines()) == 4
    page.fill("#name_en", "Fields (fictional)")
    page.context.clear_cookies()
    press(page.get_by_role("button", name="Draft it"))
    expect(page.locator("h1")).to_contain_text("Please sign in")
    again = at_desk_in(page)
    again.goto("/planner/areas/new")
    expect(again.locator("#shape")).to_have_value(corners)
    expect(again.locator("#name_en")).to_have_value("Fields (fictional)")


def at_desk_in(page):
    """Signs N1 in once more in the same browser."""
    page.goto("/account/sign-in")
    page.fill("#name", "N1")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


LOOKS = {
    "planner": ("N1", "/planner"),
    "plan-import": ("N1", "/planner/plans/import"),
    "area-import": ("N1", "/planner/areas/import"),
    "point-import": ("N1", "/planner/points/import"),
    "device-new": ("N1", "/planner/devices/new"),
    "area-new": ("N1", "/planner/areas/new"),
    "approvals": ("H1", "/reviews"),
    "area-file": ("H1", "/reviews/areas/PA1"),
    "account-waits": ("H1", "/account"),
}


@pytest.mark.parametrize(("size", "lang"), [(DESK_PX, "en"), (PHONE_PX, "zh")], ids=["desk-en", "phone-zh"])
def test_pages__fit_are_shot_and_hold_wcag(at_desk, size, lang):
    pages = {code: at_desk(code, "/account", lang=lang, size=size) for code in ("N1", "H1")}
    for name, (code, path) in LOOKS.items():
        page = pages[code]
        # The map is drawn meanwhile; what it shows stands beside it in words.
        page.goto(path, wait_until="domcontentloaded")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        assert faults(page) == [], name
        shoot(page, f"{name}-{size[0]}-{lang}", whole=True)
