"""What a planner asks of coverage: which devices, when, over which ground, and what of it counts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from geo.commands.words import DEVICE_TYPES
from geo.coverage.footprints import DENSITIES_PX_PER_M
from schemas.refusals import Kind, Refusal, RuleViolation, refuse

STATUSES = ("active", "published", "planned", "blocked")
DEMANDS = ("area", "population", "entities", "risk", "violations")
# Besides what is registered as a device, the routes that drones patrol see.
KINDS = (*DEVICE_TYPES, "patrol_route")
MOST_LEVELS = 3
# A satellite sees everything now and then: it is told of where it is asked for, and hides no gap otherwise.
_UNLESS_ASKED = ("satellite_ref",)
_HOURS = 24
MOST_DAYS = 3_660
WIDEST_IMAGE_PX = 100_000
HIGHEST_BUILDING_M = 1_000.0
# What brings money is no reason to watch a place (GD-13.1), under whatever name it is handed in.
_MONEY = re.compile(
    r"revenue|penalt|(^|_)(fine|fee|yuan|cny|cost)s?($|_)|income|profit|money|罚|创收|收入|金额", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question of coverage.

    `statuses` of devices to count; `shared`: those of other authorities too that are shared or could be; `item` the
    code of a supervision item; `device_types` empty means all but satellites; `hour` local, None at any. `density`
    (EN 62676-4) shortens the view of cameras to where a metre of target still has so many pixels of an image of
    `image_width_px`. `buildings_m` raises the buildings of the base map above the elevation model; `days` is how far
    patrols and satellite scenes are counted back.
    """

    statuses: tuple[str, ...] = ("active",)
    shared: bool = False
    item: str | None = None
    device_types: tuple[str, ...] = ()
    hour: int | None = None
    over_terrain: bool = False
    buildings_m: float | None = None
    levels: int = MOST_LEVELS
    demand: tuple[str, ...] = ("area",)
    own_only: bool = False
    density: str | None = None
    image_width_px: int = 1_920
    days: int = 30
    secret: bool = False

    def __post_init__(self) -> None:
        """Raises RuleViolation with every fault of the question at once."""
        faults = [*self._of_words(), *self._of_numbers()]
        if faults:
            raise RuleViolation(Kind.INVALID, faults)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of devices that count."""
        return frozenset(self.device_types or (kind for kind in KINDS if kind not in _UNLESS_ASKED))

    def as_json(self) -> dict[str, Any]:
        """The question as a document; `of_json` reads it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Asked:
        """Reads a question; raises RuleViolation for what it does not know, and for all that speaks of money."""
        if faults := [*_unknown(told), *_mistyped(told)]:
            raise RuleViolation(Kind.INVALID, faults)
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
        }
        return cls(**plain)

    def _of_words(self) -> list[Refusal]:
        allowed = {"statuses": STATUSES, "device_types": KINDS, "demand": DEMANDS}
        faults = [
            refuse("coverage.word", "coverage.word", what=name, measured=str(word), required=", ".join(words))
            for name, words in allowed.items()
            for word in getattr(self, name)
            if word not in words
        ]
        if self.density is not None and self.density not in DENSITIES_PX_PER_M:
            known = ", ".join(DENSITIES_PX_PER_M)
            faults.append(
                refuse("coverage.word", "coverage.word", what="density", measured=self.density, required=known)
            )
        faults += [
            refuse("coverage.nothing_asked", "coverage.nothing_asked", what=name)
            for name in ("statuses", "demand")
            if not getattr(self, name)
        ]
        return faults

    def _of_numbers(self) -> list[Refusal]:
        bounds: dict[str, tuple[float | None, float, float]] = {
            "hour": (self.hour, 0, _HOURS - 1),
            "levels": (self.levels, 1, MOST_LEVELS),
            "days": (self.days, 1, MOST_DAYS),
            "image_width_px": (self.image_width_px, 1, WIDEST_IMAGE_PX),
            "buildings_m": (self.buildings_m, 0, HIGHEST_BUILDING_M),
        }
        # NaN lies between no bounds.
        return [
            refuse("coverage.number", "coverage.number", what=name, measured=str(value), required=f"{low:g}–{high:g}")
            for name, (value, low, high) in bounds.items()
            if value is not None and not low <= value <= high
        ]


def refuse_money(told: Mapping[str, Any]) -> list[Refusal]:
    """What in a question speaks of money, by the names of its parts and of what is to count (GD-13.1)."""
    counted = told.get("demand")
    words = [str(name) for name in told] + [str(word) for word in (counted if isinstance(counted, list) else [counted])]
    return [refuse("GD-13.1", "coverage.money", measured=word[:40]) for word in words if _MONEY.search(word)]


_TYPES: dict[str, tuple[type, ...]] = {
    "shared": (bool,),
    "over_terrain": (bool,),
    "own_only": (bool,),
    "secret": (bool,),
    "item": (str, type(None)),
    "density": (str, type(None)),
    "hour": (int, type(None)),
    "levels": (int,),
    "days": (int,),
    "image_width_px": (int,),
    "buildings_m": (int, float, type(None)),
}


def _unknown(told: Mapping[str, Any]) -> list[Refusal]:
    money = refuse_money(told)
    known = [field.name for field in fields(Asked)]
    strange = [name for name in told if name not in known and not _MONEY.search(str(name))]
    return money + [
        refuse("coverage.unknown_key", "coverage.unknown_key", measured=str(name)[:40], required=", ".join(known))
        for name in strange
    ]


def _mistyped(told: Mapping[str, Any]) -> list[Refusal]:
    def right(name: str, value: Any) -> bool:  # noqa: ANN401
        if name in ("statuses", "device_types", "demand"):
            return isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value)
        types = _TYPES.get(name)
        # A truth value is a number to Python, and to nobody who asks for an hour.
        return types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))

    return [
        refuse("coverage.unreadable", "coverage.unreadable", what=name, measured=str(value)[:40])
        for name, value in told.items()
        if not right(name, value)
    ]
