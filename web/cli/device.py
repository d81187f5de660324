"""`skywarden device`: a monitoring device from its registration to its removal, one command a step (GD-09 to GD-22)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from shapely.geometry import Point
from sqlalchemy import select

from geo import commands, due
from geo.commands.incidents import INCIDENTS
from geo.commands.papers import OUTCOMES, TESTS
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from schemas.tables import Authority, Device, PlannedSite, SitingPlan, SupervisionItem
from web.cli import device_health
from web.cli.common import Instant, actor_for, as_json, as_person, echo_json, echo_refusals, lang, pass_services
from web.cli.device_evidence import evidence
from web.cli.device_share import share
from web.cli.registry import DAY, FILE, answers, by_code, day, kept, review_options, rules_of, step, tell
from web.wiring import Services

_SAYS = {
    "en": {
        "overdue": "overdue",
        "none": "Nothing is due.",
        "blocked": "{device} is out of use from now on.",
        "missing": "Before it counts as reviewed:",
        "report": "{year}: {count} devices, to the {to}, due on {due}",
        "government_above": "government above",
        "government_of_the_same_level": "government of the same level",
    },
    "zh": {
        "overdue": "已逾期",
        "none": "没有到期事项。",
        "blocked": "{device} 即时停用。",
        "missing": "审核完成前尚须：",
        "report": "{year} 年：{count} 台设备，报送{to}，截止 {due}",
        "government_above": "上一级人民政府",
        "government_of_the_same_level": "本级人民政府",
    },
}


_CLASSIFIED = ("secret_document", "secret_authority", "secret_level", "secret_until")


@click.group()
def device() -> None:
    """Monitoring devices: registered, reviewed, marked, published, used, paused, taken out of use."""


for _command in (device_health.health, device_health.reference, device_health.view, share, evidence):
    device.add_command(_command)


@device.command("register")
@click.option("--name", required=True, help="What the device is called.")
@click.option("--at", "place", nargs=2, type=float, required=True, metavar="LON LAT", help="Its place in WGS 84.")
@click.option("--place-text", required=True, help="The place in words, for the public.")
@click.option("--place-type", default="open_air", show_default=True, help="The kind of place.")
@click.option("--type", "device_type", type=click.Choice(DEVICE_TYPES), required=True, help="What it records.")
@click.option("--platform", type=click.Choice(PLATFORMS), default="fixed", show_default=True, help="What carries it.")
@click.option("--purpose-en", required=True, help="What it is for, in English.")
@click.option("--purpose-zh", required=True, help="What it is for, in Chinese.")
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--item", help="Code of the supervision item.")
@click.option("--siting-plan", help="The approved siting plan that it stands in.")
@click.option("--planned-site", help="The site of that plan.")
@click.option("--certificate", "quality_certificate_no", help="Number of its quality certificate (GD-12.2).")
@click.option("--model", help="Its model.")
@click.option("--measures", "is_measuring_instrument", is_flag=True, help="It is a measuring instrument (GD-22.2).")
@click.option(
    "--sector", nargs=3, type=float, metavar="AZIMUTH HFOV RANGE", help="Degrees from north, degrees, metres."
)
@click.option("--secret-document", help="A state secret: number of the document that classifies it (GD-14.6).")
@click.option("--secret-authority", help="Who classified it.")
@click.option("--secret-level", help="How highly.")
@click.option("--secret-until", type=DAY, help="Until when.")
@as_person
@as_json
@pass_services
def register(services: Services, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Registers a device (IR-1, GD-02.1); one that is a state secret names all four of its classification (GD-14.6)."""
    given["secret_until"] = day(given["secret_until"])
    given["secret"] = any(given[name] for name in _CLASSIFIED)
    with services.work(actor_for(services, person)) as work:
        plan, planned = given.pop("siting_plan"), given.pop("planned_site")
        item, sector = given.pop("item"), given.pop("sector") or (None, None, None)
        sites = select(PlannedSite).where(PlannedSite.public_id == planned)
        new = commands.NewDevice(
            **given
            | {
                "place": Point(given["place"]),
                "authority": by_code(work, Authority, given["authority"]),
                "item": by_code(work, SupervisionItem, item) if item else None,
                "siting_plan": work.get(SitingPlan, plan) if plan else None,
                "planned_site": work.session.scalars(sites).one_or_none() if planned else None,
                "sector_azimuth_deg": sector[0],
                "hfov_deg": sector[1],
                "range_m": sector[2],
            }
        )
        made = commands.register_device(work, new)
        work.commit()
        tell(made, as_json=as_json)


@device.command("review")
@click.argument("name", metavar="DEVICE")
@review_options
@as_person
@as_json
@pass_services
def review(services: Services, name: str, person: str | None, as_json: bool, kind: str, **given: Any) -> None:  # noqa: ANN401
    """Records a legal or technical review of DEVICE (GD-10.3); it moves on by itself once both have passed."""
    with services.work(actor_for(services, person)) as work:
        found = work.get(Device, name)
        required = work.pack_for(found)[f"review.{kind}.items"]
        commands.record_review(work, found, kind=kind, answers=answers(services, work, required, given))
        work.commit()
    missing = commands.review_where_ready(services.work, name)
    with services.work() as work:
        tell(work.get(Device, name), as_json=as_json)
    if missing and not as_json:
        click.echo(_SAYS[lang()]["missing"])
        echo_refusals(missing, lang())


