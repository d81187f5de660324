"""How far a plan keeps from everything that it must keep from: the table in the file of its approval. Pure.

Every distance is measured to what is displayed, from the line and from what the camera sees, and is named with the
place on the way where it is least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from flights.check.case import Case
from flights.check.situation import AirspaceArea, Residential
from flights.path.profile import STEP_M
from geo import crs
from geo.zones import distances_m

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Margin:
    """The least distance from one thing, in metres: of the line, and of what the camera sees where that counts.

    `kind` is zone, area, airspace, residential, traffic, terrain or way. Inside an area the distance is that to its
    edge; above terrain, on the flight and on the way to a refuge, it is a height. `along_m` is how far along the
    flight it is least, where that is known.
    """

    kind: str
    name: str
    line_m: float
    footprint_m: float | None = None
    along_m: float | None = None
    required_m: float | None = None

    @property
    def zone(self) -> str:
        """The public id of the zone, or the name of whatever it is."""
        return self.name

    def render(self) -> dict[str, str | float | None]:
        """The margin as a JSON object."""
        numbers = {
            name: None if (value := getattr(self, name)) is None else round(value, 1)
            for name in ("line_m", "footprint_m", "along_m", "required_m")
        }
        return {"kind": self.kind, "name": self.name, **numbers, **({"zone": self.name} if self.kind == "zone" else {})}


def nearest(clearances: Sequence[Margin], most: int = 5) -> Iterator[Margin]:
    """The nearest few of each kind, for people; programs get all of them."""
    for _kind, group in groupby(clearances, key=lambda clearance: clearance.kind):
        yield from sorted(group, key=lambda clearance: clearance.line_m)[:most]


def margins(case: Case) -> tuple[Margin, ...]:
    """The margins of a plan: zones first, the nearest of them first, then everything else."""
    zones = sorted(_zones(case), key=lambda margin: (margin.line_m, margin.name))
    if case.situation.pack is None:
        return tuple(zones)
    return (*zones, *_area(case), *_airspace(case), *_homes(case), *_traffic(case), *_terrain(case))


def _zones(case: Case) -> Iterator[Margin]:
    """The clearance of every zone in force that the situation holds."""
    shown = np.array([zone.geom for zone in case.zones], dtype=object)
    buffer_m = case.pack["privacy.buffer_m"] if case.situation.pack else 0.0
    apart = _apart(case, shown, case.zone_line_m)
    for zone, (line_m, seen_m, along_m) in zip(case.zones, apart, strict=True):
        yield Margin("zone", zone.public_id, line_m, seen_m, along_m, zone.buffer_m + buffer_m)


def _area(case: Case) -> Iterator[Margin]:
    if case.area is not None:
        edge = np.array([case.area.geom.boundary], dtype=object)
        inside = case.outside_m(case.area) == 0.0
        for line_m, seen_m, along_m in _apart(case, edge):
            yield Margin("area", case.area.code, line_m if inside else 0.0, seen_m if inside else 0.0, along_m, 0.0)


def _airspace(case: Case) -> Iterator[Margin]:
    layers = case.situation.airspace
    for layer, (line_m, _seen_m, along_m) in zip(layers, _apart(case, _shapes(layers)), strict=True):
        yield Margin("airspace", layer.name, line_m, None, along_m)


def _homes(case: Case) -> Iterator[Margin]:
    homes = case.situation.residential
    for home, (line_m, _seen_m, along_m) in zip(homes, _apart(case, _shapes(homes)), strict=True):
        yield Margin("residential", home.name, line_m, None, along_m)


def _traffic(case: Case) -> Iterator[Margin]:
    """The distance to the air of each flight that is in the air at the same time, whatever its height."""
    others: dict[str, list[BaseGeometry]] = {}
    for volume in case.situation.traffic:
        if volume.start < case.end and case.start < volume.end:
            others.setdefault(volume.flight, []).append(volume.geom)
    shapes = np.array([shapely.union_all(geoms) for geoms in others.values()], dtype=object)
    for flight, (line_m, _seen_m, along_m) in zip(others, _apart(case, shapes), strict=True):
        yield Margin("traffic", flight, line_m, None, along_m)


def _terrain(case: Case) -> Iterator[Margin]:
    """The least true height of the flight, and of the ways home."""
    if not case.profile.heights_known:
        return
    least_m = case.pack["uav.terrain_clearance_m"]
    heights_m = np.concatenate([track.alt_agl_m for track in case.path])
    lowest = int(heights_m.argmin())
    yield Margin("terrain", "flight", float(heights_m[lowest]), None, float(case.along_samples_m[lowest]), least_m)
    for fan, samples in zip(case.ways, case.way_samples, strict=True):
        yield Margin("way", fan.refuge.name, float(samples.alt_agl_m.min()), None, None, least_m)


def _shapes(things: Sequence[AirspaceArea | Residential]) -> NDArray[np.object_]:
    return np.array([thing.geom for thing in things], dtype=object)


def _apart(
    case: Case, shapes: NDArray[np.object_], known_m: Floats | None = None
) -> list[tuple[float, float | None, float]]:
    """For each shape the distance of the line, that of the footprint, and where on the way the line is nearest."""
    if not len(shapes):
        return []
    line_m = (distances_m(case.line, shapes) if known_m is None else known_m).tolist()
    seen_m = [None] * len(shapes) if case.footprint is None else distances_m(case.footprint, shapes).tolist()
    return list(zip(line_m, seen_m, _nearest_along(case, shapes).tolist(), strict=True))


def _nearest_along(case: Case, shapes: NDArray[np.object_]) -> Floats:
    """How far along the flight the line is nearest to each shape, the first time that it is, in metres."""
    tree = case.sample_tree
    shapes_m = crs.to_metric(shapes, case.ways[0].epsg)
    _, apart_m = tree.query_nearest(shapes_m, all_matches=False, return_distance=True)
    # The nearest sample may lie half a step from the nearest point: the first of those that may be it counts.
    owners, samples = tree.query(shapes_m, predicate="dwithin", distance=np.hypot(apart_m, STEP_M / 2))
    first_m = np.full(len(shapes), np.inf)
    np.minimum.at(first_m, owners, case.along_samples_m[samples])
    return first_m
