"""One transition of many subjects: every guard, asked in sets where it can be; one write; an event for each subject."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.attributes import set_committed_value

from schemas.actors import Actor
from schemas.ids import new_id
from schemas.machine import NEW, Change, Contexts, Transition, label
from schemas.refusals import Refusal, RuleViolation, refuse
from schemas.rules import RulePack
from schemas.store import judge, ledger
from schemas.store.copying import Record, among
from schemas.store.places import rule_shape
from schemas.tables import Device, DeviceSite, Stated

if TYPE_CHECKING:
    from schemas.store.work import Work

T = TypeVar("T")
Told = Callable[[int, int], None]
"""Is told how many of how many are done; what it raises ends the command, and nothing of it stays."""

SOME = 5_000


@dataclass(frozen=True)
class Outcome:
    """What became of one subject: its change, or every rule that stood against it."""

    subject: Stated
    change: Change | None = None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Many:
    """One transition that many subjects make.

    `values` are columns that get the same value in all of them, `record` adds facts to every event. `is_strict` lets
    all of them change or none; without it those that are refused stay as they are, and are told. `by` is who makes the
    step where that is not whoever gave the command: what follows from it by law, only the system may do.
    """

    transition: str
    params: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    is_strict: bool = False
    by: Actor | None = None


def apply_many(work: Work, subjects: Sequence[Stated], many: Many, told: Told | None) -> tuple[Outcome, ...]:
    """Changes subjects of one kind, or makes new ones, each as `Work.apply` would; the outcomes in their order."""
    outcomes: list[Outcome] = []
    targets: dict[str, list[Stated]] = {}
    entries: list[ledger.Entry] = []
    for some in chunks(subjects, SOME):
        for subject in some:
            if subject.id is None:
                subject.id = new_id()
        judged = {id(outcome.subject): (outcome, pack) for outcome, pack in _judged(work, some, many)}
        for subject in some:
            outcome, pack = judged[id(subject)]
            outcomes.append(outcome)
            if outcome.change is not None:
                targets.setdefault(outcome.change.target, []).append(subject)
                entries.append(_entry(many.by or work.actor, outcome.change, subject, pack, many.record))
        if told is not None:
            told(len(outcomes), len(subjects))
    refused = [outcome for outcome in outcomes if outcome.refusals]
    if many.is_strict and refused:
        return tuple(Outcome(outcome.subject, None, outcome.refusals) for outcome in outcomes)
    try:
        for target, changed in targets.items():
            _write(work, changed, target, many.values)
    except DBAPIError as error:
        raise judge.translate(error) or error from error
    work.record_many(entries)
    return tuple(outcomes)


def _judged(work: Work, some: Sequence[Stated], many: Many) -> Iterator[tuple[Outcome, RulePack | None]]:
    stale = _locked(work, some)
    fresh = [subject for subject in some if subject.id not in stale]
    yield from ((Outcome(s, None, (stale[s.id],)), None) for s in some if s.id in stale)
    by_pack: dict[str, tuple[RulePack, list[Stated]]] = {}
    for subject, pack in zip(fresh, packs_for(work, fresh), strict=True):
        if isinstance(pack, RuleViolation):
            yield Outcome(subject, None, pack.refusals), None
        else:
            by_pack.setdefault(pack.reference, (pack, []))[1].append(subject)
    for pack, group in by_pack.values():
        contexts = Contexts(work.session, group, many.by or work.actor, work.now, pack, many.params)
        for subject, found in zip(group, work.machine.check_many(contexts, many.transition), strict=True):
            if isinstance(found, Transition):
                change = Change(label(subject), found.name, subject.state or NEW, found.target, found.guards)
                yield Outcome(subject, change), pack
            else:
                yield Outcome(subject, None, tuple(found)), pack


def _locked(work: Work, some: Sequence[Stated]) -> dict[uuid.UUID, Refusal]:
    """Locks the rows, always in the same order, and tells which of them changed since they were read."""
    some = [subject for subject in some if subject.state]  # what is new is nowhere yet
    if not some:
        return {}
    kind = type(some[0])
    ids = [subject.id for subject in some]
    rows = select(kind.id, kind.version).where(among(kind.id, ids)).order_by(kind.id).with_for_update()
    with work.session.no_autoflush:
        versions = {row.id: row.version for row in work.session.execute(rows)}
    return {
        s.id: refuse(
            "state.stale", "machine.stale", subject=s.public_id, measured=versions.get(s.id), required=s.version
        )
        for s in some
        if versions.get(s.id) != s.version
    }


def packs_for(work: Work, subjects: Sequence[Stated | Record]) -> list[RulePack | RuleViolation]:
    """What `Work.pack_for` gives for each subject, its refusal where it would raise."""
    _load_sites(work, [s for s in subjects if isinstance(s, Device) and "site" not in s.__dict__])
    found = work.rulebook.at_places([rule_shape(work.session, subject) for subject in subjects], work.now)
    return [
        pack if isinstance(pack, RuleViolation) else work.with_overlays(pack, getattr(subject, "authority_id", None))
        for subject, pack in zip(subjects, found, strict=True)
    ]


def _load_sites(work: Work, devices: Sequence[Device]) -> None:
    """Reads the sites of devices at one go; guards would ask for them one by one."""
    if not devices:
        return
    wanted = select(DeviceSite).where(among(DeviceSite.id, {device.site_id for device in devices}))
    with work.session.no_autoflush:
        sites = {site.id: site for site in work.session.scalars(wanted)}
    for device in devices:
        set_committed_value(device, "site", sites[device.site_id])


def _write(work: Work, changed: Sequence[Stated], target: str, values: Mapping[str, Any]) -> None:
    kind = type(changed[0])
    known = [subject for subject in changed if subject.state]
    _add(work, [subject for subject in changed if not subject.state], target, values)
    for some in chunks(known, SOME):
        ids = [subject.id for subject in some]
        work.session.execute(
            update(kind).where(among(kind.id, ids)).values(state=target, version=kind.version + 1, **values),
            execution_options={"synchronize_session": False},
        )
    for subject in known:
        told = {"state": target, "version": subject.version + 1, **values}
        for name, value in told.items():
            set_committed_value(subject, name, value)


def _add(work: Work, fresh: Sequence[Stated], target: str, values: Mapping[str, Any]) -> None:
    """Adds new subjects, each in its first version."""
    if not fresh:
        return
    for subject in fresh:
        for name, value in {"state": target, "version": 1, **values}.items():
            setattr(subject, name, value)
    work.session.add_all(fresh)
    work.session.flush()


def _entry(
    actor: Actor, change: Change, subject: Stated, pack: RulePack | None, record: Mapping[str, Any]
) -> ledger.Entry:
    kind: str = subject.__machine__  # type: ignore[attr-defined]
    body = {"from": change.source, "to": change.target, "guards": list(change.guards), "subject": change.subject}
    return ledger.Entry(
        action=f"{kind}.{change.transition}",
        actor=actor.label,
        subject_kind=kind,
        subject_id=subject.id,
        body=body | dict(record),
        pack=pack.reference if pack else None,
    )


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
