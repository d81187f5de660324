"""The versions of models: what is in use, what was asked for, the card of each, and who lets it be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, make_response, redirect, render_template, request

from schemas.refusals import RuleViolation, invalid
from schemas.store.work import Work
from sensing.learn import queries as registry
from sensing.learn.commands import OBJECT, PIXEL, approve_model, refuse_model, withdraw_model
from sensing.learn.fit import LARGE, SMALL
from sensing.learn.jobs import request_training
from sensing.learn.training import Wish, authority_for
from web import model_card
from web.errors import wants_page
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.models import queries
from web.models.differences import changes
from web.permissions import Audience, Permission, Section, may

section = Section("models", __name__, Audience.MODELS)

LONGEST = 500
DECISIONS: dict[str, Callable[[Work, str, str], Any]] = {
    "approve": lambda work, model_id, _reason: approve_model(work, model_id),
    "refuse": refuse_model,
    "withdraw": withdraw_model,
}


@section.page("/models", GET=Permission.READ_MODELS)
def index() -> Response:
    """All versions of one's authorities, what the worker is at, and where to teach."""
    return _index()


def _index(refused: RuleViolation | None = None, typed: dict[str, str] | None = None) -> Response:
    house, actor, lang = services(), current_actor(), current_language()
    with house.session() as db:
        versions, asked = queries.rows(db, actor), queries.jobs(db, actor, lang)
        teaches = may(actor, Permission.LABEL_PLACES)
        page = render_template(
            "models/index.html",
            headline=_headline(versions),
            versions=versions,
            jobs=asked,
            grounds=queries.grounds(db, actor) if teaches else [],
            teaches=teaches,
            trains=may(actor, Permission.TRAIN_MODEL),
            authorities=queries.codes_of(db, queries.authorities_of(actor, Permission.TRAIN_MODEL)),
            typed=typed or {},
            refusals=refused.render(lang) if refused else [],
            says=SAID,
            word=lambda word: model_card.class_word(word, lang),
        )
    return make_response(page, refused.status if refused else 200)


def _headline(versions: list[queries.Row]) -> str:
    waiting = sum(row.state == "trained" for row in versions)
    used = sum(row.in_use for row in versions)
    now = ngettext("%(num)d model is applied to new scenes", "%(num)d models are applied to new scenes", used)
    if not used:
        now = gettext("No model is applied to new scenes")
    if not waiting:
        return now
    waits = ngettext("%(num)d waits for approval", "%(num)d wait for approval", waiting)
    return gettext("%(now)s; %(waits)s", now=now, waits=waits)


SAID = {
    PIXEL: lambda: gettext("Pixel model"),
    OBJECT: lambda: gettext("Object model"),
    "questions": lambda: gettext("Places to click"),
    "waiting": lambda: gettext("waits for the worker"),
    "working": lambda: gettext("under way"),
    "done": lambda: gettext("finished"),
    "failed": lambda: gettext("could not be done"),
}


@section.page("/models/train", POST=Permission.TRAIN_MODEL)
def train() -> Response:
    """Ask the worker for a new version."""
    house, actor = services(), current_actor()
    typed = {name: request.form.get(name, "").strip() for name in ("kind", "purpose", "licence", "authority", "large")}
    try:
        for name in ("purpose", "licence"):
            if len(typed[name]) > LONGEST:
                raise invalid("query.unknown", "web.query_unknown", name=name, measured="…", required=f"1-{LONGEST}")
        if typed["kind"] not in (PIXEL, OBJECT):
            told = {"name": "kind", "measured": typed["kind"][:40], "required": f"{PIXEL}, {OBJECT}"}
            raise invalid("query.unknown", "web.query_unknown", **told)
        with house.work(actor) as work:
            wish = Wish(
                authority_id=authority_for(work.session, actor, typed["authority"] or None),
                purpose=typed["purpose"],
                licence=typed["licence"],
                hidden=LARGE if typed["large"] else SMALL,
            )
            request_training(work, typed["kind"], wish)
            work.commit()
    except RuleViolation as refused:
        if not wants_page():
            raise
        return _index(refused, typed)
    return make_response(redirect("/models#jobs", 303))


@section.page("/models/jobs.json", GET=Permission.READ_MODELS)
def jobs() -> Response:
    """How far the worker is."""
    house = services()
    with house.session() as db:
        found = queries.jobs(db, current_actor(), current_language())
    plain = [{"id": one.public_id, "state": one.state, "percent": one.percent, "open": one.open} for one in found]
    response = jsonify(plain)
    response.headers["Cache-Control"] = "no-store"
    return response


@section.page("/models/<public_id>", GET=Permission.READ_MODELS, POST=Permission.DECIDE_MODEL)
def version(public_id: str) -> Response:
    """One version: its card, what it has that the one before had not, and the decision on it."""
    if request.method == "GET":
        return _version(public_id)
    decision, reason = request.form.get("decision", ""), request.form.get("reason", "").strip()
    house, actor = services(), current_actor()
    try:
        if decision not in DECISIONS or len(reason) > LONGEST:
            told = {"name": "decision", "measured": decision[:40], "required": ", ".join(DECISIONS)}
            raise invalid("query.unknown", "web.query_unknown", **told)
        with house.work(actor) as work:
            # Looked up among the actor's own authorities, so that an id of another one is unknown here.
            queries.version_of(work.session, actor, public_id)
            DECISIONS[decision](work, public_id, reason)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _version(public_id, refused, reason[:LONGEST])
    return make_response(redirect(f"/models/{public_id}", 303))


def _version(public_id: str, refused: RuleViolation | None = None, reason: str = "") -> Response:
    house, actor, lang = services(), current_actor(), current_language()
    with house.session() as db:
        row = queries.version_of(db, actor, public_id)
        earlier = queries.before(db, row)
        card = registry.card(db, public_id)
        page = render_template(
            "models/model.html",
            card=card,
            body=model_card.body(card, lang),
            earlier=earlier.public_id if earlier else None,
            changes=changes(registry.card(db, earlier.public_id), card) if earlier else None,
            decides=may(actor, Permission.DECIDE_MODEL),
            own=row.author_id == actor.person_id,
            typed_reason=reason,
            refusals=refused.render(lang) if refused else [],
            says=SAID,
            word=lambda word: model_card.class_word(word, lang),
            figures=_figure_words(),
        )
    return make_response(page, refused.status if refused else 200)


def _figure_words() -> dict[str, str]:
    return {
        "balanced_accuracy": gettext("Right, every class counted alike"),
        "auc": gettext("Accepted scored above rejected"),
        "ece": gettext("Calibration error"),
        "recall": gettext("Found"),
        "precision": gettext("Rightly called so"),
        "iou": gettext("Overlap (IoU)"),
        "false_alarms": gettext("False alarms"),
    }


@section.page("/models/<public_id>/card.html", GET=Permission.READ_MODELS)
def card(public_id: str) -> Response:
    """The card as one page to print."""
    with services().session() as db:
        queries.version_of(db, current_actor(), public_id)
        told = registry.card(db, public_id)
    return Response(model_card.page(told, current_language()), mimetype="text/html")
