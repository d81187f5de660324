"""The authorities of a government and what they have set up, as the database knows it; no secret devices (GD-17)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import RowMapping, select, text
from sqlalchemy.orm import Session

from geo.coverage.asked import Asked
from geo.coverage.coordinated import ACTIVE, BLOCKED, PLANNED, PUBLISHED, Standing
from geo.coverage.views import counts_once, view_of
from schemas.tables import Authority

GOVERNMENT = "government"
_ENDED = "ended"
_STATUS = {"active": ACTIVE, "published": PUBLISHED, "maintenance": BLOCKED, "blocked": BLOCKED}
_ANY = Asked()
_UNDER = text(
    "WITH RECURSIVE under AS (SELECT id FROM core.authority WHERE id = :root"
    " UNION SELECT a.id FROM core.authority a JOIN under u ON a.parent_id = u.id) SELECT id FROM under"
)
# Of a year that is over only what was in use is known: what was announced or planned then is not kept. One that was
# retired while in use ended on that day.
_DEVICES = text("""
    SELECT d.public_id, d.name, d.device_type, d.state, d.sector_azimuth_deg, d.hfov_deg, d.range_m,
           a.code AS authority, ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat, i.code AS item,
           d.first_used_on, d.activated_on, d.ended_on,
           ARRAY(SELECT o.code FROM core.device_grant g JOIN core.authority o ON o.id = g.authority_id
                 WHERE g.device_id = d.id AND g.state = 'granted' AND :day BETWEEN g.valid_from AND g.valid_to
                 UNION SELECT o.code FROM core.device_share h JOIN core.authority o ON o.id = h.authority_id
                 WHERE h.device_id = d.id ORDER BY 1) AS shared_with
    FROM (SELECT *, CASE WHEN state = 'retired' AND (discontinued_on IS NULL OR discontinued_on < activated_on)
                    THEN state_since::date ELSE discontinued_on END AS ended_on FROM core.device) d
    JOIN core.device_site s ON s.id = d.site_id JOIN core.authority a ON a.id = d.authority_id
    LEFT JOIN core.supervision_item i ON i.id = d.item_id
    WHERE d.authority_id = ANY(:authorities) AND NOT d.secret AND d.platform <> 'uav'
      AND CASE WHEN :past THEN d.first_used_on <= :day AND (d.ended_on IS NULL OR d.ended_on >= :first
                               OR (d.activated_on > d.ended_on AND d.activated_on <= :day))
          ELSE d.state = ANY(:states) OR d.ended_on >= :first END
    ORDER BY d.public_id
""")
_SITES = text(f"""
    SELECT l.public_id, l.place_text AS name, l.device_type, l.sector_azimuth_deg, l.hfov_deg, l.range_m,
           ST_X(l.geom) AS lon, ST_Y(l.geom) AS lat, a.code AS authority, i.code AS item
    FROM core.planned_site l JOIN core.siting_plan p ON p.id = l.plan_id JOIN core.authority a ON a.id = p.authority_id
    LEFT JOIN core.supervision_item i ON i.id = p.item_id
    WHERE p.authority_id = ANY(:authorities) AND p.state IN ('submitted', 'approved') AND l.dropped_in IS NULL
      AND l.decision IS DISTINCT FROM 'rejected' AND l.platform <> 'uav'
      AND NOT EXISTS (SELECT FROM core.device_site s WHERE s.planned_site_id = l.id)
      AND {counts_once("IN ('submitted', 'approved')")}
    ORDER BY l.public_id
""")
_COUNT = text(
    "SELECT count(*) FROM core.device WHERE authority_id = ANY(:authorities) AND NOT secret AND state = ANY(:states)"
)


@dataclass(frozen=True)
class Government:
    """A government: the authority at its head, all under it (its own included, by code), and its ground (EPSG:4326)."""

    head: Authority
    authorities: tuple[Authority, ...]
    ground: BaseGeometry

    @property
    def ids(self) -> list[uuid.UUID]:
        """The ids of its authorities."""
        return [one.id for one in self.authorities]

    @property
    def codes(self) -> list[str]:
        """Their codes."""
        return [one.code for one in self.authorities]


def heads_over(session: Session, authorities: Iterable[Authority]) -> list[Authority]:
    """Whose ground authorities may have reported: their governments first, then themselves and all above them, by code.

    The government of an authority is the nearest above it that is one; where none is, whoever is on top.
    """
    governments: dict[str, Authority] = {}
    found: dict[str, Authority] = {}
    for one in authorities:
        chain = [one]
        while chain[-1].parent_id is not None:
            chain.append(session.get_one(Authority, chain[-1].parent_id))
        found |= {each.code: each for each in chain}
        government = next((each for each in chain if each.authority_type == GOVERNMENT), chain[-1])
        governments[government.code] = government
    ordered = [*sorted(governments), *sorted(found.keys() - governments.keys())]
    return [found[code] for code in ordered]


def government_of(session: Session, head: Authority) -> Government:
    """A government with every authority under its head."""
    ids = session.scalars(_UNDER, {"root": head.id}).all()
    authorities = session.scalars(select(Authority).where(Authority.id.in_(ids)).order_by(Authority.code)).all()
    return Government(head, tuple(authorities), to_shape(head.jurisdiction))


def devices_of(session: Session, government: Government) -> int:
    """How many devices a report would count today."""
    values = {"authorities": government.ids, "states": list(_STATUS)}
    return int(session.execute(_COUNT, values).scalar_one())


def standing_of(session: Session, government: Government, day: date, *, past: bool) -> Sequence[Standing]:
    """What the authorities of a government have set up by a day, and unless that is `past`, what they plan."""
    first = date(day.year, 1, 1)
    values = {"authorities": government.ids, "states": list(_STATUS), "day": day, "first": first, "past": past}
    found = []
    for row in session.execute(_DEVICES, values).mappings():
        status = _status_then(row, day) if past else _STATUS.get(row["state"], _ENDED)
        device, assumed = view_of(row, _ANY)
        began = row["first_used_on"]
        found.append(
            Standing(
                public_id=row["public_id"],
                label=row["name"],
                authority=row["authority"],
                kind=row["device_type"],
                status=status,
                device=device,
                item=row["item"],
                is_assumed=assumed,
                is_shown=status != _ENDED,
                shared_with=tuple(code for code in row["shared_with"] if code != row["authority"]),
                added=began is not None and first <= began <= day,
                ended=status == _ENDED,
            )
        )
    if not past:
        for row in session.execute(_SITES, values).mappings():
            device, assumed = view_of(row, _ANY)
            found.append(
                Standing(
                    public_id=row["public_id"],
                    label=row["name"],
                    authority=row["authority"],
                    kind=row["device_type"],
                    status=PLANNED,
                    device=device,
                    item=row["item"],
                    is_assumed=assumed,
                )
            )
    return found


def _status_then(row: RowMapping, day: date) -> str:
    """Whether a device was in use on a day that is over; the day of its last end stays with one in use once more."""
    ended_on, began_on = row["ended_on"], row["activated_on"]
    if ended_on is None or day < ended_on:
        return ACTIVE
    return ACTIVE if began_on > ended_on and began_on <= day else _ENDED
