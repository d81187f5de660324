"""Work that officers ask for and a worker does: a model trained, the questions of a scene found; kept as rows.

Rows of jobs tell who asked and how far it is (schemas.store.jobs); what comes out of them, a model in the registry or
labels, goes through its own commands.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.ids import public_id
from schemas.refusals import conflict, forbidden, not_found
from schemas.store.jobs import OPEN, WAITING, Claim, Jobs, Progress, Sessions
from schemas.store.work import Work
from schemas.tables import Label, LearningJob
from schemas.words import Coded
from sensing.intake import Shelf
from sensing.learn.asking import Question, ask
from sensing.learn.commands import LABELLERS, OBJECT, PIXEL, Trained, register_model
from sensing.learn.fit import LARGE, SMALL, train
from sensing.learn.sampling import opened
from sensing.learn.training import TRAINERS, Wish, drawn_samples, taught, train_objects, train_pixels
from sensing.pipeline import source_of

QUESTIONS = "questions"
# Whoever works on a job says so more often than this; then somebody else takes it up.
JOBS = Jobs(LearningJob, silent_s=120)
_QUESTIONS_ASKED = 20


def request_training(work: Work, kind: str, wish: Wish) -> LearningJob:
    """Ask for a model of a kind; whoever asks is its author. Raises RuleViolation where one is on its way already."""
    actor = work.actor
    if not any(actor.has(role, wish.authority_id) for role in TRAINERS) or actor.person_id is None:
        raise forbidden("state.role", "model.trainer", required=Coded("role", TRAINERS))
    if not wish.purpose.strip() or not wish.licence.strip():
        lacking = [name for name in ("purpose", "licence") if not getattr(wish, name).strip()]
        raise conflict("GD-05.2", "model.undocumented", measured=Coded("lacking", lacking))
    _refuse_second(work.session, kind, LearningJob.authority_id == wish.authority_id)
    told = {"purpose": wish.purpose.strip(), "licence": wish.licence.strip(), "large": wish.hidden == LARGE}
    job = _row(kind, wish.authority_id, actor.person_id, told)
    work.session.add(job)
    work.record("model.request", "learning_job", job.id, {"job": job.public_id, "kind": kind} | told)
    return job


def request_questions(session: Session, actor: Actor, scene_id: uuid.UUID, authority_id: uuid.UUID) -> LearningJob:
    """Ask where in a scene a click would teach most."""
    if not any(actor.has(role, authority_id) for role in LABELLERS) or actor.person_id is None:
        raise forbidden("label.role")
    _refuse_second(session, QUESTIONS, LearningJob.scene_id == scene_id)
    job = _row(QUESTIONS, authority_id, actor.person_id, {"count": _QUESTIONS_ASKED})
    job.scene_id = scene_id
    session.add(job)
    return job


def _row(kind: str, authority_id: uuid.UUID, person_id: uuid.UUID, wish: dict[str, Any]) -> LearningJob:
    return LearningJob(
        id=uuid.uuid4(),
        public_id=public_id("LJ"),
        kind=kind,
        authority_id=authority_id,
        person_id=person_id,
        wish=wish,
        stage=WAITING,
        share=0.0,
    )


def _refuse_second(session: Session, kind: str, same: Any) -> None:  # noqa: ANN401 - a condition
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"learning {kind}", 0))))
    known = session.scalars(select(LearningJob).where(LearningJob.kind == kind, LearningJob.stage.in_(OPEN), same))
    if (one := known.first()) is not None:
        raise conflict("model.under_way", measured=one.public_id)


@dataclass(frozen=True)
class House:
    """What a job is carried out with: stored files, reading and committing sessions, and work on behalf of a person."""

    shelf: Shelf
    reading: Sessions
    housekeeping: Sessions
    work_of: Callable[[uuid.UUID], Work]


def carry_out(house: House, taken: Claim, progress: Progress) -> None:
    """Do a job that was taken on, and write down what came out; raises RuleViolation where nothing can."""
    with house.reading() as session:
        job = session.get_one(LearningJob, taken.job_id)
    if job.kind == QUESTIONS:
        found = _questions(house, job, progress)
        with house.housekeeping() as session:
            ended = JOBS.end(session, taken)
            if ended is not None:
                ended.result = {"questions": [_plain(one) for one in found]}
    else:
        made = _trained(house, job, progress)
        with house.work_of(job.person_id) as work:
            model = register_model(work, made)
            # A model of a job that is another's by now is not entered: leaving without a commit takes it back.
            ended = JOBS.end(work.session, taken)
            if ended is not None:
                ended.model_id = model.id
                work.commit()


def _trained(house: House, job: LearningJob, progress: Progress) -> Trained:
    wish = Wish(
        authority_id=job.authority_id,
        purpose=job.wish["purpose"],
        licence=job.wish["licence"],
        hidden=LARGE if job.wish.get("large") else SMALL,
    )
    with house.reading() as session:
        known = taught(session, job.authority_id)
    train_kind = {PIXEL: train_pixels, OBJECT: train_objects}[job.kind]
    return train_kind(house.shelf, known, wish, progress)


def _questions(house: House, job: LearningJob, progress: Progress) -> list[Question]:
    with house.reading() as session:
        scene = session.get_one(LearningJob, job.id).scene
        if scene is None:
            raise not_found("scene.unknown", measured=job.public_id)
        source, known = source_of(session, scene.public_id), taught(session, job.authority_id)
        here = session.scalars(select(Label).where(Label.scene_id == source.scene.id))
        clicked = [to_shape(row.geom) for row in here]
    samples, _ = drawn_samples(house.shelf, known, lambda done: progress(0.3 * done))
    with opened(house.shelf, source) as ground:
        count = int(job.wish.get("count", _QUESTIONS_ASKED))
        return ask(ground, train(samples), clicked, count=count, progress=lambda done: progress(0.3 + 0.7 * done))


def _plain(one: Question) -> dict[str, Any]:
    return {**vars(one), "answer": None}


def answer(session: Session, job: LearningJob, number: int, word: str) -> None:
    """Write down what was said to a question of a job; `skip` where nobody knows. Labels go their own way."""
    session.execute(select(LearningJob.id).where(LearningJob.id == job.id).with_for_update())
    held: Mapping[str, Any] = session.get_one(LearningJob, job.id, populate_existing=True).result or {}
    questions = [dict(one) for one in held.get("questions", [])]
    questions[number]["answer"] = word
    session.get_one(LearningJob, job.id).result = {**held, "questions": questions}
