"""Entities out of the database: lists page by page, one entity, and their neighbours inside of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Select, Subquery, exists, func, literal, select, true
from sqlalchemy.orm import Session

from web.things.conditions import Conditions
from web.things.grammar import Literal
from web.things.model import Entity, Kind, Neighbour, Property, Scope, entities
from web.things.options import Query
from web.things.paths import Resource, Step, id_text, unknown

Json = dict[str, Any]
Row = Mapping[Any, Any]
_DECIMALS = 8


@dataclass(frozen=True)
class Reader:
    """Reads for one who may see `scope`; `root` is the address that links begin with."""

    session: Session
    scope: Scope
    root: str

    # -- what a path names ------------------------------------------------------------------------

    def found(self, steps: Sequence[Step], path: str) -> tuple[Entity, Any]:
        """The last entity of a path, and its id; raises RuleViolation 404 where a step leads to nothing."""
        entity = entities()[steps[0].name]
        rows = entity.fresh()
        number = self._first(entity, rows, steps[0].id, true(), path)
        for step in steps[1:]:
            before, neighbour = entity, entity.neighbours[step.name]
            entity = entities()[neighbour.target]
            rows = entity.fresh()
            number = self._first(entity, rows, step.id, self.beside(before, number, neighbour, rows), path)
        return entity, number

    def _first(self, entity: Entity, rows: Subquery, number: Any, held: ColumnElement[bool], path: str) -> Any:  # noqa: ANN401
        wanted = select(rows.c.id).where(self.scope.holds(entity, rows), held)
        if number is not None:
            wanted = wanted.where(rows.c.id == number)
        found = self.session.scalars(wanted.limit(1)).first()
        if found is None:
            raise unknown(path)
        return found

    def beside(self, entity: Entity, number: Any, neighbour: Neighbour, rows: Subquery) -> ColumnElement[bool]:  # noqa: ANN401
        """The condition that rows are neighbours of one entity."""
        here = entity.fresh()
        held = self.scope.holds(entity, here)
        return exists(select(literal(1)).select_from(here).where(here.c.id == number, held, neighbour.join(here, rows)))

    # -- lists and entities -----------------------------------------------------------------------

    def listed(self, resource: Resource, path: str, query: Query) -> Json:
        """The list that a path names, a page of it."""
        *before, last = resource.steps
        rows_of: ColumnElement[bool] = true()
        if before:
            parent, number = self.found(before, path)
            entity = entities()[parent.neighbours[last.name].target]
            rows = entity.fresh()
            rows_of = self.beside(parent, number, parent.neighbours[last.name], rows)
        else:
            entity = entities()[last.name]
            rows = entity.fresh()
        wanted = self._wanted(entity, rows, query).where(rows_of)
        told: Json = {}
        if query.count:
            told["@iot.count"] = self.session.scalar(select(func.count()).select_from(wanted.subquery()))
        page = self._ordered(entity, rows, wanted, query).offset(query.skip).limit(query.top + 1)
        found = self._rows(page)
        if len(found) > query.top:
            told["@iot.nextLink"] = self._next(path.strip("/"), query)
        told["value"] = self._told(entity, found[: query.top], query, references=resource.references)
        return told

    def one(self, resource: Resource, path: str, query: Query) -> Json:
        """The entity that a path names."""
        entity, number = self.found(resource.steps, path)
        rows = entity.fresh()
        wanted = self._wanted(entity, rows, query).where(rows.c.id == number)
        found = self._rows(wanted)
        (told,) = self._told(entity, found, query, references=resource.references)
        return told

    def _rows(self, wanted: Select[Any]) -> list[Row]:
        return [dict(row) for row in self.session.execute(wanted).mappings()]

    def _wanted(self, entity: Entity, rows: Subquery, query: Query) -> Select[Any]:
        wanted = select(*_columns(entity, rows, query)).where(self.scope.holds(entity, rows))
        if query.filter is not None:
            wanted = wanted.where(Conditions(entity, rows, self.scope).condition(query.filter))
        return wanted

    def _ordered(self, entity: Entity, rows: Subquery, wanted: Select[Any], query: Query) -> Select[Any]:
        made = Conditions(entity, rows, self.scope, "$orderby")
        # A value that is the same for all puts nothing in order, and PostgreSQL refuses it.
        orders = [(made.order(node), downwards) for node, downwards in query.order if not isinstance(node, Literal)]
        return wanted.order_by(*(one.desc() if downwards else one for one, downwards in orders), rows.c.id)

    def _next(self, path: str, query: Query) -> str:
        options = dict(query.raw) | {"$top": str(query.top), "$skip": str(query.skip + query.top)}
        return f"{self.root}/{path}?" + "&".join(
            f"{name}={quote(value, safe='(),;/$@')}" for name, value in options.items()
        )

    # -- as JSON ----------------------------------------------------------------------------------

    def _told(self, entity: Entity, found: Sequence[Row], query: Query, *, references: bool = False) -> list[Json]:
        links = [f"{self.root}/{id_text(entity, row['id'])}" for row in found]
        if references:
            return [{"@iot.selfLink": link} for link in links]
        inside = {name: self._inside(entity, name, found, query.expand[name]) for name in query.expand}
        return [self._entity(entity, row, link, query, inside) for row, link in zip(found, links, strict=True)]

    def _entity(
        self, entity: Entity, row: Row, link: str, query: Query, inside: Mapping[str, Mapping[Any, Json]]
    ) -> Json:
        wants = query.select
        told: Json = {}
        if wants is None or "id" in wants:
            told["@iot.id"] = row["id"]
        if wants is None:
            told["@iot.selfLink"] = link
        for name, one in entity.properties.items():
            if name == "id" or (wants is not None and name not in wants):
                continue
            value = _value(one, row)
            # What there is not is left out, as clients expect it, unless it was asked for by its name.
            if value is not None or wants is not None:
                told[name] = value
        for name, neighbour in entity.neighbours.items():
            if name in inside:
                told |= inside[name].get(row["id"], {name: [] if neighbour.many else None})
            elif wants is None or name in wants:
                told[f"{name}@iot.navigationLink"] = f"{link}/{name}"
        return told

    def _inside(self, entity: Entity, name: str, found: Iterable[Row], query: Query) -> dict[Any, Json]:
        """The neighbours of entities by their ids, in one statement however many there are."""
        ids = [row["id"] for row in found]
        neighbour = entity.neighbours[name]
        target = entities()[neighbour.target]
        here, rows = entity.fresh(), target.fresh()
        wanted = self._wanted(target, rows, query).where(neighbour.join(here, rows)).correlate(here)
        if query.count:
            wanted = wanted.add_columns(func.count().over().label("of_all"))
        beside = self._ordered(target, rows, wanted, query).offset(query.skip).limit(query.top + 1).lateral()
        both = select(here.c.id.label("parent_id"), beside).join(beside, true())
        both = both.where(here.c.id.in_(ids), self.scope.holds(entity, here))
        groups: dict[Any, list[Row]] = {}
        for row in self._rows(both):
            groups.setdefault(row["parent_id"], []).append(row)
        return {number: self._group(entity, (number, name), target, rows, query) for number, rows in groups.items()}

    def _group(self, entity: Entity, of: tuple[Any, str], target: Entity, rows: Sequence[Row], query: Query) -> Json:
        number, name = of
        if not entity.neighbours[name].many:
            return {name: self._told(target, rows[:1], query)[0]}
        told: Json = {name: self._told(target, rows[: query.top], query)}
        if query.count:
            told[f"{name}@iot.count"] = rows[0]["of_all"]
        if len(rows) > query.top:
            told[f"{name}@iot.nextLink"] = self._next(f"{id_text(entity, number)}/{name}", query)
        return told


def _columns(entity: Entity, rows: Subquery, query: Query) -> list[ColumnElement[Any]]:
    """What is read of an entity: its id, and what is wanted of the rest."""
    made: list[ColumnElement[Any]] = [rows.c.id]
    for name, one in entity.properties.items():
        if name == "id" or (query.select is not None and name not in query.select):
            continue
        column = rows.c[one.column]
        made.append(func.ST_AsGeoJSON(column, _DECIMALS).label(one.column) if one.kind is Kind.SHAPE else column)
        if one.until is not None:
            made.append(rows.c[one.until])
    return made


def _value(one: Property, row: Row) -> Any:  # noqa: ANN401 - JSON
    value = row[one.column]
    if value is None:
        return None
    if one.kind is Kind.SHAPE:
        return json.loads(value)
    if one.kind is Kind.TIME:
        until = row[one.until] if one.until else None
        return instant(value) if until is None else f"{instant(value)}/{instant(until)}"
    return value


def instant(at: datetime) -> str:
    """A time as the standard writes it, in UTC."""
    told = at.astimezone(UTC).isoformat(timespec="microseconds" if at.microsecond else "seconds")
    return told.replace("+00:00", "Z")
