"""`skywarden siting`: a siting plan from draft to approval and revocation, one command a step (GD-09 to GD-13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from shapely.geometry import Point
from sqlalchemy import select

from geo import commands
from geo.geojson import parse_document, parse_geometry
from schemas.refusals import invalid, not_found
from schemas.store.work import Work
from schemas.tables import Authority, Person, PlannedSite, SitingPlan, SupervisionItem
from schemas.words import Coded
from web.cli.common import actor_for, as_json, as_person, echo_json, pass_services
from web.cli.registry import FILE, Pair, answers, by_code, kept, review_options, step, tell
from web.wiring import Services

_TEXTS = {"place_text": "", "device_type": "video", "purpose_en": "", "purpose_zh": "", "platform": "fixed"}
_NUMBERS = ("sector_azimuth_deg", "hfov_deg", "range_m")


@click.group()
def siting() -> None:
    """Siting plans: where devices shall stand, why, and who approved it."""


def sites_in(path: Path) -> list[commands.NewSite]:
    """The sites of a GeoJSON file of points; their properties are named as in `siting draft`."""
    document = parse_document(path.read_bytes())
    features = document.get("features")
    if document.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise invalid("geometry.format", "siting.no_collection")
    return [_site(number, feature) for number, feature in enumerate(features, start=1)]


def _site(number: int, feature: Any) -> commands.NewSite:  # noqa: ANN401
    told = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(told, dict):
        raise invalid("geometry.format", "siting.feature", measured=number)
    place = parse_geometry(feature.get("geometry"), allow={"Point"}, path=f"features[{number - 1}].geometry")
    fields: dict[str, Any] = {name: told.get(name, default) for name, default in _TEXTS.items()}
    fields |= {"place_type": told.get("place_type", "open_air"), "indoor": told.get("indoor", False)}
    numbers: dict[str, Any] = {name: told.get(name) for name in _NUMBERS}
    blank = [name for name in ("place_text", "purpose_en", "purpose_zh") if not str(fields[name]).strip()]
    wrong = [name for name, value in numbers.items() if not (value is None or _is_number(value))]
    wrong += [name for name, value in fields.items() if not isinstance(value, bool if name == "indoor" else str)]
    if blank or wrong:
        raise invalid("geometry.format", "siting.feature_lacks", measured=number, names=", ".join([*blank, *wrong]))
    return commands.NewSite(place=Point(place.coords[0]), **fields, **numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@siting.command("draft")
@click.argument("file", type=FILE)
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--item", help="Code of the supervision item.")
@click.option("--title-en", required=True, help="Title in English.")
@click.option("--title-zh", required=True, help="Title in Chinese.")
@as_person
@as_json
@pass_services
def draft(services: Services, file: Path, person: str | None, as_json: bool, **given: str | None) -> None:
    """Drafts a plan with the sites in FILE, a GeoJSON collection of points.

    Properties: place_text, purpose_en, purpose_zh, device_type, platform, place_type, indoor, sector_azimuth_deg,
    hfov_deg, range_m.
    """
    with services.work(actor_for(services, person)) as work:
        new = commands.NewPlan(
            title_en=str(given["title_en"]),
            title_zh=str(given["title_zh"]),
            authority=by_code(work, Authority, str(given["authority"])),
            item=by_code(work, SupervisionItem, given["item"]) if given["item"] else None,
            sites=sites_in(file),
        )
        made = commands.draft_plan(work, new)
        work.commit()
        tell(made, as_json=as_json)


@siting.command("justify")
@click.argument("name", metavar="PLAN")
@click.option("--reason", "reasons", multiple=True, type=Pair(), metavar="NAME=TEXT", help="A reason (GD-09.1).")
@click.option("--need", "needs", multiple=True, type=Pair(), metavar="NAME=TEXT", help="What shows the need (GD-13.1).")
@click.option("--duplicates", help="Why the devices that see the place already do not do (GD-17).")
@as_person
@pass_services
def justify(services: Services, name: str, person: str | None, **given: Any) -> None:  # noqa: ANN401
    """Gives the case for PLAN; the names are those of the rule pack, siting.reasons and siting.need."""
    case = commands.Case(
        justification=dict(given["reasons"]), need=dict(given["needs"]), duplicates_answer=given["duplicates"]
    )
    step(services, person, SitingPlan, name, lambda work, plan: commands.justify_plan(work, plan, case))


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


def _changes(drop: tuple[str, ...], add: Path | None, reason: str) -> commands.Changes:
    return commands.Changes(drop=drop, add=sites_in(add) if add else (), reason=reason)


@siting.command("redraft")
@click.argument("name", metavar="PLAN")
@click.option("--drop", multiple=True, metavar="SITE", help="A site to take out.")
@click.option("--add", type=FILE, help="A GeoJSON file with further sites.")
@click.option("--reason", required=True, help="What was changed, and why.")
@as_person
@pass_services
def redraft(
    services: Services, name: str, drop: tuple[str, ...], add: Path | None, reason: str, person: str | None
) -> None:
    """Drafts a returned PLAN anew; sites that stay keep their reviews."""
    change = _changes(drop, add, reason)
    step(services, person, SitingPlan, name, lambda work, plan: commands.redraft_plan(work, plan, change))


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
    """Takes the approval of PLAN back; the devices that lean on it are stopped."""
    step(services, person, SitingPlan, name, lambda work, plan: commands.revoke_plan(work, plan, reason=reason))
    for device in commands.block_where_due(services.work):
        click.echo(device)


@siting.command("amend")
@click.argument("name", metavar="PLAN")
@click.option("--drop", multiple=True, metavar="SITE", help="A site to take out.")
@click.option("--add", type=FILE, help="A GeoJSON file with further sites.")
@click.option("--reason", required=True, help="What is changed, and why.")
@as_person
@as_json
@pass_services
def amend(services: Services, name: str, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Drafts the next version of an approved PLAN, which stays in force until the new one is approved."""
    with services.work(actor_for(services, person)) as work:
        made = commands.amend_plan(work, work.get(SitingPlan, name), _changes(**given))
        work.commit()
        tell(made, as_json=as_json)


@siting.command("show")
@click.argument("name", metavar="PLAN")
@pass_services
def show(services: Services, name: str) -> None:
    """PLAN with its sites and what was decided about each, as JSON."""
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
