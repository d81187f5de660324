"""Touches the disk: EXIF and XMP of a photo; runs only inside the child process."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from sensing.header import PhotoReport

_XMP_NAMES = {
    "heading_deg": ("GimbalYawDegree", "FlightYawDegree"),
    "gimbal_pitch_deg": ("GimbalPitchDegree",),
    "gimbal_roll_deg": ("GimbalRollDegree",),
    "alt_above_takeoff_m": ("RelativeAltitude",),
    "focal_px": ("CalibratedFocalLength",),
}
_NUMBER = r"([+-]?\d{1,6}(?:\.\d{1,9})?)"
_APP1 = 0xE1
_SCAN = 0xDA


def read(path: Path) -> PhotoReport:
    """What the photo says about its taking; absent or nonsensical entries are absent in the report."""
    # No pixel is decoded here, and `sensing/header.py` refuses photos that are too large.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path, formats=["JPEG"]) as image:
        exif = image.getexif()
        detail = exif.get_ifd(ExifTags.IFD.Exif)
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        xmp = image.info.get("xmp", b"")
    text = xmp[: 64 << 10].decode("utf-8", "replace") if isinstance(xmp, bytes) else ""
    return PhotoReport(
        taken=_taken(detail),
        lon=_degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W"),
        lat=_degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S"),
        alt_amsl_m=_altitude(gps),
        gps_error_m=_number(gps.get(ExifTags.GPS.GPSHPositioningError)),
        focal_35mm=_number(detail.get(ExifTags.Base.FocalLengthIn35mmFilm)),
        model=str(exif.get(ExifTags.Base.Model, "")).strip("\0 ")[:80] or None,
        exif_bytes=_exif_bytes(path),
        **{name: _xmp(text, keys) for name, keys in _XMP_NAMES.items()},
    )


def _taken(detail: Any) -> str | None:  # noqa: ANN401 - Pillow's directory of mixed values
    """DateTimeOriginal with sub-seconds and offset as ISO 8601; without an offset it names no instant."""
    stamp = str(detail.get(ExifTags.Base.DateTimeOriginal, ""))
    found = re.fullmatch(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)\0?", stamp)
    if not found:
        return None
    year, month, day, clock = found.groups()
    digits = re.match(r"\d{1,6}", str(detail.get(ExifTags.Base.SubsecTimeOriginal, "")))
    offset = re.match(r"[+-]\d\d:\d\d", str(detail.get(ExifTags.Base.OffsetTimeOriginal, "")))
    return f"{year}-{month}-{day}T{clock}{'.' + digits[0] if digits else ''}{offset[0] if offset else ''}"


def _number(value: Any) -> float | None:  # noqa: ANN401 - Pillow's rationals and integers
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _degrees(gps: Any, value_tag: int, side_tag: int, negative: str) -> float | None:  # noqa: ANN401
    parts = gps.get(value_tag)
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    degrees, minutes, seconds = (number or 0.0 for number in numbers)
    size = degrees + minutes / 60 + seconds / 3600
    return -size if str(gps.get(side_tag, "")).upper().startswith(negative) else size


def _altitude(gps: Any) -> float | None:  # noqa: ANN401
    height = _number(gps.get(ExifTags.GPS.GPSAltitude))
    below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
    return -height if height is not None and below else height


def _xmp(text: str, keys: tuple[str, ...]) -> float | None:
    """A number of the drone maker's XMP, written as attribute or as element; no XML is parsed."""
    for key in keys:
        found = re.search(rf"drone-dji:{key}\s*(?:=\s*[\"']|>)\s*{_NUMBER}", text)
        if found:
            return float(found[1])
    return None


def _exif_bytes(path: Path) -> int:
    """The size of all EXIF and XMP segments before the first scan."""
    total = 0
    with path.open("rb") as file:
        file.seek(2)
        while (head := file.read(4))[:1] == b"\xff" and len(head) == 4 and head[1] != _SCAN:
            length = int.from_bytes(head[2:], "big")
            if head[1] == _APP1:
                total += length
            file.seek(length - 2, 1)
    return total
