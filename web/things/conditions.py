"""From the tree of a condition to an expression of SQLAlchemy; every value of the text becomes a bound parameter.

A condition that leads to another entity holds where there is one such entity for which it holds. What is compared must
be of one kind, so that nothing is decided by how a database converts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from geoalchemy2 import Geography, Geometry
from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Numeric,
    Text,
    and_,
    cast,
    exists,
    extract,
    func,
    literal,
    not_,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.tables.base import SRID
from web.things.grammar import COMPARISONS, Binary, Call, Literal, Node, Not, Path, malformed
from web.things.model import Entity, Kind, Scope, entities
from web.things.shapes import read_shape

_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a.is_distinct_from(b),
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_NUM, _TXT, _TIM, _SHP = Kind.NUMBER, Kind.TEXT, Kind.TIME, Kind.SHAPE
Value = tuple[ColumnElement[Any], Kind | None]


def _metres(shape: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(shape, Geography(srid=SRID))


def _escaped(text: ColumnElement[Any], part: ColumnElement[Any]) -> ColumnElement[bool]:
    return func.strpos(text, part) > 0


@dataclass(frozen=True)
class _Function:
    takes: tuple[Kind, ...]
    gives: Kind
    make: Callable[..., ColumnElement[Any]]


def _part(name: str) -> _Function:
    return _Function((_TIM,), _NUM, lambda t: cast(extract(name, func.timezone("UTC", t)), Double))


def _relation(name: str) -> _Function:
    return _Function((_SHP, _SHP), Kind.BOOLEAN, lambda a, b: getattr(func, name)(a, b))


_FUNCTIONS: dict[str, _Function] = {
    "substringof": _Function((_TXT, _TXT), Kind.BOOLEAN, lambda part, text: _escaped(text, part)),
    "contains": _Function((_TXT, _TXT), Kind.BOOLEAN, _escaped),
    "startswith": _Function((_TXT, _TXT), Kind.BOOLEAN, func.starts_with),
    "endswith": _Function((_TXT, _TXT), Kind.BOOLEAN, lambda a, b: func.right(a, func.length(b)) == b),
    "length": _Function((_TXT,), _NUM, func.length),
    "indexof": _Function((_TXT, _TXT), _NUM, lambda text, part: func.strpos(text, part) - 1),
    "tolower": _Function((_TXT,), _TXT, func.lower),
    "toupper": _Function((_TXT,), _TXT, func.upper),
    "trim": _Function((_TXT,), _TXT, func.btrim),
    "concat": _Function((_TXT, _TXT), _TXT, func.concat),
    "year": _part("year"),
    "month": _part("month"),
    "day": _part("day"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "second": _Function((_TIM,), _NUM, lambda t: func.floor(cast(extract("second", t), Double))),
    "fractionalseconds": _Function(
        (_TIM,), _NUM, lambda t: cast(extract("second", t), Double) - func.floor(cast(extract("second", t), Double))
    ),
    "date": _Function((_TIM,), _TIM, lambda t: func.date_trunc("day", t, "UTC")),
    "now": _Function((), _TIM, func.now),
    "round": _Function((_NUM,), _NUM, func.round),
    "floor": _Function((_NUM,), _NUM, func.floor),
    "ceiling": _Function((_NUM,), _NUM, func.ceiling),
    "geo.distance": _Function((_SHP, _SHP), _NUM, lambda a, b: func.ST_Distance(_metres(a), _metres(b))),
    "geo.length": _Function((_SHP,), _NUM, lambda a: func.ST_Length(_metres(a))),
    "geo.intersects": _relation("ST_Intersects"),
} | {
    f"st_{name}": _relation(f"ST_{name}")
    for name in ("equals", "disjoint", "touches", "within", "overlaps", "crosses", "intersects", "contains")
}
_ARITHMETIC: dict[str, Callable[[Any, Any], ColumnElement[Any]]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / func.nullif(b, 0),
    "mod": lambda a, b: cast(func.mod(cast(a, Numeric), func.nullif(cast(b, Numeric), 0)), Double),
}


@dataclass
class _Reach:
    """Other entities that one comparison leads to, each once, and how they hang together."""

    scope: Scope
    start: FromClause
    found: dict[tuple[str, ...], tuple[FromClause, Entity]] = field(default_factory=dict)
    joins: list[ColumnElement[bool]] = field(default_factory=list)

    def to(self, here: tuple[FromClause, Entity], names: tuple[str, ...], name: str) -> tuple[FromClause, Entity]:
        """The rows of a neighbour of an entity that was reached by `names`."""
        path = (*names, name)
        if path not in self.found:
            rows, entity = here
            neighbour = entity.neighbours[name]
            target = entities()[neighbour.target]
            there = target.fresh()
            self.joins += [neighbour.join(rows, there), self.scope.holds(target, there)]
            self.found[path] = there, target
        return self.found[path]


class Conditions:
    """Makes the expressions of one query on the rows of one entity."""

    def __init__(self, entity: Entity, rows: FromClause, scope: Scope, name: str = "$filter") -> None:
        self._entity, self._rows, self._scope, self._name = entity, rows, scope, name

    def condition(self, node: Node) -> ColumnElement[bool]:
        """A condition; raises RuleViolation 400 where the tree is none."""
        match node:
            case Binary("and", left, right):
                return and_(self.condition(left), self.condition(right))
            case Binary("or", left, right):
                return or_(self.condition(left), self.condition(right))
            case Not(inner):
                return not_(func.coalesce(self.condition(inner), False))
        reach = _Reach(self._scope, self._rows)
        made, kind = self._value(node, reach)
        if kind is not Kind.BOOLEAN:
            raise malformed(self._name, _shown(node), "a condition")
        if not reach.found:
            return made
        others = [rows for rows, _ in reach.found.values()]
        return exists(select(literal(1)).select_from(*others).where(*reach.joins, made).correlate(self._rows))

    def order(self, node: Node) -> ColumnElement[Any]:
        """What rows are ordered by; of another entity there is no more than one value."""
        reach = _Reach(self._scope, self._rows)
        made, _ = self._value(node, reach)
        if not reach.found:
            return made
        others = [rows for rows, _ in reach.found.values()]
        return select(func.min(made)).select_from(*others).where(*reach.joins).correlate(self._rows).scalar_subquery()

    def _value(self, node: Node, reach: _Reach) -> Value:
        match node:
            case Literal():
                return _constant(node, self._name)
            case Path(names):
                return self._column(names, reach)
            case Call(name, arguments):
                return self._call(name, arguments, reach)
            case Binary(operator, left, right) if operator in COMPARISONS:
                return self._comparison(operator, self._value(left, reach), self._value(right, reach), node)
            case Binary(operator, left, right) if operator in _ARITHMETIC:
                sides = [self._value(one, reach) for one in (left, right)]
                if any(kind is not _NUM for _, kind in sides):
                    raise malformed(self._name, _shown(node), f"numbers on both sides of {operator}")
                return _ARITHMETIC[operator](sides[0][0], sides[1][0]), _NUM
        return self.condition(node), Kind.BOOLEAN

    def _column(self, names: tuple[str, ...], reach: _Reach) -> Value:
        rows, entity = self._rows, self._entity
        for number, name in enumerate(names):
            if name in entity.neighbours:
                rows, entity = reach.to((rows, entity), names[:number], name)
                continue
            found = entity.properties.get("id" if name in ("id", "@iot.id") else name)
            rest = names[number + 1 :]
            if found is None or (rest and found.kind is not Kind.JSON):
                break
            column: ColumnElement[Any] = rows.c[found.column]
            if rest:
                return func.jsonb_extract_path(column, *rest), Kind.JSON
            return column, found.kind
        known = ", ".join((*entity.properties, *entity.neighbours))
        raise malformed(self._name, "/".join(names)[:60], known)

    def _call(self, name: str, arguments: tuple[Node, ...], reach: _Reach) -> Value:
        known = _FUNCTIONS.get(name)
        if known is None:
            raise malformed(self._name, f"{name[:40]}()", ", ".join(sorted(_FUNCTIONS)))
        given = [self._value(one, reach) for one in arguments]
        made = [_as(column, kind, wanted) for (column, kind), wanted in zip(given, known.takes, strict=False)]
        if len(given) != len(known.takes) or any(one is None for one in made):
            raise malformed(self._name, f"{name}()", f"{name}({', '.join(known.takes)})")
        return known.make(*made), known.gives

    def _comparison(self, operator: str, left: Value, right: Value, node: Node) -> Value:
        (one, kind), (other, other_kind) = left, right
        if kind is None or other_kind is None:
            if operator not in ("eq", "ne"):
                raise malformed(self._name, _shown(node), "eq null or ne null")
            told = other if kind is None else one
            return (told.is_(None) if operator == "eq" else told.is_not(None)), Kind.BOOLEAN
        if Kind.JSON in (kind, other_kind):
            one, other = (_json(side, of) for side, of in ((one, kind), (other, other_kind)))
        elif kind is not other_kind or (kind is _SHP):
            raise malformed(self._name, _shown(node), f"two values of one kind, not {kind} and {other_kind}")
        return _COMPARE[operator](one, other), Kind.BOOLEAN


def _json(side: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
    return side if kind is Kind.JSON else func.to_jsonb(side)


def _as(column: ColumnElement[Any], kind: Kind | None, wanted: Kind) -> ColumnElement[Any] | None:
    if kind is wanted:
        return column
    if kind is Kind.JSON and wanted is _TXT:
        return column.op("#>>")(cast(literal([], ARRAY(Text)), ARRAY(Text)))
    return None


def _constant(node: Literal, name: str) -> Value:
    value: Any = node.value
    match node.kind:
        case "null":
            return null(), None
        case "text":
            return literal(str(value)), _TXT
        case "boolean":
            return literal(bool(value)), Kind.BOOLEAN
        case "time":
            return literal(value), _TIM
        case "shape":
            shape = read_shape(str(value), name)
            return cast(func.ST_GeomFromGeoJSON(shape), Geometry(srid=SRID)), _SHP
    return cast(literal(float(value)), Double), _NUM


def _shown(node: Node) -> str:
    match node:
        case Literal(value):
            return str(value)[:60]
        case Path(names):
            return "/".join(names)[:60]
        case Call(name):
            return f"{name}()"
        case Binary(operator, left, right):
            return f"{_shown(left)} {operator} {_shown(right)}"[:60]
        case Not(inner):
            return f"not {_shown(inner)}"[:60]
