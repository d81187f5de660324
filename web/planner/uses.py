"""Devices of other authorities at the planner's desk: found, asked for, and what their owners answered (GD-17, S03)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import commands
from geo.checks_grants import FIELDS
from geo.commands.grants import NewUse, grants_asked
from geo.commands.words import DEVICE_TYPES
from geo.offers import MOST_FOUND, OFFERED, Wish, offers
from geo.types import LonLat
from schemas.refusals import RuleViolation, not_found
from schemas.store.work import Work
from schemas.tables import Authority, Device
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, scope
from web.planner.forms import Faults, Form
from web.planner.show import show
from web.registry import sharing
from web.registry import words as registry_words
from web.registry.rules_of import rules_at

section = Section("planner_uses", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES


@section.page("/planner/uses", GET=_DRAFT)
def desk() -> Response:
    """What was asked of other authorities and what they answered; and, where something is looked for, what there is."""
    form = Form(request.args)
    with services().session() as db:
        own = scope.authorities(db, current_actor(), _DRAFT)
        asked = [sharing.asked(db, row) for row in grants_asked(db, [one.id for one in own])]
        wish = _wish(form, own)
        found = offers(db, wish) if wish and not form.faults else ()
    waiting = sum(one.state == "requested" for one in asked)
    return show(
        "planner/uses.html",
        422 if form.faults else 200,
        headline=_headline(waiting),
        asked=asked,
        found=found,
        looked=wish is not None and not form.faults,
        most=MOST_FOUND,
        typed=form.given,
        faults=form.faults,
        done=request.args.get("done", ""),
        says=registry_words,
        use_states=sharing.STATES,
    )


def _headline(waiting: int) -> str:
    if waiting:
        return ngettext("%(num)d request waits for its owner", "%(num)d requests wait for their owners", waiting)
    return gettext("No request waits for an answer")


def _wish(form: Form, own: Sequence[Authority]) -> Wish | None:
    """What the address asks for; None where it asks for nothing. What cannot be read stands in the form's faults."""
    q, kind, place = form.raw("q"), form.raw("kind"), None
    if form.raw("lon") or form.raw("lat"):
        point = form.point()
        place = LonLat(point.x, point.y) if point else None
    if kind:
        form.choice("kind", DEVICE_TYPES, called="device_type")
    if not (q or kind or place) and not form.faults:
        return None
    return Wish(besides=[one.id for one in own], kind=kind, q=q, near=place)


# -- asking for one ----------------------------------------------------------------------------------------------


@section.page("/planner/uses/<public_id>", GET=_DRAFT, POST=_DRAFT)
def ask(public_id: str) -> Response:
    """Asks the owner of a device for its use: for what, under which item, which fields, and until when."""
    form = Form(request.form)
    if request.method == "GET":
        return _form_page(public_id, form)
    try:
        answers.do(lambda work: _ask(work, public_id, form))
    except RuleViolation as error:
        return _form_page(public_id, form, answers.refused(error, form.faults), error.status)
    return answers.go("/planner/uses", f"use-{public_id}")


def _ask(work: Work, public_id: str, form: Form) -> None:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    device = _device(work.session, public_id, own)
    form.choice("authority", [one.code for one in own])
    authority, item = scope.authority_of(own, form.raw("authority")), scope.item_of(work.session, form.raw("item"))
    if item is None:
        form.choice("item", [])
    purpose_en, purpose_zh = form.text("purpose_en"), form.text("purpose_zh")
    if not form.raw("valid_to"):
        form.text("valid_to", called="last_day")
    first, last = form.day("valid_from"), form.day("valid_to", called="last_day")
    form.faults.refuse()
    assert authority is not None
    assert item is not None
    assert last is not None
    fields = tuple(dict.fromkeys(request.form.getlist("fields")))
    new = NewUse(
        authority=authority,
        item=item,
        purpose_en=purpose_en,
        purpose_zh=purpose_zh,
        valid_from=first,
        valid_to=last,
        fields=fields,
    )
    commands.ask_use(work, device, new)


def _device(db: Session, public_id: str, own: Sequence[Authority]) -> Device:
    """A published device of another authority; raises RuleViolation 404 for every other."""
    wanted = select(Device).where(
        Device.public_id == public_id,
        Device.secret.is_(False),
        Device.state.in_(OFFERED),
        Device.authority_id.not_in([one.id for one in own]),
    )
    found = db.scalars(wanted).one_or_none()
    if found is None:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    return found


def _form_page(public_id: str, form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        own = scope.authorities(db, current_actor(), _DRAFT)
        device = _device(db, public_id, own)
        pack = rules_at(db, services().rulebook, device.authority, services().clock.now())
        return show(
            "planner/use_new.html",
            status,
            device=device,
            typed=form.given,
            ticked=request.form.getlist("fields") if form.given else FIELDS[:1],
            fields_words={name: gettext(told) for name, told in sharing.FIELDS.items()},
            faults=faults or Faults(),
            authorities=own,
            items=scope.items(db),
            months=pack["inspection_plan.max_months"],
            answer_by=sharing.reply_due(db, device.authority, services().clock.now()),
            says=registry_words,
        )
