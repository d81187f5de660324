"""Touches the disk: from the labels in the database to a trained model and what the registry must know of it."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from schemas.actors import Actor
from schemas.refusals import conflict, forbidden, not_found
from schemas.roles import Role
from schemas.tables import Authority, Label, LabelWithdrawal
from schemas.words import Coded
from sensing.intake import Shelf
from sensing.learn import measures
from sensing.learn.commands import OBJECT, PIXEL, Trained
from sensing.learn.fit import SMALL, Progress, Samples, fit
from sensing.learn.labels import ACCEPT, EDIT, REJECT, newest
from sensing.learn.objects import Decisions, Find, describe, fit_objects
from sensing.learn.sampling import APART_M, areas_of, draw, opened, shared_names
from sensing.learn.store import keep
from sensing.pipeline import Source, source_of
from sensing.segment.model import ENGINE

# Who may train, as the machine says (schemas/machines/model.toml).
TRAINERS = (Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.DATA_ADMIN)
_FEWEST_LABELS, _FEWEST_DECISIONS = 4, 10
# Of training, how much reading pixels is, as far as progress tells.
_READING = 0.5


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants trained: for which authority, from which scenes (all where none is named), and why."""

    authority_id: uuid.UUID
    purpose: str
    licence: str
    scenes: tuple[str, ...] = ()
    hidden: tuple[int, ...] = SMALL


@dataclass(frozen=True)
class Taught:
    """Labels with the masked copies that they speak of."""

    labels: Sequence[Label]
    sources: Mapping[uuid.UUID, Source]


def authority_for(session: Session, actor: Actor, code: str | None) -> uuid.UUID:
    """The authority that a model will belong to: the one that is named, or the only one in which `actor` may train."""
    if code is not None:
        found = session.scalars(select(Authority.id).where(Authority.code == code)).one_or_none()
        if found is None:
            raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["authority"]), measured=code)
        return found
    held = {grant.authority_id for grant in actor.grants if grant.role in TRAINERS}
    if not held:
        raise forbidden("state.role", "model.trainer", required=Coded("role", TRAINERS))
    if len(held) > 1:
        codes = session.scalars(select(Authority.code).where(Authority.id.in_(held)).order_by(Authority.code))
        raise conflict("model.authority", measured=", ".join(codes))
    return held.pop()


def taught(
    session: Session, authority_id: uuid.UUID, scenes: Sequence[str] = (), *, without: Sequence[str] = ()
) -> Taught:
    """The labels of an authority and of those below it, in the order in which they were given.

    `without` leaves out labels that were a mistake; they stay on record. Raises RuleViolation 404 for one not found.
    """
    wanted = (
        select(Label)
        .where(Label.authority_id.in_(_with_those_below(session, authority_id)))
        # What a decision that was undone had taught.
        .where(~select(LabelWithdrawal).where(LabelWithdrawal.label_id == Label.id).exists())
        .options(joinedload(Label.authority), joinedload(Label.detection), joinedload(Label.scene))
        .order_by(Label.recorded_at, Label.public_id)
    )
    only = {source_of(session, name).scene.id for name in scenes}
    usable = (label for label in session.scalars(wanted) if not label.scene.quarantine)
    labels = [label for label in usable if not only or label.scene_id in only]
    unknown = set(without) - {label.public_id for label in labels}
    if unknown:
        named = Coded("subject", ["label"])
        raise not_found("store.unknown", "store.not_found", subject=named, measured=", ".join(sorted(unknown)))
    labels = [label for label in labels if label.public_id not in without]
    of_scene = {label.scene_id: label.scene.public_id for label in labels}
    return Taught(labels, {scene_id: source_of(session, name) for scene_id, name in of_scene.items()})


def _with_those_below(session: Session, authority_id: uuid.UUID) -> set[uuid.UUID]:
    below: dict[uuid.UUID | None, list[uuid.UUID]] = {}
    for row in session.execute(select(Authority.id, Authority.parent_id)):
        below.setdefault(row.parent_id, []).append(row.id)
    found, waiting = {authority_id}, [authority_id]
    while waiting:
        fresh = [one for one in below.get(waiting.pop(), []) if one not in found]
        found.update(fresh)
        waiting += fresh
    return found


def drawn_samples(shelf: Shelf, known: Taught, progress: Progress = lambda _: None) -> tuple[Samples, int]:
    """The pixels that labels speak of, and how many labels speak of nothing that can be seen by now.

    Raises RuleViolation `model.no_labels` where there are too few.
    """
    if len(known.labels) < _FEWEST_LABELS:
        raise conflict("model.no_labels", measured=len(known.labels), required=_FEWEST_LABELS)
    made = draw(shelf, known.sources, known.labels, progress=progress)
    return made.samples, made.unseen


