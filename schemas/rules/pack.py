"""The rule pack: one jurisdiction's law as validated data, with a version and a content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import rfc8785
from pydantic import AfterValidator, Field, model_validator
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.prepared import PreparedGeometry, prep

from schemas.rules.calendar import WorkCalendar
from schemas.rules.readings import ReadingLimit, reading_contradictions
from schemas.rules.values import KEYS, Names, Strict, Values
from schemas.rules.violations import Code, Text, ViolationType, Words, contradictions

Position = tuple[
    Annotated[float, Field(ge=-180, le=180)],
    Annotated[float, Field(ge=-90, le=90)],
]
# One polygon as GeoJSON writes it: the shell first, then its holes.
PolygonRings = Annotated[tuple[tuple[Position, ...], ...], Field(min_length=1)]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error
    return name


class LegalAct(Strict):
    """A statute or measure on which the pack rests."""

    title: Text
    number: str | None = None
    level: Literal["law", "administrative_regulation", "local_regulation", "rule", "normative"]


class Jurisdiction(Strict):
    """Where the pack applies, in EPSG:4326; `coarse` says that the outline settles no boundary question."""

    name: Text
    coarse: bool
    polygons: Annotated[tuple[PolygonRings, ...], Field(min_length=1)]

    @cached_property
    def geometry(self) -> MultiPolygon:
        """The outline as a shapely geometry in EPSG:4326."""
        return MultiPolygon([Polygon(rings[0], rings[1:]) for rings in self.polygons])

    @cached_property
    def _prepared(self) -> PreparedGeometry[MultiPolygon]:
        return prep(self.geometry)

    def covers(self, place: BaseGeometry) -> bool:
        """Whether the whole place (EPSG:4326) lies inside or on the outline; an empty one does not."""
        return bool(self._prepared.covers(place))

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if not self.geometry.is_valid:
            raise ValueError("the outline of the jurisdiction is not a valid polygon")
        return self


class Channel(Strict):
    """A way of publishing (GD-14.2, GD-14.3)."""

    official: bool
    title: Text


class Standard(Strict):
    """A technical standard that devices or flights are held to (GD-12.4, GD-16.5)."""

    id: Words
    title: Text
    applies_to: Literal["device", "uav", "video", "water_quality", "air"]


class AirspaceLayer(Strict):
    """A kind of place or height where flying needs a filing or an approval (GD-16.2)."""

    code: Code
    title: Text
    clearance: Literal["filing", "approval"]


class Override(Strict):
    """A value that another law sets differently; it prevails and cites its source (GD-02.1)."""

    key: Words
    value: Any
    source: Words


class RulePack(Strict):
    """One jurisdiction's rules from `effective_from` until the day before `effective_to`."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[int, Field(gt=0)]
    title: Text
    jurisdiction: Jurisdiction
    legal_basis: Annotated[tuple[LegalAct, ...], Field(min_length=1)]
    effective_from: date
    effective_to: date | None = None
    timezone: Annotated[str, AfterValidator(_zone)]
    authority_levels: Names
    calendar: WorkCalendar
    values: Values
    sources: Mapping[str, Words]  # "*" stands for every key that is not named
    channels: Mapping[Code, Channel]
    standards: tuple[Standard, ...]
    airspace_layers: tuple[AirspaceLayer, ...]
    violation_catalogue: tuple[ViolationType, ...]
    reading_limits: tuple[ReadingLimit, ...] = ()
    overrides: tuple[Override, ...] = ()
    overlays: Names = ()  # those that were merged over the pack, in their order
    needs_legal_review: Names = ()

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        """The value of the dotted key `key`, such as `publication.lead_days`."""
        return self.values[key]

    def source(self, key: str) -> str:
        """Where the value of `key` comes from: an article, or the reason why a number was chosen."""
        return self.sources.get(key) or self.sources["*"]

    def document(self) -> dict[str, Any]:
        """The pack as a JSON document, in the form of its file."""
        document = self.model_dump(mode="json", by_alias=True)
        for name in ("holidays", "adjusted_workdays"):
            document["calendar"][name].sort()  # a set has no order of its own
        return document

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of the pack as RFC 8785 JSON: two packs with one hash say the same."""
        return hashlib.sha256(rfc8785.dumps(self.document())).hexdigest()

    @property
    def reference(self) -> str:
        """How ledger events name the pack: its id, its overlays and the start of the hash of its content."""
        return f"{'+'.join((self.id, *self.overlays))}@{self.sha256[:12]}"

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which the pack's legal dates are computed."""
        return ZoneInfo(self.timezone)

    def local_date(self, at: datetime) -> date:
        """The legal date of an instant."""
        if at.tzinfo is None:
            raise ValueError("a legal date needs an aware time")
        return at.astimezone(self.zone).date()

    def in_force(self, on: date) -> bool:
        """Whether the pack applies on the local date `on`."""
        return self.effective_from <= on and (self.effective_to is None or on < self.effective_to)

    @model_validator(mode="before")
    @classmethod
    def _overrides_prevail(cls, data: Any) -> Any:  # noqa: ANN401
        parts = ("overrides", "values", "sources")
        if not isinstance(data, Mapping) or not all(data.get(part) for part in parts):
            return data
        overrides = [Override.model_validate(entry) for entry in data["overrides"]]
        values = {**data["values"], **{o.key: o.value for o in overrides}}
        return {
            **data,
            "values": values,
            "sources": {**data["sources"], **{o.key: o.source for o in overrides}},
        }

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problems(pack: RulePack) -> list[str]:
    """What the parts of a pack say against each other."""
    problems = []
    if pack.effective_to is not None and pack.effective_to <= pack.effective_from:
        problems.append("effective_to is not after effective_from")
    if "*" not in pack.sources and (missing := KEYS - set(pack.sources)):
        problems.append(f"no source is given for {sorted(missing)}")
    if unknown := set(pack.sources) - KEYS - {"*"}:
        problems.append(f"sources names unknown keys {sorted(unknown)}")
    if unknown := set(pack.needs_legal_review) - KEYS - REVIEWABLE:
        problems.append(f"needs_legal_review names unknown keys {sorted(unknown)}")
    level = pack["siting.approver_level"]
    if level is not None and level not in pack.authority_levels:
        problems.append(f"siting.approver_level {level!r} is not an authority level of this pack")
    need, official = pack["publication.min_channels"], sum(c.official for c in pack.channels.values())
    if official < need.official or len(pack.channels) - official < need.further:
        problems.append("publication.min_channels asks for more channels than the pack has")
    reviewed = "violation_catalogue" not in pack.needs_legal_review
    problems += reading_contradictions(pack.reading_limits, "reading_limits" not in pack.needs_legal_review)
    return problems + contradictions(pack.violation_catalogue, reviewed)


REVIEWABLE = frozenset(
    {"calendar", "channels", "standards", "airspace_layers", "violation_catalogue", "reading_limits"}
)
