"""Plan files in, plan files out: QGroundControl `.plan`, `QGC WPL 110`, GeoJSON.

`read_plan` decides by content, never by the name alone. Every reader is strict: a fault is a refusal
with its place, a MAVLink command is supported or refused by name, and nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flights.formats import fields, geojson_line, qgc, wpl
from flights.formats.fields import Faults
from flights.model import Command, Plan
from geo.geojson import parse_document
from schemas.limits import limit
from schemas.refusals import Kind, invalid, too_large, unsupported, violation

_BOM = b"\xef\xbb\xbf"


def read_plan(data: bytes, name: str = "") -> Plan:
    """The plan in a file's bytes; `name` only helps the refusal of a kind that is not read.

    Raises RuleViolation, and nothing else, whatever the bytes: 413 above `plan.bytes`, 415 for another
    kind of file, 400 for broken syntax, 422 for content with every fault found.
    """
    if len(data) > limit("plan.bytes"):
        raise too_large("plan.bytes", measured=len(data), required=limit("plan.bytes"))
    start = data.removeprefix(_BOM).lstrip()
    if start.startswith(wpl.HEADER.encode()):
        return _checked(wpl.read(_decoded(data)))
    if start.startswith(b"{"):
        return _checked(_read_json(parse_document(data), name))
    raise unsupported("plan.format", measured=_kind(name, start))


def _read_json(document: Mapping[str, Any], name: str) -> Plan:
    if document.get("fileType") == qgc.FILE_TYPE:
        return qgc.read(document)
    kind = document.get("type")
    if isinstance(kind, str) and kind in geojson_line.TYPES:
        return geojson_line.read(document)
    what = document.get("fileType") or kind or name or "JSON"
    raise unsupported("plan.format", measured=fields.shown(what))


def _checked(plan: Plan) -> Plan:
    if not any(item.command.is_located for item in plan.items):
        raise invalid("plan.empty")
    faults = Faults()
    for number, item in enumerate(plan.items, start=1):
        if item.command is Command.DO_JUMP:
            faults.attempt(_refuse_jump, number, item.params[0], len(plan.items))
    faults.raise_any()
    return plan


def _refuse_jump(number: int, target: float | None, count: int) -> None:
    if target is None or target != int(target) or not 1 <= target <= count:
        shown = None if target is None else f"{target:g}"
        raise invalid("plan.jump_target", path=number, measured=shown, required=count)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise violation(Kind.SYNTAX, "plan.encoding", measured=error.start) from error


def _kind(name: str, start: bytes) -> str:
    return fields.shown(name or start[:12].decode("ascii", "replace") or "an empty file")


def write_plan(plan: Plan, suffix: str) -> bytes:
    """`plan` in the format that a file's suffix asks for: .plan, .waypoints, .txt, .geojson or .json."""
    writers = {
        ".plan": qgc.write,
        ".waypoints": wpl.write,
        ".txt": wpl.write,
        ".geojson": geojson_line.write,
        ".json": geojson_line.write,
    }
    writer = writers.get(suffix.lower())
    if writer is None:
        raise unsupported("plan.format", measured=fields.shown(suffix or "no suffix"))
    return writer(plan)
