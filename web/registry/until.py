"""Until when what waits at the registry's desk can wait: reviews grow old, and a stop ends one way or the other."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo.periods import months_after
from schemas.rules import RulePack
from schemas.tables import Device, DeviceReview


def reviews_hold_until(db: Session, authority_id: uuid.UUID, pack: RulePack) -> date | None:
    """The first day on which the reviews of a device that waits for its announcement are too old (GD-10.3)."""
    latest = (
        select(func.max(DeviceReview.reviewed_on).label("day"))
        .join(Device, Device.id == DeviceReview.device_id)
        .where(Device.authority_id == authority_id, Device.state == "reviewed", Device.secret.is_(False))
        .where(DeviceReview.device_version == Device.device_version)
        .group_by(Device.id, DeviceReview.kind)
        .subquery()
    )
    oldest = db.scalar(select(func.min(latest.c.day)))
    return None if oldest is None else months_after(oldest, pack["review.max_age_months"])


def stops_end_by(db: Session, authority_id: uuid.UUID, pack: RulePack) -> date | None:
    """The first day by which a device that a check stopped is back in use or given up (GD-10.1)."""
    stopped = (Device.authority_id == authority_id) & (Device.state == "blocked") & Device.secret.is_(False)
    since = db.scalar(select(func.min(Device.state_since)).where(stopped))
    return None if since is None else pack.local_date(since) + timedelta(days=pack["block.max_days"])
