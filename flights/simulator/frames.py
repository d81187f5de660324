"""Pictures: what a camera that looks straight down sees of an orthophoto. Touches the disk.

Each picture is a JPEG that carries its time (UTC) and place in EXIF and the attitude in XMP, under the
names that survey drones use; what the orthophoto does not cover is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import ExifTags, Image
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from flights.simulator.airframe import Place
from flights.simulator.options import CameraModel
from schemas.refusals import invalid

JPEG_QUALITY = 95
FULL_FRAME_WIDTH_MM = 36.0
# What a receiver with corrections says of itself; the simulated position is exact.
POSITION_ERROR_M = 0.3
MAKE = "Skywarden"
MODEL = "simulated nadir camera"
DESCRIPTION = "SIMULATED: cut from an orthophoto"


@dataclass(frozen=True)
class Shot:
    """One release of the shutter: when (UTC), where, how high above ground and home, and the heading."""

    number: int
    taken_at: datetime
    place: Place
    alt_agl_m: float
    alt_rel_home_m: float
    yaw_deg: float


class FrameWriter:
    """Writes pictures into a folder; the orthophoto stays open until `close`."""

    def __init__(self, ortho: Path, folder: Path, camera: CameraModel) -> None:
        self._source = rasterio.open(ortho)
        if self._source.crs is None or self._source.dtypes[0] != "uint8":
            self._source.close()
            raise invalid("simulator.option", measured=f"ortho {ortho.name}: georeferenced 8-bit is needed")
        self._folder = folder
        self._camera = camera
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the orthophoto."""
        self._source.close()

    def write(self, shot: Shot) -> Path:
        """Takes one picture and returns its file, complete on the disk under its final name."""
        image = Image.fromarray(np.moveaxis(self._see(shot), 0, -1))
        path = self._folder / f"SIM_{shot.taken_at:%Y%m%d_%H%M%S}_{shot.number:04d}.jpg"
        part = path.with_suffix(".part")
        image.save(part, "JPEG", quality=JPEG_QUALITY, exif=self._exif(shot), xmp=_xmp(shot, self._camera))
        part.replace(path)
        return path

    # -- pixels -------------------------------------------------------------------------------------

    def _see(self, shot: Shot) -> NDArray[np.uint8]:
        """The picture as (3, height, width)."""
        camera = self._camera
        seen = np.zeros((3, camera.height_px, camera.width_px), np.uint8)
        metres_per_px = camera.ground_width_m(shot.alt_agl_m) / camera.width_px
        if metres_per_px <= 0:
            return seen
        # A plane around the camera with true north up: no grid convergence, no scale error.
        plane = CRS.from_proj4(
            f"+proj=aeqd +lat_0={shot.place.lat:.9f} +lon_0={shot.place.lon:.9f} +datum=WGS84 +units=m"
        )
        # The top of the picture is where the nose points: pixels run right and down from its middle.
        to_plane = (
            Affine.rotation(-shot.yaw_deg)
            @ Affine.scale(metres_per_px, -metres_per_px)
            @ Affine.translation(-camera.width_px / 2, -camera.height_px / 2)
        )
        count = min(3, self._source.count)
        reproject(
            source=rasterio.band(self._source, list(range(1, count + 1))),
            destination=seen[:count],
            dst_transform=to_plane,
            dst_crs=plane,
            dst_nodata=0,
            resampling=Resampling.bilinear,
        )
        if count < 3:
            seen[count:] = seen[0]
        return seen

    # -- metadata -----------------------------------------------------------------------------------

    def _exif(self, shot: Shot) -> Image.Exif:
        exif = Image.Exif()
        exif[ExifTags.Base.Make] = MAKE
        exif[ExifTags.Base.Model] = MODEL
        exif[ExifTags.Base.ImageDescription] = DESCRIPTION
        exif[ExifTags.Base.Orientation] = 1
        taken = f"{shot.taken_at:%Y:%m:%d %H:%M:%S}"
        camera_35mm = self._camera.focal_px / self._camera.width_px * FULL_FRAME_WIDTH_MM
        exif.get_ifd(ExifTags.IFD.Exif).update(
            {
                ExifTags.Base.DateTimeOriginal: taken,
                ExifTags.Base.DateTimeDigitized: taken,
                ExifTags.Base.SubsecTimeOriginal: f"{shot.taken_at.microsecond // 1000:03d}",
                ExifTags.Base.OffsetTimeOriginal: "+00:00",
                ExifTags.Base.FocalLengthIn35mmFilm: round(camera_35mm),
                ExifTags.Base.ExifImageWidth: self._camera.width_px,
                ExifTags.Base.ExifImageHeight: self._camera.height_px,
            }
        )
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(shot))
        return exif


def _gps(shot: Shot) -> dict[int, Any]:
    gps, place = ExifTags.GPS, shot.place
    taken = shot.taken_at
    seconds = taken.second + taken.microsecond / 1e6
    return {
        gps.GPSVersionID: bytes((2, 3, 0, 0)),
        gps.GPSLatitudeRef: "N" if place.lat >= 0 else "S",
        gps.GPSLatitude: _sexagesimal(place.lat),
        gps.GPSLongitudeRef: "E" if place.lon >= 0 else "W",
        gps.GPSLongitude: _sexagesimal(place.lon),
        gps.GPSAltitudeRef: b"\x00" if place.amsl_m >= 0 else b"\x01",
        gps.GPSAltitude: round(abs(place.amsl_m), 3),
        gps.GPSImgDirectionRef: "T",
        gps.GPSImgDirection: round(shot.yaw_deg % 360, 2),
        gps.GPSMapDatum: "WGS-84",
        gps.GPSHPositioningError: POSITION_ERROR_M,
        gps.GPSTimeStamp: (float(taken.hour), float(taken.minute), round(seconds, 3)),
        gps.GPSDateStamp: f"{taken:%Y:%m:%d}",
    }


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    """Degrees, minutes and seconds; seconds to 1e-5, which is 0.3 mm on the ground."""
    units = round(abs(degrees) * 3600 * 100_000)
    minutes, seconds = divmod(units, 6_000_000)
    return float(minutes // 60), float(minutes % 60), seconds / 100_000


def _xmp(shot: Shot, camera: CameraModel) -> bytes:
    yaw_deg = (shot.yaw_deg + 180) % 360 - 180
    values = {
        "AbsoluteAltitude": f"{shot.place.amsl_m:+.2f}",
        "RelativeAltitude": f"{shot.alt_rel_home_m:+.2f}",
        "GpsLatitude": f"{shot.place.lat:.9f}",
        "GpsLongitude": f"{shot.place.lon:.9f}",
        "GimbalRollDegree": "+0.00",
        "GimbalYawDegree": f"{yaw_deg:+.2f}",
        "GimbalPitchDegree": "-90.00",
        "FlightRollDegree": "+0.00",
        "FlightYawDegree": f"{yaw_deg:+.2f}",
        "FlightPitchDegree": "+0.00",
        "CalibratedFocalLength": f"{camera.focal_px:.6f}",
        "CalibratedOpticalCenterX": f"{camera.width_px / 2:.6f}",
        "CalibratedOpticalCenterY": f"{camera.height_px / 2:.6f}",
    }
    attributes = "\n   ".join(f'drone-dji:{name}="{value}"' for name, value in values.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about=""\n'
        '   xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"\n'
        f"   {attributes}/>\n"
        " </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    ).encode()
