"""The curve that ArduCopter flies to a spline waypoint: a Hermite spline in a metric plane. Pure.

Source: AC_WPNav::set_spline_origin_and_destination. The slopes at both ends point along the neighbouring
legs, and are scaled down together when they add up to more than four times the distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_MOST_SLOPE = 4.0


def slope_out(here: Vector, following: Vector | None, start: Vector, *, following_curved: bool) -> Vector:
    """The slope at the end of a curve from `start` to `here`, m; zero where the aircraft stops there."""
    if following is None:
        return np.zeros(2)
    return following - start if following_curved else following - here


def curve(start: Vector, end: Vector, slope_start: Vector, slope_end: Vector, step_m: float) -> NDArray[np.float64]:
    """Points of the curve, an Nx2 array in metres that begins with `start` and ends with `end`.

    Points are at most about `step_m` apart: the curve is never longer than twice its distance.
    """
    distance_m = float(np.hypot(*(end - start)))
    slopes = float(np.hypot(*slope_start) + np.hypot(*slope_end))
    if slopes > _MOST_SLOPE * distance_m:
        scale = _MOST_SLOPE * distance_m / slopes
        slope_start, slope_end = slope_start * scale, slope_end * scale
    t = np.linspace(0.0, 1.0, max(2, int(np.ceil(2 * distance_m / step_m)) + 1))[:, np.newaxis]
    points: NDArray[np.float64] = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * slope_start
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * slope_end
    )
    return points
