"""Changes of state around models: places are labelled, a version is registered, approved, refused, withdrawn.

Every function takes a unit of work and leaves the commit to the edge.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from schemas.ids import public_id
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, forbidden, refuse
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Label, ModelVersion, Scene
from sensing.authorities import authority_at
from sensing.intake import Shelf
from sensing.learn.guards import BANNED
from sensing.learn.labels import Mark, of_mark
from sensing.learn.sampling import Ground, opened
from sensing.learn.store import OBJECT as OBJECT
from sensing.learn.store import PIXEL as PIXEL
from sensing.pipeline import source_of

NOTHING: Mapping[str, str] = {}
LABELLERS = (Role.OFFICER, Role.TECHNICAL_REVIEWER)


def label_places(
    work: Work, shelf: Shelf, scene_id: str, marks: Sequence[Mark], *, about: Mapping[str, str] = NOTHING
) -> list[Label]:
    """Keep what a person says of places in a scene; every place must be visible in its masked copy.

    `about` goes on record with them. Raises RuleViolation with every place that is not.
    """
    person_id = work.actor.person_id
    if person_id is None or not any(work.actor.has(role) for role in LABELLERS):
        raise forbidden("label.role")
    source = source_of(work.session, scene_id)
    with opened(shelf, source) as ground:
        refusals = [one for number, mark in enumerate(marks) for one in _unseen(ground, mark, f"features[{number}]")]
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals)
    scene = source.scene
    rows = [of_mark(mark, scene.id, _district(work, scene, mark), person_id) for mark in marks]
    work.session.add_all(rows)
    work.session.flush()
    listed = "\n".join(sorted(f"{row.public_id} {row.of_class} {_place(row)}" for row in rows))
    work.record(
        "label.place",
        "scene",
        scene.id,
        {
            "scene": scene.public_id,
            "derivative_sha256": source.derivative.sha256,
            "labels": dict(sorted(Counter(row.of_class for row in rows).items())),
            "labels_sha256": hashlib.sha256(listed.encode()).hexdigest(),
            **about,
        },
    )
    return rows


def _unseen(ground: Ground, mark: Mark, path: str) -> list[Refusal]:
    if ground.pixels(mark.geom, most=1).count:
        return []
    return [refuse("label.outside", "label.outside", path=path, measured=mark.of_class)]


def _place(row: Label) -> str:
    return str(row.geom.desc)


def _district(work: Work, scene: Scene, mark: Mark) -> uuid.UUID:
    authority_id = authority_at(work.session, shapely.point_on_surface(mark.geom)) or scene.authority_id
    if authority_id is None:
        raise conflict("GD-02.2", "detection.no_authority", measured=mark.of_class)
    return authority_id


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model as it comes out of training, with what the registry must know of it (GD-05.2)."""

    kind: str
    sha256: str
    size_bytes: int
    classes: Sequence[str]
    features: Sequence[str]
    labels: Sequence[Label]
    sources: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]
    purpose: str
    licence: str
    authority_id: uuid.UUID
    banned_uses: Sequence[str] = field(default=BANNED)


def register_model(work: Work, trained: Trained) -> ModelVersion:
    """Enter a trained model into the registry; it is used for nothing until somebody else approves it."""
    model = ModelVersion(
        public_id=public_id("MV"),
        kind=trained.kind,
        authority_id=trained.authority_id,
        author_id=work.actor.person_id,
        purpose=trained.purpose.strip(),
        licence=trained.licence.strip(),
        sources=[dict(source) for source in trained.sources],
        banned_uses=list(trained.banned_uses),
        sha256=trained.sha256,
        size_bytes=trained.size_bytes,
        classes=list(trained.classes),
        features=list(trained.features),
        label_ids=sorted(label.public_id for label in trained.labels),
        scene_ids=sorted({str(source["scene"]) for source in trained.sources}),
        metrics=dict(trained.metrics),
    )
    about = {"kind": model.kind, "sha256": model.sha256, "labels": len(model.label_ids), "scenes": model.scene_ids}
    work.apply(model, "register", record=about)
    return model


def approve_model(work: Work, model_id: str) -> ModelVersion:
    """Let a model be used; not by whoever trained it, and not before it was measured elsewhere (GD-05.2)."""
    model = work.get(ModelVersion, model_id)
    work.apply(model, "approve", record={"sha256": model.sha256})
    model.approved_by, model.approved_at = work.actor.person_id, work.now
    return model


def refuse_model(work: Work, model_id: str, reason: str) -> ModelVersion:
    """Decide that a model shall not be used, with the reason."""
    return _close(work, model_id, ("refuse", reason))


def withdraw_model(work: Work, model_id: str, reason: str) -> ModelVersion:
    """Take an approved model out of use, with the reason; what was found with it stays."""
    return _close(work, model_id, ("withdraw", reason))


def _close(work: Work, model_id: str, what: tuple[str, str]) -> ModelVersion:
    transition, reason = what
    model = work.get(ModelVersion, model_id)
    work.apply(model, transition, reason=reason, record={"sha256": model.sha256})
    model.closed_by, model.closed_at, model.reason = work.actor.person_id, work.now, reason.strip()
    return model