@device.command("sign")
@click.argument("name", metavar="DEVICE")
@click.option("--text", required=True, help="What the sign says, or the mark of an aircraft.")
@click.option("--photo", type=FILE, help="A photo of it on the spot.")
@click.option("--seen-on", type=DAY, help="When it was seen; today without it.")
@as_person
@pass_services
def sign(
    services: Services, name: str, text: str, photo: Path | None, seen_on: datetime | None, person: str | None
) -> None:
    """Records that the sign or mark of DEVICE was seen (GD-14.1, GD-16.4)."""
    file = next(iter(kept(services, [photo])), None)
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.record_sign(work, found, text=text, photo=file, seen_on=day(seen_on)),
    )


@device.command("calibrate")
@click.argument("name", metavar="DEVICE")
@click.option("--agency", required=True, help="Who tested it.")
@click.option("--certificate-no", required=True, help="Number of the certificate.")
@click.option("--valid-to", type=DAY, help="The last day on which it holds, where it passed.")
@click.option("--tested-on", type=DAY, help="Today without it.")
@click.option("--kind", type=click.Choice(TESTS), default="verification", show_default=True, help="Which test.")
@click.option("--failed", is_flag=True, help="It failed; what held before ends.")
@click.option("--certificate", type=FILE, help="The certificate itself.")
@as_person
@pass_services
def calibrate(services: Services, name: str, person: str | None, certificate: Path | None, **given: Any) -> None:  # noqa: ANN401
    """Records a test of DEVICE as a measuring instrument (GD-22.2)."""
    test = commands.Test(
        agency=given["agency"],
        certificate_no=given["certificate_no"],
        passed=not given["failed"],
        valid_to=day(given["valid_to"]),
        tested_on=day(given["tested_on"]),
        kind=given["kind"],
    )
    file = next(iter(kept(services, [certificate])), None)
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.record_calibration(work, found, test, certificate=file),
    )


@device.command("evaluate")
@click.argument("name", metavar="DEVICE")
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True, help="What becomes of it.")
@click.option("--text", required=True, help="What was found.")
@click.option("--text-en", default="", help="The announcement in English, where the site is cancelled.")
@click.option("--text-zh", default="", help="The announcement in Chinese.")
@click.option("--file", "files", multiple=True, type=FILE, help="What it rests on.")
@as_person
@pass_services
def evaluate(services: Services, name: str, person: str | None, files: tuple[Path, ...], **given: str) -> None:
    """Records the periodic evaluation of DEVICE (GD-10.1, GD-10.2)."""
    announcement = given["text_en"], given["text_zh"]
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.evaluate_device(
            work,
            found,
            outcome=given["outcome"],
            text=given["text"],
            announcement=announcement,
            files=kept(services, files),
        ),
    )


@device.command("upkeep")
@click.argument("name", metavar="DEVICE")
@click.option("--kind", type=click.Choice(["maintenance", "repair"]), required=True, help="A repair ends a stop.")
@click.option("--text", required=True, help="What was done.")
@click.option("--by", "done_by", required=True, help="The unit or institution that did it.")
@click.option("--on", "done_on", type=DAY, help="Today without it.")
@click.option("--file", "files", multiple=True, type=FILE, help="The record of it.")
@as_person
@pass_services
def upkeep(services: Services, name: str, person: str | None, files: tuple[Path, ...], **given: Any) -> None:  # noqa: ANN401
    """Records maintenance or a repair of DEVICE (GD-22.1)."""
    given["done_on"] = day(given["done_on"])
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.record_upkeep(work, found, files=kept(services, files), **given),
    )


@device.command("incident")
@click.argument("name", metavar="DEVICE")
@click.option("--kind", type=click.Choice(INCIDENTS), required=True, help="What happened.")
@click.option("--text", required=True, help="What was seen.")
@click.option("--found-at", nargs=2, type=float, metavar="LON LAT", help="Where the device was found.")
@click.option("--observed-at", type=Instant(), help="When it was seen; now without it.")
@as_person
@pass_services
def incident(
    services: Services,
    name: str,
    person: str | None,
    found_at: tuple[float, float] | None,
    **given: Any,  # noqa: ANN401
) -> None:
    """Reports an incident; DEVICE is stopped at once where the rules say so (GD-20.1)."""
    seen_at = Point(found_at) if found_at else None
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.report_incident(work, found, seen_at=seen_at, **given),
    )
    for blocked in commands.block_where_due(services.work):
        click.echo(_SAYS[lang()]["blocked"].format(device=blocked))


@device.command("answer")
@click.argument("name", metavar="DEVICE")
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--text", required=True, help="What was found.")
@as_person
@pass_services
def answer(services: Services, name: str, incident_id: str, text: str, person: str | None) -> None:
    """Answers INCIDENT of DEVICE once somebody has looked: it is no longer open (GD-20.1)."""
    step(services, person, Device, name, lambda work, found: commands.answer_incident(work, found, incident_id, text))


