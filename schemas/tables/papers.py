"""The papers of a device: evaluations, calibrations, upkeep, incidents, dispatches (GD-10, GD-14, GD-20, GD-22)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded


class Evaluation(Identified, Recorded, Base):
    """The periodic evaluation of a device and its site (GD-10.1, GD-10.2).

    `evidence` is what was on record of the device when it was decided (geo.evaluating); None for one of before.
    """

    __tablename__ = "evaluation"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    outcome: Mapped[str]  # keep | adjust_signage | cancel_site
    text: Mapped[str]
    evaluated_on: Mapped[date]
    evaluated_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Calibration(Identified, Recorded, Base):
    """A test of a measuring instrument, passed or failed; one that failed is valid until nothing (GD-22.2)."""

    __tablename__ = "calibration"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    kind: Mapped[str]  # verification | calibration
    agency: Mapped[str]
    certificate_no: Mapped[str]
    passed: Mapped[bool]
    tested_on: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class Upkeep(Identified, Recorded, Base):
    """Maintenance done, or a repair that proves the cause of a stop to be gone (GD-22.1)."""

    __tablename__ = "upkeep"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    kind: Mapped[str]  # maintenance | repair
    done_on: Mapped[date]
    done_by: Mapped[str]  # the unit, or the institution that was asked to
    text: Mapped[str]
    stopped_since: Mapped[datetime | None]  # a repair: when the stop began that it ends
    recorded_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class Incident(Identified, Recorded, Base):
    """Something that was done to a device, or that it did by itself (GD-20.1)."""

    __tablename__ = "incident"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    kind: Mapped[str]  # tamper | moved | damaged | jammed | offline
    observed_at: Mapped[datetime]
    shift_m: Mapped[float | None]
    text: Mapped[str]
    reported_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class IncidentAnswer(Identified, Recorded, Base):
    """What somebody found who looked at an incident, once; until then it waits at the command centre (GD-20.1)."""

    __tablename__ = "incident_answer"
    incident_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.incident.id"), unique=True)
    answered_at: Mapped[datetime]
    text: Mapped[str]
    answered_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class Dispatch(Identified, Recorded, Base):
    """A notice handed to a channel that answers later, and its answer: a publication, or why there is none."""

    __tablename__ = "dispatch"
    __table_args__ = (
        Index("ix_dispatch_subject", "subject_kind", "subject_id"),
        Index("ix_dispatch_next_try_at", "next_try_at", postgresql_where=text("answered_at IS NULL")),
    )
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    channel: Mapped[str]
    content_sha256: Mapped[str]
    document: Mapped[str]  # RFC 8785 JSON, as it was sent
    sent_at: Mapped[datetime]
    sent_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]  # null where nothing is tried: given up, answered, or nobody could
    handed_over_at: Mapped[datetime | None]
    failure: Mapped[str | None]  # why it is not there yet, as a code of web.words.FAILURES and what was said
    answered_at: Mapped[datetime | None]
    publication_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.publication.id"))
    rejected_because: Mapped[str | None]


class AnnualReport(Identified, Recorded, Base):
    """A year's new devices as they were reported, and the receipt for it (GD-13.3); a draft is nowhere but computed.

    Part 1 is the report; what began to be used after it was submitted stands in its supplements, parts 2 and on.
    """

    __tablename__ = "annual_report"
    __table_args__ = (UniqueConstraint("authority_id", "year", "part"),)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    year: Mapped[int]
    part: Mapped[int]
    addressee: Mapped[str]  # government_of_the_same_level | government_above
    due_on: Mapped[date]
    document: Mapped[str]  # RFC 8785 JSON, as it was submitted
    content_sha256: Mapped[str]
    submitted_on: Mapped[date]
    submitted_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    received_on: Mapped[date | None]
    receipt_no: Mapped[str | None]
