"""The map as a citizen uses it: groups, stacks, filters, search, days of the past, near me, frames and paper.

One browser and one page serve all tests: what it has fetched once it keeps, as a reader's does.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PATIENCE_MS, again, overheard, shoot, wait_for_map

FINDINGS = 0
# Beside DV1, some hundred metres away.
HERE = {"longitude": 113.2610, "latitude": 23.1300, "accuracy": 12}
# The drone is shown where the camera is; where it stands is another table, and judged. What is told of the camera is
# counted anew, so that the tiles there have a new number.
STACK = (
    "UPDATE core.shown t SET geom = s.geom, geom_3857 = s.geom_3857, told = '' FROM core.shown s"
    " WHERE s.public_id = 'DV-DV1' AND t.public_id = 'DV-DR1'",
    "UPDATE core.shown SET told = '' WHERE public_id = 'DV-DV1'",
    "SELECT core.touch_public('device', id) FROM core.device WHERE public_id = 'DV-DV1'",
)
# Shown anew from where it stands, under one more number: what is told of it differs from what was told above.
APART = ("SELECT core.touch_public('device', id) FROM core.device WHERE public_id = 'DV-DR1'",)
SILENT = (
    "UPDATE core.authority SET level = 'county', name_en = 'Silent Bureau', jurisdiction ="
    " ST_Multi(ST_MakeEnvelope(114.0, 23.0, 114.2, 23.2, 4326)) WHERE code = 'P0'",
)


def change(site, statements):
    admin = site.services.database.admin_engine()
    try:
        with admin.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        admin.dispose()


@pytest.fixture(scope="module")
def atlas(browser, site) -> Page:
    """One page on the map, whose reader lets it know where they are; every request is remembered."""
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": DESK_PX[0], "height": DESK_PX[1]},
        locale="en-GB",
        reduced_motion="reduce",
        geolocation=HERE,
        permissions=["geolocation"],
    )
    context.set_default_timeout(PATIENCE_MS)
    yield overheard(context, site)
    context.close()
    site.check()


def to(page, path):
    # Another fragment alone would not load the page anew.
    page.goto("about:blank")
    page.goto(path)
    wait_for_map(page)
    return page


def click_middle(page):
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_groups__from_far__count_and_open_by_coming_closer(atlas):
    page = to(atlas, "/#map=10/23.13/113.27")
    group = page.locator("#in-view button", has_text="devices close together")
    expect(group).to_contain_text("2 devices close together")
    group.click()
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(1)
    assert float(page.url.split("#map=")[1].split("/")[0]) > 10


def test_filters__stand_in_the_address__and_survive_reload_and_back(atlas):
    page = to(atlas, "/#map=13/23.13/113.27")
    page.get_by_role("checkbox", name="Camera").uncheck()
    expect(page).to_have_url(re.compile(r"\?kind=drone#"))
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(0)
    page.reload()
    wait_for_map(page)
    expect(page.get_by_role("checkbox", name="Camera")).not_to_be_checked()
    expect(page.locator("#in-view [data-id=DV-DR1]")).to_have_count(1)
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("checkbox", name="Camera")).to_be_checked()
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(1)
    page.get_by_role("checkbox", name="In use", exact=True).uncheck()
    expect(page.locator("#in-view [data-id=DV-DR1]")).to_have_count(0)
    assert "state=in_notice_period" in page.locator("#to-list").get_attribute("href")
    page.select_option("#f-authority", index=1)
    expect(page).to_have_url(re.compile("authority=AU-"))
    page.click("#show-all")
    expect(page.locator("#in-view [data-id=DV-DR1]")).to_have_count(1)


@pytest.mark.parametrize("selected", ["by address", "by a click"])
def test_card__of_a_device__lies_wholly_on_the_map(open_page, selected):
    page = open_page("/privacy", size=(1440, 640))
    where = page.request.get("/device/DV-DV1").text().split('data-place="[')[1].split("]")[0].replace(" ", "")
    lon, lat = where.split(",")
    to(page, "/?sel=device/DV-DV1" if selected == "by address" else f"/#map=16/{lat}/{lon}")
    card = page.locator(".maplibregl-popup-content")
    if selected == "by a click":
        again(lambda: click_middle(page), lambda: expect(card).to_be_visible(timeout=1000))
    expect(card).to_be_visible()
    page.wait_for_function("""() => {
        const box = (one) => document.querySelector(one).getBoundingClientRect();
        const [card, all] = [box(".maplibregl-popup-content"), box("#map")];
        return card.top >= all.top && card.bottom <= all.bottom && card.left >= all.left && card.right <= all.right;
    }""")


def test_grid__of_what_several_devices_reach__fetched_and_drawn_only_where_asked_for(atlas):
    page = to(atlas, "/#map=13/23.13/113.27")
    fetched = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert not [name for name in fetched if "/tiles/coverage/" in name]
    with page.expect_response(lambda answer: "/tiles/coverage/" in answer.url) as answered:
        page.get_by_role("checkbox", name="Ground that three or more devices reach").check()
    assert answered.value.status == 200
    expect(page).to_have_url(re.compile(r"\?grid=shown#"))
    page.reload()
    wait_for_map(page)
    expect(page.get_by_role("checkbox", name="Ground that three or more devices reach")).to_be_checked()
    assert "grid" not in page.locator("#to-list").get_attribute("href")


def test_search__by_keyboard_alone__finds_a_number_and_shows_it(atlas):
    page = to(atlas, "/")
    page.focus("#q")
    page.keyboard.type("dv-dr")
    expect(page.locator("#found [role=status]")).to_have_text("1 found")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".maplibregl-popup .card h1")).to_contain_text("Drone")
    expect(page).to_have_url(re.compile("sel=device%2FDV-DR1"))
    page.keyboard.press("Escape")
    expect(page.locator("#found a")).to_be_focused()
    page.fill("#q", "")
    expect(page.locator("#found a")).to_have_count(0)


def test_history__slider_date_and_back__map_list_and_answer_are_those_of_the_day(atlas):
    page = to(atlas, "/#map=13/23.13/113.27")
    page.click("#history-open")
    expect(page.locator("#history-said")).to_contain_text("Today: 1 device in use")
    page.focus("#history-day")
    page.locator("[data-step='-1']").click()
    expect(page).to_have_url(re.compile(r"on=2025-0[67]-\d\d"))
    page.fill("#f-on", "2024-03-01")
    page.locator("#f-on").dispatch_event("change")
    expect(page.locator("#head h1")).to_have_text("On 2024-03-01, 0 devices watched here")
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(0)
    expect(page.locator("#history-said")).to_contain_text("2024-03-01: 0")
    page.reload()
    wait_for_map(page)
    expect(page.locator("#head h1")).to_have_text("On 2024-03-01, 0 devices watched here")
    page.click("#back-to-today")
    expect(page.locator("#head h1")).to_have_text("1 device watches here")
    expect(page.locator("#in-view [data-id=DV-DV1]")).to_have_count(1)
    assert "on=" not in page.url


def test_near_me__is_worked_out_here__and_the_position_is_sent_nowhere(atlas):
    page = to(atlas, "/")
    sent = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    page.click("#near-me")
    expect(page.locator("#answer .lead")).to_contain_text("1 device stands within 500 m of you, 100 m away.")
    expect(page.locator("#answer")).to_contain_text("your position was not sent")
    expect(page.locator("#answer [data-id=DV-DV1]")).to_contain_text("100 m")
    expect(page.locator(".maplibregl-marker")).to_have_count(1)
    assert sent
    # Tiles alone, and none of them finer than a square of some six hundred metres.
    assert [one for one in sent if "/tiles/" not in one and "/static/" not in one] == []
    assert [one for one in sent if "113.26" in one or "23.13" in one] == []
    assert max(int(re.search(r"/tiles/\w+/(\d+)/", one)[1]) for one in sent if "/tiles/" in one) <= 16


def test_near_me__refused__says_what_else_to_do(atlas):
    page = to(atlas, "/")
    atlas.context.clear_permissions()
    try:
        page.click("#near-me")
        expect(page.locator("#answer .lead")).to_contain_text("Search for a place, or click the map.")
    finally:
        atlas.context.grant_permissions(["geolocation"])


@pytest.fixture
def stacked(site):
    """The drone shown on the spot of the camera, and where it was again afterwards."""
    change(site, STACK)
    yield
    change(site, APART)


@pytest.mark.usefixtures("stacked")
def test_stack__several_on_one_spot__carry_a_badge_and_are_listed(atlas):
    page = to(atlas, "/#map=16/23.13/113.26")
    expect(page.locator("#in-view [data-id=DV-DR1]")).to_have_count(1)

    def listed():
        expect(page.locator(".maplibregl-popup h2")).to_have_text("2 things at this spot", timeout=1000)

    again(lambda: click_middle(page), listed)
    page.locator(".maplibregl-popup [data-id=DV-DR1]").press("Enter")
    expect(page.locator(".maplibregl-popup .card")).to_contain_text("Drone")
    shoot(page, "stack")


def test_silence__where_nobody_has_published__is_told_from_nothing(atlas, site):
    change(site, SILENT)
    page = to(atlas, "/#map=13/23.1/114.1")
    expect(page.locator("#in-view-count")).to_have_text(
        "Silent Bureau has not published anything: what watches there is not known."
    )
    page = to(atlas, "/#map=13/23.19/113.34")
    expect(page.locator("#in-view-count")).to_have_text("Nothing that is published stands in this view")


def test_frame_and_sheet__draw_their_map(atlas):
    page = to(atlas, "/embed/device/DV-DR1")
    expect(page.locator("#card")).to_contain_text("Pollution patrol")
    expect(page.get_by_role("link", name="Open the whole map")).to_have_attribute("href", "/?sel=device/DV-DR1")
    page = to(atlas, "/print?kind=drone")
    expect(page.locator("#sheet-place")).to_contain_text("23.")
    kept = "document.querySelector('canvas').getContext('webgl2').getContextAttributes().preserveDrawingBuffer"
    assert page.evaluate(kept)
    assert page.locator(".sheet-list tbody tr").first.locator("td").first.inner_text() == "1"
    page.emulate_media(media="print")
    expect(page.locator("#print")).to_be_hidden()
    page.emulate_media(media="screen")


LOOKS = [("en", "light"), ("zh", "dark")]
PAGES = [
    *("/", "/?lon=113.2610&lat=23.13", "/?on=2025-06-15", "/list", "/device/DV-DV1"),
    *("/search?q=a", "/print", "/embed/map", "/rules"),
]


@pytest.mark.parametrize(("lang", "scheme"), LOOKS)
def test_public_pages__hold_against_wcag__and_fit_360_px(browser, site, lang, scheme):
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": 360, "height": 740},
        locale="zh-CN" if lang == "zh" else "en-GB",
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    found: dict[str, object] = {}
    for path in PAGES:
        page.goto(path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found[path] = "sticks out sideways"
        if said := faults(page):
            found[path] = said
    context.close()
    assert found == {}
