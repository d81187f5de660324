"""What an aircraft says of itself by Remote ID, held against the register and against its own telemetry. Pure.

These things can speak against it: the serial number or the registration mark is not that of the aircraft in the
register; the place that it tells lies further from the telemetry than both may be wrong together; its time is not
that of the telemetry, as with a place that somebody recorded and sends again. Who says nothing breaks no rule here:
no rule pack asks for Remote ID yet, so that it is shown and no more.

Where the operator stands is data of a person. It stands in the events of a flight, which only those see who may
watch it (web/pilot/watching.py), and in the raw record; the notes of a verdict and everything public leave it out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from flights.remote_id.messages import BasicId, Location, Message, Module, OperatorId, SelfId, System
from geo import measure
from geo.types import LonLat

# A satellite receiver without corrections, as that of the telemetry may be.
OWN_ERROR_M = 10.0
# F3411 lets a place be this old when it is sent, where it does not say how exact its time is.
OLDEST_S = 1.0
# One report that is off may be a frame that was held up; so many in a row are not.
APART_TIMES = 3
# A second for the place, three for the rest: what was not heard for so long, while the telemetry went on, is silent.
SILENT_AFTER_S = 10.0
# The first word is kept back for so many messages, among which everything must have been said once.
FIRST_ROUND = 10
KEPT_FIXES = 40
_HOUR_S = 3600.0
T = TypeVar("T")
_COMPARED = {"serial_number": "serial_no", "registration": "registration_no"}


class State(StrEnum):
    """How what it says stands to what is known."""

    ABSENT = "absent"
    UNKNOWN = "unknown"
    MATCH = "match"
    MISMATCH = "mismatch"
    SILENT = "silent"


@dataclass(frozen=True)
class Registered:
    """What the register says of the aircraft; serial numbers are restricted."""

    registration_no: str
    serial_no: str | None = None


@dataclass(frozen=True)
class _Fix:
    """Where the aircraft was by its telemetry, at a time within the hour (UTC), and how fast."""

    since_hour_s: float
    at: LonLat
    speed_m_s: float


class Identification:
    """Takes what is heard, in the order in which it comes, and says how it stands. Not safe for several threads."""

    def __init__(self, registered: Registered) -> None:
        self._registered = registered
        self._ids: dict[str, BasicId] = {}
        self._latest: dict[type, Any] = {}
        self._fixes: deque[_Fix] = deque(maxlen=KEPT_FIXES)
        self._pending: Location | None = None
        self._untimed: Location | None = None
        self._times_apart = 0
        self._times_late = 0
        self._apart_m: float | None = None
        self._apart_most_m: float | None = None
        self._allowed_m: float | None = None
        self._heard = 0
        self._first_seen_at: datetime | None = None
        self._seen_at: datetime | None = None
        self._seen_when_heard: datetime | None = None
        self.heard_at: datetime | None = None

    # -- taking ---------------------------------------------------------------------------------------

    def hear(self, message: Message, at: datetime) -> None:
        """Takes a message that was received `at` (UTC)."""
        self._latest[type(message)] = message
        if isinstance(message, Module):
            # That the module lives identifies nobody.
            return
        self._heard += 1
        self.heard_at, self._seen_when_heard = at, self._seen_at
        if isinstance(message, BasicId):
            self._ids[message.id_type] = message
        elif isinstance(message, Location):
            self._pending = self._untimed = message
            self._compare()

    def see(self, utc: datetime, at: LonLat, speed_m_s: float) -> None:
        """Takes a place of the telemetry, at the vehicle's own time."""
        since_hour_s = utc.minute * 60 + utc.second + utc.microsecond / 1e6
        self._seen_at, self._first_seen_at = utc, self._first_seen_at or utc
        fix = _Fix(since_hour_s, at, speed_m_s)
        self._watch_time(fix)
        self._fixes.append(fix)
        self._compare()

    def _watch_time(self, fix: _Fix) -> None:
        """Holds the time of a place that came between two reports of the telemetry against them."""
        told, self._untimed = self._untimed, None
        if told is None or told.since_hour_s is None or not self._fixes:
            return
        if abs(_since(self._fixes[-1].since_hour_s, fix.since_hour_s)) <= SILENT_AFTER_S / 2:
            off_s = abs(_since(fix.since_hour_s, told.since_hour_s))
            self._times_late = self._times_late + 1 if off_s > SILENT_AFTER_S else 0

    def _compare(self) -> None:
        """Holds the newest place against the telemetry of the same moment, once that is known from both sides."""
        told = self._pending
        if told is None or told.at is None or told.since_hour_s is None or told.within_m is None:
            return
        fix = self._fix_at(told.since_hour_s)
        if fix is None:
            return
        self._pending = None
        late_s = OLDEST_S if told.time_within_s is None else told.time_within_s
        self._apart_m = measure.distance_m(told.at, fix.at)
        self._apart_most_m = max(self._apart_m, self._apart_most_m or 0.0)
        self._allowed_m = told.within_m + OWN_ERROR_M + fix.speed_m_s * late_s
        self._times_apart = self._times_apart + 1 if self._apart_m > self._allowed_m else 0

    def _fix_at(self, since_hour_s: float) -> _Fix | None:
        """The telemetry at that moment, between the two reports around it; None where it is not known."""
        for before, after in zip(reversed(list(self._fixes)[:-1]), reversed(self._fixes), strict=False):
            span_s, past_s = _later_s(after, before.since_hour_s), _since(before.since_hour_s, since_hour_s)
            if 0 <= past_s <= span_s <= SILENT_AFTER_S:
                share = past_s / span_s if span_s else 0.0
                at = LonLat(
                    before.at.lon + (after.at.lon - before.at.lon) * share,
                    before.at.lat + (after.at.lat - before.at.lat) * share,
                )
                return _Fix(since_hour_s, at, max(before.speed_m_s, after.speed_m_s))
        return None

    # -- how it stands ----------------------------------------------------------------------------------

    @property
    def reasons(self) -> tuple[str, ...]:
        """What speaks against it: serial_number, registration, position, time."""
        wrong = [kind for kind, is_same in self._comparisons() if not is_same]
        times = {"position": self._times_apart, "time": self._times_late}
        return (*wrong, *(name for name, count in times.items() if count >= APART_TIMES))

    @property
    def state(self) -> State:
        """How it stands; what spoke against it goes on to do so when it falls silent."""
        if self.heard_at is None:
            return State.ABSENT
        if self.reasons:
            return State.MISMATCH
        if self._is_silent:
            return State.SILENT
        return State.MATCH if list(self._comparisons()) else State.UNKNOWN

    @property
    def _is_silent(self) -> bool:
        return self._seen_since(self._seen_when_heard) > SILENT_AFTER_S

    @property
    def is_worth_telling(self) -> bool:
        """Whether there is something to tell: an id, none after a whole round, or nothing at all for a while."""
        if self.heard_at is None:
            return self._seen_since(self._first_seen_at) > SILENT_AFTER_S
        return bool(self._ids) or self._heard >= FIRST_ROUND

    def _seen_since(self, then: datetime | None) -> float:
        """Seconds by the vehicle's own time: a line that is silent altogether says nothing of the module."""
        return (self._seen_at - then).total_seconds() if self._seen_at is not None and then is not None else 0.0

    @property
    def news(self) -> tuple[object, ...]:
        """What is news to whoever watches: the state, what speaks against it, the ids."""
        return (self.state, self.reasons, *sorted(map(str, self._ids.values())))

    @property
    def fixed(self) -> tuple[object, ...]:
        """All that changes seldom; where it changes, it is told at once."""
        location = self._get(Location)
        status = location.status if location else None
        return (*self.news, self._get(OperatorId), self._get(SelfId), self._get(Module), status)

    def render(self) -> dict[str, Any]:
        """All of it as a JSON object, with the place of the operator: for those who may watch the flight alone."""
        location, system, module = self._get(Location), self._get(System), self._get(Module)
        operator, about = self._get(OperatorId), self._get(SelfId)
        body: dict[str, Any] = {
            "state": str(self.state),
            "reasons": list(self.reasons),
            "ids": [{"id_type": one.id_type, "uas_id": one.uas_id} for one in self._ids.values()],
            "aircraft": next((one.aircraft for one in self._ids.values()), None),
            "registered": self._expected(),
            "operator_id": operator.operator_id if operator else None,
            "about": about.text if about else None,
            "apart_m": _rounded(self._apart_m),
            "apart_most_m": _rounded(self._apart_most_m),
            "allowed_m": _rounded(self._allowed_m),
            "heard_at": self.heard_at.isoformat() if self.heard_at else None,
            "module": {"is_fit": module.is_fit, "reason": module.reason} if module else None,
        }
        if location is not None:
            body |= {
                "status": location.status,
                "at": list(location.at) if location.at else None,
                "height_m": location.height_m,
                "height_above": location.height_above,
                "within_m": location.within_m,
            }
        if system is not None:
            body |= {"operator_at": list(system.operator_at) if system.operator_at else None}
            body |= {"operator_from": system.operator_from}
        return body

    def _get(self, kind: type[T]) -> T | None:
        return self._latest.get(kind)

    def _comparisons(self) -> Iterable[tuple[str, bool]]:
        """Each id that the register has a counterpart of, and whether they are the same."""
        for kind, name in _COMPARED.items():
            said, known = self._ids.get(kind), getattr(self._registered, name)
            if said is not None and said.uas_id and known:
                yield kind, _plain(said.uas_id) == _plain(known)

    def _expected(self) -> dict[str, str]:
        """What the register has in place of each id that is another's."""
        return {kind: getattr(self._registered, _COMPARED[kind]) for kind, same in self._comparisons() if not same}


