"""The machine: the one way in which a subject changes its state.

State tables are data (`schemas/machines/*.toml`); guards are functions found by name. A transition
evaluates *all* its guards and either refuses with every failed rule or changes the state. A guard
that raises is a refusal. Nothing else in the house writes a state.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

import structlog
from sqlalchemy.orm import Session

from schemas.actors import Actor, ActorKind
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from schemas.roles import Role
from schemas.rules import RulePack
from schemas.tables.base import Stated
from schemas.words import Coded

log = structlog.get_logger(__name__)

NEW = ""
ANY = "*"
ANYWHERE = "@any"
TRANSITION_KEYS = {"name", "from", "to", "who", "guards"}


@dataclass(frozen=True)
class Transition:
    """One row of a state table: from where, to where, under which guards, by whom."""

    name: str
    sources: tuple[str, ...]
    target: str
    who: tuple[str, ...]
    guards: tuple[str, ...]

    def leaves(self, state: str) -> bool:
        """Whether it leads out of `state`; from anywhere is from every state but the target, and not from nothing."""
        return state in self.sources or (ANY in self.sources and state not in (NEW, self.target))


@dataclass(frozen=True)
class StateTable:
    """The states of one kind of subject and the transitions between them."""

    subject: str
    states: tuple[str, ...]
    lawful_in: tuple[str, ...]
    transitions: tuple[Transition, ...]

    def find(self, name: str, state: str) -> Transition | None:
        """The transition `name` out of `state`, or None."""
        for transition in self.transitions:
            if transition.name == name and transition.leaves(state):
                return transition
        return None

    def allowed(self, state: str) -> tuple[str, ...]:
        """The names of the transitions that leave `state`."""
        return tuple(t.name for t in self.transitions if t.leaves(state))


@cache
def state_tables() -> Mapping[str, StateTable]:
    """All state tables by subject; raises ValueError where one contradicts itself."""
    found = {}
    for entry in resources.files("schemas").joinpath("machines").iterdir():
        if entry.name.endswith(".toml"):
            table = _read_table(tomllib.loads(entry.read_text(encoding="utf-8")))
            found[table.subject] = table
    return found


def _read_table(data: Mapping[str, Any]) -> StateTable:
    subject = data["subject"]
    unknown = data.keys() - {"subject", "states", "lawful_in", "transition"}
    if unknown:
        raise ValueError(f"unknown keys in a state table: {sorted(unknown)}")
    for t in data["transition"]:
        if t.keys() != TRANSITION_KEYS:
            raise ValueError(f"{subject}.{t.get('name')}: a transition has exactly {sorted(TRANSITION_KEYS)}")
    transitions = tuple(
        Transition(t["name"], tuple(t["from"]), t["to"], tuple(t["who"]), tuple(t["guards"]))
        for t in data["transition"]
    )
    table = StateTable(subject, tuple(data["states"]), tuple(data["lawful_in"]), transitions)
    if problems := list(_contradictions(table)):
        raise ValueError("; ".join(problems))
    return table


def _contradictions(table: StateTable) -> Iterable[str]:
    """What a state table says that cannot be meant."""
    for t in table.transitions:
        for state in (*t.sources, t.target):
            if state not in (*table.states, NEW, ANY):
                yield f"{table.subject}.{t.name} names the unknown state {state!r}"
        for who in t.who:
            if who.removesuffix(ANYWHERE) not in (*Role, ActorKind.SYSTEM, ActorKind.ANONYMOUS):
                yield f"{table.subject}.{t.name} names the unknown role {who!r}"
    for state in (NEW, *table.states):
        names = table.allowed(state)
        if len(set(names)) < len(names):
            yield f"{table.subject}: two transitions out of {state!r} share a name"


@dataclass(frozen=True)
class Context:
    """What a guard may look at: the subject, who asks, when, under which rules, with what."""

    session: Session
    subject: Any
    actor: Actor
    now: datetime
    pack: RulePack
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The local date of `now` in the rule pack's time zone, in which the law counts days."""
        return self.pack.local_date(self.now)


