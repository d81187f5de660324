"""What is on record of a device since it was last evaluated: its use, faults, yield and complaints (GD-10.1).

It is evidence for whoever evaluates, sorted by the outcome that it speaks for; nothing here decides.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Any

import rfc8785
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import shapes
from geo.checks_siting import seen_by_others
from geo.private_places import Place
from schemas.refusals import LANGUAGES
from schemas.rules import RulePack
from schemas.tables import Device

KEEP, ADJUST, CANCEL = "keep", "adjust_signage", "cancel_site"
# Out of use for longer than this part of the time, a device does not do what it was set up for.
_MOSTLY = 0.5
_CONFIRMED = ("confirmed", "notified", "rectifying", "rectified")

_EVIDENCE = text("""
    WITH found AS (
        SELECT f.state, f.state = 'closed' AND EXISTS (SELECT FROM core.decision c
               WHERE c.detection_id = f.id AND c.kind = 'confirm') AS closed_after
        FROM core.detection f
        LEFT JOIN core.exceedance x ON x.id = f.exceedance_id
        LEFT JOIN core.scene s ON s.id = f.scene_id LEFT JOIN core.flight g ON g.id = s.flight_id
        WHERE (x.device_id = :device OR g.drone_id = :device) AND f.formed_at >= :since AND f.formed_at < :until
    )
    SELECT
        (SELECT count(*) FROM core.observation o JOIN core.datastream d ON d.id = o.datastream_id
         WHERE d.device_id = :device AND o.phenomenon_time >= :since AND o.phenomenon_time < :until) AS readings,
        (SELECT count(*) FROM core.flight g WHERE g.drone_id = :device AND g.landed_at >= :since
         AND g.landed_at < :until) AS flights,
        (SELECT count(DISTINCT (h.beat_at AT TIME ZONE :zone)::date) FROM core.heartbeat h
         WHERE h.device_id = :device AND h.beat_at >= :since AND h.beat_at < :until) AS days_heard,
        (SELECT count(*) FROM core.heartbeat h WHERE h.device_id = :device AND h.beat_at >= :since
         AND h.beat_at < :until AND jsonb_array_length(h.faults) > 0) AS bad_pictures,
        (SELECT count(*) FROM core.device_grant g WHERE g.device_id = :device AND g.state = 'granted') AS grants,
        (SELECT count(*) FROM core.exceedance x WHERE x.device_id = :device AND x.window_from >= :since
         AND x.window_from < :until) AS exceedances,
        (SELECT count(*) FROM found) AS leads,
        (SELECT count(*) FROM found WHERE state = ANY(:confirmed) OR closed_after) AS confirmed,
        (SELECT count(*) FROM found WHERE state = 'false_alarm' OR state = 'closed' AND NOT closed_after)
            AS false_alarms,
        (SELECT count(*) FROM core.upkeep u WHERE u.device_id = :device AND u.kind = 'repair'
         AND u.done_on >= :since_on) AS repairs,
        (SELECT max(s.verified_on) FROM core.signage s WHERE s.device_id = :device) AS sign_seen_on,
        (SELECT count(*) FROM core.complaint c WHERE c.about_kind = 'device' AND c.about_id = :name
         AND c.kind <> 'question' AND c.received_at >= :since AND c.received_at < :until) AS complaints,
        (SELECT count(*) FROM core.complaint c WHERE c.about_kind = 'device' AND c.about_id = :name
         AND c.kind <> 'question' AND c.outcome = 'justified' AND c.received_at >= :since
         AND c.received_at < :until) AS justified
