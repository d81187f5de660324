"""What somebody may do now with a subject: forms with their fields, and what stands against each, told beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage

from geo.attachments import File
from schemas.machine import Transition
from schemas.refusals import RuleViolation, invalid
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Stated
from web.attachments import take_upload
from web.checks import YEARS
from web.i18n import current_language, local_zone
from web.identity.request_identity import services

LONGEST_TEXT = 4_000
LONGEST_LINE = 200
# These look at what is typed, so nothing can be said of them before.
_OF_TYPED = frozenset({"state.reason:given", "GD-14.5:end_expected", "GD-14.4:announced"})


@dataclass(frozen=True)
class Field:
    """One field of a form; `kind` is text, area, date, moment, select, tick, number or file."""

    name: str
    label: str
    kind: str = "text"
    required: bool = True
    hint: str = ""
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    lang: str = ""
    most: int = LONGEST_LINE


@dataclass(frozen=True)
class Step:
    """One thing that may be done: its words, its fields, who may, and what stands against it now."""

    name: str
    title: str
    button: str
    fields: tuple[Field, ...] = ()
    follows: str = ""
    mine: bool = True
    who: tuple[str, ...] = ()
    refusals: tuple[Mapping[str, Any], ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    heavy: bool = False
    url: str = ""

    @property
    def has_file(self) -> bool:
        """Whether the form carries a file."""
        return any(one.kind == "file" for one in self.fields)


def ahead(work: Work, subject: Stated, transition: Transition) -> tuple[Mapping[str, Any], ...]:
    """What stands against a transition now, as pages tell it."""
    guards = [guard for guard in transition.guards if guard not in _OF_TYPED]
    return tuple(refusal.render(current_language()) for refusal in work.check(subject, guards))


def may_take(work: Work, transition: Transition, subject: Stated) -> bool:
    """Whether the actor holds a role that takes a transition, in the subject's authority."""
    return holds(work, [Role(who) for who in transition.who if who in {*Role}], subject.authority_id)  # type: ignore[attr-defined]


def holds(work: Work, roles: list[Role], authority_id: Any) -> bool:  # noqa: ANN401 - an id
    """Whether the actor holds one of the roles in an authority."""
    return any(work.actor.has(role, authority_id) for role in roles)


# -- what was typed --------------------------------------------------------------------------------------


def typed() -> dict[str, str]:
    """What the form says, for it to say it again where it is refused."""
    return {name: value[:LONGEST_TEXT] for name, value in request.form.items()}


def text_of(name: str, most: int = LONGEST_TEXT) -> str:
    """A text of the form, trimmed; raises RuleViolation 422 for one that is too long."""
    value = request.form.get(name, "").strip()
    if len(value) > most:
        raise unreadable(name, f"{len(value)}", f"1-{most}")
    return value


def one_of(name: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> str:
    """A word of the form that must be one of those; raises RuleViolation 422."""
    value = request.form.get(name, "")
    if value not in allowed:
        raise unreadable(name, value, ", ".join(allowed))
    return value


def day_of(name: str, *, required: bool = True) -> date | None:
    """A date of the form; raises RuleViolation 422 for what is none."""
    value = request.form.get(name, "").strip()
    if not value and not required:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise unreadable(name, value, "2026-11-21") from None
    if day.year not in YEARS:
        raise unreadable(name, value, f"{YEARS[0]}-{YEARS[-1]}")
    return day


def moment_of(name: str) -> datetime:
    """A local time of the form as an instant; raises RuleViolation 422."""
    value = request.form.get(name, "").strip()
    try:
        at = datetime.fromisoformat(value)
        if at.year not in YEARS:
            raise ValueError(at.year)
    except ValueError:
        raise unreadable(name, value, "2026-11-21T10:00") from None
    return at if at.tzinfo else at.replace(tzinfo=local_zone())


def number_of(name: str, low: float, high: float) -> float | None:
    """A number of the form, or None where none is given; raises RuleViolation 422."""
    value = request.form.get(name, "").strip()
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        raise unreadable(name, value, f"{low:g}-{high:g}") from None
    if not low <= number <= high:
        raise unreadable(name, value, f"{low:g}-{high:g}")
    return number


def files_of(name: str) -> list[File]:
    """The files of a field, kept by their content; raises RuleViolation for what nobody keeps."""
    return [take_upload(services(), one) for one in request.files.getlist(name) if _is_there(one)]


def _is_there(one: FileStorage) -> bool:
    return bool(one.filename)


def unreadable(name: str, measured: str, required: str) -> RuleViolation:
    """The refusal of a field that says nothing which we understand."""
    return invalid("query.unknown", "web.query_unknown", name=name, measured=measured[:40], required=required)
