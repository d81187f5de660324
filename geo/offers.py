"""Devices of other authorities that would do, looked for before anybody sets up one of their own (GD-17, S03)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from shapely.geometry import Point
from sqlalchemy.orm import Session

from geo.footprint import sector
from geo.listing import SEARCH, plain_text, search_values
from geo.types import LonLat

MOST_FOUND = 30
# Further away hardly any device sees the place that is meant.
NEAR_M = 5_000.0
# Only what the public register shows is offered; a secret device is nobody's offer (GD-14.6).
OFFERED = ("published", "active", "maintenance", "blocked")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What device is looked for; `besides` are the authorities whose own devices do not count."""

    besides: Collection[uuid.UUID]
    kind: str | None = None
    q: str | None = None
    near: LonLat | None = None


@dataclass(frozen=True)
class Offer:
    """A published device of another authority; `far_m` and `sees` tell of the place that was asked for.

    Its direction is restricted (requirements.md 5.3), so that only whether it sees the place is told, not its view.
    """

    public_id: str
    name: str
    device_type: str
    platform: str
    state: str
    place_text: str
    authority: Mapping[str, str]
    far_m: float | None
    sees: bool | None


_FOUND = """
    SELECT d.public_id, d.name, d.device_type, d.platform, d.state, s.place_text, a.name_en, a.name_zh,
           ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat, d.sector_azimuth_deg, d.hfov_deg, d.range_m, {far} AS far_m
    FROM core.device d JOIN core.device_site s ON s.id = d.site_id JOIN core.authority a ON a.id = d.authority_id
    WHERE NOT d.secret AND d.state = ANY(%(offered)s)
      AND d.authority_id <> ALL(%(besides)s) {conditions}
    ORDER BY {order} d.name, d.public_id LIMIT %(most)s
"""
_FAR = "ST_Distance(s.geom::geography, ST_Point(%(lon)s, %(lat)s, 4326)::geography)"
# The box first, by the index; the exact distance on the ellipsoid decides.
_WITHIN = """AND s.geom && ST_Envelope(ST_Buffer(ST_Point(%(lon)s, %(lat)s, 4326)::geography, %(near_m)s + 1)::geometry)
    AND ST_DWithin(s.geom::geography, ST_Point(%(lon)s, %(lat)s, 4326)::geography, %(near_m)s)"""


def offers(session: Session, wish: Wish) -> tuple[Offer, ...]:
    """The devices that would do, the nearest first where a place is named, else by their names; MOST_FOUND of them."""
    values: dict[str, Any] = {"besides": list(wish.besides), "offered": list(OFFERED), "most": MOST_FOUND}
    conditions, far, order = "", "NULL::float8", ""
    if wish.near is not None:
        values |= {"lon": wish.near.lon, "lat": wish.near.lat, "near_m": NEAR_M}
        conditions, far, order = _WITHIN, _FAR, "far_m,"
    if wish.kind:
        values["kind"] = plain_text(wish.kind)
        conditions += " AND d.device_type = %(kind)s"
    if wish.q and wish.q.strip():
        values |= search_values(wish.q)
        conditions += f" AND {SEARCH}"
    statement = _FOUND.format(conditions=conditions, far=far, order=order)
    rows = session.connection().exec_driver_sql(statement, values).mappings()
    return tuple(_offer(row, wish.near) for row in rows)


def _offer(row: Mapping[Any, Any], near: LonLat | None) -> Offer:
    return Offer(
        public_id=row["public_id"],
        name=row["name"],
        device_type=row["device_type"],
        platform=row["platform"],
        state=row["state"],
        place_text=row["place_text"],
        authority={"en": row["name_en"], "zh": row["name_zh"]},
        far_m=row["far_m"],
        sees=None if near is None else _sees(row, near),
    )


def _sees(row: Mapping[Any, Any], near: LonLat) -> bool | None:
    """Whether its view covers the place; None where nobody has said what it looks at."""
    azimuth, hfov, reach = row["sector_azimuth_deg"], row["hfov_deg"], row["range_m"]
    if azimuth is None or not hfov or not reach:
        return None
    return bool(sector(LonLat(row["lon"], row["lat"]), azimuth, hfov, reach).covers(Point(near)))
