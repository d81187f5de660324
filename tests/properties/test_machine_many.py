"""Judging many at once is judging each alone: the same refusals in the same order (P9, P10)."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.actors import SYSTEM, Actor, ActorKind, Grant
from schemas.machine import Contexts, InSets, Machine, StateTable, Transition
from schemas.refusals import RuleViolation, refuse
from schemas.roles import Role
from schemas.rules import Rulebook

PACK = Rulebook.load()["cn-gd-2025"]
HERE, ELSEWHERE = uuid.uuid4(), uuid.uuid4()
TABLE = StateTable(
    "lamp",
    ("off", "on", "broken"),
    ("on",),
    (
        Transition("light", ("off",), "on", ("officer",), ("X-1:dark", "X-2:bulb", "state.reason:given")),
        Transition("light", ("broken",), "on", ("officer",), ("X-2:bulb", "X-3:mended")),
        Transition("break", ("*",), "broken", ("system",), ()),
    ),
)
OFFICER = Actor(ActorKind.PERSON, uuid.uuid4(), "O1", "O1", frozenset({Grant(Role.OFFICER, HERE)}))


@dataclass(eq=False)
class Lamp:
    """A subject that says of itself which guards stand against it."""

    __machine__ = "lamp"
    state: str
    authority_id: uuid.UUID
    fails: frozenset
    version: int = 1
    public_id: str = "LA-1"


def guard(name):
    def one(context):
        if name in context.subject.fails:
            yield refuse(name.split(":")[0], "machine.reason")

    return one


def machine(in_sets, broken=None):
    guards = {}
    for name in ("X-1:dark", "X-2:bulb", "X-3:mended"):
        one = guard(name)

        def many(contexts, one=one, name=name):
            if name == broken:
                raise LookupError("a fault of ours")
            return [one(contexts.of(subject)) for subject in contexts.subjects]

        guards[name] = InSets(one, many) if name in in_sets else one
    return Machine({"lamp": TABLE}, guards)


LAMPS = st.lists(
    st.builds(
        Lamp,
        st.sampled_from(TABLE.states),
        st.sampled_from([HERE, ELSEWHERE]),
        st.frozensets(st.sampled_from(["X-1:dark", "X-2:bulb", "X-3:mended"])),
    ),
    max_size=12,
)


def contexts(lamps, actor, reason):
    return Contexts(None, lamps, actor, datetime(2025, 7, 2, tzinfo=UTC), PACK, {"reason": reason})


def alone(judge, some, lamp, name):
    """What stands against one of them, or where it goes."""
    try:
        return judge.check(some.of(lamp), name).target
    except RuleViolation as violation:
        return [(refusal.rule, refusal.text) for refusal in violation.refusals]


@given(
    LAMPS,
    st.sampled_from(["light", "break", "nothing"]),
    st.sampled_from([SYSTEM, OFFICER]),
    st.sampled_from(["", "x"]),
    st.sets(st.sampled_from(["X-1:dark", "X-2:bulb", "X-3:mended"])),
)
def test_P9__many_at_once__as_each_alone(lamps, name, actor, reason, in_sets):
    judge, some = machine(in_sets), contexts(lamps, actor, reason)
    found = judge.check_many(some, name)
    told = [one.target if isinstance(one, Transition) else [(r.rule, r.text) for r in one] for one in found]
    assert told == [alone(judge, some, lamp, name) for lamp in lamps]


def test_P10__guard_of_many_that_raises__refuses_all_of_them():
    lamps = [Lamp("off", HERE, frozenset()), Lamp("off", HERE, frozenset({"X-1:dark"}))]
    some = contexts(lamps, OFFICER, "x")
    first, second = machine({"X-2:bulb"}, broken="X-2:bulb").check_many(some, "light")
    assert [refusal.text for refusal in first] == ["machine.guard_error"]
    assert [refusal.text for refusal in second] == ["machine.reason", "machine.guard_error"]


def test_P10__guard_of_many_that_answers_for_too_few__refuses_all_of_them():
    judge = machine(set())
    judge.guards["X-2:bulb"] = InSets(guard("X-2:bulb"), lambda _contexts: [()])
    lamps = [Lamp("off", HERE, frozenset()) for _ in range(2)]
    for refusals in judge.check_many(contexts(lamps, OFFICER, "x"), "light"):
        assert [refusal.text for refusal in refusals] == ["machine.guard_error"]


def test_P10__unknown_guard__refuses_all_of_them():
    judge = machine(set())
    del judge.guards["X-1:dark"]
    (refusals,) = judge.check_many(contexts([Lamp("off", HERE, frozenset())], OFFICER, "x"), "light")
    assert [refusal.text for refusal in refusals] == ["machine.guard_error"]
