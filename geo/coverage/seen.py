"""What everybody sees, of every kind, as polygons of the plane: tile by tile over the ground, with what is kept."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from geo import measure
from geo.coverage.footprints import Device, Relief, faults_of, footprints
from geo.coverage.plane import Floats, Plane, Shapes
from geo.coverage.relief import cell_m, relief_around, under_surface
from geo.coverage.rivers import BELOW_M, Waters
from geo.coverage.views import ROUTE, WATER, Seer
from geo.footprint import Camera, swept_footprint
from geo.terrain import Terrain

Progress = Callable[[float], None]
Ints = NDArray[np.int64]

# What needs a clear line to what it sees; noise and air come round a hill.
_SIGHTED = frozenset({"video", "radar"})
# Another way of computing views makes another key: what was kept is then not asked any more.
_EDITION = "sight 4"
# A tile of the relief has at most about so many cells on a side, and is no wider than that.
_TILE_CELLS, _WIDEST_TILE_M = 2_000, 20_000.0
# Buildings are narrower than the cells of most elevation models.
_BUILDING_CELL_M = 5.0
# Whoever sees further than so many of these sees over most buildings: the cells of the model do.
_MOST_FINE_CELLS = 200
_ROUTE_STEP_M = 30.0
# Edges of longitude and latitude are not straight on the plane; short ones are.
_EDGE_DEG = 0.02
_NOTHING = shapely.Polygon()

HIDDEN, NO_HEIGHT, NO_WATER, UNUSABLE = "hidden", "no_height", "no_water", "unusable"


class Kept(Protocol):
    """Where views over terrain are kept, by a hash of everything that they depend on."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, BaseGeometry]:
        """Those that are there."""

    def put(self, found: Mapping[bytes, BaseGeometry]) -> None:
        """Keep them."""


