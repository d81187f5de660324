"""Small rasters and photos for tests, made as a sensor or an attacker would make them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from PIL import ExifTags, Image

UTM = "EPSG:32649"
# Near 113.26 E, 23.12 N in UTM zone 49.
CORNER = (731_400.0, 2_560_000.0)


def north_up(pixel_m: float, corner: tuple[float, float] = CORNER) -> Affine:
    return Affine.translation(*corner) @ Affine.scale(pixel_m, -pixel_m)


def write_tif(path: Path, data: np.ndarray, **profile: object) -> Path:
    """`data` is bands x height x width; 10 m pixels in UTM unless told otherwise."""
    profile = {"crs": UTM, "transform": north_up(10.0)} | profile
    bands, height, width = data.shape
    kind = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": data.dtype}
    colours = profile.pop("colours", None)
    gcps = profile.pop("gcps", None)
    tags = profile.pop("tags", {})
    mask = profile.pop("mask", None)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **{k: v for k, v in (kind | profile).items() if v is not None}) as target,
    ):
        target.write(data)
        if colours:
            target.colorinterp = colours
        if gcps:
            target.gcps = gcps
        if mask is not None:
            target.write_mask(mask)
        target.update_tags(**tags)
    return path


def noise(bands: int, height: int, width: int, *, high: int = 4000, dtype: str = "uint16", seed: int = 1):
    return np.random.default_rng(seed).integers(1, high, (bands, height, width)).astype(dtype)


def rational(value: float) -> tuple[float, float, float]:
    degrees = int(value)
    minutes = int((value - degrees) * 60)
    return (degrees, minutes, (value - degrees - minutes / 60) * 3600)


def write_photo(path: Path, pixels: np.ndarray, **told: object) -> Path:
    """A JPEG as a drone writes it; `pixels` is height x width x 3. A value of None leaves its tag out."""
    told = {
        "lon": 113.27,
        "lat": 23.125,
        "alt_amsl_m": 112.0,
        "relative_m": 100.0,
        "heading_deg": 0.0,
        "pitch_deg": -90.0,
        "taken": "2025:07:02 10:00:00",
        "offset": "+08:00",
        "focal_35mm": None,
    } | told
    exif = Image.Exif()
    detail = {
        ExifTags.Base.DateTimeOriginal: told["taken"],
        ExifTags.Base.SubsecTimeOriginal: "250",
        ExifTags.Base.OffsetTimeOriginal: told["offset"],
        ExifTags.Base.FocalLengthIn35mmFilm: told["focal_35mm"],
    }
    exif[ExifTags.IFD.Exif] = {tag: value for tag, value in detail.items() if value is not None}
    gps: dict[int, object] = {}
    if told["lon"] is not None:
        gps[ExifTags.GPS.GPSLongitudeRef] = "E" if told["lon"] >= 0 else "W"
        gps[ExifTags.GPS.GPSLongitude] = rational(abs(told["lon"]))
        gps[ExifTags.GPS.GPSLatitudeRef] = "N" if told["lat"] >= 0 else "S"
        gps[ExifTags.GPS.GPSLatitude] = rational(abs(told["lat"]))
    if told["alt_amsl_m"] is not None:
        gps[ExifTags.GPS.GPSAltitudeRef] = b"\x00"
        gps[ExifTags.GPS.GPSAltitude] = told["alt_amsl_m"]
    exif[ExifTags.IFD.GPSInfo] = gps
    names = {
        "FlightYawDegree": told["heading_deg"],
        "GimbalPitchDegree": told["pitch_deg"],
        "RelativeAltitude": told["relative_m"],
    }
    attributes = " ".join(f'drone-dji:{k}="{v:+.2f}"' for k, v in names.items() if v is not None)
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {attributes}/></x:xmpmeta>'
    Image.fromarray(pixels).save(path, quality=95, exif=exif, xmp=xmp.encode())
    return path


def vrt_of(path: Path, *, bands: int = 1) -> bytes:
    """A VRT that would show what another file holds."""
    band = (
        '<VRTRasterBand dataType="Byte" band="{n}"><SimpleSource>'
        '<SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
    )
    body = "".join(band.format(n=n + 1, path=path) for n in range(bands))
    return f'<VRTDataset rasterXSize="64" rasterYSize="64">{body}</VRTDataset>'.encode()


def sparse_tif(width: int, height: int, samples: int = 1) -> bytes:
    """A TIFF header that promises far more pixels than the file holds."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, samples),
        (278, 4, 1, height),
        (279, 4, 1, 0),
    ]
    out = io.BytesIO()
    out.write(struct.pack("<2sHI", b"II", 42, 8))
    out.write(struct.pack("<H", len(entries)))
    for tag, kind, count, value in entries:
        out.write(struct.pack("<HHII", tag, kind, count, value))
    out.write(struct.pack("<I", 0))
    return out.getvalue()
