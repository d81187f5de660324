"""The open layers: which view each is read from, and what each of its columns means.

A test compares this table with the database; files, OGC API Features and the documents are all made from it.
The layers of web.public.layers are others: they turn a view into words that all pages share, so that they have columns
that nobody downloads, and none of the meanings told here. Where a record has its page is said there alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.refusals import not_found
from web.public.layers import DEPLOYMENT_POINTS, DEVICES, PATROL_AREAS, PATROL_ROUTES, PRIVACY_ZONES


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


class Type(StrEnum):
    """What a column holds; the value is the type of the database."""

    TEXT = "text"
    DATE = "date"
    INSTANT = "timestamp with time zone"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "double precision"


@dataclass(frozen=True)
class Column:
    """One column of the open layers: its type and its meaning (English; the catalogue has the Chinese)."""

    type: Type
    meaning: str


def _of(type_: Type, /, **meanings: str) -> dict[str, Column]:
    return {name: Column(type_, meaning) for name, meaning in meanings.items()}


COLUMNS: Mapping[str, Column] = {
    **_of(
        Type.TEXT,
        public_id=N_("The public number of the record; it never changes."),
        code=N_("The number that the authority gives it."),
        name=N_("Its name."),
        name_en=N_("Its name in English."),
        name_zh=N_("Its name in Chinese."),
        platform=N_("What carries it: fixed, uav, ugv or usv."),
        category=N_("Whether it is fixed or mobile."),
        device_type=N_("What it senses: video, radar, water_quality, air, noise or satellite_ref."),
        kind=N_("What the zone protects; other where that is nobody's business."),
        status=N_("Its state today, as on the map."),
        purpose_en=N_("What it is for, in English."),
        purpose_zh=N_("What it is for, in Chinese."),
        owner_type=N_("Whose it is: of an authority, a department or an enterprise."),
        item_code=N_("The number of the supervision item."),
        item_name_en=N_("The supervision item, in English."),
        item_name_zh=N_("The supervision item, in Chinese."),
        basis_title_en=N_("The law that it rests on, in English."),
        basis_title_zh=N_("The law that it rests on, in Chinese."),
        basis_article=N_("The article of that law."),
        authority_id=N_("The public number of the authority."),
        authority_en=N_("The authority, in English."),
        authority_zh=N_("The authority, in Chinese."),
        contact_person=N_("Whom to ask for: an office, or a name that the authority itself gives."),
        contact_address=N_("Where to write to."),
        contact_channel=N_("Where to call or send a message."),
        sign_text=N_("What the sign at its place says."),
        aircraft_mark=N_("The registration mark of the aircraft."),
        place_text=N_("Where it stands, in words."),
        siting_approval_no=N_("The number under which its place was approved."),
        area_id=N_("The public number of the patrol area."),
        area_en=N_("The patrol area, in English."),
        area_zh=N_("The patrol area, in Chinese."),
        mission_digest=N_("The SHA-256 of the flight plan that may be flown."),
        source=N_("Why the zone exists: by law, on request or by a survey."),
        schedule=N_("On which days and hours the zone holds; always where nothing stands here."),
        flown=N_("as_published, or deviating."),
        route_id=N_("The public number of the route."),
        route_en=N_("The route, in English."),
        route_zh=N_("The route, in Chinese."),
        level=N_("province, city, county or township."),
        authority_type=N_("What kind of authority it is."),
        field=N_("What it is responsible for."),
        origin=N_("live: recorded here as it happened; else asserted by an import, and witnessed by nobody here."),
    ),
    **_of(
        Type.DATE,
        calibrated_until=N_("Until when its measurements are certified."),
        published_on=N_("The day from which the notice period counts."),
        earliest_activation=N_("The first day on which it may be used."),
        earliest_use=N_("The first day on which it may be used."),
        activated_on=N_("In use since that day."),
        effective_from=N_("In force since that day."),
        discontinued_on=N_("Out of use since that day."),
        suspended_on=N_("Suspended since that day."),
        sign_checked_on=N_("When somebody last saw the sign."),
        recorded_on=N_("When it was recorded here."),
        flown_on=N_("The day of the flight."),
    ),
    **_of(
        Type.INSTANT,
        valid_from=N_("From when it holds."),
        valid_to=N_("Until when it holds; open where nothing stands here."),
    ),
    **_of(
        Type.BOOLEAN,
        is_measuring_instrument=N_("Whether it measures by law and must be calibrated."),
        stayed_inside=N_("Whether the aircraft stayed inside the patrol area."),
        flown_as_published=N_("Whether the flight was the one that was published."),
    ),
    **_of(Type.INTEGER, duration_min=N_("Minutes in the air, to a quarter of an hour.")),
    **_of(
        Type.NUMBER,
        alt_min_agl_m=N_("The lowest height above ground, in metres."),
        alt_max_agl_m=N_("The greatest height above ground, in metres."),
        buffer_m=N_("How far around it the zone reaches, in metres."),
        floor_agl_m=N_("From which height above ground the zone holds, in metres."),
        ceiling_agl_m=N_("Up to which height above ground the zone holds, in metres."),
    ),
}


@dataclass(frozen=True)
class OpenLayer:
    """One open layer: its title, what it holds, its columns in order, its time, its shapes, and where its pages are."""

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    time: str | None
    shape: str
    page: str

    @property
    def view(self) -> str:
        """The view that it is read from, within the schema `public_map`."""
        return f"open_{self.name}"

    @property
    def is_points(self) -> bool:
        """Whether each record is one point."""
        return self.shape == "Point"


_WHO = "authority_id authority_en authority_zh contact_person contact_address contact_channel"
_LAW = "item_code item_name_en item_name_zh basis_title_en basis_title_zh basis_article"
_PLACES = "public_id code name_en name_zh status purpose_en purpose_zh"
_DATES = "published_on earliest_use effective_from suspended_on"


def _columns(*names: str) -> tuple[str, ...]:
    return tuple(" ".join(names).split())


_ALL = (
    OpenLayer(
        "devices",
        N_("Monitoring devices"),
        N_("Every device that watches here or is announced: where, what, who, why and under which law."),
        _columns(
            "public_id name platform category device_type status purpose_en purpose_zh owner_type",
            "is_measuring_instrument calibrated_until published_on earliest_activation activated_on discontinued_on",
            f"{_LAW} {_WHO} sign_text sign_checked_on aircraft_mark place_text siting_approval_no origin recorded_on",
        ),
        "published_on",
        "Point",
        f"{DEVICES.path}/",
    ),
    OpenLayer(
        "deployment_points",
        N_("Deployment points"),
        N_("Places from which mobile units work."),
        _columns(_PLACES, "place_text", _DATES, _LAW, _WHO, "siting_approval_no origin recorded_on"),
        "published_on",
        "Point",
        f"{DEPLOYMENT_POINTS.path}/",
    ),
    OpenLayer(
        "patrol_areas",
        N_("Patrol areas"),
        N_("Ground over which drones may patrol, and how high."),
        _columns(
            *(_PLACES, "alt_min_agl_m alt_max_agl_m", _DATES, _LAW, _WHO, "siting_approval_no origin recorded_on")
        ),
        "published_on",
        "MultiPolygon",
        f"{PATROL_AREAS.path}/",
    ),
    OpenLayer(
        "patrol_routes",
        N_("Patrol routes"),
        N_("Lines that drones may fly, without bends of less than fifty metres."),
        _columns(
            *(_PLACES, "area_id area_en area_zh alt_min_agl_m alt_max_agl_m", _DATES, _WHO),
            "mission_digest origin recorded_on",
        ),
        "published_on",
        "LineString",
        f"{PATROL_ROUTES.path}/",
    ),
    OpenLayer(
        "privacy_zones",
        N_("Privacy zones"),
        N_("Ground that nobody may look at; the shape is drawn larger than what it protects."),
        _columns(
            "public_id kind name_en name_zh status source buffer_m floor_agl_m ceiling_agl_m schedule valid_from",
            "valid_to origin",
        ),
        "valid_from",
        "MultiPolygon",
        f"{PRIVACY_ZONES.path}/",
    ),
    OpenLayer(
        "flight_log",
        N_("Flights"),
        N_("Flights that are over: which route, on what day, and whether it was flown as published."),
        _columns(
            "public_id flown_on duration_min flown flown_as_published stayed_inside route_id route_en route_zh area_id",
            "area_en area_zh authority_en authority_zh origin",
        ),
        "flown_on",
        "LineString",
        "/flights",
    ),
    OpenLayer(
        "authorities",
        N_("Authorities"),
        N_("Who publishes here, for which ground, and whom to ask."),
        _columns(
            "public_id name_en name_zh level authority_type field",
            "contact_person contact_address contact_channel origin",
        ),
        None,
        "MultiPolygon",
        "/rules",
    ),
)
OPEN_LAYERS: Mapping[str, OpenLayer] = {layer.name: layer for layer in _ALL}


def open_layer(name: str) -> OpenLayer:
    """The layer of that name; raises RuleViolation 404 for any other."""
    if name not in OPEN_LAYERS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=name[:40], required=", ".join(OPEN_LAYERS))
    return OPEN_LAYERS[name]
