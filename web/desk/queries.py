"""What the review desk shows: the queue of one officer's authorities, and one finding in full. Frozen rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from sqlalchemy import Date, Select, SmallInteger, Text, func, literal, select, text, tuple_
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import invalid, not_found
from schemas.roles import Role
from schemas.rules import Rulebook
from schemas.tables import (
    Authority,
    Derivative,
    Detection,
    Flight,
    LegalBasis,
    PatrolRoute,
    Qualification,
    Scene,
    SegmentationRun,
    SupervisionItem,
)
from sensing.copies import refuse_overdue
from sensing.remarks import remarks
from sensing.risk import MOST_POINTS
from sensing.shut import is_shut, refuse_shut
from sensing.sightings import history
from sensing.words import in_words
from web.desk.readings import Reading, reading_of
from web.desk.sides import BEFORE, Side, sides_of

OPEN_STATES = ("new", "assigned")
DECIDED_STATES = ("confirmed", "false_alarm", "inconclusive")
LONGEST_QUEUE = 200
LATELY = 8
# What measured where no image was taken.
STATION = "station"


@dataclass(frozen=True)
class Row:
    """One line of the queue; `due` is the local date after which the alert turns yellow (LX-17).

    `risk` is in points of 100, `place` says in sentences where it stands in the queue and why.
    """

    public_id: str
    kind: str
    state: str
    sensor: str
    area_m2: float
    due: date
    late: bool
    mine: bool
    decided_at: datetime | None
    version: int
    risk: int
    place: tuple[Mapping[str, str], ...]
    turn: date

    @property
    def cursor(self) -> str:
        """Where this line stands in the queue, for the page behind it."""
        return f"{'m' if self.mine else 'o'}.{self.turn.isoformat()}.{self.risk}.{self.public_id}"


@dataclass(frozen=True)
class Dated:
    """One date in the life of the thing that a finding is of; `finding` is named where the actor may open it."""

    taken: datetime | None
    said: Mapping[str, str]
    finding: str | None


@dataclass(frozen=True)
class Finding:
    """One finding as an officer sees it; shapes are GeoJSON in EPSG:4326."""

    public_id: str
    kind: str
    state: str
    mine: bool
    version: int
    score: float
    area_m2: float
    shape: dict[str, Any]
    bounds: tuple[float, float, float, float]
    formed_at: datetime
    decided_at: datetime | None
    reason: str | None
    trace: tuple[Mapping[str, str], ...]
    item: Mapping[str, str] | None
    basis: Mapping[str, str] | None
    flight: str | None
    route: str | None
    track: Mapping[str, Any] | None
    engine: str
    looked: tuple[dict[str, str], ...]
    history: tuple[Dated, ...]
    before: Side | None
    after: Side | None
    reading: Reading | None = None


def authorities_of(actor: Actor) -> frozenset[uuid.UUID]:
    """The authorities in which the actor is an officer; nobody sees findings of others (404, row 66)."""
    return frozenset(grant.authority_id for grant in actor.grants if grant.role is Role.OFFICER)


def qualified(db: Session, actor: Actor, today: date) -> bool:
    """Whether the actor holds a valid enforcement certificate; the machine asks again when a decision is made."""
    held = select(Qualification.id).where(
        Qualification.person_id == actor.person_id,
        Qualification.kind == "enforcement",
        Qualification.valid_from <= today,
        Qualification.valid_to >= today,
    )
    return db.scalar(held.limit(1)) is not None


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to see of the queue; nothing named is everything. `authority` is a code.

    `after` is the `cursor` of a row: the page behind it is the same whatever was decided or came meanwhile.
    """

    kind: str | None = None
    sensor: str | None = None
    authority: str | None = None
    mine: bool = False
    after: str | None = None
    limit: int | None = None


EVERYTHING = Wanted()


def queue(db: Session, actor: Actor, rulebook: Rulebook, now: datetime, wanted: Wanted = EVERYTHING) -> list[Row]:
    """Findings that wait, one's own first, then by risk and last day (sensing/risk.py), a page of them.

    Raises RuleViolation 422 for a cursor that is none.
    """
    size = wanted.limit or LONGEST_QUEUE
    start = _start(wanted.after)
    taken = [] if start and not start.mine else _page(db, _mine(actor, wanted), start, size)
    rest = size - len(taken)
    others = []
    if rest > 0 and not wanted.mine:
        others = _page(db, _others(db, actor, wanted), start if start and not start.mine else None, rest)
    return [_row(detection, scene, actor, rulebook, now) for detection, scene in (*taken, *others)]


_CURSOR = re.compile(r"(?P<whose>[mo])\.(?P<turn>\d{4}-\d\d-\d\d)\.(?P<risk>\d\d?|100)\.(?P<id>[A-Z0-9-]{1,20})")
# Said as in the partial indexes, or the planner does not see that they serve.
_WAITS, _TAKEN = text("detection.state IN ('new', 'assigned')"), text("detection.state = 'assigned'")
_ORDER = (Detection.turn, Detection.risk_short_of_most, Detection.public_id)


