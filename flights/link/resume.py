"""Going on after a landing on the way: the same mission from an item on, never a rewritten one.

ArduCopter starts AUTO on the ground only with a take-off, which lies behind; so the aircraft climbs in GUIDED, is
told the item, shows it, and goes over to AUTO. A mission that is entered in its middle has not carried out the
orders before: the speed is given again at once, and the camera when the route is reached again, not before, for
the way there was not published to be photographed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.errors import VehicleRefused
from flights.link.gate import ask
from flights.link.vehicle import VehicleLink
from flights.model import WireItem

TAKEOFF = mavlink.MAV_CMD_NAV_TAKEOFF
CLIMB_LIMIT_S = 180.0
MODE_LIMIT_S = 20.0
LEAST_HEIGHT_M = 5.0
_REACHED_M = 1.0
# Items below this number are flown; the others are orders that are carried out on the way (MAV_CMD_NAV_LAST).
_NAV_LAST = mavlink.MAV_CMD_NAV_LAST
_AT_ONCE = (mavlink.MAV_CMD_DO_CHANGE_SPEED,)
_ON_THE_ROUTE = (
    mavlink.MAV_CMD_DO_SET_CAM_TRIGG_DIST,
    mavlink.MAV_CMD_DO_SET_CAM_TRIGG_INTERVAL,
    mavlink.MAV_CMD_DO_MOUNT_CONTROL,
)


@dataclass(frozen=True)
class Resumed:
    """From which item the mission goes on, and which of the orders before it are given again."""

    item: int
    at_once: tuple[int, ...]
    on_the_route: tuple[int, ...]


def corner_before(mission: Sequence[WireItem], seq: int) -> int:
    """The item with a place before item `seq`: from there the leg that was left is flown whole.

    Items count from 1. Raises VehicleRefused `vehicle.no_such_item` for one that the mission does not have.
    """
    if not 1 <= seq <= len(mission):
        raise VehicleRefused.because("vehicle.no_such_item", measured=seq, required=len(mission))
    placed = [n for n in range(1, seq) if _is_flown(mission[n - 1]) and (mission[n - 1].x or mission[n - 1].y)]
    return placed[-1] if placed else 1


def start_at(link: VehicleLink, mission: Sequence[WireItem], seq: int) -> Resumed:
    """Has an armed vehicle fly `mission`, which it holds, from the corner before item `seq` on.

    Raises VehicleRefused (`vehicle.no_such_item`, `vehicle.not_climbed`, `vehicle.item_not_set`), LinkLost.
    """
    item = corner_before(mission, seq)
    if mission[item - 1].command == TAKEOFF:
        set_current(link, item)
        _to_auto(link)
        return Resumed(item, (), ())
    # Nothing on the way there is lower than the climb with which the mission began, or than the item itself.
    height_m = max(LEAST_HEIGHT_M, mission[item - 1].z, *(each.z for each in mission if each.command == TAKEOFF))
    link.commands.run(TAKEOFF, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, height_m)
    link.wait(lambda: link.telemetry.alt_rel_home_m >= height_m - _REACHED_M, CLIMB_LIMIT_S, "vehicle.not_climbed")
    set_current(link, item)
    _to_auto(link)
    at_once, later = (_orders_before(mission, item, kinds) for kinds in (_AT_ONCE, _ON_THE_ROUTE))
    for order in at_once:
        with contextlib.suppress(VehicleRefused):
            link.commands.run(order.command, *order[2:6])
    if later:
        link.connection.forward(_Later(link, item, later))
    return Resumed(item, tuple(o.command for o in at_once), tuple(o.command for o in later))


def set_current(link: VehicleLink, item: int, *, afresh: bool = False) -> None:
    """Sets the item that is flown next and compares what the vehicle then says (`vehicle.item_not_set`)."""
    link.commands.run(mavlink.MAV_CMD_DO_SET_MISSION_CURRENT, float(item), float(afresh))
    current = ask(link, "MISSION_CURRENT", mavlink.MAVLINK_MSG_ID_MISSION_CURRENT)
    # Before its start a mission that was reset stands at its home, item 0.
    allowed = (0, 1) if item <= 1 else (item,)
    if current is None or current.seq not in allowed:
        measured = "nothing" if current is None else current.seq
        raise VehicleRefused.because("vehicle.item_not_set", measured=measured, required=item)


def _to_auto(link: VehicleLink) -> None:
    link.commands.run(mavlink.MAV_CMD_MISSION_START, 0.0, 0.0)
    link.wait(lambda: link.vehicle.mode.name == "AUTO", MODE_LIMIT_S, "link.not_started")


def _is_flown(item: WireItem) -> bool:
    return item.command < int(_NAV_LAST)


def _orders_before(mission: Sequence[WireItem], item: int, kinds: Sequence[int]) -> list[WireItem]:
    """The last order of each kind that the mission gives before `item`; those behind it the vehicle carries out."""
    given = [each for each in mission[: item - 1] if each.command in kinds]
    return list({each.command: each for each in given}.values())


class _Later:
    """Gives orders once the item is behind, again and again until each is acknowledged; runs in the reading thread.

    It only sends: the answer comes to it as everything does.
    """

    def __init__(self, link: VehicleLink, item: int, orders: Sequence[WireItem]) -> None:
        self._link = link
        self._item = item
        self._left = list(orders)
        self._sent = 0

    def __call__(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the vehicle."""
        if not self._left:
            return
        kind = message.get_type()
        if kind == "COMMAND_ACK":
            due = message.command == self._left[0].command and self._sent
            if due and message.result == mavlink.MAV_RESULT_ACCEPTED and self._link.connection.is_for_us(message):
                self._left.pop(0)
                self._sent = 0
        elif kind == "MISSION_CURRENT" and message.seq > self._item:
            order = self._left[0]
            filled = (*order[2:6], 0.0, 0.0, 0.0)
            confirmation = min(self._sent, 255)
            self._sent += 1
            self._link.connection.codec.send(
                mavlink.MAVLink_command_long_message(0, 0, order.command, confirmation, *filled)
            )
