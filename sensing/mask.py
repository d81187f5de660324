"""Which pixels count: validity of the sensor's own data, and privacy zones burnt into the pixels.

Everything that is shown, cached or analysed went through here first; no other module sees a pixel of a
privacy zone (design.md 6, reliability.md P14).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from geo import crs as metric
from geo.zones import SHORTEST_DEGREE_M
from sensing.grid import WGS84, Grid, moved

Mask = NDArray[np.bool_]

# A straight edge of 100 m in longitude and latitude bends by less than a millimetre in any usual grid.
_EDGE_STEP_DEG = 0.001
# Every pixel that a zone touches is burnt, and its eight neighbours too: what lies on the rim is blurred across it.
_HALO_PX = 2
# Nearer to a pole than this, a metre is any number of degrees of longitude.
_POLAR_DEG = 89.0


@dataclass(frozen=True)
class Zone:
    """A privacy zone that applies to an image: public id, version, and everything it covers (EPSG:4326)."""

    public_id: str
    version: int
    geom: BaseGeometry
    buffer_m: float = 0.0


def validity(
    data: NDArray[Any],
    *,
    nodata: Sequence[float | None] = (),
    alpha: NDArray[Any] | None = None,
    mask: NDArray[Any] | None = None,
) -> Mask:
    """Whether each pixel holds a measurement; `data` is bands x height x width.

    A pixel is void when any band holds its nodata value or is not finite, where alpha is zero, or where the file's own
    mask says so: what one band did not measure, no index of several bands can say. But 0 is also how dark a pixel can
    be: where that is the nodata value, all bands have to hold it. `nodata` is None for a band that has no such value,
    or that nothing uses.
    """
    valid = np.ones(data.shape[1:], dtype=np.bool_)
    if np.issubdtype(data.dtype, np.floating):
        valid &= np.isfinite(data).all(axis=0)
    told = [(band, value) for band, value in zip(data, nodata, strict=False) if value is not None]
    for band, value in told:
        if value != 0:
            valid &= ~np.isnan(band) if np.isnan(value) else band != value
    black = [band == 0 for band, value in told if value == 0]
    if black:
        valid &= ~np.logical_and.reduce(black)
    for given in (alpha, mask):
        if given is not None:
            valid &= given != 0
    return valid


def zone_version(zones: Iterable[Zone]) -> str:
    """SHA-256 over the zones in force: the same for any order, another for any change of one of them."""
    rows = sorted(
        [zone.public_id, zone.version, zone.buffer_m, shapely.to_wkt(zone.geom, rounding_precision=9)] for zone in zones
    )
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def grown(zone: Zone, margin_m: float) -> BaseGeometry:
    """The zone with its own buffer and with the position error of the image around it, EPSG:4326."""
    reach_m = zone.buffer_m + margin_m
    if reach_m <= 0:
        return zone.geom
    epsg = metric.utm_epsg_of(zone.geom)
    return metric.to_wgs84(metric.to_metric(zone.geom, epsg).buffer(reach_m), epsg)


def within_reach(shape: BaseGeometry, reach_m: float) -> shapely.Polygon:
    """A box around a shape (EPSG:4326) that holds every place within a distance of it; rather too large."""
    west, south, east, north = shape.bounds
    high_deg = reach_m / SHORTEST_DEGREE_M
    furthest_lat = min(max(abs(south - high_deg), abs(north + high_deg)), _POLAR_DEG)
    wide_deg = high_deg / math.cos(math.radians(furthest_lat))
    return shapely.box(
        max(west - wide_deg, -180), max(south - high_deg, -90), min(east + wide_deg, 180), min(north + high_deg, 90)
    )


class ZoneBurner:
    """Privacy zones on the grid of one raster; windows of any size give the same answer for the same pixel."""

    def __init__(self, shapes: Iterable[BaseGeometry], crs: CRS, transform: Affine) -> None:
        """Take zones in EPSG:4326 to the grid. Raises ValueError when one cannot be placed: then nothing is stored."""
        placed = [_on_grid(shape, crs) for shape in shapes]
        self._transform = transform
        self._tree = shapely.STRtree(placed)

    @classmethod
    def on(cls, grid: Grid, shapes: Iterable[BaseGeometry]) -> Self:
        """The burner of a raster's grid."""
        return cls(shapes, CRS.from_wkt(grid.crs_wkt), grid.transform)

    def burn(self, window: Window) -> Mask:
        """The pixels of `window` that a zone touches, and their eight neighbours."""
        rows, columns = int(window.height), int(window.width)
        shape = (rows + 2 * _HALO_PX, columns + 2 * _HALO_PX)
        origin = self._transform @ Affine.translation(window.col_off - _HALO_PX, window.row_off - _HALO_PX)
        outline = shapely.Polygon([origin @ corner for corner in _corners(shape)])
        near = self._tree.geometries.take(self._tree.query(outline))
        if not near.size:
            return np.zeros((rows, columns), dtype=np.bool_)
        touched = rasterize(
            list(near), out_shape=shape, transform=origin, all_touched=True, default_value=1, dtype="uint8"
        )
        near_rows = touched[1:-3] | touched[2:-2] | touched[3:-1]
        burnt: Mask = (near_rows[:, 1:-3] | near_rows[:, 2:-2] | near_rows[:, 3:-1]) > 0
        return burnt


def _corners(shape: tuple[int, int]) -> list[tuple[int, int]]:
    rows, columns = shape
    return [(0, 0), (columns, 0), (columns, rows), (0, rows)]


def _on_grid(shape: BaseGeometry, crs: CRS) -> BaseGeometry:
    placed = moved(shapely.segmentize(shape, _EDGE_STEP_DEG), WGS84, crs)
    if not np.isfinite(shapely.get_coordinates(placed)).all():
        raise ValueError("a privacy zone cannot be placed on the grid of the image")
    return placed
