"""The list of devices: filters and pages in the address, the page's devices on a map, and the whole as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import Response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import listing
from geo.listing import After, Filters, Listed
from schemas.machine import state_tables
from schemas.refusals import not_found
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import Authority, Device, DeviceShare
from web.i18n import gettext, in_words, ngettext
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.overview import desk_map
from web.registry import words
from web.registry.reach import Office, below, offices, own
from web.registry.rules_of import rules_of
from web.registry.steps import unreadable

section = Section("registry", __name__, Audience.REGISTRY)

PAGE_SIZE = 30
MOST_SHARED = 50
# So many rows a file may have; a whole country's register is exported by the command line.
MOST_EXPORTED = 100_000
DEVICE_TYPES = ("video", "radar", "water_quality", "air", "noise", "satellite_ref")
# What a spreadsheet would take for a formula is told to be a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Asked:
    """What the address asks for; every value was checked."""

    office: Office
    state: str
    kind: str
    q: str
    due: bool
    after: After | None

    @property
    def narrowed(self) -> bool:
        """Whether anything but the authority is asked for."""
        return bool(self.state or self.kind or self.q or self.due)

    def url(self, path: str = "/registry", **changed: str) -> str:
        """The same list with something changed, from its first page on."""
        values = {
            "authority": self.office.code,
            "state": self.state,
            "kind": self.kind,
            "q": self.q,
            "due": "1" if self.due else "",
        }
        told = {name: value for name, value in (values | changed).items() if value}
        return f"{path}?{urlencode(told)}"


def asked(db: Session) -> tuple[Asked, list[Office]]:
    """What is asked for, and the authorities that may be; raises RuleViolation 404 or 422."""
    actor = current_actor()
    mine = own(actor, Permission.READ_REGISTRY)
    within = offices(db, below(db, mine))
    state, kind, q = (request.args.get(name, "").strip() for name in ("state", "kind", "q"))
    if state and state not in state_tables()["device"].states:
        raise unreadable("state", state, ", ".join(state_tables()["device"].states))
    if kind and kind not in DEVICE_TYPES:
        raise unreadable("kind", kind, ", ".join(DEVICE_TYPES))
    office = _office(db, within, [one for one in within if one.id in mine], request.args.get("authority", ""))
    name, of = request.args.get("after", ""), request.args.get("of", "")
    after = After(name, of) if name and of else None
    return Asked(office, state, kind, q, request.args.get("due", "") == "1", after), within


def _office(db: Session, within: list[Office], mine: list[Office], code: str) -> Office:
    """The authority asked for, or the first that has devices, one's own before those below it."""
    if code:
        found = next((one for one in within if one.code == code), None)
        if found is None:
            raise not_found("record.unknown", "registry.unknown", measured=code[:40])
        return found
    for one in [*mine, *within]:
        if db.scalar(select(Device.id).where(Device.authority_id == one.id).limit(1)) is not None:
            return one
    return mine[0]


def filters_of(work: Work, wanted: Asked) -> tuple[Filters, RulePack]:
    """The filters of the list, and the rules of the authority that it is of."""
    pack = rules_of(work, work.session.get_one(Authority, wanted.office.id))
    due = listing.Due(pack=pack, today=today()) if wanted.due else None
    told = Filters(
        state=wanted.state or None,
        kind=wanted.kind or None,
        authority=wanted.office.id,
        q=wanted.q or None,
        due=due,
    )
    return told, pack


@section.page("/registry", GET=Permission.READ_REGISTRY)
def index() -> str:
    """The devices of an authority, a page at a time."""
    with public_connection() as public:
        config = desk_map(public)
    with services().work(current_actor()) as work:
        wanted, within = asked(work.session)
        filters, pack = filters_of(work, wanted)
        page = listing.devices(work.session, filters, wanted.after, PAGE_SIZE)
        total = listing.count(work.session, filters)
        due = listing.count(work.session, replace(filters, due=listing.Due(pack=pack, today=today())))
        return render_template(
            "registry/list.html",
            headline=_headline(wanted, total),
            asked=wanted,
            offices=within,
            rows=page.rows,
            total=total,
            most=listing.MOST_COUNTED,
            due=due,
            next_url=wanted.url(after=page.after.name, of=page.after.public_id) if page.after else "",
            states=state_tables()["device"].states,
            kinds=DEVICE_TYPES,
            shared=shared_with(work.session, wanted.office),
            config=config | {"places": _places(page.rows)},
            says=words,
        )


