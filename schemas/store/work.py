"""The unit of work: one transaction, one command, exactly one ledger event.

Leaving without `commit()` rolls back. A refused command leaves its own event, written in a
transaction of its own, because a refusal is part of the record too (requirements.md 3.0).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.clock import Clock
from schemas.machine import Change, Context, Contexts, Machine
from schemas.refusals import Refusal, RuleViolation, conflict, not_found
from schemas.rules import Rulebook, RulePack
from schemas.store import judge, ledger, many
from schemas.store.copying import Record
from schemas.store.many import Many, Outcome, Told
from schemas.store.overlays import switched_on
from schemas.store.places import rule_shape
from schemas.tables import Origin, Stated
from schemas.words import Coded

T = TypeVar("T", bound=Stated)


class LedgerDiscipline(RuntimeError):
    """A command ended with no ledger event, or with more than one; a fault of ours, not of the user."""


class Work(AbstractContextManager["Work"]):
    """One transaction as the application role, on behalf of one actor."""

    def __init__(self, engine: Engine, *, actor: Actor, clock: Clock, machine: Machine, rulebook: Rulebook) -> None:
        self._engine = engine
        self.session = Session(engine, expire_on_commit=False)
        self.actor = actor
        self.clock = clock
        self.machine = machine
        self.rulebook = rulebook
        self._entries: list[ledger.Entry] = []
        self._further = 0  # events of many subjects that one command changed
        self._attempt: tuple[str, str, uuid.UUID] | None = None
        self._committed = False
        self._overlays: dict[uuid.UUID, tuple[str, ...]] = {}

    @property
    def now(self) -> datetime:
        """The clock's instant, in UTC."""
        return self.clock.now()

    # -- commands -----------------------------------------------------------------------------

    def apply(
        self,
        subject: Stated,
        transition: str,
        *,
        expected_version: int | None = None,
        record: Mapping[str, Any] | None = None,
        **params: Any,  # noqa: ANN401
    ) -> Change:
        """Changes the state of `subject` if every guard passes; raises RuleViolation with all that fail.

        `record` adds facts to the ledger event (ids and hashes only, never personal data). A new
        subject is added to the session by its first transition. `expected_version` is what the
        user saw; a subject changed since is refused as stale (409).
        """
        change, pack = self._changed(subject, transition, expected_version, params)
        kind: str = subject.__machine__  # type: ignore[attr-defined]
        body = {
            "from": change.source,
            "to": change.target,
            "guards": list(change.guards),
            "subject": change.subject,
        }
        self._append(f"{kind}.{transition}", kind, subject.id, body | dict(record or {}), pack=pack)
        return change

    def also(
        self,
        subject: Stated,
        transition: str,
        *,
        expected_version: int | None = None,
        **params: Any,  # noqa: ANN401
    ) -> Change:
        """Changes a further subject of the same command, as `apply` does; the one ledger event is that of `apply`."""
        return self._changed(subject, transition, expected_version, params)[0]

    def apply_many(self, subjects: Sequence[Stated], step: Many, *, told: Told | None = None) -> tuple[Outcome, ...]:
        """Makes one transition of many subjects of one kind, as `apply` does of one; an event for each that changed.

        Subjects that are new are added, each in its first version.

        Where subjects are refused nothing is raised: the outcomes, in the order of the subjects, tell every rule.
        `told` hears how far it is; what it raises ends the command, of which nothing stays.
        """
        with self.session.no_autoflush:
            return many.apply_many(self, subjects, step, told)

    def attempts(self, subject: Stated, transition: str) -> None:
        """Says under which name a refusal is recorded that comes before the machine is asked."""
        kind: str = subject.__machine__  # type: ignore[attr-defined]
        self._attempt = (f"{kind}.{transition}", kind, subject.id)

    def _changed(
        self, subject: Stated, transition: str, expected_version: int | None, params: Mapping[str, Any]
    ) -> tuple[Change, RulePack]:
        if subject.id is None:
            subject.id = uuid.uuid4()
        self.attempts(subject, transition)
        if subject.state:
            self._lock(subject, expected_version)
        with self.session.no_autoflush:
            pack = self.pack_for(subject)
            context = Context(self.session, subject, self.actor, self.now, pack, params)
            change = self.machine.change(context, transition)
        self.session.add(subject)
        return change, pack

    def check(self, subject: Stated, guards: Iterable[str], **params: Any) -> list[Refusal]:  # noqa: ANN401
        """The refusals that `guards` would give now, without changing anything."""
        context = Context(self.session, subject, self.actor, self.now, self.pack_for(subject), params)
        return self.machine.evaluate(context, guards)

    def check_many(
        self,
        subjects: Sequence[Stated | Record],
        guards: Iterable[str],
        **params: Any,  # noqa: ANN401
    ) -> list[list[Refusal]]:
        """What `check` says of each of many subjects of one kind, in their order."""
        guards = tuple(guards)
        said: list[list[Refusal]] = [[] for _ in subjects]
        by_pack: dict[str, tuple[RulePack, list[int]]] = {}
        for place, pack in enumerate(many.packs_for(self, subjects)):
            if isinstance(pack, RuleViolation):
                said[place].extend(pack.refusals)
            else:
                by_pack.setdefault(pack.reference, (pack, []))[1].append(place)
        for pack, places in by_pack.values():
            group = [subjects[place] for place in places]
            contexts = Contexts(self.session, group, self.actor, self.now, pack, params)
            for place, refusals in zip(places, self.machine.evaluate_many(contexts, guards), strict=True):
                said[place] = refusals
        return said

    def record_many(self, entries: Sequence[ledger.Entry]) -> None:
        """Writes an event for each of many subjects of this command, in their order."""
        ledger.append_many(self.session, entries)
        self._further += len(entries)

    def record(
        self,
        action: str,
        subject_kind: str,
        subject_id: uuid.UUID,
        body: Mapping[str, Any],
        *,
        origin: Origin = Origin.LIVE,
        effective_at: datetime | None = None,
    ) -> None:
        """Writes the ledger event of a command that moves no state machine, such as an import."""
        self._attempt = (action, subject_kind, subject_id)
        self._append(action, subject_kind, subject_id, body, origin=origin, effective_at=effective_at)

    def commit(self) -> None:
        """Commits, once; raises LedgerDiscipline unless one event was written, beside those of many subjects."""
        if self._committed:
            raise LedgerDiscipline("this command was committed before")
        if len(self._entries) > 1 or not (self._entries or self._further):
            raise LedgerDiscipline(f"{len(self._entries)} ledger events in one command")
        try:
            self.session.flush()
            if self._entries:
                ledger.commit_with(self.session, self._entries[0])
            else:
                self.session.commit()
        except DBAPIError as error:
            refusal = judge.translate(error)
            if refusal is None:
                raise
            raise refusal from error
        self._committed = True

    # -- helpers ------------------------------------------------------------------------------

    def get(self, kind: type[T], public_id: str) -> T:
        """The subject with that public id; raises RuleViolation 404 when there is none."""
        return find(self.session, kind, public_id)

    def pack_for(self, subject: Stated) -> RulePack:
        """The rule pack in force at the subject's place today; raises RuleViolation GD-02.1.

        With the overlays that the subject's authority has switched on.
        """
        pack = self.rulebook.at_place(rule_shape(self.session, subject), self.now)
        return self.with_overlays(pack, getattr(subject, "authority_id", None))

    def with_overlays(self, pack: RulePack, authority_id: uuid.UUID | None) -> RulePack:
        """The pack with the overlays that an authority has switched on."""
        if authority_id is None:
            return pack
        if authority_id not in self._overlays:
            self._overlays[authority_id] = switched_on(self.session, authority_id)
        return self.rulebook.with_overlays(pack, self._overlays[authority_id], pack.local_date(self.now))

    def _lock(self, subject: Stated, expected_version: int | None) -> None:
        """Locks the row and refuses (409) one that changed since it was read; pending changes stay pending."""
        kind = type(subject)
        seen = subject.version if expected_version is None else expected_version
        with self.session.no_autoflush:
            locked = select(kind.version).where(kind.id == subject.id).with_for_update()
            version = self.session.execute(locked).scalar_one()
        if version != seen:
            raise conflict("state.stale", "machine.stale", subject=subject.public_id, measured=version, required=seen)

    def _append(  # noqa: PLR0913
        self,
        action: str,
        subject_kind: str,
        subject_id: uuid.UUID,
        body: Mapping[str, Any],
        *,
        pack: RulePack | None = None,
        origin: Origin = Origin.LIVE,
        effective_at: datetime | None = None,
    ) -> None:
        self._entries.append(
            ledger.Entry(
                action=action,
                subject_kind=subject_kind,
                subject_id=subject_id,
                actor=self.actor.label,
                body=dict(body),
                pack=pack.reference if pack else None,
                origin=origin.value,
                effective_at=effective_at,
            )
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.session.rollback()
        finally:
            self.session.close()
        if isinstance(error, RuleViolation) and self._attempt and not self._committed:
            self._record_refusal(error)

    def __enter__(self) -> Self:
        return self

    def _record_refusal(self, error: RuleViolation) -> None:
        action, subject_kind, subject_id = self._attempt  # type: ignore[misc]
        body = {"refused": action, "rules": sorted({r.rule for r in error.refusals})}
        entry = ledger.Entry(
            action="refused", subject_kind=subject_kind, subject_id=subject_id, actor=self.actor.label, body=body
        )
        with Session(self._engine) as session:
            ledger.commit_with(session, entry)


WorkFactory = Callable[[Actor], Work]


def find(session: Session, kind: type[T], public_id: str) -> T:
    """The subject of `kind` with that public id or code; raises RuleViolation 404 when there is none.

    A code that somebody chose like another subject's public id does not hide that one.
    """
    condition: ColumnElement[bool] = kind.public_id == public_id
    for name in ("code", "number"):
        if hasattr(kind, name):
            condition = condition | (getattr(kind, name) == public_id)
    found = select(kind).where(condition).order_by((kind.public_id == public_id).desc()).limit(1)
    # PostgreSQL has no text with a NUL in it, so nothing is called so.
    row = None if "\0" in public_id else session.scalars(found).one_or_none()
    if row is None:
        named = Coded("subject", [kind.__machine__])  # type: ignore[attr-defined]
        raise not_found("store.unknown", "store.not_found", subject=named, measured=public_id)
    return row
