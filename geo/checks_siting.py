"""What must hold before a siting plan is justified, reviewed, submitted and approved (GD-09 to GD-13, GD-17)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo import queries, shapes
from geo.checklists import REVIEW_KINDS, reviewer
from geo.footprint import sector
from geo.private_places import Place, private_place_refusals
from geo.queries import latest_review
from schemas.actors import Actor
from schemas.machine import Context
from schemas.refusals import Refusal, refuse
from schemas.roles import Role
from schemas.tables import Authority, Device, PlannedSite, RoleAssignment, SitingPlan
from schemas.words import Coded

_AUTHORS = text("""
    SELECT DISTINCT actor FROM ledger.event WHERE subject_kind = 'siting_plan' AND subject_id = :plan
    AND action IN ('siting_plan.draft', 'siting_plan.justify', 'siting_plan.redraft') AND actor LIKE 'person:%'
""")
# Whatever hangs under an authority, itself included.
_IS_UNDER = text("""
    WITH RECURSIVE above AS (SELECT id, parent_id FROM core.authority WHERE id = :authority
        UNION SELECT a.id, a.parent_id FROM core.authority a JOIN above b ON a.id = b.parent_id)
    SELECT EXISTS (SELECT FROM above WHERE id = :head)
""")
_GOVERNMENT = "government"


def live_sites(plan: SitingPlan) -> list[PlannedSite]:
    """The sites that a plan asks for now; those that a draft took out stay on record."""
    return [site for site in plan.sites if site.dropped_in is None]


def place_of_site(site: PlannedSite) -> Place:
    """Where a planned device would stand and what it would look at."""
    return Place(shapes.lon_lat(site.geom), site.place_type, site.sector_azimuth_deg, site.hfov_deg, site.range_m)


def sites_named(context: Context) -> Iterable[Refusal]:
    """GD-09.2: a plan says where."""
    if not live_sites(context.subject):
        yield refuse("GD-09.2", "siting.no_site")


def sites_inside_jurisdiction(context: Context) -> Iterable[Refusal]:
    """IR-1: every site lies within the jurisdiction of the authority."""
    plan: SitingPlan = context.subject
    authority = plan.authority or context.session.get_one(Authority, plan.authority_id)
    area = to_shape(authority.jurisdiction)
    for site in live_sites(plan):
        place = to_shape(site.geom)
        if not area.covers(place):
            yield refuse("IR-1", "siting.outside", site=site.place_text, authority=authority.code, place=mapping(place))


def justified(context: Context) -> Iterable[Refusal]:
    """GD-09.1: every field of the justification is filled."""
    yield from _blank("GD-09.1", "siting.not_justified", context.subject.justification, context.pack["siting.reasons"])


def need_shown(context: Context) -> Iterable[Refusal]:
    """GD-13.1: the need is shown, and no word of the plan is about revenue, in its titles and purposes neither."""
    plan: SitingPlan = context.subject
    yield from _blank("GD-13.1", "siting.no_need", plan.need, context.pack["siting.need"])
    given = [*plan.justification.values(), *plan.need.values(), plan.duplicates_answer, plan.title_en, plan.title_zh]
    given += [words for site in live_sites(plan) for words in (site.purpose_en, site.purpose_zh, site.place_text)]
    said = [_letters(str(words)) for words in given if words]
    found = [word for word in context.pack["siting.revenue_words"] if any(_letters(word) in words for words in said)]
    if found:
        yield refuse("GD-13.1", "siting.revenue", measured=", ".join(found))


def _letters(text: str) -> str:
    """A text without case, spaces, and what nobody sees: a word is the same however it is spaced out."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in plain if not char.isspace() and unicodedata.category(char) != "Cf")


def _blank(rule: str, text: str, given: Mapping[str, Any], required: Iterable[str]) -> Iterator[Refusal]:
    if missing := [name for name in required if not _letters(str(given.get(name) or ""))]:
        yield refuse(rule, text, measured=Coded("item", missing))


def duplicates_answered(context: Context) -> Iterable[Refusal]:
    """GD-17: where devices in use see most of a site's view already, the plan says why they do not do."""
    plan: SitingPlan = context.subject
    if _letters(plan.duplicates_answer or ""):
        return
    ratio = context.pack["duplicate.coverage_ratio"]
    for site in live_sites(plan):
        share, names = covered_already(context.session, site)
        if share >= ratio:
            yield refuse(
                "GD-17",
                "siting.duplicate",
                site=site.place_text,
                devices=", ".join(names),
                measured=f"{share:.0%}",
                required=f"{ratio:.0%}",
                place=mapping(to_shape(site.geom)),
            )


