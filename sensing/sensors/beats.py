"""Signs of life of devices, and who is not well: the queue of the command centre (LX-6, LX-16)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from geoalchemy2.shape import to_shape
from shapely import Point
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from geo.measure import distance_m
from geo.types import LonLat
from schemas.tables import (
    Authority,
    Datastream,
    Device,
    DeviceSite,
    DeviceToken,
    GivenView,
    Heartbeat,
    Incident,
    IncidentAnswer,
    Observation,
    RequiredView,
    SupervisedEntity,
)
from sensing.sensors.health import Fault, Look, faults_of, thresholds

_LOOKED_BACK = 50


@dataclass(frozen=True)
class Ill:
    """A device in use that is not well, since when it is known, and what is wrong; restricted."""

    device: str
    name: str
    device_type: str
    authority: str
    heard_at: datetime | None
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """Of how many devices in use it is known how they are: the others never said anything and nobody expects it."""

    reporting: int
    in_use: int


@dataclass(frozen=True)
class Short:
    """A view of an entity that fewer devices give than have to; `given` are in use and well."""

    view: str
    entity: str
    position: str
    authority: str
    required: int
    given: int


def beat(
    session: Session,
    device: Device,
    at: datetime,
    *,
    tolerance_m: float,
    place: Point | None = None,
    snapshot: tuple[str, Look] | None = None,
) -> tuple[Heartbeat, bool]:
    """Writes a sign of life; `snapshot` is the hash of the file and what it looks like. The caller commits.

    Says too whether it tells of a move itself. What told of another place is there until it tells of its own again,
    or until somebody has looked at it: that the next sign of life has no place makes nothing well.
    """
    shift_m = _shift_m(session, device, place) if place is not None else None
    faults: list[Fault] = []
    if snapshot is not None:
        before = _looks(session, device)
        faults += faults_of(snapshot[1], at, before, _first(session, device))
    tells_of_move = Fault.MOVED in faults or (shift_m or 0.0) > tolerance_m
    last_m = shift_m if shift_m is not None else _last_shift_m(session, device)
    if last_m > tolerance_m and Fault.MOVED not in faults:
        faults.append(Fault.MOVED)
    row = Heartbeat(
        device_id=device.id,
        beat_at=at,
        shift_m=shift_m,
        snapshot_sha256=snapshot[0] if snapshot else None,
        looks=snapshot[1].dump() if snapshot else None,
        faults=[str(fault) for fault in faults],
    )
    session.add(row)
    session.flush()
    return row, tells_of_move


def _last_shift_m(session: Session, device: Device) -> float:
    """How far it was from its site when it last told where it is, since it is in use and since somebody looked."""
    told = _since_looked_at(session, device).where(Heartbeat.device_id == device.id, Heartbeat.shift_m.is_not(None))
    if device.state_since:
        told = told.where(Heartbeat.beat_at >= device.state_since)
    row = session.scalars(told.order_by(Heartbeat.beat_at.desc(), Heartbeat.id.desc()).limit(1)).one_or_none()
    return row.shift_m or 0.0 if row is not None else 0.0


def _shift_m(session: Session, device: Device, place: Point) -> float:
    site = to_shape(session.get_one(DeviceSite, device.site_id).geom)
    assert isinstance(site, Point)
    return round(distance_m(LonLat(site.x, site.y), LonLat(place.x, place.y)), 1)


def _looks(session: Session, device: Device) -> list[tuple[datetime, Look]]:
    """The snapshots since the device was taken into use, the newest first."""
    rows = _since_use(device).order_by(Heartbeat.beat_at.desc(), Heartbeat.id.desc()).limit(_LOOKED_BACK)
    return [(row.beat_at, Look.load(row.looks)) for row in session.scalars(rows) if row.looks is not None]


def _first(session: Session, device: Device) -> Look | None:
    """The first snapshot since then with which nothing was wrong; anew since somebody answered that it had moved."""
    wanted = _since_use(device, _since_looked_at(session, device)).where(Heartbeat.faults == [])
    row = session.scalars(wanted.order_by(Heartbeat.beat_at, Heartbeat.id).limit(1)).one_or_none()
    return Look.load(row.looks) if row is not None and row.looks is not None else None


def _since_looked_at(session: Session, device: Device) -> Select[Heartbeat]:
    """Signs of life since somebody answered that a device had moved; all of them where nobody had to."""
    answered = select(func.max(IncidentAnswer.answered_at)).join(Incident, Incident.id == IncidentAnswer.incident_id)
    looked_at = session.scalar(answered.where(Incident.device_id == device.id, Incident.kind == "moved"))
    return select(Heartbeat).where(Heartbeat.beat_at > looked_at) if looked_at else select(Heartbeat)


def _since_use(device: Device, beats: Select[Heartbeat] | None = None) -> Select[Heartbeat]:
    rows = select(Heartbeat) if beats is None else beats
    rows = rows.where(Heartbeat.device_id == device.id, Heartbeat.snapshot_sha256.is_not(None))
    return rows.where(Heartbeat.beat_at >= device.state_since) if device.state_since else rows


def shown_no_more(session: Session, device: Device) -> list[str]:
    """Hashes of snapshots that nothing needs any more: neither the newest of the device nor its first since use."""
    rows = select(Heartbeat.snapshot_sha256).where(
        Heartbeat.device_id == device.id, Heartbeat.snapshot_sha256.is_not(None)
    )
    newest = session.scalars(rows.order_by(Heartbeat.beat_at.desc(), Heartbeat.id.desc()).limit(1)).all()
    first = session.scalars(_since_use(device).order_by(Heartbeat.beat_at, Heartbeat.id).limit(1)).all()
    needed = {*newest, *(row.snapshot_sha256 for row in first)}
    return sorted({sha256 for sha256 in session.scalars(rows) if sha256 is not None} - needed)


def ill_devices(session: Session, now: datetime, authority_ids: Iterable[uuid.UUID] | None = None) -> list[Ill]:
    """Devices in use that are offline or show a fault, the longest unheard first; of all authorities, or of some.

    Whoever holds a credential, or was ever heard, is expected to be heard: by a heartbeat or by a reading.
    """
    in_use, heard, expected = _in_use(now, authority_ids)
    wanted = in_use.with_only_columns(Device, Authority.code, heard).where(expected)
    found = []
    for device, authority, at in session.execute(wanted.order_by(heard.asc().nulls_first(), Device.public_id)):
        faults = _faults(session, device, at, now)
        if faults:
            found.append(Ill(device.public_id, device.name, device.device_type, authority, at, faults))
    return found


def who_reports(session: Session, now: datetime, authority_ids: Iterable[uuid.UUID] | None = None) -> Heard:
    """Of how many devices in use something is heard or expected, and how many there are."""
    in_use, _, expected = _in_use(now, authority_ids)
    counted = in_use.with_only_columns(func.count().filter(expected), func.count())
    return Heard(*session.execute(counted).one())


def _in_use(
    now: datetime, authority_ids: Iterable[uuid.UUID] | None
) -> tuple[Select[Device], ColumnElement[datetime | None], ColumnElement[bool]]:
    """Devices in use with their authorities, when each was heard, and whether it is expected to be."""
    beats = (
        select(Heartbeat.device_id, func.max(Heartbeat.beat_at).label("at")).group_by(Heartbeat.device_id).subquery()
    )
    # The newest of each series is found by its index, however many readings there are.
    newest = select(func.max(Observation.phenomenon_time)).where(Observation.datastream_id == Datastream.id)
    readings = (
        select(Datastream.device_id, func.max(newest.correlate(Datastream).scalar_subquery()).label("at"))
        .group_by(Datastream.device_id)
        .subquery()
    )
    holders = select(DeviceToken.device_id).where(DeviceToken.revoked_at.is_(None), DeviceToken.expires_at > now)
    heard = func.greatest(beats.c.at, readings.c.at)
    wanted = (
        select(Device)
        .join(Authority, Authority.id == Device.authority_id)
        .outerjoin(beats, beats.c.device_id == Device.id)
        .outerjoin(readings, readings.c.device_id == Device.id)
        .where(Device.state == "active")
    )
    if authority_ids is not None:
        wanted = wanted.where(Device.authority_id.in_(list(authority_ids)))
    return wanted, heard, heard.is_not(None) | Device.id.in_(holders)


def _faults(session: Session, device: Device, heard_at: datetime | None, now: datetime) -> tuple[str, ...]:
    if heard_at is None or now - heard_at > timedelta(minutes=thresholds().offline_min):
        return (Fault.OFFLINE.value,)
    last = select(Heartbeat.faults).where(Heartbeat.device_id == device.id)
    return tuple(session.scalars(last.order_by(Heartbeat.beat_at.desc(), Heartbeat.id.desc()).limit(1)).first() or ())


def short_views(session: Session, now: datetime, authority_ids: Iterable[uuid.UUID] | None = None) -> list[Short]:
    """Views that too few devices give: those that are not in use, or not well, give none (LX-12, LX-16)."""
    ill = {one.device for one in ill_devices(session, now)}
    wanted = (
        select(RequiredView, SupervisedEntity.name, Authority.code)
        .join(SupervisedEntity, SupervisedEntity.id == RequiredView.entity_id)
        .join(Authority, Authority.id == RequiredView.authority_id)
    )
    if authority_ids is not None:
        wanted = wanted.where(RequiredView.authority_id.in_(list(authority_ids)))
    found = []
    for view, entity, authority in session.execute(wanted.order_by(SupervisedEntity.name, RequiredView.position)):
        giving = select(Device.public_id).join(GivenView, GivenView.device_id == Device.id)
        active = session.scalars(giving.where(GivenView.view_id == view.id, Device.state == "active")).all()
        given = len(set(active) - ill)
        if given < view.count:
            found.append(Short(view.public_id, entity, view.position, authority, view.count, given))
    return found