class InMemory(dict[bytes, BaseGeometry]):
    """Views kept for as long as this lives."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, BaseGeometry]:  # type: ignore[override]
        """Those that are there."""
        return {key: self[key] for key in keys if key in self}

    def put(self, found: Mapping[bytes, BaseGeometry]) -> None:
        """Keep them."""
        self.update(found)


@dataclass(frozen=True)
class Surroundings:
    """What stands around devices: elevation and surface model with their hashes, buildings, and waters of the plane.

    `buildings` (EPSG:4326) stand `buildings_m` above the elevation model; None where they are not looked at.
    """

    terrain: Path | None = None
    terrain_sha256: str = ""
    surface: Path | None = None
    surface_sha256: str = ""
    buildings: Shapes = field(default_factory=lambda: np.empty(0, dtype=object))
    buildings_m: float | None = None
    waters: Waters = field(default_factory=Waters)
    kept: Kept = field(default_factory=InMemory)


@dataclass(frozen=True)
class Seen:
    """What each of some seers sees, empty polygons for nothing, and why those see nothing that do not."""

    views: Shapes
    left_out: Mapping[int, str]


def what_is_seen(seers: Sequence[Seer], plane: Plane, around: Surroundings, progress: Progress) -> Seen:
    """The views of all, as polygons of the plane; `progress` hears the share that is done.

    A device without a usable view, without a height in the model or without water near sees nothing, and is told of.
    """
    views = np.full(len(seers), _NOTHING, dtype=object)
    left_out: dict[int, str] = {}
    groups: dict[str, list[int]] = defaultdict(list)
    for number, seer in enumerate(seers):
        groups[_manner(seer, around)].append(number)
    shown = np.array(groups["shape"], np.int64)
    if len(shown):
        drawn = shapely.segmentize(np.array([seers[i].shape for i in shown], dtype=object), _EDGE_DEG)
        views[shown] = plane.to_metres(drawn)
    _see_routes(seers, groups["route"], plane, around, views)
    usable = _usable(seers, [*groups["water"], *groups["plain"], *groups["sight"]], left_out)
    plain = [i for i in groups["plain"] if i in usable]
    if plain:
        views[plain] = footprints([seers[i].device for i in plain], plane)
    _see_water(seers, [i for i in groups["water"] if i in usable], plane, around.waters, views, left_out)
    progress(0.1)
    sighted = [i for i in groups["sight"] if i in usable]
    _see_over_ground(seers, sighted, plane, around, views, left_out, lambda share: progress(0.1 + 0.9 * share))
    for number in np.flatnonzero(shapely.is_empty(views)).tolist():
        left_out.setdefault(number, HIDDEN)
    return Seen(views, left_out)


def _manner(seer: Seer, around: Surroundings) -> str:
    """How a seer sees."""
    if seer.shape is not None:
        return "shape"
    if seer.kind == ROUTE:
        return "route"
    if seer.kind == WATER:
        return "water"
    return "sight" if around.terrain is not None and seer.kind in _SIGHTED else "plain"


def _usable(seers: Sequence[Seer], some: Sequence[int], left_out: dict[int, str]) -> set[int]:
    bad = {some[int(fault.params["number"]) - 1] for fault in faults_of([seers[i].device for i in some])}
    left_out.update(dict.fromkeys(bad, UNUSABLE))
    return set(some) - bad


def _see_water(
    seers: Sequence[Seer], some: Sequence[int], plane: Plane, waters: Waters, views: Shapes, left_out: dict[int, str]
) -> None:
    for number in some:
        device = seers[number].device
        x, y = plane.metres(np.array([device.at.lon]), np.array([device.at.lat]))
        reach = waters.reach(shapely.Point(x[0], y[0]), device.range_m, min(device.range_m, BELOW_M))
        views[number] = reach
        if reach.is_empty:
            left_out[number] = NO_WATER


def _see_routes(seers: Sequence[Seer], some: Sequence[int], plane: Plane, around: Surroundings, views: Shapes) -> None:
    """Strips of ground along patrol routes, as wide as the camera sees from its true height above the ground there."""
    if not some:
        return
    terrain = Terrain.open(around.terrain) if around.terrain is not None else None
    try:
        for number in some:
            path = np.array(seers[number].path, np.float64)
            camera = Camera(seers[number].device.hfov_deg or 0.0)
            lons, lats, over_m = _flown(path, terrain)
            shape = swept_footprint(lons, lats, over_m, camera)
            views[number] = plane.to_metres(np.array([shape], dtype=object))[0]
    finally:
        if terrain is not None:
            terrain.close()


def _flown(path: Floats, terrain: Terrain | None) -> tuple[Floats, Floats, Floats]:
    """Places along a route and the heights above the ground there.

    Between two corners an aircraft flies straight, while the ground rises and falls below it; where the model has a
    hole, the height of the route stands.
    """
    lons, lats, over_m = path.T
    if terrain is None or len(path) < 2:
        return lons, lats, over_m
    corner_m = terrain.heights_m(lons, lats)
    steps = [np.linspace(0, 1, max(int(length // _ROUTE_STEP_M), 1), endpoint=False) for length in _lengths(lons, lats)]
    at = np.concatenate([leg + share for leg, share in enumerate(steps)] + [np.array([float(len(lons) - 1)])])
    corners = np.arange(len(lons), dtype=np.float64)
    dense_lons, dense_lats = np.interp(at, corners, lons), np.interp(at, corners, lats)
    amsl_m = np.interp(at, corners, corner_m + over_m)
    over = amsl_m - terrain.heights_m(dense_lons, dense_lats)
    plain = np.interp(at, corners, over_m)
    return dense_lons, dense_lats, np.where(np.isfinite(over), np.maximum(over, 0.0), plain)


def _lengths(lons: Floats, lats: Floats) -> Floats:
    return np.asarray(measure.WGS84.inv(lons[:-1], lats[:-1], lons[1:], lats[1:])[2], np.float64)


def _see_over_ground(  # noqa: PLR0913
    seers: Sequence[Seer],
    some: Sequence[int],
    plane: Plane,
    around: Surroundings,
    views: Shapes,
    left_out: dict[int, str],
    progress: Progress,
) -> None:
    """Lines of sight over the model, tile by tile; what was computed before from the same is taken as it was."""
    if not some or around.terrain is None:
        return
    with rasterio.open(around.terrain, driver="GTiff") as model:
        side_m = cell_m(model, plane)
    by_side: dict[float, list[int]] = defaultdict(list)
    for number in some:
        near = seers[number].device.range_m <= _MOST_FINE_CELLS * _BUILDING_CELL_M
        finer = near and (around.buildings_m or around.surface)
        by_side[min(side_m, _BUILDING_CELL_M) if finer else side_m].append(number)
    done = 0
    for side, those in by_side.items():
        first, last = done / len(some), (done + len(those)) / len(some)
        part = lambda share, first=first, last=last: progress(first + (last - first) * share)  # noqa: E731
        _see_in_cells(seers, those, side, plane, around, views, left_out, part)
        done += len(those)


def _see_in_cells(  # noqa: PLR0913
    seers: Sequence[Seer],
    some: Sequence[int],
    side_m: float,
    plane: Plane,
    around: Surroundings,
    views: Shapes,
    left_out: dict[int, str],
    progress: Progress,
) -> None:
    terrain = around.terrain
    if terrain is None:
        return
    chosen = np.array(some, np.int64)
    x, y = plane.metres(*(np.array([seers[i].device.at[axis] for i in some]) for axis in (0, 1)))
    wide_m = min(_TILE_CELLS * side_m, _WIDEST_TILE_M)
    tile = np.stack([np.floor(x / wide_m), np.floor(y / wide_m)], axis=1).astype(np.int64)
    tiles, of_tile = np.unique(tile, axis=0, return_inverse=True)
    buildings = plane.to_metres(around.buildings) if around.buildings_m else around.buildings
    tree = shapely.STRtree(buildings)
    done = 0
    for number in range(len(tiles)):
        here = np.flatnonzero(of_tile.ravel() == number)
        reach_m = max(seers[i].device.range_m for i in chosen[here])
        # Only as much of the tile as its devices take up: one that somebody moves over a map is answered at once.
        box = shapely.box(x[here].min(), y[here].min(), x[here].max(), y[here].max())
        within = buildings[np.sort(tree.query(box.buffer(reach_m)))] if around.buildings_m else buildings[:0]
        devices = [seers[i].device for i in chosen[here]]
        built = _built(x[here], y[here], devices, within) if around.buildings_m else [b""] * len(here)
        keys = _keys(devices, built, plane, around, side_m)
        known = around.kept.get(keys)
        by_place = dict(zip(here.tolist(), keys, strict=True))
        new = [place for place, key in by_place.items() if key not in known]
        for place in by_place.keys() - set(new):
            views[chosen[place]] = known[by_place[place]]
        if new:
            bare = relief_around(terrain, plane, box, reach_m + side_m, side_m=side_m)
            relief = with_buildings(bare, within, around.buildings_m)
            if around.surface is not None:
                relief = under_surface(relief, around.surface, plane, box, reach_m + side_m)
            for portion in _portions(new):
                _look(seers, chosen[portion], (x[portion], y[portion]), plane, relief, views, left_out)
                looked = [place for place in portion.tolist() if int(chosen[place]) not in left_out]
                around.kept.put({by_place[place]: views[chosen[place]] for place in looked})
                told = done + np.searchsorted(new, portion[-1]) if len(new) else done
                progress(float(told) / len(some))
        done += len(here)
        progress(done / len(some))


def _portions(new: Sequence[int]) -> Iterable[Ints]:
    for first in range(0, len(new), 200):
        yield np.array(new[first : first + 200], np.int64)


def with_buildings(relief: Relief, buildings: Shapes, high_m: float | None) -> Relief:
    """The ground with its buildings (of the plane), `high_m` above it."""
    if not high_m or not len(buildings):
        return relief
    place = Affine(relief.side_m, 0, relief.west, 0, -relief.side_m, relief.north)
    stands = rasterize(list(buildings), relief.heights.shape, transform=place) > 0
    raised = relief.heights + np.where(stands, np.float32(high_m), np.float32(0))
    return Relief(raised, relief.west, relief.north, relief.side_m)


def _look(  # noqa: PLR0913
    seers: Sequence[Seer],
    chosen: Ints,
    places: tuple[Floats, Floats],
    plane: Plane,
    relief: Relief,
    views: Shapes,
    left_out: dict[int, str],
) -> None:
    x, y = places
    rows, columns = relief.heights.shape
    row = np.clip(np.floor((relief.north - y) / relief.side_m).astype(np.int64), 0, rows - 1)
    column = np.clip(np.floor((x - relief.west) / relief.side_m).astype(np.int64), 0, columns - 1)
    known = np.isfinite(relief.heights[row, column])
    left_out.update(dict.fromkeys(chosen[~known].tolist(), NO_HEIGHT))
    if known.any():
        views[chosen[known]] = footprints([seers[i].device for i in chosen[known]], plane, relief)


def _keys(
    devices: Sequence[Device], built: Sequence[bytes], plane: Plane, around: Surroundings, side_m: float
) -> list[bytes]:
    """A hash of everything that the view of each device depends on."""
    models = (around.terrain_sha256, around.surface_sha256)
    common = (_EDITION, *models, around.buildings_m, side_m, *plane.centre)
    told = [
        repr((*common, *one.at, one.range_m, one.azimuth_deg, one.hfov_deg, one.mast_m, one.target_m, near))
        for one, near in zip(devices, built, strict=True)
    ]
    return [hashlib.sha256(one.encode()).digest() for one in told]


def _built(x: Floats, y: Floats, devices: Sequence[Device], buildings: Shapes) -> list[bytes]:
    """A hash of the buildings that each device could be hidden by."""
    hashes = [hashlib.sha256(one).digest() for one in shapely.to_wkb(buildings).tolist()]
    reach = np.array([one.range_m for one in devices]) + 2 * _BUILDING_CELL_M
    device, building = shapely.STRtree(buildings).query(shapely.box(x - reach, y - reach, x + reach, y + reach))
    near: list[list[bytes]] = [[] for _ in devices]
    for one, other in zip(device.tolist(), building.tolist(), strict=True):
        near[one].append(hashes[other])
    return [hashlib.sha256(b"".join(sorted(some))).digest() for some in near]
