"""What a request for OGC API Features may say: everything is read and checked here before pygeoapi sees any of it.

The standard asks for 400 where a parameter is unknown or its value is none (OGC 17-069r4, requirement 7 and 8).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from werkzeug.datastructures import MultiDict

from schemas.refusals import Kind, RuleViolation, violation
from web.opendata.layers import COLUMNS, OpenLayer, Type
from web.opendata.ogc_terms import CRS84, LAST_OFFSET, MOST_ITEMS, REACH

Asked = MultiDict[str, str]
Value = str | bool | int | float | date
EVERYWHERE = ("f", "lang")
PAGING = ("limit", "offset", "bbox", "bbox-crs", "crs", "datetime")
LONGEST = 200
# GDAL writes a corner of its box with 18 significant digits, which are up to 22 behind the point.
_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{0,22})?|\.\d{1,22})([eE][+-]?\d{1,2})?")
_WHOLE = re.compile(r"\d{1,10}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def known(asked: Asked, *names: str) -> None:
    """Raises RuleViolation 400 for a parameter that is none of `names`, of `f` and `lang`, or is said twice."""
    for name, values in asked.lists():
        if name not in (*names, *EVERYWHERE):
            raise _refused(name, values[0], sorted((*names, *EVERYWHERE)))
        if len(values) > 1:
            raise _refused(name, ",".join(values), ["one value"])
    language = asked.get("lang")
    if language not in (None, "en", "zh"):
        raise _refused("lang", language, ["en", "zh"])
    form = asked.get("f")
    if form not in (None, "json", "html"):
        raise _refused("f", form, ["json", "html"])


def of_items(layer: OpenLayer, asked: Asked) -> Asked:
    """The parameters of a page of records, each in the form in which pygeoapi takes it."""
    known(asked, *PAGING, *layer.columns)
    cleaned: Asked = MultiDict()
    if "limit" in asked:
        # A limit beyond ours is no error by the standard.
        cleaned["limit"] = str(min(_whole("limit", asked["limit"], 1, 10**10), MOST_ITEMS))
    if "offset" in asked:
        cleaned["offset"] = str(_whole("offset", asked["offset"], 0, LAST_OFFSET))
    _take_place(asked, cleaned)
    if "datetime" in asked:
        wanted = _when(asked["datetime"])
        # A record that has no time is there at all times (OGC 17-069r4, 7.15.4).
        if layer.time:
            cleaned["datetime"] = _as_column(COLUMNS[layer.time].type, *wanted)
    for name in layer.columns:
        if name in asked:
            value(name, asked[name])
            cleaned[name] = asked[name]
    return cleaned


def _take_place(asked: Asked, cleaned: Asked) -> None:
    for name in ("crs", "bbox-crs"):
        if name in asked:
            cleaned[name] = _crs(name, asked[name])
    if "bbox" in asked:
        cleaned["bbox"] = _box(asked["bbox"], cleaned.get("bbox-crs", CRS84))
    elif "bbox-crs" in asked:
        raise _refused("bbox-crs", asked["bbox-crs"], ["bbox"])


def of_item(asked: Asked) -> Asked:
    """The parameters of one record."""
    known(asked, "crs")
    return MultiDict({"crs": _crs("crs", asked["crs"])} if "crs" in asked else {})


def value(name: str, said: str) -> Value:
    """What a column is to equal, in the column's own type; raises RuleViolation 400 where it is none."""
    kind = COLUMNS[name].type
    if len(said) > LONGEST:
        raise _refused(name, said, [f"1-{LONGEST}"])
    if kind is Type.BOOLEAN:
        if said not in ("true", "false"):
            raise _refused(name, said, ["true", "false"])
        return said == "true"
    if kind is Type.INTEGER:
        return _whole(name, said, 0, 2**31 - 1)
    if kind is Type.NUMBER:
        return _number(name, said)
    if kind is Type.DATE:
        return _day(name, said)
    return _moment(name, said) if kind is Type.INSTANT else said


