"""`skywarden finding private`, `release`, `shut`: findings on ground that became private, for legal reviewers."""

from __future__ import annotations

import click

from schemas.refusals import forbidden
from schemas.roles import Role
from schemas.words import Coded
from sensing.words import name
from web.cli.common import as_json, as_person, echo_json, echo_refusals, lang, pass_services
from web.desk import private as desk
from web.wiring import Services

WORDS = {
    "en": {
        "none": "No finding is shut.",
        "shut": "{id}  {kind}, {area:,.0f} m²  shut by {zones}",
        "released": "{finding}: released ({id}); officers see it again, its picture stays masked",
        "withdrawn": "{finding}: shut again ({id})",
    },
    "zh": {
        "none": "没有受限线索。",
        "shut": "{id}  {kind}，{area:,.0f} 平方米  受限于 {zones}",
        "released": "{finding}：已解除限制（{id}）；执法人员可再次查看，影像仍遮蔽",
        "withdrawn": "{finding}：已恢复限制（{id}）",
    },
}


@click.command("private")
@as_person
@as_json
@pass_services
def private(services: Services, person: str | None, as_json: bool) -> None:
    """Lists the findings that a later privacy zone shuts, with what speaks against a release of each."""
    if person is None:
        raise forbidden("state.role", "finding.officer", required=Coded("role", [Role.LEGAL_REVIEWER]))
    with services.session() as session:
        found = desk.shut_findings(session, services.actor(person), services.clock.now())
        if as_json:
            echo_json({"ok": True, "findings": [desk.plain(one, lang()) for one in found]})
            return
    said = WORDS[lang()]
    if not found:
        click.echo(said["none"])
    for one in found:
        zones = ", ".join(zone.public_id for zone in one.zones)
        click.echo(said["shut"].format(id=one.public_id, kind=name(one.kind, lang()), area=one.area_m2, zones=zones))
        echo_refusals(one.against, lang())


@click.command("release")
@click.argument("finding_id", metavar="FINDING")
@click.option("--reason", required=True, help="Why it must be handled; it goes on record.")
@as_person
@as_json
@pass_services
def release(services: Services, finding_id: str, reason: str, person: str | None, as_json: bool) -> None:
    """Releases FINDING although its ground became private, as a legal reviewer who is not its officer (GD-43)."""
    _decide(services, "release", finding_id, reason, person, as_json=as_json)


@click.command("shut")
@click.argument("release_id", metavar="RELEASE")
@click.option("--reason", required=True, help="Why it is shut again; it goes on record.")
@as_person
@as_json
@pass_services
def shut(services: Services, release_id: str, reason: str, person: str | None, as_json: bool) -> None:
    """Takes RELEASE back: its finding is shown to nobody again."""
    _decide(services, "withdraw", release_id, reason, person, as_json=as_json)


def _decide(services: Services, decision: str, subject: str, reason: str, person: str | None, *, as_json: bool) -> None:
    if person is None:
        raise forbidden("state.role", "finding.officer", required=Coded("role", [Role.LEGAL_REVIEWER]))
    with services.work(services.actor(person)) as work:
        row = desk.DECISIONS[decision](work, subject, reason)
        work.commit()
    told = {"finding": row.detection.public_id, "id": row.public_id}
    if as_json:
        echo_json({"ok": True, "state": row.state, "finding": told["finding"], "release": told["id"]})
        return
    click.echo(WORDS[lang()]["released" if decision == "release" else "withdrawn"].format(**told))
