"""The rows of a layer of devices: a new device of the register, or one that a further department uses too."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shapely.geometry import Point
from sqlalchemy import select

from geo import shapes
from geo.commands.devices import NewDevice, device_values
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from geo.intake.batch import Drafted, Intake, KnownDevice, distinct
from geo.intake.columns import Cells
from geo.intake.words import DEVICE_WORDS, meanings
from geo.measure import distance_m
from geo.types import LonLat
from schemas.actors import ActorKind
from schemas.ids import new_id, public_id
from schemas.machine import NEW, Transition, label
from schemas.refusals import Refusal, refuse
from schemas.roles import Role
from schemas.store import ledger
from schemas.store.copying import Record, Row, kind_of
from schemas.tables import Authority, Device, DeviceShare, DeviceSite, Origin, SupervisionItem

# As the database holds it (rule DC-4).
_FURTHEST_VIEW_M = 1_000_000


_TYPES, _PLATFORMS = meanings(DEVICE_WORDS), {word: word for word in PLATFORMS}


@dataclass
class _Draft:
    """A row as one that registers a device, and as one of a device that is registered already.

    `shared` is what stands against the latter, and `says` what the row tells of it by field; whether it is one is known
    only when the rows before it are judged.
    """

    row: Drafted
    owner: Authority | None
    code: str | None
    says: Mapping[str, str | None]
    shared: tuple[Refusal, ...]
    device: Record | None = None


def device_rows(rows: Sequence[Drafted], intake: Intake) -> None:
    """Makes the records of some rows; a number that the register has already is one device, used by one more.

    The guards of registration judge all of them at once. Then the rows are taken one after the other, because a row
    may name a device of a row before.
    """
    drafts = [_drafted(row, intake) for row in rows]
    devices = [draft.device for draft in drafts if draft.device is not None]
    distinct(intake, [record for device in devices for record in (device.site, device)])
    said = intake.work.check_many(devices, _registration(intake).guards)
    against = dict(zip(map(id, devices), said, strict=True))
    for draft in drafts:
        known = intake.known.get(draft.code) if draft.code is not None else None
        if known is not None and draft.owner is not None and isinstance(draft.row.geom, Point):
            draft.row.cells.refusals[:] = draft.shared
            draft.row.records = _shared(known, draft, draft.owner, draft.row.geom, intake)
        elif draft.device is not None:
            draft.row.cells.refusals.extend(against[id(draft.device)])
            if draft.row.is_taken:
                _take(draft, draft.device, intake)


def _take(draft: _Draft, device: Record, intake: Intake) -> None:
    draft.row.records = [device.site, device]
    if draft.code is not None and isinstance(draft.row.geom, Point):
        users = {device.authority_id}
        what = (device.name, device.device_type, device.platform)
        known = KnownDevice(device.id, device.public_id, *what, draft.row.geom, users, draft.row.number)
        intake.known[draft.code] = known


def _drafted(row: Drafted, intake: Intake) -> _Draft:
    cells = row.cells
    name, (purpose_en, purpose_zh) = cells.text("name", required=True), cells.in_both("purpose")
    place_text = cells.text("place_text", required=True)
    device_type = cells.word("device_type", _TYPES)
    platform = cells.word("platform", _PLATFORMS, default="")
    model, serial_no, certificate_no = map(cells.text, ("model", "serial_no", "quality_certificate_no"))
    azimuth_deg = cells.number("sector_azimuth_deg", 0, 360)
    hfov_deg, range_m = cells.number("hfov_deg", 0.1, 360), cells.number("range_m", 0.1, _FURTHEST_VIEW_M)
    owner, code = _owner(cells, intake), cells.text("device_code")
    says = {"name": name, "device_type": device_type, "platform": platform}
    draft = _Draft(row, owner, code, says, tuple(cells.refusals))
    item = _item(cells, intake)
    measuring, calibrated = cells.flag("is_measuring_instrument"), cells.day("calibration_valid_to")
    if cells.refusals or owner is None or not isinstance(row.geom, Point):
        return draft
    new = NewDevice(
        name=name or "",
        place=row.geom,
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
    draft.device = _asserted(new, row.geom, intake)
    return draft


def _asserted(new: NewDevice, place: Point, intake: Intake) -> Record:
    """A device that the file asserts to be registered, with its site beside it."""
    site_values, values = device_values(new)
    legacy = {"origin": Origin.LEGACY.value}
    site = Record(DeviceSite, site_values | legacy | {"geom": shapes.point_text(place.x, place.y)})
    state = {"id": new_id(), "state": _registration(intake).target, "import_id": intake.batch_id}
    return Record(Device, values | state | legacy, site=site, geom=place)


def _registration(intake: Intake) -> Transition:
    register = intake.work.machine.tables[Device.__machine__].find("register", NEW)
    if register is None:
        raise LookupError("the table of devices has no registration")
    return register


def device_events(records: Iterable[Row], intake: Intake, batch: str) -> Iterator[ledger.Entry]:
    """An event for each device that an import asserts to be registered, and for each further user of one."""
    register = _registration(intake)
    for record in records:
        if isinstance(record, Record) and kind_of(record) is Device:
            body = {"from": NEW, "to": register.target, "guards": list(register.guards), "subject": label(record)}
            yield _event(intake, "device.register", record.id, {**body, "import": batch})
        elif isinstance(record, DeviceShare):
            body = {"share": record.public_id, "import": batch}
            yield _event(intake, "device.share", record.device_id, body)


def _event(intake: Intake, action: str, device_id: uuid.UUID, body: Mapping[str, object]) -> ledger.Entry:
    return ledger.Entry(
        action=action,
        actor=intake.work.actor.label,
        subject_kind=Device.__machine__,
        subject_id=device_id,
        body=body,
        origin=Origin.LEGACY.value,
    )


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


def _shared(known: KnownDevice, draft: _Draft, owner: Authority, place: Point, intake: Intake) -> list[Row]:
    """A device that another department has registered already: this one uses it too, and it stays one device (S01)."""
    refusals = draft.row.cells.refusals
    refusals.extend(_against(known, draft, owner, place))
    name = draft.says["name"]
    if refusals or name is None:
        return []
    known.users.add(owner.id)
    draft.row.merged_into = known
    draft.row.notes.append(
        refuse("layer.device", "layer.device_merged", device=known.told, code=draft.code, measured=owner.code)
    )
    if _plain(name) != _plain(known.name):
        draft.row.notes.append(
            refuse("layer.device", "layer.device_renamed", device=known.told, measured=name, required=known.name)
        )
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


def _against(known: KnownDevice, draft: _Draft, owner: Authority, place: Point) -> Iterator[Refusal]:
    """Why a row with the code of a device is another device, or one that its department has already."""
    if known.is_secret and owner.id not in known.users:
        yield refuse("layer.device", "layer.code_in_use", measured=draft.code)
        return
    apart_m = distance_m(LonLat(known.place.x, known.place.y), LonLat(place.x, place.y))
    if apart_m > _SAME_PLACE_M:
        measured, required = f"{apart_m:.0f} m", f"{_SAME_PLACE_M:g} m"
        yield refuse("layer.device", "layer.device_elsewhere", device=known.told, measured=measured, required=required)
    for field in ("device_type", "platform"):
        said, stands = draft.says[field], getattr(known, field)
        if said and said != stands:
            yield refuse("layer.device", "layer.device_other", device=known.told, measured=said, required=stands)
    if owner.id in known.users:
        yield refuse("layer.device", "layer.device_twice", device=known.told, measured=owner.code)


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