""")
_INCIDENTS = text(
    "SELECT kind, count(*) FROM core.incident WHERE device_id = :device AND observed_at >= :since"
    " AND observed_at < :until GROUP BY kind ORDER BY kind"
)
_BEGUN = text("SELECT max(evaluated_on) FROM core.evaluation WHERE device_id = :device")
_STEPS = text(
    "SELECT coalesce(effective_at, recorded_at) AS at, action FROM ledger.event"
    " WHERE subject_kind = 'device' AND subject_id = :device AND action = ANY(:steps) ORDER BY id"
)
_STOPS = ("device.block", "device.pause")
_STOPPED = ("blocked", "maintenance")
_STARTS = ("device.activate", "device.unblock", "device.resume", "device.discontinue", "device.retire")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is on record of a device from a local day until another, counted.

    `incidents` are counted by kind; `days_stopped` is how long it was blocked or paused; `seen_by_others` which share
    of its view other devices of its kind see, and which these are, None where nobody said what it looks at.
    """

    since: date
    until: date
    days: int
    readings: int
    flights: int
    days_heard: int
    bad_pictures: int
    grants: int
    exceedances: int
    leads: int
    confirmed: int
    false_alarms: int
    repairs: int
    sign_seen_on: date | None
    complaints: int
    justified: int
    incidents: Mapping[str, int]
    stops: int
    days_stopped: float
    seen_by_others: float | None
    others: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        """Whether anything is on record that came of it."""
        return any((self.readings, self.flights, self.days_heard, self.exceedances, self.leads, self.grants))

    def as_json(self) -> dict[str, Any]:
        """The record as a document that is kept with an evaluation; `of_json` reads it."""
        told = {name: value.isoformat() if isinstance(value, date) else value for name, value in vars(self).items()}
        return told | {"incidents": dict(self.incidents), "others": list(self.others)}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Evidence:
        """Reads what was kept."""
        days = {name: date.fromisoformat(told[name]) for name in _DAYS if told[name] is not None}
        return cls(**{**told, **days, "others": tuple(told["others"])})

    @property
    def gist(self) -> str:
        """A word that changes with whatever may speak for another outcome, and not with every reading that comes in."""
        steady = {name: value for name, value in self.as_json().items() if name not in _GROWS}
        return digest(steady | {"is_used": self.is_used})


_DAYS = ("since", "until", "sign_seen_on")
# What grows by itself while a device is in use, or while a page is read.
_GROWS = ("until", "days", "readings", "flights", "days_heard", "bad_pictures", "days_stopped")


def digest(told: Mapping[str, Any]) -> str:
    """SHA-256 of a record's canonical text (RFC 8785), as the ledger names it beside an outcome."""
    return hashlib.sha256(rfc8785.dumps(dict(told))).hexdigest()


@dataclass(frozen=True)
class Word:
    """One thing that the record says, in both languages, and the outcome that it speaks for; None for none."""

    speaks_for: str | None
    said: Mapping[str, str]


def evidence_of(session: Session, device: Device, pack: RulePack, now: datetime) -> Evidence:
    """What is on record of a device since its last evaluation, or its activation where it was never evaluated."""
    today = pack.local_date(now)
    last = session.scalar(_BEGUN, {"device": device.id})
    since_on = last or device.activated_on or today
    since = datetime.combine(since_on, time(), pack.zone)
    span: dict[str, Any] = {"device": device.id, "since": since, "until": now}
    values = span | {"name": device.public_id, "zone": pack.timezone, "confirmed": list(_CONFIRMED)}
    counts = session.execute(_EVIDENCE, values | {"since_on": since_on}).mappings().one()
    stops, stopped = _stopped(session, device, since, now)
    share, others = _seen(session, device)
    return Evidence(
        since=since_on,
        until=today,
        days=(today - since_on).days,
        incidents={kind: int(count) for kind, count in session.execute(_INCIDENTS, span)},
        stops=stops,
        days_stopped=stopped / timedelta(days=1),
        seen_by_others=share,
        others=others,
        **counts,
    )


def words_of(evidence: Evidence, pack: RulePack) -> tuple[Word, ...]:
    """What the record says, in sentences, with the outcome that each speaks for."""
    return tuple(
        Word(outcome, {lang: _sentence(_texts()[key], lang, values) for lang in LANGUAGES})
        for key, outcome, values in _said(evidence, pack)
    )


def _sentence(text: Mapping[str, str], lang: str, values: Mapping[str, Any]) -> str:
    is_one = lang == "en" and "count" in text and values[text["count"]] == 1
    return text["one" if is_one else lang].format(**values)


_Said = tuple[str, str | None, Mapping[str, Any]]


