"""What a format carries of a plan is read again exactly, and what it does not carry is listed."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.canonical import fence_digest, mission_digest, mission_document
from flights.formats import FORMATS, carried, convert, read_plan, write_plan
from flights.model import E7, Command, Plan, PlanItem
from schemas.refusals import RuleViolation
from tests.files_kml import kml, kmz, line, mission, placemark, waylines
from tests.plans import FRAMES, HOMES, PLACES, flights, plans

LOSSLESS = ("plan",)
LINES = ("geojson", "kml", "kmz")


def form(plan: Plan):
    """All of a plan that means anything, in canonical form; an item without a height has none."""
    open_items = [item.command.is_located and item.alt_m is None for item in plan.items]
    items = [
        PlanItem(item.command, item.frame, item.params, item.at, 0.0, item.numbers) if is_open else item
        for item, is_open in zip(plan.items, open_items, strict=True)
    ]
    home = plan.home and (round(plan.home.at.lon * E7), round(plan.home.at.lat * E7), plan.home.alt_amsl_m)
    rally = [(round(p.at.lon * E7), round(p.at.lat * E7), p.alt_rel_m) for p in plan.rally]
    return (
        mission_document(items),
        open_items,
        fence_digest(plan.fence.items),
        home,
        rally,
        plan.speed_mps,
        plan.hfov_deg,
    )


def held(plan, name):
    """What a format holds of a plan, None where it refuses to be one."""
    try:
        return carried(plan, name)
    except RuleViolation:
        return None


def _jumps_the_globe(plan):
    places = [item.at for item in plan.items if item.at and item.command.is_flown_to]
    return any(abs(a.lon - b.lon) > 180 for a, b in itertools.pairwise(places))


@given(st.one_of(plans(), flights()), st.sampled_from(FORMATS))
def test_written_and_read__exactly_what_the_format_carries(plan, name):
    kept = held(plan, name)
    if kept is None:
        with pytest.raises(RuleViolation, match=r"plan\.not_in_format: "):
            convert(plan, name)
        return
    written = convert(plan, name)
    assert written.losses == kept.losses
    if name in LINES and _jumps_the_globe(kept.plan):
        with pytest.raises(RuleViolation):
            read_plan(written.data)
    else:
        assert form(read_plan(written.data, name)) == form(kept.plan)


@given(st.one_of(plans(), flights()), st.sampled_from(FORMATS))
def test_nothing_listed_as_lost__nothing_lost(plan, name):
    kept = held(plan, name)
    if kept and not {loss.what for loss in kept.losses} - {"drone_chosen", "defaults"}:
        assert form(kept.plan) == form(plan)
    if kept:
        assert all(loss.message(lang) for loss in kept.losses for lang in ("en", "zh"))


# What may be said of each part of `form` where it does not come through; items have many ways to be lost.
NAMED = {
    "fence": {"fence"},
    "home": {"home", "home_chosen", "home_height"},
    "rally": {"rally"},
    "speed": {"speed", "speed_chosen"},
    "camera": {"camera"},
}


@given(st.one_of(plans(), flights()), st.sampled_from(FORMATS))
def test_every_part_that_is_not_carried__is_named(plan, name):
    kept = held(plan, name)
    if kept is None:
        return
    lost = {loss.what for loss in kept.losses}
    items, _open, *rest = zip(form(plan), form(kept.plan), strict=True)
    for part, (before, after) in zip(NAMED, rest, strict=True):
        if before != after:
            assert lost & NAMED[part], part
    if items[0] != items[1]:
        assert lost - set().union(*NAMED.values()) - {"drone_chosen"}


@given(flights(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_every_pair_of_formats__what_both_carry_comes_through(plan, first, second):
    one = held(plan, first)
    both = held(one.plan, second) if one else None
    if both is None:
        return
    through = read_plan(convert(read_plan(convert(plan, first).data), second).data)
    assert form(through) == form(both.plan)


@given(st.one_of(plans(), flights()), st.sampled_from(FORMATS))
def test_written_twice__nothing_more_is_lost(plan, name):
    kept = held(plan, name)
    again = held(kept.plan, name) if kept else None
    if again:
        assert form(again.plan) == form(kept.plan)
        assert {loss.what for loss in again.losses} <= {"drone_chosen", "defaults", "home"}


@given(plans())
def test_qgc_plan__carries_everything_but_the_camera(plan):
    lost = {loss.what for loss in carried(plan, "plan").losses}
    assert lost <= {"camera", "home_chosen"}
    assert ("camera" in lost) == (plan.hfov_deg is not None)
    assert ("home_chosen" in lost) == (plan.home is None)


@given(plans())
def test_waypoints__fence_and_rally__listed_and_refused_where_nothing_may_be_lost(plan):
    lost = {loss.what for loss in convert(plan, ".waypoints").losses}
    assert ("fence" in lost) == bool(plan.fence.items)
    assert ("rally" in lost) == bool(plan.rally)
    if lost & {"fence", "rally"}:
        with pytest.raises(RuleViolation) as caught:
            write_plan(plan, ".waypoints")
        assert caught.value.refusals[0].rule == "plan.not_in_format"
    else:
        assert mission_digest(read_plan(write_plan(plan, ".waypoints")).items) == mission_digest(plan.items)


@given(st.data(), FRAMES, st.one_of(st.none(), HOMES))
def test_geojson__line_of_waypoints_written_and_read__same_mission(data, frame, home):
    line = data.draw(st.lists(PLACES, min_size=2, max_size=6, unique=True))
    positive = st.integers(1, 50_000).map(lambda cm: cm / 100)
    items = [PlanItem(Command.NAV_WAYPOINT, frame, (0.0, 0.0, 0.0, None), at, data.draw(positive)) for at in line]
    plan = Plan(tuple(items), home)
    if _jumps_the_globe(plan):
        with pytest.raises(RuleViolation, match=r"geometry\.antimeridian: "):
            read_plan(write_plan(plan, ".geojson"))
    else:
        assert convert(plan, "geojson").losses == ()
        assert form(read_plan(write_plan(plan, ".geojson"))) == form(plan)


def plan_or_refusals(data):
    """Reads anything; a refusal must have its words in both languages."""
    try:
        return read_plan(data, "x")
    except RuleViolation as violation:
        return [violation.render(lang) for lang in ("en", "zh")]


@given(st.binary(max_size=300))
def test_any_bytes__answered_with_refusals_only(data):
    for start in (b"", b"QGC WPL 110\n", b'{"fileType":"Plan",', b'{"type":"LineString",'):
        plan_or_refusals(start + data)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
MISSION_KEYS = ["version", "items", "plannedHomePosition", "hoverSpeed", "cruiseSpeed", "vehicleType"]
ITEM_KEYS = ["type", "command", "frame", "params", "doJumpId", "TransectStyleComplexItem"]


@given(st.data())
def test_qgc_plan__one_member_replaced_by_anything__plan_or_refusal(data):
    item = {
        "type": "SimpleItem",
        "command": 16,
        "frame": 3,
        "params": [0, 0, 0, None, 23.1, 113.2, 50],
        "doJumpId": 1,
    }
    pattern = {"type": "ComplexItem", "complexItemType": "survey", "version": 5, "angle": 0}
    pattern["TransectStyleComplexItem"] = {"Items": [dict(item, doJumpId=2)]}
    parts = {"version": 2, "items": [item, pattern], "plannedHomePosition": [23.1, 113.2, 5], "hoverSpeed": 5}
    document = {"fileType": "Plan", "version": 1, "mission": parts, "geoFence": None}
    holder, keys = data.draw(
        st.sampled_from(
            [
                (document, ["version", "mission", "geoFence", "rallyPoints"]),
                (parts, MISSION_KEYS),
                (item, ITEM_KEYS),
                (pattern, ["type", "complexItemType", "version", "TransectStyleComplexItem"]),
                (pattern["TransectStyleComplexItem"], ["Items"]),
            ]
        )
    )
    holder[data.draw(st.sampled_from(keys))] = data.draw(JSON)
    plan_or_refusals(json.dumps(document).encode())


@given(st.lists(st.sampled_from(["0", "1", "16", "nan", "1e999", "-5", "x", "22", "٣", "3.0", "1_0", ""]), max_size=14))
def test_waypoints__any_words_on_a_line__plan_or_refusal(words):
    plan_or_refusals(("QGC WPL 110\n" + "\t".join(words)).encode())


SOUND = [
    kml(line()),
    kmz({"doc.kml": kml(line())}),
    mission(),
    waylines([placemark(0, 113.255, 23.125, 60), placemark(1, 113.285, 23.125, 60)]).encode(),
    b"QGC WPL 110\r\n0 1 0 16 0 0 0 0 23.12 113.25 12 1\r\n1 0 3 22 0 0 0 0 23.12 113.25 50 1\r\n",
    b'{"type":"Feature","properties":{"home":[113.2,23]},"geometry":{"type":"LineString","coordinates":[[1,1],[2,2]]}}',
]
ODD = [b"", b"NaN", b"1e400", b"-1", b"\x00", b"\xff", b"</a>", b"&#0;", b"PK\x05\x06", b"9" * 30, b"null", b"<b/>"]


@given(
    st.sampled_from(SOUND), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(ODD)), max_size=4)
)
def test_sound_file_with_pieces_replaced__plan_or_refusal_and_so_in_every_format(data, changes):
    for share, length, odd in changes:
        at = int(share * len(data))
        data = data[:at] + odd + data[at + length :]
    plan = plan_or_refusals(data)
    if isinstance(plan, Plan):
        for name in FORMATS:
            held(plan, name)
