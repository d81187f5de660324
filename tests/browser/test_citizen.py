"""A citizen: what watches here, who, why, under which law, since or from when; without an account."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import PHONE_PX, press, wait_for_map


def test_citizen__map__select_in_the_list_and_read_who_why_and_when(open_page):
    page = open_page("/")
    wait_for_map(page)
    expect(page.locator("h1")).to_have_text("1 device watches here")
    expect(page.locator("#in-view-count")).to_have_text("6 in this view")
    page.click("#in-view [data-id=DV-DV1]")
    card = page.locator(".maplibregl-popup .card")
    for said in ("Authority A1", "Pollution patrol", "Placeholder statute, art. 1", "2025-06-01"):
        expect(card).to_contain_text(said)
    expect(card).to_contain_text("Its notice period ended on 2025-07-01; it is not in use yet.")
    expect(page).to_have_url(re.compile(r"sel=device%2FDV-DV1"))
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_attribute("aria-current", "true")


def test_citizen__reload_and_back__lose_nothing(open_page):
    page = open_page("/?sel=area/PA-PA1")
    wait_for_map(page)
    expect(page.locator(".maplibregl-popup h1")).to_contain_text("PA1")
    page.click("#in-view [data-id=DV-DR1]")
    expect(page.locator(".maplibregl-popup h1")).to_contain_text("Drone")
    page.reload()
    wait_for_map(page)
    expect(page.locator(".maplibregl-popup h1")).to_contain_text("Drone")
    page.go_back()
    expect(page.locator(".maplibregl-popup h1")).to_contain_text("PA1")
    page.keyboard.press("Escape")
    expect(page.locator(".maplibregl-popup")).to_have_count(0)


def test_citizen__click_on_a_symbol__opens_its_card(open_page):
    page = open_page("/#map=16/23.13/113.26")
    wait_for_map(page)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".maplibregl-popup .card")).to_contain_text("Camera")


def test_GD_16_3__deployment_point__is_on_the_map_in_the_legend_and_clicked_for_its_card(open_page):
    page = open_page("/#map=16/23.135/113.28")
    wait_for_map(page)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = page.locator(".maplibregl-popup .card")
    expect(card.locator("h1")).to_have_text("Deployment point DP1 (fictional)")
    expect(card).to_contain_text("Weir (fictional)")
    expect(page).to_have_url(re.compile("sel=point%2FDP-DP1"))
    page.get_by_role("checkbox", name="Deployment points").uncheck()
    expect(page.locator("#in-view [data-id=DP-DP1]")).to_have_count(0)
    page.get_by_role("checkbox", name="Deployment points").check()
    expect(page.locator("#in-view [data-id=DP-DP1]")).to_have_count(1)


def test_citizen__click_beside_everything__what_watches_this_place(open_page):
    page = open_page("/#map=16/23.10/113.20")
    wait_for_map(page)
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + 200, box["y"] + 200)
    expect(page.locator("#answer .lead")).to_have_text("Nothing that is published watches this place.")
    expect(page).to_have_url(re.compile(r"lon=113\.\d+&lat=23\.\d+"))
    page.reload()
    expect(page.locator("#answer .lead")).to_have_text("Nothing that is published watches this place.")


def test_citizen__asks_by_coordinates__sentence_list_and_marker(open_page):
    page = open_page("/", size=PHONE_PX)
    wait_for_map(page)
    page.fill("#q", "113.2610, 23.1300")
    press(page.locator("form[role=search] [type=submit]"))
    wait_for_map(page)
    expect(page.locator("#answer .lead")).to_contain_text("1 device stands within 500 m, 100 m away.")
    expect(page.locator("#answer .results a").first).to_have_attribute("href", "/device/DV-DV1")
    expect(page.locator(".maplibregl-marker")).to_have_count(1)


def test_citizen__legend__hides_a_kind_and_shows_it_again(open_page):
    page = open_page("/")
    wait_for_map(page)
    box = page.get_by_role("checkbox", name="Camera")
    box.uncheck()
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(0)
    box.check()
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(1)


def test_citizen__other_language__the_same_page_in_chinese(open_page):
    page = open_page("/list?layer=privacy_zones")
    page.click(".masthead [hreflang=zh-CN]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("h1")).to_contain_text("隐私排除区")
    page.goto("/rules")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_citizen__list__filters_in_place_and_the_address_holds_them(open_page):
    page = open_page("/list")
    page.select_option("#f-state", "in_notice_period")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("state=in_notice_period"))
    page.go_back()
    expect(page.locator("#results tbody tr")).to_have_count(2)


def test_citizen__without_scripts__list_record_and_answer_are_complete(open_page):
    page = open_page("/list", scripts=False)
    page.select_option("#f-kind", "drone")
    press(page.locator(".filters button"))
    expect(page.locator("#results tbody a")).to_have_count(1)
    page.click("#results tbody a")
    expect(page.locator("#card")).to_contain_text("Pollution patrol")
    page.goto("/?q=113.2610,23.1300")
    expect(page.locator("#answer")).to_contain_text("1 device stands within 500 m")


def test_citizen__keyboard_alone__reaches_the_first_card(open_page):
    page = open_page("/")
    wait_for_map(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#in-view button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".maplibregl-popup .card")).to_be_visible()
