"""The mission that a vehicle said it holds, put together from what it sent when a ground station read it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flights.canonical import mission_digest
from flights.model import WireItem
from schemas.limits import limit

_MISSION = 0


class Listing:
    """Takes the vehicle's own MISSION_COUNT and MISSION_ITEM_INT; `digest` is that of the last whole listing.

    The home, at place 0, belongs to no digest. A listing that was never finished says nothing.
    """

    def __init__(self) -> None:
        self.digest: str | None = None
        self._count = 0
        self._items: dict[int, WireItem] = {}

    def begin(self, fields: Mapping[str, Any]) -> None:
        """The vehicle says how many items it has."""
        if fields["mission_type"] == _MISSION:
            self._count, self._items = fields["count"], {}

    def take(self, fields: Mapping[str, Any]) -> None:
        """The vehicle says one item."""
        seq = fields["seq"]
        if fields["mission_type"] != _MISSION or not 1 <= seq < min(self._count, limit("mission.items") + 1):
            return
        params = (fields["param1"], fields["param2"], fields["param3"], fields["param4"])
        item = WireItem(fields["command"], fields["frame"], *params, fields["x"], fields["y"], fields["z"])
        is_new = seq not in self._items
        self._items[seq] = item
        if is_new and len(self._items) == self._count - 1:
            self.digest = mission_digest(self._items[number] for number in range(1, self._count))
