"""canon-1 holds what an autopilot keeps: a mission sent and the same mission read back have one digest.

The autopilot below is an independent model of what ArduCopter stores and answers, in the float32 and
integer arithmetic of its own code; it shares nothing with flights/canonical.py.
"""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flights.canonical import (
    document_digest,
    fence_digest,
    item_form,
    items_of,
    mission_digest,
    mission_document,
)
from flights.model import (
    MISSION_COMMANDS,
    Command,
    Fence,
    FenceCircle,
    FencePolygon,
    Frame,
    PlanItem,
    WireItem,
    wire_altitude_m,
)
from geo.types import LonLat

F32 = np.float32
PLACES = st.builds(LonLat, st.floats(-180, 180), st.floats(-85, 85))
GLOBAL_FRAMES = st.sampled_from([f for f in Frame if f is not Frame.MISSION])
PARAMS = st.one_of(st.none(), st.floats(-1000, 1000), st.integers(0, 300).map(float))
ALTITUDES_M = st.one_of(st.integers(-50_000, 500_000).map(lambda cm: cm / 100), st.floats(-400, 8000))


@st.composite
def mission_items(draw):
    command = draw(st.sampled_from(sorted(MISSION_COMMANDS)))
    params = tuple(draw(PARAMS) for _ in range(4))
    if command is Command.DO_DIGICAM_CONTROL:
        numbers = (draw(st.integers(0, 1)), draw(st.integers(0, 255)))
        return PlanItem(command, Frame.MISSION, params, numbers=numbers)
    if not command.is_located:
        return PlanItem(command, Frame.MISSION, params)
    return PlanItem(command, draw(GLOBAL_FRAMES), params, draw(st.one_of(st.none(), PLACES)), draw(ALTITUDES_M))


def _u16(value):
    return int(np.trunc(F32(value)))


def _keep(item):  # noqa: C901
    """Parameters after a round trip through the storage of ArduCopter."""
    p1, p2, p3, p4 = (F32(0) if math.isnan(p) else F32(p) for p in item[2:6])
    ccw = -1.0 if p3 < 0 else 1.0
    match Command(item.command):
        case Command.NAV_WAYPOINT | Command.NAV_TAKEOFF | Command.NAV_SPLINE_WAYPOINT:
            return _u16(p1), 0, 0, 0
        case Command.NAV_LOITER_UNLIM:
            return 0, 0, _u16(p3), 0
        case Command.NAV_LOITER_TURNS:
            size = abs(p3)
            stored = _u16(size) if size <= 255 else 10 * min(255, _u16(size * F32(0.1)))
            return min(255, _u16(p1)), 0, stored * ccw, p4 > 0
        case Command.NAV_LOITER_TIME:
            return _u16(p1), 0, ccw, p4 > 0
        case Command.NAV_LAND:
            return _u16(p1), 0, 0, -1 if p4 < 0 else 1
        case Command.NAV_LOITER_TO_ALT:
            return 0, _u16(abs(p2)) * (-1.0 if p2 < 0 else 1.0), 0, p4 > 0
        case Command.DO_SET_ROI:
            return _u16(p1), 0, 0, 0
        case Command.DO_DIGICAM_CONTROL | Command.DO_GIMBAL_MANAGER_PITCHYAW:
            return _u16(p1), _u16(p2), _u16(p3), _u16(p4)
        case Command.DO_SET_CAM_TRIGG_INTERVAL:
            return p1, p2, 0, 0
        case Command.NAV_DELAY:
            return p1, _u16(p2), _u16(p3), _u16(p4)
        case Command.CONDITION_DELAY | Command.CONDITION_DISTANCE:
            return p1, 0, 0, 0
        case Command.CONDITION_YAW:
            return p1, p2, _u16(p3), _u16(p4)
        case Command.DO_JUMP | Command.SET_CAMERA_MODE:
            return _u16(p1), _u16(p2), 0, 0
        case Command.DO_CHANGE_SPEED:
            return _u16(p1), p2, p3, 0
        case Command.DO_MOUNT_CONTROL:
            return p1, p2, p3, 0
        case Command.DO_SET_CAM_TRIGG_DIST:
            return p1, 0, _u16(p3), 0
        case Command.SET_CAMERA_ZOOM | Command.SET_CAMERA_FOCUS:
            return _u16(p1), p2, 0, 0
        case Command.IMAGE_START_CAPTURE:
            return _u16(p1), p2, _u16(p3), _u16(p4)
        case Command.IMAGE_STOP_CAPTURE | Command.VIDEO_START_CAPTURE | Command.VIDEO_STOP_CAPTURE:
            return _u16(p1), 0, 0, 0
        case _:
            return 0, 0, 0, 0


