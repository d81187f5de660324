"""The layers that may be imported: which shapes and columns each takes, and the rows that come of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo import hours, shapes
from geo.commands.zones import ZONE_SOURCES, NewZone, new_zone
from geo.intake.batch import Drafted, Intake, recorded
from geo.intake.columns import Cells
from geo.intake.device_rows import device_rows
from geo.intake.words import AUTHORITY_TYPES, LEVELS, PERMIT_KINDS, ZONE_KINDS, meanings
from schemas.ids import public_id
from schemas.refusals import RuleViolation, refuse
from schemas.tables import Authority, Base, ContextFeature, Origin, SupervisedEntity

POLYGONS = frozenset({"Polygon", "MultiPolygon"})
ANY_PLACE = POLYGONS | {"Point"}

Build = Callable[[Cells, BaseGeometry, Intake], list[Base]]
BuildMany = Callable[[Sequence[Drafted], Intake], None]


@dataclass(frozen=True)
class Layer:
    """One kind of layer: the shapes and columns it takes, and how a row, or many rows at once, become records.

    `keeps_others` are those that keep what stands in further columns as it is.
    """

    allow: frozenset[str]
    fields: tuple[str, ...]
    build: Build | None = None
    build_many: BuildMany | None = None
    keeps_others: bool = False


def _context(layer: str) -> Build:
    def build(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
        number = cells.text("number")
        name = cells.text("name", required=number is None) or number
        kind = cells.text("kind", required=layer == "permits")
        first, last = cells.day("valid_from"), cells.day("valid_to")
        if first and last and last < first:
            cells.refusals.append(refuse("layer.field", "layer.period", measured=str(last), required=str(first)))
        row = ContextFeature(
            **recorded(intake),
            public_id=public_id("CF"),
            layer=layer,
            name=name,
            number=number,
            kind=meanings(PERMIT_KINDS).get((kind or "").lower(), kind),
            holder=cells.text("holder"),
            valid_from=first,
            valid_to=last,
            attributes=cells.others(),
            geom=shapes.element(geom),
        )
        return [row]

    return build


def _entity(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    code = cells.text("registration_code", required=True)
    if intake.codes is None:
        intake.codes = set(intake.work.session.scalars(select(SupervisedEntity.registration_code)))
    if code in intake.codes:
        cells.refusals.append(refuse("layer.duplicate", "layer.duplicate", measured=code))
    row = SupervisedEntity(
        **recorded(intake),
        public_id=public_id("SE"),
        registration_code=code,
        name=cells.text("name", required=True),
        address=cells.text("address") or "",
        entity_type=cells.text("entity_type") or "unknown",
        geom=shapes.element(geom),
    )
    if code and not cells.refusals:
        intake.codes.add(code)
    return [row]


def _authority(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    """An enforcement authority (GD-02.2); its shape is where it may act."""
    code, (name_en, name_zh) = cells.text("code", required=True), cells.in_both("name")
    if intake.codes is None:
        intake.codes = set(intake.work.session.scalars(select(Authority.code)))
    if code in intake.codes:
        cells.refusals.append(refuse("layer.duplicate", "layer.duplicate_code", measured=code))
    row = Authority(
        **{key: value for key, value in recorded(intake).items() if key != "import_id"},
        public_id=public_id("AU"),
        code=code,
        name_en=name_en,
        name_zh=name_zh,
        level=cells.word("level", meanings(LEVELS)),
        authority_type=cells.word("authority_type", meanings(AUTHORITY_TYPES), default="department"),
        field=cells.text("field") or "ecology",
        contact_address=cells.text("address", required=True),
        contact_channel=cells.text("contact", required=True),
        contact_person=cells.text("contact_person"),
        jurisdiction=shapes.element(MultiPolygon([part for part in _parts(geom) if isinstance(part, Polygon)])),
    )
    if code and not cells.refusals:
        intake.codes.add(code)
    return [row]


def _zone(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    """One zone for each part of the shape: the parts of a multi-part feature are places of their own."""
    zone = intake.work.rulebook.at_place(geom, intake.work.now).zone
    first, last = cells.day("valid_from"), cells.day("valid_to")
    name_en, name_zh = cells.in_both("name")
    kind = cells.word("kind", meanings(ZONE_KINDS))
    source = cells.word("source", {word: word for word in ZONE_SOURCES}, default="survey")
    buffer_m = cells.number("buffer_m") or 0.0
    floor_agl_m, ceiling_agl_m = cells.number("floor_agl_m"), cells.number("ceiling_agl_m")
    schedule = _hours(cells)
    if cells.refusals:
        return []
    parts = [part for part in _parts(geom) if isinstance(part, Polygon)]
    made = []
    for part in parts:
        new = NewZone(
            kind=kind or "other",
            name_en=name_en or "",
            name_zh=name_zh or "",
            geom=part,
            buffer_m=buffer_m,
            source=source or "survey",
            valid_from=datetime.combine(first, time(), zone).astimezone(UTC) if first else None,
            valid_to=_after(last, zone),
            floor_agl_m=floor_agl_m,
            ceiling_agl_m=ceiling_agl_m,
            schedule=schedule,
        )
        row = new_zone(new, now=intake.work.now)
        row.origin = Origin.LEGACY.value
        made.append(row)
    return list(made)


def _hours(cells: Cells) -> hours.Hours | None:
    """The hours of a zone as people write them; a blank cell means always."""
    text = cells.text("schedule")
    try:
        return None if text is None else hours.from_text(text)
    except RuleViolation as violation:
        cells.refusals.extend(violation.refusals)
        return None


def _parts(geom: BaseGeometry) -> Sequence[BaseGeometry]:
    return list(getattr(geom, "geoms", (geom,)))


def _after(last: date | None, zone: ZoneInfo) -> datetime | None:
    """The moment after a last day of validity, or None where it has none; registers write 9999 for "without end"."""
    if last is None or last.year == date.max.year:
        return None
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


CONTEXT_FIELDS = ("name", "number", "kind", "holder", "valid_from", "valid_to")

LAYERS: Mapping[str, Layer] = {
    "permits": Layer(ANY_PLACE, CONTEXT_FIELDS, _context("permits"), keeps_others=True),
    "protected": Layer(POLYGONS, CONTEXT_FIELDS, _context("protected"), keeps_others=True),
    "water": Layer(POLYGONS, CONTEXT_FIELDS, _context("water"), keeps_others=True),
    "farmland": Layer(POLYGONS, CONTEXT_FIELDS, _context("farmland"), keeps_others=True),
    # Whose privacy is touched, and on what a camera could hang: what planners ask about (GD-13.1, GD-15).
    "residential": Layer(POLYGONS, CONTEXT_FIELDS, _context("residential"), keeps_others=True),
    "poles": Layer(frozenset({"Point"}), CONTEXT_FIELDS, _context("poles"), keeps_others=True),
    "authorities": Layer(
        POLYGONS,
        (
            "code",
            "name",
            "name_en",
            "name_zh",
            "level",
            "authority_type",
            "field",
            "address",
            "contact",
            "contact_person",
        ),
        _authority,
    ),
    "entities": Layer(ANY_PLACE, ("registration_code", "name", "address", "entity_type"), _entity),
    "zones": Layer(
        POLYGONS,
        (
            "name",
            "name_en",
            "name_zh",
            "kind",
            "buffer_m",
            "source",
            "valid_from",
            "valid_to",
            "floor_agl_m",
            "ceiling_agl_m",
            "schedule",
        ),
        _zone,
    ),
    "devices": Layer(
        frozenset({"Point"}),
        (
            "name",
            "device_type",
            "platform",
            "purpose",
            "purpose_en",
            "purpose_zh",
            "place_text",
            "item",
            "device_code",
            "authority",
            "model",
            "serial_no",
            "quality_certificate_no",
            "is_measuring_instrument",
            "calibration_valid_to",
            "sector_azimuth_deg",
            "hfov_deg",
            "range_m",
        ),
        build_many=device_rows,
    ),
}
