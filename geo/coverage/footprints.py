"""What each device sees: sectors and discs over the ground, cut to what hills and buildings leave in sight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from geo import measure
from geo.coverage.plane import Plane
from geo.coverage.sight_lines import Lookout, visible_of
from geo.coverage.traced import Grid, polygons_of_cells
from geo.types import LonLat
from schemas.refusals import Kind, Refusal, RuleViolation, refuse

Shapes = NDArray[np.object_]

# A chord of five degrees leaves out a thousandth of the arc's height.
_CHORD_DEG = 5.0
_FULL_TURN_DEG = 360.0
# Pixels per metre of target that EN 62676-4:2015, table 3, asks for.
DENSITIES_PX_PER_M = {"monitor": 12.5, "detect": 25.0, "observe": 62.5, "recognise": 125.0, "identify": 250.0}


@dataclass(frozen=True)
class Device:
    """A device as far as its view goes.

    `azimuth_deg` is clockwise from true north and `hfov_deg` the full width of the view; both None for what sees
    all round: radar, noise and air sensors, and cameras that turn. `mast_m` is the height of the lens above the
    ground, `target_m` that of what it must see.
    """

    at: LonLat
    range_m: float
    azimuth_deg: float | None = None
    hfov_deg: float | None = None
    mast_m: float = 6.0
    target_m: float = 1.5


@dataclass(frozen=True)
class Relief:
    """Heights of the ground, or of the ground with what stands on it, on square cells of a plane.

    `heights` has its first row in the north; `west` and `north` are its corner. NaN where nothing is known.
    """

    heights: NDArray[np.float32]
    west: float
    north: float
    side_m: float


def range_at(density_px_per_m: float, width_px: int, hfov_deg: float) -> float:
    """How far from a camera a metre of target still has so many pixels; see DENSITIES_PX_PER_M."""
    return width_px / (2 * density_px_per_m * math.tan(math.radians(hfov_deg / 2)))


def footprints(devices: Sequence[Device], plane: Plane, relief: Relief | None = None) -> Shapes:
    """What each device sees, as polygons of the plane; with a relief, without what is hidden.

    A device whose view is hidden altogether gets an empty polygon. Raises RuleViolation with every fault of every
    device: a range that is not above zero, a view above 360 degrees, a place outside the relief or in a hole of it.
    """
    _check(devices)
    views = plane.to_metres(_views(devices))
    if relief is None or not len(devices):
        return views
    x, y = plane.metres(*(np.array([device.at[i] for device in devices]) for i in (0, 1)))
    _check_ground(relief, x, y)
    return np.array(
        [_in_sight(*one, relief) for one in zip(views, devices, x, y, strict=True)],
        dtype=object,
    )


def _views(devices: Sequence[Device]) -> Shapes:
    """Geodesic sectors and discs of EPSG:4326, all drawn at once."""
    widths = np.array([_FULL_TURN_DEG if one.hfov_deg is None else one.hfov_deg for one in devices], np.float64)
    middles = np.array([0.0 if one.azimuth_deg is None else one.azimuth_deg for one in devices], np.float64)
    ranges = np.array([one.range_m for one in devices], np.float64)
    lons, lats = (np.array([one.at[i] for one in devices], np.float64) for i in (0, 1))
    chords = np.maximum(np.ceil(widths / _CHORD_DEG), 2).astype(np.int64)
    device = np.repeat(np.arange(len(devices)), chords + 1)
    step = np.arange(len(device)) - np.repeat(np.cumsum(chords + 1) - chords - 1, chords + 1)
    bearings = (middles - widths / 2)[device] + (widths / chords)[device] * step
    # Arcs reach as far beyond their chords' middles as they fall short of them: the area is that of the sector.
    half = np.radians(widths / chords) / 2
    reach = ranges * np.sqrt(half / (np.sin(half) * np.cos(half)))
    arc_lons, arc_lats, _ = measure.WGS84.fwd(lons[device], lats[device], bearings, reach[device])
    full = widths >= _FULL_TURN_DEG
    # A sector begins at its device; a disc does not hold it as a corner, and its last place is its first.
    keep = ~(full[device] & (step == chords[device]))
    places, owner = np.column_stack([arc_lons, arc_lats])[keep], device[keep]
    apexes = np.flatnonzero(~full)
    places = np.concatenate([np.column_stack([lons, lats])[apexes], places])
    owner = np.concatenate([apexes, owner])
    order = np.argsort(owner, kind="stable")
    return cast(Shapes, shapely.polygons(shapely.linearrings(places[order], indices=owner[order])))


def _in_sight(view: BaseGeometry, device: Device, x: float, y: float, relief: Relief) -> BaseGeometry:
    """The part of a view that the relief does not hide, its outline drawn within half a cell of the relief's cells."""
    rows, columns = relief.heights.shape
    row, column = (relief.north - y) / relief.side_m - 0.5, (x - relief.west) / relief.side_m - 0.5
    reach = int(device.range_m / relief.side_m) + 2
    top, left = max(int(row) - reach, 0), max(int(column) - reach, 0)
    window = relief.heights[top : min(int(row) + reach + 1, rows), left : min(int(column) + reach + 1, columns)]
    lookout = Lookout(row - top, column - left, device.mast_m, device.target_m, device.range_m + 2 * relief.side_m)
    west, north = relief.west + left * relief.side_m, relief.north - top * relief.side_m
    place = Affine(relief.side_m, 0, west, 0, -relief.side_m, north)
    wanted = rasterize([view], window.shape, transform=place, all_touched=True) > 0
    seen = visible_of(np.ascontiguousarray(window), relief.side_m, lookout, wanted)
    return _within(view, polygons_of_cells(seen, Grid(west, north, relief.side_m)))


