"""Commands on siting plans: drafted, justified, reviewed, submitted, decided, amended, revoked (GD-09 to GD-13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry import Point
from sqlalchemy import select, text
from sqlalchemy.orm import aliased

from geo import shapes
from geo.attachments import File, attach
from geo.checks_siting import approving_authority, live_sites
from geo.commands.common import local_today
from geo.commands.words import DEVICE_TYPES, PLATFORMS, refuse_unknown
from schemas.actors import SYSTEM
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import invalid
from schemas.store.work import Work, WorkFactory
from schemas.tables import Authority, Person, PlannedSite, SitingPlan, SupervisionItem


@dataclass(frozen=True, kw_only=True)
class NewSite:
    """A place that a plan asks for, and what shall stand there; `place` in EPSG:4326, the azimuth from north."""

    place: Point
    place_text: str
    device_type: str
    purpose_en: str
    purpose_zh: str
    platform: str = "fixed"
    place_type: str = "open_air"
    indoor: bool = False
    sector_azimuth_deg: float | None = None
    hfov_deg: float | None = None
    range_m: float | None = None


@dataclass(frozen=True, kw_only=True)
class NewPlan:
    """A siting plan as drafted."""

    title_en: str
    title_zh: str
    authority: Authority
    item: SupervisionItem | None
    sites: Sequence[NewSite]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a draft takes out, by the public ids of sites, and what it adds."""

    drop: Sequence[str] = ()
    add: Sequence[NewSite] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Why the devices are needed, by the names of the rule pack, and why those that are there do not do (GD-17)."""

    justification: Mapping[str, str] = field(default_factory=dict)
    need: Mapping[str, str] = field(default_factory=dict)
    duplicates_answer: str | None = None
    files: Sequence[File] = ()


def draft_plan(work: Work, new: NewPlan) -> SitingPlan:
    """Drafts a siting plan of one authority; its author is who drafts it."""
    plan = SitingPlan(
        id=new_id(),
        public_id=public_id("SP"),
        title_en=new.title_en,
        title_zh=new.title_zh,
        authority=new.authority,
        authority_id=new.authority.id,
        item_id=new.item.id if new.item else None,
        author_id=work.actor.person_id,
        plan_version=1,
        justification={},
        need={},
    )
    _add(plan, new.sites)
    work.apply(plan, "draft", record=_told(plan))
    return plan


def _add(plan: SitingPlan, sites: Iterable[NewSite]) -> None:
    for number, new in enumerate(sites, start=len(plan.sites) + 1):
        refuse_unknown([("platform", new.platform, PLATFORMS), ("device_type", new.device_type, DEVICE_TYPES)])
        fields = {name: getattr(new, name) for name in _SITE_COLUMNS}
        geom = shapes.element(new.place)
        plan.sites.append(PlannedSite(id=new_id(), public_id=public_id("PS"), ordinal=number, geom=geom, **fields))


_SITE_COLUMNS = (
    "place_text",
    "place_type",
    "indoor",
    "platform",
    "device_type",
    "purpose_en",
    "purpose_zh",
    "sector_azimuth_deg",
    "hfov_deg",
    "range_m",
)


def _told(plan: SitingPlan) -> dict[str, Any]:
    return {"plan_version": plan.plan_version, "sites": [site.public_id for site in live_sites(plan)]}


def justify_plan(work: Work, plan: SitingPlan, case: Case, *, seen_version: int | None = None) -> None:
    """Gives the case for a draft, which must then hold (GD-09.1, GD-13.1, GD-15, GD-17)."""
    plan.justification, plan.need = dict(case.justification), dict(case.need)
    plan.duplicates_answer = case.duplicates_answer
    files = attach(work, "siting_plan", plan.id, "justification", case.files)
    work.apply(plan, "justify", expected_version=seen_version, record=_told(plan) | {"files": files})


def start_review(
    work: Work, plan: SitingPlan, *, legal: Person, technical: Person, seen_version: int | None = None
) -> None:
    """Hands a justified plan to its two reviewers (GD-11.1)."""
    plan.legal_reviewer_id, plan.technical_reviewer_id = legal.id, technical.id
    work.apply(plan, "start_review", expected_version=seen_version)


def submit_plan(work: Work, plan: SitingPlan, *, seen_version: int | None = None) -> None:
    """The unit head submits a plan whose sites all passed both reviews (GD-10.3)."""
    work.apply(plan, "submit", expected_version=seen_version, record=_told(plan))


def return_plan(work: Work, plan: SitingPlan, *, reason: str, seen_version: int | None = None) -> None:
    """A reviewer, or the approver, gives a plan back with the reason."""
    plan.state_reason = reason
    work.apply(plan, "return", expected_version=seen_version, record={"reason": reason}, reason=reason)


def send_back_plan(work: Work, plan: SitingPlan, *, reason: str, seen_version: int | None = None) -> None:
    """The unit head gives a plan under review back with the reason, whatever its reviews say."""
    plan.state_reason = reason
    work.apply(plan, "send_back", expected_version=seen_version, record={"reason": reason}, reason=reason)


def redraft_plan(work: Work, plan: SitingPlan, changes: Changes, *, seen_version: int | None = None) -> None:
    """Drafts a returned plan anew as its next version; sites that stay as they are keep their reviews."""
    _change(plan, changes)
    plan.plan_version += 1
    work.apply(plan, "redraft", expected_version=seen_version, record=_told(plan) | {"reason": changes.reason})


def _change(plan: SitingPlan, changes: Changes) -> None:
    by_name = {site.public_id: site for site in live_sites(plan)}
    if unknown := sorted(set(changes.drop) - by_name.keys()):
        raise invalid("GD-09.2", "siting.unknown_site", measured=", ".join(unknown))
    for name in changes.drop:
        by_name[name].dropped_in = plan.plan_version + 1
    _add(plan, changes.add)


def approve_plan(
    work: Work,
    plan: SitingPlan,
    *,
    approval_no: str,
    rejected: Mapping[str, str] | None = None,
    document: File | None = None,
    seen_version: int | None = None,
) -> None:
    """Grants a submitted plan, but for the sites in `rejected`, each with the text that says why (GD-09.2)."""
    denied = dict(rejected or {})
    pack = work.pack_for(plan)
    approver = approving_authority(work.session, work.actor, plan, pack["siting.approver_level"])
    files = attach(work, "siting_plan", plan.id, "document", [document] if document else [])
    record = _told(plan) | {"approval_no": approval_no.strip(), "rejected": sorted(denied), "files": files}
    work.apply(plan, "approve", expected_version=seen_version, record=record, approval_no=approval_no, rejected=denied)
    # Only what passed is written: who decides, for whom, and what becomes of every site.
    for site in live_sites(plan):
        site.decision = "rejected" if site.public_id in denied else "approved"
        site.decision_text = denied.get(site.public_id)
    plan.approval_no, plan.approved_on = approval_no.strip(), local_today(work, plan)
    plan.approver_authority_id = approver.id if approver else None
    plan.decided_by = work.actor.person_id


def reject_plan(work: Work, plan: SitingPlan, *, reason: str, seen_version: int | None = None) -> None:
    """Refuses a submitted plan for good; another one has to be drafted."""
    plan.state_reason, plan.decided_by = reason, work.actor.person_id
    work.apply(plan, "reject", expected_version=seen_version, record={"reason": reason}, reason=reason)


def revoke_plan(work: Work, plan: SitingPlan, *, reason: str, seen_version: int | None = None) -> None:
    """Takes an approval back (GD-10.2).

    The next round of the worker stops every device that leans on it and is in use, and ends what was only announced.
    """
    plan.state_reason, plan.revoked_on = reason, local_today(work, plan)
    work.apply(plan, "revoke", expected_version=seen_version, record={"reason": reason}, reason=reason)


def amend_plan(work: Work, plan: SitingPlan, changes: Changes) -> SitingPlan:
    """Drafts the next version of an approved plan, with reviews and an approval of its own.

    The approved version stays in force until the new one is approved.
    """
    if plan.state != "approved":
        raise invalid("GD-09.2", "siting.not_approved", number=label(plan))
    new = SitingPlan(
        id=new_id(),
        public_id=public_id("SP"),
        title_en=plan.title_en,
        title_zh=plan.title_zh,
        authority=plan.authority,
        authority_id=plan.authority_id,
        item_id=plan.item_id,
        author_id=work.actor.person_id,
        plan_version=plan.plan_version + 1,
        previous_id=plan.id,
        justification=dict(plan.justification),
        need=dict(plan.need),
        duplicates_answer=plan.duplicates_answer,
    )
    names = {site.public_id for site in live_sites(plan)}
    if unknown := sorted(set(changes.drop) - names):
        raise invalid("GD-09.2", "siting.unknown_site", measured=", ".join(unknown))
    for site in live_sites(plan):
        if site.decision == "approved" and site.public_id not in changes.drop:
            new.sites.append(_carried(site, len(new.sites) + 1))
    _add(new, changes.add)
    work.apply(new, "draft", record=_told(new) | {"amends": plan.public_id, "reason": changes.reason})
    return new


def _carried(site: PlannedSite, ordinal: int) -> PlannedSite:
    fields = {name: getattr(site, name) for name in _SITE_COLUMNS}
    return PlannedSite(
        id=new_id(), public_id=public_id("PS"), ordinal=ordinal, geom=site.geom, carried_from_id=site.id, **fields
    )


def replace_amended_plans(works: WorkFactory) -> Iterator[str]:
    """Lets every version end whose successor is approved, each in a work of its own; yields their labels.

    Sites of devices that the successor carries on are approved by it from then on.
    """
    after = aliased(SitingPlan)
    due = select(SitingPlan.public_id).join(after, after.previous_id == SitingPlan.id)
    with works(SYSTEM) as looking:
        found = looking.session.scalars(due.where(SitingPlan.state == "approved", after.state == "approved")).all()
    for name in found:
        with works(SYSTEM) as work:
            plan = work.get(SitingPlan, name)
            carried = work.session.execute(_CARRY_ON, {"plan": plan.id}).rowcount  # type: ignore[attr-defined]
            work.apply(plan, "replace", record={"sites_carried_on": carried})
            work.commit()
            yield label(plan)


_CARRY_ON = text("""
    UPDATE core.device_site s SET siting_plan_id = p.plan_id, planned_site_id = p.id
    FROM core.planned_site p JOIN core.siting_plan n ON n.id = p.plan_id
    WHERE n.previous_id = :plan AND n.state = 'approved' AND p.carried_from_id = s.planned_site_id
      AND p.decision = 'approved' AND p.dropped_in IS NULL
""")
