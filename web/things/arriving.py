"""Readings as they arrive, over HTTP and from the broker, into columns of a batch; what is unsound is refused.

A reading is a finite number at a time with a zone, by a device that is in use: nothing watches before it was published
(GD-14.2), and nothing that is over. What a blocked device reports is kept, and no finding may rest on it (GD-22.2).
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, conflict, invalid, violation
from schemas.tables import Datastream, Device, DeviceSite, FeatureOfInterest
from schemas.tables.things import QUALITIES
from sensing.sensors.store import Readings
from web.things.model import GEOJSON

IN_USE = ("active", "maintenance", "blocked")
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\x00")
_LONGEST_NAME, _FIRST_YEAR = 64, 1900


def read_json(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """A document without NaN, names that stand twice, and texts that no database takes; raises RuleViolation."""
    try:
        read = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        line, column = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (1, error.start + 1)
        raise violation(Kind.SYNTAX, "json.syntax", line=line, column=column) from None
    except RecursionError:
        raise invalid("json.depth", measured=limit("json.depth"), required=limit("json.depth")) from None
    except ValueError:
        raise invalid("json.number", measured="…", required=f"{limit('json.digits')} digits") from None
    if _UNSTORABLE.search(data):
        _refuse_texts(read)
    return read


def _no_number(name: str) -> float:
    raise invalid("json.not_finite", path=name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise invalid("json.duplicate_key", key="")
    return members


def _refuse_texts(value: Any) -> None:  # noqa: ANN401 - JSON
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and ("\x00" in one or any("\ud800" <= char <= "\udfff" for char in one)):
            raise invalid("json.text", path="…")


@dataclass(frozen=True)
class Series:
    """A series as far as a reading is concerned: of which device, in which state, and of what by itself."""

    id: int
    device_id: uuid.UUID
    device: str
    state: str
    feature_id: int


def series(session: Session, ids: Iterable[int], device_id: uuid.UUID | None = None) -> dict[int, Series]:
    """The series with those ids, of one device or of any; a place of a device becomes what is observed there."""
    wanted = select(Datastream.id, Device).join(Device, Device.id == Datastream.device_id).where(Datastream.id.in_(ids))
    if device_id is not None:
        wanted = wanted.where(Datastream.device_id == device_id)
    rows = session.execute(wanted).all()
    features = {
        device.id: _feature_at(session, device) for device in {device.id: device for _, device in rows}.values()
    }
    return {
        number: Series(number, device.id, device.public_id, device.state, features[device.id])
        for number, device in rows
    }


def _feature_at(session: Session, device: Device) -> int:
    here = select(FeatureOfInterest.id).where(
        FeatureOfInterest.device_id == device.id, FeatureOfInterest.site_id == device.site_id
    )
    known = session.scalar(here)
    if known is not None:
        return known
    place = select(DeviceSite.geom, DeviceSite.place_text).where(DeviceSite.id == device.site_id)
    geom, text = session.execute(place).one()
    row = {
        "device_id": device.id,
        "site_id": device.site_id,
        "name": text,
        "description": text,
        "encoding_type": GEOJSON,
        "geom": geom,
    }
    session.execute(insert(FeatureOfInterest).values(row).on_conflict_do_nothing())
    return session.scalars(here).one()


def refuse_unused(one: Series) -> None:
    """Raises RuleViolation GD-14.2 where the device of a series is not in use."""
    if one.state not in IN_USE:
        raise conflict("GD-14.2", "things.not_in_use", measured=one.state, name=one.device)


@dataclass(frozen=True)
class Hours:
    """When a batch arrives, how far the clock of a device may be ahead of it, and how long it may keep readings."""

    now: datetime

    def read(self, value: object) -> tuple[datetime, datetime | None]:
        """A time, or an interval as two with a stroke between them; raises RuleViolation 422."""
        if value is None:
            return self.now, None
        first, stroke, last = str(value).partition("/")
        start, end = self._one(first), self._one(last) if stroke else None
        if end is not None and end < start:
            raise invalid("things.time", measured=str(value)[:60])
        return start, end

    def _one(self, value: str) -> datetime:
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            raise invalid("things.time", measured=value[:60]) from None
        self.check(read, value)
        return read

    def check(self, read: datetime, value: object) -> None:
        """Raises RuleViolation 422 for a time without a zone, ahead of now, or from before any device kept it."""
        if read.tzinfo is None or read.year < _FIRST_YEAR:
            raise invalid("things.time", measured=str(value)[:60])
        if read > self.now + timedelta(seconds=limit("things.ahead")):
            raise invalid("things.ahead", measured=str(value)[:60], required=self.now.isoformat(timespec="seconds"))
        oldest = self.now - timedelta(days=limit("things.behind"))
        if read < oldest:
            raise invalid("things.behind", measured=str(value)[:60], required=oldest.isoformat(timespec="seconds"))


def add_reading(readings: Readings, of: Series, body: Mapping[str, Any], hours: Hours, *, feature: int | None) -> None:
    """Adds one reading from its JSON object; raises RuleViolation 422 where it is none."""
    at, until = hours.read(body.get("phenomenonTime"))
    result_time = hours.read(body["resultTime"])[0] if body.get("resultTime") is not None else None
    valid = hours_of(body.get("validTime"))
    parameters = body.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise invalid("things.member", name="parameters", measured=type(parameters).__name__, required="object")
    readings.add(
        of.id,
        feature or of.feature_id,
        at,
        number(body.get("result")),
        client_id=_client_id(parameters),
        quality=_quality(body.get("resultQuality")),
        result_time=result_time,
        until=until,
        valid=valid,
        parameters=json.dumps(parameters) if parameters is not None else None,
    )


def hours_of(value: object) -> tuple[datetime, datetime] | None:
    """The interval in which a reading holds, which may lie ahead; raises RuleViolation 422."""
    if value is None:
        return None
    parts = str(value).split("/")
    try:
        start, end = (datetime.fromisoformat(part) for part in parts)
    except ValueError:
        raise invalid("things.time", measured=str(value)[:60]) from None
    if start.tzinfo is None or end.tzinfo is None or start.year < _FIRST_YEAR or end < start:
        raise invalid("things.time", measured=str(value)[:60])
    return start, end


def number(value: object) -> float:
    """A finite number; raises RuleViolation 422 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("things.result", measured=str(value)[:40])
    try:
        read = float(value)
    except OverflowError:
        read = math.inf
    if not math.isfinite(read):
        raise invalid("things.result", measured=str(value)[:40])
    return read


