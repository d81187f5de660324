"""`skywarden notice`: what channels carry of a device, an area, a point or a route, and what they answered (GD-14)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import select

from geo import commands
from geo.channels import read_receipt
from geo.commands.dispatches import KINDS, send_notice, take_receipt
from geo.notices import Published
from schemas.refusals import RuleViolation, not_found
from schemas.store.work import Work
from schemas.words import Coded
from web.channels import FolderChannel
from web.cli.common import Instant, actor_for, as_person, echo_refusals, lang, pass_services
from web.cli.registry import tell
from web.wiring import Services

WORDS = {
    "en": {
        "carried": "{channel} carries {subject} since {at}, receipt {receipt}",
        "withdrawn": "{channel} carries {subject} no more",
        "sent": "{dispatch} lies ready for {channel}",
        "rejected": "{name}: rejected: {because}",
        "taken": "{name}: published, receipt {receipt}",
        "refused": "{name} is not taken:",
        "none": "No answer lies there.",
    },
    "zh": {
        "carried": "{channel} 自 {at} 起公示 {subject}，回执 {receipt}",
        "withdrawn": "{channel} 已撤回 {subject} 的公示",
        "sent": "{dispatch} 已备妥，待 {channel} 取走",
        "rejected": "{name}：被退回：{because}",
        "taken": "{name}：已公示，回执 {receipt}",
        "refused": "{name} 未予登记：",
        "none": "没有回执。",
    },
}


@click.group()
def notice() -> None:
    """Publication: what channels carry, from when, with which receipt; its withdrawal; ends of use."""


def find_published(work: Work, name: str) -> Published:
    """The device, area, point or route of that public id or code; raises RuleViolation 404 where there is none."""
    for kind in KINDS.values():
        columns = [getattr(kind, column) for column in ("public_id", "code") if hasattr(kind, column)]
        for column in columns:
            row: Published | None = work.session.scalars(select(kind).where(column == name)).first()  # type: ignore[assignment]
            if row is not None:
                return row
    named = Coded("subject", ["device", "patrol_area", "deployment_point", "route"])
    raise not_found("store.unknown", "store.not_found", subject=named, measured=name)


@notice.command("record")
@click.argument("name", metavar="SUBJECT")
@click.option("--channel", required=True, help="Code of the channel in the rule pack.")
@click.option("--receipt", "receipt_id", default="", help="Number of the channel's receipt.")
@click.option("--at", "published_at", type=Instant(), help="Time of the receipt.")
@as_person
@pass_services
def record(
    services: Services, name: str, channel: str, receipt_id: str, published_at: datetime | None, person: str | None
) -> None:
    """Records that a channel carries SUBJECT as it is now (GD-14.2, GD-14.3)."""
    with services.work(actor_for(services, person)) as work:
        subject = find_published(work, name)
        made = commands.record_publication(
            work, subject, channel=channel, receipt_id=receipt_id, published_at=published_at
        )
        work.commit()
        at = made.published_at.isoformat()
        words = {"channel": channel, "subject": subject.public_id, "at": at, "receipt": made.receipt_id}
        click.echo(WORDS[lang()]["carried"].format(**words))


@notice.command("begin")
@click.argument("name", metavar="SUBJECT")
@as_person
@pass_services
def begin(services: Services, name: str, person: str | None) -> None:
    """Begins the notice period of SUBJECT once enough channels carry it."""
    with services.work(actor_for(services, person)) as work:
        subject = find_published(work, name)
        commands.publish(work, subject)
        work.commit()
        tell(subject, as_json=False)


@notice.command("withdraw")
@click.argument("name", metavar="SUBJECT")
@click.option("--channel", required=True, help="Code of the channel.")
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def withdraw(services: Services, name: str, channel: str, reason: str, person: str | None) -> None:
    """Records that a channel no longer carries SUBJECT, which is not in use yet."""
    with services.work(actor_for(services, person)) as work:
        subject = find_published(work, name)
        commands.withdraw_publication(work, subject, channel=channel, reason=reason)
        work.commit()
        click.echo(WORDS[lang()]["withdrawn"].format(channel=channel, subject=subject.public_id))


@notice.command("send")
@click.argument("name", metavar="SUBJECT")
@click.option("--channel", required=True, help="Code of a channel that fetches and answers by files.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="The channel's folder.")
@as_person
@pass_services
def send(services: Services, name: str, channel: str, folder: Path, person: str | None) -> None:
    """Lays SUBJECT ready in FOLDER/out for a channel that fetches files; its answer is awaited in FOLDER/in."""
    with services.work(actor_for(services, person)) as work:
        made = send_notice(work, find_published(work, name), channel=channel)
        work.commit()
    FolderChannel(folder).send(made.public_id, made.document.encode())
    click.echo(WORDS[lang()]["sent"].format(dispatch=made.public_id, channel=channel))


@notice.command("receive")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="The channel's folder.")
@as_person
@pass_services
def receive(services: Services, folder: Path, person: str | None) -> None:
    """Takes the answers in FOLDER/in: receipts become publications, rejections are told; what is neither stays."""
    says, channel, found = WORDS[lang()], FolderChannel(folder), False
    for name, data in channel.answers():
        found = True
        try:
            receipt = read_receipt(data)
            with services.work(actor_for(services, person)) as work:
                made = take_receipt(work, receipt)
                work.commit()
        except RuleViolation as error:
            click.echo(says["refused"].format(name=name))
            echo_refusals(error.refusals, lang())
            continue
        channel.put_away(name)
        if made is None:
            click.echo(says["rejected"].format(name=name, because=receipt.rejected_because))
        else:
            click.echo(says["taken"].format(name=name, receipt=made.receipt_id))
    if not found:
        click.echo(says["none"])


@notice.command("retire")
@click.argument("name", metavar="SUBJECT")
@click.option("--reason", required=True, help="Why.")
@click.option("--text-en", required=True, help="The announcement in English.")
@click.option("--text-zh", required=True, help="The announcement in Chinese.")
@as_person
@pass_services
def retire(services: Services, name: str, person: str | None, **texts: str) -> None:
    """Ends the life of SUBJECT for good and announces it; its history stays public (GD-14.4)."""
    with services.work(actor_for(services, person)) as work:
        subject = find_published(work, name)
        commands.retire(work, subject, **texts)
        work.commit()
        tell(subject, as_json=False)
