"""Which format a file is in, by its content, and the plan that its reader makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flights.formats import archive, fields, geojson_line, kml, markup, qgc, wpl, wpml
from flights.formats.fields import Faults
from flights.model import Command, Plan
from geo.geojson import parse_document
from schemas.limits import limit
from schemas.refusals import Kind, invalid, too_large, unsupported, violation

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_KMZ = ".kmz"


def read_plan(data: bytes, name: str = "") -> Plan:
    """The plan in a file's bytes; `name` only helps the refusal of a kind that is not read.

    Raises RuleViolation, and nothing else, whatever the bytes: 413 above `plan.bytes`, 415 for another
    kind of file, 400 for broken syntax, 422 for content with every fault found.
    """
    if len(data) > limit("plan.bytes"):
        raise too_large("plan.bytes", measured=len(data), required=limit("plan.bytes"))
    start = data.removeprefix(_BOM).lstrip()
    if data.startswith(archive.MAGIC):
        return _checked(_read_archive(data))
    if start.startswith(wpl.HEADER.encode()):
        return _checked(wpl.read(_decoded(data)))
    if start.startswith(b"{"):
        return _checked(_read_json(parse_document(data), name))
    if markup.is_xml(data):
        return _checked(_read_xml(data, name))
    if data.startswith(_UTF16):
        raise violation(Kind.SYNTAX, "plan.encoding", measured=0)
    if name.lower().endswith(_KMZ) and archive.MAGIC in data:
        raise invalid("archive.framing")
    raise unsupported("plan.format", measured=_kind(name, start))


def _read_json(document: Mapping[str, Any], name: str) -> Plan:
    if document.get("fileType") == qgc.FILE_TYPE:
        return qgc.read(document)
    kind = document.get("type")
    if isinstance(kind, str) and kind in geojson_line.TYPES:
        return geojson_line.read(document)
    what = document.get("fileType") or kind or name or "JSON"
    raise unsupported("plan.format", measured=fields.shown(what))


def _read_xml(data: bytes, name: str) -> Plan:
    root = markup.parse(data)
    if markup.local(root) != "kml":
        raise unsupported("plan.format", measured=_kind(name, markup.local(root).encode()))
    return wpml.read(root, None) if wpml.is_mission(root) else kml.read(root)


def _read_archive(data: bytes) -> Plan:
    """The plan of a KMZ: a DJI mission, or the one KML document in it."""
    found = archive.entries(data)
    parts = {name.rpartition("/")[2].lower(): entry for name, entry in found.items() if name.count("/") <= 1}
    documents = [entry for name, entry in found.items() if name.lower().endswith(".kml")]
    most = limit("plan.bytes")
    if "waylines.wpml" in parts:
        template = parts.get("template.kml")
        return wpml.read(
            markup.parse(archive.unpacked(data, parts["waylines.wpml"], most)),
            None if template is None else markup.parse(archive.unpacked(data, template, most)),
        )
    if len(documents) != 1:
        raise invalid("archive.content", measured=f"{len(documents)} .kml")
    root = markup.parse(archive.unpacked(data, documents[0], most))
    return wpml.read(root, None) if wpml.is_mission(root) else kml.read(root)


def _checked(plan: Plan) -> Plan:
    if not any(item.command.is_flown_to for item in plan.items):
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
