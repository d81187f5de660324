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

from flights import commands
from flights.gateway_record import House
from geo import shapes
from geo.types import LonLat
from schemas.actors import Actor
from schemas.ids import public_id
from schemas.machine import label
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, invalid
from schemas.store.work import find
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


def register_frames(house: House, flight_id: str, folder: Path, *, actor: Actor) -> int:
    """Enters all photos in `folder` in the record of the flight, with one event in the ledger; gives their number.

    Raises RuleViolation 422 with every photo that has no time or place; then none is entered.
    """
    photos = read_folder(folder)
    with house.work(actor) as work:
        flight = work.get(Flight, flight_id)
        for photo in photos:
            work.session.add(
                FlightFrame(
                    public_id=public_id("FR"),
                    flight_id=flight.id,
                    sha256=photo.sha256,
                    file_name=photo.path.name,
                    captured_at=photo.taken_at,
                    geom=shapes.element(Point(photo.at)),
                    heading_deg=photo.heading_deg,
                )
            )
        body = {"count": len(photos), "sha256": [photo.sha256 for photo in photos]}
        work.record("flight.frames", "flight", flight.id, body)
        work.commit()
    return len(photos)


def ingest(house: House, flight_id: str, folder: Path | None, *, actor: Actor) -> int:
    """Hands in a landed flight: its photos, and the deviation that was judged at landing; gives the number of photos.

    Raises RuleViolation 409 where the flight has not landed or its deviation is not known.
    """
    with house.session() as session:
        flight = find(session, Flight, flight_id)
        report = flight.vehicle.get("report") or {}
        if flight.state != "landed" or None in (report.get("lateral_m"), report.get("vertical_m")):
            raise conflict("DC-1", "flight.no_deviation", subject=label(flight))
    count = register_frames(house, flight_id, folder, actor=actor) if folder is not None else 0
    deviation = commands.Deviation(
        lateral_m=report["lateral_m"],
        vertical_m=report["vertical_m"],
        stayed_inside=report["share_inside"] == 1.0,
    )
    with house.work(actor) as work:
        commands.mark_ingested(work, work.get(Flight, flight_id), deviation)
        work.commit()
    return count


def read_folder(folder: Path) -> list[Photo]:
    """The photos in a folder, in the order in which they were taken."""
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
    return sorted(photos, key=lambda photo: (photo.taken_at, photo.path.name))


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
    heading = gps.get(ExifTags.GPS.GPSImgDirection)
    return Photo(path, digest, taken_at, at, None if heading is None else float(heading))


def _taken_at(exif: dict[int, Any]) -> datetime:
    """The time with its offset; a photo that does not say its zone could be eight hours off and is refused."""
    text = exif[ExifTags.Base.DateTimeOriginal] + exif[ExifTags.Base.OffsetTimeOriginal]
    taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S%z")
    digits = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "0")).strip("\0 ")
    fraction = int(digits) / 10 ** len(digits) if digits.isdecimal() else 0.0
    return taken.astimezone(UTC).replace(microsecond=int(fraction * 1e6))


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
