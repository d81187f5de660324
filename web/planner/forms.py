"""Forms as they are sent: every fault of every field at once, each known by the field at which it is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shapely.geometry import Point, Polygon
from werkzeug.datastructures import MultiDict

from geo.geojson import parse_document, parse_geometry
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from schemas.words import Coded
from web.i18n import current_language, gettext
from web.words import N_

LONGEST_LINE, LONGEST_TEXT = 300, 4_000
_FIELD = "form.field"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_BETWEEN = re.compile(r"[\s,;，；]+")


@dataclass(frozen=True)
class Fault:
    """One refusal, and the fields of the form that it is about."""

    refusal: Refusal
    fields: tuple[str, ...] = ()

    @property
    def of_field(self) -> bool:
        """Whether it is about how a field was filled in, and about no rule of law."""
        return self.refusal.rule == _FIELD and bool(self.fields)


# What is said at a field where the refusal names several fields at once.
_SHORT: Mapping[str, str] = {
    "siting.not_justified": N_("This is empty."),
    "siting.no_need": N_("This is empty."),
    "device.review_blank": N_("This item is not answered."),
    "device.review_no_text": N_("Say what is wrong."),
    "device.review_no_file": N_("Attach a file, or let it fail."),
}


def _at_field(refusal: Refusal) -> str:
    short = _SHORT.get(refusal.text)
    return gettext(short) if short else refusal.message(current_language())


def _rendered(refusal: Refusal) -> dict[str, Any]:
    """A refusal for people: what was measured and is required are told in words, and not twice."""
    lang = current_language()
    body = refusal.render(lang)
    for name in ("measured", "required"):
        value = getattr(refusal, name)
        if isinstance(value, Coded):
            body[name] = value.tell(lang)
            if body[name] in body["message"]:
                del body[name]
    return body


@dataclass
class Faults:
    """What stands against a form; empty where nothing does."""

    found: list[Fault] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, refusal: Refusal, *fields: str) -> None:
        """One more, at these fields."""
        self.found.append(Fault(refusal, fields))

    def take(self, violation: RuleViolation, *fields: str) -> None:
        """All refusals of a violation, at these fields."""
        for refusal in violation.refusals:
            self.add(refusal, *fields)

    def at(self, name: str) -> list[str]:
        """What is wrong with one field, in the reader's language."""
        found = [one.refusal for one in self.found if name in one.fields]
        return [_at_field(refusal) for refusal in found]

    def fields(self) -> list[tuple[str, str]]:
        """What is wrong with fields alone: each with what is said of it, in the reader's language."""
        lang = current_language()
        return [(one.fields[0], one.refusal.message(lang)) for one in self.found if one.of_field]

    def rendered(self) -> list[dict[str, Any]]:
        """Every refusal of a rule as templates show it, with its fields."""
        rules = (one for one in self.found if not one.of_field)
        return [_rendered(one.refusal) | {"fields": list(one.fields)} for one in rules]

    def places(self) -> dict[str, Any]:
        """Where each refusal applies, as GeoJSON; `index` is its number in the list."""
        features = [
            {"type": "Feature", "geometry": dict(one.refusal.place), "properties": {"index": number}}
            for number, one in enumerate(one for one in self.found if not one.of_field)
            if one.refusal.place
        ]
        return {"type": "FeatureCollection", "features": features}

    def refuse(self) -> None:
        """Raises all of them as one violation (422), where there are any."""
        if self.found:
            raise RuleViolation(Kind.INVALID, [one.refusal for one in self.found])


class Form:
    """The fields of one request; what cannot be read stands in `faults` and is read as nothing."""

    def __init__(self, given: MultiDict[str, str], faults: Faults | None = None) -> None:
        self.given = given
        self.faults = faults if faults is not None else Faults()

    def raw(self, name: str) -> str:
        """A field as it was typed."""
        return self.given.get(name, "").strip()

    def text(self, name: str, *, called: str = "", required: bool = True, most: int = LONGEST_LINE) -> str:
        """A text, cut to what anybody reads."""
        said = self.raw(name)[:most]
        if required and not said:
            self._wrong("planner.blank", name, called)
        return said

    def choice(self, name: str, allowed: Collection[str], *, called: str = "") -> str:
        """One of the words of a list; the first of them where nothing that is allowed was sent."""
        said = self.raw(name)
        if said in allowed:
            return said
        self._wrong("planner.choice" if said else "planner.blank", name, called, measured=said[:40])
        return next(iter(allowed), "")

    def number(self, name: str, least: float, most: float, *, called: str = "", required: bool = True) -> float | None:
        """A plain number within limits."""
        said = self.raw(name)
        if not said:
            if required:
                self._wrong("planner.blank", name, called)
            return None
        value = float(said) if _NUMBER.fullmatch(said) else math.nan
        if not least <= value <= most:
            self._wrong("planner.number", name, called, measured=said[:40], least=f"{least:g}", most=f"{most:g}")
            return None
        return value

    def day(self, name: str, *, called: str = "") -> date | None:
        """A date, where one was given."""
        said = self.raw(name)
        try:
            return date.fromisoformat(said) if said else None
        except ValueError:
            self._wrong("planner.choice", name, called, measured=said[:40])
            return None

    def point(self, prefix: str = "") -> Point | None:
        """The place in the fields `lon` and `lat`, EPSG:4326."""
        lon = self.number(f"{prefix}lon", -180, 180, called="lon")
        lat = self.number(f"{prefix}lat", -90, 90, called="lat")
        return None if lon is None or lat is None else Point(lon, lat)

    def polygon(self, name: str = "shape") -> Polygon | None:
        """The polygon in a field, EPSG:4326: corners, one to a line, an empty line before a hole; or GeoJSON."""
        said = self.given.get(name, "").strip()
        if not said:
            self._wrong("planner.blank", name, "")
            return None
        try:
            geometry = _geometry_of(said) if said.startswith("{") else {"type": "Polygon", "coordinates": rings(said)}
            shape = parse_geometry(geometry, allow={"Polygon"})
        except RuleViolation as error:
            self.faults.take(error, name)
            return None
        assert isinstance(shape, Polygon)
        return shape

    def _wrong(self, text: str, name: str, called: str, **details: Any) -> None:  # noqa: ANN401
        self.faults.add(refuse(_FIELD, text, field=Coded("field", [called or name]), **details), name)


