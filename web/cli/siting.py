"""`skywarden siting`: a siting plan from draft to approval and revocation, one command a step (GD-09 to GD-13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from sqlalchemy import select

from geo import commands
from schemas.refusals import not_found
from schemas.store.work import Work
from schemas.tables import Authority, Person, PlannedSite, SitingPlan, SupervisionItem
from schemas.words import Coded
from web.cli.common import actor_for, as_json, as_person, echo_json, pass_services
from web.cli.registry import FILE, Pair, answers, by_code, kept, review_options, step, tell
from web.cli.siting_files import of_sites, plan_of_file
from web.cli.siting_runs import again, ask, plan_from, result, runs, stop
from web.wiring import Services


@click.group()
def siting() -> None:
    """Siting plans: where devices shall stand, why, and who approved it."""


@siting.command("draft")
@click.argument("file", type=FILE)
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--item", help="Code of the supervision item.")
@click.option("--title-en", required=True, help="Title in English.")
@click.option("--title-zh", required=True, help="Title in Chinese.")
@of_sites
@as_person
@as_json
@pass_services
def draft(services: Services, **given: Any) -> None:  # noqa: ANN401
    """Drafts a plan with the sites in FILE: CSV with longitude and latitude, GeoJSON, GeoPackage or shapefile.

    Columns: place_text, purpose_en, purpose_zh, device_type, platform, place_type, indoor, sector_azimuth_deg,
    hfov_deg, range_m. All rows are taken, or none: every fault of every row is told.
    """

    def make(work: Work, sites: Sequence[commands.NewSite]) -> SitingPlan:
        new = commands.NewPlan(
            title_en=given["title_en"],
            title_zh=given["title_zh"],
            authority=by_code(work, Authority, given["authority"]),
            item=by_code(work, SupervisionItem, given["item"]) if given["item"] else None,
            sites=sites,
        )
        return commands.draft_plan(work, new)

    plan_of_file(services, given, given["file"], make)


@siting.command("justify")
@click.argument("name", metavar="PLAN")
@click.option("--reason", "reasons", multiple=True, type=Pair(), metavar="NAME=TEXT", help="A reason (GD-09.1).")
@click.option("--need", "needs", multiple=True, type=Pair(), metavar="NAME=TEXT", help="What shows the need (GD-13.1).")
@click.option("--duplicates", help="Why the devices that see the place already do not do (GD-17).")
@as_person
@pass_services
def justify(services: Services, name: str, person: str | None, **given: Any) -> None:  # noqa: ANN401
    """Gives the case for PLAN; the names are those of the rule pack, siting.reasons and siting.need.

    What is not given here stays as the draft has it, such as the texts that `siting plan-from` prepared.
    """

    def argue(work: Work, plan: SitingPlan) -> None:
        case = commands.Case(
            justification={**plan.justification, **dict(given["reasons"])},
            need={**plan.need, **dict(given["needs"])},
            duplicates_answer=plan.duplicates_answer if given["duplicates"] is None else given["duplicates"],
        )
        commands.justify_plan(work, plan, case)

    step(services, person, SitingPlan, name, argue)


@siting.command("hand-over")
@click.argument("name", metavar="PLAN")
@click.option("--legal", required=True, help="Code of the legal reviewer.")
@click.option("--technical", required=True, help="Code of the technical reviewer.")
@as_person
@pass_services
def hand_over(services: Services, name: str, legal: str, technical: str, person: str | None) -> None:
    """Hands PLAN to its two reviewers (GD-11.1)."""

    def hand(work: Work, plan: SitingPlan) -> None:
        commands.start_review(work, plan, legal=_person(work, legal), technical=_person(work, technical))

    step(services, person, SitingPlan, name, hand)


def _person(work: Work, code: str) -> Person:
    found = work.session.scalars(select(Person).where(Person.code == code)).first()
    if found is None:
        raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["person"]), measured=code)
    return found


@siting.command("review")
@click.argument("name", metavar="SITE")
@review_options
@as_person
@as_json
@pass_services
def review(services: Services, name: str, person: str | None, as_json: bool, kind: str, **given: Any) -> None:  # noqa: ANN401
    """Records a legal or technical review of SITE, a site of a plan under review (GD-10.3)."""
    with services.work(actor_for(services, person)) as work:
        site = work.session.scalars(select(PlannedSite).where(PlannedSite.public_id == name)).first()
        if site is None:
            named = Coded("subject", ["planned_site"])
            raise not_found("store.unknown", "store.not_found", subject=named, measured=name)
        required = work.pack_for(site.plan)[f"review.{kind}.items"]
        commands.record_review(work, site, kind=kind, answers=answers(services, work, required, given))
        work.commit()
        tell(site.plan, as_json=as_json)


@siting.command("submit")
@click.argument("name", metavar="PLAN")
@as_person
@pass_services
def submit(services: Services, name: str, person: str | None) -> None:
    """The unit head submits PLAN to the competent department."""
    step(services, person, SitingPlan, name, commands.submit_plan)


@siting.command("return")
@click.argument("name", metavar="PLAN")
@click.option("--reason", required=True, help="What is wrong.")
@as_person
@pass_services
def return_(services: Services, name: str, reason: str, person: str | None) -> None:
    """Gives PLAN back: a reviewer whose review failed, or the approver."""
    step(services, person, SitingPlan, name, lambda work, plan: commands.return_plan(work, plan, reason=reason))


def _changed(
    services: Services, given: dict[str, Any], change: Callable[[Work, SitingPlan, commands.Changes], SitingPlan]
) -> None:
    """Changes the sites of a plan; those of a file are added, all or none."""

    def make(work: Work, sites: Sequence[commands.NewSite]) -> SitingPlan:
        changes = commands.Changes(drop=given["drop"], add=sites, reason=given["reason"])
        return change(work, work.get(SitingPlan, given["name"]), changes)

    if given["add"] is not None:
        plan_of_file(services, given, given["add"], make)
        return
    with services.work(actor_for(services, given["person"])) as work:
        made = make(work, ())
        work.commit()
        tell(made, as_json=given["as_json"])


@siting.command("redraft")
@click.argument("name", metavar="PLAN")
@click.option("--drop", multiple=True, metavar="SITE", help="A site to take out.")
@click.option("--add", type=FILE, help="A file with further sites, as in draft.")
@click.option("--reason", required=True, help="What was changed, and why.")
@of_sites
@as_person
@as_json
@pass_services
def redraft(services: Services, **given: Any) -> None:  # noqa: ANN401
    """Drafts a returned PLAN anew; sites that stay keep their reviews."""

    def change(work: Work, plan: SitingPlan, changes: commands.Changes) -> SitingPlan:
        commands.redraft_plan(work, plan, changes)
        return plan

    _changed(services, given, change)


@siting.command("approve")
@click.argument("name", metavar="PLAN")
@click.option("--number", required=True, help="Number of the approval.")
@click.option(
    "--reject", "rejected", multiple=True, type=Pair(), metavar="SITE=TEXT", help="A site not granted, and why."
)
@click.option("--document", type=FILE, help="The approval itself.")
@as_person
@pass_services
def approve(services: Services, name: str, number: str, person: str | None, **given: Any) -> None:  # noqa: ANN401
    """Approves PLAN, but for the sites that are rejected (GD-09.2)."""
    document = next(iter(kept(services, [given["document"]])), None)
    rejected = dict(given["rejected"])
    step(
        services,
        person,
        SitingPlan,
        name,
        lambda work, plan: commands.approve_plan(work, plan, approval_no=number, rejected=rejected, document=document),
    )


@siting.command("reject")
@click.argument("name", metavar="PLAN")
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def reject(services: Services, name: str, reason: str, person: str | None) -> None:
    """Refuses PLAN for good."""
    step(services, person, SitingPlan, name, lambda work, plan: commands.reject_plan(work, plan, reason=reason))


@siting.command("revoke")
@click.argument("name", metavar="PLAN")
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def revoke(services: Services, name: str, reason: str, person: str | None) -> None:
    """Takes the approval of PLAN back: what leans on it is stopped; what was only announced ends, and that is told."""
    step(services, person, SitingPlan, name, lambda work, plan: commands.revoke_plan(work, plan, reason=reason))
    for device in commands.block_where_due(services.work):
        click.echo(device)


@siting.command("amend")
@click.argument("name", metavar="PLAN")
@click.option("--drop", multiple=True, metavar="SITE", help="A site to take out.")
@click.option("--add", type=FILE, help="A file with further sites, as in draft.")
@click.option("--reason", required=True, help="What is changed, and why.")
@of_sites
@as_person
@as_json
@pass_services
def amend(services: Services, **given: Any) -> None:  # noqa: ANN401
    """Drafts the next version of an approved PLAN, which stays in force until the new one is approved."""
    _changed(services, given, commands.amend_plan)


@siting.command("show")
@click.argument("name", metavar="PLAN")
@pass_services
def show(services: Services, name: str) -> None:
    """PLAN with its case, its sites and what was decided about each, as JSON."""
    with services.work() as work:
        plan = work.get(SitingPlan, name)
        echo_json(
            {
                "id": plan.public_id,
                "state": plan.state,
                "plan_version": plan.plan_version,
                "approval_no": plan.approval_no,
                "approved_on": plan.approved_on,
                "reason": plan.state_reason,
                "justification": plan.justification,
                "need": plan.need,
                "duplicates_answer": plan.duplicates_answer,
                "sites": [
                    {
                        "id": site.public_id,
                        "place": site.place_text,
                        "dropped": site.dropped_in is not None,
                        "decision": site.decision,
                        "because": site.decision_text,
                    }
                    for site in plan.sites
                ],
            }
        )


for command in (ask, runs, result, stop, again, plan_from):
    siting.add_command(command)
