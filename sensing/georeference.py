"""The georeference gate: an image whose place on the ground is unknown is refused, with the reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS as RasterCRS
from rasterio.errors import RasterioError
from rasterio.warp import calculate_default_transform

from geo.crs import utm_epsg
from geo.measure import WGS84
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid
from sensing.grid import Grid
from sensing.header import GroundPoint, HeaderReport, finite, too_many_pixels

_FINEST_M = 0.001
_COARSEST_M = 10_000.0
_FEWEST_GCPS = 4
# GDAL bends a plane through few points and a second-order surface through many; the error is judged alike.
_MANY_GCPS = 10
_WORST_GCP_ERROR_PX = 5.0
_EDGE_POINTS = 21

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Georeference:
    """Where an image lies: its target grid, how that was found, and how wrong a place can be.

    `position_error_m` is None where the file says nothing about it. `footprint` is in EPSG:4326, `gsd_m` is the
    ground size of a pixel at the centre (the root of its area).
    """

    method: Literal["affine", "gcp"]
    grid: Grid
    gsd_m: float
    footprint: shapely.Polygon
    position_error_m: float | None


def locate(report: HeaderReport, *, most_pixels: int = limit("raster.pixels")) -> Georeference:
    """The place of an image from its affine transform or its ground control points.

    Raises RuleViolation `raster.crs` or `raster.transform` when there is neither, or when it makes no sense.
    """
    if report.crs_wkt and report.transform:
        return _affine(report, report.crs_wkt, Affine(*report.transform))
    if report.gcps and report.gcp_crs_wkt:
        return _control_points(report, report.gcp_crs_wkt, most_pixels)
    if report.has_rpc:
        raise invalid("raster.transform", "raster.rpc_only")
    if report.crs_wkt or report.gcps:
        raise invalid("raster.transform" if report.crs_wkt else "raster.crs", "raster.half_placed")
    raise invalid("raster.crs", "raster.unplaced")


def _affine(report: HeaderReport, crs_wkt: str, transform: Affine) -> Georeference:
    numbers = tuple(transform)[:6]
    if not finite(numbers) or not math.isfinite(transform.determinant) or transform.determinant == 0:
        raise invalid("raster.transform", "raster.transform", measured=str(numbers))
    grid = Grid(crs_wkt, transform, report.width, report.height)
    footprint = outline(grid)
    return Georeference("affine", grid, usual_resolution_m(grid), footprint, None)


def _control_points(report: HeaderReport, crs_wkt: str, most_pixels: int) -> Georeference:
    points = report.gcps
    if len(points) < _FEWEST_GCPS or not all(finite((p.row, p.col, p.x, p.y)) for p in points):
        raise invalid("raster.transform", "raster.gcps", measured=len(points), required=_FEWEST_GCPS)
    lons, lats = Transformer.from_crs(CRS.from_wkt(crs_wkt), 4326, always_xy=True).transform(
        [p.x for p in points], [p.y for p in points]
    )
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        raise invalid("raster.crs", "raster.crs_unusable", measured=crs_wkt[:60])
    target = CRS.from_epsg(utm_epsg(LonLat(float(np.mean(lons)), float(np.mean(lats)))))
    controls = [GroundControlPoint(row=p.row, col=p.col, x=p.x, y=p.y, z=0.0) for p in points]
    try:
        transform, width, height = calculate_default_transform(
            RasterCRS.from_wkt(crs_wkt),
            RasterCRS.from_wkt(target.to_wkt()),
            report.width,
            report.height,
            gcps=controls,
        )
    except RasterioError as error:
        raise invalid("raster.transform", "raster.gcps", measured=len(points), required=_FEWEST_GCPS) from error
    if big := list(too_many_pixels(width, height, most_pixels)):
        raise RuleViolation(Kind.TOO_LARGE, big)
    grid = Grid(target.to_wkt(), transform, int(width), int(height))
    gsd_m = ground_resolution_m(grid)
    error_m = _residual_m(points, np.asarray(lons), np.asarray(lats))
    if not error_m <= _WORST_GCP_ERROR_PX * _rough_pixel_m(points, np.asarray(lons), np.asarray(lats)):
        raise invalid("raster.transform", "raster.gcp_error", measured=f"{error_m:.0f} m")
    return Georeference("gcp", grid, gsd_m, outline(grid), round(error_m, 2))


def _residual_m(points: Sequence[GroundPoint], lons: Floats, lats: Floats) -> float:
    """The root mean square distance of control points from the smooth surface through all of them."""
    col, row = np.array([[p.col, p.row] for p in points]).T
    col, row = col / max(float(col.max()), 1.0), row / max(float(row.max()), 1.0)
    terms = [np.ones_like(col), col, row]
    if len(points) >= _MANY_GCPS:
        terms += [col * row, col**2, row**2]
    design = np.stack(terms, axis=1)
    fitted = design @ np.linalg.lstsq(design, np.stack([lons, lats], axis=1), rcond=None)[0]
    _, _, away_m = WGS84.inv(lons, lats, fitted[:, 0], np.clip(fitted[:, 1], -90, 90))
    return float(np.sqrt(np.mean(np.square(away_m))))


def _rough_pixel_m(points: Sequence[GroundPoint], lons: Floats, lats: Floats) -> float:
    """The size of a pixel by the spread of the points alone, so that one wild point cannot excuse itself."""
    spread_px = math.hypot(np.ptp([p.col for p in points]), np.ptp([p.row for p in points]))
    _, _, spread_m = WGS84.inv(lons.min(), lats.min(), lons.max(), lats.max())
    return float(spread_m) / max(spread_px, 1.0)


def outline(grid: Grid) -> shapely.Polygon:
    """The rim of a grid in EPSG:4326, with points along its edges because they bend.

    Raises RuleViolation `raster.transform` when the rim does not lie on the earth.
    """
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)[:-1]
    column = np.concatenate([steps, np.ones_like(steps), 1 - steps, np.zeros_like(steps)]) * grid.width
    row = np.concatenate([np.zeros_like(steps), steps, np.ones_like(steps), 1 - steps]) * grid.height
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    change = Transformer.from_crs(CRS.from_wkt(grid.crs_wkt), 4326, always_xy=True)
    lons, lats = change.transform(a * column + b * row + c, d * column + e * row + f)
    on_earth = np.isfinite(lons) & np.isfinite(lats) & (np.abs(lats) <= 90) & (np.abs(lons) <= 180)
    if not on_earth.all():
        raise invalid("raster.transform", "raster.off_earth")
    rim = shapely.Polygon(np.column_stack([lons, lats]))
    if not rim.is_valid or rim.area == 0 or np.ptp(lons) > 180:
        raise invalid("raster.transform", "raster.off_earth")
    return rim


def usual_resolution_m(grid: Grid) -> float:
    """The ground size of a pixel, metres; raises RuleViolation `raster.transform` where no sensor has such pixels."""
    gsd_m = ground_resolution_m(grid)
    if not _FINEST_M <= gsd_m <= _COARSEST_M:
        raise invalid("raster.transform", "raster.resolution", measured=f"{gsd_m:g} m")
    return gsd_m


def ground_resolution_m(grid: Grid) -> float:
    """The ground size of the pixel at the centre: the root of its area on the ellipsoid, metres.

    From two sides and the angle between them: the area of a polygon on the ellipsoid is blind below some millimetres.
    """
    change = Transformer.from_crs(CRS.from_wkt(grid.crs_wkt), 4326, always_xy=True)
    middle = grid.transform @ Affine.translation(grid.width / 2 - 0.5, grid.height / 2 - 0.5)
    corner, right, below = (middle @ place for place in ((0, 0), (1, 0), (0, 1)))
    lons, lats = change.transform([corner[0], right[0], below[0]], [corner[1], right[1], below[1]])
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        raise invalid("raster.transform", "raster.off_earth")
    bearings_deg, _, sides_m = WGS84.inv([lons[0]] * 2, [lats[0]] * 2, lons[1:], lats[1:])
    angle = math.radians(bearings_deg[1] - bearings_deg[0])
    return math.sqrt(abs(sides_m[0] * sides_m[1] * math.sin(angle)))
