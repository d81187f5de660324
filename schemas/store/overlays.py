"""Which overlays of rules an authority has switched on: the latest word about each counts."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.tables import OverlaySwitch


def switched_on(session: Session, authority_id: uuid.UUID) -> tuple[str, ...]:
    """The overlays in force for an authority, by id, sorted."""
    said = (
        select(OverlaySwitch.overlay, OverlaySwitch.is_on)
        .where(OverlaySwitch.authority_id == authority_id)
        .order_by(OverlaySwitch.recorded_at)
    )
    with session.no_autoflush:
        latest = {row.overlay: row.is_on for row in session.execute(said)}
    return tuple(sorted(overlay for overlay, is_on in latest.items() if is_on))
