"""Commands on the people of an installation: entered, given roles and certificates, locked out again.

Those who run the installation do this from its command line; nobody signed in can give a role, to others or to
themselves. The ledger learns ids, roles and periods, never a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, func, select

from geo.commands.catalogue import refuse_unless_host
from schemas.ids import public_id
from schemas.refusals import conflict, invalid, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority, Person, Qualification, RoleAssignment, WebSession
from schemas.words import Coded
from web.identity.passwords import Passwords

LOGIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
CERTIFICATES = ("enforcement", "uas_licence")
# ASVS 5.0 6.2.1 asks for 8 and recommends 15; nobody here can be reached by a short one that was bought.
SHORTEST_PASSWORD = 12


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """Somebody who may sign in; `code` is the login name."""

    code: str
    name_en: str
    name_zh: str
    authority: Authority
    password: str


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """An enforcement certificate (GD-30.1) or a pilot's licence; days are local and inclusive."""

    kind: str
    number: str
    valid_from: date
    valid_to: date


def add_person(work: Work, new: NewPerson, passwords: Passwords) -> Person:
    """Enters somebody without any role; raises RuleViolation 409 for a taken login name, 422 for an unusable one."""
    refuse_unless_host(work)
    if not LOGIN_NAME.fullmatch(new.code):
        raise invalid("person.code", measured=new.code[:60])
    if work.session.scalar(select(Person.id).where(func.lower(Person.code) == new.code.lower())) is not None:
        raise conflict("register.taken", measured=new.code)
    person = Person(
        public_id=public_id("PE"),
        code=new.code,
        name_en=new.name_en,
        name_zh=new.name_zh,
        authority_id=new.authority.id,
        password_hash=hashed(new.password, passwords),
    )
    work.session.add(person)
    work.session.flush()
    work.record("person.add", "person", person.id, {"authority": new.authority.code})
    return person


def set_password(work: Work, person: Person, password: str, passwords: Passwords) -> None:
    """Sets a new password, lets a locked account in again, and ends every session of the old one."""
    refuse_unless_host(work)
    person.password_hash, person.disabled_at = hashed(password, passwords), None
    _sign_out(work, person)
    work.record("person.password", "person", person.id, {})


def lock_out(work: Work, person: Person) -> None:
    """Ends every session of somebody and refuses new ones; what was done stays on record."""
    refuse_unless_host(work)
    person.disabled_at = work.now
    _sign_out(work, person)
    work.record("person.lock", "person", person.id, {})


def give_role(work: Work, person: Person, role: Role, authority: Authority, since: date) -> RoleAssignment:
    """Gives a role in an authority from a day on; raises RuleViolation 409 where it is held already."""
    refuse_unless_host(work)
    if _held(work, person, role, authority):
        raise conflict("person.role_held", measured=Coded("role", [role]))
    given = RoleAssignment(
        public_id=public_id("RA"), person_id=person.id, role=role.value, authority_id=authority.id, valid_from=since
    )
    work.session.add(given)
    body = {"role": role.value, "authority": authority.code, "from": since.isoformat()}
    work.record("person.give_role", "person", person.id, body)
    return given


def end_role(work: Work, person: Person, role: Role, authority: Authority, last_day: date) -> None:
    """Ends a role after a last day; raises RuleViolation 404 where it is not held, 422 for a day before its first."""
    refuse_unless_host(work)
    held = _held(work, person, role, authority)
    if held is None:
        raise not_found("person.role", measured=Coded("role", [role]))
    if last_day < held.valid_from:
        raise invalid("person.role", "person.period", measured=str(last_day), required=str(held.valid_from))
    held.valid_to = last_day
    body = {"role": role.value, "authority": authority.code, "to": last_day.isoformat()}
    work.record("person.end_role", "person", person.id, body)


def enter_certificate(work: Work, person: Person, new: Certificate) -> Qualification:
    """Enters a certificate; raises RuleViolation 422 for an unknown kind or a period that ends before it begins."""
    refuse_unless_host(work)
    if new.kind not in CERTIFICATES:
        raise invalid("person.certificate", measured=new.kind, required=", ".join(CERTIFICATES))
    if new.valid_to < new.valid_from:
        raise invalid("person.certificate", "person.period", measured=str(new.valid_to), required=str(new.valid_from))
    row = Qualification(
        public_id=public_id("QU"),
        person_id=person.id,
        kind=new.kind,
        certificate_no=new.number,
        field=work.session.get_one(Authority, person.authority_id).field,
        authority_id=person.authority_id,
        valid_from=new.valid_from,
        valid_to=new.valid_to,
    )
    work.session.add(row)
    body = {"kind": new.kind, "from": new.valid_from.isoformat(), "to": new.valid_to.isoformat()}
    work.record("person.certificate", "person", person.id, body)
    return row


def hashed(password: str, passwords: Passwords) -> str:
    """The hash of a new password; raises RuleViolation 422 for a short one."""
    if len(password) < SHORTEST_PASSWORD:
        raise invalid("password.too_short", measured=len(password), required=SHORTEST_PASSWORD)
    return passwords.hash(password)


def _held(work: Work, person: Person, role: Role, authority: Authority) -> RoleAssignment | None:
    return work.session.scalar(
        select(RoleAssignment).where(
            RoleAssignment.person_id == person.id,
            RoleAssignment.role == role.value,
            RoleAssignment.authority_id == authority.id,
            RoleAssignment.valid_to.is_(None),
        )
    )


def _sign_out(work: Work, person: Person) -> None:
    work.session.execute(delete(WebSession).where(WebSession.person_id == person.id))
