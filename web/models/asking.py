"""Questions of the models: the places of a scene where an answer would teach most, answered by one key each."""

from __future__ import annotations

import math
from typing import Any

import shapely
from flask import Response, make_response, redirect, render_template, request

from schemas.refusals import RuleViolation, conflict, invalid, not_found
from schemas.store.jobs import DONE
from schemas.tables import LearningJob
from sensing import preview
from sensing.bands import Role
from sensing.intake import Shelf
from sensing.learn.commands import label_places
from sensing.learn.jobs import answer, request_questions
from sensing.learn.labels import Mark
from sensing.proposals import answer_proposal
from web.desk.amounts import area_words
from web.errors import wants_page
from web.i18n import current_language
from web.identity.request_identity import current_actor, services
from web.model_card import class_word
from web.models import changed, queries
from web.models.views import SAID
from web.permissions import Audience, Permission, Section

section = Section("models_asking", __name__, Audience.MODELS)

SKIP = "skip"
SIZE_PX, CLOSE_PX = 512, 64
# How many pixels of the scene are shown around a question, from near and from afar.
_NEAR_PX, _FAR_PX = 64, 320
_METRES_PER_DEGREE = 111_320.0


@section.page("/models/ask/<scene>", GET=Permission.LABEL_PLACES, POST=Permission.LABEL_PLACES)
def ask(scene: str) -> Response:
    """The question that would teach most, and the answer to it."""
    if request.method == "GET":
        return _page(scene)
    try:
        if request.form.get("wanted") == "questions":
            _request(scene)
        elif request.form.get("proposal"):
            _take_change(scene)
        else:
            _take_answer(scene)
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(scene, refused)
    return make_response(redirect(f"/models/ask/{scene}", 303))


def _request(scene_id: str) -> None:
    house, actor = services(), current_actor()
    with house.housekeeping() as db:
        copy = queries.copy_of(db, actor, scene_id, house.clock.now())
        if copy.scene.authority_id is None:
            raise not_found("scene.unknown", "web.object_unknown", measured=scene_id[:40])
        request_questions(db, actor, copy.scene.id, copy.scene.authority_id)


def _take_change(scene_id: str) -> None:
    """Keep what was said of a place of change."""
    house, actor = services(), current_actor()
    with house.session() as db:
        copy = queries.copy_of(db, actor, scene_id, house.clock.now())
        allowed = queries.classes_for(db, copy.scene, house.rulebook, house.clock.now())
    word, proposal_id = request.form.get("class", ""), request.form["proposal"]
    with house.work(actor) as work:
        answer_proposal(work, Shelf(house.data_dir), proposal_id, word, allowed)
        work.commit()


def _take_answer(scene_id: str) -> None:
    """Keep what was said as a label, and go on with the next question; one that was answered before stays so."""
    house, actor = services(), current_actor()
    word, number, job_id = (request.form.get(name, "") for name in ("class", "number", "job"))
    with house.session() as db:
        copy = queries.copy_of(db, actor, scene_id, house.clock.now())
        job = _job_of(db, copy, job_id)
        question = _question(job, number)
        allowed = [SKIP, *queries.classes_for(db, copy.scene, house.rulebook, house.clock.now())]
    if word not in allowed:
        told = {"name": "class", "measured": word[:40], "required": ", ".join(allowed)}
        raise invalid("query.unknown", "web.query_unknown", **told)
    if question["answer"] is not None:
        raise conflict("model.answered", measured=question["answer"])
    if word != SKIP:
        with house.work(actor) as work:
            place = shapely.Point(question["lon"], question["lat"])
            label_places(work, Shelf(house.data_dir), scene_id, [Mark(word, place)])
            work.commit()
    with house.housekeeping() as db:
        answer(db, db.get_one(LearningJob, job.id), int(number), word)


def _job_of(db: Any, copy: queries.Copy, public_id: str) -> LearningJob:  # noqa: ANN401 - a session
    job = queries.questions_job(db, copy.scene)
    if job is None or job.public_id != public_id or job.stage != DONE:
        raise not_found("model.unknown", "web.object_unknown", measured=public_id[:40])
    return job


def _question(job: LearningJob, number: str) -> dict[str, Any]:
    questions: list[dict[str, Any]] = (job.result or {}).get("questions", [])
    if not (number.isascii() and number.isdigit() and int(number) < len(questions)):
        raise not_found("model.unknown", "web.object_unknown", measured=number[:40])
    return questions[int(number)]


def _page(scene_id: str, refused: RuleViolation | None = None) -> Response:
    house, actor, lang = services(), current_actor(), current_language()
    with house.session() as db:
        copy = queries.copy_of(db, actor, scene_id, house.clock.now())
        classes = queries.classes_for(db, copy.scene, house.rulebook, house.clock.now())
        job = queries.questions_job(db, copy.scene)
        told = queries.job_of(job, lang) if job else None
        change = changed.first(db, copy.scene, house.clock.now())
    questions = (job.result or {}).get("questions", []) if job and job.stage == DONE else []
    left = [number for number, one in enumerate(questions) if one["answer"] is None]
    page = render_template(
        "models/ask.html",
        scene=copy.scene,
        change=change,
        area=area_words,
        job=told,
        total=len(questions),
        left=len(left),
        number=left[0] if left else None,
        question=questions[left[0]] if left else None,
        classes=[(word, class_word(word, lang)) for word in classes],
        guess=class_word(questions[left[0]]["guess"], lang) if left else "",
        size=SIZE_PX,
        says=SAID,
        refusals=refused.render(lang) if refused else [],
    )
    return make_response(page, refused.status if refused else 200)


@section.page(
    "/models/ask/<scene>/<job>/<int:number>/<any(near, far):view>.png",
    GET=Permission.LABEL_PLACES,
)
def picture(scene: str, job: str, number: int, view: str) -> Response:
    """The masked copy around a question, the place in its middle."""
    house = services()
    with house.session() as db:
        copy = queries.copy_of(db, current_actor(), scene, house.clock.now())
        question = _question(_job_of(db, copy, job), str(number))
    box = _around(question, (copy.scene.gsd_m or 1.0) * (_NEAR_PX if view == "near" else _FAR_PX))
    return _drawn(f"{job}-{number}-{view}", copy.sha256, copy.roles, box)


@section.page(
    "/models/ask/<scene>/changed/<proposal>/<any(before, after):side>.png",
    GET=Permission.LABEL_PLACES,
)
def changed_picture(scene: str, proposal: str, side: str) -> Response:
    """The masked copy of one of the two dates around a place of change."""
    house = services()
    with house.session() as db:
        shown = changed.pictured(db, current_actor(), scene, (proposal, side), house.clock.now())
    return _drawn(f"{proposal}-{side}", shown.sha256, shown.roles, shown.box)


def _drawn(name: str, sha256: str, roles: tuple[str, ...], box: preview.Box) -> Response:
    content = f"{sha256}-{name}"
    response = Response(status=304)
    if not request.if_none_match.contains(content):
        path = Shelf(services().data_dir).derivatives.get(sha256)
        drawn = preview.render(path, tuple(map(Role, roles)), box, (SIZE_PX, SIZE_PX))
        response = Response(drawn, mimetype="image/png")
    # What is private from today is asked for anew today, whatever a browser kept.
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(content)
    return response


def _around(question: dict[str, Any], width_m: float) -> preview.Box:
    lon, lat = question["lon"], question["lat"]
    high = width_m / 2 / _METRES_PER_DEGREE
    wide = high / max(math.cos(math.radians(lat)), 0.01)
    return preview.Box(lon - wide, lat - high, lon + wide, lat + high)
