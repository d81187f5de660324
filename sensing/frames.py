"""Nadir photos with a known pose become one georeferenced picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from geo.crs import to_wgs84, transformer, utm_epsg
from geo.footprint import Camera
from geo.terrain import Terrain
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse
from sensing.grid import Grid
from sensing.header import HeaderReport, PhotoReport, too_many_pixels
from sensing.mask import Mask

# Tilted further than this, a photo is not a picture of the ground below.
_MAX_TILT_DEG = 10.0
_MIN_AGL_M = 5.0
_MAX_AGL_M = 10_000.0
_MAX_LATITUDE_DEG = 84.0  # where UTM ends
# What a satellite receiver without corrections and an aircraft compass are good for, where the photo says nothing.
_GPS_ERROR_M = 3.0
_HEADING_ERROR_DEG = 2.0
_FULL_FRAME_WIDTH_MM = 36.0
# Wider lenses do not draw straight lines straight.
_WIDEST_DEG = 150.0


@dataclass(frozen=True)
class Pose:
    """Where, when and how a photo was taken: position, height above the ground below, direction of its upper edge."""

    at: LonLat
    captured_at: datetime
    alt_agl_m: float
    heading_deg: float
    hfov_deg: float
    position_error_m: float


@dataclass(frozen=True)
class Placement:
    """One photo on the metric grid: centre, ground size of a pixel, direction of the photo's upper edge."""

    east_m: float
    north_m: float
    pixel_m: float
    heading_deg: float
    width: int
    height: int

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(**plain)

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @property
    def to_ground(self) -> Affine:
        """Photo pixel (column, row) to grid metres."""
        # Columns run to the right of the heading, rows run backwards along it.
        return (
            Affine.translation(self.east_m, self.north_m)
            @ Affine.rotation(-self.heading_deg)
            @ Affine.scale(self.pixel_m, -self.pixel_m)
            @ Affine.translation(-self.width / 2, -self.height / 2)
        )

    @property
    def outline(self) -> shapely.Polygon:
        """What the photo shows, on the metric grid."""
        corners = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return shapely.Polygon([self.to_ground @ corner for corner in corners])


@dataclass(frozen=True)
class MosaicPlan:
    """A metric grid that holds all photos, their places on it, and how wrong a place can be."""

    grid: Grid
    placements: tuple[Placement, ...]
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
    terrain: Terrain | None = None,
) -> Pose:
    """The pose that a photo states; heights come from the elevation model, else from the height above take-off.

    `hfov_deg` goes before the photo's own focal length; `utc_offset` serves photos that write a local time alone.
    Raises RuleViolation naming everything that the photo does not say and that no option gives.
    """
    photo = report.photo or PhotoReport()
    camera = _camera(hfov_deg if hfov_deg is not None else _lens_deg(photo, report.width), name)
    captured_at = _instant(photo.taken, utc_offset)
    at = _position(photo)
    heading_deg = photo.heading_deg
    found = _tilt(photo, name)
    if camera is None or captured_at is None or at is None or heading_deg is None:
        gaps = {
            "GPSLatitude, GPSLongitude": at,
            "DateTimeOriginal, OffsetTimeOriginal": captured_at,
            "FlightYawDegree": heading_deg,
            "CalibratedFocalLength or FocalLengthIn35mmFilm": camera,
        }
        absent = ", ".join(tag for tag, value in gaps.items() if value is None)
        raise RuleViolation(Kind.INVALID, [refuse("frame.pose", "frame.pose", name=name, measured=absent), *found])
    if found:
        raise RuleViolation(Kind.INVALID, found)
    alt_agl_m, height_error_m = _height(photo, at, name, terrain)
    half_m = camera.half_width_m(alt_agl_m)
    turn_error_m = math.radians(_HEADING_ERROR_DEG) * half_m
    error_m = math.hypot(photo.gps_error_m or _GPS_ERROR_M, turn_error_m, height_error_m * half_m / alt_agl_m)
    return Pose(at, captured_at, alt_agl_m, heading_deg % 360, camera.hfov_deg, round(error_m, 2))


def _camera(hfov_deg: float | None, name: str) -> Camera | None:
    if hfov_deg is None:
        return None
    if not 0 < hfov_deg <= _WIDEST_DEG:
        raise invalid("frame.lens", "frame.lens", name=name, measured=f"{hfov_deg:g}", required=_WIDEST_DEG)
    return Camera(hfov_deg)


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


def _tilt(photo: PhotoReport, name: str) -> list[Refusal]:
    pitch_deg = photo.gimbal_pitch_deg
    if pitch_deg is None or abs(pitch_deg + 90) <= _MAX_TILT_DEG:
        return []
    return [refuse("frame.tilt", "frame.tilt", name=name, measured=pitch_deg, required=_MAX_TILT_DEG)]


