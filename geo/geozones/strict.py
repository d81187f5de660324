"""Strict readings of single values out of zone documents, and how what is lost in writing is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, TypeVar

from shapely.geometry import Polygon

from geo.geojson import parse_geometry, refuse_off_earth
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, too_large

MOST_FAULTS = 50
Read = TypeVar("Read")

MOST_M = 100_000.0
_SHOWN_ZONES = 3

_LOSSES: Mapping[str, Mapping[str, str]] = {
    "languages": {"en": "{zone}: texts in more than one language", "zh": "{zone}：多语言文本"},
    "language": {"en": "{zone}: which language its texts are in", "zh": "{zone}：文本的语言"},
    "conditions": {"en": "{zone}: conditions as a list; they were joined", "zh": "{zone}：条件列表，已合并"},
    "uspace_class": {"en": "{zone}: the U-space class", "zh": "{zone}：U-space 等级"},
    "variant": {
        "en": "{zone}: the type {detail}; CUSTOMIZED was written",
        "zh": "{zone}：类型 {detail}，写为 CUSTOMIZED",
    },
    "reason": {"en": "{zone}: the reason {detail}; OTHER was written", "zh": "{zone}：原因 {detail}，写为 OTHER"},
    "restriction": {
        "en": "{zone}: the type {detail}; CONDITIONAL was written",
        "zh": "{zone}：类型 {detail}，写为 CONDITIONAL",
    },
    "events": {
        "en": "{zone}: hours by sunrise and sunset; the whole day was written",
        "zh": "{zone}：按日出日落的时段，写为全天",
    },
    "authority": {
        "en": "{zone}: that it names no authority; an empty one was written, which the format needs",
        "zh": "{zone}：未写明管理机构，按格式要求写入空机构",
    },
    "purpose": {
        "en": "{zone}: an authority without a purpose; INFORMATION was written",
        "zh": "{zone}：管理机构未写明用途，写为 INFORMATION",
    },
    "open_lower": {
        "en": "{zone}: that there is no lower end; 0 m above ground was written",
        "zh": "{zone}：无下界，写为离地 0 米",
    },
    "open_upper": {
        "en": "{zone}: that there is no upper end; 20,000 m above ground was written",
        "zh": "{zone}：无上界，写为离地 20,000 米",
    },
    "buffer": {
        "en": "{zone}: the {detail} m to be kept around the shape; only an extended property says it",
        "zh": "{zone}：图形周围须保持的 {detail} 米，仅写入扩展属性",
    },
    "shortened": {
        "en": "{zone}: the end of a text longer than {detail} characters",
        "zh": "{zone}：超过 {detail} 字的文本末尾",
    },
    "radius": {
        "en": "{zone}: in what its radius is measured; metres were taken, though its heights are in feet",
        "zh": "{zone}：半径的单位，高度为英尺，半径按米处理",
    },
}


@dataclass(frozen=True, slots=True)
class ZoneLoss:
    """One thing of one zone that a written document does not carry."""

    what: str
    zone: str
    detail: str = ""

    def message(self, lang: str = "en") -> str:
        """What is lost, in words."""
        return _LOSSES[self.what][lang].format(zone=self.zone, detail=self.detail)

    def render(self, lang: str = "en") -> dict[str, str]:
        """The loss as a JSON object."""
        return {"what": self.what, "zone": self.zone, "detail": self.detail, "message": self.message(lang)}


def grouped(losses: Iterable[ZoneLoss], lang: str = "en") -> list[str]:
    """The losses in words, the same loss of many zones in one sentence."""
    zones: dict[tuple[str, str], list[str]] = {}
    for loss in dict.fromkeys(losses):
        zones.setdefault((loss.what, loss.detail), []).append(loss.zone)
    return [ZoneLoss(what, _listed(names, lang), detail).message(lang) for (what, detail), names in zones.items()]


def _listed(names: Sequence[str], lang: str) -> str:
    if len(names) <= _SHOWN_ZONES:
        return ("、" if lang == "zh" else ", ").join(names)
    first = names[:_SHOWN_ZONES]
    if lang == "zh":
        return f"{'、'.join(first)} 等 {len(names)} 个区域"
    return f"{', '.join(first)} and {len(names) - len(first)} more"


def language_of(text: str) -> str:
    """Which of the two languages of this house a text is in."""
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else "en"


def shown(value: object) -> str:
    """A short, printable form of somebody else's value."""
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    text = "null" if value is None else str(value)
    return "".join(c if c.isprintable() else "?" for c in text[:40])


