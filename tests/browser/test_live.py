"""A flight on the map: live as the gateway tells it, and again under the slider."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from shapely import Point
from sqlalchemy.orm import Session

from geo import shapes
from schemas import tables as t
from schemas.actors import SYSTEM
from schemas.store.work import find
from tests.browser.conftest import DESK_PX, MAP_TIMEOUT_MS, PHONE_PX, shoot, wait_for_map
from tests.database.flying import START, airborne
from tests.web.test_live import tell

COUNT = 120


@pytest.fixture(scope="module")
def flight(site):
    """A flight that leaves its corridor in the middle, and of which eight seconds are missing."""
    number = airborne(lambda code: site.services.work(SYSTEM if code == "SYSTEM" else site.services.actor(code)))
    with Session(site.services.engine) as db:
        row = find(db, t.Flight, number)
        for i in range(COUNT):
            if 80 <= i < 88:
                continue
            off = 50 <= i < 65
            cross_m = 3.0 + (35 * (1 - abs(i - 57) / 8) if off else 0.0)
            db.add(
                t.TelemetryPoint(
                    flight_id=row.id,
                    received_at=START + timedelta(seconds=i),
                    boot_ms=1000 * i,
                    geom=shapes.element(Point(113.2560 + i * 1.2e-4, 23.125 + cross_m / 111_000)),
                    alt_rel_home_m=100.0,
                    alt_amsl_m=112.0,
                    alt_agl_m=99.0 + i % 3,
                    heading_deg=90.0,
                    ground_speed_m_s=12.0,
                    battery_pct=90 - i // 6,
                    conformance="nonconforming" if off and cross_m > 30 else "activated",
                    cross_track_m=cross_m,
                    along_m=100 + 12.0 * i,
                    item=5,
                )
            )
        db.commit()
    gap = {"from": (START + timedelta(seconds=79)).isoformat(), "until": (START + timedelta(seconds=88)).isoformat()}
    tell(
        site.services,
        number,
        ("step", {"step": "permitted"}),
        ("step", {"step": "prepared"}),
        ("step", {"step": "airborne"}),
        ("conformance", {"state": "nonconforming"}),
        ("conformance", {"state": "activated"}),
        ("gap", gap | {"seconds": 9}),
        ("order", {"kind": "pause", "outcome": "done"}),
    )
    return number


def watch(sign_in, flight, code="F1", **look):
    page = sign_in(code, **look)
    page.goto(f"/pilot/flight/{flight}/watch")
    wait_for_map(page)
    return page


def test_watch__new_position__moves_the_gauges(sign_in, site, flight):
    page = watch(sign_in, flight)
    expect(page.locator("[data-gauge=cross]")).to_have_text("3.0 m")
    body = {"lon": 113.2705, "lat": 23.1254, "alt_rel_home_m": 97.0, "state": "nonconforming", "along_m": 1600.0}
    tell(site.services, flight, ("position", body | {"cross_track_m": 44.4, "battery_pct": 61, "item": 7, "items": 9}))
    expect(page.locator("[data-gauge=cross]")).to_have_text("44.4 m", timeout=MAP_TIMEOUT_MS)
    expect(page.locator("[data-gauge=state]")).to_have_text("Off its route")
    expect(page.locator("[data-gauge=item]")).to_have_text("7 / 9")
    expect(page.locator("[data-gauge=age]")).to_contain_text("s ago")


def test_watch__event__stands_on_top_of_the_list(sign_in, site, flight):
    page = watch(sign_in, flight)
    tell(site.services, flight, ("override", {"text": "mode LOITER"}))
    expect(page.locator("#log li").first).to_contain_text("mode LOITER", timeout=MAP_TIMEOUT_MS)


def test_watch__slider__shows_that_moment(sign_in, flight):
    page = watch(sign_in, flight)
    page.locator("#time").fill("57")
    expect(page.locator("[data-gauge=cross]")).to_have_text("38.0 m")
    expect(page.locator("[data-gauge=state]")).to_have_text("Off its route")
    expect(page.locator("[data-gauge=age]")).to_have_text("recorded")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")


def test_watch__land_here__is_asked_twice(sign_in, flight):
    page = watch(sign_in, flight)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Land here").click()
    assert len(asked) == 1
    assert page.url.endswith("/watch")


@pytest.mark.parametrize(
    ("look", "options"),
    {
        "desk-en": {"size": DESK_PX},
        "desk-zh": {"size": DESK_PX, "lang": "zh"},
        "phone-zh": {"size": PHONE_PX, "lang": "zh"},
        "desk-dark": {"size": DESK_PX, "scheme": "dark"},
    }.items(),
)
def test_watch__fits_and_is_shot(sign_in, flight, look, options):
    page = watch(sign_in, flight, **options)
    page.locator("#time").fill("60")
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, f"watch-{look}", whole="phone" in look)


@pytest.mark.parametrize(("look", "options"), {"desk-en": {}, "phone-zh": {"size": PHONE_PX, "lang": "zh"}}.items())
def test_board__fits_and_is_shot(sign_in, flight, look, options):
    page = sign_in("H1", **options)
    page.goto("/pilot/air")
    wait_for_map(page)
    expect(page.locator("#board a")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shoot(page, f"air-{look}", whole="phone" in look)
