"""A scene is taken in: a masked copy of it, its originals and its rows, all of it or nothing.

Apart from the engines: whoever hands in an image needs none of them. The commit is left to the edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import shapely
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import ColumnElement, and_, func, or_, select

from geo.zones import MOST_BUFFER_M
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, invalid, refuse
from schemas.store.work import Work
from schemas.tables import SRID, Authority, Derivative, Flight, FlightFrame, PrivacyZone, Scene
from sensing import rows
from sensing.authorities import authority_at
from sensing.copies import current_copy, in_force
from sensing.intake import FIRST_AERIAL, Placed, Shelf, Told, receive
from sensing.mask import Zone, grown, within_reach, zone_version
from sensing.placing import PLACE_RULES, Unplaced
from sensing.quarantine import Progress, Written, quarantine

# From landing on, the times between which an aircraft was in the air are known.
_FLOWN = ("landed", "ingested", "closed")
# Rounding of corners between grids, not ground.
_SLACK_SHARE = 1e-6
# The clock of a camera, or the zone that it forgot, may be a day off; more is a mistake.
_CLOCK_ERROR = timedelta(days=2)


@dataclass(frozen=True)
class Ingested:
    """The outcome of taking a scene in.

    `known` says that the same bytes were there before: nothing was written and nothing is to be committed.
    `quarantined` holds the refusals for which the scene is kept but never used, `left_out` those of photos of a set
    that have no place.
    """

    scene: Scene
    derivative: Derivative | None
    known: bool
    quarantined: tuple[Refusal, ...] = ()
    left_out: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)


def ingest_scene(
    work: Work,
    shelf: Shelf,
    files: Sequence[Path],
    *,
    told: Told,
    flight_id: str | None = None,
    progress: Progress = lambda _: None,
) -> Ingested:
    """Take one georeferenced image, or the photos of one flight, into the house.

    Privacy zones in force at capture or now are burnt into the pixels of the copy before anything but the write-once
    original is stored. With a flight, capture must lie within its time in the air and its published area,
    else the scene is kept in quarantine (GD-36.1). The same bytes are one scene: they are taken in again only
    to say what the bands measure, or when it was taken where nobody knew. Raises RuleViolation with every reason for a
    refusal.
    """
    flight = work.get(Flight, flight_id) if flight_id else None
    if flight is not None and told.hfov_deg is None:
        told = replace(told, hfov_deg=flight.drone.camera_hfov_deg)
    drawn: tuple[str, Written, int] | None = None
    _let_go(work)
    with quarantine(shelf.quarantine) as room:
        placed = receive(room, files, told)
        if isinstance(placed, Unplaced):
            return _waiting(work, shelf, placed, flight)
        left_out = placed.left_out
        while True:
            known = _found_alone(work, placed)
            if known is not None and _time_told(known, told):
                return replace(_dated(work, known, placed), left_out=left_out)
            freed = known is not None and _position_told(known, placed)
            if known is not None and not freed and not _bands_corrected(work, known, placed, told):
                return replace(_known(work, known), left_out=left_out)
            _refuse_odd_time(work, placed)
            _refuse_elsewhere(work, placed)
            claimed = flight or (known.flight if known and freed else None)
            against = (*placed.held, *(_unlawful(work, placed, claimed) if claimed else ()))
            if against and known is None:
                return replace(_quarantined(work, shelf, placed, flight, against), left_out=left_out)
            if known is not None and freed and against:
                raise RuleViolation(Kind.CONFLICT, against)
            earlier = _newest_copy(work, known) if known else None
            error_m = _error_m(placed, known)
            zones = _zones(work, placed, error_m, earlier.zone_ids if earlier else ())
            if drawn is not None and drawn[0] == zone_version(zones):
                scene = known or _new_scene(work, placed, flight)
                if freed:
                    _free(work, scene, placed)
                copy = _masked(work, shelf, (placed, scene, earlier), zones, drawn[1:])
                return Ingested(scene, copy, known=False, left_out=left_out)
            # Everything is asked again afterwards: a zone may have come, or another may have been faster.
            _let_go(work)
            shapes = [grown(zone, error_m) for zone in zones]
            drawn = (zone_version(zones), *placed.written(room, shapes, progress))


def _let_go(work: Work) -> None:
    """End the transaction, in which nothing was written yet, before pixels are worked on for minutes.

    What idles in a transaction is cut off, and holds up the seal of the ledger meanwhile.
    """
    work.session.rollback()


def _waiting(work: Work, shelf: Shelf, image: Unplaced, flight: Flight | None) -> Ingested:
    """An image of which nobody knows where it lies, kept as it came: no zone can be hidden in a copy of it (GD-43)."""
    known = _found_alone(work, image)
    if known is not None:
        return _known(work, known)
    _refuse_odd_time(work, image)
    scene = rows.unplaced(image, flight.id if flight else None, flight.authority_id if flight else None)
    _keep_originals(shelf, image)
    work.session.add(scene)
    _record(work, scene, {"quarantined": scene.quarantine})
    return Ingested(scene, None, known=False, quarantined=image.held)


def _refuse_elsewhere(work: Work, placed: Placed) -> None:
    """A place that somebody states lies on the ground of an authority: else it is a wrong CRS, or a wrong house."""
    if placed.stated is None:
        return
    here = func.ST_Intersects(Authority.jurisdiction, from_shape(placed.shown, srid=SRID))
    if work.session.scalars(select(Authority.id).where(here).limit(1)).first() is None:
        middle = placed.shown.centroid
        raise conflict("raster.elsewhere", measured=f"{middle.x:.4f}, {middle.y:.4f}", required=placed.stated.crs)


def _found_alone(work: Work, placed: Placed | Unplaced) -> Scene | None:
    """The scene of the same bytes, if there is one; whoever hands them in at the same moment waits here."""
    work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(placed.sha256, 0))))
    return work.session.scalars(select(Scene).where(Scene.sha256 == placed.sha256)).one_or_none()


def _new_scene(work: Work, placed: Placed, flight: Flight | None, against: Sequence[Refusal] = ()) -> Scene:
    authority_id = flight.authority_id if flight else authority_at(work.session, placed.shown.centroid)
    return rows.scene(placed, flight.id if flight else None, authority_id, against)


def _quarantined(
    work: Work, shelf: Shelf, placed: Placed, flight: Flight | None, against: tuple[Refusal, ...]
) -> Ingested:
    """The scene kept as it came, without a copy: never shown and never used (GD-36.1)."""
    scene = _new_scene(work, placed, flight, against)
    _keep_originals(shelf, placed)
    work.session.add(scene)
    _record(work, scene, {"quarantined": sorted({refusal.rule for refusal in against})})
    return Ingested(scene, None, known=False, quarantined=against)


def _refuse_odd_time(work: Work, placed: Placed | Unplaced) -> None:
    if placed.captured_at is not None and placed.captured_at < FIRST_AERIAL:
        raise invalid("scene.too_early", measured=f"{placed.captured_at:%Y-%m-%d %H:%M}Z")
    latest = placed.captured_until if isinstance(placed, Placed) else placed.captured_at
    if latest is not None and latest > work.now + _CLOCK_ERROR:
        raise invalid("scene.future", measured=f"{latest:%Y-%m-%d %H:%M}Z")


def _time_told(scene: Scene, told: Told) -> bool:
    """Whether somebody says of a known scene when it was taken, and nobody knew."""
    return told.captured_at is not None and scene.captured_at is None and not scene.quarantine


def _dated(work: Work, scene: Scene, placed: Placed) -> Ingested:
    """A known scene with the time that was missing; its copy hides the zones of all times already."""
    _refuse_odd_time(work, placed)
    scene.captured_at, scene.captured_until = placed.captured_at, placed.captured_until
    copy = _newest_copy(work, scene)
    _record(work, scene, {"captured_at": placed.captured_at.isoformat() if placed.captured_at else None})
    return Ingested(scene, copy, known=False)


def _bands_corrected(work: Work, scene: Scene, placed: Placed, told: Told) -> bool:
    """Whether somebody says of a known scene that its bands are others than was thought: then it is masked anew."""
    newest = _newest_copy(work, scene)
    return bool(told.bands) and newest is not None and newest.band_roles != [role.value for role in placed.roles]


def _newest_copy(work: Work, scene: Scene) -> Derivative | None:
    return current_copy(work.session, scene.id)


def _known(work: Work, scene: Scene) -> Ingested:
    derivative = _newest_copy(work, scene)
    # The caller leaves without a commit, and rolling back would empty what still belongs to the session.
    work.session.expunge_all()
    return Ingested(scene, derivative, known=True)


def _keep_originals(shelf: Shelf, placed: Placed | Unplaced) -> None:
    for arrival in placed.arrivals:
        shelf.originals.put(arrival.path)


def _masked(
    work: Work,
    shelf: Shelf,
    about: tuple[Placed, Scene, Derivative | None],
    zones: Sequence[Zone],
    drawn: tuple[Written, int],
) -> Derivative:
    """The rows of a masked copy that was drawn with these zones, and its file; `about` ends with the copy before it."""
    placed, scene, earlier = about
    copy, surviving = drawn
    if surviving:
        raise conflict("GD-43", "scene.masking", measured=surviving)
    if copy.valid == 0:
        raise invalid("raster.empty", "raster.empty", name=scene.file_name)
    # Files first, rows after: what is interrupted in between leaves a file that nobody refers to.
    _keep_originals(shelf, placed)
    derivative = rows.derivative(placed, scene, zones, (copy, surviving, shelf.derivatives.put(copy.path)))
    derivative.supersedes_id = earlier.id if earlier else None
    work.session.add(scene)
    work.session.flush()
    work.session.add(derivative)
    _record(
        work,
        scene,
        {
            "derivative_sha256": derivative.sha256,
            "zone_hash": derivative.zone_hash,
            "masked_pixels": derivative.masked_pixels,
            "band_roles": derivative.band_roles,
            "position_error_m": scene.position_error_m,
            "position": rows.position(placed),
        }
        | ({"place": placed.stated.dump()} if placed.stated else {}),
    )
    return derivative


def _position_told(scene: Scene, placed: Placed) -> bool:
    """Whether a scene waits in quarantine for nothing but its place, and now somebody states it."""
    return bool(scene.quarantine) and set(scene.quarantine or ()) <= PLACE_RULES and placed.position is not None


def _free(work: Work, scene: Scene, placed: Placed) -> None:
    """A scene out of quarantine, with where it lies and whose word that is, and all else that is known by now."""
    found = rows.scene(placed, None, authority_at(work.session, placed.shown.centroid), ())
    scene.quarantine, scene.header = None, found.header
    scene.footprint, scene.crs, scene.gsd_m, scene.sensor = found.footprint, found.crs, found.gsd_m, found.sensor
    scene.position_error_m = found.position_error_m
    scene.authority_id = scene.authority_id or found.authority_id
    if scene.captured_at is None:
        scene.captured_at, scene.captured_until = placed.captured_at, placed.captured_until


def _error_m(placed: Placed, known: Scene | None) -> float:
    """The position error of an image that is used: what is said now, else what was said when it was taken in."""
    error_m = placed.position_error_m
    if error_m is None and known is not None:
        error_m = known.position_error_m
    if error_m is None:
        raise RuleViolation(Kind.INVALID, placed.held)
    return error_m


def _zones(work: Work, placed: Placed, error_m: float, held: Sequence[str] = ()) -> list[Zone]:
    """The privacy zones that may reach into the image and were in force at capture, or are in force now; and `held`.

    Now as well, because whoever is protected today may not be shown today, whatever time an image claims; and all
    of them, past and future, where its time is unknown. Held are those of an earlier copy: what was hidden stays so.
    """
    near = within_reach(placed.shown, MOST_BUFFER_M + error_m)
    reached: ColumnElement[bool] = func.ST_Intersects(PrivacyZone.geom, from_shape(near, srid=SRID))
    if placed.captured_at is not None:
        times = ((placed.captured_at, placed.captured_until or placed.captured_at), (work.now, work.now))
        reached = and_(reached, or_(*(in_force(start, end) for start, end in times)))
    query = select(PrivacyZone).where(or_(reached, PrivacyZone.public_id.in_(held)))
    found = work.session.scalars(query.order_by(PrivacyZone.public_id))
    return [Zone(row.public_id, row.zone_version, to_shape(row.geom), row.buffer_m) for row in found]


def _unlawful(work: Work, placed: Placed, flight: Flight) -> Iterable[Refusal]:
    """GD-36.1: why a capture does not belong to the flight that it claims."""
    name = flight.public_id
    if flight.state not in _FLOWN or flight.airborne_at is None or flight.landed_at is None:
        yield refuse("GD-36.1", "scene.not_flown", name=name, measured=flight.state)
    elif placed.captured_at is None or placed.captured_until is None:
        yield refuse("GD-36.1", "scene.no_time")
    elif placed.captured_at < flight.airborne_at or placed.captured_until > flight.landed_at:
        yield refuse(
            "GD-36.1",
            "scene.outside_time",
            name=name,
            measured=f"{placed.captured_at.isoformat()} – {placed.captured_until.isoformat()}",
            required=f"{flight.airborne_at.isoformat()} – {flight.landed_at.isoformat()}",
        )
    area = to_shape(flight.route.area.geom)
    outside = shapely.difference(placed.shown, area)
    if outside.area > _SLACK_SHARE * placed.shown.area:
        yield refuse(
            "GD-36.1",
            "scene.outside_area",
            name=name,
            measured=f"{100 * outside.area / placed.shown.area:.1f} %",
            place=shapely.geometry.mapping(outside),
        )
    frames = select(FlightFrame.sha256, FlightFrame.quarantined).where(FlightFrame.flight_id == flight.id)
    # A photo that saw a privacy zone is no photo of the flight for anybody who wants to look at it.
    held = {row.sha256: row.quarantined for row in work.session.execute(frames)}
    strangers = [guest.name for guest in placed.guests if held.get(guest.sha256, True)]
    if held and strangers:
        yield refuse("GD-36.1", "scene.not_taken", name=name, measured=len(strangers), required=strangers[0])


def _record(work: Work, scene: Scene, body: dict[str, object]) -> None:
    about = {
        "scene": scene.public_id,
        "sha256": scene.sha256,
        "flight_id": scene.flight_id and str(scene.flight_id),
    }
    work.record("scene.ingest", "scene", scene.id, about | body, effective_at=scene.captured_at)
