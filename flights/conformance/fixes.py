"""Reported positions, one by one and as columns, and which of them cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# No multirotor flies faster; what looks faster is a fault of the position or of its report.
MAX_SPEED_M_S = 100.0
HEIGHT_RANGE_M = (-500.0, 9_000.0)
# Good enough to tell a jump of a hundred metres a second from a flight.
_DEGREE_M = 111_000.0

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Fix:
    """One reported position. `alt_agl_m` is the height above ground, NaN where it is not known.

    `at_s` is a monotonic time in seconds (the vehicle's), `on_route` whether the item being flown belongs
    to the route and not to the way there or back. `utc_s` is the Unix time, NaN where it is not known.
    """

    at_s: float
    lon: float
    lat: float
    alt_agl_m: float
    speed_m_s: float
    on_route: bool
    utc_s: float = np.nan


@dataclass(frozen=True)
class Fixes:
    """The same as `Fix`, as columns of one length, in the order in which they were received."""

    at_s: Floats
    lon: Floats
    lat: Floats
    alt_agl_m: Floats
    speed_m_s: Floats
    on_route: Bools
    utc_s: Floats

    @classmethod
    def of(cls, fixes: Sequence[Fix]) -> Self:
        """The columns of a sequence of fixes."""
        return cls(
            at_s=np.array([fix.at_s for fix in fixes], float),
            lon=np.array([fix.lon for fix in fixes], float),
            lat=np.array([fix.lat for fix in fixes], float),
            alt_agl_m=np.array([fix.alt_agl_m for fix in fixes], float),
            speed_m_s=np.array([fix.speed_m_s for fix in fixes], float),
            on_route=np.array([fix.on_route for fix in fixes], bool),
            utc_s=np.array([fix.utc_s for fix in fixes], float),
        )

    def __len__(self) -> int:
        return len(self.at_s)

    def __getitem__(self, which: Bools | Ints | slice) -> Fixes:
        """Some of the fixes."""
        return Fixes(
            self.at_s[which],
            self.lon[which],
            self.lat[which],
            self.alt_agl_m[which],
            self.speed_m_s[which],
            self.on_route[which],
            self.utc_s[which],
        )


class Plausibility:
    """Tells which fixes cannot be: off the globe, not a number, too fast, too far from the one before.

    A jump condemns the fix that jumped; the next one is compared with the last good one, over the longer
    time, so that a true position is believed again soon.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float, float] | None = None

    def is_wrong(self, fix: Fix) -> bool:
        """Whether the next fix of a track cannot be."""
        here = fix.at_s, fix.lon, fix.lat
        if nowhere(fix) or (self._last is not None and _jump(self._last, here)):
            return True
        self._last = here
        return False

    def wrong(self, fixes: Fixes) -> Bools:
        """Which of the next fixes of a track cannot be."""
        wrong: Bools = nowhere(fixes)
        somewhere = np.flatnonzero(~wrong)
        if not len(somewhere):
            return wrong
        at_s, lon, lat = fixes.at_s[somewhere], fixes.lon[somewhere], fixes.lat[somewhere]
        # Neighbours are compared all at once; only where two of them do not fit, one looks back further.
        suspect = np.flatnonzero(_jumps(at_s[:-1], lon[:-1], lat[:-1], at_s[1:], lon[1:], lat[1:])) + 1
        last = (at_s[0], lon[0], lat[0])
        bad = np.zeros(len(somewhere), bool)
        if self._last is not None and _jump(self._last, last):
            suspect = np.concatenate([[0], suspect])
        done = 0
        for first in suspect.tolist():
            if first < done:
                continue
            good = self._last if first == 0 else (at_s[first - 1], lon[first - 1], lat[first - 1])
            done = _until_believed(good, at_s, lon, lat, bad, first)
        wrong[somewhere[bad]] = True
        believed = np.flatnonzero(~bad)
        if len(believed):
            newest = believed[-1]
            self._last = (at_s[newest], lon[newest], lat[newest])
        return wrong


def implausible(fixes: Iterable[Fix]) -> list[bool]:
    """Which fixes of a track cannot be, in order."""
    columns = Fixes.of(list(fixes))
    return [bool(wrong) for wrong in Plausibility().wrong(columns)]


def nowhere(fixes: Any) -> Any:  # noqa: ANN401
    """Which fixes are wrong by themselves; one fix or columns."""
    lon, lat, alt_m, speed = fixes.lon, fixes.lat, fixes.alt_agl_m, fixes.speed_m_s
    total = fixes.at_s + lon + lat + speed
    no_number = (total != total) | (abs(total) == math.inf)
    off_globe = (abs(lat) > 90) | (abs(lon) > 180) | ((lat == 0) & (lon == 0))
    # A height that is not known is no fault of the position.
    height_wrong = (alt_m < HEIGHT_RANGE_M[0]) | (alt_m > HEIGHT_RANGE_M[1])
    return no_number | off_globe | height_wrong | (speed > MAX_SPEED_M_S)


def _jumps(t0: Any, lon0: Any, lat0: Any, t1: Any, lon1: Any, lat1: Any) -> Any:  # noqa: ANN401
    """Where somebody cannot have come from one place to another; numbers or arrays."""
    elapsed_s = t1 - t0
    north_m = (lat1 - lat0) * _DEGREE_M
    east_m = (lon1 - lon0) * _DEGREE_M * np.cos(np.radians(lat1))
    # Reports of the same instant may differ by what the aircraft flies in one second.
    reach_m = MAX_SPEED_M_S * np.maximum(elapsed_s, 1.0)
    return (elapsed_s < 0) | (north_m * north_m + east_m * east_m > reach_m * reach_m)


def _jump(last: tuple[float, float, float], new: tuple[float, float, float]) -> bool:
    return bool(_jumps(*last, *new))


def _until_believed(
    good: tuple[float, float, float] | None, at_s: Floats, lon: Floats, lat: Floats, bad: Bools, first: int
) -> int:
    """Marks what does not fit the last good fix, from `first` on; gives the place behind the one that fits again."""
    place = first
    while place < len(at_s) and good is not None and _jump(good, (at_s[place], lon[place], lat[place])):
        bad[place] = True
        place += 1
    return place + 1