def _geometry_of(said: str) -> Any:  # noqa: ANN401
    document = parse_document(said.encode())
    features = document.get("features")
    if isinstance(features, list) and features and isinstance(features[0], dict):
        return features[0].get("geometry")
    return document.get("geometry") if document.get("type") == "Feature" else document


def rings(said: str) -> list[list[list[float]]]:
    """The rings that are typed as lines of corners, each closed; raises RuleViolation 422 for a line that is none."""
    found: list[list[list[float]]] = [[]]
    for number, line in enumerate(said.splitlines(), start=1):
        if not line.strip():
            found.append([])
            continue
        parts = [part for part in _BETWEEN.split(line.strip()) if part]
        if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise RuleViolation(Kind.INVALID, [refuse(_FIELD, "planner.corners", measured=number)])
        found[-1].append([float(part) for part in parts])
    return [ring if len(ring) < 2 or ring[0] == ring[-1] else [*ring, ring[0]] for ring in found if ring]


# At which field a refusal of a command is shown, by its text; {} stands for each name that it measured.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "layer.crs_missing": ("crs",),
    "layer.crs_unknown": ("crs",),
    "layer.encoding_missing": ("encoding",),
    "layer.encoding_unknown": ("encoding",),
    "layer.encoding_wrong": ("encoding",),
    "siting.not_justified": ("reason.{}",),
    "siting.no_need": ("need.{}",),
    "siting.duplicate": ("duplicates",),
    "siting.no_number": ("approval_no",),
    "siting.rejected_silently": ("because.{}",),
    "siting.nothing_granted": ("decision",),
    "site.no_item": ("item",),
    "site.item_unlisted": ("item",),
    "site.code_taken": ("code",),
    "site.plan_not_approved": ("siting_plan",),
    "site.plan_of_others": ("siting_plan",),
    "site.plan_revoked": ("siting_plan",),
    "site.plan_wrong_level": ("siting_plan",),
    "site.no_rules": ("where",),
    "patrol.outside_jurisdiction": ("where",),
    "patrol.height_band": ("alt_min_agl_m", "alt_max_agl_m"),
    "share.period": ("valid_to",),
    "share.over": ("valid_to",),
    "share.fields": ("fields",),
    "share.no_purpose": ("purpose_en",),
    "share.asked_already": ("item",),
    "machine.reason": ("reason",),
    "device.in_zone": ("where",),
    "device.private_place_type": ("place_type",),
    "device.sees_zone": ("sector_azimuth_deg",),
    "device.review_blank": ("item.{}",),
    "device.review_no_text": ("text.{}",),
    "device.review_no_file": ("file.{}",),
    "device.review_basis": ("basis",),
    "device.review_institution": ("institution",),
    "device.review_standards": ("standard",),
}


def faults_of(violation: RuleViolation, otherwise: str = "") -> Faults:
    """What a command refused, each refusal at its fields; one of which no field is known stands at `otherwise`."""
    faults = Faults()
    for refusal in violation.refusals:
        names = [part.strip() for part in str(refusal.measured or "").split(",")]
        fields = [one for pattern in _FIELDS.get(refusal.text, ()) for one in _filled(pattern, names)]
        if refusal.text == "siting.no_reviewer":
            fields = [str(refusal.params["reviewer"]).removesuffix("_reviewer")]
        faults.add(refusal, *(fields or filter(None, [otherwise])))
    return faults


def _filled(pattern: str, names: list[str]) -> list[str]:
    return [pattern.format(name) for name in names] if "{}" in pattern else [pattern]
