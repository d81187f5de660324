"""The machine: every guard is asked, every failure is told, and an error is a refusal."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from schemas.actors import HOST, SYSTEM, Actor, ActorKind, Grant
from schemas.machine import Context, Machine, StateTable, Transition, _read_table, state_tables
from schemas.refusals import Kind, RuleViolation, refuse
from schemas.roles import Role
from schemas.rules import Rulebook

A1 = uuid.uuid4()
A2 = uuid.uuid4()


@dataclass
class Lamp:
    """The smallest subject: it is off, on or broken."""

    __machine__ = "lamp"
    state: str | None = "off"
    version: int = 1
    authority_id: uuid.UUID = A1
    public_id: str = "LA-1"
    asked: list[str] = field(default_factory=list)


def table() -> StateTable:
    return StateTable(
        "lamp",
        ("off", "on", "broken"),
        ("on",),
        (
            Transition("light", ("off",), "on", ("officer",), ("X-1:dark", "X-2:bulb", "X-3:paid")),
            Transition("break", ("*",), "broken", ("system",), ()),
        ),
    )


def guards(lamp: Lamp, failing: set[str], raising: set[str] = frozenset()) -> dict:
    def guard(name):
        def ask(_context):
            lamp.asked.append(name)
            if name in raising:
                raise ZeroDivisionError("a fault of ours")
            if name in failing:
                yield refuse(name.split(":")[0], "machine.reason")

        return ask

    return {name: guard(name) for name in ("X-1:dark", "X-2:bulb", "X-3:paid")}


def officer(authority: uuid.UUID = A1) -> Actor:
    return Actor(ActorKind.PERSON, uuid.uuid4(), "O1", "O1", frozenset({Grant(Role.OFFICER, authority)}))


def context(lamp: Lamp, actor: Actor | None = None, **params) -> Context:
    pack = Rulebook.load()["cn-gd-2025"]
    now = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
    return Context(None, lamp, actor or officer(), now, pack, params)


def light(lamp: Lamp, machine: Machine, actor: Actor | None = None):
    return machine.change(context(lamp, actor), "light")


def test_all_guards_pass__state_and_version_move() -> None:
    lamp = Lamp()
    change = light(lamp, Machine({"lamp": table()}, guards(lamp, set())))
    assert (lamp.state, lamp.version) == ("on", 2)
    assert (change.source, change.target) == ("off", "on")
    assert change.guards == ("X-1:dark", "X-2:bulb", "X-3:paid")


def test_two_guards_fail__both_are_told_and_all_were_asked() -> None:
    lamp = Lamp()
    with pytest.raises(RuleViolation) as refused:
        light(lamp, Machine({"lamp": table()}, guards(lamp, {"X-1:dark", "X-3:paid"})))
    assert [r.rule for r in refused.value.refusals] == ["X-1", "X-3"]
    assert lamp.asked == ["X-1:dark", "X-2:bulb", "X-3:paid"]
    assert (lamp.state, lamp.version) == ("off", 1)


@pytest.mark.parametrize("broken", ["X-1:dark", "X-2:bulb", "X-3:paid"])
def test_a_guard_that_raises__is_a_refusal_with_an_incident_number(broken) -> None:
    lamp = Lamp()
    with pytest.raises(RuleViolation) as refused:
        light(lamp, Machine({"lamp": table()}, guards(lamp, set(), {broken})))
    (refusal,) = refused.value.refusals
    assert refusal.rule == broken.split(":")[0]
    assert refusal.text == "machine.guard_error"
    assert "ZeroDivision" not in refusal.message("en") + refusal.message("zh")
    assert lamp.state == "off"


def test_a_guard_that_nobody_registered__is_a_refusal() -> None:
    lamp = Lamp()
    with pytest.raises(RuleViolation) as refused:
        light(lamp, Machine({"lamp": table()}, {}))
    assert len(refused.value.refusals) == 3


def test_unknown_transition__refused_with_what_is_allowed() -> None:
    lamp = Lamp(state="on")
    with pytest.raises(RuleViolation) as refused:
        light(lamp, Machine({"lamp": table()}, guards(lamp, set())))
    assert refused.value.kind is Kind.CONFLICT
    assert "break" in refused.value.refusals[0].fix("en")


@pytest.mark.parametrize("state", ["", "broken"])
def test_from_anywhere__neither_from_nothing_nor_once_more(state) -> None:
    machine = Machine({"lamp": table()}, {})
    with pytest.raises(RuleViolation) as refused:
        machine.change(context(Lamp(state=state), SYSTEM), "break")
    assert refused.value.refusals[0].rule == "state.machine"
    assert "break" not in table().allowed(state)


@pytest.mark.parametrize("actor", [officer(A2), HOST, SYSTEM], ids=["other authority", "host", "system"])
def test_wrong_actor__forbidden_and_no_guard_is_asked(actor) -> None:
    lamp = Lamp()
    with pytest.raises(RuleViolation) as refused:
        light(lamp, Machine({"lamp": table()}, guards(lamp, set())), actor)
    assert refused.value.kind is Kind.FORBIDDEN
    assert lamp.asked == []


def test_a_person_cannot_do_what_is_marked_system() -> None:
    lamp = Lamp()
    machine = Machine({"lamp": table()}, {})
    with pytest.raises(RuleViolation, match=r"state\.role: "):
        machine.change(context(lamp), "break")
    assert machine.change(context(lamp, SYSTEM), "break").target == "broken"


def contradictory_tables():
    yield "unknown keys", {"extra": 1}
    yield "exactly", {"transition": [row() | {"guardz": []}]}
    yield "exactly", {"transition": [{k: v for k, v in row().items() if k != "guards"}]}
    yield "unknown state 'burnt'", {"transition": [row() | {"to": "burnt"}]}
    yield "unknown role 'oficer'", {"transition": [row() | {"who": ["oficer"]}]}
    yield "share a name", {"transition": [row(), row() | {"to": "broken"}]}


def row():
    return {"name": "light", "from": ["off"], "to": "on", "who": ["officer"], "guards": []}


@pytest.mark.parametrize(("said", "change"), list(contradictory_tables()))
def test_a_state_table_that_contradicts_itself__said_at_once(said, change) -> None:
    sound = {"subject": "lamp", "states": ["off", "on", "broken"], "lawful_in": ["on"], "transition": [row()]}
    assert _read_table(sound).find("light", "off").target == "on"
    with pytest.raises(ValueError, match=said):
        _read_table(sound | change)


def test_guards_named_by_the_tables_and_guards_registered_are_the_same_set() -> None:
    from schemas.machine import COMMON_GUARDS
    from web.wiring import all_guards

    named = {g for t in state_tables().values() for row in t.transitions for g in row.guards}
    registered = all_guards().keys() | COMMON_GUARDS.keys()
    assert named == registered


def test_every_state_can_be_reached_and_every_guard_names_a_known_rule() -> None:
    from schemas.rules import registry

    known = registry()
    for subject, t in state_tables().items():
        targets = {row.target for row in t.transitions}
        assert set(t.states) <= targets, subject
        for row in t.transitions:
            for guard in row.guards:
                rule = guard.split(":")[0]
                assert rule.startswith("state.") or rule in known, guard


def test_the_six_subjects_of_the_foundation_have_tables() -> None:
    assert state_tables().keys() >= {
        "device",
        "patrol_area",
        "route",
        "inspection_plan",
        "flight",
        "detection",
    }