def train_pixels(shelf: Shelf, known: Taught, wish: Wish, progress: Progress = lambda _: None) -> Trained:
    """A pixel model of everything that was labelled; its file is kept, the registry does not know of it yet."""
    started = time.monotonic()
    samples, unseen = drawn_samples(shelf, known, lambda done: progress(done * _READING))
    fitted = fit(samples, hidden=wish.hidden, progress=lambda done: progress(_READING + done * (1 - _READING)))
    metrics = measures.of_pixels(samples, fitted) | {
        "hidden": list(wish.hidden),
        "labels_unseen": unseen,
        "taught": _tally(known.labels),
        "seconds": round(time.monotonic() - started, 2),
    }
    model = fitted.model
    data = model.to_bytes()
    return _trained(known, wish, (PIXEL, keep(shelf, data), len(data)), (model.classes, model.features, metrics))


def train_objects(shelf: Shelf, known: Taught, wish: Wish, progress: Progress = lambda _: None) -> Trained:
    """A re-ranker of finds from everything that was accepted and rejected; its file is kept."""
    started = time.monotonic()
    decided = [one for one in newest(known.labels) if one.kind in (ACCEPT, REJECT)]
    if len(decided) < _FEWEST_DECISIONS:
        raise conflict("model.no_labels", measured=len(decided), required=_FEWEST_DECISIONS)
    known = Taught(decided, {one.scene_id: known.sources[one.scene_id] for one in decided})
    decisions = _decisions(shelf, known, lambda done: progress(done * _READING))
    ranked = fit_objects(decisions, progress=lambda done: progress(_READING + done * (1 - _READING)))
    metrics = measures.of_objects(decisions, ranked) | {
        "taught": _tally(decided),
        "seconds": round(time.monotonic() - started, 2),
    }
    model = ranked.model
    data = model.to_bytes()
    return _trained(known, wish, (OBJECT, keep(shelf, data), len(data)), (model.kinds, model.features, metrics))


def _decisions(shelf: Shelf, known: Taught, progress: Progress) -> Decisions:
    features = shared_names(list(known.sources.values()))
    finds = [_find(label) for label in known.labels]
    kinds = tuple(sorted({find.kind for find in finds}))
    districts = tuple(sorted({label.authority.code for label in known.labels}))
    rows: dict[int, Any] = {}
    for done, (scene_id, source) in enumerate(known.sources.items(), start=1):
        mine = [n for n, label in enumerate(known.labels) if label.scene_id == scene_id]
        with opened(shelf, source) as ground:
            described = describe(ground, [finds[n] for n in mine], features, kinds)
        rows |= dict(zip(mine, described, strict=True))
        progress(done / len(known.sources))
    return Decisions(
        features=features,
        kinds=kinds,
        described=np.stack([rows[n] for n in range(len(finds))]),
        accepted=np.array([label.kind == ACCEPT for label in known.labels]),
        of_area=areas_of([find.geom for find in finds], APART_M),
        of_district=np.array([districts.index(label.authority.code) for label in known.labels]),
        districts=districts,
    )


def _find(label: Label) -> Find:
    """The find that was decided, as the engine proposed it: so the re-ranker will see finds, before anybody redraws."""
    detection = label.detection
    if detection is None:
        raise ValueError(f"{label.public_id} decides nothing")
    # The score of a find that was ranked is another model's; this one judges what the engine had said.
    score = detection.context.get("measures", {}).get(ENGINE, detection.score)
    return Find(detection.kind, to_shape(detection.geom), score)  # type: ignore[arg-type]


def _tally(labels: Sequence[Label]) -> dict[str, Any]:
    """How many labels of which kind there are, and for which reasons finds were rejected."""
    rejected = Counter((label.reason or "").strip()[:80] for label in labels if label.kind == REJECT)
    return {
        "kinds": dict(sorted(Counter(label.kind for label in labels).items())),
        "hard_negatives": dict(rejected.most_common(20)),
        "redrawn": sum(label.kind == EDIT for label in labels),
    }


def _trained(
    known: Taught,
    wish: Wish,
    file: tuple[str, str, int],
    learned: tuple[Sequence[str], Sequence[str], Mapping[str, Any]],
) -> Trained:
    kind, sha256, size = file
    classes, features, metrics = learned
    return Trained(
        kind=kind,
        sha256=sha256,
        size_bytes=size,
        classes=classes,
        features=features,
        labels=known.labels,
        sources=[_source(source, known.labels, wish.licence) for source in known.sources.values()],
        metrics=metrics,
        purpose=wish.purpose,
        licence=wish.licence,
        authority_id=wish.authority_id,
    )


def _source(source: Source, labels: Sequence[Label], licence: str) -> dict[str, Any]:
    """Where training data comes from: a masked copy by its hash, never an original."""
    scene = source.scene
    return {
        "scene": scene.public_id,
        "derivative_sha256": source.derivative.sha256,
        "sensor": scene.sensor,
        "captured_at": scene.captured_at.isoformat() if scene.captured_at else None,
        "gsd_m": scene.gsd_m,
        "labels": sum(label.scene_id == scene.id for label in labels),
        "licence": licence,
    }
