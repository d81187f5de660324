"""Commands on privacy zones that somebody asks for: asked, then granted or refused with reasons (GD-15, G-36)."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from secrets import SystemRandom

from shapely.geometry import Polygon
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.commands.words import refuse_unknown
from geo.commands.zones import ZONE_KINDS, NewZone, new_zone, write_zone
from geo.hiding import displayed_shape
from geo.periods import answer_due
from schemas.ids import new_id, public_id
from schemas.refusals import invalid
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import Authority, PrivacyZone, ZoneRequest

DECISIONS = {"granted": "grant", "refused": "refuse"}


@dataclass(frozen=True, kw_only=True)
class NewRequest:
    """A zone that is asked for; `shape` in EPSG:4326. `sensitive` asks that its place be hidden."""

    authority: Authority
    shape: Polygon
    place_text: str
    reason: str
    asked_by: str
    contact: str
    kind: str = "requested"
    sensitive: bool = False


@dataclass(frozen=True, kw_only=True)
class GrantedZone:
    """The zone that is granted: what it is called where it is shown, how far around it holds, and until when."""

    name_en: str
    name_zh: str
    kind: str | None = None
    buffer_m: float = 0.0
    valid_to: datetime | None = None


@dataclass(frozen=True)
class Request:
    """A request as the desk reads it; restricted. `shape` is the place that is asked for, in EPSG:4326."""

    public_id: str
    authority_id: uuid.UUID
    authority_en: str
    authority_zh: str
    state: str
    version: int
    kind: str
    sensitive: bool
    shape: Polygon
    place_text: str
    reason: str
    asked_by: str
    asked_by_id: uuid.UUID | None
    contact: str
    asked_at: datetime
    due_on: date
    decided_at: datetime | None
    reasons: str | None
    reasons_en: str | None
    reasons_zh: str | None
    zone: str | None


def ask_zone(work: Work, new: NewRequest) -> ZoneRequest:
    """Asks an authority for a privacy zone; the answer is due within the days that a complaint has."""
    refuse_unknown([("kind", new.kind, ZONE_KINDS)])
    for name in ("place_text", "asked_by", "contact"):
        if not getattr(new, name).strip():
            raise invalid("zone.request", "zone.request_incomplete", field=name)
    request = ZoneRequest(
        id=new_id(),
        public_id=public_id("ZR"),
        authority=new.authority,
        authority_id=new.authority.id,
        geom=shapes.element(new.shape),
        sensitive=new.sensitive,
        kind=new.kind,
        place_text=new.place_text,
        reason=new.reason,
        asked_by_id=work.actor.person_id,
        asked_by=new.asked_by,
        contact=new.contact,
        asked_at=work.now,
    )
    with work.session.no_autoflush:
        request.due_on = due_on(work.pack_for(request), work.now)
        work.apply(request, "ask", reason=new.reason)
    return request


def due_on(pack: RulePack, asked_at: datetime) -> date:
    """The day by which a request is answered."""
    return answer_due(pack, "complaint.reply_due", asked_at)


def decide_request(  # noqa: PLR0913 - a decision says all of this
    work: Work,
    request_id: str,
    decision: str,
    reasons: str,
    *,
    told_en: str,
    told_zh: str,
    grant: GrantedZone | None = None,
    hide: bool = False,
    seen_version: int | None = None,
    draw: Random | None = None,
) -> ZoneRequest:
    """Grants or refuses the request with that public id; a granted one is a zone from this moment on.

    `reasons` are for whoever asked; `told_en` and `told_zh` are for the public register and hold no personal data.
    `hide` hides a place though nobody asked for that; a place whose hiding was asked for stays hidden. What the zone
    touches is stopped or flagged in the same transaction. Raises RuleViolation.
    """
    refuse_unknown([("decision", decision, tuple(DECISIONS))])
    request = work.get(ZoneRequest, request_id)
    work.attempts(request, DECISIONS[decision])
    if not (told_en.strip() and told_zh.strip()):
        raise invalid("zone.request", "zone.request_untold")
    if (grant is None) != (decision == "refused"):
        raise invalid("zone.request", "zone.request_grant")
    with work.session.no_autoflush:
        told = _told(request, hide)
        work.apply(request, DECISIONS[decision], expected_version=seen_version, record=told, reason=reasons)
        request.sensitive = request.sensitive or hide
        request.decided_by_id, request.decided_at = work.actor.person_id, work.now
        request.reasons, request.reasons_en, request.reasons_zh = reasons, told_en.strip(), told_zh.strip()
        if grant is not None:
            request.zone = _granted(work, request, grant, draw or SystemRandom())
            write_zone(work, request.zone)
    return request


def _told(request: ZoneRequest, hide: bool) -> dict[str, bool]:
    # Which zone it became is not for the ledger, which others may read: it would tell who asked for which place.
    return {"sensitive": request.sensitive or hide}


def _granted(work: Work, request: ZoneRequest, grant: GrantedZone, draw: Random) -> PrivacyZone:
    exact = shapes.polygon(request.geom)
    shown = displayed_shape(exact, shown_before(work.session, exact), draw) if request.sensitive else exact
    new = NewZone(
        kind=grant.kind or request.kind,
        name_en=grant.name_en,
        name_zh=grant.name_zh,
        geom=shown,
        exact_geom=exact if request.sensitive else None,
        buffer_m=grant.buffer_m,
        source="request",
        valid_to=grant.valid_to,
    )
    refuse_unknown([("kind", new.kind, ZONE_KINDS)])
    return new_zone(new, now=work.now)


def shown_before(session: Session, exact: Polygon) -> list[Polygon]:
    """What was ever shown in place of a hidden shape that meets this one (EPSG:4326), the oldest first."""
    earlier = (
        select(PrivacyZone.geom)
        .where(PrivacyZone.exact_geom.is_not(None), PrivacyZone.exact_geom.ST_Intersects(shapes.element(exact)))
        .order_by(PrivacyZone.recorded_at, PrivacyZone.public_id)
    )
    return [shapes.polygon(shown) for shown in session.scalars(earlier)]


def requests_waiting(session: Session, authorities: Collection[uuid.UUID] | None = None) -> tuple[Request, ...]:
    """The requests that wait for a decision of these authorities, or of all; what is due first comes first."""
    asked = _REQUESTS.where(ZoneRequest.state == "asked")
    return _read(session, asked.order_by(ZoneRequest.due_on, ZoneRequest.asked_at), authorities)


def requests_decided(
    session: Session, authorities: Collection[uuid.UUID] | None = None, *, limit: int = 200
) -> tuple[Request, ...]:
    """The requests that these authorities, or all, have decided; the latest decision first."""
    decided = _REQUESTS.where(ZoneRequest.state != "asked").order_by(ZoneRequest.decided_at.desc()).limit(limit)
    return _read(session, decided, authorities)


def request_of(session: Session, name: str) -> Request | None:
    """The request with that public id, or None."""
    found = _read(session, _REQUESTS.where(ZoneRequest.public_id == name), None) if "\0" not in name else ()
    return next(iter(found), None)


Asked = Select[ZoneRequest, str, str, str]
_REQUESTS: Asked = (
    select(ZoneRequest, Authority.name_en, Authority.name_zh, PrivacyZone.public_id)
    .join(Authority, Authority.id == ZoneRequest.authority_id)
    .outerjoin(PrivacyZone, PrivacyZone.id == ZoneRequest.zone_id)
)


def _read(session: Session, query: Asked, authorities: Collection[uuid.UUID] | None) -> tuple[Request, ...]:
    if authorities is not None:
        query = query.where(ZoneRequest.authority_id.in_(authorities))
    return tuple(
        Request(
            public_id=row.public_id,
            authority_id=row.authority_id,
            authority_en=name_en,
            authority_zh=name_zh,
            state=row.state,
            version=row.version,
            kind=row.kind,
            sensitive=row.sensitive,
            shape=shapes.polygon(row.geom),
            place_text=row.place_text,
            reason=row.reason,
            asked_by=row.asked_by,
            asked_by_id=row.asked_by_id,
            contact=row.contact,
            asked_at=row.asked_at,
            due_on=row.due_on,
            decided_at=row.decided_at,
            reasons=row.reasons,
            reasons_en=row.reasons_en,
            reasons_zh=row.reasons_zh,
            zone=zone,
        )
        for row, name_en, name_zh, zone in session.execute(query)
    )
