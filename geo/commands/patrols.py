"""Commands on patrol areas and routes: drafted, checked, approved, put into effect (GD-16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shapely.geometry import LineString, Point, Polygon
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.commands.common import local_today, move
from schemas.actors import SYSTEM
from schemas.ids import public_id
from schemas.machine import label
from schemas.refusals import RuleViolation, conflict
from schemas.store.work import Work, WorkFactory
from schemas.tables import Authority, DeploymentPoint, PatrolArea, PatrolRoute, SitingPlan, SupervisionItem

P = TypeVar("P", PatrolArea, PatrolRoute, DeploymentPoint)
Patrolled = PatrolArea | PatrolRoute | DeploymentPoint


@dataclass(frozen=True, kw_only=True)
class NewPlace:
    """What any place of inspections is drafted with, an area or a point (GD-16.3)."""

    code: str
    name_en: str
    name_zh: str
    purpose_en: str
    purpose_zh: str
    authority: Authority
    item: SupervisionItem | None
    siting_plan: SitingPlan | None = None

    def columns(self, work: Work) -> dict[str, Any]:
        """As the columns of its row, with whoever drafts it."""
        return {
            "code": self.code,
            "name_en": self.name_en,
            "name_zh": self.name_zh,
            "purpose_en": self.purpose_en,
            "purpose_zh": self.purpose_zh,
            "authority_id": self.authority.id,
            "author_id": work.actor.person_id,
            "item_id": self.item.id if self.item else None,
            "siting_plan_id": self.siting_plan.id if self.siting_plan else None,
        }


@dataclass(frozen=True, kw_only=True)
class NewArea(NewPlace):
    """A patrol area as drafted; `geom` in EPSG:4326, heights above ground in metres."""

    geom: Polygon
    alt_min_agl_m: float
    alt_max_agl_m: float


def draft_area(work: Work, new: NewArea) -> PatrolArea:
    """Drafts a patrol area (GD-16.3)."""
    refuse_taken(work, PatrolArea, new.code)
    area = area_of(work, new)
    work.apply(area, "draft")
    return area


def area_of(work: Work, new: NewArea) -> PatrolArea:
    """The area that is asked for; nothing is written of it."""
    return PatrolArea(
        **new.columns(work),
        public_id=public_id("PA"),
        geom=shapes.element(new.geom),
        alt_min_agl_m=new.alt_min_agl_m,
        alt_max_agl_m=new.alt_max_agl_m,
    )


@dataclass(frozen=True, kw_only=True)
class NewRoute:
    """A patrol route as drafted, with the mission compiled from it.

    `line` and `home` in EPSG:4326; `alt_agl_m` true height; `mission` the canonical document whose
    RFC 8785 form has the SHA-256 `mission_digest`.
    """

    code: str
    name_en: str
    name_zh: str
    area: PatrolArea
    line: LineString
    alt_agl_m: float
    camera_hfov_deg: float
    home: Point
    home_amsl_m: float
    mission: Mapping[str, Any]
    mission_digest: str
    settings: Mapping[str, float] = field(default_factory=dict)


_ROUTE_SETTINGS = frozenset({"speed_m_s", "trigger_distance_m"})


def draft_route(work: Work, new: NewRoute) -> PatrolRoute:
    """Drafts a route in an area, for the authority of that area; `settings` may name speed and trigger."""
    refuse_taken(work, PatrolRoute, new.code)
    if unknown := new.settings.keys() - _ROUTE_SETTINGS:
        raise TypeError(f"unknown settings of a route: {sorted(unknown)}")
    route = PatrolRoute(
        public_id=public_id("RT"),
        code=new.code,
        name_en=new.name_en,
        name_zh=new.name_zh,
        area=new.area,
        area_id=new.area.id,
        authority_id=new.area.authority_id,
        author_id=work.actor.person_id,
        route_version=1,
        geom=shapes.element(new.line),
        alt_agl_m=new.alt_agl_m,
        camera_hfov_deg=new.camera_hfov_deg,
        home=shapes.element(new.home),
        home_amsl_m=new.home_amsl_m,
        mission=dict(new.mission),
        mission_digest=new.mission_digest,
        **new.settings,
    )
    work.apply(route, "draft")
    return route


def check(work: Work, subject: Patrolled, *, seen_version: int | None = None) -> None:
    """Checks a drafted area or route against every rule of its kind."""
    move(work, subject, "check", seen_version)


def approve(work: Work, subject: Patrolled, *, seen_version: int | None = None) -> None:
    """The unit head approves an area or a route that somebody else drafted (GD-16.1)."""
    move(work, subject, "approve", seen_version)


def return_draft(
    work: Work, subject: PatrolArea | DeploymentPoint, *, reason: str, seen_version: int | None = None
) -> None:
    """The unit head gives a checked area or point back to whoever drafts it, with the reason."""
    move(work, subject, "return", seen_version, record={"reason": reason}, reason=reason)


@dataclass(frozen=True, kw_only=True)
class Redraft:
    """An area or a point as it is drafted now; `geom` in EPSG:4326, heights above ground of an area alone."""

    name_en: str
    name_zh: str
    purpose_en: str
    purpose_zh: str
    item: SupervisionItem | None
    siting_plan: SitingPlan | None
    geom: Polygon | Point
    place_text: str = ""
    alt_min_agl_m: float | None = None
    alt_max_agl_m: float | None = None


def redraft(
    work: Work, subject: PatrolArea | DeploymentPoint, new: Redraft, *, seen_version: int | None = None
) -> None:
    """Drafts an area or a point anew that is not approved yet; whoever does so is its author from then on."""
    subject.name_en, subject.name_zh = new.name_en, new.name_zh
    subject.purpose_en, subject.purpose_zh = new.purpose_en, new.purpose_zh
    subject.item_id = new.item.id if new.item else None
    subject.siting_plan_id = new.siting_plan.id if new.siting_plan else None
    subject.geom = shapes.element(new.geom)
    if isinstance(subject, DeploymentPoint):
        subject.place_text = new.place_text
    elif new.alt_min_agl_m is not None and new.alt_max_agl_m is not None:
        subject.alt_min_agl_m, subject.alt_max_agl_m = new.alt_min_agl_m, new.alt_max_agl_m
    subject.author_id = work.actor.person_id
    move(work, subject, "redraft", seen_version)


def take_effect(work: Work, subject: Patrolled) -> None:
    """Puts a published area or route into effect once its notice period is over; for the system."""
    move(work, subject, "take_effect")
    subject.effective_from, subject.suspended_on = local_today(work, subject), None


def take_effect_where_due(works: WorkFactory, engine: Engine) -> Iterator[str]:
    """Put what passes all checks into effect on its day; yields their labels.

    Areas and points come before the routes inside them. What does not pass, or is refused by the database, is left
    as it is, without a refusal in the ledger for every time that somebody looked.
    """
    yield from _due(works, engine, PatrolArea)
    yield from _due(works, engine, DeploymentPoint)
    yield from _due(works, engine, PatrolRoute)


def _due(works: WorkFactory, engine: Engine, kind: type[P]) -> Iterator[str]:
    with Session(engine) as session:
        waiting = session.scalars(select(kind.public_id).where(kind.state == "published")).all()
    for found in waiting:
        with works(SYSTEM) as work:
            subject = work.get(kind, found)
            transition = work.machine.tables[kind.__machine__].find("take_effect", subject.state)
            if transition is None or work.check(subject, transition.guards):
                continue
            try:
                take_effect(work, subject)
                work.commit()
            except RuleViolation:  # the database is the judge, and it may know more than the guards
                continue
            yield label(subject)


def refuse_taken(work: Work, kind: type[Patrolled], code: str) -> None:
    """Raise RuleViolation 409 where another of that kind has the code."""
    if work.session.scalar(select(kind.id).where(kind.code == code)) is not None:
        raise conflict("state.code", "site.code_taken", measured=code)