def _said(evidence: Evidence, pack: RulePack) -> Iterator[_Said]:
    told = vars(evidence)
    yield "span", None, told
    yield from _use(evidence, told)
    yield from _faults(evidence, told)
    yield from _yield(evidence, told)
    if evidence.complaints:
        yield "complaints", ADJUST if evidence.justified else None, told
    else:
        yield "no_complaints", None, told
    ratio = pack["duplicate.coverage_ratio"]
    if evidence.seen_by_others is not None and evidence.seen_by_others > 0:
        doubled = evidence.seen_by_others >= ratio
        yield "seen_by_others", CANCEL if doubled else None, {**told, "devices": ", ".join(evidence.others[:5])}


def _use(evidence: Evidence, told: Mapping[str, Any]) -> Iterator[_Said]:
    if not evidence.is_used and evidence.days > 0:
        yield "unused", CANCEL, told
        return
    for key in ("readings", "flights", "days_heard"):
        if told[key]:
            yield key, None, told
    if evidence.grants:
        yield "grants", KEEP, told


def _faults(evidence: Evidence, told: Mapping[str, Any]) -> Iterator[_Said]:
    if evidence.incidents:
        kinds = {
            lang: _texts()["comma"][lang].join(
                f"{_texts()['incident'][lang].get(kind, kind)} {count}" for kind, count in evidence.incidents.items()
            )
            for lang in LANGUAGES
        }
        yield (
            "incidents",
            ADJUST if "moved" in evidence.incidents else None,
            {**told, **{f"kinds_{k}": v for k, v in kinds.items()}},
        )
    if evidence.stops or evidence.days_stopped > 0:
        mostly = evidence.days > 0 and evidence.days_stopped > _MOSTLY * evidence.days
        yield "stopped" if evidence.stops else "stood_still", CANCEL if mostly else None, told
    if evidence.bad_pictures:
        yield "bad_pictures", None, told
    if evidence.repairs:
        yield "repairs", None, told
    if not evidence.incidents and not evidence.days_stopped > 0 and not evidence.stops and not evidence.bad_pictures:
        yield "no_faults", None, told
    if evidence.sign_seen_on is None or evidence.sign_seen_on < evidence.since:
        seen = "sign_old" if evidence.sign_seen_on else "sign_never"
        yield seen, ADJUST, told


def _yield(evidence: Evidence, told: Mapping[str, Any]) -> Iterator[_Said]:
    if evidence.exceedances:
        yield "exceedances", KEEP, told
    if evidence.confirmed:
        yield "confirmed", KEEP, told
    elif evidence.leads and evidence.leads == evidence.false_alarms:
        yield "false_alarms", CANCEL, told
    elif evidence.leads:
        yield "leads", None, told
    else:
        yield "no_leads", None, told


@cache
def _texts() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("geo").joinpath("evaluating.toml").read_text(encoding="utf-8"))


def _stopped(session: Session, device: Device, since: datetime, now: datetime) -> tuple[int, timedelta]:
    """How often a device was stopped since, and for how long altogether, by the ledger.

    One that was brought in stopped has no such step; its row says since when it is.
    """
    rows = session.execute(_STEPS, {"device": str(device.id), "steps": [*_STOPS, *_STARTS]})
    steps = [(at, action) for at, action in rows]
    if device.state in _STOPPED and device.state_since is not None and (not steps or steps[-1][1] in _STARTS):
        steps.append((device.state_since, _STOPS[0]))
    count, whole, begun = 0, timedelta(), None
    for at, action in [*steps, (now, _STARTS[0])]:
        if begun is not None:
            whole += max(min(at, now) - max(begun, since), timedelta())
        begun = at if action in _STOPS else None
        count += action in _STOPS and since <= at <= now
    return count, whole


def _seen(session: Session, device: Device) -> tuple[float | None, tuple[str, ...]]:
    view = Place(
        shapes.lon_lat(device.site.geom),
        device.site.place_type,
        device.sector_azimuth_deg,
        device.hfov_deg,
        device.range_m,
    ).seen
    return (None, ()) if view is None else seen_by_others(session, view, device)
