"""Geographical zones for drones as authorities exchange them: EUROCAE ED-269 and ED-318, in and out. Pure.

Coordinates are longitude first in both, whatever some descriptions say. Privacy zones go out with the reason
PRIVACY, always by their displayed shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from geo.geojson import parse_document
from geo.geozones import ed269, ed318
from geo.geozones.model import Authority, Circle, Daily, Geozone, Period, Volume
from geo.geozones.strict import ZoneLoss, grouped
from schemas.refusals import unsupported

__all__ = [
    "FORMATS",
    "Authority",
    "Circle",
    "Daily",
    "Geozone",
    "Period",
    "Volume",
    "ZoneLoss",
    "format_of",
    "grouped",
    "is_geozones",
    "named",
    "read",
    "read_document",
    "write",
]

FORMATS = ("ed269", "ed318")

_WRITERS: Mapping[str, Callable[[Sequence[Geozone], str], tuple[bytes, tuple[ZoneLoss, ...]]]] = {
    "ed269": ed269.write,
    "ed318": ed318.write,
}


def format_of(document: Mapping[str, Any]) -> str | None:
    """`ed269`, `ed318`, or None for a document that is neither."""
    if ed318.is_one(document):
        return "ed318"
    return "ed269" if ed269.is_one(document) else None


def named(name: str) -> str | None:
    """The format that a file's name asks for: it says which, or is GeoJSON, as ED-318 is; None where it is open."""
    folded = name.lower().replace("-", "").replace("_", "")
    said = [known for known in FORMATS if known in folded]
    if len(said) == 1:
        return said[0]
    return "ed318" if folded.endswith(".geojson") and not said else None


def is_geozones(document: Mapping[str, Any]) -> bool:
    """Whether a decoded JSON document is one of the two."""
    return format_of(document) is not None


def read_document(document: Mapping[str, Any]) -> tuple[Geozone, ...]:
    """The zones of a decoded document; RuleViolation 422 with every fault found, 415 for another kind."""
    name = format_of(document)
    if name is None:
        raise unsupported("zones.format", measured="JSON")
    return ed318.read(document) if name == "ed318" else ed269.read(document)


def read(data: bytes) -> tuple[Geozone, ...]:
    """The zones in a file's bytes; RuleViolation and nothing else, whatever the bytes."""
    return read_document(parse_document(data))


def write(zones: Sequence[Geozone], name: str, title: str = "") -> tuple[bytes, tuple[ZoneLoss, ...]]:
    """The zones in the format `name`, one of `FORMATS`, with everything that it cannot carry."""
    writer = _WRITERS.get(name)
    if writer is None:
        raise unsupported("zones.format", measured=name)
    return writer(zones, title)
