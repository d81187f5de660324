"""What must be filed for a flight, and by when: the sheet that a pilot takes to the airspace office.

Pure. Classes and dates are those of the rule pack: airspace above a true height or over listed places is controlled
and needs a filing or an approval beforehand; all other airspace is suitable for flying without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from flights.check.air import CONTROLLED_HEIGHT
from flights.check.situation import AirspaceArea
from flights.path.track import Profile, Track
from geo import measure
from geo.types import LonLat
from schemas.rules import RulePack
from schemas.rules.values import Cutoff

APPROVAL, FILING = "approval", "filing"
UNKNOWN_HEIGHT = "height_unknown"

_STRICTEST = (APPROVAL, FILING)


@dataclass(frozen=True)
class SheetLeg:
    """Legs of one purpose and one class of airspace: length, true heights, why it is controlled, what it needs."""

    part: str
    length_m: float
    alt_min_agl_m: float | None
    alt_max_agl_m: float | None
    because: tuple[str, ...]
    needs: str | None

    @property
    def controlled(self) -> bool:
        """Whether it leads through controlled airspace; else it is suitable airspace and needs nothing."""
        return bool(self.because)

    def render(self) -> dict[str, Any]:
        """The leg as a JSON object."""
        return {
            "part": self.part,
            "length_m": round(self.length_m, 1),
            "alt_min_agl_m": _rounded(self.alt_min_agl_m),
            "alt_max_agl_m": _rounded(self.alt_max_agl_m),
            "class": "controlled" if self.controlled else "suitable",
            "because": list(self.because),
            "needs": self.needs,
        }


@dataclass(frozen=True)
class Deadline:
    """Something that is due at a time (local), the key of the pack that says so, and where that comes from."""

    name: str
    at: datetime
    key: str
    source: str

    def left(self, now: datetime) -> timedelta:
        """How long there is still; negative once it is missed."""
        return self.at - now

    def render(self, now: datetime) -> dict[str, Any]:
        """The deadline as a JSON object, as seen at `now`."""
        left_min = int(self.left(now).total_seconds() // 60)
        seen = {"missed": self.left(now) < timedelta(0), "left_min": left_min}
        return {"name": self.name, "at": self.at.isoformat(), **seen, "key": self.key, "source": self.source}


@dataclass(frozen=True)
class Sheet:
    """The filing sheet of a flight as it looks at `now`; `about` names flight, aircraft, registration and pilot.

    `clearances` are those that are held: kind and number.
    """

    about: Mapping[str, Any]
    window: tuple[datetime, datetime]
    home: LonLat
    home_amsl_m: float
    legs: tuple[SheetLeg, ...]
    deadlines: tuple[Deadline, ...]
    emergency: tuple[Deadline, ...]
    emergency_enabled: bool
    held: bool
    now: datetime
    clearances: tuple[tuple[str, str], ...] = field(default=())

    @property
    def needs(self) -> str | None:
        """The strictest thing that any leg needs: approval, filing, or nothing."""
        return next((kind for kind in _STRICTEST if any(leg.needs == kind for leg in self.legs)), None)

    @property
    def apply_by(self) -> Deadline:
        """When the application is due."""
        return self.deadlines[0]

    @property
    def too_late(self) -> bool:
        """Whether something is needed that is not held and can no longer be applied for in time."""
        return self.needs is not None and not self.held and self.apply_by.at < self.now

    def render(self) -> dict[str, Any]:
        """The sheet as a JSON object; times are local, heights true heights in metres."""
        start, end = self.window
        return {
            **self.about,
            "from": start.isoformat(),
            "until": end.isoformat(),
            "take_off": {"lon": self.home.lon, "lat": self.home.lat, "alt_amsl_m": round(self.home_amsl_m, 1)},
            "legs": [leg.render() for leg in self.legs],
            "needs": self.needs,
            "held": self.held,
            "clearances": [f"{kind} {number}" for kind, number in self.clearances],
            "too_late": self.too_late,
            "deadlines": [deadline.render(self.now) for deadline in self.deadlines],
            "emergency": {
                "enabled": self.emergency_enabled,
                "deadlines": [deadline.render(self.now) for deadline in self.emergency],
            },
            "at": self.now.isoformat(),
        }


def legs_of(path: Profile, airspace: Sequence[AirspaceArea], pack: RulePack) -> tuple[SheetLeg, ...]:
    """The legs of a path, joined where purpose and class of airspace are the same."""
    judged = [(track, *_class(track, airspace, pack)) for track in path.tracks]
    groups = groupby(judged, key=lambda leg: (leg[0].kind, leg[1], leg[2]))
    return tuple(_leg([track for track, _because, _needs in group], *key) for key, group in groups)


def deadlines_of(pack: RulePack, start: datetime) -> tuple[Deadline, ...]:
    """When a flight that takes off at `start` is applied for, decided about, and reported ready; local times."""
    due = (
        ("apply", "airspace.application_cutoff", _cutoff(pack, pack["airspace.application_cutoff"], start)),
        ("decision", "uav.filing.decided_by", _cutoff(pack, pack["uav.filing.decided_by"], start)),
        ("ready", "uav.filing.readiness_min", _before(pack, start, pack["uav.filing.readiness_min"])),
    )
    return tuple(Deadline(name, at, key, pack.source(key)) for name, key, at in due)


def emergency_of(pack: RulePack, start: datetime) -> tuple[Deadline, ...]:
    """The same for an emergency flight."""
    key, given = "uav.filing.emergency", pack["uav.filing.emergency"]
    due = (("apply", given.apply_min), ("decision", given.decide_min))
    return tuple(Deadline(name, _before(pack, start, minutes), key, pack.source(key)) for name, minutes in due)


def first_day(pack: RulePack, now: datetime) -> date:
    """The first local date for whose flights an application made at `now` is in time."""
    cutoff: Cutoff = pack["airspace.application_cutoff"]
    on = pack.local_date(now)
    still = now <= datetime.combine(on, cutoff.at, pack.zone)
    return on + timedelta(days=cutoff.days_before if still else cutoff.days_before + 1)


def _class(track: Track, airspace: Sequence[AirspaceArea], pack: RulePack) -> tuple[tuple[str, ...], str | None]:
    """Why a leg lies in controlled airspace, if it does, and what it then needs."""
    found = dict(_reasons(track, airspace, pack))
    needs = next((kind for kind in _STRICTEST if kind in found.values()), None)
    return tuple(found), needs


def _reasons(track: Track, airspace: Sequence[AirspaceArea], pack: RulePack) -> Iterator[tuple[str, str]]:
    above = next((a.clearance for a in pack.airspace_layers if a.code == CONTROLLED_HEIGHT), APPROVAL)
    if not np.isfinite(track.alt_agl_m).all():
        yield UNKNOWN_HEIGHT, above
    elif track.alt_agl_m.max() > pack["uav.controlled_above_agl_m"]:
        yield CONTROLLED_HEIGHT, above
    for area in airspace:
        if track.line.intersects(area.geom):
            yield area.name, area.needs


def _leg(tracks: Sequence[Track], part: str, because: tuple[str, ...], needs: str | None) -> SheetLeg:
    heights_m = np.concatenate([track.alt_agl_m for track in tracks])
    known = bool(np.isfinite(heights_m).all())
    lowest_m, highest_m = (float(heights_m.min()), float(heights_m.max())) if known else (None, None)
    length_m = sum(measure.length_m(track.line) for track in tracks)
    return SheetLeg(str(part), length_m, lowest_m, highest_m, because, needs)


def _cutoff(pack: RulePack, cutoff: Cutoff, start: datetime) -> datetime:
    day = pack.local_date(start) - timedelta(days=cutoff.days_before)
    return datetime.combine(day, cutoff.at, pack.zone)


def _before(pack: RulePack, start: datetime, minutes: int) -> datetime:
    return (start - timedelta(minutes=minutes)).astimezone(pack.zone)


def _rounded(value_m: float | None) -> float | None:
    return None if value_m is None else round(value_m, 1)
