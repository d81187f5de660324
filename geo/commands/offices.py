"""The command by which an authority tells whom citizens ask, where, and how (GD-41.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from geo.commands.common import role_missing
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority
from schemas.words import Coded

_DECIDE = (Role.UNIT_HEAD, Role.OFFICER)
LONGEST = 200
# The parts of a contact, and the columns that hold them.
FIELDS: Mapping[str, str] = {
    "person": "contact_person",
    "address": "contact_address",
    "channel": "contact_channel",
}


@dataclass(frozen=True)
class Contact:
    """Whom citizens ask at an authority, where to write to, and where to call; all of it is public."""

    person: str
    address: str
    channel: str


def change_contact(work: Work, authority: Authority, contact: Contact) -> None:
    """Tells on every public record of an authority whom to ask from now on; by its unit head or an officer of it.

    Raises RuleViolation 403 for everybody else, and 422 with every part that is missing or too long.
    """
    if not any(work.actor.has(role, authority.id) for role in _DECIDE):
        raise role_missing(Coded("subject", ["authority"], f" {authority.code}"), "change_contact", _DECIDE)
    told = {part: " ".join(getattr(contact, part).split()) for part in FIELDS}
    if wrong := [_refused(column, len(told[part])) for part, column in FIELDS.items() if not _fits(told[part])]:
        raise RuleViolation(Kind.INVALID, wrong)
    for part, column in FIELDS.items():
        setattr(authority, column, told[part])
    work.record("authority.contact", "authority", authority.id, told)


def _fits(said: str) -> bool:
    return 0 < len(said) <= LONGEST


def _refused(column: str, length: int) -> Refusal:
    name = Coded("field", [column])
    if not length:
        return refuse("GD-41.1", "authority.contact_missing", name=name, most=LONGEST)
    return refuse("GD-41.1", "authority.contact_long", name=name, measured=length, required=LONGEST)
