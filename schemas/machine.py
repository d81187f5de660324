"""The machine: the one way in which a subject changes its state.

State tables are data (`schemas/machines/*.toml`); guards are functions found by name. A transition
evaluates *all* its guards and either refuses with every failed rule or changes the state. A guard
that raises is a refusal. Nothing else in the house writes a state.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class Contexts:
    """What a guard may look at that judges many subjects at once, all of one kind and under one rule pack."""

    session: Session
    subjects: Sequence[Any]
    actor: Actor
    now: datetime
    pack: RulePack
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The local date of `now` in the rule pack's time zone."""
        return self.pack.local_date(self.now)

    def of(self, subject: Any) -> Context:  # noqa: ANN401
        """The context of one of them."""
        return Context(self.session, subject, self.actor, self.now, self.pack, self.params)


@dataclass(frozen=True)
class InSets:
    """A guard that judges many subjects at once, each as it would judge it alone; a property test holds the two."""

    one: Guard
    many: Callable[[Contexts], Sequence[Iterable[Refusal]]]

    def __call__(self, context: Context) -> Iterable[Refusal]:
        """The refusals of one subject."""
        return self.one(context)


def _reason_given(context: Context) -> Iterable[Refusal]:
    if not str(context.params.get("reason") or "").strip():
        yield refuse("state.reason", "machine.reason")


def _reason_given_for_all(contexts: Contexts) -> Sequence[Iterable[Refusal]]:
    said = list(_reason_given(contexts.of(None)))
    return [said for _ in contexts.subjects]


COMMON_GUARDS: Mapping[str, Guard] = {"state.reason:given": InSets(_reason_given, _reason_given_for_all)}


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
        transition = self._allowed(context, name)
        refusals = self.evaluate(context, transition.guards)
        if refusals:
            raise RuleViolation(Kind.CONFLICT, refusals)
        return transition

    def _allowed(self, context: Context, name: str) -> Transition:
        """The transition `name`, where the state has it and the actor may make it; its guards are not asked yet."""
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
        return transition

    def evaluate(self, context: Context, guards: Iterable[str]) -> list[Refusal]:
        """The refusals of all `guards`, in order; a guard that raises or is unknown refuses."""
        refusals: list[Refusal] = []
        for name in guards:
            try:
                refusals.extend(self.guards[name](context))
            except Exception:  # A check that fails to run is a refusal (design.md 4.2).
                refusals.append(_broken(name))
        return refusals

    def evaluate_many(self, contexts: Contexts, guards: Iterable[str]) -> list[list[Refusal]]:
        """What `evaluate` says of each subject, in their order; a guard that can judges all of them at once."""
        said: list[list[Refusal]] = [[] for _ in contexts.subjects]
        for name in guards:
            guard = self.guards.get(name)
            if not isinstance(guard, InSets):
                for subject, refusals in zip(contexts.subjects, said, strict=True):
                    refusals.extend(self.evaluate(contexts.of(subject), (name,)))
                continue
            try:
                answers = [list(answer) for answer in guard.many(contexts)]
                for refusals, answer in zip(said, answers, strict=True):
                    refusals.extend(answer)
            except Exception:  # As for one subject: a check that fails to run is a refusal, here of all of them.
                broken = _broken(name)
                for refusals in said:
                    refusals.append(broken)
        return said

    def check_many(self, contexts: Contexts, name: str) -> list[Transition | list[Refusal]]:
        """For each subject its transition `name`, or every failed rule; the subjects may be in different states."""
        found: list[Transition | list[Refusal]] = []
        waiting: dict[Transition, list[int]] = {}
        for place, subject in enumerate(contexts.subjects):
            try:
                transition = self._allowed(contexts.of(subject), name)
            except RuleViolation as violation:
                found.append(list(violation.refusals))
                continue
            found.append(transition)
            waiting.setdefault(transition, []).append(place)
        for transition, places in waiting.items():
            some = replace(contexts, subjects=[contexts.subjects[place] for place in places])
            for place, refusals in zip(places, self.evaluate_many(some, transition.guards), strict=True):
                if refusals:
                    found[place] = refusals
        return found

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


def _broken(guard: str) -> Refusal:
    """The refusal of a guard that failed to run, logged under the incident that it names."""
    incident = uuid.uuid4().hex[:12]
    log.exception("guard failed", guard=guard, incident=incident)
    return refuse(guard.split(":")[0], "machine.guard_error", guard=guard, incident=incident)


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
