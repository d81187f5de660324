"""Pictures of every page, in both languages, at a desk and on a phone, light and dark; and what they must not do."""

import pytest

from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, PHONE_PX, shoot, wait_for_map
from tests.web.studying import answered

PUBLIC = {
    "home": "/",
    "selected": "/?sel=device/DV-DV1",
    "answer": "/?q=113.2610,23.1300",
    "list": "/list",
    "record": "/device/DV-DV1",
    "rules": "/rules",
    "privacy": "/privacy",
    "data": "/data",
    "sign-in": "/account/sign-in",
    "nothing": "/nowhere",
}
DESKS = {"pilot": ("F1", "/pilot"), "review": ("O1", "/review"), "account": ("O1", "/account")}
SIZES = {"desk": DESK_PX, "phone": PHONE_PX, "narrow": (360, 740)}


def fits(page):
    """Nothing sticks out sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def settle(page):
    if page.locator("#map").count():
        wait_for_map(page)


def visit(page, name, path, look, *, whole=False):
    page.goto(path)
    settle(page)
    assert fits(page), name
    assert faults(page) == [], name
    shoot(page, f"{name}-{look}", whole=whole)


# One browser for all pages of a look: what it has fetched once it keeps, as a reader's does. English words are the
# longer ones: where they fit on the narrowest screen, they fit on every other. Each size, language and scheme is seen.
LOOKS = [("desk", "en", "light"), ("phone", "zh", "dark")]


@pytest.mark.parametrize(("size", "lang", "scheme"), LOOKS)
def test_public_pages__hold_wcag_fit_and_are_shot(open_page, size, lang, scheme):
    page = open_page("/privacy", lang=lang, size=SIZES[size], scheme=scheme)
    for name, path in PUBLIC.items():
        visit(page, name, path, f"{size}-{lang}")


def test_public_pages__in_the_dark__are_shot(open_page):
    page = open_page("/privacy", scheme="dark")
    for name in ("home", "list", "selected"):
        visit(page, name, PUBLIC[name], "desk-dark")


def test_targets__smaller_than_24_px_side_by_side__are_told(open_page):
    page = open_page("/privacy")
    assert faults(page) == []
    page.evaluate("""() => {
        for (const name of "AB") {
            const button = document.querySelector("main").appendChild(document.createElement("button"));
            button.ariaLabel = name;
            button.style = "width: 12px; height: 12px; padding: 0";
        }
    }""")
    assert [found.split(":")[0] for found in faults(page)] == ["target-size"]


ZONES = 27


@pytest.fixture
def many_zones(site):
    """More zones than one page of the list holds."""
    admin = site.services.database.admin_engine()
    try:
        with admin.begin() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql(
                "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, sensitive, buffer_m, source,"
                " valid_from, zone_version, origin, geom) SELECT gen_random_uuid(), 'PZ-LOOK' || i, 'dormitory',"
                " 'Dormitory ' || i, '宿舍', false, 0, 'legal', '2025-01-01', 1, 'sample',"
                " ST_Buffer(ST_Point(113.265 + i * 0.0001, 23.13, 4326), 0.00004)"
                f" FROM generate_series(1, {ZONES}) i"
            )
        yield
        with admin.begin() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql("DELETE FROM core.privacy_zone WHERE starts_with(public_id, 'PZ-LOOK')")
    finally:
        admin.dispose()


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_list__page_after_the_first__links_are_as_large_as_a_finger_needs(open_page, many_zones, size):
    page = open_page("/list?layer=privacy_zones&page=2", size=SIZES[size])
    assert page.locator("nav.pages a[rel=prev]").count() == 1
    assert fits(page)
    assert faults(page) == []


def test_finding_near_another__link_to_it_is_as_large_as_a_finger_needs(sign_in, site):
    page = sign_in("O1", size=SIZES["phone"])
    page.goto(f"/review/{site.findings[0]}")
    settle(page)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    near = page.locator(".near a").first
    near.wait_for()
    assert near.bounding_box()["height"] >= 24
    assert faults(page) == []


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_studies_to_compare__boxes_are_as_large_as_a_finger_needs(sign_in, site, size):
    for title in ("One", "Another"):
        answered(site.services, title=title)
    page = sign_in("N1", size=SIZES[size])
    page.goto("/planner/coverage/compare")
    boxes = [one.bounding_box() for one in page.locator("#ids input[type=checkbox]").all()]
    assert len(boxes) >= 2
    assert min(min(box["width"], box["height"]) for box in boxes) >= 24
    assert fits(page)
    assert faults(page) == []


# What has the focus: how thick the ring around it is, or around its label, and whether it is in view.
FOCUS = """() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const rings = [one, one.closest("label")].filter(Boolean).map((it) => getComputedStyle(it));
    const box = one.getBoundingClientRect();
    return {
        what: one.outerHTML.slice(0, 120),
        ring_px: Math.max(...rings.map((it) => (it.outlineStyle === "none" ? 0 : parseFloat(it.outlineWidth)))),
        in_view: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    };
}"""


@pytest.mark.parametrize("path", ["/device/DV-DV1", "/list", "/subscribe", "/ask", "/zone-requests/new", "/print"])
def test_focus__by_keyboard__is_seen_on_every_target(open_page, path):
    page = open_page(path)
    settle(page)
    reached = 0
    while reached < 40:
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUS)
        if told is None:
            break
        reached += 1
        assert told["ring_px"] >= 2, told
        assert told["in_view"], told
    assert reached > 5


def test_public_pages__in_english_at_360_px__fit(open_page):
    page = open_page("/privacy", size=SIZES["narrow"])
    for name, path in PUBLIC.items():
        page.goto(path)
        assert fits(page), name


@pytest.mark.parametrize(("size", "lang", "scheme"), LOOKS)
def test_desks__hold_wcag_fit_and_are_shot(sign_in, size, lang, scheme):
    for name, (code, path) in DESKS.items():
        page = sign_in(code, lang=lang, size=SIZES[size], scheme=scheme)
        visit(page, name, path, f"{size}-{lang}", whole=size == "phone")


def test_desks__in_english_at_360_px__fit(sign_in):
    for name, (code, path) in DESKS.items():
        page = sign_in(code, size=SIZES["narrow"])
        page.goto(path)
        assert fits(page), name