def notes_of(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a verdict says of the Remote ID of a flight, from all that was told of it; the operator's place never.

    `spoke_against` is everything that did so at any time of the flight.
    """
    told = list(bodies)
    heard = [body for body in told if body.get("heard_at")]
    return {
        "heard": bool(heard),
        "state": heard[-1]["state"] if heard else str(State.ABSENT),
        "matched": any(body["state"] == State.MATCH for body in heard),
        "spoke_against": sorted({reason for body in heard for reason in body["reasons"]}),
        "ids": [list(one) for one in sorted({(i["id_type"], i["uas_id"]) for body in heard for i in body["ids"]})][:8],
        "apart_most_m": max((body["apart_most_m"] for body in heard if body["apart_most_m"] is not None), default=None),
        "fell_silent": any(body["state"] == State.SILENT for body in heard),
    }


def _plain(mark: str) -> str:
    return "".join(mark.split()).upper()


def _since(earlier_s: float, later_s: float) -> float:
    """Seconds from one time within the hour to a later one, which may lie in the next; negative where it is earlier."""
    return (later_s - earlier_s + _HOUR_S / 2) % _HOUR_S - _HOUR_S / 2


def _later_s(fix: _Fix, since_hour_s: float) -> float:
    return _since(since_hour_s, fix.since_hour_s)


def _rounded(value_m: float | None) -> float | None:
    return None if value_m is None else round(value_m, 1)
