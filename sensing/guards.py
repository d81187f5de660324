"""What must hold before a detection changes its state (requirements.md 4.5)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import yaml
from sqlalchemy import select

from schemas.machine import Context, Guard
from schemas.refusals import Refusal, refuse
from schemas.tables import (
    Authority,
    Decision,
    Detection,
    Flight,
    Person,
    Qualification,
    Scene,
    SegmentationRun,
    Sighting,
    SupervisionItem,
)
from sensing import releasing
from sensing.learn import guards as learn
from sensing.sensors import guards as sensors
from sensing.shut import is_shut

ENFORCEMENT = "enforcement"
# From landing on, a flight's captures exist; before that nobody knows where the aircraft was.
_FLOWN = ("landed", "ingested", "closed")


@cache
def registered_engines() -> Mapping[str, Any]:
    """The engines that may propose detections, by name."""
    text = resources.files("sensing").joinpath("rules", "engines.yaml").read_text(encoding="utf-8")
    engines: Mapping[str, Any] = yaml.safe_load(text)
    return engines


def engine_registered(context: Context) -> Iterable[Refusal]:
    """GD-05.2: the engine and its version stand in the registry."""
    run = context.session.get_one(SegmentationRun, context.subject.run_id)
    entry = registered_engines().get(run.engine)
    if entry is None or run.engine_version not in entry["versions"]:
        yield refuse("GD-05.2", "detection.engine", measured=f"{run.engine} {run.engine_version}")


def source_lawful_at_capture(context: Context) -> Iterable[Refusal]:
    """GD-36.1: the scene is not quarantined, its time is known, and its flight really flew."""
    scene = context.session.get_one(Scene, context.subject.scene_id)
    if scene.quarantine:
        yield refuse("GD-36.1", "detection.quarantined", measured=", ".join(scene.quarantine))
    if scene.captured_at is None:
        yield refuse("GD-36.1", "detection.no_time", name=scene.file_name)
    if scene.flight_id is not None:
        flight = context.session.get_one(Flight, scene.flight_id)
        if flight.state not in _FLOWN:
            yield refuse("GD-36.1", "detection.flight_state", measured=flight.state, name=flight.public_id)


def ground_may_be_shown(context: Context) -> Iterable[Refusal]:
    """GD-43: no privacy zone came to lie on the ground of the finding since it was made."""
    private = context.session.scalar(select(is_shut(context.now)).where(Detection.id == context.subject.id))
    if private:
        yield refuse("GD-43", "detection.private", measured=context.subject.public_id)


def assignee_qualified(context: Context) -> Iterable[Refusal]:
    """GD-30.1: whoever is to review it holds a certificate that is valid today, in this authority and field."""
    yield from _qualified(context, context.params.get("assignee_id"))


def officer_qualified(context: Context) -> Iterable[Refusal]:
    """GD-30.1: whoever decides holds a certificate that is valid today, in this authority and field."""
    yield from _qualified(context, context.actor.person_id)


def _qualified(context: Context, person_id: uuid.UUID | None) -> Iterable[Refusal]:
    detection: Detection = context.subject
    person = context.session.get(Person, person_id) if person_id else None
    if person is None or person.disabled_at is not None:
        yield refuse("GD-30.1", "detection.nobody")
        return
    authority = context.session.get_one(Authority, detection.authority_id)
    held = context.session.scalars(
        select(Qualification).where(
            Qualification.person_id == person.id,
            Qualification.kind == ENFORCEMENT,
            Qualification.authority_id == authority.id,
            Qualification.field == authority.field,
        )
    ).all()
    if any(one.valid_from <= context.today <= one.valid_to for one in held):
        return
    latest = max((one.valid_to for one in held), default=None)
    yield refuse(
        "GD-30.1",
        "detection.unqualified",
        name=person.code,
        measured=latest.isoformat() if latest else "none",
        required=f"{authority.code}, {authority.field}, {context.today.isoformat()}",
    )


def own_decision(context: Context) -> Iterable[Refusal]:
    """GD-30.1: whoever takes a decision back made it, and it is the last one."""
    decision: Decision = context.params["decision"]
    if decision.person_id != context.actor.person_id:
        decider = context.session.get_one(Person, decision.person_id)
        yield refuse("GD-30.1", "detection.not_own", measured=decider.code, required=context.actor.code)
    if decision.version != context.subject.version:
        yield refuse("GD-30.1", "detection.stands_on", measured=context.subject.public_id)


def nothing_stands_on_it(context: Context) -> Iterable[Refusal]:
    """GD-30.1: nobody has done anything with what a decision made, and no later image shows it."""
    for made in context.params["made"]:
        later = select(Sighting.id).where(Sighting.earlier_id == made.id).limit(1)
        if made.version > 1 or context.session.scalar(later) is not None:
            yield refuse("GD-30.1", "detection.stands_on", measured=made.public_id)


def item_allows_offsite(context: Context) -> Iterable[Refusal]:
    """LF-10: the item is on the list of those that may be supervised off-site."""
    item_id = context.subject.item_id
    item = context.session.get(SupervisionItem, item_id) if item_id else None
    if item is None or not item.offsite_allowed:
        yield refuse("LF-10", "detection.offsite", measured=item.code if item else "none")


def notice_or_dissuasion(context: Context) -> Iterable[Refusal]:
    """GD-30.4, GD-37: a notice was sent or the dissuasion was recorded."""
    yield from _given(context, "GD-30.4", "notice", "dissuasion")


def deadline_set(context: Context) -> Iterable[Refusal]:
    """LX-17: the party has a day in the future by which it must be put right."""
    deadline = context.params.get("deadline")
    if not isinstance(deadline, date) or deadline <= context.today:
        yield refuse("LX-17", "detection.deadline", measured=str(deadline or "none"))


def verified_by_image_or_visit(context: Context) -> Iterable[Refusal]:
    """LX-17: a new image or an on-site record shows it, not a statement alone."""
    yield from _given(context, "LX-17", "scene", "visit")


def receiving_unit_accepts(context: Context) -> Iterable[Refusal]:
    """LX-2: the unit that shall go on with it has accepted."""
    yield from _given(context, "LX-2", "accepted_by")


def _given(context: Context, rule: str, *names: str) -> Iterable[Refusal]:
    if not any(str(context.params.get(name) or "").strip() for name in names):
        yield refuse(rule, "detection.missing", required=" / ".join(names))


GUARDS: dict[str, Guard] = {
    "GD-05.2:engine_registered": engine_registered,
    "GD-36.1:source_lawful_at_capture": source_lawful_at_capture,
    "GD-43:ground_may_be_shown": ground_may_be_shown,
    "GD-30.1:assignee_qualified": assignee_qualified,
    "GD-30.1:officer_qualified": officer_qualified,
    "GD-30.1:own_decision": own_decision,
    "GD-30.1:nothing_stands_on_it": nothing_stands_on_it,
    "LF-10:item_allows_offsite": item_allows_offsite,
    "GD-30.4:notice_or_dissuasion": notice_or_dissuasion,
    "LX-17:deadline_set": deadline_set,
    "LX-17:verified_by_image_or_visit": verified_by_image_or_visit,
    "LX-2:receiving_unit_accepts": receiving_unit_accepts,
    **learn.GUARDS,
    **sensors.GUARDS,
    **releasing.GUARDS,
}
