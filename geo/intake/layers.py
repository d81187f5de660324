"""The layers that may be imported: which shapes and columns each takes, and the rows that come of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo import hours, shapes
from geo.commands.devices import NewDevice, new_device
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from geo.commands.zones import ZONE_SOURCES, NewZone, new_zone
from geo.intake.columns import Cells
from geo.intake.coordinates import Placement
from geo.measure import distance_m
from geo.types import LonLat
from schemas.actors import ActorKind
from schemas.ids import new_id, public_id
from schemas.machine import NEW
from schemas.refusals import RuleViolation, refuse
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import (
    Authority,
    Base,
    ContextFeature,
    Device,
    DeviceShare,
    Origin,
    SupervisedEntity,
    SupervisionItem,
)

# As the database holds it (rule DC-4).
_FURTHEST_VIEW_M = 1_000_000

POLYGONS = frozenset({"Polygon", "MultiPolygon"})
ANY_PLACE = POLYGONS | {"Point"}

PERMIT_KINDS = {
    "quarry": ("采石", "采石场", "砂石开采"),
    "mining": ("采矿", "开采", "矿山"),
    "construction": ("施工", "建设", "建筑工程", "building"),
    "discharge": ("排污", "排放", "排水"),
    "logging": ("采伐", "伐木"),
}
ZONE_KINDS = {
    "hotel_room": ("宾馆客房", "酒店客房", "旅馆客房"),
    "dormitory": ("公共宿舍", "集体宿舍", "宿舍"),
    "public_bathhouse": ("公共浴室", "浴室", "浴场"),
    "changing_room": ("更衣室",),
    "toilet": ("卫生间", "厕所", "公共厕所"),
    "mother_baby_room": ("母婴室", "公共母婴室"),
    "other": ("其他",),
    "requested": ("申请",),
}
LEVELS = {
    "province": ("省", "省级"),
    "city": ("市", "市级", "地级市"),
    "county": ("县", "县级", "区", "区级", "district"),
    "township": ("乡", "镇", "乡级", "街道"),
}
AUTHORITY_TYPES = {
    "government": ("政府", "人民政府"),
    "department": ("部门", "行政机关", "局"),
    "empowered_organisation": ("授权组织", "法律法规授权组织"),
    "delegated_organisation": ("委托组织", "受委托组织"),
}
DEVICE_WORDS = {
    "video": ("视频", "摄像头", "camera"),
    "radar": ("雷达",),
    "water_quality": ("水质",),
    "air": ("空气", "大气", "废气"),
    "noise": ("噪声",),
    "satellite_ref": ("卫星",),
}


def _words(known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: word for word, names in known.items() for name in (word, *names)}


@dataclass
class KnownDevice:
    """A device that stands in the register, or in a row before: its place (EPSG:4326), and who has it by now."""

    id: uuid.UUID
    public_id: str
    place: Point
    users: set[uuid.UUID]


@dataclass
class Intake:
    """What the rows of one file share while they are built; `stray` are the rows where no rules apply."""

    work: Work
    batch_id: uuid.UUID
    way: Placement
    authority: Authority | None = None
    item: SupervisionItem | None = None
    codes: set[str] | None = None
    items: dict[str, SupervisionItem] = field(default_factory=dict)
    stray: list[int] = field(default_factory=list)
    authorities: dict[str, Authority] = field(default_factory=dict)
    known: dict[str, KnownDevice] = field(default_factory=dict)


Build = Callable[[Cells, BaseGeometry, Intake], list[Base]]


@dataclass(frozen=True)
class Layer:
    """One kind of layer: the shapes and columns it takes, and how a row becomes records."""

    allow: frozenset[str]
    fields: tuple[str, ...]
    build: Build


def _recorded(intake: Intake) -> dict[str, object]:
    return {"id": new_id(), "origin": Origin.LEGACY.value, "import_id": intake.batch_id}


def _context(layer: str) -> Build:
    def build(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
        number = cells.text("number")
        name = cells.text("name", required=number is None) or number
        kind = cells.text("kind", required=layer == "permits")
        first, last = cells.day("valid_from"), cells.day("valid_to")
        if first and last and last < first:
            cells.refusals.append(refuse("layer.field", "layer.period", measured=str(last), required=str(first)))
        row = ContextFeature(
            **_recorded(intake),
            public_id=public_id("CF"),
            layer=layer,
            name=name,
            number=number,
            kind=_words(PERMIT_KINDS).get((kind or "").lower(), kind),
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
        **_recorded(intake),
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
    code, name = cells.text("code", required=True), cells.text("name")
    name_en, name_zh = cells.text("name_en") or name, cells.text("name_zh") or name
    if not (name_en and name_zh):
        cells.text("name", required=True)
    if intake.codes is None:
        intake.codes = set(intake.work.session.scalars(select(Authority.code)))
    if code in intake.codes:
        cells.refusals.append(refuse("layer.duplicate", "layer.duplicate_code", measured=code))
    row = Authority(
        **{key: value for key, value in _recorded(intake).items() if key != "import_id"},
        public_id=public_id("AU"),
        code=code,
        name_en=name_en,
        name_zh=name_zh,
        level=cells.word("level", _words(LEVELS)),
        authority_type=cells.word("authority_type", _words(AUTHORITY_TYPES), default="department"),
        field=cells.text("field") or "ecology",
        contact_address=cells.text("address", required=True),
        contact_channel=cells.text("contact", required=True),
        jurisdiction=shapes.element(MultiPolygon([part for part in _parts(geom) if isinstance(part, Polygon)])),
    )
    if code and not cells.refusals:
        intake.codes.add(code)
    return [row]


def _zone(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    """One zone for each part of the shape: the parts of a multi-part feature are places of their own."""
    zone = intake.work.rulebook.at_place(geom, intake.work.now).zone
    name = cells.text("name")
    first, last = cells.day("valid_from"), cells.day("valid_to")
    name_en, name_zh = cells.text("name_en") or name, cells.text("name_zh") or name
    if not (name_en and name_zh):
        cells.text("name", required=True)
    kind = cells.word("kind", _words(ZONE_KINDS))
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


def _device(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    name, purpose = cells.text("name", required=True), cells.text("purpose")
    purpose_en, purpose_zh = cells.text("purpose_en") or purpose, cells.text("purpose_zh") or purpose
    if not (purpose_en and purpose_zh):
        cells.text("purpose", required=True)
    place_text = cells.text("place_text", required=True)
    device_type = cells.word("device_type", _words(DEVICE_WORDS))
    platform = cells.word("platform", {word: word for word in PLATFORMS}, default="fixed")
    model, serial_no, certificate_no = map(cells.text, ("model", "serial_no", "quality_certificate_no"))
    azimuth_deg = cells.number("sector_azimuth_deg", 0, 360)
    hfov_deg, range_m = cells.number("hfov_deg", 0.1, 360), cells.number("range_m", 0.1, _FURTHEST_VIEW_M)
    owner, code = _owner(cells, intake), cells.text("device_code")
    if code is not None and code in intake.known and owner is not None and isinstance(geom, Point):
        return _shared(intake.known[code], owner, geom, cells, intake)
    item = _item(cells, intake)
    measuring, calibrated = cells.flag("is_measuring_instrument"), cells.day("calibration_valid_to")
    if cells.refusals or owner is None or not isinstance(geom, Point):
        return []
    new = NewDevice(
        name=name or "",
        place=geom,
        place_text=place_text or "",
        device_type=device_type or DEVICE_TYPES[0],
        purpose_en=purpose_en or "",
        purpose_zh=purpose_zh or "",
        authority=owner,
        item=item,
        code=code,
        platform=platform or PLATFORMS[0],
        is_measuring_instrument=measuring,
        calibration_valid_to=calibrated,
        model=model,
        serial_no=serial_no,
        quality_certificate_no=certificate_no,
        sector_azimuth_deg=azimuth_deg,
        hfov_deg=hfov_deg,
        range_m=range_m,
    )
    return _registered(new, cells, intake)


def _item(cells: Cells, intake: Intake) -> SupervisionItem | None:
    """The item that the row names by its code, or the one named for the whole file."""
    code = cells.text("item")
    if code is None:
        return intake.item
    if code not in intake.items:
        row = intake.work.session.scalars(select(SupervisionItem).where(SupervisionItem.code == code)).one_or_none()
        if row is None:
            cells.refusals.append(refuse("IR-1", "layer.item_unknown", measured=code[:60]))
            return None
        intake.items[code] = row
    return intake.items[code]


def _registered(new: NewDevice, cells: Cells, intake: Intake) -> list[Base]:
    """A device that an import asserts to be registered, judged by the guards of its registration."""
    register = intake.work.machine.tables[Device.__machine__].find("register", NEW)
    if register is None:
        raise LookupError("the table of devices has no registration")
    device = new_device(new, import_id=intake.batch_id, state=register.target)
    device.id, device.origin = new_id(), Origin.LEGACY.value
    device.site.origin = Origin.LEGACY.value
    cells.refusals.extend(intake.work.check(device, register.guards))
    if new.code is not None and not cells.refusals:
        intake.known[new.code] = KnownDevice(device.id, device.public_id, new.place, {new.authority.id})
    return [device.site, device]


def _owner(cells: Cells, intake: Intake) -> Authority | None:
    """The authority that the row names by its code, or the one named for the whole file."""
    code = cells.text("authority")
    if code is None:
        if intake.authority is None:
            cells.text("authority", required=True)
        return intake.authority
    if code not in intake.authorities:
        row = intake.work.session.scalars(select(Authority).where(Authority.code == code)).one_or_none()
        if row is None:
            cells.refusals.append(refuse("store.unknown", "layer.authority_unknown", measured=code[:60]))
            return None
        intake.authorities[code] = row
    owner = intake.authorities[code]
    actor = intake.work.actor
    entitled = (Role.DATA_ADMIN, Role.PLANNER, Role.OFFICER)
    for_all = actor.kind is ActorKind.HOST or actor.has(Role.DATA_ADMIN)
    if not for_all and not any(actor.has(role, owner.id) for role in entitled):
        cells.refusals.append(refuse("state.role", "layer.authority_other", measured=code))
    return owner


# Two departments measure one pole; what is further apart is another device, or a slip of the pen.
_SAME_PLACE_M = 50.0


def _shared(known: KnownDevice, owner: Authority, place: Point, cells: Cells, intake: Intake) -> list[Base]:
    """A device that another department has registered already: this one uses it too, and it stays one device."""
    apart_m = distance_m(LonLat(known.place.x, known.place.y), LonLat(place.x, place.y))
    if apart_m > _SAME_PLACE_M:
        measured, required = f"{apart_m:.0f} m", f"{_SAME_PLACE_M:g} m"
        device = known.public_id
        cells.refusals.append(
            refuse("layer.device", "layer.device_elsewhere", device=device, measured=measured, required=required)
        )
    if owner.id in known.users:
        cells.refusals.append(refuse("layer.device", "layer.device_twice", device=known.public_id, measured=owner.code))
    name = cells.text("name", required=True)
    if cells.refusals or name is None:
        return []
    known.users.add(owner.id)
    share = DeviceShare(
        id=new_id(),
        public_id=public_id("SH"),
        device_id=known.id,
        authority_id=owner.id,
        name=name,
        import_id=intake.batch_id,
        origin=Origin.LEGACY.value,
    )
    return [share]


CONTEXT_FIELDS = ("name", "number", "kind", "holder", "valid_from", "valid_to")

LAYERS: Mapping[str, Layer] = {
    "permits": Layer(ANY_PLACE, CONTEXT_FIELDS, _context("permits")),
    "protected": Layer(POLYGONS, CONTEXT_FIELDS, _context("protected")),
    "water": Layer(POLYGONS, CONTEXT_FIELDS, _context("water")),
    "farmland": Layer(POLYGONS, CONTEXT_FIELDS, _context("farmland")),
    "authorities": Layer(
        POLYGONS,
        ("code", "name", "name_en", "name_zh", "level", "authority_type", "field", "address", "contact"),
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
        _device,
    ),
}