@dataclass(frozen=True)
class _Start:
    """Behind which line of the queue a page begins, and whether that line is among one's own."""

    mine: bool
    turn: date
    risk: int
    public_id: str


def _start(after: str | None) -> _Start | None:
    if after is None:
        return None
    found = _CURSOR.fullmatch(after)
    try:
        if found:
            return _Start(found["whose"] == "m", date.fromisoformat(found["turn"]), int(found["risk"]), found["id"])
    except ValueError:
        pass
    raise invalid("query.unknown", "web.query_unknown", name="after", measured=after[:40], required="m|o.DATE.RISK.ID")


def _page(
    db: Session, branches: list[Select[uuid.UUID]], start: _Start | None, size: int
) -> list[tuple[Detection, Scene | None]]:
    """The first rows of several queues in one order: each is read along its index, and no further than a page."""
    behind = None
    if start:
        last = (
            literal(start.turn, Date),
            literal(MOST_POINTS - start.risk, SmallInteger),
            literal(start.public_id, Text),
        )
        behind = tuple_(*_ORDER) > tuple_(*last)
    pages = [(one if behind is None else one.where(behind)).order_by(*_ORDER).limit(size) for one in branches]
    ids = [one for page in pages for one in db.scalars(page)]
    # By their ids, or the planner would rather read everything than a page of it.
    rows = select(Detection, Scene).outerjoin(Scene, Scene.id == Detection.scene_id).where(Detection.id.in_(ids))
    return [(detection, scene) for detection, scene in db.execute(rows.order_by(*_ORDER).limit(size))]


def _mine(actor: Actor, wanted: Wanted) -> list[Select[uuid.UUID]]:
    own = select(Detection.id).where(_TAKEN, Detection.assigned_to == actor.person_id)
    return [_narrowed(own.where(Detection.authority_id.in_(authorities_of(actor))), wanted)]


def _others(db: Session, actor: Actor, wanted: Wanted) -> list[Select[uuid.UUID]]:
    of_others = Detection.assigned_to.is_distinct_from(actor.person_id)
    authorities = sorted(authorities_of(actor))
    if wanted.authority:
        authorities = [one for one in authorities if db.get_one(Authority, one).code == wanted.authority]
    narrow = replace(wanted, authority=None)
    return [
        _narrowed(select(Detection.id).where(_WAITS, Detection.authority_id == one, of_others), narrow)
        for one in authorities
    ]


def _narrowed(rows: Select[uuid.UUID], wanted: Wanted) -> Select[uuid.UUID]:
    rows = rows.where(~is_shut())
    if wanted.kind:
        rows = rows.where(Detection.kind == wanted.kind)
    if wanted.sensor == STATION:
        rows = rows.where(Detection.exceedance_id.is_not(None))
    elif wanted.sensor:
        rows = rows.join(Scene, Scene.id == Detection.scene_id).where(Scene.sensor == wanted.sensor)
    if wanted.authority:
        rows = rows.join(Authority, Authority.id == Detection.authority_id).where(Authority.code == wanted.authority)
    return rows


def waiting_count(db: Session, actor: Actor, wanted: Wanted = EVERYTHING) -> int:
    """How many findings wait, also where the queue does not list them all."""
    waiting = select(Detection.id).where(_WAITS, Detection.authority_id.in_(authorities_of(actor)))
    if wanted.mine:
        waiting = waiting.where(Detection.assigned_to == actor.person_id)
    return db.scalar(select(func.count()).select_from(_narrowed(waiting, wanted).subquery())) or 0


def kinds_waiting(db: Session, actor: Actor) -> list[str]:
    """The kinds of the findings that wait, for a filter."""
    kinds = select(Detection.kind).where(_WAITS, Detection.authority_id.in_(authorities_of(actor)), ~is_shut())
    return sorted(db.scalars(kinds.distinct()))


def decided(db: Session, actor: Actor, rulebook: Rulebook, now: datetime) -> list[Row]:
    """The findings that were decided last."""
    rows = _of(actor).where(Detection.state.in_(DECIDED_STATES)).order_by(Detection.decided_at.desc().nulls_last())
    return [_row(detection, scene, actor, rulebook, now) for detection, scene in db.execute(rows.limit(LATELY))]


def _of(actor: Actor) -> Select[Detection, Scene]:
    return (
        select(Detection, Scene)
        .outerjoin(Scene, Scene.id == Detection.scene_id)
        .where(Detection.authority_id.in_(authorities_of(actor)), ~is_shut())
    )


