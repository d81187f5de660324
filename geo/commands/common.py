"""What the commands on places share: one transition, the local date, the roles, the words of a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from geo.notices import Published
from schemas.machine import label
from schemas.refusals import RuleViolation, forbidden
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Device, Stated
from schemas.words import Coded


def move(
    work: Work,
    subject: Published,
    transition: str,
    seen_version: int | None = None,
    *,
    record: Mapping[str, Any] | None = None,
    **params: Any,  # noqa: ANN401
) -> None:
    """Make one transition of the machine, and remember since when a device is in its new state."""
    work.apply(subject, transition, expected_version=seen_version, record=record, **params)
    if isinstance(subject, Device):
        subject.state_since = work.now


def local_today(work: Work, subject: Stated) -> date:
    """The legal date at the subject's place."""
    return work.pack_for(subject).local_date(work.now)


def require(work: Work, subject: Published, *roles: Role, action: str) -> None:
    """Raise RuleViolation 403 unless the actor holds one of the roles in the subject's authority."""
    if not any(work.actor.has(role, subject.authority_id) for role in roles):
        raise role_missing(label(subject), action, roles)


def role_missing(subject: str, action: str, roles: Iterable[Role]) -> RuleViolation:
    """The refusal (403) of an action for want of a role."""
    step, required = Coded("step", [action]), Coded("role", roles)
    return forbidden("state.role", "machine.role", subject=subject, transition=step, required=required)
