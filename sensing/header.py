"""What the child process says about an untrusted image, and which of it is refused (reliability.md 5, rows 36-49)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pyproj import CRS
from pyproj.exceptions import CRSError

from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from sensing.rpc import Rpc

Driver = Literal["GTiff", "JPEG", "PNG", "JP2OpenJPEG"]

# Up to here a scene of one single value is an odd picture, not an attack; above it the ratio decides
# (the same threshold as the archive check of the Python package index, reliability.md 2).
_HARMLESS_BYTES = 64 << 20
_CRS_WKT_BYTES = 64 << 10
_DTYPES = ("uint8", "uint16", "int16", "int8", "uint32", "int32", "float32", "float64")

_MAGIC: tuple[tuple[bytes, Driver], ...] = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
)
EXTENSIONS: dict[Driver, tuple[str, ...]] = {
    "GTiff": (".tif", ".tiff", ".gtiff"),
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "JP2OpenJPEG": (".jp2", ".j2k", ".jpx"),
}


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)


class GroundPoint(_Report):
    """One ground control point: a pixel position and where on the ground it lies."""

    row: float
    col: float
    x: float
    y: float


class PhotoReport(_Report):
    """What a photo says about its own taking: EXIF and XMP, as written, nothing derived.

    `taken` is EXIF DateTimeOriginal with its sub-seconds and offset, ISO 8601; angles in degrees, heights in metres.
    """

    taken: str | None = None
    lon: float | None = None
    lat: float | None = None
    alt_amsl_m: float | None = None
    alt_above_takeoff_m: float | None = None
    heading_deg: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_roll_deg: float | None = None
    gps_error_m: float | None = None
    focal_px: float | None = None
    focal_35mm: float | None = None
    model: str | None = None
    exif_bytes: int = 0


class HeaderReport(_Report):
    """The header of one raster as one named driver read it, inside the child process."""

    driver: Driver
    width: int
    height: int
    bands: int
    dtypes: tuple[str, ...] = ()
    crs_wkt: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    gcps: tuple[GroundPoint, ...] = ()
    gcp_crs_wkt: str | None = None
    rpc: Rpc | None = None
    nodata: tuple[float | None, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    palette: bool = False
    block_bytes: int = 0
    colours: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    file_bytes: int
    unpacked_bytes: int = 0
    photo: PhotoReport | None = None
    isolation: Literal["network namespace", "drivers only"]

    @property
    def has_affine(self) -> bool:
        """Whether a CRS and a pixel-to-ground transform place the image."""
        return bool(self.crs_wkt and self.transform)

    @property
    def alpha_band(self) -> int | None:
        """The 1-based band that holds alpha, if any."""
        return self.colours.index("alpha") + 1 if "alpha" in self.colours else None

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The 1-based bands that hold measurements, alpha left out."""
        return tuple(band for band in range(1, self.bands + 1) if band != self.alpha_band)

    @property
    def own_bands(self) -> int:
        """How many bands our copy has: a palette becomes red, green and blue."""
        return 3 if self.palette else len(self.data_bands)

    @property
    def is_scaled(self) -> bool:
        """Whether stored numbers become measured ones by a scale and an offset of the file."""
        return any(scale != 1 for scale in self.scales) or any(offset != 0 for offset in self.offsets)


def driver_of(head: bytes, file_name: str) -> Driver:
    """The one driver that may open a file, by its first bytes; the extension must agree.

    Raises RuleViolation `raster.corrupt` for an empty file or a web page, `raster.magic` for everything else.
    """
    if not head or head.lstrip().lower().startswith((b"<html", b"<!doctype html")):
        raise RuleViolation(Kind.INVALID, [refuse("raster.corrupt", "raster.not_an_image", name=file_name)])
    found = next((driver for magic, driver in _MAGIC if head.startswith(magic)), None)
    if found is None or not file_name.lower().endswith(EXTENSIONS[found]):
        raise RuleViolation(
            Kind.UNSUPPORTED,
            [refuse("raster.magic", "raster.magic", name=file_name, measured=found or "unknown")],
        )
    return found


def judge(
    report: HeaderReport, *, most_pixels: int = limit("raster.pixels"), harmless_bytes: int = _HARMLESS_BYTES
) -> None:
    """Raise RuleViolation with every reason for which this header is refused before a pixel is read.

    Up to `harmless_bytes` an image may be as empty as it likes.
    """
    found = list(_size(report, most_pixels, harmless_bytes)) or list(_content(report))
    if found:
        kind = Kind.TOO_LARGE if found[0].rule in _SIZE_RULES else Kind.INVALID
        raise RuleViolation(kind, found)


_SIZE_RULES = ("raster.pixels", "raster.bands", "raster.ratio", "raster.block", "raster.exif")
# What has no tiles and no strips is unpacked whole.
_WHOLE: tuple[Driver, ...] = ("JPEG", "PNG")


def _size(report: HeaderReport, most_pixels: int, harmless_bytes: int) -> Iterator[Refusal]:
    most = min(most_pixels, limit("frame.pixels")) if report.driver in _WHOLE else most_pixels
    yield from too_many_pixels(report.width, report.height, most)
    if report.bands > limit("raster.bands"):
        yield refuse("raster.bands", "raster.bands", measured=report.bands, required=limit("raster.bands"))
    ratio = report.unpacked_bytes / max(report.file_bytes, 1)
    if ratio > limit("raster.ratio") and report.unpacked_bytes > harmless_bytes:
        yield refuse("raster.ratio", "raster.ratio", measured=round(ratio), required=limit("raster.ratio"))
    if report.block_bytes > limit("raster.block_bytes"):
        yield refuse(
            "raster.block",
            "raster.block",
            measured=report.block_bytes >> 20,
            required=limit("raster.block_bytes") >> 20,
        )
    if report.photo and report.photo.exif_bytes > limit("raster.exif_bytes"):
        yield refuse(
            "raster.exif",
            "raster.exif",
            measured=report.photo.exif_bytes,
            required=limit("raster.exif_bytes"),
        )


def too_many_pixels(width: int, height: int, most_pixels: int) -> Iterator[Refusal]:
    """`raster.pixels` where a raster of this size exceeds what this installation takes."""
    if width * height > most_pixels:
        yield refuse("raster.pixels", "raster.pixels", measured=width * height, required=most_pixels)


def _content(report: HeaderReport) -> Iterator[Refusal]:
    odd = sorted(set(report.dtypes) - set(_DTYPES))
    if odd:
        yield refuse("raster.dtype", "raster.dtype", measured=", ".join(odd))
    if report.scales and not (finite(report.scales) and finite(report.offsets) and all(report.scales)):
        yield refuse("raster.scale", "raster.scale", measured=str([*zip(report.scales, report.offsets, strict=True)]))
    if not report.data_bands:
        yield refuse("raster.bands", "raster.no_data_band", measured=report.bands)
    for wkt in (report.crs_wkt, report.gcp_crs_wkt):
        if wkt and not is_usable_crs(wkt):
            yield refuse("raster.crs", "raster.crs_unusable", measured=wkt[:60])


def is_usable_crs(wkt: str) -> bool:
    """Whether a CRS, as WKT, puts coordinates on the earth."""
    if len(wkt) > _CRS_WKT_BYTES:
        return False
    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return False
    return crs.is_geographic or crs.is_projected


def finite(numbers: tuple[float, ...]) -> bool:
    """Whether all numbers are finite."""
    return all(math.isfinite(number) for number in numbers)