def covered_already(session: Session, site: PlannedSite) -> tuple[float, tuple[str, ...]]:
    """Which share of a site's view the devices of anybody see by now, and the public ids of these devices."""
    wanted = place_of_site(site).seen
    return (0.0, ()) if wanted is None else share_seen(session, wanted, site.device_type, site.plan.item_id)


def seen_by_others(session: Session, view: BaseGeometry, device: Device) -> tuple[float, tuple[str, ...]]:
    """Which share of a device's view others of its kind, or for its supervision item, see too; their public ids."""
    return share_seen(session, view, device.device_type, device.item_id, besides=device.public_id)


def share_seen(
    session: Session, wanted: BaseGeometry, device_type: str, item_id: UUID | None = None, *, besides: str | None = None
) -> tuple[float, tuple[str, ...]]:
    """Which share of a view (EPSG:4326) devices of anybody see by now, and their public ids.

    Devices of that kind count, and those of any kind that serve the same supervision item: two kinds that watch one
    thing for one item are a duplicate as well (GD-17).
    """
    seen, names = [], []
    for other in queries.devices_that_see(session, wanted, device_type, item_id):
        if other.public_id == besides:
            continue
        view = sector(other.at, other.azimuth_deg, other.hfov_deg, other.range_m)
        if view.intersects(wanted):
            seen.append(view)
            names.append(other.public_id)
    if not seen:
        return 0.0, ()
    return float(shapely.union_all(seen).intersection(wanted).area / wanted.area), tuple(names)


def sites_outside_private_places(context: Context) -> Iterable[Refusal]:
    """GD-15: no site stands in a place where nobody may be watched, nor would a device there look into one.

    What the approver rejects need not be lawful.
    """
    rejected = context.params.get("rejected") or {}
    for site in live_sites(context.subject):
        if site.public_id not in rejected:
            yield from private_place_refusals(context.session, place_of_site(site), context.pack, context.now)


def authors_of(session: Session, plan: SitingPlan) -> set[UUID]:
    """Who drafted a plan, drafted it anew, or wrote its case, by the ledger: none of them reviews or decides it."""
    told = session.scalars(_AUTHORS, {"plan": str(plan.id)})
    drafted = {plan.author_id} if plan.author_id else set()
    return drafted | {UUID(actor.removeprefix("person:")) for actor in told}


def reviewers_are_others(context: Context) -> Iterable[Refusal]:
    """GD-11.1: two reviewers of the authority, distinct from each other and from whoever wrote any of the plan."""
    plan: SitingPlan = context.subject
    authors = authors_of(context.session, plan)
    assigned = {"legal": plan.legal_reviewer_id, "technical": plan.technical_reviewer_id}
    for kind, person_id in assigned.items():
        role = Role(f"{kind}_reviewer")
        if person_id is None or not _holds(context.session, person_id, role, plan.authority_id, context.today):
            yield refuse("GD-11.1", "siting.no_reviewer", reviewer=reviewer(kind))
        elif person_id in authors:
            yield refuse("GD-11.1", "device.review_own")
    if plan.legal_reviewer_id is not None and plan.legal_reviewer_id == plan.technical_reviewer_id:
        yield refuse("GD-11.1", "device.review_both", reviewer=reviewer("legal"))


def _holds(session: Session, person_id: UUID, role: Role, authority_id: UUID, on: date) -> bool:
    rows = session.scalars(
        select(RoleAssignment).where(
            RoleAssignment.person_id == person_id,
            RoleAssignment.role == role.value,
            RoleAssignment.authority_id == authority_id,
        )
    )
    return any(row.valid_from <= on and (row.valid_to is None or on <= row.valid_to) for row in rows)


def every_site_reviewed(context: Context) -> Iterable[Refusal]:
    """GD-10.3: both reviews passed for every site of the plan."""
    for site in live_sites(context.subject):
        for kind in REVIEW_KINDS:
            review = latest_review(context.session, site, kind)
            if review is None or not review.passed:
                text = "siting.site_unreviewed" if review is None else "siting.site_failed"
                yield refuse("GD-10.3", text, site=site.place_text, reviewer=reviewer(kind))