def read_back(item: WireItem) -> WireItem:
    """What ArduCopter answers when asked for an item it was sent."""
    params = [float(p) for p in _keep(item)]
    if Command(item.command) is Command.DO_DIGICAM_CONTROL:
        return WireItem(item.command, 0, *params, item.x, item.y, 0.0)
    if not Command(item.command).is_located:
        return WireItem(item.command, 0, *params, 0, 0, 0.0)
    alt_cm = int(np.trunc(F32(item.z) * F32(100)))
    terrain = item.frame in (10, 11)
    z = F32(alt_cm) * F32(0.01) if terrain else F32(alt_cm) / F32(100)
    frame = 10 if terrain else 3 if item.frame in (3, 6) else 0
    return WireItem(item.command, frame, *params, item.x, item.y, float(z))


@given(st.lists(mission_items(), max_size=12))
def test_canon__sent_and_read_back__one_digest(items):
    sent = [item.wire() for item in items]
    assert mission_digest(items) == mission_digest(sent) == mission_digest([read_back(i) for i in sent])


@given(st.lists(mission_items(), max_size=8))
def test_canon__published_document__holds_the_mission_and_has_its_digest(items):
    document = json.loads(json.dumps(mission_document(items)))
    assert document_digest(document) == mission_digest(items) == mission_digest(items_of(document))


@given(st.integers(-10_000_000, 10_000_000))
def test_wire_altitude__truncating_autopilot__keeps_every_centimetre(alt_cm):
    z = wire_altitude_m(alt_cm / 100)
    assert z == float(F32(z))
    assert int(np.trunc(F32(z) * F32(100))) == alt_cm


@given(mission_items().filter(lambda i: i.command.is_located and i.at), st.sampled_from(["x", "y", "z"]))
def test_canon__one_unit_of_place_changed__other_digest(item, axis):
    sent = item.wire()
    step = 0.011 if axis == "z" else 1
    moved = sent._replace(**{axis: getattr(sent, axis) + step})
    assert mission_digest([sent]) != mission_digest([moved])


@given(st.lists(mission_items(), min_size=2, max_size=8), st.data())
def test_canon__item_dropped_or_order_changed__other_digest(items, data):
    index = data.draw(st.integers(0, len(items) - 1))
    assert mission_digest(items) != mission_digest(items[:index] + items[index + 1 :])
    swapped = items[::-1]
    forms = [item_form(i.wire()) for i in items]
    assert (mission_digest(items) == mission_digest(swapped)) == (forms == forms[::-1])


@given(st.lists(mission_items(), max_size=4), st.integers(0, 65_535), st.floats(-1000, 1000))
def test_canon__unknown_command_in_a_read_back__never_hidden(items, command, param):
    foreign = WireItem(command, 3, param, 0.0, 0.0, 0.0, 0, 0, 0.0)
    sent = [item.wire() for item in items]
    assert mission_digest([*sent, foreign]) != mission_digest(sent)


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_canon__hostile_numbers__never_raise(param, z):
    hostile = WireItem(16, 99, param, param, param, param, 2**31 - 1, -(2**31), z)
    assert len(mission_digest([hostile])) == len(fence_digest([hostile])) == 64


RINGS = st.lists(PLACES, min_size=3, max_size=8).map(tuple)
POLYGONS = st.builds(FencePolygon, RINGS, st.booleans())
CIRCLES = st.builds(FenceCircle, PLACES, st.integers(1, 1000).map(float), st.booleans())
FENCES = st.builds(Fence, st.lists(POLYGONS, max_size=3).map(tuple), st.lists(CIRCLES, max_size=2).map(tuple))


@given(FENCES)
def test_canon__fence_read_back_without_height__one_digest(fence):
    sent = [item.wire() for item in fence.items]
    answered = [WireItem(i.command, 0, i.param1, 0.0, 0.0, 0.0, i.x, i.y, 0.0) for i in sent]
    assert fence_digest(fence.items) == fence_digest(answered)


@given(FENCES.filter(lambda f: f.items), st.data())
def test_canon__fence_vertex_moved_or_side_changed__other_digest(fence, data):
    sent = [item.wire() for item in fence.items]
    index = data.draw(st.integers(0, len(sent) - 1))
    moved = [i._replace(x=i.x + 1) if n == index else i for n, i in enumerate(sent)]
    turned = [i._replace(command=5001 + (i.command - 5000) % 2) if n == index else i for n, i in enumerate(sent)]
    assert fence_digest(sent) not in {fence_digest(moved), fence_digest(turned)}
