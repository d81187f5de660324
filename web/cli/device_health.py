"""`skywarden device health`, `reference` and `view`: who is not well, how devices are reached, what they show."""

from __future__ import annotations

import uuid

import click
from sqlalchemy import select

from schemas.refusals import forbidden
from schemas.roles import Role
from schemas.tables import Authority, Device
from schemas.words import Coded
from sensing.sensors import beats, papers
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import by_code
from web.wiring import Services

_MAY_SEE = (Role.COMMAND_CENTRE, Role.OFFICER, Role.UNIT_HEAD)
WORDS = {
    "en": {
        "never": "never heard",
        "heard": "heard {at:%Y-%m-%d %H:%M}Z",
        "well": "Every device that reports is well: {reporting} of {in_use} in use report.",
        "silent": "No device reports: {in_use} in use were never heard and hold no credential.",
        "short": "{view}  {entity}, {position}: {given} of {required} views",
        "recorded": "Recorded.",
        "required": "{view}: {count} views of {position}",
        "offline": "offline",
        "black": "black",
        "covered": "covered or empty picture",
        "blurred": "blurred",
        "frozen": "frozen",
        "moved": "moved",
    },
    "zh": {
        "never": "从未上线",
        "heard": "最近在线 {at:%Y-%m-%d %H:%M}Z",
        "well": "所有上报设备状态正常：在用 {in_use} 台，其中 {reporting} 台上报。",
        "silent": "没有设备上报：在用 {in_use} 台从未上线，也没有凭证。",
        "short": "{view}  {entity}，{position}：所需 {required} 个视角，现有 {given} 个",
        "recorded": "已登记。",
        "required": "{view}：{position} 需 {count} 个视角",
        "offline": "离线",
        "black": "黑屏",
        "covered": "镜头被遮挡或画面空白",
        "blurred": "模糊",
        "frozen": "画面冻结",
        "moved": "移位",
    },
}


@click.command()
@click.option("--authority", help="Only devices of this authority, by its code.")
@as_person
@as_json
@pass_services
def health(services: Services, authority: str | None, person: str | None, as_json: bool) -> None:
    """Lists devices in use that are offline, show a bad picture or moved, and views that too few devices give."""
    with services.session() as session:
        wanted = _authorities(services, person)
        if authority is not None:
            named = set(session.scalars(select(Authority.id).where(Authority.code == authority)))
            wanted = named if wanted is None else named & wanted
        now = services.clock.now()
        ill, short = beats.ill_devices(session, now, wanted), beats.short_views(session, now, wanted)
        heard = beats.who_reports(session, now, wanted)
    if as_json:
        told = {"devices": [vars(one) for one in ill], "views": [vars(one) for one in short], **vars(heard)}
        echo_json({"ok": True, **told})
        return
    said = WORDS[lang()]
    for each in ill:
        last = said["heard"].format(at=each.heard_at) if each.heard_at else said["never"]
        click.echo(f"{each.device}  {', '.join(said[fault] for fault in each.faults)}  {last}  {each.name}")
    for view in short:
        click.echo(said["short"].format(**vars(view)))
    if not ill and not short:
        click.echo(said["well" if heard.reporting else "silent"].format(**vars(heard)))


def _authorities(services: Services, person: str | None) -> set[uuid.UUID] | None:
    """Whose devices are seen: of the host all, of a person those of the own authorities; 403 for other roles."""
    if person is None:
        return None
    actor = services.actor(person)
    found = {grant.authority_id for grant in actor.grants if grant.role in _MAY_SEE}
    if not found:
        raise forbidden("state.role", "finding.officer", required=Coded("role", _MAY_SEE))
    return found


@click.command()
@click.argument("name", metavar="DEVICE")
@click.option("--kind", type=click.Choice(sorted(papers.REFERENCES)), required=True, help="Which kind of reference.")
@click.option("--value", "value", prompt=True, hide_input=True, help="The reference; asked for where it is not given.")
@as_person
@pass_services
def reference(services: Services, name: str, kind: str, value: str, person: str | None) -> None:
    """Records how DEVICE is reached (GB/T 28181, ONVIF, RTSP); restricted, and shown nowhere."""
    with services.work(actor_for(services, person)) as work:
        papers.record_reference(work, work.get(Device, name), kind, value)
        work.commit()
    click.echo(WORDS[lang()]["recorded"])


@click.group()
def view() -> None:
    """Views that supervised entities have to give, and the devices that give them."""


@view.command("require")
@click.argument("entity", metavar="CODE")
@click.option("--authority", required=True, help="Code of the authority that asks for it.")
@click.option("--position", required=True, help="What is to be seen.")
@click.option("--count", type=int, default=1, show_default=True, help="From how many devices.")
@as_person
@pass_services
def require(services: Services, entity: str, authority: str, position: str, count: int, person: str | None) -> None:
    """Asks the entity with this registration CODE for a view (LX-12)."""
    with services.work(actor_for(services, person)) as work:
        made = papers.require_view(work, by_code(work, Authority, authority), entity, position, count)
        work.commit()
        click.echo(WORDS[lang()]["required"].format(view=made.public_id, count=count, position=position))


@view.command("give")
@click.argument("name", metavar="DEVICE")
@click.argument("view_id", metavar="VIEW")
@as_person
@pass_services
def give(services: Services, name: str, view_id: str, person: str | None) -> None:
    """Names DEVICE as one that gives VIEW."""
    with services.work(actor_for(services, person)) as work:
        papers.give_view(work, work.get(Device, name), view_id)
        work.commit()
    click.echo(WORDS[lang()]["recorded"])