def some_item_failed(context: Context) -> Iterable[Refusal]:
    """GD-10.3: a reviewer returns what failed a review, and nothing else."""
    made = (latest_review(context.session, site, kind) for site in live_sites(context.subject) for kind in REVIEW_KINDS)
    if all(review is None or review.passed for review in made):
        yield refuse("GD-10.3", "siting.nothing_failed")


def approver_is_competent(context: Context) -> Iterable[Refusal]:
    """GD-09.2: who decides does so for an authority of the level that the pack names, in the field of the plan.

    Neither an author nor a reviewer decides.
    """
    plan: SitingPlan = context.subject
    own = authors_of(context.session, plan) | {plan.legal_reviewer_id, plan.technical_reviewer_id}
    if context.actor.person_id in own:
        yield refuse("GD-09.2", "siting.own_plan")
    yield from _incompetent(context)


def _incompetent(context: Context) -> Iterator[Refusal]:
    level = context.pack["siting.approver_level"]
    if approving_authority(context.session, context.actor, context.subject, level) is None:
        yield refuse("GD-09.2", "siting.not_competent", required=Coded("level", [level]) if level else "—")


def may_take_back(context: Context) -> Iterable[Refusal]:
    """GD-09.2, GD-04.2: who could grant a plan takes it back, or who supervises the authority at its level or above."""
    if not _supervises(context.session, context.actor, context.subject):
        yield from _incompetent(context)


def _supervises(session: Session, actor: Actor, plan: SitingPlan) -> bool:
    """Whether the actor is a supervisor of the plan's authority: of all that hangs under the same government."""
    for grant in actor.grants:
        if grant.role == Role.SUPERVISOR:
            own = session.get_one(Authority, grant.authority_id)
            above = session.get(Authority, own.parent_id) if own.parent_id else None
            head = above if above is not None and above.authority_type == _GOVERNMENT else own
            if session.scalar(_IS_UNDER, {"authority": plan.authority_id, "head": head.id}):
                return True
    return False


def approving_authority(session: Session, actor: Actor, plan: SitingPlan, level: str | None) -> Authority | None:
    """The authority for which the actor may decide about a plan; of the level, where the pack names one."""
    owner = plan.authority or session.get_one(Authority, plan.authority_id)
    for grant in actor.grants:
        if grant.role == Role.PROVINCIAL_APPROVER:
            authority = session.get_one(Authority, grant.authority_id)
            if authority.field == owner.field and level in (None, authority.level):
                return authority
    return None


def approval_is_complete(context: Context) -> Iterable[Refusal]:
    """GD-09.2: an approval has its number, grants something, and says why it does not grant the rest."""
    if not str(context.params.get("approval_no") or "").strip():
        yield refuse("GD-09.2", "siting.no_number")
    rejected: Mapping[str, str] = context.params.get("rejected") or {}
    names = {site.public_id for site in live_sites(context.subject)}
    if unknown := sorted(set(rejected) - names):
        yield refuse("GD-09.2", "siting.unknown_site", measured=", ".join(unknown))
    if names and names <= set(rejected):
        yield refuse("GD-09.2", "siting.nothing_granted")
    if silent := sorted(name for name, text in rejected.items() if not text.strip()):
        yield refuse("GD-09.2", "siting.rejected_silently", measured=", ".join(silent))


def predecessor_in_force(context: Context) -> Iterable[Refusal]:
    """GD-09.2: of two amendments of one plan one is granted; the other would bring back what that one took out."""
    plan: SitingPlan = context.subject
    if plan.previous_id is None:
        return
    # Whoever decides about the other one waits here until this decision stands.
    context.session.execute(select(SitingPlan.id).where(SitingPlan.id == plan.previous_id).with_for_update())
    after = successor_of(context.session, plan.previous_id)
    if after is not None and after.id != plan.id:
        yield refuse("GD-09.2", "siting.amended_already", number=after.public_id)


def successor_approved(context: Context) -> Iterable[Refusal]:
    """GD-09.2: a version stays in force until the one after it is approved."""
    if successor_of(context.session, context.subject.id) is None:
        yield refuse("GD-09.2", "siting.no_successor")


def successor_of(session: Session, plan_id: UUID) -> SitingPlan | None:
    """The approved version that came after a plan, or None."""
    after = select(SitingPlan).where(SitingPlan.previous_id == plan_id, SitingPlan.state.in_(("approved", "amended")))
    return session.scalars(after.order_by(SitingPlan.plan_version.desc()).limit(1)).first()
