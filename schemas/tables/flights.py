"""Flights, what was filed for them, and what the aircraft reported (machine `flight`)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry
from schemas.tables.devices import Drone
from schemas.tables.patrols import InspectionPlan, PatrolRoute
from schemas.tables.people import Person


class Flight(Stated, Base):
    """One flight of one aircraft along one published route.

    `during` is the planned window until landing and the flown one afterwards; an exclusion
    constraint keeps two active flights of one aircraft apart.
    """

    __tablename__ = "flight"
    __machine__ = "flight"
    __table_args__ = (
        UniqueConstraint("pilot_id", "filing_key", name="rule__DC-2__filed_once"),
        Index("ix_flight_landed_at", "landed_at", postgresql_where=text("state = 'closed'")),
    )
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    inspection_plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.inspection_plan.id"))
    route_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.patrol_route.id"))
    route_version: Mapped[int]
    drone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.drone.device_id"))
    pilot_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    precheck: Mapped[dict[str, Any]] = mapped_column(default=dict)
    plan_name: Mapped[str]
    plan_bytes: Mapped[bytes] = mapped_column(BYTEA)
    plan_digest: Mapped[str]
    mission_digest: Mapped[str]
    vehicle_mission_digest: Mapped[str | None]
    vehicle_fence_digest: Mapped[str | None]
    airborne_at: Mapped[datetime | None]
    landed_at: Mapped[datetime | None]
    flown_track: Mapped[Shape | None] = geometry("LINESTRING", nullable=True)
    deviation_lateral_m: Mapped[float | None]
    deviation_vertical_m: Mapped[float | None]
    stayed_inside: Mapped[bool | None]
    deviation_note: Mapped[str | None]
    vehicle: Mapped[dict[str, Any]] = mapped_column(default=dict)  # autopilot, firmware, parameters read back
    tlog_sha256: Mapped[str | None]
    state_reason: Mapped[str | None]
    filing_key: Mapped[str | None]
    filing_sha256: Mapped[str | None]
    approval: Mapped[dict[str, Any] | None]  # what the unit head approved; its hash is in the ledger

    plan: Mapped[InspectionPlan] = relationship()
    route: Mapped[PatrolRoute] = relationship()
    drone: Mapped[Drone] = relationship()
    pilot: Mapped[Person] = relationship()


class TelemetryPoint(Base):
    """One position report; restricted and short-lived. Times are the gateway's own (receive time)."""

    __tablename__ = "telemetry_point"
    __table_args__ = (Index("ix_telemetry_point_flight_received_at", "flight_id", "received_at"),)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"))
    received_at: Mapped[datetime]
    boot_ms: Mapped[int] = mapped_column(BigInteger)
    geom: Mapped[Shape] = geometry("POINT")
    alt_rel_home_m: Mapped[float]
    alt_amsl_m: Mapped[float]
    heading_deg: Mapped[float | None]
    ground_speed_m_s: Mapped[float | None]
    battery_pct: Mapped[int | None]
    implausible: Mapped[bool] = mapped_column(default=False)
    alt_agl_m: Mapped[float | None]
    along_m: Mapped[float | None]
    cross_track_m: Mapped[float | None]
    conformance: Mapped[str | None]
    item: Mapped[int | None]


class FlightFrame(Identified, Recorded, Base):
    """A photo that the aircraft took, by its hash; the file lies in the store of originals.

    `footprint` is what it shows of the ground, from its pose on the track and the camera, `position_error_m` one
    sigma; `pose` says where they come from. A quarantined photo saw a privacy zone or left the area.
    """

    __tablename__ = "flight_frame"
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    file_name: Mapped[str]
    captured_at: Mapped[datetime]
    geom: Mapped[Shape] = geometry("POINT")
    alt_agl_m: Mapped[float | None]
    heading_deg: Mapped[float | None]
    pitch_deg: Mapped[float | None]
    roll_deg: Mapped[float | None]
    gimbal_pitch_deg: Mapped[float | None]
    footprint: Mapped[Shape | None] = geometry("POLYGON", nullable=True)
    position_error_m: Mapped[float | None]
    pose: Mapped[dict[str, Any]] = mapped_column(default=dict)
    quarantined: Mapped[bool] = mapped_column(default=False)
    quarantine_reason: Mapped[str | None]
