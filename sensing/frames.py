"""Photos with a known pose become one georeferenced picture, each projected onto the ground. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, to_wgs84, transformer, utm_epsg
from geo.photo_ground import GPS_SIGMA_M, Doubt, Ground, Look, Seen, onto_picture, seen_by
from geo.photo_ground import Camera as PinHole
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid, refuse
from sensing.grid import Grid
from sensing.header import HeaderReport, PhotoReport, too_many_pixels
from sensing.mask import Mask
from sensing.relief import Floats, Level, Relief

# Tilted further than this, a photo is not put in its place without knowing the ground.
_MAX_TILT_DEG = 10.0
_MIN_AGL_M = 5.0
_MAX_AGL_M = 10_000.0
_MAX_LATITUDE_DEG = 84.0  # where UTM ends
_FINEST_RELIEF_M = 0.5
_BULGE_SHARE = 0.05
_FULL_FRAME_WIDTH_MM = 36.0
# Wider lenses do not draw straight lines straight.
_WIDEST_DEG = 150.0


@dataclass(frozen=True)
class Pose:
    """Where and when a photo was taken, where the camera looked, and what of the ground it shows with which error."""

    look: Look
    captured_at: datetime
    hfov_deg: float
    seen: Seen

    @property
    def alt_agl_m(self) -> float:
        """Height above the ground below."""
        return self.seen.alt_agl_m

    @property
    def position_error_m(self) -> float:
        """How far a place in the photo may lie from where it is put, one sigma at the worst corner."""
        return round(self.seen.error_m, 2)


@dataclass(frozen=True)
class Placement:
    """One photo on the metric grid: the camera's place, its focal length in pixels, where it looks.

    The yaw counts from grid north.

    `alt_m` and `ground_m`, the height of the ground below, count from the datum of the elevation model; `outline` is
    what the photo shows, on the grid.
    """

    east_m: float
    north_m: float
    alt_m: float
    ground_m: float
    focal_px: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    width: int
    height: int
    corners: tuple[tuple[float, float], ...]

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(**plain)

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @property
    def outline(self) -> shapely.Polygon:
        """What the photo shows, on the metric grid."""
        return shapely.Polygon(self.corners)

    @property
    def pixel_m(self) -> float:
        """The size of a pixel where the middle of the photo meets level ground."""
        return (self.alt_m - self.ground_m) / math.sin(math.radians(-self.pitch_deg)) / self.focal_px

    def pixels(self, x: Floats, y: Floats, heights_m: Floats) -> tuple[Floats, Floats]:
        """Columns and rows of the photo that show places of the grid; NaN behind the camera."""
        look = Look(LonLat(0.0, 0.0), self.alt_m, self.yaw_deg, self.pitch_deg, self.roll_deg)
        right, up = onto_picture(look, x - self.east_m, y - self.north_m, heights_m - self.alt_m)
        return self.width / 2 + self.focal_px * right, self.height / 2 - self.focal_px * up


@dataclass(frozen=True)
class MosaicPlan:
    """A metric grid that holds all photos, their places on it, the ground under them, and how wrong a place can be."""

    grid: Grid
    placements: tuple[Placement, ...]
    relief: Relief | None
    footprint: BaseGeometry
    captured_at: datetime
    captured_until: datetime
    position_error_m: float


def pose_of(
    report: HeaderReport,
    name: str,
    *,
    hfov_deg: float | None = None,
    utc_offset: timedelta | None = None,
    ground: Ground | None = None,
) -> Pose:
    """The pose that a photo states; heights come from the elevation model, else from the height above take-off.

    `hfov_deg` goes before the photo's own focal length; `utc_offset` serves photos that write a local time alone.
    Raises RuleViolation naming everything that the photo does not say and that no option gives.
    """
    photo = report.photo or PhotoReport()
    camera_deg = _camera_deg(hfov_deg if hfov_deg is not None else _lens_deg(photo, report.width), name)
    captured_at = _instant(photo.taken, utc_offset)
    at = _position(photo)
    yaw_deg, pitch_deg = photo.heading_deg, photo.gimbal_pitch_deg
    if camera_deg is None or captured_at is None or at is None or yaw_deg is None or pitch_deg is None:
        gaps = {
            "GPSLatitude, GPSLongitude": at,
            "DateTimeOriginal, OffsetTimeOriginal": captured_at,
            "FlightYawDegree": yaw_deg,
            "GimbalPitchDegree": pitch_deg,
            "CalibratedFocalLength or FocalLengthIn35mmFilm": camera_deg,
        }
        absent = ", ".join(tag for tag, value in gaps.items() if value is None)
        raise invalid("frame.pose", "frame.pose", name=name, measured=absent)
    # Steeper than straight down is a reading error of the gimbal.
    look = Look(at, 0.0, yaw_deg % 360, max(pitch_deg, -90.0), photo.gimbal_roll_deg or 0.0)
    look, seen = _seen(photo, look, PinHole.of(camera_deg, report.width, report.height), ground, name)
    return Pose(look, captured_at, camera_deg, seen)


def _seen(photo: PhotoReport, look: Look, camera: PinHole, ground: Ground | None, name: str) -> tuple[Look, Seen]:
    """What a camera shows of the ground, and its look with the height that it has."""
    at, pitch_deg = look.at, look.pitch_deg
    below_m = float(ground.heights_m(np.array([at.lon]), np.array([at.lat]))[0]) if ground else math.nan
    known = ground if math.isfinite(below_m) else None
    alt_m, measured = _height(photo, below_m, name)
    look = replace(look, alt_amsl_m=alt_m)
    if known is None and abs(pitch_deg + 90) > _MAX_TILT_DEG:
        raise invalid("frame.tilt", "frame.tilt", name=name, measured=pitch_deg, required=_MAX_TILT_DEG)
    doubt = Doubt(gps_m=photo.gps_error_m or GPS_SIGMA_M, ground_known=known is not None and measured)
    seen = seen_by(look, camera, known or Level(0.0), doubt)
    if seen is None:
        raise invalid("frame.tilt", "frame.horizon", name=name, measured=pitch_deg)
    return look, seen


def _camera_deg(hfov_deg: float | None, name: str) -> float | None:
    if hfov_deg is not None and not 0 < hfov_deg <= _WIDEST_DEG:
        raise invalid("frame.lens", "frame.lens", name=name, measured=f"{hfov_deg:g}", required=_WIDEST_DEG)
    return hfov_deg


def _lens_deg(photo: PhotoReport, width_px: int) -> float | None:
    """The field of view by the calibrated focal length, else by the rounded one that every photo carries."""
    for focal, width in ((photo.focal_px, width_px), (photo.focal_35mm, _FULL_FRAME_WIDTH_MM)):
        if focal is not None and focal > 0:
            return math.degrees(2 * math.atan(width / 2 / focal))
    return None


def _instant(taken: str | None, utc_offset: timedelta | None) -> datetime | None:
    """The instant of an EXIF time; without an offset from anywhere it names none."""
    try:
        instant = datetime.fromisoformat(taken or "")
    except ValueError:
        return None
    if instant.tzinfo is None and utc_offset is not None:
        instant = instant.replace(tzinfo=timezone(utc_offset))
    return instant.astimezone(UTC) if instant.tzinfo else None


def _position(photo: PhotoReport) -> LonLat | None:
    if photo.lon is None or photo.lat is None or abs(photo.lon) > 180 or abs(photo.lat) > _MAX_LATITUDE_DEG:
        return None
    return LonLat(photo.lon, photo.lat)


def _height(photo: PhotoReport, below_m: float, name: str) -> tuple[float, bool]:
    """The camera's height above the datum of the ground, and whether it was measured from there.

    Without the ground's height the datum is the ground, and the take-off point's height stands in for it.
    """
    if photo.alt_amsl_m is not None and math.isfinite(below_m):
        alt_m, measured = photo.alt_amsl_m, True
    elif photo.alt_above_takeoff_m is not None:
        alt_m, measured = photo.alt_above_takeoff_m + (below_m if math.isfinite(below_m) else 0.0), False
    else:
        raise invalid("frame.pose", "frame.no_height", name=name)
    alt_agl_m = alt_m - below_m if math.isfinite(below_m) else alt_m
    if not _MIN_AGL_M <= alt_agl_m <= _MAX_AGL_M:
        usual = f"{_MIN_AGL_M:g} – {_MAX_AGL_M:g}"
        raise invalid("frame.height", "frame.height", name=name, measured=round(alt_agl_m, 1), required=usual)
    return alt_m, measured


def plan_mosaic(
    reports: Sequence[HeaderReport],
    poses: Sequence[Pose],
    *,
    ground: Ground | None = None,
    most_pixels: int = limit("raster.pixels"),
) -> MosaicPlan:
    """The common metric grid of photos and their places on it, at the resolution of the median photo.

    Raises RuleViolation `raster.pixels` or `frame.apart` when the photos lie so far apart that the grid is too large,
    or nearly empty.
    """
    epsg = utm_epsg(poses[0].look.at)
    placements = tuple(_place(report, pose, epsg) for report, pose in zip(reports, poses, strict=True))
    pixel_m = float(np.median([placement.pixel_m for placement in placements]))
    seen = shapely.union_all([placement.outline for placement in placements])
    west, south, east, north = seen.bounds
    width, height = math.ceil((east - west) / pixel_m), math.ceil((north - south) / pixel_m)
    found = list(too_many_pixels(width, height, most_pixels))
    taken = sum(report.width * report.height for report in reports)
    if width * height > limit("raster.ratio") * taken:
        found.append(refuse("frame.apart", "frame.apart", measured=round(width * height / taken)))
    if found:
        raise RuleViolation(Kind.TOO_LARGE, found)
    transform = Affine.translation(west, north) @ Affine.scale(pixel_m, -pixel_m)
    grid = Grid(CRS.from_epsg(epsg).to_wkt(), transform, width, height)
    times = sorted(pose.captured_at for pose in poses)
    return MosaicPlan(
        grid,
        placements,
        Relief.over(seen.bounds, grid.crs_wkt, ground, max(4 * pixel_m, _FINEST_RELIEF_M)) if ground else None,
        to_wgs84(seen, epsg),
        times[0],
        times[-1],
        max(pose.position_error_m for pose in poses),
    )


def _place(report: HeaderReport, pose: Pose, epsg: int) -> Placement:
    at, look = pose.look.at, pose.look
    east_m, north_m = transformer(4326, epsg).transform(at.lon, at.lat)
    # Grid north is not true north: the meridian converges on the zone's middle.
    ahead = transformer(4326, epsg).transform(at.lon, at.lat + 1e-4)
    convergence_deg = math.degrees(math.atan2(ahead[0] - east_m, ahead[1] - north_m))
    return Placement(
        east_m=east_m,
        north_m=north_m,
        alt_m=look.alt_amsl_m,
        ground_m=look.alt_amsl_m - pose.alt_agl_m,
        focal_px=report.width / 2 / math.tan(math.radians(pose.hfov_deg / 2)),
        yaw_deg=look.yaw_deg + convergence_deg,
        pitch_deg=look.pitch_deg,
        roll_deg=look.roll_deg,
        width=report.width,
        height=report.height,
        corners=tuple(map(tuple, shapely.get_coordinates(to_metric(pose.seen.footprint, epsg)).tolist())),
    )


def draw(
    window: Window,
    transform: Affine,
    placements: Sequence[Placement],
    photo: Callable[[int], NDArray[np.uint8]],
    relief: Relief | None = None,
) -> tuple[NDArray[np.uint8], Mask]:
    """One window of the mosaic (3 x height x width) and where any photo shows it.

    Each pixel is taken from the photo that looks at it most steeply: there the error is least.
    """
    rows, columns = int(window.height), int(window.width)
    across, down = np.arange(columns) + window.col_off + 0.5, np.arange(rows) + window.row_off + 0.5
    known_m = relief.at(transform, across, down) if relief else np.full((rows, columns), np.nan)
    steepest = np.full((rows, columns), np.inf)
    picture = np.zeros((3, rows, columns), dtype=np.uint8)
    for index, placement in enumerate(placements):
        part = _part(placement.outline, transform, window)
        if part is None:
            continue
        x, y = np.meshgrid(transform.c + transform.a * across[part[1]], transform.f + transform.e * down[part[0]])
        heights_m = np.where(np.isfinite(known_m[part]), known_m[part], placement.ground_m)
        aside = np.hypot(x - placement.east_m, y - placement.north_m) / np.maximum(placement.alt_m - heights_m, 0.1)
        column, row = placement.pixels(x, y, heights_m)
        with np.errstate(invalid="ignore"):
            inside = (column >= 0) & (column < placement.width) & (row >= 0) & (row < placement.height)
        better = inside & (aside < steepest[part])
        if better.any():
            taken = photo(index)[:, row[better].astype(np.int64), column[better].astype(np.int64)]
            # Pure black is what a camera stores where it has nothing to store.
            shown = taken.any(axis=0)
            better[better] = shown
            picture[:, *part][:, better] = taken[:, shown]
            steepest[part][better] = aside[better]
    return picture, np.isfinite(steepest)


def _part(outline: shapely.Polygon, transform: Affine, window: Window) -> tuple[slice, slice] | None:
    """The rows and columns of a window in which a photo may show anything; None where it shows nothing of it."""
    west, south, east, north = outline.bounds
    # The outline is drawn through some points of the rim only; between them the ground may bulge.
    margin = _BULGE_SHARE * max(east - west, north - south)
    left = math.floor((west - margin - transform.c) / transform.a - window.col_off)
    right = math.ceil((east + margin - transform.c) / transform.a - window.col_off)
    upper = math.floor((north + margin - transform.f) / transform.e - window.row_off)
    lower = math.ceil((south - margin - transform.f) / transform.e - window.row_off)
    left, upper = max(left, 0), max(upper, 0)
    right, lower = min(right, int(window.width)), min(lower, int(window.height))
    return (slice(upper, lower), slice(left, right)) if left < right and upper < lower else None
