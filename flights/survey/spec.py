"""What a survey is asked for and what comes out of it: plain, frozen values, and the refusals of nonsense."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from flights.model import Plan
from flights.path.track import Ground
from flights.survey.camera import CameraModel
from geo import measure
from geo.types import LonLat
from geo.zones import Zone
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse

# What may be asked for, from and to; outside of it no survey is flown, and arithmetic would only mislead.
RANGES: dict[str, tuple[float, float]] = {
    "alt_agl_m": (5.0, 1000.0),
    "front": (0.0, 0.95),
    "side": (0.0, 0.95),
    "speed_mps": (0.5, 40.0),
    "turnaround_m": (0.0, 300.0),
    "angle_deg": (-360.0, 360.0),
    "width_m": (1.0, 5000.0),
    "roll_margin_deg": (0.0, 15.0),
}


@dataclass(frozen=True)
class SurveySpec:
    """What is asked for.

    `area` (EPSG:4326) is a polygon with holes, several of them, or the centre line of a corridor `width_m`
    wide. `front` and `side` are the shares, 0 to 1, that neighbouring photos have in common; `angle_deg` the
    direction of the lines clockwise from true north, None for that of the fewest turns. `turnaround_m` is
    flown straight on beyond both ends of a line. Private holes may not be seen, others only not flown over.
    Without `home` the aircraft takes off at the corner from which most of the area has a free way home.
    """

    area: Polygon | MultiPolygon | LineString
    camera: CameraModel
    alt_agl_m: float
    front: float = 0.75
    side: float = 0.65
    angle_deg: float | None = None
    width_m: float | None = None
    cross: bool = False
    turnaround_m: float = 0.0
    holes_private: bool = True
    home: LonLat | None = None
    speed_mps: float = 8.0
    roll_margin_deg: float = 0.0

    def __post_init__(self) -> None:
        """Raise RuleViolation 422 with every value that is out of its range."""
        refusals = list(self._out_of_range())
        if refusals:
            raise RuleViolation(Kind.INVALID, refusals)

    def _out_of_range(self) -> Iterator[Refusal]:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            # NaN is in no range.
            if value is not None and not least <= value <= most:
                yield _not_in(name, f"{value:g}", f"{least:g}-{most:g}")
        widest_deg = 180.0 - 2 * self.roll_margin_deg
        if max(self.camera.hfov_deg, self.camera.vfov_deg) >= widest_deg:
            measured = f"{max(self.camera.hfov_deg, self.camera.vfov_deg):.0f}°"
            yield refuse("flight.camera_angle", "flight.camera_angle", measured=measured, required=f"< {widest_deg:g}°")
        if isinstance(self.area, LineString) and self.width_m is None:
            least, most = RANGES["width_m"]
            yield _not_in("width_m", "-", f"{least:g}-{most:g}")

    @property
    def spacing_m(self) -> float:
        """The widest distance from line to line that keeps the side overlap."""
        return self.camera.spacing_m(self.alt_agl_m, self.side)

    @property
    def trigger_m(self) -> float:
        """From photo to photo."""
        return self.camera.trigger_m(self.alt_agl_m, self.front)


def _not_in(name: str, measured: str, required: str) -> Refusal:
    return refuse("survey.range", "survey.range", name=name, measured=measured, required=required)


def refuse_large(spec: SurveySpec) -> None:
    """Refuses, before any work, what is more than one flight, or more than a server lends to one question."""
    corners = shapely.get_num_coordinates(spec.area)
    if corners > limit("survey.corners"):
        raise invalid("survey.corners", measured=corners, required=limit("survey.corners"))
    west, south, east, north = spec.area.bounds
    across_m = measure.distance_m(LonLat(west, south), LonLat(east, north))
    if isinstance(spec.area, LineString):
        long_m, wide_m = measure.length_m(spec.area), spec.width_m or 0.0
        area_m2, lines = long_m * wide_m, math.ceil(wide_m / spec.spacing_m)
    else:
        area_m2, lines = measure.area_m2(spec.area), math.ceil(across_m / spec.spacing_m)
    if area_m2 > limit("survey.area"):
        raise invalid("survey.area", measured=_km2(area_m2), required=_km2(limit("survey.area")))
    if lines > limit("survey.lines"):
        raise invalid("survey.lines", measured=lines, required=limit("survey.lines"))
    flown_m = area_m2 / spec.spacing_m * (2 if spec.cross else 1)
    if max(flown_m, across_m) > limit("plan.length"):
        raise invalid("plan.too_long", measured=round(max(flown_m, across_m)), required=limit("plan.length"))


def _km2(area_m2: float) -> str:
    return f"{area_m2 / 1e6:,.1f} km²"


@dataclass(frozen=True)
class Around:
    """Where a survey is asked for.

    The ground, the zones that hold, what the rules add to their buffers (m), the published area (EPSG:4326)
    that nothing may be seen beyond, and the roll that the rules reckon with at least.
    """

    ground: Ground
    zones: Sequence[Zone] = ()
    buffer_m: float = 0.0
    keep_in: BaseGeometry | None = None
    roll_margin_deg: float = 0.0


@dataclass(frozen=True)
class Stats:
    """What a survey costs and brings.

    `lines` counts the straight runs with the camera on, `turns` the ways between them. `length_m` is the whole
    flight; `area_m2` the area asked for without what may not be seen, `covered` the share of it that is
    photographed, `behind` the share from which the straight way home is not free. `gsd_cm` is the ground sampling
    distance from the height asked for, `gsd_worst_cm` where the flight is highest above the ground; `angle_deg`
    the direction of the lines, None for a corridor.
    """

    lines: int
    turns: int
    length_m: float
    photo_length_m: float
    photos: int
    area_m2: float
    covered: float
    behind: float
    time_s: float
    gsd_cm: float
    gsd_worst_cm: float
    alt_agl_m: float
    spacing_m: float
    trigger_m: float
    angle_deg: float | None
    items: int

    def render(self) -> dict[str, Any]:
        """The figures as a JSON object, rounded to what they are good for."""
        digits = {"covered": 4, "behind": 4, "gsd_cm": 3, "gsd_worst_cm": 3, "spacing_m": 2, "trigger_m": 2}
        return {
            name: round(value, digits.get(name, 1)) if isinstance(value, float) else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class Survey:
    """A survey that may be flown: its plan, its figures, and what to draw (EPSG:4326)."""

    plan: Plan
    stats: Stats
    lines: BaseGeometry
    ways: BaseGeometry
    swath: BaseGeometry
