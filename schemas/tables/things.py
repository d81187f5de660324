"""What instruments report: credentials, series, readings, exceedances; health and references of devices."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry
from schemas.tables.devices import Device
from schemas.tables.papers import Calibration
from schemas.tables.places import SupervisedEntity

QUALITIES = ("valid", "suspect", "invalid")
_NULL_JSON = JSONB(none_as_null=True)


def _serial() -> Any:  # noqa: ANN401
    return mapped_column(BigInteger, Identity(always=False), primary_key=True)


class DeviceToken(Base):
    """What a device proves itself with, over HTTP and at the broker; the token itself is kept nowhere."""

    __tablename__ = "device_token"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    public_id: Mapped[str] = mapped_column(unique=True)  # the name at the broker
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    token_sha256: Mapped[str] = mapped_column(unique=True)
    broker_password: Mapped[str]  # PBKDF2, as mosquitto_passwd writes it
    issued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    device: Mapped[Device] = relationship()


class FormerSite(Base):
    """A place where a device was before it moved; written by the database itself."""

    __tablename__ = "former_site"
    site_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device_site.id"), primary_key=True)
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), primary_key=True, index=True)
    left_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Sensor(Base):
    """An instrument inside a device, and where its description stands."""

    __tablename__ = "sensor"
    id: Mapped[int] = _serial()
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    encoding_type: Mapped[str]
    metadata_text: Mapped[str] = mapped_column("metadata")
    properties: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ObservedProperty(Base):
    """What can be observed, known by its definition; `device_id` is whose client named it first."""

    __tablename__ = "observed_property"
    id: Mapped[int] = _serial()
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.device.id"))
    name: Mapped[str]
    definition: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]
    properties: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Datastream(Base):
    """A series of readings of one property by one sensor."""

    __tablename__ = "datastream"
    id: Mapped[int] = _serial()
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    sensor_id: Mapped[int] = mapped_column(ForeignKey("core.sensor.id"), index=True)
    observed_property_id: Mapped[int] = mapped_column(ForeignKey("core.observed_property.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    observation_type: Mapped[str]
    unit_name: Mapped[str]
    unit_symbol: Mapped[str]
    unit_definition: Mapped[str]
    properties: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    device: Mapped[Device] = relationship()
    sensor: Mapped[Sensor] = relationship()
    observed_property: Mapped[ObservedProperty] = relationship()


class ReadingCursor(Base):
    """Until when the windows of a limit of the rule pack were judged in a series."""

    __tablename__ = "reading_cursor"
    datastream_id: Mapped[int] = mapped_column(ForeignKey("core.datastream.id"), primary_key=True)
    limit_code: Mapped[str] = mapped_column(primary_key=True)
    judged_until: Mapped[datetime]


class LateReading(Base):
    """A reading that came after its window was judged, until that was judged again; written by the database itself."""

    __tablename__ = "late_reading"
    datastream_id: Mapped[int] = mapped_column(ForeignKey("core.datastream.id"), primary_key=True)
    observation_id: Mapped[int] = mapped_column(ForeignKey("core.observation.id"), primary_key=True)


class FeatureOfInterest(Base):
    """What readings are of: the place of the device unless its client says otherwise."""

    __tablename__ = "feature_of_interest"
    __table_args__ = (UniqueConstraint("device_id", "site_id"),)
    id: Mapped[int] = _serial()
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"))
    site_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.device_site.id"))
    name: Mapped[str]
    description: Mapped[str]
    encoding_type: Mapped[str]
    geom: Mapped[Shape] = geometry("GEOMETRY")
    properties: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Observation(Base):
    """One reading; the same moment under the same name of the client is one, however often it is sent."""

    __tablename__ = "observation"
    __table_args__ = (UniqueConstraint("datastream_id", "phenomenon_time", "client_id"),)
    id: Mapped[int] = _serial()
    datastream_id: Mapped[int] = mapped_column(ForeignKey("core.datastream.id"))
    feature_id: Mapped[int] = mapped_column(ForeignKey("core.feature_of_interest.id"))
    phenomenon_time: Mapped[datetime]
    phenomenon_until: Mapped[datetime | None]
    result_time: Mapped[datetime | None]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    result: Mapped[float]
    quality: Mapped[str]
    client_id: Mapped[str]
    parameters: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)


class Exceedance(Identified, Recorded, Base):
    """A window of readings beyond a limit, with the calibration and the publications that it rests on.

    `readings_sha256` is over the times and values of all readings of the window, in their order.
    """

    __tablename__ = "exceedance"
    __table_args__ = (UniqueConstraint("datastream_id", "limit_code", "window_from"),)
    datastream_id: Mapped[int] = mapped_column(ForeignKey("core.datastream.id"))
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    limit_code: Mapped[str]
    window_from: Mapped[datetime]
    window_until: Mapped[datetime]
    value: Mapped[float]
    least: Mapped[float | None]
    most: Mapped[float | None]
    unit: Mapped[str]
    valid_share: Mapped[float]
    readings: Mapped[int]
    readings_sha256: Mapped[str]
    calibration_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.calibration.id"))
    publication_ids: Mapped[list[str]] = mapped_column(default=list)

    datastream: Mapped[Datastream] = relationship()
    device: Mapped[Device] = relationship()
    calibration: Mapped[Calibration | None] = relationship()


class DeviceReference(Base):
    """How a device is reached: its GB/T 28181 number, its ONVIF id, its stream; restricted, and shown nowhere."""

    __tablename__ = "device_reference"
    __table_args__ = (UniqueConstraint("device_id", "kind"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"))
    kind: Mapped[str]  # gbt28181 | onvif | rtsp
    reference: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Heartbeat(Base):
    """A sign of life, with what its snapshot looked like where there was one."""

    __tablename__ = "heartbeat"
    __table_args__ = (Index("ix_heartbeat_device_id", "device_id", "beat_at"),)
    id: Mapped[int] = _serial()
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"))
    beat_at: Mapped[datetime]
    shift_m: Mapped[float | None]  # from the site, where the device told where it is
    snapshot_sha256: Mapped[str | None]
    looks: Mapped[dict[str, Any] | None] = mapped_column(_NULL_JSON)
    faults: Mapped[list[str]] = mapped_column(default=list)


class RequiredView(Base):
    """How many views of what a supervised entity has to give (LX-12)."""

    __tablename__ = "required_view"
    __table_args__ = (UniqueConstraint("authority_id", "entity_id", "position"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    public_id: Mapped[str] = mapped_column(unique=True)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    entity_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.supervised_entity.id"))
    position: Mapped[str]
    count: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    entity: Mapped[SupervisedEntity] = relationship()


class GivenView(Base):
    """A device that gives a view which an entity has to give."""

    __tablename__ = "given_view"
    view_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.required_view.id"), primary_key=True)
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), primary_key=True, index=True)