def _height(photo: PhotoReport, at: LonLat, name: str, terrain: Terrain | None) -> tuple[float, float]:
    """Height above the ground below and the error that the choice of its source brings, metres."""
    ground_m = float(terrain.heights_m(np.array([at.lon]), np.array([at.lat]))[0]) if terrain else math.nan
    if photo.alt_amsl_m is not None and math.isfinite(ground_m):
        alt_agl_m, error_m = photo.alt_amsl_m - ground_m, 0.0
    elif photo.alt_above_takeoff_m is not None:
        # Without the ground's height the take-off point's stands in for it; a tenth covers gentle relief.
        alt_agl_m, error_m = photo.alt_above_takeoff_m, photo.alt_above_takeoff_m * 0.1
    else:
        raise invalid("frame.pose", "frame.no_height", name=name)
    if not _MIN_AGL_M <= alt_agl_m <= _MAX_AGL_M:
        usual = f"{_MIN_AGL_M:g} – {_MAX_AGL_M:g}"
        raise invalid("frame.height", "frame.height", name=name, measured=round(alt_agl_m, 1), required=usual)
    return alt_agl_m, error_m


def plan_mosaic(
    reports: Sequence[HeaderReport], poses: Sequence[Pose], *, most_pixels: int = limit("raster.pixels")
) -> MosaicPlan:
    """The common metric grid of photos and their places on it, at the resolution of the median photo.

    Raises RuleViolation `raster.pixels` when the photos lie so far apart that the grid would exceed the limit.
    """
    first = poses[0]
    epsg = utm_epsg(first.at)
    placements = tuple(_place(report, pose, epsg) for report, pose in zip(reports, poses, strict=True))
    pixel_m = float(np.median([placement.pixel_m for placement in placements]))
    seen = shapely.union_all([placement.outline for placement in placements])
    west, south, east, north = seen.bounds
    width, height = math.ceil((east - west) / pixel_m), math.ceil((north - south) / pixel_m)
    if big := list(too_many_pixels(width, height, most_pixels)):
        raise RuleViolation(Kind.TOO_LARGE, big)
    transform = Affine.translation(west, north) @ Affine.scale(pixel_m, -pixel_m)
    times = sorted(pose.captured_at for pose in poses)
    return MosaicPlan(
        Grid(CRS.from_epsg(epsg).to_wkt(), transform, width, height),
        placements,
        to_wgs84(seen, epsg),
        times[0],
        times[-1],
        max(pose.position_error_m for pose in poses),
    )


def _place(report: HeaderReport, pose: Pose, epsg: int) -> Placement:
    east_m, north_m = transformer(4326, epsg).transform(pose.at.lon, pose.at.lat)
    width_m = 2 * Camera(pose.hfov_deg).half_width_m(pose.alt_agl_m)
    # Grid north is not true north: the meridian converges on the zone's middle.
    ahead = transformer(4326, epsg).transform(pose.at.lon, pose.at.lat + 1e-4)
    convergence_deg = math.degrees(math.atan2(ahead[0] - east_m, ahead[1] - north_m))
    heading_deg = pose.heading_deg + convergence_deg
    return Placement(east_m, north_m, width_m / report.width, heading_deg, report.width, report.height)


def draw(
    window: Window,
    transform: Affine,
    placements: Sequence[Placement],
    photo: Callable[[int], NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], Mask]:
    """One window of the mosaic (3 x height x width) and where any photo shows it.

    Each pixel is taken from the photo whose centre is nearest: there the view is steepest and the error least.
    """
    rows, columns = int(window.height), int(window.width)
    corner = transform @ Affine.translation(window.col_off, window.row_off)
    x = corner.c + corner.a * (np.arange(columns) + 0.5)
    y = corner.f + corner.e * (np.arange(rows) + 0.5)
    area = shapely.box(x[0] + corner.e, y[-1] + corner.e, x[-1] + corner.a, y[0] - corner.e)
    nearest = np.full((rows, columns), np.inf)
    picture = np.zeros((3, rows, columns), dtype=np.uint8)
    for index, placement in enumerate(placements):
        if not placement.outline.intersects(area):
            continue
        distance = (x[None, :] - placement.east_m) ** 2 + (y[:, None] - placement.north_m) ** 2
        back = ~placement.to_ground
        column = np.floor(back.a * x[None, :] + back.b * y[:, None] + back.c).astype(np.int64)
        row = np.floor(back.d * x[None, :] + back.e * y[:, None] + back.f).astype(np.int64)
        inside = (column >= 0) & (column < placement.width) & (row >= 0) & (row < placement.height)
        better = inside & (distance < nearest)
        if better.any():
            taken = photo(index)[:, row[better], column[better]]
            # Pure black is what a camera stores where it has nothing to store.
            shown = taken.any(axis=0)
            better[better] = shown
            picture[:, better] = taken[:, shown]
            nearest[better] = distance[better]
    return picture, np.isfinite(nearest)
