"""Small rasters and photos for tests, made as a sensor or an attacker would make them."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from PIL import ExifTags, Image

from sensing.rpc import Rpc

UTM = "EPSG:32649"
# Near 113.26 E, 23.12 N in UTM zone 49.
CORNER = (731_400.0, 2_560_000.0)


def north_up(pixel_m: float, corner: tuple[float, float] = CORNER) -> Affine:
    return Affine.translation(*corner) @ Affine.scale(pixel_m, -pixel_m)


def write_tif(path: Path, data: np.ndarray, **profile: object) -> Path:
    """`data` is bands x height x width; 10 m pixels in UTM of a sensor that the file names, unless told otherwise."""
    profile = {"crs": UTM, "transform": north_up(10.0)} | profile
    bands, height, width = data.shape
    kind = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": data.dtype}
    colours = profile.pop("colours", None)
    gcps = profile.pop("gcps", None)
    tags = _sensor_tag(profile) | profile.pop("tags", {})
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


def _sensor_tag(profile: dict[str, object]) -> dict[str, str]:
    """Coarse pixels from a satellite, fine ones from an aircraft; a place in degrees has large pixels here."""
    place = profile.get("transform")
    is_fine = place is not None and abs(place.a) < 1.5 and str(profile.get("crs")) != "EPSG:4326"
    return {"SENSOR": "aerial" if is_fine else "satellite"}


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
        "roll_deg": 0.0,
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
        "GimbalRollDegree": told["roll_deg"],
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


def sensor_model(
    width: int, height: int, *, slant: float = 0.3, pixel_deg: float = 1e-5, seed: int | None = None
) -> Rpc:
    """RPC of a sensor over 113.27 E, 23.12 N that sees high ground shifted by `slant` metres per metre to the east.

    With a seed the polynomials have all their terms, so small that the picture is bent by some pixels.
    """
    lon_scale, lat_scale = width / 2 * pixel_deg, height / 2 * pixel_deg
    per_m = slant / 111_320 / math.cos(math.radians(23.12)) / pixel_deg
    bends = np.random.default_rng(seed).normal(0, 2e-3, (4, 20)) if seed is not None else np.zeros((4, 20))
    samp_num, line_num, samp_den, line_den = bends
    samp_den[0] = line_den[0] = 1.0
    samp_num[1] += 1.0
    samp_num[3] += per_m * 500.0 / (width / 2)
    line_num[2] -= 1.0
    return Rpc(
        line_off=height / 2 - 0.5,
        samp_off=width / 2 - 0.5,
        lat_off=23.12,
        long_off=113.27,
        height_off=40.0,
        line_scale=height / 2,
        samp_scale=width / 2,
        lat_scale=lat_scale,
        long_scale=lon_scale,
        height_scale=500.0,
        line_num=tuple(line_num),
        line_den=tuple(line_den),
        samp_num=tuple(samp_num),
        samp_den=tuple(samp_den),
    )


def rpb_of(rpc: Rpc, err_bias: float = 0.0) -> str:
    """The text that lies beside an image of Gaofen and other satellites."""
    lines = ['satId = "XX";', 'bandId = "1";', 'SpecId = "RPC00B";', "BEGIN_GROUP = IMAGE"]
    lines += [f"\terrBias = {err_bias};", "\terrRand = 0.0;"]
    names = ("line", "samp", "lat", "long", "height")
    lines += [f"\t{name}Offset = {getattr(rpc, f'{name}_off')!r};" for name in names]
    lines += [f"\t{name}Scale = {getattr(rpc, f'{name}_scale')!r};" for name in names]
    for name, key in (
        ("line_num", "lineNum"),
        ("line_den", "lineDen"),
        ("samp_num", "sampNum"),
        ("samp_den", "sampDen"),
    ):
        listed = ",\n".join(f"\t\t\t{float(number):+.15E}" for number in getattr(rpc, name))
        lines.append(f"\t{key}Coef = (\n{listed});")
    return "\n".join([*lines, "END_GROUP = IMAGE", "END;"])


def rpc_txt_of(rpc: Rpc) -> str:
    """The same as `_RPC.TXT`."""
    lines = []
    for name in ("line", "samp", "lat", "long", "height"):
        lines += [f"{name.upper()}_OFF: {getattr(rpc, f'{name}_off'):+.9f} units"]
        lines += [f"{name.upper()}_SCALE: {getattr(rpc, f'{name}_scale'):+.9f} units"]
    for name in ("line_num", "line_den", "samp_num", "samp_den"):
        lines += [f"{name.upper()}_COEFF_{n}: {float(v):+.15E}" for n, v in enumerate(getattr(rpc, name), 1)]
    return "\n".join(lines)


_MTD = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2025-06-20T03:05:31.024Z</PRODUCT_START_TIME>
<PROCESSING_BASELINE>05.11</PROCESSING_BASELINE>
<Cloud_Coverage_Assessment>12.5151862745098</Cloud_Coverage_Assessment>
<Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake></Product_Info>
<Product_Image_Characteristics>
<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>{offsets}</Product_Image_Characteristics></n1:General_Info>
</n1:Level-2A_User_Product>"""
_TILE = """<n1:Level-2A_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile_Metadata.xsd">
<n1:General_Info><SENSING_TIME metadataLevel="Standard">2025-06-20T03:11:54.204Z</SENSING_TIME></n1:General_Info>
</n1:Level-2A_Tile_ID>"""
SAFE = "S2B_MSIL2A_20250620T030531_N0511_R075_T49QGF_20250620T060000.SAFE"


def write_safe(
    parent: Path,
    *,
    pixels: int = 60,
    offset: int = -1000,
    bands: dict[str, np.ndarray] | None = None,
    classes: np.ndarray | None = None,
) -> Path:
    """A Sentinel-2 product of level 2A with bands of 10, 20 and 60 m, `pixels` x 10 m wide, as it is delivered.

    `classes` is its scene classification, 1 x height x width of 20 m; vegetation everywhere unless told.
    """
    root = parent / SAFE
    granule = root / "GRANULE" / "L2A_T49QGF_A043201_20250620T031154"
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{n}">{offset}</BOA_ADD_OFFSET>' for n in range(13)) if offset else ""
    granule.mkdir(parents=True)
    (root / "MTD_MSIL2A.xml").write_text(_MTD.format(offsets=offsets))
    (granule / "MTD_TL.xml").write_text(_TILE)
    resolutions = {
        10: ("B02", "B03", "B04", "B08"),
        20: ("B05", "B06", "B07", "B8A", "B11", "B12", "B02"),
        60: ("B01", "B09"),
    }
    for resolution, names in resolutions.items():
        folder = granule / "IMG_DATA" / f"R{resolution}m"
        folder.mkdir(parents=True)
        size = pixels * 10 // resolution
        for number, name in enumerate(names):
            usual = noise(1, size, size, seed=resolution + number) + 1000
            data = (bands or {}).get(name, usual) if resolution == 10 or name != "B02" else usual
            _write_band(folder, name, resolution, data)
    for resolution, size in ((20, pixels // 2), (60, pixels // 6)):
        usual = np.full((1, size, size), 4, np.uint8)
        data = classes if resolution == 20 and classes is not None else usual
        _write_band(granule / "IMG_DATA" / f"R{resolution}m", "SCL", resolution, data)
    return root


def _write_band(folder: Path, name: str, resolution: int, data: np.ndarray) -> None:
    path = folder / f"T49QGF_20250620T030531_{name}_{resolution}m.jp2"
    place = north_up(float(resolution))
    write_tif(path, data, driver="JP2OpenJPEG", transform=place, QUALITY="100", REVERSIBLE="YES")
