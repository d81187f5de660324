"""Pure: the options of a query (`$filter`, `$expand`, `$select`, `$orderby`, `$top`, `$skip`, `$count`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from schemas.limits import limit
from web.things.grammar import Node, malformed, parse
from web.things.model import Entity, entities

USUAL_PAGE = 100
_NUMBERS = ("$top", "$skip")
_KNOWN = ("$filter", "$expand", "$select", "$orderby", "$count", *_NUMBERS)


@dataclass(frozen=True)
class Query:
    """What is asked of one list; `raw` are the options as they came, for the link to the next page."""

    filter: Node | None = None
    order: tuple[tuple[Node, bool], ...] = ()  # and whether downwards
    top: int = USUAL_PAGE
    skip: int = 0
    count: bool = False
    select: frozenset[str] | None = None
    expand: Mapping[str, Query] = field(default_factory=dict)
    raw: tuple[tuple[str, str], ...] = ()


def read_query(entity: Entity, pairs: Iterable[tuple[str, str]], depth: int = 0) -> Query:
    """The options of a query on an entity; raises RuleViolation 400 for one that is unknown, twice there or unclear."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _KNOWN or name in given:
            raise malformed(name[:40], value[:40], ", ".join(_KNOWN))
        given[name] = value
    query = Query(raw=tuple(given.items()), top=_number(given, "$top", USUAL_PAGE), skip=_number(given, "$skip", 0))
    if query.top > limit("things.page"):
        query = replace(query, top=limit("things.page"))
    if "$count" in given:
        if given["$count"] not in ("true", "false"):
            raise malformed("$count", given["$count"][:40], "true or false")
        query = replace(query, count=given["$count"] == "true")
    return replace(
        query,
        filter=parse(given["$filter"]) if "$filter" in given else None,
        order=tuple(_orders(given["$orderby"])) if "$orderby" in given else (),
        select=_selected(entity, given["$select"]) if "$select" in given else None,
        expand=_expanded(entity, given["$expand"], depth + 1) if "$expand" in given else {},
    )


def _number(given: Mapping[str, str], name: str, usual: int) -> int:
    value = given.get(name)
    if value is None:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise malformed(name, value[:40], "a whole number")
    return int(value)


def _orders(text: str) -> Iterable[tuple[Node, bool]]:
    for one in split(text, ",", "$orderby"):
        words = one.strip()
        for end in (" asc", " desc"):
            # Clients in the field write DESC too.
            if words.lower().endswith(end):
                yield parse(words[: -len(end)], "$orderby"), end == " desc"
                break
        else:
            yield parse(words, "$orderby"), False


def _selected(entity: Entity, text: str) -> frozenset[str]:
    names = {name.strip() for name in text.split(",")}
    known = {*entity.properties, *entity.neighbours, "@iot.id"}
    if unknown := sorted(names - known):
        raise malformed("$select", unknown[0][:40], ", ".join(sorted(known)))
    return frozenset("id" if name == "@iot.id" else name for name in names)


def _expanded(entity: Entity, text: str, depth: int) -> dict[str, Query]:
    if depth > limit("things.expand"):
        raise malformed("$expand", f"{depth} levels", f"at most {limit('things.expand')} levels")
    found: dict[str, Query] = {}
    for one in split(text, ",", "$expand"):
        path, bracket, rest = one.strip().partition("(")
        name, _, further = path.strip().partition("/")
        if name not in entity.neighbours or name in found or (bracket and not rest.endswith(")")):
            raise malformed("$expand", one.strip()[:40], ", ".join(entity.neighbours))
        pairs = [_pair(option) for option in split(rest[:-1], ";", "$expand")] if bracket else []
        if further:
            # The short form of earlier clients: Datastreams/ObservedProperty.
            pairs = [("$expand", one.strip()[len(name) + 1 :])]
        found[name] = read_query(entities()[entity.neighbours[name].target], pairs, depth)
    return found


def _pair(option: str) -> tuple[str, str]:
    name, _, value = option.strip().partition("=")
    return name, value


def split(text: str, mark: str, name: str) -> list[str]:
    """The parts of a text between marks that stand in no brackets and no quotes; raises RuleViolation 400."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                break
        elif char == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth or quoted:
        raise malformed(name, text[:40], "brackets and quotes that are closed")
    return [*parts, text[start:]]
