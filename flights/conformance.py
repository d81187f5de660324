"""Whether a flight kept to its route: one pure engine, for the live track and for the record afterwards.

Distances are metres in a plane around the middle of the route (azimuthal equidistant, WGS 84): within the
few kilometres of a patrol they differ from the ellipsoid by millimetres.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat

# No multirotor flies faster; what looks faster is a fault of the position or of its report.
MAX_SPEED_M_S = 100.0
HEIGHT_RANGE_M = (-500.0, 9_000.0)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Fix:
    """One reported position. `alt_agl_m` is the height above ground, NaN where it is not known.

    `at_s` is a monotonic time in seconds (the vehicle's), `on_route` whether the item being flown belongs
    to the route and not to the way there or back.
    """

    at_s: float
    lon: float
    lat: float
    alt_agl_m: float
    speed_m_s: float
    on_route: bool


@dataclass(frozen=True)
class RouteShape:
    """What was published: the line and the area (EPSG:4326), the height above ground, and the way there.

    `home` is where the mission starts and ends: between it and the line the aircraft is judged against
    the straight way, not against the route.
    """

    line: BaseGeometry
    area: BaseGeometry
    alt_agl_m: float
    home: LonLat


@dataclass(frozen=True)
class Worst:
    """The greatest deviation of a kind, and where it was."""

    deviation_m: float
    at_s: float
    place: LonLat
    along_m: float


@dataclass(frozen=True)
class Report:
    """What became of the route. Deviations and shares count plausible fixes only.

    `lateral` and `vertical` are None where nothing could be judged; `share_inside` is the share of fixes
    inside the published area; `share_flown` how much of the line was flown (within the tolerance).
    """

    fixes: int
    implausible: int
    lateral: Worst | None
    vertical: Worst | None
    share_inside: float
    share_flown: float
    tolerance_m: float

    @property
    def stayed_inside(self) -> bool:
        """Whether every fix was inside the published area; the share, once rounded, cannot tell."""
        return self.share_inside == 1.0

    @property
    def is_within(self) -> bool:
        """Whether the flight kept to the route and its area; False when nothing was recorded."""
        if self.lateral is None or not self.stayed_inside:
            return False
        vertical_m = self.vertical.deviation_m if self.vertical else 0.0
        return max(self.lateral.deviation_m, vertical_m) <= self.tolerance_m

    def render(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "fixes": self.fixes,
            "implausible": self.implausible,
            "lateral_m": _rounded(self.lateral),
            "vertical_m": _rounded(self.vertical),
            "share_inside": round(self.share_inside, 4),
            "stayed_inside": self.stayed_inside,
            "share_flown": round(self.share_flown, 4),
            "tolerance_m": self.tolerance_m,
            "within": self.is_within,
        }


class Plane:
    """A metric plane around a route; the same for the live judgement and the one afterwards."""

    def __init__(self, line: BaseGeometry) -> None:
        middle = line.interpolate(0.5, normalized=True)
        crs = CRS.from_proj4(f"+proj=aeqd +lat_0={middle.y:.9f} +lon_0={middle.x:.9f} +datum=WGS84 +units=m")
        self._transformer = Transformer.from_crs(4326, crs, always_xy=True)

    def geometry(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry (EPSG:4326) in metres of this plane."""

        def project(lonlat: Floats) -> Floats:
            return np.column_stack(self._transformer.transform(lonlat[:, 0], lonlat[:, 1]))

        moved: BaseGeometry = shapely.transform(geometry, project)
        return moved

    def points(self, lons: Floats, lats: Floats) -> Any:  # noqa: ANN401
        """An array of points (EPSG:4326) in metres of this plane."""
        return shapely.points(*self._transformer.transform(lons, lats))


class Judge:
    """Judges fixes against one route; made once for a flight, for its live track and its record."""

    def __init__(self, route: RouteShape, tolerance_m: float) -> None:
        self._route = route
        self.tolerance_m = tolerance_m
        self._plane = Plane(route.line)
        self._line = self._plane.geometry(route.line)
        self._area = self._plane.geometry(route.area)
        shapely.prepare(self._area)
        home = self._plane.points(np.array([route.home.lon]), np.array([route.home.lat]))[0]
        ends = [shapely.Point(self._line.coords[end]) for end in (0, -1)]
        ways = [shapely.LineString([home, end]) for end in ends]
        self._path = shapely.union_all([self._line, *ways])

    def lateral_m(self, fix: Fix) -> float:
        """Distance of one fix from the line, or from the whole way while it is not on the route."""
        points = self._plane.points(np.array([fix.lon]), np.array([fix.lat]))
        return float(self._lateral_m(points, np.array([fix.on_route]))[0])

    def _lateral_m(self, points: Any, on_route: Bools) -> Floats:  # noqa: ANN401
        from_path: Floats = shapely.distance(points, self._path)
        return np.where(on_route, shapely.distance(points, self._line), from_path)

    def judge(self, fixes: Sequence[Fix]) -> Report:
        """The report on all fixes of a flight, in the order in which they were received."""
        wrong = implausible(fixes)
        good = [fix for fix, is_wrong in zip(fixes, wrong, strict=True) if not is_wrong]
        if not good:
            return Report(len(fixes), len(fixes), None, None, 0.0, 0.0, self.tolerance_m)
        lons = np.array([fix.lon for fix in good])
        lats = np.array([fix.lat for fix in good])
        on_route = np.array([fix.on_route for fix in good])
        points = self._plane.points(lons, lats)
        lateral = self._lateral_m(points, on_route)
        height_off = np.array([abs(fix.alt_agl_m - self._route.alt_agl_m) for fix in good])
        height_off[~on_route] = np.nan
        along: Floats = shapely.line_locate_point(np.full(len(points), self._line), points)
        flown = points[on_route & (lateral <= self.tolerance_m)]
        return Report(
            fixes=len(fixes),
            implausible=len(fixes) - len(good),
            lateral=_worst(lateral, good, along),
            vertical=_worst(height_off, good, along),
            share_inside=float(np.mean(shapely.covers(self._area, points))),
            share_flown=self._share_flown(flown),
            tolerance_m=self.tolerance_m,
        )

    def _share_flown(self, flown: Any) -> float:  # noqa: ANN401
        """The share of the line that lies within the tolerance of the flown track."""
        near = shapely.multipoints(flown).buffer(self.tolerance_m)
        return float(self._line.intersection(near).length / self._line.length)


class Plausibility:
    """Tells which fixes cannot be: off the globe, not a number, too fast, too far from the one before.

    A jump condemns the fix that jumped; the next one is compared with the last good one, over the longer
    time, so that a true position is believed again soon.
    """

    def __init__(self) -> None:
        self._last: Fix | None = None

    def is_wrong(self, fix: Fix) -> bool:
        """Whether the next fix of a track cannot be."""
        if _is_nowhere(fix) or (self._last is not None and _is_jump(self._last, fix)):
            return True
        self._last = fix
        return False


def implausible(fixes: Iterable[Fix]) -> list[bool]:
    """Which fixes of a track cannot be, in order."""
    plausibility = Plausibility()
    return [plausibility.is_wrong(fix) for fix in fixes]


def _is_nowhere(fix: Fix) -> bool:
    finite = np.isfinite([fix.at_s, fix.lon, fix.lat, fix.speed_m_s]).all()
    if not finite or abs(fix.lat) > 90 or abs(fix.lon) > 180 or (fix.lat == 0 and fix.lon == 0):
        return True
    height_wrong = not HEIGHT_RANGE_M[0] <= fix.alt_agl_m <= HEIGHT_RANGE_M[1]
    # A height that is not known is no fault of the position.
    return fix.speed_m_s > MAX_SPEED_M_S or (height_wrong and not np.isnan(fix.alt_agl_m))


def _is_jump(last: Fix, fix: Fix) -> bool:
    elapsed_s = fix.at_s - last.at_s
    if elapsed_s < 0:
        return True
    north_m = (fix.lat - last.lat) * 111_000.0
    east_m = (fix.lon - last.lon) * 111_000.0 * np.cos(np.radians(fix.lat))
    # Reports of the same instant may differ by what the aircraft flies in one second.
    return bool(np.hypot(north_m, east_m) > MAX_SPEED_M_S * max(elapsed_s, 1.0))


def _worst(deviation_m: Floats, fixes: Sequence[Fix], along_m: Floats) -> Worst | None:
    if np.isnan(deviation_m).all():
        return None
    at = int(np.nanargmax(deviation_m))
    fix = fixes[at]
    return Worst(float(deviation_m[at]), fix.at_s, LonLat(fix.lon, fix.lat), float(along_m[at]))


def _rounded(worst: Worst | None) -> float | None:
    return None if worst is None else round(worst.deviation_m, 2)
