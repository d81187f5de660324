"""What the pages of models show: versions of one's authorities, what was asked of the worker, scenes, labels."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from schemas.actors import Actor
from schemas.refusals import RuleViolation, not_found
from schemas.rules import Rulebook
from schemas.store.jobs import OPEN
from schemas.tables import Authority, Derivative, Label, LearningJob, ModelVersion, Scene
from sensing.copies import is_current, refuse_overdue
from sensing.learn.jobs import QUESTIONS
from sensing.learn.pixel import NONE
from sensing.segment.detectors import KINDS
from web.permissions import ROLES, Permission

APPROVED = "approved"
MOST_ROWS, MOST_JOBS, MOST_LABELS = 100, 8, 3000
# So many of the authority's own words are offered; what the law names always is.
MOST_SAID = 9


def authorities_of(actor: Actor, permission: Permission) -> set[uuid.UUID]:
    """The authorities in which the actor holds a role that carries a permission."""
    return {grant.authority_id for grant in actor.grants if grant.role in ROLES[permission]}


@dataclass(frozen=True)
class Row:
    """One version in the list; `in_use` where new runs apply it first."""

    public_id: str
    kind: str
    state: str
    authority: str
    purpose: str
    classes: tuple[str, ...]
    labels: int
    scenes: int
    recorded_at: datetime
    quality: float | None
    ece: float | None
    in_use: bool


def rows(db: Session, actor: Actor) -> list[Row]:
    """The versions of the actor's authorities, the newest first."""
    wanted = (
        select(ModelVersion)
        .where(ModelVersion.authority_id.in_(authorities_of(actor, Permission.READ_MODELS)))
        .options(joinedload(ModelVersion.authority))
        .order_by(ModelVersion.recorded_at.desc())
        .limit(MOST_ROWS)
    )
    found = db.scalars(wanted).all()
    first = _in_use(found)
    return [_row(one, in_use=one.id in first) for one in found]


def _in_use(found: Iterable[ModelVersion]) -> set[uuid.UUID]:
    newest: dict[tuple[uuid.UUID, str], ModelVersion] = {}
    for one in found:
        if one.state != APPROVED or one.approved_at is None:
            continue
        held = newest.get((one.authority_id, one.kind))
        if held is None or held.approved_at is None or held.approved_at < one.approved_at:
            newest[one.authority_id, one.kind] = one
    return {one.id for one in newest.values()}


def _row(one: ModelVersion, *, in_use: bool) -> Row:
    held, calibrated = one.metrics.get("held_out", {}), one.metrics.get("calibration", {})
    return Row(
        public_id=one.public_id,
        kind=one.kind,
        state=one.state,
        authority=one.authority.code,
        purpose=one.purpose,
        classes=tuple(one.classes),
        labels=len(one.label_ids),
        scenes=len(one.scene_ids),
        recorded_at=one.recorded_at,
        quality=held.get("balanced_accuracy", held.get("auc")),
        ece=calibrated.get("after", {}).get("ece"),
        in_use=in_use,
    )


def version_of(db: Session, actor: Actor, public_id: str) -> ModelVersion:
    """A version of one of the actor's authorities; raises RuleViolation 404 for any other."""
    mine = ModelVersion.authority_id.in_(authorities_of(actor, Permission.READ_MODELS))
    found = db.scalars(select(ModelVersion).where(ModelVersion.public_id == public_id, mine)).one_or_none()
    if found is None:
        raise not_found("model.unknown", "web.object_unknown", measured=public_id[:40])
    return found


def before(db: Session, one: ModelVersion) -> ModelVersion | None:
    """The version of the same kind and authority that was trained last before this one."""
    earlier = select(ModelVersion).where(
        ModelVersion.kind == one.kind,
        ModelVersion.authority_id == one.authority_id,
        ModelVersion.recorded_at < one.recorded_at,
    )
    return db.scalars(earlier.order_by(ModelVersion.recorded_at.desc()).limit(1)).one_or_none()


@dataclass(frozen=True)
class Job:
    """Something that the worker was asked for, and how far it is; `refusals` in the reader's language."""

    public_id: str
    kind: str
    state: str
    percent: int
    asked_at: datetime
    model: str | None
    scene: str | None
    refusals: tuple[dict[str, Any], ...]

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return self.state in OPEN


def jobs(db: Session, actor: Actor, lang: str) -> list[Job]:
    """What was lately asked of the worker in the actor's authorities."""
    mine = LearningJob.authority_id.in_(authorities_of(actor, Permission.READ_MODELS))
    wanted = select(LearningJob).where(mine).options(joinedload(LearningJob.model), joinedload(LearningJob.scene))
    found = db.scalars(wanted.order_by(LearningJob.recorded_at.desc()).limit(MOST_JOBS))
    return [job_of(one, lang) for one in found]


