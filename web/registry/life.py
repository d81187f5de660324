"""The life of a device as a timeline: what the ledger witnessed of its states, its papers, its appearances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from flask import json
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from schemas import kept
from schemas.tables import (
    Announcement,
    Calibration,
    Device,
    DeviceReview,
    Evaluation,
    Incident,
    IncidentAnswer,
    Person,
    Publication,
    Signage,
    Upkeep,
)
from web import words as common
from web.i18n import current_language, gettext, in_words, local_date, local_zone
from web.registry import incidents, words
from web.words import N_

STEPS: Mapping[str, str] = {
    "register": N_("Registered"),
    "review": N_("Both reviews passed"),
    "revise": N_("Revised: a new version, reviewed afresh"),
    "publish": N_("Notice period begun"),
    "activate": N_("Put into use"),
    "pause": N_("Paused for maintenance"),
    "resume": N_("Taken back into use after maintenance"),
    "block": N_("Stopped by a check"),
    "unblock": N_("Taken back into use after a stop"),
    "discontinue": N_("Taken out of use"),
    "lapse": N_("Taken out of use"),
    "retire": N_("Given up for good"),
}
_LOOKS = {"activate": "on", "resume": "on", "unblock": "on", "publish": "soon", "pause": "pause", "block": "stop"}
_EVENTS = text(
    "SELECT recorded_at, action, actor, body FROM ledger.event"
    " WHERE subject_kind = 'device' AND subject_id = :id AND action LIKE 'device.%' ORDER BY id"
)


@dataclass(frozen=True)
class Moment:
    """One thing that happened: the local day, what, more about it, by whom, and how it looks."""

    at: datetime
    what: str
    more: str = ""
    who: str = ""
    look: str = "off"
    files: tuple[tuple[str, str, str], ...] = ()
    witnessed: bool = True

    @property
    def on(self) -> date:
        """The local day."""
        return local_date(self.at)


def life(db: Session, device: Device, files: Mapping[Any, tuple[tuple[str, str, str], ...]]) -> list[Moment]:
    """All of it, the latest first; `files` by the id of the paper that they belong to."""
    people = _People(db)
    found = [*_states(db, device, people), *_papers(db, device, files, people), *_shown(db, device)]
    return sorted(found, key=lambda one: one.at, reverse=True)


class _People:
    """Names of people by their ids, each asked for once."""

    def __init__(self, db: Session) -> None:
        self._db = db
        self._names: dict[Any, str] = {}

    def name(self, person_id: Any) -> str:  # noqa: ANN401 - an id or its text
        if not person_id:
            return ""
        if person_id not in self._names:
            person = self._db.get(Person, person_id)
            self._names[person_id] = in_words({"en": person.name_en, "zh": person.name_zh}) if person else ""
        return self._names[person_id]


def reason_now(db: Session, device: Device) -> str:
    """Why the device is in its state, in the reader's language where the system itself stopped it."""
    bodies = [json.loads(bytes(body)) for _, _, _, body in db.execute(_EVENTS, {"id": str(device.id)})]
    into = [body for body in bodies if body.get("to") == device.state]
    return (_why(into[-1]) if into and device.state_reason else "") or device.state_reason or ""


def _why(told: Mapping[str, Any]) -> str:
    """The reason in an event: the rules that it keeps in the reader's language, or the words of who took the step."""
    against = [kept.told(each) for each in told.get("refusals", ())]
    if against:
        return "; ".join(f"{each.rule}: {each.message(current_language())}" for each in against)
    return str(told.get("reason") or "")


def _states(db: Session, device: Device, people: _People) -> Iterator[Moment]:
    witnessed = set()
    for at, action, actor, body in db.execute(_EVENTS, {"id": str(device.id)}):
        step = action.removeprefix("device.")
        if step not in STEPS:
            continue
        witnessed.add(step)
        told = json.loads(bytes(body))
        kind, _, person_id = actor.partition(":")
        who = people.name(person_id) if kind == "person" else gettext("the system itself")
        yield Moment(at, gettext(STEPS[step]), _why(told), who, _LOOKS.get(step, "off"))
    yield from _asserted(device, witnessed)


def _asserted(device: Device, witnessed: set[str]) -> Iterator[Moment]:
    """What an import says of its past, and nobody here saw."""
    if device.origin == "live":
        return
    yield Moment(device.recorded_at, gettext("Entered by an import"), witnessed=False)
    if device.activated_on and "activate" not in witnessed:
        yield Moment(noon(device.activated_on), gettext("Put into use"), look="on", witnessed=False)
    if device.state in ("maintenance", "blocked") and device.state_since and not witnessed:
        yield Moment(
            device.state_since, words.state(device.state), device.state_reason or "", "", words.look(device.state),
            witnessed=False,
        )  # fmt: skip