def _row(detection: Detection, scene: Scene | None, actor: Actor, rulebook: Rulebook, now: datetime) -> Row:
    pack = rulebook.at_place(to_shape(detection.geom), now)
    formed_on = pack.local_date(detection.formed_at)
    # By the law of the day on which it was formed; what was formed before that was kept goes by the law of today.
    due = detection.due or formed_on + timedelta(days=pack["alert.yellow_after_days"])
    return Row(
        public_id=detection.public_id,
        kind=detection.kind,
        state=detection.state,
        sensor=scene.sensor if scene else STATION,
        area_m2=detection.area_m2,
        due=due,
        late=due < pack.local_date(now),
        mine=detection.state == "assigned" and detection.assigned_to == actor.person_id,
        decided_at=detection.decided_at,
        version=detection.version,
        risk=detection.risk,
        place=tuple(map(in_words, detection.risk_trace)),
        turn=detection.turn,
    )


def row_of(db: Session, actor: Actor, public_id: str) -> Detection:
    """The detection with that id in an authority of the actor.

    Raises RuleViolation 404 for any other, GD-43 while its ground lies in a privacy zone that came later.
    """
    found = select(Detection).where(Detection.public_id == public_id, Detection.authority_id.in_(authorities_of(actor)))
    row = db.scalar(found)
    if row is None:
        raise not_found("finding.unknown", measured=public_id[:40])
    refuse_shut(db, row)
    return row


def finding(db: Session, actor: Actor, public_id: str, rulebook: Rulebook | None = None) -> Finding:
    """One finding in full; raises RuleViolation 404 when it is not the actor's to see."""
    row = row_of(db, actor, public_id)
    run = db.get_one(SegmentationRun, row.run_id) if row.run_id else None
    scene = db.get_one(Scene, row.scene_id) if row.scene_id else None
    flight = db.get(Flight, scene.flight_id) if scene is not None and scene.flight_id else None
    route = db.get(PatrolRoute, flight.route_id) if flight else None
    item = db.get(SupervisionItem, row.item_id) if row.item_id else None
    basis = db.get(LegalBasis, item.legal_basis_id) if item else None
    shape, (before, after) = to_shape(row.geom), sides_of(db, row)
    return Finding(
        public_id=row.public_id,
        kind=row.kind,
        state=row.state,
        mine=row.assigned_to == actor.person_id,
        version=row.version,
        score=row.score,
        area_m2=row.area_m2,
        shape=mapping(shape),
        bounds=shape.bounds,
        formed_at=row.formed_at,
        decided_at=row.decided_at,
        reason=row.reason,
        trace=tuple(map(in_words, _trace(row, named=basis is not None))),
        item={"en": item.name_en, "zh": item.name_zh} if item else None,
        basis={"en": f"{basis.title_en}, art. {basis.article}", "zh": f"{basis.title_zh} 第{basis.article}条"}
        if basis
        else None,
        flight=flight.public_id if flight else None,
        route=f"{route.code} · {route.name_en}" if route else None,
        track=mapping(to_shape(flight.flown_track)) if flight is not None and flight.flown_track is not None else None,
        engine=f"{run.engine} {run.engine_version}" if run else row.provenance["limit"],
        looked=tuple(in_words(sentence.dump()) for sentence in remarks(run, _names(db, run))) if run else (),
        history=tuple(_dates(db, actor, row)) if run else (),
        before=before,
        after=after,
        reading=reading_of(db, row.exceedance, rulebook, row.rule_trace) if row.exceedance and rulebook else None,
    )


def _trace(row: Detection, *, named: bool) -> list[Any]:
    """Why it was found; the placeholder of a legal basis gives way where the supervision item names one."""
    given_way = named and row.run_id is not None
    return [line for line in row.rule_trace if not (given_way and _key(line) == "law.basis_placeholder")]


def _key(line: Mapping[str, Any] | str) -> str:
    return "" if isinstance(line, str) else line["key"]


def _names(db: Session, run: SegmentationRun) -> dict[str, dict[str, str]]:
    """What the authorities are called whose ground a run looked at, by their codes."""
    codes = list(run.jurisdictions or {})
    found = select(Authority.code, Authority.name_en, Authority.name_zh).where(Authority.code.in_(codes))
    return {code: {"en": english, "zh": chinese} for code, english, chinese in db.execute(found)}


def _dates(db: Session, actor: Actor, row: Detection) -> Iterator[Dated]:
    """The dates of the thing, the oldest first; a finding of another authority is no more than a date."""
    for one in history(db, row):
        open_to = one.public_id != row.public_id and one.authority_id in authorities_of(actor)
        yield Dated(one.taken, in_words(one.said().dump()), one.public_id if open_to else None)


def side_of(db: Session, found: Finding, name: str, at: datetime) -> Side:
    """One image of a finding, to be shown.

    Raises RuleViolation 404 where there is no such image, GD-43 while it shows what a privacy zone hides.
    """
    side = found.before if name == BEFORE else found.after
    if side is None:
        raise not_found("picture.unknown", "web.object_unknown", measured=f"{found.public_id}/{name}")
    refuse_overdue(db, [db.get_one(Derivative, side.copy_id)], at)
    return side
