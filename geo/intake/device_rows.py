"""The rows of a layer of devices: a new device of the register, or one that a further department uses too."""

from __future__ import annotations

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo.commands.devices import NewDevice, new_device
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from geo.intake.batch import Intake, KnownDevice
from geo.intake.columns import Cells
from geo.intake.words import DEVICE_WORDS, meanings
from geo.measure import distance_m
from geo.types import LonLat
from schemas.actors import ActorKind
from schemas.ids import new_id, public_id
from schemas.machine import NEW
from schemas.refusals import refuse
from schemas.roles import Role
from schemas.tables import Authority, Base, Device, DeviceShare, Origin, SupervisionItem

# As the database holds it (rule DC-4).
_FURTHEST_VIEW_M = 1_000_000


def device_row(cells: Cells, geom: BaseGeometry, intake: Intake) -> list[Base]:
    """A device of the register; a number that the register has already is the same device, used by one more."""
    name, purpose = cells.text("name", required=True), cells.text("purpose")
    purpose_en, purpose_zh = cells.text("purpose_en") or purpose, cells.text("purpose_zh") or purpose
    if not (purpose_en and purpose_zh):
        cells.text("purpose", required=True)
    place_text = cells.text("place_text", required=True)
    device_type = cells.word("device_type", meanings(DEVICE_WORDS))
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