def _headline(wanted: Asked, total: int) -> str:
    name = in_words(wanted.office.name)
    if total > listing.MOST_COUNTED:
        return gettext("More than %(n)s devices of %(who)s", n=f"{listing.MOST_COUNTED:,}", who=name)
    if wanted.narrowed:
        return ngettext("%(num)d device of %(who)s matches", "%(num)d devices of %(who)s match", total, who=name)
    return ngettext("%(num)d device of %(who)s", "%(num)d devices of %(who)s", total, who=name)


def _places(rows: tuple[Listed, ...]) -> dict[str, object]:
    """The devices of the page as GeoJSON, for its map."""
    features = [
        {
            "type": "Feature",
            "id": number,
            "geometry": {"type": "Point", "coordinates": [row.at.lon, row.at.lat]},
            "properties": {
                "public_id": row.public_id,
                "name": row.name,
                "kind": row.device_type if row.platform == "fixed" else "drone",
                "look": words.look(row.state),
            },
        }
        for number, row in enumerate(rows)
    ]
    return {"type": "FeatureCollection", "features": features}


@dataclass(frozen=True)
class Shared:
    """A device of another authority that stands in the lists of this one too."""

    public_id: str
    name: str
    state: str
    of: dict[str, str]


def shared_with(db: Session, office: Office) -> list[Shared]:
    """What others share with an authority."""
    wanted = (
        select(Device.public_id, DeviceShare.name, Device.state, Authority.name_en, Authority.name_zh)
        .join(Device, Device.id == DeviceShare.device_id)
        .join(Authority, Authority.id == Device.authority_id)
        .where(DeviceShare.authority_id == office.id, Device.secret.is_(False))
        .order_by(DeviceShare.name)
        .limit(MOST_SHARED)
    )
    return [Shared(name, title, state, {"en": en, "zh": zh}) for name, title, state, en, zh in db.execute(wanted)]


@section.page("/registry/devices.csv", GET=Permission.READ_REGISTRY)
def download() -> Response:
    """The list as it is filtered, as a file."""
    with services().work(current_actor()) as work:
        wanted, _ = asked(work.session)
        filters, _ = filters_of(work, wanted)
        body = "".join(_lines(work.session, filters))
    response = Response("\ufeff" + body, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="devices-{wanted.office.code}.csv"'
    return response


COLUMNS = (
    "id",
    "name",
    "state",
    "since",
    "kind",
    "platform",
    "place",
    "lon",
    "lat",
    "in_use_since",
    "calibrated_until",
)


def _lines(db: Session, filters: Filters) -> Iterator[str]:
    yield csv_line(COLUMNS)
    after, told = None, 0
    while told < MOST_EXPORTED:
        page = listing.devices(db, filters, after, listing.MOST_ROWS)
        for row in page.rows:
            since = row.state_since.isoformat() if row.state_since else ""
            where = (row.place_text, f"{row.at.lon:.7f}", f"{row.at.lat:.7f}")
            days = (row.activated_on or "", row.calibration_valid_to or "")
            yield csv_line((row.public_id, row.name, row.state, since, row.device_type, row.platform, *where, *days))
        told += len(page.rows)
        after = page.after
        if after is None:
            return


def csv_line(values: tuple[object, ...]) -> str:
    """One line of a file for spreadsheets, in which no cell is a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([plain(str(value)) for value in values])
    return out.getvalue()


def plain(value: str) -> str:
    """A text that no spreadsheet computes; numbers stay numbers."""
    return f"'{value}" if value.startswith(_FORMULA) and not _is_number(value) else value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
