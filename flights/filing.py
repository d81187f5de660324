"""From a pilot's file to a flight that was judged: the steps of filing, one command and one event each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from flights import commands, queries
from flights.path.track import Ground
from schemas.actors import SYSTEM, Actor
from schemas.refusals import Refusal, RuleViolation, invalid
from schemas.store.work import Work, WorkFactory
from schemas.tables import Flight, InspectionPlan, PatrolRoute

LONGEST_KEY = 64

_AIRSPACE_GUARD = ("GD-16.2:airspace_cleared",)
_FILED_ONCE = "judge.filed_once"


@dataclass(frozen=True, kw_only=True)
class FilingRequest:
    """What a pilot asks for, by the public ids or codes that people know; times are aware.

    Two requests of one pilot with the same `key` are one: a double click, or a reply that was lost.
    """

    data: bytes
    name: str
    route: str
    inspection: str
    drone: str
    start: datetime
    end: datetime
    options: dict[str, float] = field(default_factory=dict)
    key: str | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of all that is asked for, by which a request is known again."""
        said = {
            "file": hashlib.sha256(self.data).hexdigest(),
            "name": self.name,
            "named": [self.route, self.inspection, self.drone],
            "window": [self.start.timestamp(), self.end.timestamp()],
            "options": self.options,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class KeptRefusal(Refusal):
    """A refusal as it was told when a flight was judged; `said` holds its JSON object by language."""

    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def message(self, lang: str = "en") -> str:
        """The reason as it was told."""
        return str(self.said[lang]["message"])

    def fix(self, lang: str = "en") -> str:
        """What would have made the rule pass, as it was told."""
        return str(self.said[lang]["fix"])

    def render(self, lang: str = "en") -> dict[str, Any]:
        """The refusal as the JSON object that was kept."""
        return dict(self.said[lang])


@dataclass(frozen=True)
class Filed:
    """A filed flight after the system has judged it, with every rule that stands against it."""

    flight: str
    state: str
    plan_digest: str
    mission_digest: str
    refusals: tuple[Refusal, ...]


def file_and_judge(works: WorkFactory, actor: Actor, request: FilingRequest, ground: Ground) -> Filed:
    """Files a flight for `actor` and lets the system judge it; a request that is known already gives its flight.

    Raises RuleViolation where nothing can be filed: an unreadable file, unknown names, no pilot, a window in
    the past, a key that stands for another request. A filed flight that fails its check is kept, with the reasons,
    so that it can be amended.
    """
    number, state = _filed_before(works, actor, request)
    if number is None:
        try:
            number, state = _file(works, actor, request)
        except RuleViolation as violation:
            if _FILED_ONCE not in {refusal.text for refusal in violation.refusals}:
                raise
            # The same request came a moment earlier, and the database kept this one out.
            number, state = _filed_before(works, actor, request)
            if number is None:
                raise
            return _kept(works, number)
        return judge_filed(works, number, ground)
    # Whoever filed it was cut off before the check.
    return judge_filed(works, number, ground) if state == "filed" else _kept(works, number)


def _filed_before(works: WorkFactory, actor: Actor, request: FilingRequest) -> tuple[str | None, str]:
    """The flight that this request made when it came before, and its state."""
    if request.key is None:
        return None, ""
    if not (0 < len(request.key) <= LONGEST_KEY and request.key.isascii() and request.key.isprintable()):
        raise invalid("idempotency.key", measured=request.key[:LONGEST_KEY], required=LONGEST_KEY)
    asked = select(Flight).where(Flight.pilot_id == actor.person_id, Flight.filing_key == request.key)
    with works(actor) as work:
        flight = work.session.scalars(asked).one_or_none()
        if flight is None:
            return None, ""
        if flight.filing_sha256 != request.sha256:
            raise invalid("idempotency.mismatch", measured=flight.public_id)
        return flight.public_id, flight.state


def _file(works: WorkFactory, actor: Actor, request: FilingRequest) -> tuple[str, str]:
    with works(actor) as work:
        flight = commands.file_flight(work, _filing(work, request))
        flight.filing_key, flight.filing_sha256 = request.key, request.sha256 if request.key else None
        work.commit()
        return flight.public_id, flight.state


def _filing(work: Work, request: FilingRequest) -> commands.Filing:
    return commands.Filing(
        data=request.data,
        name=request.name,
        route=work.get(PatrolRoute, request.route),
        inspection=work.get(InspectionPlan, request.inspection),
        drone=queries.drone_named(work.session, request.drone),
        start=request.start,
        end=request.end,
        options=request.options,
    )


def _kept(works: WorkFactory, number: str) -> Filed:
    """A filed flight with what was told when it was judged."""
    with works(SYSTEM) as work:
        flight = work.get(Flight, number)
        told = zip(flight.precheck.get("refusals", ()), flight.precheck.get("refusals_zh", ()), strict=True)
        refusals = tuple(KeptRefusal(en["rule"], "", said={"en": en, "zh": zh}) for en, zh in told)
        return _filed(flight, refusals)


def judge_filed(works: WorkFactory, number: str, ground: Ground) -> Filed:
    """Lets the system judge a filed flight, and note when it must wait for the airspace (GD-16.2)."""
    with works(SYSTEM) as work:
        flight = work.get(Flight, number)
        refusals = tuple(commands.precheck(work, flight, ground))
        filed = _filed(flight, refusals)
        work.commit()
    if refusals:
        return filed
    with works(SYSTEM) as work:
        flight = work.get(Flight, number)
        if work.check(flight, _AIRSPACE_GUARD, ground=ground):
            commands.await_airspace(work, flight)
            filed = _filed(flight, ())
            work.commit()
    return filed


def _filed(flight: Flight, refusals: tuple[Refusal, ...]) -> Filed:
    return Filed(flight.public_id, flight.state, flight.plan_digest, flight.mission_digest, refusals)
