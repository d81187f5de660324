"""Strict readings of single values out of foreign documents, each refusal with the place of the fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from flights.model import Command, Frame
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid

MAX_ALT_M = 20_000.0
"""Heights beyond this, either way, are slips of the keyboard."""

MAX_PARAM = 1e9
MAX_REFUSALS = 50

_MOST_E7 = 1.8e9
_LEAST_E7 = 1e5
# Within 10 m of 0, 0: what degrees become that are taken for units of 1e-7.
_NOWHERE_DEG = 1e-4

# What may be asked for in words; the others of schemas/texts/flights.toml name a shape or a value.
_KINDS = frozenset({"object", "array", "number", "integer", "positive", "corners"})

P = ParamSpec("P")
T = TypeVar("T")


class Faults:
    """Collects the refusals of many items, so that a pilot sees all of them at once."""

    def __init__(self) -> None:
        self._refusals: list[Refusal] = []

    def attempt(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result of `read(*args)`, or None with its refusals kept."""
        try:
            return read(*args, **kwargs)
        except RuleViolation as violation:
            self._refusals.extend(violation.refusals)
            if len(self._refusals) >= MAX_REFUSALS:
                self.raise_any()
            return None

    def raise_any(self) -> None:
        """Raises RuleViolation 422 with everything kept, if anything was."""
        if self._refusals:
            raise RuleViolation(Kind.INVALID, self._refusals[:MAX_REFUSALS])


def shown(value: object) -> str:
    """A short, printable form of a foreign value, as JSON would write it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    text = value if isinstance(value, str) else f"{value:.10g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text[:60])
    return text if len(text) <= 40 else text[:40] + "..."


def wrong(path: str, value: object, required: str | int) -> RuleViolation:
    """A refusal of a value that is not what `required` says: a word of `_KINDS`, else a value or its shape."""
    text = f"plan.field_{required}" if required in _KINDS else "plan.field"
    said = None if required in _KINDS else required
    return invalid("plan.field", text, path=path, measured=shown(value), required=said)


def mapping(value: object, path: str) -> Mapping[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise wrong(path, value, "object")
    return value


def array(value: object, path: str, size: int | None = None) -> list[Any]:
    """`value` as a JSON array, of exactly `size` members when that is given."""
    if not isinstance(value, list) or (size is not None and len(value) != size):
        raise (
            wrong(path, value, "array")
            if size is None
            else invalid("plan.field", "plan.field_array_of", path=path, measured=shown(value), required=size)
        )
    return value


def number(value: object, path: str, most: float = MAX_PARAM) -> float:
    """`value` as a finite number of at most `most` either way."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        # In quotes, or the text "23.1" would seem to be the number that is asked for.
        raise wrong(path, f'"{shown(value)}"' if isinstance(value, str) else value, "number")
    if not -most <= value <= most:
        raise wrong(path, value, f"{-most:g} … {most:g}")
    return float(value)


def optional_number(value: object, path: str) -> float | None:
    """`value` as a finite number; None where the document says null."""
    return None if value is None else number(value, path)


def integer(value: object, path: str) -> int:
    """`value` as an integer; 3.0 is one, as some writers put it so."""
    whole = number(value, path)
    if whole != int(whole):
        raise wrong(path, value, "integer")
    return int(whole)


def boolean(value: object, path: str) -> bool:
    """`value` as true or false."""
    if not isinstance(value, bool):
        raise wrong(path, value, "true, false")
    return value


def version(value: object, path: str, known: int) -> None:
    """Refuses a part of a document written to another version than the one known here."""
    if value != known or isinstance(value, bool):
        raise invalid("plan.version", path=path, measured=shown(value), required=known)


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


def written_number(word: str, path: str) -> float:
    """A number written as text, in plain ASCII digits."""
    if _NUMBER.fullmatch(word) and math.isfinite(float(word)):
        return float(word)
    if _NUMBER.fullmatch(word) or _NOT_FINITE.fullmatch(word):
        raise invalid("geometry.not_finite", "plan.not_finite", path=path, measured=word)
    raise wrong(path, word, "number")


def place(lat: object, lon: object, path: str, *, lat_first: bool = True) -> LonLat:
    """A position; refused outside the globe. `lat_first` tells which order the file's format has."""
    lat_deg, lon_deg = number(lat, f"{path} latitude", _MOST_E7), number(lon, f"{path} longitude", _MOST_E7)
    shown_as = f"{lat_deg:.10g}, {lon_deg:.10g}"
    if max(abs(lat_deg), abs(lon_deg)) < _NOWHERE_DEG:
        # Degrees divided by 1e7 once too often: a place off Africa where nobody flies.
        raise invalid("geometry.out_of_range", "plan.scaled_down", path=path, measured=shown_as)
    if -90 <= lat_deg <= 90 and -180 <= lon_deg <= 180:
        return LonLat(lon_deg, lat_deg)
    swapped = -90 <= lon_deg <= 90 and -180 <= lat_deg <= 180
    scaled = max(abs(lat_deg), abs(lon_deg)) > _LEAST_E7
    exchanged = "plan.swapped" if lat_first else "geometry.swapped"
    text = "plan.scaled_up" if scaled else exchanged if swapped else "plan.out_of_range"
    raise invalid("geometry.out_of_range", text, path=path, measured=shown_as)


def somewhere(lat: object, lon: object, path: str) -> LonLat | None:
    """As `place`, but None where a file gives 0, 0 or nothing, which means "here" to an autopilot."""
    if (lat is None and lon is None) or (lat == 0 and lon == 0):
        return None
    return place(lat, lon, path)


def altitude_m(value: object, path: str) -> float:
    """A height or altitude in metres."""
    return number(value, path, MAX_ALT_M)


def frame(value: object, path: str, command: Command) -> Frame:
    """The frame of an item; a command with a place needs one of the global frames."""
    code = integer(value, path)
    if code in set(Frame):
        found = Frame(code).plain
        if not command.is_located:
            return Frame.MISSION
        if found is not Frame.MISSION:
            return found
    raise invalid("plan.frame", path=path, measured=code, command=command.mavlink_name)


def refuse_many(count: int, name: str, rule: str) -> None:
    """Refuses more than the limit `name` allows of anything that is counted."""
    if count > limit(name):
        raise invalid(rule, measured=count, required=limit(name))
