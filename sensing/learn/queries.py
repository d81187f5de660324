"""What is known about models, as frozen rows and as the card that goes with each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from schemas.refusals import not_found
from schemas.tables import ModelVersion
from schemas.words import Coded

CARD_FORMAT = "skywarden-model-card-1"


@dataclass(frozen=True)
class ModelRow:
    """One version: what it is, whose, and whether it may be used."""

    public_id: str
    kind: str
    state: str
    authority: str
    purpose: str
    classes: tuple[str, ...]
    labels: int
    scenes: int
    recorded_at: datetime
    approved_at: datetime | None
    sha256: str


def models(session: Session) -> list[ModelRow]:
    """All versions, the newest first."""
    wanted = select(ModelVersion).options(joinedload(ModelVersion.authority)).order_by(ModelVersion.recorded_at.desc())
    return [
        ModelRow(
            public_id=row.public_id,
            kind=row.kind,
            state=row.state,
            authority=row.authority.code,
            purpose=row.purpose,
            classes=tuple(row.classes),
            labels=len(row.label_ids),
            scenes=len(row.scene_ids),
            recorded_at=row.recorded_at,
            approved_at=row.approved_at,
            sha256=row.sha256,
        )
        for row in session.scalars(wanted)
    ]


def card(session: Session, model_id: str) -> dict[str, Any]:
    """The card of a version as plain JSON: everything that GD-05.2 asks of the registry.

    Raises RuleViolation 404 for an unknown one. Persons are told by their public id.
    """
    wanted = select(ModelVersion).where(ModelVersion.public_id == model_id)
    whole = wanted.options(
        joinedload(ModelVersion.authority), joinedload(ModelVersion.author), joinedload(ModelVersion.approver)
    )
    row = session.scalars(whole).one_or_none()
    if row is None:
        raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["model"]), measured=model_id)
    return {
        "format": CARD_FORMAT,
        "model": row.public_id,
        "kind": row.kind,
        "state": row.state,
        "authority": row.authority.code,
        "purpose": row.purpose,
        "banned_uses": list(row.banned_uses),
        "trained_at": row.recorded_at.isoformat(),
        "trained_by": row.author.public_id if row.author else None,
        "approved_at": row.approved_at.isoformat() if row.approved_at else None,
        "approved_by": row.approver.public_id if row.approver else None,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "reason": row.reason,
        "sha256": row.sha256,
        "size_bytes": row.size_bytes,
        "classes": list(row.classes),
        "features": list(row.features),
        "training_data": {
            "licence": row.licence,
            "labels": len(row.label_ids),
            "label_ids": list(row.label_ids),
            "sources": [dict(source) for source in row.sources],
        },
        "metrics": dict(row.metrics),
        "origin": row.origin,
    }