def _within(view: BaseGeometry, outlined: Shapes) -> BaseGeometry:
    """The part of a view that lies in polygons of which no two meet."""
    shapely.prepare(view)
    over = ~shapely.contains_properly(view, outlined)
    outlined[over] = shapely.intersection(outlined[over], view)
    parts = shapely.get_parts(outlined)
    parts = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]
    if not len(parts):
        return shapely.Polygon()
    return cast(BaseGeometry, parts[0] if len(parts) == 1 else shapely.multipolygons(parts))


def faults_of(devices: Sequence[Device]) -> list[Refusal]:
    """Everything that is wrong with the views of devices, each by its number from 1."""
    return [fault for number, device in enumerate(devices, 1) for fault in _faults(number, device)]


def _check(devices: Sequence[Device]) -> None:
    if faults := faults_of(devices):
        raise RuleViolation(Kind.INVALID, faults)


def _faults(number: int, device: Device) -> list[Refusal]:
    faults = []
    if not (math.isfinite(device.range_m) and device.range_m > 0):
        faults.append(refuse("coverage.range", "coverage.range", number=number, measured=device.range_m))
    if device.hfov_deg is not None and not 0 < device.hfov_deg <= _FULL_TURN_DEG:
        faults.append(refuse("coverage.view", "coverage.view", number=number, measured=device.hfov_deg))
    narrow = device.hfov_deg is not None and device.hfov_deg < _FULL_TURN_DEG
    if (narrow and device.azimuth_deg is None) or not math.isfinite(device.azimuth_deg or 0.0):
        faults.append(refuse("coverage.azimuth", "coverage.azimuth", number=number, measured=str(device.azimuth_deg)))
    heights = {"mast_m": device.mast_m, "target_m": device.target_m}
    faults += [
        refuse("coverage.height", "coverage.height", number=number, what=what, measured=height)
        for what, height in heights.items()
        if not (math.isfinite(height) and height >= 0)
    ]
    return faults


def _check_ground(relief: Relief, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    rows, columns = relief.heights.shape
    row = np.floor((relief.north - y) / relief.side_m).astype(np.int64)
    column = np.floor((x - relief.west) / relief.side_m).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    known = inside.copy()
    known[inside] = np.isfinite(relief.heights[row[inside], column[inside]])
    faults = [refuse("coverage.off_relief", "coverage.off_relief", number=int(n) + 1) for n in np.flatnonzero(~inside)]
    faults += [
        refuse("coverage.no_height", "coverage.no_height", number=int(n) + 1) for n in np.flatnonzero(inside & ~known)
    ]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