def _client_id(parameters: Mapping[str, Any] | None) -> str:
    told = (parameters or {}).get("clientId", "")
    if not isinstance(told, str) or len(told) > _LONGEST_NAME:
        raise invalid("things.member", name="clientId", measured=str(told)[:40], required=f"1–{_LONGEST_NAME} a-z")
    return told


def _quality(value: object) -> str:
    if value is None:
        return QUALITIES[0]
    if value not in QUALITIES:
        raise invalid("things.member", name="resultQuality", measured=str(value)[:40], required=", ".join(QUALITIES))
    return str(value)


_COMPONENTS = ("phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters")


def add_array(
    readings: Readings, of: Series, components: Sequence[str], rows: Sequence[Any], hours: Hours
) -> list[bool]:
    """Adds the rows of a data array, all at once where they are plain; says of each whether it was sound."""
    if set(components) - set(_COMPONENTS) or "result" not in components or len(set(components)) < len(components):
        raise invalid(
            "things.member",
            name="components",
            measured=", ".join(map(str, components))[:80],
            required=", ".join(_COMPONENTS),
        )
    if set(components) == {"phenomenonTime", "result"}:
        made = _plain(components, rows, hours)
        if made is not None:
            readings.extend(of.id, of.feature_id, made, len(rows))
            return [True] * len(rows)
    return [_added(readings, of, components, row, hours) for row in rows]


def _plain(components: Sequence[str], rows: Sequence[Any], hours: Hours) -> dict[str, Sequence[Any]] | None:
    """Times and results of rows that hold nothing else; None where one of them is not sound."""
    try:
        columns = dict(zip(components, zip(*rows, strict=True), strict=True))
        times = list(map(datetime.fromisoformat, columns["phenomenonTime"]))
        # A time without a zone does not compare with one that has one.
        for outer in (min(times), max(times)):
            hours.check(outer, outer)
        results = columns["result"]
        sound = set(map(type, results)) <= {int, float} and all(map(math.isfinite, results))
        return {"phenomenon_time": times, "result": list(map(float, results))} if sound else None
    except (RuleViolation, TypeError, ValueError, KeyError, OverflowError):
        return None


def _added(readings: Readings, of: Series, components: Sequence[str], row: object, hours: Hours) -> bool:
    if not isinstance(row, list) or len(row) != len(components):
        return False
    try:
        add_reading(readings, of, dict(zip(components, row, strict=True)), hours, feature=None)
    except RuleViolation:
        return False
    return True
