"""Pure: conditions and values of SensorThings queries (`$filter`, `$orderby`) from text to a small tree.

Nothing here knows the database. Whatever is not in this grammar is refused, with the place where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, violation

COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
_SUMS, _PRODUCTS = ("add", "sub"), ("mul", "div", "mod")
_WORDS = {*COMPARISONS, *_SUMS, *_PRODUCTS, "and", "or", "not"}


@dataclass(frozen=True)
class Literal:
    """A value that stands in the text; a shape is its well-known text, still unread."""

    value: str | float | bool | datetime | None
    kind: str  # text | number | boolean | time | null | shape


@dataclass(frozen=True)
class Path:
    """A property, of this entity or of one that it leads to."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A function of the standard."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Binary:
    """A comparison, a sum, a product, or two conditions."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Not:
    """A condition turned round."""

    inner: Node


Node = Literal | Path | Call | Binary | Not

_TOKENS = re.compile(
    r"\s*(?:"
    r"(?P<shape>geography'[^']*')"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<number>-?\d{1,17}(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?)"
    r"|(?P<name>@?[A-Za-z_][\w.]*(?:/@?[A-Za-z_][\w.]*)*)"
    r"|(?P<mark>[(),]))",
    re.ASCII,
)


def malformed(name: str, measured: str, required: str) -> RuleViolation:
    """The refusal of a query that cannot be read (400, as the standard says)."""
    return violation(Kind.SYNTAX, "query.malformed", "things.query", name=name, measured=measured, required=required)


def parse(text: str, name: str = "$filter") -> Node:
    """The tree of a condition; raises RuleViolation 400 with the place of what cannot be read."""
    if len(text) > limit("things.filter"):
        raise malformed(name, f"{len(text)} characters", f"at most {limit('things.filter')} characters")
    reader = _Reader(text, name)
    node = reader.condition(0)
    if reader.kind is not None:
        raise reader.unexpected("the end")
    return node


class _Reader:
    """Reads one token ahead; every level of nesting is counted."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._tokens = self._split(text)
        self.kind: str | None = None
        self.value, self.at = "", 0
        self._next()

    def _split(self, text: str) -> Iterator[tuple[str, str, int]]:
        at = 0
        while text[at:].strip():
            found = _TOKENS.match(text, at)
            if found is None or found.lastgroup is None:
                raise malformed(self._name, f"“{text[at : at + 20].strip()}” at {at + 1}", "a name, value or operator")
            yield found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)
            at = found.end()

    def _next(self) -> str:
        value = self.value
        self.kind, self.value, self.at = next(self._tokens, (None, "", self.at + len(self.value)))
        return value

    def unexpected(self, required: str) -> RuleViolation:
        """What stands here is not what should."""
        shown = f"“{self.value[:20]}” at {self.at + 1}" if self.kind else "the end"
        return malformed(self._name, shown, required)

    def _is(self, *words: str) -> bool:
        return self.kind == "name" and self.value in words

    def _mark(self, mark: str) -> bool:
        if self.kind == "mark" and self.value == mark:
            self._next()
            return True
        return False

    def condition(self, depth: int) -> Node:
        """Conditions joined by `or`."""
        self._count(depth)
        node = self._all(depth)
        while self._is("or"):
            node = Binary(self._next(), node, self._all(depth))
        return node

    def _count(self, depth: int) -> None:
        if depth > limit("things.depth"):
            raise malformed(self._name, f"{depth} levels", f"at most {limit('things.depth')} levels")

    def _all(self, depth: int) -> Node:
        node = self._one(depth)
        while self._is("and"):
            node = Binary(self._next(), node, self._one(depth))
        return node

    def _one(self, depth: int) -> Node:
        self._count(depth)
        if self._is("not"):
            self._next()
            return Not(self._one(depth + 1))
        node = self._sum(depth)
        if self._is(*COMPARISONS):
            node = Binary(self._next(), node, self._sum(depth))
        return node

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while self._is(*_SUMS):
            node = Binary(self._next(), node, self._product(depth))
        return node

    def _product(self, depth: int) -> Node:
        node = self._value(depth)
        while self._is(*_PRODUCTS):
            node = Binary(self._next(), node, self._value(depth))
        return node

    def _value(self, depth: int) -> Node:
        if self._mark("("):
            node = self.condition(depth + 1)
            if not self._mark(")"):
                raise self.unexpected(")")
            return node
        match self.kind:
            case "text":
                return Literal(self._next()[1:-1].replace("''", "'"), "text")
            case "shape":
                return Literal(self._next()[len("geography'") : -1], "shape")
            case "number":
                return Literal(float(self._next()), "number")
            case "time":
                return self._time()
            case "name" if self.value not in _WORDS:
                return self._named(depth)
        raise self.unexpected("a name or a value")

    def _time(self) -> Literal:
        try:
            read = datetime.fromisoformat(self.value)
        except ValueError:
            raise self.unexpected("a time such as 2025-07-01T00:00:00Z") from None
        self._next()
        return Literal(read.replace(tzinfo=UTC) if read.tzinfo is None else read, "time")

    def _named(self, depth: int) -> Node:
        name = self._next()
        if not self._mark("("):
            known = {
                "true": Literal(True, "boolean"),
                "false": Literal(False, "boolean"),
                "null": Literal(None, "null"),
            }
            return known.get(name) or Path(tuple(name.split("/")))
        arguments: list[Node] = []
        if not self._mark(")"):
            arguments.append(self.condition(depth + 1))
            while self._mark(","):
                arguments.append(self.condition(depth + 1))
            if not self._mark(")"):
                raise self.unexpected(")")
        return Call(name, tuple(arguments))
