"""The photos of a flight: found in a folder, hashed, placed on the track, entered in the record. Touches the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from flights import commands, queries
from flights.ground import open_ground
from flights.logs.open import read_log
from flights.logs.record import Logged
from flights.path.track import Ground
from flights.photos.files import Photo, read_folder, read_photo
from flights.photos.joining import Trail
from flights.photos.placing import Placed, Scenery, place
from flights.record import House, record_folder
from flights.tracks import track_of
from geo import shapes
from geo.queries import zones_near
from geo.zones import hits
from schemas.actors import Actor
from schemas.ids import public_id
from schemas.machine import label
from schemas.refusals import RuleViolation, conflict
from schemas.rules import RulePack
from schemas.store.work import Work, find
from schemas.tables import Flight, FlightFrame

__all__ = ["HandedIn", "Photo", "hand_in", "ingest", "read_folder", "read_photo"]

LOGS = "logs"
"""Where the logs of a flight are kept that were handed in, in its folder."""


@dataclass(frozen=True)
class HandedIn:
    """What was handed in: how many photos, and how many of them are quarantined for which reason."""

    photos: int
    quarantined: dict[str, int]


def ingest(house: House, flight_id: str, folder: Path | None, *, actor: Actor) -> int:
    """Hands in a landed flight: its photos, and the deviation that was judged at landing; gives the number of photos.

    One command: either all photos are in and the flight is ingested, or nothing has changed. Raises RuleViolation
    422 with every photo that has no time or place, 409 where the flight has not landed, its deviation is not known
    or a photo was handed in before, 403 for anybody who flies nothing.
    """
    return hand_in(house, flight_id, folder, actor=actor).photos


def hand_in(house: House, flight_id: str, folder: Path | None, *, actor: Actor) -> HandedIn:
    """As `ingest`, and tells what was quarantined."""
    photos = read_folder(folder) if folder is not None else []
    trail = _trail(house, flight_id) if photos else None
    with open_ground(house.data_dir) as ground, house.work(actor) as work:
        flight = work.get(Flight, flight_id)
        placed = place(photos, trail, _scenery(work, flight, ground)) if trail is not None else []
        commands.mark_ingested(work, flight, _deviation(flight), [_row(flight, one) for one in placed])
        _refuse_known(work, photos)
        work.commit()
    return HandedIn(len(photos), dict(Counter(str(one.quarantine) for one in placed if one.quarantine)))


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


# -- where the photos were taken -------------------------------------------------------------------------


def _trail(house: House, flight_id: str) -> Trail:
    """The best record of the way: the aircraft's own log, else the link's, else the stored positions."""
    with house.session() as session:
        flight = find(session, Flight, flight_id)
        folder = record_folder(house, flight.public_id)
        for paths in (sorted((folder / LOGS).glob("*.bin")), sorted(folder.rglob("*.tlog"))):
            logs = [log for path in paths if (log := _read(path, flight)) is not None]
            trail = Trail.of_logs(logs)
            if len(trail):
                return trail
        return Trail.of_track(track_of(session, flight))


def _read(path: Path, flight: Flight) -> Logged | None:
    """A kept log; one that cannot be read, as after a crash on the ground, says nothing."""
    try:
        return read_log(path, flight.drone.mavlink_system_id)
    except RuleViolation:
        return None


def _scenery(work: Work, flight: Flight, ground: Ground) -> Scenery:
    mission = queries.mission_of(flight.route)
    return Scenery(
        home=mission.home.at,
        area=shapes.polygon(flight.route.area.geom),
        ground=ground,
        hfov_deg=flight.drone.camera_hfov_deg,
        touches_zone=_zone_test(work.session, work.pack_for(flight), flight),
    )


def _zone_test(session: Session, pack: RulePack, flight: Flight) -> Callable[[BaseGeometry, float, datetime], bool]:
    """Whether a footprint touches a zone, counted as before the flight: with the buffers of zone and law."""
    start, end = queries.window(flight)
    buffer_m = pack["privacy.buffer_m"]

    def touches(footprint: BaseGeometry, alt_agl_m: float, at: datetime) -> bool:
        near = zones_near(session, footprint, min(start, at), max(end, at), extra_buffer_m=buffer_m)
        seen = [zone for zone in near if zone.holds(at, at, pack.zone) and zone.is_seen_from(alt_agl_m)]
        return bool(hits(footprint, seen, extra_buffer_m=buffer_m))

    return touches


def _row(flight: Flight, one: Placed) -> FlightFrame:
    """The photo as a row of the record of `flight`; its place is the one that it says itself."""
    photo, pose, seen = one.photo, one.pose, one.seen
    return FlightFrame(
        public_id=public_id("FR"),
        flight_id=flight.id,
        sha256=photo.sha256,
        file_name=photo.path.name,
        captured_at=photo.taken_at,
        geom=shapes.element(Point(photo.at)),
        alt_agl_m=None if seen is None else round(seen.alt_agl_m, 2),
        heading_deg=photo.heading_deg if photo.heading_deg is not None else one.heading_deg,
        pitch_deg=pose and pose.pitch_deg,
        roll_deg=pose and pose.roll_deg,
        gimbal_pitch_deg=one.gimbal_pitch_deg,
        footprint=None if seen is None else shapes.element(seen.footprint),
        position_error_m=None if seen is None else round(seen.error_m, 2),
        pose=one.record,
        quarantined=one.quarantine is not None,
        quarantine_reason=one.quarantine and str(one.quarantine),
    )
