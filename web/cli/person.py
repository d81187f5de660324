"""`skywarden person`: who may act on this installation, and in which role."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import click
from sqlalchemy import func, select

from schemas.actors import HOST
from schemas.refusals import not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Authority, Person, RoleAssignment
from schemas.words import Coded
from web.cli.common import as_json, echo_json, lang, pass_services
from web.identity import accounts
from web.identity.passwords import Passwords
from web.wiring import Services

# Nobody signs in as one of these: a party has no desk yet, and the public needs no account.
GIVEN = [role.value for role in Role if role not in (Role.PARTY, Role.PUBLIC)]
_SAYS = {
    "en": {
        "ask": "Password for {code}",
        "again": "Once more",
        "add": "{code} may sign in, and may do nothing yet: give a role.",
        "password": "{code} has a new password; every session of the old one is over.",
        "lock": "{code} is locked out; every session is over.",
        "give": "{code} is {role} of {authority} from {day} on.",
        "end": "{code} is {role} of {authority} until {day}.",
        "certificate": "{code} holds {number} from {first} to {last}.",
    },
    "zh": {
        "ask": "{code} 的密码",
        "again": "再次输入",
        "add": "{code} 可以登录，但尚无权限：请授予角色。",
        "password": "{code} 的密码已更新，原有会话全部结束。",
        "lock": "{code} 已停用，会话全部结束。",
        "give": "{code} 自 {day} 起担任 {authority} 的{role}。",
        "end": "{code} 担任 {authority} 的{role}至 {day} 止。",
        "certificate": "{code} 持有 {number}，有效期 {first} 至 {last}。",
    },
}


class Day(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A local day such as 2026-11-22."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day; ends the run as wrong usage where the text is none."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007
        except ValueError:
            self.fail(f"{value!r} is not a day such as 2026-11-22", param, ctx)


with_authority = click.option("--authority", "authority_code", required=True, help="Code of the authority.")
from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from the first line of input.")


@click.group()
def person() -> None:
    """The people of this installation and the roles they hold."""


@person.command("add")
@click.argument("code")
@click.option("--name-en", required=True, help="Name in Latin letters.")
@click.option("--name-zh", required=True, help="Name in Chinese.")
@with_authority
@from_stdin
@pass_services
def add(services: Services, code: str, name_en: str, name_zh: str, authority_code: str, password_stdin: bool) -> None:
    """Enters somebody under the login name CODE; a role is given by itself."""
    password = _password(code, password_stdin)
    with _work(services) as work:
        new = accounts.NewPerson(
            code=code,
            name_en=name_en,
            name_zh=name_zh,
            authority=_authority(work, authority_code),
            password=password,
        )
        accounts.add_person(work, new, Passwords())
    _say("add", code=code)


@person.command("password")
@click.argument("code")
@from_stdin
@pass_services
def password(services: Services, code: str, password_stdin: bool) -> None:
    """Sets a new password for CODE, and lets a locked account in again."""
    new = _password(code, password_stdin)
    with _work(services) as work:
        accounts.set_password(work, _person(work, code), new, Passwords())
    _say("password", code=code)


@person.command("lock")
@click.argument("code")
@pass_services
def lock(services: Services, code: str) -> None:
    """Locks CODE out at once; what was done stays on record."""
    with _work(services) as work:
        accounts.lock_out(work, _person(work, code))
    _say("lock", code=code)


@person.command("give")
@click.argument("code")
@click.argument("role", type=click.Choice(GIVEN))
@with_authority
@click.option("--from", "since", type=Day(), help="The first day; today without it.")
@pass_services
def give(services: Services, code: str, role: str, authority_code: str, since: date | None) -> None:
    """Gives CODE a role in an authority."""
    first = since or services.today
    with _work(services) as work:
        accounts.give_role(work, _person(work, code), Role(role), _authority(work, authority_code), first)
    _say("give", code=code, role=Coded("role", [role]).tell(lang()), authority=authority_code, day=first)


@person.command("end")
@click.argument("code")
@click.argument("role", type=click.Choice(GIVEN))
@with_authority
@click.option("--last-day", type=Day(), help="The last day; today without it.")
@pass_services
def end(services: Services, code: str, role: str, authority_code: str, last_day: date | None) -> None:
    """Ends a role of CODE after a day; `person lock` ends everything at once."""
    last = last_day or services.today
    with _work(services) as work:
        accounts.end_role(work, _person(work, code), Role(role), _authority(work, authority_code), last)
    _say("end", code=code, role=Coded("role", [role]).tell(lang()), authority=authority_code, day=last)


@person.command("certificate")
@click.argument("code")
@click.argument("number")
@click.option("--kind", required=True, type=click.Choice(accounts.CERTIFICATES), help="What it certifies.")
@click.option("--from", "first", type=Day(), required=True, help="The first day.")
@click.option("--to", "last", type=Day(), required=True, help="The last day.")
@pass_services
def certificate(services: Services, code: str, number: str, *, kind: str, first: date, last: date) -> None:
    """Enters the enforcement certificate or pilot's licence NUMBER of CODE."""
    new = accounts.Certificate(kind=kind, number=number, valid_from=first, valid_to=last)
    with _work(services) as work:
        accounts.enter_certificate(work, _person(work, code), new)
    _say("certificate", code=code, number=number, first=first, last=last)


@person.command("list")
@as_json
@pass_services
def list_people(services: Services, as_json: bool) -> None:
    """Everybody, with the roles held and where."""
    rows = []
    with services.session() as session:
        statement = (
            select(Person, RoleAssignment, Authority)
            .outerjoin(RoleAssignment, RoleAssignment.person_id == Person.id)
            .outerjoin(Authority, RoleAssignment.authority_id == Authority.id)
            .order_by(Person.code, RoleAssignment.role)
        )
        for somebody, role, authority in session.execute(statement):
            rows.append(
                {
                    "code": somebody.code,
                    "name": somebody.name_en,
                    "role": role.role if role else None,
                    "authority": authority.code if authority else None,
                }
            )
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['code']:<6}{row['role'] or '-':<22}{row['authority'] or '-':<6}{row['name']}")


@contextmanager
def _work(services: Services) -> Iterator[Work]:
    with services.work(HOST) as work:
        yield work
        work.commit()


def _person(work: Work, code: str) -> Person:
    found = work.session.scalar(select(Person).where(func.lower(Person.code) == code.lower()))
    if found is None:
        raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["person"]), measured=code[:60])
    return found


def _authority(work: Work, code: str) -> Authority:
    found = work.session.scalar(select(Authority).where(Authority.code == code))
    if found is None:
        subject = Coded("subject", ["authority"])
        raise not_found("store.unknown", "store.not_found", subject=subject, measured=code[:60])
    return found


def _password(code: str, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\n")
    words = _SAYS[lang()]
    typed: str = click.prompt(words["ask"].format(code=code), hide_input=True, confirmation_prompt=words["again"])
    return typed


def _say(what: str, **values: object) -> None:
    click.echo(_SAYS[lang()][what].format(**values))
