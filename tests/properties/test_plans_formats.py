"""A plan written and read again is the same plan in canonical form, in every format that can hold it."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.canonical import fence_digest, mission_digest
from flights.formats import read_plan, write_plan
from flights.model import (
    E7,
    MISSION_COMMANDS,
    Command,
    Fence,
    FenceCircle,
    FencePolygon,
    Frame,
    Home,
    Plan,
    PlanItem,
    RallyPoint,
)
from geo.types import LonLat
from schemas.refusals import RuleViolation

PLACES = st.builds(
    lambda lon, lat: LonLat(lon / E7, lat / E7),
    st.integers(-1_790_000_000, 1_790_000_000),
    st.integers(-850_000_000, 850_000_000),
).filter(lambda at: at != (0, 0))
FRAMES = st.sampled_from([Frame.GLOBAL, Frame.GLOBAL_RELATIVE_ALT, Frame.GLOBAL_TERRAIN_ALT_INT])
HEIGHTS_M = st.integers(-40_000, 500_000).map(lambda cm: cm / 100)
NUMBERS = st.integers(-100_000, 100_000).map(lambda milli: milli / 1000)
PARAMS = st.tuples(*[st.one_of(st.none(), NUMBERS)] * 4)


@st.composite
def mission_items(draw, count):
    command = draw(st.sampled_from(sorted(MISSION_COMMANDS)))
    if command is Command.DO_JUMP:
        target = float(draw(st.integers(1, count)))
        return PlanItem(command, Frame.MISSION, (target, draw(NUMBERS), 0.0, 0.0))
    if not command.is_located:
        return PlanItem(command, Frame.MISSION, draw(PARAMS))
    at = draw(st.one_of(st.none(), PLACES))
    return PlanItem(command, draw(FRAMES), draw(PARAMS), at, draw(HEIGHTS_M))


HOMES = st.builds(Home, PLACES, HEIGHTS_M)
FENCES = st.builds(
    Fence,
    st.lists(
        st.builds(FencePolygon, st.lists(PLACES, min_size=3, max_size=6, unique=True).map(tuple), st.booleans()),
        max_size=2,
    ).map(tuple),
    st.lists(st.builds(FenceCircle, PLACES, st.integers(1, 900).map(float), st.booleans()), max_size=2).map(tuple),
)


@st.composite
def plans(draw, fence=FENCES):
    count = draw(st.integers(1, 8))
    items = [PlanItem(Command.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT, at=draw(PLACES), alt_m=30.0)]
    items += [draw(mission_items(count)) for _ in range(count - 1)]
    rally = draw(st.lists(st.builds(RallyPoint, PLACES, HEIGHTS_M), max_size=2)) if fence is FENCES else []
    return Plan(tuple(items), draw(st.one_of(st.none(), HOMES)), draw(fence), tuple(rally))


def _same(one: Plan, other: Plan) -> bool:
    return (
        mission_digest(one.items) == mission_digest(other.items)
        and fence_digest(one.fence.items) == fence_digest(other.fence.items)
        and one.home == other.home
        and one.rally == other.rally
    )


@given(plans())
def test_qgc_plan__written_and_read__same_mission_fence_and_rally(plan):
    assert _same(plan, read_plan(write_plan(plan, ".plan")))


@given(plans(fence=st.just(Fence())))
def test_waypoints__written_and_read__same_mission(plan):
    assert _same(plan, read_plan(write_plan(plan, ".waypoints")))


@given(plans().filter(lambda p: p.fence.items or p.rally))
def test_waypoints__fence_or_rally__refused_not_dropped(plan):
    with pytest.raises(RuleViolation) as caught:
        write_plan(plan, ".waypoints")
    assert caught.value.refusals[0].rule == "plan.not_in_format"


@given(st.data(), FRAMES, st.one_of(st.none(), HOMES))
def test_geojson__line_of_waypoints_written_and_read__same_mission(data, frame, home):
    line = data.draw(st.lists(PLACES, min_size=2, max_size=6, unique=True))
    positive = st.integers(1, 50_000).map(lambda cm: cm / 100)
    items = [PlanItem(Command.NAV_WAYPOINT, frame, (0.0, 0.0, 0.0, None), at, data.draw(positive)) for at in line]
    hops = itertools.pairwise(line)
    plan = Plan(tuple(items), home)
    if any(abs(a.lon - b.lon) > 180 for a, b in hops):
        with pytest.raises(RuleViolation):
            read_plan(write_plan(plan, ".geojson"))
    else:
        assert _same(plan, read_plan(write_plan(plan, ".geojson")))


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
    mission = {"version": 2, "items": [item], "plannedHomePosition": [23.1, 113.2, 5], "hoverSpeed": 5}
    document = {"fileType": "Plan", "version": 1, "mission": mission, "geoFence": None}
    holder, keys = data.draw(
        st.sampled_from(
            [
                (document, ["version", "mission", "geoFence", "rallyPoints"]),
                (mission, MISSION_KEYS),
                (item, ITEM_KEYS),
            ]
        )
    )
    holder[data.draw(st.sampled_from(keys))] = data.draw(JSON)
    plan_or_refusals(json.dumps(document).encode())


@given(st.lists(st.sampled_from(["0", "1", "16", "nan", "1e999", "-5", "x", "22", "٣", "3.0", "1_0", ""]), max_size=14))
def test_waypoints__any_words_on_a_line__plan_or_refusal(words):
    plan_or_refusals(("QGC WPL 110\n" + "\t".join(words)).encode())
