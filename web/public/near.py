"""What watches this address: everything published around one place, as one sentence and a list."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from schemas.refusals import invalid, not_found
from web.i18n import gettext, joined, ngettext
from web.public import records, silence
from web.public.layers import DEPLOYMENT_POINTS, DEVICES, PATROL_AREAS, PATROL_ROUTES, PRIVACY_ZONES, Layer
from web.public.records import Record

# How far around a place the answer looks. What a single camera sees is not public (requirements.md 5.3), so the
# answer says distances and lets the reader judge.
DEVICE_RADIUS_M = 500.0
ROUTE_RADIUS_M = 200.0
_PAIR = re.compile(r"\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*[,，;\s]\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*")


@dataclass(frozen=True)
class Hit:
    """One thing that watches, and how far away it stands, in words."""

    record: Record
    far_m: float

    @property
    def far(self) -> str:
        """The distance as people say it: `above`, `120 m`."""
        if self.record.layer == PATROL_AREAS.name:
            return gettext("above here")
        return gettext("%(metres)s m", metres=max(10, round(self.far_m, -1)).__trunc__())


@dataclass(frozen=True)
class Answer:
    """The answer for one place (EPSG:4326)."""

    lon: float
    lat: float
    place: Mapping[str, str] | None
    hits: tuple[Hit, ...]
    zones: tuple[Record, ...]
    # Where nothing watches: whether the authority that answers for the place has published at all.
    silence: str = ""

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        devices, points = self._of(DEVICES), self._of(DEPLOYMENT_POINTS)
        patrolled = len(devices) + len(points) < len(self.hits)
        parts = []
        if devices:
            parts.append(
                ngettext(
                    "%(num)d device stands within %(radius)d m, %(near)s away.",
                    "%(num)d devices stand within %(radius)d m, the nearest %(near)s away.",
                    len(devices),
                    radius=int(DEVICE_RADIUS_M),
                    near=devices[0].far,
                )
            )
            if patrolled:
                parts.append(gettext("Drones may patrol here."))
        elif patrolled:
            parts.append(
                gettext("No device stands within %(radius)d m; drones may patrol here.", radius=int(DEVICE_RADIUS_M))
            )
        if points:
            parts.append(gettext("A mobile unit works from a point %(near)s away.", near=points[0].far))
        return joined(*parts) if parts else gettext("Nothing that is published watches this place.")

    def _of(self, layer: Layer) -> list[Hit]:
        return [hit for hit in self.hits if hit.record.layer == layer.name]

    @property
    def footnote(self) -> str:
        """What the answer covers."""
        return gettext(
            "Devices and deployment points within %(device)d m, routes within %(route)d m, and patrol areas above this "
            "place. How far a single camera sees is not published.",
            device=int(DEVICE_RADIUS_M),
            route=int(ROUTE_RADIUS_M),
        )


def ask(public: Connection, lon: float, lat: float, place: Mapping[str, str] | None = None) -> Answer:
    """What watches the place at (`lon`, `lat`), EPSG:4326."""
    found = [
        *records.within(public, DEVICES, lon, lat, DEVICE_RADIUS_M),
        *records.within(public, DEPLOYMENT_POINTS, lon, lat, DEVICE_RADIUS_M),
        *records.within(public, PATROL_ROUTES, lon, lat, ROUTE_RADIUS_M),
        *records.within(public, PATROL_AREAS, lon, lat, 0.0),
    ]
    zones = [
        record for record, _ in records.within(public, PRIVACY_ZONES, lon, lat, 0.0) if record.state == "effective"
    ]
    hits = tuple(Hit(record, far_m) for record, far_m in found)
    return Answer(lon, lat, place, hits, tuple(zones), "" if hits else silence.told(public, lon, lat))


def pair_in(words: str) -> tuple[str, str] | None:
    """The longitude and the latitude that words are, or None where they are none."""
    pair = _PAIR.fullmatch(words)
    return (pair[1], pair[2]) if pair else None


def ask_by_name(public: Connection, words: str) -> Answer:
    """What watches the place of that name; raises RuleViolation 404 for an unknown name."""
    row = public.execute(
        text(
            "SELECT name_en, name_zh, ST_X(c), ST_Y(c) FROM (SELECT *, ST_PointOnSurface(geom) AS c "
            "FROM public_map.base_features WHERE name_en ILIKE :some ESCAPE '\\' OR name_zh ILIKE :some ESCAPE '\\') b "
            "ORDER BY (lower(name_en) = lower(:whole) OR name_zh = :whole) DESC, kind <> 'place', "
            "length(name_en), name_en LIMIT 1"
        ),
        {"some": f"%{records.literal(words)}%", "whole": words},
    ).one_or_none()
    if row is None:
        raise not_found("place.unknown", "web.place_unknown", measured=words[:60])
    english, chinese, lon, lat = row
    return ask(public, lon, lat, {"en": english or chinese, "zh": chinese or english})


def coordinates(lon: str, lat: str) -> tuple[float, float]:
    """A longitude and a latitude from text; raises RuleViolation 422 when they are none."""
    try:
        values = float(lon), float(lat)
    except ValueError:
        raise invalid(
            "query.unknown",
            "web.query_unknown",
            name="lon, lat",
            measured=f"{lon}, {lat}"[:60],
            required="113.27, 23.13",
        ) from None
    if not all(map(math.isfinite, values)) or abs(values[0]) > 180 or abs(values[1]) > 90:
        raise invalid(
            "query.unknown",
            "web.query_unknown",
            name="lon, lat",
            measured=f"{lon}, {lat}"[:60],
            required="-180..180, -90..90",
        )
    return values
