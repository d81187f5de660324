"""The list of devices, a page at a time: the same time for the first page as for the last, among a million of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from geo.due import DUE_DEVICES, due_values
from geo.types import LonLat
from schemas.refusals import invalid
from schemas.rules import RulePack

MOST_ROWS = 500
MOST_COUNTED = 10_000
LONGEST_SEARCH = 100


@dataclass(frozen=True, kw_only=True)
class Due:
    """Something due of an authority's devices within so many days; None is as many as the pack reminds of."""

    pack: RulePack
    today: date
    days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What devices a list holds; None is all. `q` is a part of the name, or a whole public id.

    What is `due` is counted by the rules of one authority, so it goes with `authority` alone.
    """

    state: str | None = None
    kind: str | None = None
    authority: uuid.UUID | None = None
    q: str | None = None
    due: Due | None = None


class After(NamedTuple):
    """Where a page ended: the name and the public id of its last row."""

    name: str
    public_id: str


@dataclass(frozen=True)
class Listed:
    """A device on a list. What the public never sees, such as its number and its view, is on its own page."""

    public_id: str
    name: str
    state: str
    state_since: datetime | None
    device_type: str
    platform: str
    is_measuring_instrument: bool
    calibration_valid_to: date | None
    activated_on: date | None
    authority_code: str
    authority_en: str
    authority_zh: str
    place_text: str
    lon: float
    lat: float

    @property
    def at(self) -> LonLat:
        """Where it stands, in EPSG:4326."""
        return LonLat(self.lon, self.lat)


@dataclass(frozen=True)
class Page:
    """Some rows in the order of their names, and where the next page begins; None after the last row."""

    rows: tuple[Listed, ...]
    after: After | None


# The page is found first, by an index; what stands beside the device is looked up for its rows alone.
_PAGE = """
    WITH page AS MATERIALIZED (
        SELECT d.* FROM core.device d WHERE NOT d.secret {conditions}
        ORDER BY d.name, d.public_id LIMIT %(most)s
    )
    SELECT p.public_id, p.name, p.state, p.state_since, p.device_type, p.platform, p.is_measuring_instrument,
           p.calibration_valid_to, p.activated_on, a.code, a.name_en, a.name_zh, s.place_text,
           ST_X(s.geom), ST_Y(s.geom)
    FROM page p JOIN core.authority a ON a.id = p.authority_id JOIN core.device_site s ON s.id = p.site_id
    ORDER BY p.name, p.public_id
"""
_COUNT = """
    SELECT count(*) FROM (SELECT FROM core.device d WHERE NOT d.secret {conditions} LIMIT %(most)s) AS found
"""


def devices(session: Session, filters: Filters, after: After | None = None, limit: int = 50) -> Page:
    """The devices that the filters let through, from `after` on, in the order of their names; never secret ones.

    Raises RuleViolation 422 for a filter that cannot be meant.
    """
    most = min(max(limit, 1), MOST_ROWS)
    conditions, values = _conditions(filters)
    if after is not None:
        conditions += " AND (d.name, d.public_id) > (%(name)s, %(public_id)s)"
        values |= {"name": plain_text(after.name), "public_id": plain_text(after.public_id)}
    found = [Listed(*row) for row in _rows(session, _PAGE, conditions, values | {"most": most + 1})]
    rows = tuple(found[:most])
    return Page(rows, After(rows[-1].name, rows[-1].public_id) if len(found) > most else None)


def count(session: Session, filters: Filters) -> int:
    """How many devices the filters let through, counted no further than MOST_COUNTED + 1."""
    conditions, values = _conditions(filters)
    ((found,),) = _rows(session, _COUNT, conditions, values | {"most": MOST_COUNTED + 1})
    return int(found)


def _conditions(filters: Filters) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    values: dict[str, Any] = {}
    for condition, given in _given(filters):
        parts.append(f" AND {condition}")
        values |= given
    return "".join(parts), values


def _given(filters: Filters) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if filters.state:
        yield "d.state = %(state)s", {"state": plain_text(filters.state)}
    if filters.kind:
        yield "d.device_type = %(kind)s", {"kind": plain_text(filters.kind)}
    if filters.authority:
        yield "d.authority_id = %(authority)s", {"authority": filters.authority}
    if filters.q and filters.q.strip():
        yield SEARCH, search_values(filters.q)
    if filters.due:
        if filters.authority is None:
            raise invalid("query.unknown", "registry.due_of_whom")
        values = due_values(filters.authority, filters.due.pack, filters.due.today, days=filters.due.days)
        yield f"d.id IN ({DUE_DEVICES})", values


# Two neighbouring characters at a time find a name by its index; a single one is found on the way. An id is written in
# capitals.
SEARCH = "((core.pairs(d.name) @> core.pairs(%(q)s) AND d.name ILIKE %(like)s) OR d.public_id = upper(%(q)s))"


def search_values(q: str) -> dict[str, str]:
    """What SEARCH looks for; raises RuleViolation 422 for what no name can be."""
    wanted = plain_text(q.strip())
    return {"q": wanted, "like": f"%{_literal(wanted)}%"}


def _literal(wanted: str) -> str:
    """A text in which a pattern finds itself alone."""
    return wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def plain_text(value: str) -> str:
    """A text that the database can hold, no longer than anybody searches for; raises RuleViolation 422."""
    if "\0" in value or len(value) > 10 * LONGEST_SEARCH or any("\ud800" <= c <= "\udfff" for c in value):
        raise invalid("query.unknown", "registry.search", measured=len(value), required=LONGEST_SEARCH)
    return value


def _rows(session: Session, statement: str, conditions: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement, planned for these very values: what is rare and what is common is found differently."""
    driver: Any = session.connection().connection.driver_connection
    rows: list[tuple[Any, ...]] = driver.execute(
        statement.format(conditions=conditions), values, prepare=False
    ).fetchall()
    return rows
