"""The georeference gate: an image whose place on the ground is unknown is refused, with the reason."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.transformer import TransformerGroup
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS as RasterCRS
from rasterio.errors import RasterioError
from rasterio.warp import calculate_default_transform

from geo.crs import transformer, utm_epsg
from geo.measure import WGS84
from geo.photo_ground import DEM_SIGMA_M, Ground
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid
from sensing.grid import Grid, horizontal
from sensing.header import GroundPoint, HeaderReport, finite, too_many_pixels
from sensing.positions import Basis, Position, same_as_wgs84_m, usual
from sensing.relief import Relief
from sensing.rpc import Rpc

_FINEST_M = 0.001
_COARSEST_M = 10_000.0
_FEWEST_GCPS = 4
# GDAL bends a plane through few points and a second-order surface through many; the error is judged alike.
_MANY_GCPS = 10
_WORST_GCP_ERROR_PX = 5.0
# Control points that spread so little across the line through them lie on it.
_THINNEST = 1e-3
_EDGE_POINTS = 21
# Sensor models reckon with heights above the ellipsoid, elevation models give those above the sea. The two differ by
# this much, one sigma over the earth; what that moves depends on how obliquely the sensor looked.
_GEOID_SIGMA_M = 30.6
_ROUNDS = 12
_SAME_HEIGHT_M = 0.5
_MAX_LATITUDE_DEG = 84.0  # where UTM ends

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Georeference:
    """Where an image lies: its target grid, how that was found, and how wrong a place can be.

    `position` is None where the file says nothing about it, `datum_error_m` where nobody knows how the datum of the
    CRS lies to WGS 84. `relief` is the ground under what a sensor model places.
    `footprint` is in EPSG:4326, `gsd_m` is the
    ground size of a pixel at the centre (the root of its area).
    """

    method: Literal["affine", "gcp", "rpc"]
    grid: Grid
    gsd_m: float
    footprint: shapely.Polygon
    position: Position | None = None
    relief: Relief | None = None
    datum_error_m: float | None = 0.0

    @property
    def position_error_m(self) -> float | None:
        """The error alone, metres."""
        return self.position.error_m if self.position else None


def locate(
    report: HeaderReport, *, ground: Ground | None = None, most_pixels: int = limit("raster.pixels")
) -> Georeference:
    """The place of an image: its affine transform, its control points, or its sensor model over an elevation model.

    Raises RuleViolation `raster.crs`, `raster.transform` or `raster.rpc` when there is none, or when it makes no sense.
    """
    if report.crs_wkt and report.transform:
        return _affine(report, horizontal(report.crs_wkt), Affine(*report.transform))
    if report.gcps and report.gcp_crs_wkt:
        return _control_points(report, report.gcp_crs_wkt, most_pixels)
    if report.rpc:
        return _sensor_model(report, report.rpc, ground, most_pixels)
    if report.crs_wkt or report.gcps:
        raise invalid("raster.transform" if report.crs_wkt else "raster.crs", "raster.half_placed")
    raise invalid("raster.crs", "raster.unplaced")


def _affine(report: HeaderReport, crs_wkt: str, transform: Affine) -> Georeference:
    numbers = tuple(transform)[:6]
    if not finite(numbers) or not math.isfinite(transform.determinant) or transform.determinant == 0:
        raise invalid("raster.transform", "raster.transform", measured=str(numbers))
    grid = Grid(crs_wkt, transform, report.width, report.height)
    footprint = outline(grid)
    gsd_m = usual_resolution_m(grid)
    return Georeference("affine", grid, gsd_m, footprint, datum_error_m=_datum_error_m(crs_wkt, footprint))


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
    if _lie_in_line([p.col for p in points], [p.row for p in points]) or _lie_in_line(lons, lats):
        raise invalid("raster.transform", "raster.gcps_in_line", measured=len(points))
    controls = [GroundControlPoint(row=p.row, col=p.col, x=p.x, y=p.y, z=0.0) for p in points]
    try:
        transform, width, height = calculate_default_transform(
            RasterCRS.from_wkt(crs_wkt),
            RasterCRS.from_wkt(target.to_wkt()),
            report.width,
            report.height,
            gcps=controls,
        )
    # What GDAL itself says of points that it cannot bend a surface through is no RasterioError.
    except (RasterioError, CPLE_BaseError) as error:
        raise invalid("raster.transform", "raster.gcps_in_line", measured=len(points)) from error
    if big := list(too_many_pixels(width, height, most_pixels)):
        raise RuleViolation(Kind.TOO_LARGE, big)
    grid = Grid(target.to_wkt(), transform, int(width), int(height))
    gsd_m = ground_resolution_m(grid)
    error_m = _residual_m(points, np.asarray(lons), np.asarray(lats))
    if not error_m <= _WORST_GCP_ERROR_PX * _rough_pixel_m(points, np.asarray(lons), np.asarray(lats)):
        raise invalid("raster.transform", "raster.gcp_error", measured=f"{error_m:.0f} m")
    position = Position(round(error_m, 2), Basis.RESIDUAL, f"{len(points)} control points")
    shown = outline(grid)
    return Georeference("gcp", grid, gsd_m, shown, position, datum_error_m=_datum_error_m(crs_wkt, shown))


def _lie_in_line(across: ArrayLike, down: ArrayLike) -> bool:
    """Whether points lie in one place or on one line: then any plane through that line fits them."""
    spread = np.column_stack([across, down]).astype(float)
    widest, narrowest = np.linalg.svd(spread - spread.mean(axis=0), compute_uv=False)
    return bool(narrowest <= _THINNEST * widest)


def _datum_error_m(crs_wkt: str, shown: shapely.Polygon) -> float | None:
    """What taking a CRS to WGS 84 adds to the error of a place; None where nobody has published how."""
    crs = CRS.from_wkt(crs_wkt)
    with warnings.catch_warnings():
        # It warns that a finer way would need a grid of corrections; the error of the way that is there is told.
        warnings.simplefilter("ignore")
        around = AreaOfInterest(*shown.bounds)
        # The stub names a class of the same name in a module of its own.
        ways = TransformerGroup(crs, 4326, always_xy=True, area_of_interest=around)  # type: ignore[arg-type, unused-ignore]
    best = ways.transformers[0].accuracy if ways.transformers else -1.0
    if best >= 0:
        return float(best)
    return same_as_wgs84_m(crs.geodetic_crs.datum.name) if crs.geodetic_crs and crs.geodetic_crs.datum else None


def _sensor_model(report: HeaderReport, rpc: Rpc, ground: Ground | None, most_pixels: int) -> Georeference:
    if not rpc.is_usable:
        raise invalid("raster.rpc", "raster.rpc_numbers")
    if ground is None:
        raise invalid("raster.rpc", "raster.rpc_only")
    rim, heights_m = _on_the_ground(report, rpc, ground)
    if rim is None:
        raise invalid("raster.rpc", "raster.rpc_uncovered", measured=f"{rpc.long_off:.3f}, {rpc.lat_off:.3f}")
    epsg = utm_epsg(LonLat(float(rim[0].mean()), float(rim[1].mean())))
    x, y = transformer(4326, epsg).transform(*rim)
    pixel_m = math.sqrt(shapely.Polygon(np.column_stack([x, y])).area / (report.width * report.height))
    if not _FINEST_M <= pixel_m <= _COARSEST_M:
        raise invalid("raster.transform", "raster.resolution", measured=f"{pixel_m:g} m")
    # Whole pixels of the map grid: scenes of one sensor then lie on one another without a shift.
    west, north = math.floor(x.min() / pixel_m) * pixel_m, math.ceil(y.max() / pixel_m) * pixel_m
    width, height = math.ceil((x.max() - west) / pixel_m), math.ceil((north - y.min()) / pixel_m)
    if big := list(too_many_pixels(width, height, most_pixels)):
        raise RuleViolation(Kind.TOO_LARGE, big)
    grid = Grid(CRS.from_epsg(epsg).to_wkt(), Affine(pixel_m, 0, west, 0, -pixel_m, north), width, height)
    relief = Relief.over((west, y.min(), x.max(), north), grid.crs_wkt, ground, 4 * pixel_m)
    footprint = shapely.Polygon(np.column_stack(rim))
    if not footprint.is_valid:
        raise invalid("raster.rpc", "raster.rpc_numbers")
    position = _sensor_error(report, rpc, heights_m)
    return Georeference("rpc", grid, pixel_m, footprint, position, relief)


def _on_the_ground(report: HeaderReport, rpc: Rpc, ground: Ground) -> tuple[tuple[Floats, Floats] | None, float]:
    """The rim of an image on the ground (longitudes, latitudes), and the usual height there; None off the model."""
    column, row = _rim(report.width, report.height)
    heights_m = np.full(len(column), rpc.height_off)
    known_m = np.empty(0)
    for _ in range(_ROUNDS):
        lons, lats = rpc.places(column, row, heights_m)
        if not (np.isfinite(lons) & np.isfinite(lats) & (np.abs(lats) <= _MAX_LATITUDE_DEG)).all():
            raise invalid("raster.rpc", "raster.rpc_numbers")
        found_m = ground.heights_m(lons, lats)
        known_m = found_m[np.isfinite(found_m)]
        if not known_m.size:
            return None, math.nan
        # Where the elevation model ends, the rim is drawn at the usual height; its pixels stay void.
        found_m = np.where(np.isfinite(found_m), found_m, np.median(known_m))
        if np.abs(found_m - heights_m).max() < _SAME_HEIGHT_M:
            break
        heights_m = found_m
    return (lons, lats), float(np.median(known_m))


def _sensor_error(report: HeaderReport, rpc: Rpc, height_m: float) -> Position:
    """What the producer states, else what is usual; and what unknown heights move on the ground, seen so obliquely."""
    middle = np.array([report.width / 2]), np.array([report.height / 2])
    low, high = (rpc.places(*middle, np.array([height_m + offset])) for offset in (0.0, 100.0))
    _, _, moved_m = WGS84.inv(low[0][0], low[1][0], high[0][0], high[1][0])
    slant = moved_m / 100.0
    stated_m = rpc.stated_error_m
    own = Position(stated_m, Basis.FILE, "errBias, errRand") if stated_m else usual("satellite_rpc")
    error_m = math.hypot(own.error_m, slant * _GEOID_SIGMA_M, slant * DEM_SIGMA_M)
    about = f"{own.source}; heights above the sea taken for heights above the ellipsoid, view {slant:.2f} m per m"
    return Position(round(error_m, 2), own.basis, about)


def _residual_m(points: Sequence[GroundPoint], lons: Floats, lats: Floats) -> float:
    """The distance of control points from the smooth surface through all of them, one sigma."""
    col, row = np.array([[p.col, p.row] for p in points]).T
    col, row = col / max(float(col.max()), 1.0), row / max(float(row.max()), 1.0)
    terms = [np.ones_like(col), col, row]
    if len(points) >= _MANY_GCPS:
        terms += [col * row, col**2, row**2]
    design = np.stack(terms, axis=1)
    fitted = design @ np.linalg.lstsq(design, np.stack([lons, lats], axis=1), rcond=None)[0]
    _, _, away_m = WGS84.inv(lons, lats, fitted[:, 0], np.clip(fitted[:, 1], -90, 90))
    # What the surface has bent itself to says nothing: only the points beyond its own terms do.
    return float(np.sqrt(np.square(away_m).sum() / (len(points) - len(terms))))


def _rough_pixel_m(points: Sequence[GroundPoint], lons: Floats, lats: Floats) -> float:
    """The size of a pixel by the spread of the points alone, so that one wild point cannot excuse itself."""
    spread_px = math.hypot(np.ptp([p.col for p in points]), np.ptp([p.row for p in points]))
    _, _, spread_m = WGS84.inv(lons.min(), lats.min(), lons.max(), lats.max())
    return float(spread_m) / max(spread_px, 1.0)


def outline(grid: Grid) -> shapely.Polygon:
    """The rim of a grid in EPSG:4326, with points along its edges because they bend.

    Raises RuleViolation `raster.transform` when the rim does not lie on the earth.
    """
    column, row = _rim(grid.width, grid.height)
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


def _rim(width: int, height: int) -> tuple[Floats, Floats]:
    """Columns and rows once round an image."""
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)[:-1]
    column = np.concatenate([steps, np.ones_like(steps), 1 - steps, np.zeros_like(steps)]) * width
    row = np.concatenate([np.zeros_like(steps), steps, np.ones_like(steps), 1 - steps]) * height
    return column, row


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
