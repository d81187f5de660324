"""The machine under any order of steps, actors and failing guards: no state is skipped, no failure lost (P9, P10)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from schemas.actors import ANONYMOUS, HOST, SYSTEM, Actor, ActorKind, Grant
from schemas.machine import ANY, ANYWHERE, COMMON_GUARDS, NEW, Context, Machine, state_tables
from schemas.refusals import Kind, RuleViolation, refuse
from schemas.roles import Role
from schemas.rules import Rulebook

HERE, ELSEWHERE = uuid.uuid4(), uuid.uuid4()
PACK = Rulebook.load()["cn-gd-2025"]
NOW = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
TABLES = state_tables()
PASSES, FAILS, RAISES, NONSENSE = "passes", "fails", "raises", "nonsense"


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    """Guards that raise are logged with all that they looked at."""
    with structlog.testing.capture_logs():
        yield


@dataclass
class Subject:
    __machine__: str
    state: str | None = None
    version: int = 0
    authority_id: uuid.UUID = HERE
    public_id: str = "XX-1"


def person(roles, authority=HERE):
    return Actor(ActorKind.PERSON, uuid.uuid4(), "P", "P", frozenset(Grant(role, authority) for role in roles))


ACTORS = st.one_of(
    st.sampled_from([SYSTEM, HOST, ANONYMOUS]),
    st.builds(person, st.frozensets(st.sampled_from(list(Role))), st.sampled_from([HERE, ELSEWHERE])),
)


def machine_where(outcomes, asked):
    """The real tables with guards that do as `outcomes` says; `asked` remembers who was asked."""

    def guard(name):
        def ask(_context):
            asked.append(name)
            outcome = outcomes.get(name, PASSES)
            if outcome == RAISES:
                raise LookupError("a fault of ours")
            if outcome == NONSENSE:
                return None
            return [refuse(name.split(":")[0], "machine.reason")] if outcome == FAILS else []

        return ask

    names = {name for table in TABLES.values() for row in table.transitions for name in row.guards}
    return Machine(TABLES, {name: guard(name) for name in names - COMMON_GUARDS.keys()})


def permitted(actor, row):
    for who in row.who:
        role, anywhere = who.removesuffix(ANYWHERE), who.endswith(ANYWHERE)
        if role in ("system", "anonymous") and actor.kind == role:
            return True
        if any(g.role == role and (anywhere or g.authority_id == HERE) for g in actor.grants):
            return True
    return False


@pytest.mark.parametrize("name", sorted(TABLES))
@given(data=st.data())
def test_P9__any_order_of_anything__moves_only_as_the_table_says(name, data):
    table, subject, asked = TABLES[name], Subject(name), []
    guards = sorted({guard for row in table.transitions for guard in row.guards} - COMMON_GUARDS.keys())
    names = st.sampled_from([*(row.name for row in table.transitions), "no_such_step"])
    for _ in range(data.draw(st.integers(1, 12))):
        wanted, actor = data.draw(names), data.draw(ACTORS)
        outcomes = data.draw(
            st.dictionaries(st.sampled_from(guards), st.sampled_from([FAILS, RAISES, NONSENSE]), max_size=2)
        )
        reason = data.draw(st.sampled_from(["", " ", "because"]))
        before, version = subject.state or NEW, subject.version
        asked.clear()
        expected = expect(table, before, wanted, actor, outcomes, reason)
        found = outcome_of(machine_where(outcomes, asked), subject, actor, wanted, reason)
        assert found == expected
        if isinstance(expected[0], Kind):
            assert (subject.state or NEW, subject.version) == (before, version)
        else:
            assert (subject.state, subject.version) == (expected[1], 1 if before == NEW else version + 1)
        row = step(table, before, wanted)
        if row is not None and expected[0] is not Kind.FORBIDDEN:
            assert asked == [guard for guard in row.guards if guard not in COMMON_GUARDS]


def outcome_of(machine, subject, actor, wanted, reason):
    """The kind of refusal and how many rules it names, or from where to where."""
    try:
        change = machine.change(Context(None, subject, actor, NOW, PACK, {"reason": reason}), wanted)
    except RuleViolation as refused:
        return refused.kind, len(refused.refusals)
    return change.source, change.target


def step(table, state, wanted):
    """Found without the code under test: a step out of this state, or out of any other than its own target."""
    for row in table.transitions:
        if row.name == wanted and (state in row.sources or (row.sources == (ANY,) and state not in (NEW, row.target))):
            return row
    return None


def expect(table, state, wanted, actor, outcomes, reason):
    """What must come of it: the kind of refusal and how many rules it names, or from where to where."""
    row = step(table, state, wanted)
    if row is None:
        return Kind.CONFLICT, 1
    if not permitted(actor, row):
        return Kind.FORBIDDEN, 1
    failures = sum(guard in outcomes for guard in row.guards)
    failures += "state.reason:given" in row.guards and not reason.strip()
    return (Kind.CONFLICT, failures) if failures else (state, row.target)


def somebody_of(row):
    """An actor who may take the step."""
    roles = {Role(who.removesuffix(ANYWHERE)) for who in row.who if who not in ("system", "anonymous")}
    if "system" in row.who:
        return SYSTEM
    return person(roles) if roles else ANONYMOUS


def test_P10__every_guard_of_every_step__raising_alone_refuses():
    """Guard by guard, with everything else passing: an error is a refusal and leaves the state as it was."""
    for name, table in TABLES.items():
        for row in table.transitions:
            for guard in (g for g in row.guards if g not in COMMON_GUARDS):
                source = next(s for s in (*table.states, NEW) if step(table, s, row.name) is row)
                subject = Subject(name, state=source or None, version=4)
                actor = somebody_of(row)
                context = Context(None, subject, actor, NOW, PACK, {"reason": "because"})
                with pytest.raises(RuleViolation) as refused:
                    machine_where({guard: RAISES}, []).change(context, row.name)
                assert [r.rule for r in refused.value.refusals] == [guard.split(":")[0]], (name, row.name)
                assert (subject.state or NEW, subject.version) == (source, 4)
