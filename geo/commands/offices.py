"""The command by which an authority tells whom citizens ask, where, and how (GD-41.1)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from geo.commands.common import role_missing
from schemas.refusals import invalid
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority
from schemas.words import Coded

_DECIDE = (Role.UNIT_HEAD, Role.OFFICER)
LONGEST = 200


@dataclass(frozen=True)
class Contact:
    """Whom citizens ask at an authority, where to write to, and where to call; all of it is public."""

    person: str
    address: str
    channel: str


def change_contact(work: Work, authority: Authority, contact: Contact) -> None:
    """Tells on every public record of an authority whom to ask from now on; by its unit head or an officer of it.

    Raises RuleViolation 403 for everybody else, and 422 where a part is missing or too long.
    """
    if not any(work.actor.has(role, authority.id) for role in _DECIDE):
        raise role_missing(Coded("subject", ["authority"], f" {authority.code}"), "change_contact", _DECIDE)
    told = {one.name: " ".join(getattr(contact, one.name).split()) for one in fields(contact)}
    for name, said in told.items():
        if not 0 < len(said) <= LONGEST:
            raise invalid("GD-41.1", "authority.contact", name=name, measured=len(said), required=LONGEST)
    authority.contact_person = told["person"]
    authority.contact_address, authority.contact_channel = told["address"], told["channel"]
    work.record("authority.contact", "authority", authority.id, told)
