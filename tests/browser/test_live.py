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


SERIAL = "1581F5BKD223Q00A1234"


def said(state="match", **changes):
    """What a gateway keeps of the Remote ID of an aircraft."""
    return {
        "state": state,
        "reasons": [],
        "ids": [{"id_type": "serial_number", "uas_id": SERIAL}],
        "registered": {},
        "operator_id": "CHN-OP-0001",
        "apart_m": 3.2,
        "allowed_m": 21.2,
        "status": "airborne",
        "height_m": 97.5,
        "at": [113.2602, 23.1251],
        "operator_at": [113.2545, 23.125],
        "heard_at": START.isoformat(),
        "module": {"is_fit": True, "reason": ""},
        "changed": True,
    } | changes


OTHER = {"reasons": ["serial_number", "position"], "ids": [{"id_type": "serial_number", "uas_id": "SN-OTHER"}]}
OTHER |= {"registered": {"serial_number": SERIAL}, "apart_m": 312.4}


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
    with Session(site.services.engine) as db:
        row = find(db, t.Flight, number)
        for after_s, body in ((30, said("silent")), (60, said())):
            at = START + timedelta(seconds=after_s)
            db.add(t.FlightEvent(flight_id=row.id, kind="remote_id", at=at, body=body))
            db.flush()
        db.commit()
    tell(
        site.services,
        number,
        ("step", {"step": "permitted"}),
        ("step", {"step": "prepared"}),
        ("step", {"step": "airborne"}),
        ("conformance", {"state": "nonconforming"}),
        ("conformance", {"state": "activated"}),
        ("gap", gap | {"seconds": 9}),
        ("order", {"order": "pause", "id": 1, "outcome": "done", "reason": "pause"}),
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
    tell(site.services, flight, ("text", {"text": "mode LOITER", "severity": 6}))
    expect(page.locator("#log li").first).to_contain_text("mode LOITER", timeout=MAP_TIMEOUT_MS)


WRITTEN = [
    ("conformance", {"step": "pause", "cause": "nonconforming", "measured": "10 s", "required": "10 s"},
     "Stopped in the air · off its route · 10 s (10 s)"),
    ("ack", {"order": "return", "by": "NAV_RETURN_TO_LAUNCH", "mode": "RTL", "tries": 1, "took_s": 0.1},
     "Return home · done · NAV_RETURN_TO_LAUNCH · RTL"),
    ("ack", {"order": "return", "refused": ["link.lost"], "refusals": [{"message": "Silent."}]},
     "Return home · refused · Silent."),
    ("order", {"order": "land", "id": 7, "outcome": "taken", "reason": "smoke"}, "Land here · taken · smoke"),
    ("link", {"stage": "back", "silence_s": 12.3}, "Heard again after 12 s"),
    ("link", {"stage": "alarm", "reason": "link.signature", "count": 3, "source": "1/1"},
     "Frames that are not its own, or forged: 3 · link.signature · 1/1"),
    ("override", {"pilot_has_control": True, "mode": "LOITER"}, "The pilot has taken over · LOITER"),
]  # fmt: skip


def test_watch__what_a_gateway_writes_down__is_said_in_words(sign_in, site, flight):
    page = watch(sign_in, flight)
    tell(site.services, flight, *[(kind, body) for kind, body, _ in WRITTEN])
    expect(page.locator("#log li").first).to_contain_text(WRITTEN[-1][2], timeout=MAP_TIMEOUT_MS)
    said = page.locator("#log li").all_inner_texts()[: len(WRITTEN)]
    for line, (_, _, words) in zip(reversed(said), WRITTEN, strict=True):
        assert words in line


def cell(page, name):
    return page.locator(f"#remote-id [data-identity={name}]")


def test_remote_id__in_plain_words__match(sign_in, flight):
    page = watch(sign_in, flight)
    expect(cell(page, "state")).to_have_text("Is the registered aircraft")
    expect(cell(page, "ids")).to_have_text(SERIAL)
    expect(cell(page, "kind")).to_have_text("Serial number")
    expect(cell(page, "operator")).to_have_text("CHN-OP-0001")
    expect(cell(page, "status")).to_have_text("in the air · 98 m")
    expect(cell(page, "place")).to_have_text("3 m")
    expect(cell(page, "allowed")).to_have_text("(allowed 21 m)")
    expect(cell(page, "operator_at")).to_contain_text("23.12500° N")


def test_remote_id__another_serial_number_and_place__told_live_with_what_speaks_against_it(sign_in, site, flight):
    page = watch(sign_in, flight)
    tell(site.services, flight, ("remote_id", said("mismatch", **OTHER)))
    expect(cell(page, "state")).to_have_text("Does not fit this aircraft", timeout=MAP_TIMEOUT_MS)
    expect(cell(page, "state")).to_have_class("state stop")
    expect(cell(page, "detail")).to_contain_text(f"It names SN-OTHER; the register has {SERIAL}.")
    expect(cell(page, "detail")).to_contain_text("312 m from where the aircraft is")
    expect(cell(page, "age")).to_contain_text("s ago")
    newest = page.locator("#log li").first
    expect(newest).to_contain_text("Does not fit this aircraft · another serial number · another place")
    tell(site.services, flight, ("remote_id", said(changed=False)), ("text", {"text": "later"}))
    expect(cell(page, "state")).to_have_text("Is the registered aircraft", timeout=MAP_TIMEOUT_MS)
    # Where it is now is no news for the list.
    expect(page.locator("#log li").first).to_contain_text("later")
    expect(page.locator("#log li").nth(1)).to_contain_text("Does not fit this aircraft")


def test_remote_id__under_the_slider__what_stood_then(sign_in, flight):
    page = watch(sign_in, flight)
    for second, words in ((10, "Nothing heard"), (40, "Has fallen silent"), (70, "Is the registered aircraft")):
        page.locator("#time").fill(str(second))
        expect(cell(page, "state")).to_have_text(words)
        expect(page.locator("#remote-id dl")).to_be_visible(visible=second > 30)
    expect(cell(page, "age")).to_have_text("10:00:00")


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
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog"):
        page.get_by_role("button", name="Land here").click()
    assert sent == []
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
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
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