def wrong(path: str, value: object, required: str) -> Exception:
    """A refusal of a value that is not what `required` says."""
    return invalid("zones.field", path=path, measured=shown(value), required=required)


def mapping(value: object, path: str) -> Mapping[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise wrong(path, value, "{...}")
    return value


def array(value: object, path: str, most: int = 1_000) -> list[Any]:
    """`value` as a JSON array of at most `most` members; a missing one is empty."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise wrong(path, value, f"[0 … {most}]")
    return value


def text(value: object, path: str, most: int) -> str | None:
    """`value` as a text of at most `most` characters; None where it is missing or blank."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > most:
        raise wrong(path, value, f"text, {most}")
    return value.strip() or None


def needed(value: object, path: str, most: int) -> str:
    """As `text`, refused where there is none."""
    found = text(value, path, most)
    if found is None:
        raise wrong(path, value, f"text, 1 … {most}")
    return found


def word(value: object, path: str, known: Collection[str]) -> str:
    """`value` as one of the words `known`, in any case."""
    if not isinstance(value, str) or value.upper() not in known:
        raise wrong(path, value, ", ".join(known))
    return value.upper()


def number(value: object, path: str, least: float = -MOST_M, most: float = MOST_M) -> float:
    """`value` as a finite number between two others."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise wrong(path, value, f"{least:g} … {most:g}")
    return float(value)


def integer(value: object, path: str) -> int | None:
    """`value` as an integer, None where it is missing."""
    if value is None:
        return None
    whole = number(value, path, -1e9, 1e9)
    if whole != int(whole):
        raise wrong(path, value, "1, 2, 3 …")
    return int(whole)


def instant(value: object, path: str) -> datetime | None:
    """An ISO 8601 time with its offset; None where it is missing."""
    written = text(value, path, 40)
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise wrong(path, value, "2025-06-01T08:00:00Z") from error
    if found.tzinfo is None:
        raise wrong(path, value, "2025-06-01T08:00:00Z")
    return found


def clock(value: object, path: str) -> time:
    """A time of day with its offset; UTC where it has none."""
    written = needed(value, path, 30)
    try:
        found = time.fromisoformat(written)
    except ValueError as error:
        raise wrong(path, value, "08:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=datetime.fromisoformat("2000-01-01T00:00Z").tzinfo)


def centre(value: object, path: str) -> LonLat:
    """Longitude and latitude of a circle."""
    position = array(value, path, 3)
    if len(position) < 2:
        raise wrong(path, value, "[lon, lat]")
    lon, lat = (number(member, f"{path}[{i}]", -1e9, 1e9) for i, member in enumerate(position[:2]))
    refuse_off_earth(lon, lat, path)
    return LonLat(lon, lat)


def polygon(coordinates: object, path: str) -> Polygon:
    """A polygon from the rings of a document, strictly."""
    shape = parse_geometry({"type": "Polygon", "coordinates": coordinates}, allow={"Polygon"}, path=path)
    assert isinstance(shape, Polygon)
    return shape


def rings(shape: Polygon) -> list[list[list[float]]]:
    """The rings of a polygon as both formats write them, the outer one against the clock (RFC 7946)."""
    outer = shape.exterior.coords if shape.exterior.is_ccw else shape.exterior.coords[::-1]
    inner = [ring.coords[::-1] if ring.is_ccw else ring.coords for ring in shape.interiors]
    return [[[float(x), float(y)] for x, y, *_ in ring] for ring in (outer, *inner)]


def each(listed: Sequence[object], path: str, read: Callable[[object, str], Read]) -> tuple[Read, ...]:
    """Every entry of a list as `read` takes it; RuleViolation 422 with every faulty one, `MOST_FAULTS` at most."""
    if len(listed) > limit("layer.rows"):
        raise too_large("layer.rows", measured=len(listed), required=limit("layer.rows"))
    found: list[Read] = []
    faults: list[Refusal] = []
    for index, entry in enumerate(listed):
        try:
            found.append(read(entry, f"{path}[{index}]"))
        except RuleViolation as violation:
            faults.extend(violation.refusals)
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise RuleViolation(Kind.INVALID, faults[:MOST_FAULTS])
    return tuple(found)