@device.command("activate")
@click.argument("name", metavar="DEVICE")
@as_person
@pass_services
def activate(services: Services, name: str, person: str | None) -> None:
    """Puts DEVICE into use after its notice period (GD-14.2)."""
    step(services, person, Device, name, commands.activate_device)


@device.command("pause")
@click.argument("name", metavar="DEVICE")
@click.option("--reason", required=True, help="Why.")
@click.option("--until", type=DAY, required=True, help="The day by which it is expected back.")
@as_person
@pass_services
def pause(services: Services, name: str, reason: str, until: datetime, person: str | None) -> None:
    """Pauses DEVICE for maintenance, without announcement (GD-14.5)."""
    step(
        services,
        person,
        Device,
        name,
        lambda work, found: commands.pause_device(work, found, reason=reason, ends_on=until.date()),
    )


@device.command("resume")
@click.argument("name", metavar="DEVICE")
@as_person
@pass_services
def resume(services: Services, name: str, person: str | None) -> None:
    """Takes DEVICE back into use after maintenance (GD-14.5)."""
    step(services, person, Device, name, commands.resume_device)


@device.command("unblock")
@click.argument("name", metavar="DEVICE")
@click.option("--reason", required=True, help="Why it may go on.")
@as_person
@pass_services
def unblock(services: Services, name: str, reason: str, person: str | None) -> None:
    """Takes DEVICE back after a stop, on the word of a technical reviewer that its cause is gone (GD-20.1)."""
    step(services, person, Device, name, lambda work, found: commands.unblock_device(work, found, reason=reason))


@device.command("revise")
@click.argument("name", metavar="DEVICE")
@click.option("--reason", required=True, help="Why.")
@click.option("--at", "place", nargs=2, type=float, metavar="LON LAT", help="Another place; it becomes a new site.")
@click.option("--place-text", help="The new place in words.")
@click.option("--siting-plan", help="The siting plan that the new place stands in.")
@click.option("--purpose-en", help="Another purpose, in English.")
@click.option("--purpose-zh", help="Another purpose, in Chinese.")
@as_person
@as_json
@pass_services
def revise(services: Services, name: str, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Makes the next version of DEVICE, which no channel carries; it is reviewed afresh (GD-10.3)."""
    fields = {key: given[key] for key in ("purpose_en", "purpose_zh") if given[key]}

    def make(work: Any, found: Device) -> None:  # noqa: ANN401
        plan = given["siting_plan"]
        change = commands.Revision(
            reason=given["reason"],
            place=Point(given["place"]) if given["place"] else None,
            place_text=given["place_text"],
            siting_plan=work.get(SitingPlan, plan) if plan else None,
            fields=fields,
        )
        commands.revise_device(work, found, change)

    step(services, person, Device, name, make, as_json=as_json)


@device.command("discontinue")
@click.argument("name", metavar="DEVICE")
@click.option("--reason", required=True, help="Why.")
@click.option("--text-en", required=True, help="The announcement in English.")
@click.option("--text-zh", required=True, help="The announcement in Chinese.")
@as_person
@pass_services
def discontinue(services: Services, name: str, person: str | None, **texts: str) -> None:
    """Takes DEVICE out of use and announces it; using it again needs a new notice (GD-14.4)."""
    step(services, person, Device, name, lambda work, found: commands.discontinue_device(work, found, **texts))


@device.command("due")
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--days", type=int, help="Look so many days ahead; the rules say how many without it.")
@as_json
@pass_services
def due_list(services: Services, authority: str, days: int | None, as_json: bool) -> None:
    """What devices need soon: tests, evaluations, maintenance, marks, ends of pauses and stops, reviews."""
    with services.work() as work:
        owner = by_code(work, Authority, authority)
        pack = rules_of(work, owner)
        found = due.due(work.session, owner.id, pack, pack.local_date(services.clock.now()), days=days)
    if as_json:
        echo_json([vars(entry) for entry in found])
        return
    for entry in found:
        late = f"  ({_SAYS[lang()]['overdue']})" if entry.overdue else ""
        click.echo(f"{entry.due_on}  {entry.what:<13}{entry.public_id}  {entry.name}{late}")
    if not found:
        click.echo(_SAYS[lang()]["none"])


@device.command("report")
@click.argument("year", type=int)
@click.option("--authority", required=True, help="Code of the authority.")
@as_json
@pass_services
def report(services: Services, year: int, authority: str, as_json: bool) -> None:
    """The annual report of the devices first used in YEAR, and to whom it goes (GD-13.3)."""
    with services.work() as work:
        owner = by_code(work, Authority, authority)
        made = due.annual_report(work.session, owner, rules_of(work, owner), year)
    if as_json:
        echo_json(vars(made))
        return
    says = _SAYS[lang()]
    head = {"year": made.year, "count": len(made.devices), "to": says[made.addressee], "due": made.due_on}
    click.echo(says["report"].format(**head))
    for public_id, name, on in made.devices:
        click.echo(f"{on}  {public_id}  {name}")