def job_of(one: LearningJob, lang: str) -> Job:
    """A job as pages tell it."""
    return Job(
        public_id=one.public_id,
        kind=one.kind,
        state=one.stage,
        percent=round(100 * one.share),
        asked_at=one.recorded_at,
        model=one.model.public_id if one.model else None,
        scene=one.scene.public_id if one.scene else None,
        refusals=tuple((one.result or {}).get(lang, ())) if one.stage == "failed" else (),
    )


@dataclass(frozen=True)
class Ground:
    """A scene that can be labelled, with how much was said of it."""

    public_id: str
    sensor: str
    taken: datetime | None
    gsd_m: float | None
    labels: int


def grounds(db: Session, actor: Actor) -> list[Ground]:
    """The scenes of the actor's authorities, those with the fewest labels last taken first."""
    count = select(Label.scene_id, func.count().label("count")).group_by(Label.scene_id).subquery()
    wanted = (
        select(Scene, count.c.count)
        .outerjoin(count, count.c.scene_id == Scene.id)
        .where(Scene.authority_id.in_(authorities_of(actor, Permission.LABEL_PLACES)))
        .order_by(Scene.captured_at.desc().nulls_last(), Scene.public_id)
        .limit(MOST_ROWS)
    )
    return [
        Ground(scene.public_id, scene.sensor, scene.captured_at, scene.gsd_m, number or 0)
        for scene, number in db.execute(wanted)
        if not scene.quarantine
    ]


@dataclass(frozen=True)
class Copy:
    """The masked copy of a scene that counts now."""

    scene: Scene
    sha256: str
    roles: tuple[str, ...]


def copy_of(db: Session, actor: Actor, scene_id: str, at: datetime) -> Copy:
    """The masked copy of a scene of the actor's authorities.

    Raises RuleViolation 404 for any other scene, GD-43 while the copy shows what a privacy zone hides.
    """
    mine = Scene.authority_id.in_(authorities_of(actor, Permission.LABEL_PLACES))
    scene = db.scalars(select(Scene).where(Scene.public_id == scene_id, mine)).one_or_none()
    if scene is None or scene.quarantine:
        raise not_found("scene.unknown", "web.object_unknown", measured=scene_id[:40])
    copy = db.scalars(select(Derivative).where(Derivative.scene_id == scene.id, is_current())).one_or_none()
    if copy is None:
        raise not_found("scene.unknown", "web.object_unknown", measured=scene_id[:40])
    refuse_overdue(db, [copy], at)
    return Copy(scene, copy.sha256, tuple(copy.band_roles))


def labels_on(db: Session, scene: Scene) -> list[dict[str, Any]]:
    """What was said of places in a scene, as GeoJSON features."""
    wanted = select(Label).where(Label.scene_id == scene.id).order_by(Label.recorded_at.desc()).limit(MOST_LABELS)
    return [
        {
            "type": "Feature",
            "geometry": mapping(to_shape(row.geom)),
            "properties": {"class": row.of_class, "kind": row.kind},
        }
        for row in db.scalars(wanted)
    ]


def classes_for(db: Session, scene: Scene, rulebook: Rulebook, at: datetime) -> list[str]:
    """The words that places of a scene may be called: nothing of interest, what was said most, what the law names."""
    said = db.scalars(
        select(Label.of_class)
        .where(Label.authority_id == scene.authority_id)
        .group_by(Label.of_class)
        .order_by(func.count().desc(), Label.of_class)
        .limit(MOST_SAID)
    ).all()
    lawful = list(KINDS)
    if scene.footprint is not None:
        with suppress(RuleViolation):
            pack = rulebook.at_place(to_shape(scene.footprint), scene.captured_at or at)
            lawful = [kind for entry in pack.violation_catalogue for kind in entry.kinds]
    words = dict.fromkeys(word for word in (*said, *lawful) if word != NONE)
    return [NONE, *words]


def questions_job(db: Session, scene: Scene) -> LearningJob | None:
    """What was last asked about where to click in a scene."""
    wanted = select(LearningJob).where(LearningJob.kind == QUESTIONS, LearningJob.scene_id == scene.id)
    return db.scalars(wanted.order_by(LearningJob.recorded_at.desc()).limit(1)).one_or_none()


def codes_of(db: Session, ids: Iterable[uuid.UUID]) -> list[str]:
    """The codes of authorities."""
    return list(db.scalars(select(Authority.code).where(Authority.id.in_(set(ids))).order_by(Authority.code)))
