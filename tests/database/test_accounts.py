"""Those who run an installation enter its people; nobody signed in can give a role."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text

from schemas.actors import HOST
from schemas.refusals import Kind, RuleViolation
from schemas.roles import Role
from schemas.tables import Authority, Person, WebSession
from web.identity import accounts
from web.identity.passwords import Passwords
from web.identity.people import by_login
from web.wiring import actor_of

PASSWORD = "four plain words here"


@pytest.fixture
def do(services):
    """Runs one command as the host and commits it."""

    def run(command, *arguments, actor=HOST):
        with services.work(actor) as work:
            made = command(work, *(argument(work) if callable(argument) else argument for argument in arguments))
            work.commit()
        return made

    return run


def a1(work):
    return work.session.scalars(select(Authority).where(Authority.code == "A1")).one()


def named(code):
    return lambda work: work.session.scalars(select(Person).where(Person.code == code)).one()


@pytest.fixture
def newcomer(do):
    def new(code="zhang.wei", password=PASSWORD):
        def enter(work):
            person = accounts.NewPerson(
                code=code, name_en="Zhang Wei", name_zh="张伟", authority=a1(work), password=password
            )
            return accounts.add_person(work, person, Passwords())

        return do(enter)

    return new


def test_person__entered__may_sign_in_and_do_nothing(services, newcomer):
    newcomer()
    with services.session() as session:
        found = by_login(session, "zhang.wei")
        assert Passwords().verify(found.password_hash, PASSWORD)
        assert actor_of(session, found, services.today).grants == frozenset()


def test_person__entered__the_ledger_learns_no_name(session, newcomer):
    newcomer()
    action, body = session.execute(text("SELECT action, convert_from(body, 'UTF8') FROM ledger.event")).one()
    assert action == "person.add"
    assert "Zhang" not in body
    assert "zhang" not in body


@pytest.mark.parametrize(
    ("code", "password", "rule", "kind"),
    [
        ("H1", PASSWORD, "register.taken", Kind.CONFLICT),
        ("h1", PASSWORD, "register.taken", Kind.CONFLICT),
        ("zhang wei", PASSWORD, "person.code", Kind.INVALID),
        ("", PASSWORD, "person.code", Kind.INVALID),
        ("张伟", PASSWORD, "person.code", Kind.INVALID),
        ("x" * 41, PASSWORD, "person.code", Kind.INVALID),
        ("zhang", "short", "password.too_short", Kind.INVALID),
    ],
)
def test_person__unusable__refused(newcomer, code, password, rule, kind):
    with pytest.raises(RuleViolation) as refused:
        newcomer(code, password)
    assert (refused.value.refusals[0].rule, refused.value.kind) == (rule, kind)


def test_role__given_and_ended__holds_from_its_first_to_its_last_day(services, do, newcomer):
    newcomer()
    do(accounts.give_role, named("zhang.wei"), Role.OFFICER, a1, date(2025, 7, 1))
    do(accounts.end_role, named("zhang.wei"), Role.OFFICER, a1, date(2025, 7, 10))
    with services.session() as session:
        person = by_login(session, "zhang.wei")
        held = {
            day: bool(actor_of(session, person, date(2025, *day)).grants) for day in [(6, 30), (7, 1), (7, 10), (7, 11)]
        }
    assert held == {(6, 30): False, (7, 1): True, (7, 10): True, (7, 11): False}


def test_role__held_already__409(do, newcomer):
    newcomer()
    do(accounts.give_role, named("zhang.wei"), Role.PILOT, a1, date(2025, 7, 1))
    with pytest.raises(RuleViolation) as refused:
        do(accounts.give_role, named("zhang.wei"), Role.PILOT, a1, date(2025, 7, 5))
    assert refused.value.kind is Kind.CONFLICT


def test_role__ended_before_its_first_day__refused(do, newcomer):
    newcomer()
    do(accounts.give_role, named("zhang.wei"), Role.OFFICER, a1, date(2025, 7, 1))
    with pytest.raises(RuleViolation) as refused:
        do(accounts.end_role, named("zhang.wei"), Role.OFFICER, a1, date(2025, 6, 30))
    assert refused.value.kind is Kind.INVALID


def test_role__not_held__404(do):
    with pytest.raises(RuleViolation) as refused:
        do(accounts.end_role, named("N1"), Role.PILOT, a1, date(2025, 7, 1))
    assert refused.value.kind is Kind.NOT_FOUND


@pytest.mark.parametrize("who", ["H1", "D1", "N1"])
def test_role__given_by_somebody_signed_in__403(services, do, who):
    with pytest.raises(RuleViolation) as refused:
        do(accounts.give_role, named(who), Role.UNIT_HEAD, a1, date(2025, 7, 1), actor=services.actor(who))
    assert refused.value.kind is Kind.FORBIDDEN


@pytest.mark.parametrize("command", [accounts.lock_out, accounts.set_password])
def test_sessions__of_a_locked_account_or_an_old_password__are_over(services, do, clock, command):
    with services.housekeeping() as db:
        person = named("O1")(type("W", (), {"session": db}))
        db.add(
            WebSession(
                id_hash="x", person_id=person.id, created_at=clock.now(), seen_at=clock.now(), expires_at=clock.now()
            )
        )
    do(command, named("O1"), *(() if command is accounts.lock_out else (PASSWORD, Passwords())))
    with services.session() as session:
        assert session.scalars(select(WebSession)).all() == []
        assert (by_login(session, "o1") is None) == (command is accounts.lock_out)


def test_password__set_anew__lets_a_locked_account_in_again(services, do):
    do(accounts.lock_out, named("O1"))
    do(accounts.set_password, named("O1"), PASSWORD, Passwords())
    with services.session() as session:
        assert Passwords().verify(by_login(session, "o1").password_hash, PASSWORD)


@pytest.mark.parametrize(
    ("kind", "last", "rule"),
    [("driving", date(2027, 1, 1), "person.certificate"), ("enforcement", date(2024, 1, 1), "person.certificate")],
)
def test_certificate__of_no_kind_or_ended_before_it_began__refused(do, kind, last, rule):
    new = accounts.Certificate(kind=kind, number="X", valid_from=date(2025, 1, 1), valid_to=last)
    with pytest.raises(RuleViolation) as refused:
        do(accounts.enter_certificate, named("O1"), new)
    assert refused.value.refusals[0].rule == rule