def ends(kind: Type, said: str) -> tuple[Value | None, Value | None]:
    """The two ends of a time that was checked, as the column of that type has them; None for an open one."""
    first, last = (None if end == ".." else end for end in said.split("/"))
    if kind is Type.DATE:
        return first and _day("datetime", first), last and _day("datetime", last)
    return first and datetime.fromisoformat(first), last and datetime.fromisoformat(last)


def _whole(name: str, said: str, low: int, high: int) -> int:
    if _WHOLE.fullmatch(said) and said.isascii() and low <= int(said) <= high:
        return int(said)
    raise _refused(name, said, [f"{low}-{high}"])


def _number(name: str, said: str) -> float:
    if said.isascii() and _NUMBER.fullmatch(said) and math.isfinite(value := float(said)):
        return value
    raise _refused(name, said, ["113.27"])


def _crs(name: str, said: str) -> str:
    if said not in REACH:
        raise _refused(name, said, REACH)
    return said


def _box(said: str, crs: str) -> str:
    parts = said.split(",")
    if len(parts) not in (4, 6):
        raise _refused("bbox", said, ["113.2,23.0,113.4,23.2"])
    numbers = [_number("bbox", part) for part in parts]
    # Heights are taken and mean nothing: no open layer has any.
    west, south, east, north = numbers if len(numbers) == 4 else (numbers[i] for i in (0, 1, 3, 4))
    across, along = REACH[crs]
    fits = max(abs(west), abs(east)) <= across and max(abs(south), abs(north)) <= along and south <= north
    # Only in longitudes and latitudes is a box that ends west of its beginning one over the antimeridian.
    if not fits or (west > east and crs != CRS84):
        raise _refused("bbox", said, ["113.2,23.0,113.4,23.2"])
    return ",".join(map(repr, (west, south, east, north)))


def _when(said: str) -> tuple[str, str]:
    """The two ends of a time, checked; `..` for an open one, and twice the same for an instant or a day."""
    parts = said.split("/")
    ends = [part if part not in ("", "..") else ".." for part in parts]
    if len(said) > LONGEST or len(parts) > 2 or ends == [".."]:
        raise _refused("datetime", said, ["2025-06-01", "2025-06-01/..", "2025-06-01T00:00:00Z"])
    first, last = ends[0], ends[-1]
    if first != ".." and last != ".." and _begin(first) > _end(last):
        raise _refused("datetime", said, [f"{last}/{first}"])
    for end in {first, last} - {".."}:
        _begin(end)
    return first, last


def _begin(said: str) -> datetime:
    return _moment("datetime", said) if len(said) > 10 else datetime.combine(_day("datetime", said), time.min, UTC)


def _end(said: str) -> datetime:
    return _moment("datetime", said) if len(said) > 10 else datetime.combine(_day("datetime", said), time.max, UTC)


def _as_column(kind: Type, first: str, last: str) -> str:
    if kind is Type.DATE:
        days = ["..", ".."]
        for at, end in enumerate((first, last)):
            days[at] = end if end == ".." else _begin(end).date().isoformat()
        return "/".join(days)
    begin = first if first == ".." else _begin(first).isoformat()
    return f"{begin}/{last if last == '..' else _end(last).isoformat()}"


def _day(name: str, said: str) -> date:
    try:
        if len(said) == 10 and said.isascii():
            return date.fromisoformat(said)
    except ValueError:
        pass
    raise _refused(name, said, ["2025-06-01"])


def _moment(name: str, said: str) -> datetime:
    try:
        if _INSTANT.fullmatch(said) and said.isascii():
            return datetime.fromisoformat(said.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _refused(name, said, ["2025-06-01T00:00:00Z"])


def _refused(name: str, said: str, required: Iterable[str]) -> RuleViolation:
    return violation(
        Kind.SYNTAX,
        "query.unknown",
        "web.query_unknown",
        name=name[:40],
        measured=said[:60],
        required=", ".join(required),
    )
