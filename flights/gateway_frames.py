"""The photos of a flight: found in a folder, hashed, and entered in the record of the flight. Touches the disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError
from shapely import Point
from sqlalchemy import select

from flights import commands
from flights.gateway_record import House
from geo import shapes
from geo.types import LonLat
from schemas.actors import Actor
from schemas.ids import public_id
from schemas.machine import label
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, invalid
from schemas.store.work import Work
from schemas.tables import Flight, FlightFrame

PATTERNS = ("*.jpg", "*.jpeg", "*.JPG", "*.JPEG")


@dataclass(frozen=True)
class Photo:
    """One photo: its hash, when it was taken (UTC) and where, as its own EXIF says."""

    path: Path
    sha256: str
    taken_at: datetime
    at: LonLat
    heading_deg: float | None

    def frame(self, flight: Flight) -> FlightFrame:
        """The photo as a row of the record of `flight`."""
        return FlightFrame(
            public_id=public_id("FR"),
            flight_id=flight.id,
            sha256=self.sha256,
            file_name=self.path.name,
            captured_at=self.taken_at,
            geom=shapes.element(Point(self.at)),
            heading_deg=self.heading_deg,
        )


def ingest(house: House, flight_id: str, folder: Path | None, *, actor: Actor) -> int:
    """Hands in a landed flight: its photos, and the deviation that was judged at landing; gives the number of photos.

    One command: either all photos are in and the flight is ingested, or nothing has changed. Raises RuleViolation
    422 with every photo that has no time or place, 409 where the flight has not landed, its deviation is not known
    or a photo was handed in before, 403 for anybody who flies nothing.
    """
    photos = read_folder(folder) if folder is not None else []
    with house.work(actor) as work:
        flight = work.get(Flight, flight_id)
        commands.mark_ingested(work, flight, _deviation(flight), [photo.frame(flight) for photo in photos])
        _refuse_known(work, photos)
        work.commit()
    return len(photos)


def _deviation(flight: Flight) -> commands.Deviation:
    report = flight.vehicle.get("report") or {}
    if None in (report.get("lateral_m"), report.get("vertical_m")):
        raise conflict("DC-1", "flight.no_deviation", subject=label(flight))
    return commands.Deviation(
        lateral_m=report["lateral_m"], vertical_m=report["vertical_m"], stayed_inside=report["stayed_inside"]
    )


def _refuse_known(work: Work, photos: Sequence[Photo]) -> None:
    """A photo belongs to one flight: one that is on record already is refused, before the database has to."""
    hashes = [photo.sha256 for photo in photos]
    with work.session.no_autoflush:
        known = set(work.session.scalars(select(FlightFrame.sha256).where(FlightFrame.sha256.in_(hashes))))
    names = [photo.path.name for photo in photos if photo.sha256 in known]
    if names:
        raise conflict("frames.known", measured=len(names), name=names[0])


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
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        taken_at, at = _taken_at(main), _place(gps)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise invalid("frames.unreadable", name=path.name, measured=type(error).__name__) from error
    except (KeyError, ValueError, TypeError, ZeroDivisionError) as error:
        raise invalid("frames.unreadable", name=path.name, measured="no time or place") from error
    return Photo(path, digest, taken_at, at, _heading_deg(gps.get(ExifTags.GPS.GPSImgDirection)))


def _taken_at(exif: dict[int, Any]) -> datetime:
    """The time with its offset; a photo that does not say its zone could be eight hours off and is refused."""
    text = exif[ExifTags.Base.DateTimeOriginal] + exif[ExifTags.Base.OffsetTimeOriginal]
    taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S%z")
    digits = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "0")).strip("\0 ")
    fraction = int(digits) / 10 ** len(digits) if digits.isdecimal() else 0.0
    return taken.astimezone(UTC).replace(microsecond=int(fraction * 1e6))


def _heading_deg(value: Any) -> float | None:  # noqa: ANN401
    """The direction of a photo; None where there is none, which a camera without a compass writes as 0/0."""
    try:
        heading_deg = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return heading_deg if 0 <= heading_deg <= 360 else None


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
