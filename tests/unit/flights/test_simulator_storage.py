"""What the simulated autopilot keeps, written from the autopilot's sources, against our canonical form."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.canonical import fence_digest, mission_digest
from flights.link.items import HOME_PLACEHOLDER, ListKind, differences, item_message, item_of
from flights.model import Command, Fence, FenceCircle, FencePolygon, Frame, PlanItem
from flights.simulator.storage import (
    ItemRefused,
    check_fence,
    store_fence_item,
    store_mission_item,
)
from geo.types import LonLat

AT = LonLat(113.2600123, 23.1299877)
REL, TERRAIN = Frame.GLOBAL_RELATIVE_ALT, Frame.GLOBAL_TERRAIN_ALT
SQUARE = (LonLat(113.25, 23.12), LonLat(113.29, 23.12), LonLat(113.29, 23.14), LonLat(113.25, 23.14))

ITEMS = [
    PlanItem(Command.NAV_TAKEOFF, REL, (15.0, 0.0, 0.0, None), AT, 100.0),
    PlanItem(Command.NAV_WAYPOINT, REL, (3.7, 2.0, 0.5, 90.0), AT, 100.07),
    PlanItem(Command.NAV_WAYPOINT, TERRAIN, (0.0, 0.0, 0.0, None), AT, 99.99),
    PlanItem(Command.NAV_SPLINE_WAYPOINT, Frame.GLOBAL, (1.0, 0.0, 0.0, 0.0), AT, 133.33),
    PlanItem(Command.NAV_LOITER_UNLIM, REL, (0.0, 0.0, -20.0, 0.0), AT, 60.0),
    PlanItem(Command.NAV_LOITER_TIME, REL, (12.0, 0.0, -5.0, 0.0), AT, 60.0),
    PlanItem(Command.NAV_LAND, REL, (0.0, 0.0, 0.0, 0.0), AT, 0.0),
    PlanItem(Command.NAV_RETURN_TO_LAUNCH),
    PlanItem(Command.NAV_DELAY, params=(5.5, -1.0, -1.0, -1.0)),
    PlanItem(Command.CONDITION_DELAY, params=(4.25, 9.0, 9.0, 9.0)),
    PlanItem(Command.CONDITION_YAW, params=(90.0, 10.0, -1.0, 1.0)),
    PlanItem(Command.DO_JUMP, params=(2.0, -1.0, 0.0, 0.0)),
    PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, 10.5, -1.0, 0.0)),
    PlanItem(Command.DO_MOUNT_CONTROL, params=(-90.0, 0.0, 12.5, 0.0)),
    PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=(60.0, 7.0, 1.0, 0.0)),
]


def stored_message(item: PlanItem, seq: int = 1):
    message = item_message(item.wire(), seq, ListKind.MISSION)
    return store_mission_item(message).message(seq, 0, (245, 190))


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.command.name)
def test_DC_1__round_trip_through_the_autopilot__same_digest(item):
    assert mission_digest([item_of(stored_message(item))]) == mission_digest([item])


def test_DC_1__every_centimetre__survives_the_float():
    items = [PlanItem(Command.NAV_WAYPOINT, REL, at=AT, alt_m=cm / 100) for cm in range(1, 20_000, 7)]
    assert mission_digest([item_of(stored_message(i)) for i in items]) == mission_digest(items)


def test_DC_1__one_centimetre_lower__another_digest():
    low = PlanItem(Command.NAV_WAYPOINT, REL, at=AT, alt_m=100.06)
    high = PlanItem(Command.NAV_WAYPOINT, REL, at=AT, alt_m=100.07)
    assert mission_digest([item_of(stored_message(low))]) != mission_digest([high])


def test_item__frames_and_unused_parameters__normalised_on_read_back():
    message = stored_message(ITEMS[1])
    assert message.frame == 3
    assert (message.param1, message.param2, message.param3, message.param4) == (3.0, 0.0, 0.0, 0.0)
    assert stored_message(ITEMS[7]).frame == 0


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"x": 900_000_001}, mavlink.MAV_MISSION_INVALID_PARAM5_X),
        ({"y": -1_800_000_001}, mavlink.MAV_MISSION_INVALID_PARAM6_Y),
        ({"z": math.nan}, mavlink.MAV_MISSION_INVALID_PARAM7),
        ({"z": 3e38}, mavlink.MAV_MISSION_INVALID_PARAM7),
        ({"param1": math.nan}, mavlink.MAV_MISSION_INVALID_PARAM1),
        ({"param1": math.inf}, mavlink.MAV_MISSION_INVALID_PARAM1),
        ({"param4": -math.inf}, mavlink.MAV_MISSION_INVALID_PARAM4),
        ({"frame": 1}, mavlink.MAV_MISSION_UNSUPPORTED_FRAME),
        ({"command": 31_000}, mavlink.MAV_MISSION_UNSUPPORTED),
        ({"command": 5_001}, mavlink.MAV_MISSION_UNSUPPORTED),
    ],
)
def test_item__not_flyable__refused_as_ardupilot_does(change, result):
    wrong = ITEMS[1].wire()._replace(**change)
    with pytest.raises(ItemRefused) as refused:
        store_mission_item(item_message(wrong, 1, ListKind.MISSION))
    assert refused.value.result == result


def fence_items():
    shape = Fence((FencePolygon(SQUARE, inclusion=True),), (FenceCircle(AT, 55.5, inclusion=False),))
    return [store_fence_item(item_message(i.wire(), 0, ListKind.FENCE)) for i in shape.items], shape


def test_DC_1__fence_round_trip__same_digest():
    stored, shape = fence_items()
    check_fence(stored)
    read = [item_of(item.message(seq, 1, (245, 190))) for seq, item in enumerate(stored)]
    assert fence_digest(read) == fence_digest(shape.items)


@pytest.mark.parametrize("cut", [slice(0, 3), slice(0, 2), slice(1, None)])
def test_fence__vertices_missing__refused_with_a_text(cut):
    stored, _ = fence_items()
    with pytest.raises(ItemRefused) as refused:
        check_fence(stored[cut])
    assert refused.value.result == mavlink.MAV_MISSION_ERROR
    assert refused.value.text.startswith("Fence:")


def test_differences__named_by_place_and_kind():
    sent = [item.wire() for item in ITEMS[:3]]
    read = [sent[0], sent[1]._replace(y=sent[1].y + 50), sent[2]._replace(z=98.0)]
    found = differences(sent, read)
    assert found[0].startswith("item 2: place 23.1299877,113.2600123 reads back as")
    assert found[1] == "item 3: height 99.99 m reads back as 98.00 m"
    assert differences(sent, read[:1])[0] == "3 items sent, 1 read back"
    assert differences([sent[0]], [sent[0]._replace(command=16)])[0].startswith("item 1: command 22")


def test_home_placeholder__is_never_an_order_to_fly():
    message = item_message(HOME_PLACEHOLDER, 0, ListKind.MISSION)
    assert message.current == 0
    assert (message.x, message.y) == (0, 0)