def _papers(
    db: Session, device: Device, files: Mapping[Any, tuple[tuple[str, str, str], ...]], people: _People
) -> Iterator[Moment]:
    def of(kind: Any) -> Any:  # noqa: ANN401 - the rows of a table
        return db.scalars(select(kind).where(kind.device_id == device.id))

    for row in of(DeviceReview):
        passed = gettext("passed") if row.passed else gettext("failed")
        what = gettext("%(what)s: %(result)s", what=words.told(words.REVIEWS, row.kind), result=passed)
        version = gettext("version %(n)s", n=row.device_version)
        yield _moment(row, row.reviewed_on, what, version, people.name(row.reviewer_id), files, row.passed)
    for row in of(Signage):
        yield _moment(row, row.verified_on, gettext("Sign or mark seen"), row.text, people.name(row.verified_by), files)
    for row in of(Calibration):
        result = gettext("valid until %(day)s", day=row.valid_to) if row.passed else gettext("failed")
        what = gettext("%(what)s: %(result)s", what=words.told(words.TESTS, row.kind), result=result)
        more = f"{row.agency} · {row.certificate_no}"
        yield _moment(row, row.tested_on, what, more, people.name(row.recorded_by), files, row.passed)
    for row in of(Evaluation):
        what = gettext(
            "%(what)s: %(result)s", what=gettext("Evaluation"), result=words.told(words.OUTCOMES, row.outcome)
        )
        yield _moment(row, row.evaluated_on, what, row.text, people.name(row.evaluated_by), files)
    for row in of(Upkeep):
        more = f"{row.text} · {row.done_by}"
        yield _moment(row, row.done_on, words.told(words.UPKEEP, row.kind), more, people.name(row.recorded_by), files)
    for row in of(Incident):
        moved = gettext("%(n)s m from its place", n=f"{row.shift_m:.0f}") if row.shift_m is not None else ""
        what = gettext("Incident: %(what)s", what=words.told(words.INCIDENTS, row.kind))
        more = " · ".join(filter(None, (incidents.told(row), moved)))
        who = people.name(row.reported_by) if row.reported_by else gettext("the device itself")
        yield Moment(row.observed_at, what, more, who, "stop", files.get(row.id, ()), row.origin == "live")
    answers = select(IncidentAnswer).join(Incident, Incident.id == IncidentAnswer.incident_id)
    for answer in db.scalars(answers.where(Incident.device_id == device.id)):
        who = people.name(answer.answered_by)
        yield Moment(answer.answered_at, gettext("Incident looked at"), answer.text, who, "on")


def _moment(  # noqa: PLR0913
    row: Any,  # noqa: ANN401
    on: date,
    what: str,
    more: str,
    who: str,
    files: Mapping[Any, tuple[tuple[str, str, str], ...]],
    passed: bool | None = None,
) -> Moment:
    look = {True: "on", False: "stop", None: "off"}[passed]
    # What was recorded on its own day stands at its hour; what is told of an earlier day at noon of that.
    at = row.recorded_at if row.origin == "live" and local_date(row.recorded_at) == on else noon(on)
    return Moment(at, what, more, who, look, files.get(row.id, ()), row.origin == "live")


def _shown(db: Session, device: Device) -> Iterator[Moment]:
    wanted = select(Publication).where(Publication.subject_kind == "device", Publication.subject_id == device.id)
    for row in db.scalars(wanted):
        channel, live = common.channel(row.channel), row.origin == "live"
        receipt = gettext("receipt %(number)s", number=row.receipt_id)
        yield Moment(
            row.published_at, gettext("Announced: %(channel)s", channel=channel), receipt, look="soon", witnessed=live
        )
        if row.withdrawn_at:
            yield Moment(row.withdrawn_at, gettext("No longer carried: %(channel)s", channel=channel), receipt)
    told = select(Announcement).where(Announcement.subject_kind == "device", Announcement.subject_id == device.id)
    for each in db.scalars(told):
        said = in_words({"en": each.text_en, "zh": each.text_zh})
        what = gettext("Announced to the public: %(what)s", what=words.told(words.STOPS, each.kind))
        yield Moment(each.announced_at, what, said, look="off", witnessed=each.origin == "live")


def noon(day: date) -> datetime:
    """The middle of a local day, where nobody knows the hour."""
    return datetime.combine(day, time(12), local_zone()).astimezone(UTC)