Guard = Callable[[Context], Iterable[Refusal]]


def _reason_given(context: Context) -> Iterable[Refusal]:
    if not str(context.params.get("reason") or "").strip():
        yield refuse("state.reason", "machine.reason")


COMMON_GUARDS: Mapping[str, Guard] = {"state.reason:given": _reason_given}


@dataclass(frozen=True)
class Change:
    """A change of state that passed all its guards, as the ledger tells it."""

    subject: str
    transition: str
    source: str
    target: str
    guards: tuple[str, ...]


class Machine:
    """State tables and the guards that they name, bound together."""

    def __init__(self, tables: Mapping[str, StateTable], guards: Mapping[str, Guard]) -> None:
        self.tables = tables
        self.guards = dict(guards) | dict(COMMON_GUARDS)

    def check(self, context: Context, name: str) -> Transition:
        """The transition `name` of the context's subject; raises RuleViolation with every failed rule."""
        subject: Stated = context.subject
        table = self.tables[subject.__machine__]  # type: ignore[attr-defined]
        state = subject.state or NEW
        transition = table.find(name, state)
        if transition is None:
            allowed = Coded("step", table.allowed(state)) or "—"
            refusal = refuse(
                "state.machine",
                "machine.unknown_transition",
                subject=label(subject),
                state=Coded("state", [state]),
                transition=Coded("step", [name]),
                allowed=allowed,
            )
            raise RuleViolation(Kind.CONFLICT, [refusal])
        self._check_actor(context, transition)
        refusals = self.evaluate(context, transition.guards)
        if refusals:
            raise RuleViolation(Kind.CONFLICT, refusals)
        return transition

    def evaluate(self, context: Context, guards: Iterable[str]) -> list[Refusal]:
        """The refusals of all `guards`, in order; a guard that raises or is unknown refuses."""
        refusals: list[Refusal] = []
        for name in guards:
            try:
                refusals.extend(self.guards[name](context))
            except Exception:  # A check that fails to run is a refusal (design.md 4.2).
                incident = uuid.uuid4().hex[:12]
                log.exception("guard failed", guard=name, incident=incident)
                rule = name.split(":")[0]
                refusals.append(refuse(rule, "machine.guard_error", guard=name, incident=incident))
        return refusals

    def change(self, context: Context, name: str) -> Change:
        """Checks and makes the change of state; the caller writes the ledger event."""
        transition = self.check(context, name)
        subject: Stated = context.subject
        source = subject.state or NEW
        subject.state = transition.target
        subject.version = 1 if source == NEW else subject.version + 1
        return Change(label(subject), name, source, transition.target, transition.guards)

    def _check_actor(self, context: Context, transition: Transition) -> None:
        if not _may(context.actor, transition.who, context.subject):
            refusal = refuse(
                "state.role",
                "machine.role",
                subject=label(context.subject),
                transition=Coded("step", [transition.name]),
                required=Coded("role", (w.removesuffix(ANYWHERE) for w in transition.who)),
            )
            raise RuleViolation(Kind.FORBIDDEN, [refusal])


def _may(actor: Actor, who: Iterable[str], subject: Any) -> bool:  # noqa: ANN401
    for entry in who:
        role = entry.removesuffix(ANYWHERE)
        if role in (ActorKind.SYSTEM, ActorKind.ANONYMOUS):
            if actor.kind == role:
                return True
            continue
        authority = None if entry.endswith(ANYWHERE) else subject.authority_id
        if any(g.role == role and authority in (None, g.authority_id) for g in actor.grants):
            return True
    return False


def label(subject: Any) -> Coded:  # noqa: ANN401
    """How messages and the ledger name a subject, such as `flight FL-7K3Q2M`."""
    return Coded("subject", [subject.__machine__], f" {subject.public_id}")
