"""Leap seconds between GPS time and UTC, for the years in which drones have flown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GPS_EPOCH_S = 315_964_800
"""Unix time of 1980-01-06, when the weeks of GPS begin."""

_WEEK_S = 604_800
# From this GPS second on, GPS time is so many seconds ahead of UTC (IERS Bulletin C 52 is the newest change).
_LEAPS = ((1_025_136_016, 16), (1_119_744_017, 17), (1_167_264_018, 18))


def leap_seconds_at(week: float) -> int:
    """How far GPS time was ahead of UTC in this week; before mid 2012 nobody flew what is judged here."""
    return next((leap for since, leap in reversed(_LEAPS) if week * _WEEK_S + _WEEK_S > since), _LEAPS[0][1])


def gps_to_unix(week: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unix times of weeks and seconds of the week of GPS."""
    gps_s = week * _WEEK_S + second
    leap_s = np.full(len(gps_s), float(_LEAPS[0][1]))
    for since, leap in _LEAPS:
        leap_s[gps_s >= since] = leap
    unix: NDArray[np.float64] = GPS_EPOCH_S + gps_s - leap_s
    return unix
