"""Pure: the path of a resource, such as `Things('DV-1')/Datastreams(3)/Observations`, read into its steps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.refusals import not_found
from web.things.model import Entity, entities

_STEP = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<id>\d{1,18}|'[\w.@-]{1,80}')\))?", re.ASCII)
_LONGEST = 8


@dataclass(frozen=True)
class Step:
    """One step: a set or a neighbour by name, and the id of one entity in it."""

    name: str
    id: int | str | None


@dataclass(frozen=True)
class Resource:
    """What a path names: steps from a set on, a property of the last one, its bare value, or references alone."""

    steps: tuple[Step, ...]
    property: str | None = None
    bare: bool = False
    references: bool = False


def read_path(path: str) -> Resource:
    """The resource behind a path; raises RuleViolation 404 for one that cannot be."""
    parts = path.strip("/").split("/")
    references, bare = parts[-1] == "$ref", parts[-1] == "$value"
    if references or bare:
        parts = parts[:-1]
    if not parts or len(parts) > _LONGEST:
        raise unknown(path)
    first, known = _step(parts[0], path), entities().get(_step(parts[0], path).name)
    if known is None:
        raise unknown(path)
    steps, entity, many = [_checked(first, known, path)], known, first.id is None
    for number, part in enumerate(parts[1:], start=1):
        step = _step(part, path)
        neighbour = entity.neighbours.get(step.name)
        if many or (neighbour is not None and step.id is not None and not neighbour.many):
            raise unknown(path)
        if neighbour is None:
            if step.name not in entity.properties or number < len(parts) - 1 or step.id is not None:
                raise unknown(path)
            return Resource(tuple(steps), step.name, bare=bare)
        entity = entities()[neighbour.target]
        many = neighbour.many and step.id is None
        steps.append(_checked(step, entity, path))
    if bare:
        raise unknown(path)
    return Resource(tuple(steps), references=references)


def _step(part: str, path: str) -> Step:
    found = _STEP.fullmatch(part)
    if found is None:
        raise unknown(path)
    told = found["id"]
    if told is None:
        return Step(found["name"], None)
    return Step(found["name"], told[1:-1] if told.startswith("'") else int(told))


def _checked(step: Step, entity: Entity, path: str) -> Step:
    """The step, if its id is of the kind that ids of the entity are."""
    if step.id is None or isinstance(step.id, int) == entity.id_is_number:
        return step
    raise unknown(path)


def unknown(path: str) -> Exception:
    """The refusal of a path that leads nowhere, or to what somebody may not see."""
    return not_found("thing.unknown", "things.unknown", measured=path[:80])


def id_text(entity: Entity, number: object) -> str:
    """An entity's id as it stands in an address."""
    return f"{entity.plural}({number})" if entity.id_is_number else f"{entity.plural}('{number}')"
