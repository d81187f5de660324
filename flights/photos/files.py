"""What a photo says of itself: when and where it was taken, its camera, how it was held. Touches the disk."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from geo.types import LonLat
from schemas.refusals import Kind, Refusal, RuleViolation, invalid

PATTERNS = ("*.jpg", "*.jpeg", "*.JPG", "*.JPEG")
# The attributes that drones write under this namespace; a number and nothing else is taken.
_XMP = re.compile(rb'drone-dji:(\w{1,40})="([+-]?\d{1,9}(?:\.\d{1,12})?)"')
_FULL_FRAME_WIDTH_MM = 36.0
_WIDEST_DEG = 150.0


@dataclass(frozen=True)
class Held:
    """How a photo says that its camera was held, degrees; None where it does not say."""

    pitch_deg: float | None = None
    roll_deg: float | None = None
    yaw_deg: float | None = None


@dataclass(frozen=True)
class Photo:
    """One photo: its hash, when it was taken (UTC) and where, as its own EXIF says.

    `hfov_deg` follows from its focal length, `gps_sigma_m` is what its receiver claims, None where it does not say;
    `clock_sigma_s` is how finely it writes the time.
    """

    path: Path
    sha256: str
    taken_at: datetime
    at: LonLat
    heading_deg: float | None
    width_px: int
    height_px: int
    hfov_deg: float | None
    gps_sigma_m: float | None
    held: Held
    clock_sigma_s: float


def read_folder(folder: Path) -> list[Photo]:
    """The photos in a folder, in the order in which they were taken; of equal files only the first."""
    paths = sorted({path for pattern in PATTERNS for path in folder.glob(pattern)})
    photos: list[Photo] = []
    wrong: list[Refusal] = []
    for path in paths:
        try:
            photos.append(read_photo(path))
        except RuleViolation as refused:
            wrong += refused.refusals
    if wrong:
        raise RuleViolation(Kind.INVALID, wrong)
    if not photos:
        raise invalid("frames.none", measured=str(folder))
    once = {photo.sha256: photo for photo in reversed(photos)}
    return sorted(once.values(), key=lambda photo: (photo.taken_at, photo.path.name))


def read_photo(path: Path) -> Photo:
    """One photo; raises RuleViolation 422 `frames.unreadable` when it does not say when and where it was taken."""
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            exif = image.getexif()
            main, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
            width_px, height_px = image.size
            said = _said(image.info.get("xmp"))
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        taken_at, at = _taken_at(main), _place(gps)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise invalid("frames.unreadable", name=path.name, measured=type(error).__name__) from error
    except (KeyError, ValueError, TypeError, ZeroDivisionError) as error:
        raise invalid("frames.unreadable", name=path.name, measured="no time or place") from error
    return Photo(
        path=path,
        sha256=digest,
        taken_at=taken_at,
        at=at,
        heading_deg=_between(gps.get(ExifTags.GPS.GPSImgDirection), 0.0, 360.0),
        width_px=width_px,
        height_px=height_px,
        hfov_deg=_hfov_deg(said.get("CalibratedFocalLength"), main, width_px),
        gps_sigma_m=_between(gps.get(ExifTags.GPS.GPSHPositioningError), 1e-3, 1000.0),
        held=Held(
            _between(said.get("GimbalPitchDegree"), -180.0, 180.0),
            _between(said.get("GimbalRollDegree"), -180.0, 180.0),
            _between(said.get("GimbalYawDegree"), -360.0, 360.0),
        ),
        clock_sigma_s=0.3 if main.get(ExifTags.Base.SubsecTimeOriginal) is None else 0.01,
    )


def _said(xmp: Any) -> dict[str, float]:  # noqa: ANN401
    """The numbers that a drone writes into the XMP of a photo."""
    raw = xmp if isinstance(xmp, bytes) else str(xmp or "").encode()
    return {name.decode(): float(value) for name, value in _XMP.findall(raw)}


def _hfov_deg(focal_px: float | None, exif: dict[int, Any], width_px: int) -> float | None:
    """The field of view by the calibrated focal length, else by the rounded one that every photo carries."""
    full_frame = _between(exif.get(ExifTags.Base.FocalLengthIn35mmFilm), 1.0, 10_000.0)
    for focal, width in ((focal_px, width_px), (full_frame, _FULL_FRAME_WIDTH_MM)):
        if focal is not None and focal > 0:
            hfov_deg = math.degrees(2 * math.atan(width / 2 / focal))
            return hfov_deg if hfov_deg <= _WIDEST_DEG else None
    return None


def _taken_at(exif: dict[int, Any]) -> datetime:
    """The time with its offset; a photo that does not say its zone could be eight hours off and is refused."""
    text = exif[ExifTags.Base.DateTimeOriginal] + exif[ExifTags.Base.OffsetTimeOriginal]
    taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S%z")
    digits = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "0")).strip("\0 ")
    fraction = int(digits) / 10 ** len(digits) if digits.isdecimal() else 0.0
    return taken.astimezone(UTC).replace(microsecond=int(fraction * 1e6))


def _between(value: Any, low: float, high: float) -> float | None:  # noqa: ANN401
    """A number within its range; None where there is none, which a camera without a compass writes as 0/0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if low <= number <= high else None


def _place(gps: dict[int, Any]) -> LonLat:
    tags = ExifTags.GPS
    at = LonLat(
        _degrees(gps[tags.GPSLongitude], gps[tags.GPSLongitudeRef], "W"),
        _degrees(gps[tags.GPSLatitude], gps[tags.GPSLatitudeRef], "S"),
    )
    if not (math.isfinite(at.lon) and abs(at.lon) <= 180 and math.isfinite(at.lat) and abs(at.lat) <= 90):
        raise ValueError("no place on earth")
    return at


def _degrees(parts: Sequence[Any], reference: str, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if reference == negative else value
