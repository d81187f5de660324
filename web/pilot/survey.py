"""The survey page: draw an area or a corridor, see its flight at once, take the plan away or have it checked."""

from __future__ import annotations

import math
from dataclasses import replace

from flask import Response, jsonify, make_response, render_template, request

from flights.formats import write_plan
from flights.survey.queries import published_areas
from schemas.refusals import RuleViolation, unsupported
from web.errors import wants_page
from web.i18n import gettext, in_words
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.pilot import checking, queries, surveying
from web.pilot.checking import Upload
from web.pilot.queries import Choice
from web.pilot.surveying import Form, Result
from web.pilot.views import desk_page
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("survey", __name__, Audience.PILOT)

# What a plan can be taken away as, by suffix, with its media type.
FORMATS = {
    ".plan": "application/json",
    ".waypoints": "text/plain; charset=utf-8",
    ".kmz": "application/vnd.google-earth.kmz",
}
_LONGEST_MIN = 240
_SPARE_MIN = 5


@section.page("/pilot/survey", GET=Permission.CHECK_PLAN, POST=Permission.CHECK_PLAN)
def survey() -> Response:
    """The form and the map; posted without scripts, with the survey that it asks for."""
    if request.method != "POST":
        return _page(Form(), None)
    form = surveying.read_form()
    return _page(form, surveying.shown(form))


@section.page("/pilot/survey/draw", POST=Permission.CHECK_PLAN)
def draw() -> Response:
    """The survey of the form while it is being drawn: what to say, the figures, and the shapes for the map."""
    form = surveying.read_form()
    result = surveying.shown(form)
    said = render_template("pilot/survey_result.html", form=form, result=result, formats=FORMATS)
    return jsonify(
        ok=result is not None and result.ok,
        html=said,
        stats=dict(result.stats) if result else {},
        refusals=result.refusals if result else [],
        geo=dict(result.geo) if result else {},
    )


@section.page("/pilot/survey/file", POST=Permission.CHECK_PLAN)
def file() -> Response:
    """The plan of the survey as a file."""
    form, suffix = surveying.read_form(), request.form.get("format", ".plan")
    try:
        if suffix not in FORMATS:
            raise unsupported("plan.format", measured=suffix[:20])
        _, _, made = surveying.made(form)
        data = write_plan(made.plan, suffix)
    except RuleViolation as refused:
        return _refused(form, refused)
    response = Response(data, content_type=FORMATS[suffix])
    response.headers["Content-Disposition"] = f'attachment; filename="survey{suffix}"'
    return response


@section.page("/pilot/survey/check", POST=Permission.CHECK_PLAN)
def check() -> Response:
    """The pilot desk with the verdict on the survey's plan, which is in its form as if it had been chosen there."""
    form = surveying.read_form()
    try:
        _, _, made = surveying.made(form)
    except RuleViolation as refused:
        return _refused(form, refused)
    upload = Upload("survey.plan", write_plan(made.plan, ".plan"))
    minutes = min(math.ceil(made.stats.time_s / 60) + _SPARE_MIN, _LONGEST_MIN)
    asked = replace(checking.read_form(services().clock.now()), minutes=str(minutes), drone=_drone(form))
    return desk_page(asked, checking.check(upload, asked), handed=upload)


def _drone(form: Form) -> str:
    """The aircraft of the form's camera, or none, where the camera is from the table."""
    return form.camera.removeprefix(surveying.OF_DRONE) if form.camera.startswith(surveying.OF_DRONE) else ""


def _refused(form: Form, refused: RuleViolation) -> Response:
    if not wants_page():
        raise refused
    return _page(form, surveying.refusal_result(refused), refused.status)


def _page(form: Form, result: Result | None, status: int = 200) -> Response:
    with services().session() as db:
        areas = [Choice(row.code, {"en": row.name_en, "zh": row.name_zh}) for row in published_areas(db)]
        drones = [(drone.code, in_words(drone.name)) for drone in queries.drones(db)]
    said = {"unreadable": gettext("The corners cannot be read: one longitude, latitude to a line.")}
    with public_connection() as public:
        config = desk_map(public) | {"said": said}
    page = render_template(
        "pilot/survey.html",
        form=form,
        result=result,
        areas=areas,
        cameras=surveying.offered_cameras(drones),
        formats=FORMATS,
        config=config
        | {"said": {"unreadable": gettext("The corners cannot be read: one longitude, latitude to a line.")}},
    )
    return make_response(page, status)
