"""`skywarden device share`: devices that several authorities use, for a purpose and a period (GD-18.1, S03)."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import select

from geo import commands
from geo.checks_grants import FIELDS
from geo.commands.grants import NewUse
from schemas.tables import Authority, Device, DeviceGrant, LegalBasis, SupervisionItem
from schemas.words import words
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import DAY, by_code, day, step, tell
from web.wiring import Services

_SAYS = {
    "en": {
        "row": "{grant}  {device}  {authority}  {item}  {first} - {last}  {fields}  {state}",
        "none": "Nothing was asked.",
        "over": "{grant} is over.",
        "own": "{device} is your own authority's.",
        "by": "{device} may be used for {item} by {grant}, until {last}.",
    },
    "zh": {
        "row": "{grant}  {device}  {authority}  {item}  {first} 至 {last}  {fields}  {state}",
        "none": "没有申请。",
        "over": "{grant} 已到期。",
        "own": "{device} 属于本机关。",
        "by": "{device} 可用于 {item}，依据 {grant}，截止 {last}。",
    },
}


@click.group()
def share() -> None:
    """Devices of other authorities: asked for, granted by the owner, used, revoked."""


@share.command("ask")
@click.argument("name", metavar="DEVICE")
@click.option("--authority", required=True, help="Code of the authority that will use it.")
@click.option("--item", required=True, help="Code of the supervision item.")
@click.option("--purpose-en", required=True, help="What for, in English.")
@click.option("--purpose-zh", required=True, help="What for, in Chinese.")
@click.option("--to", "valid_to", type=DAY, required=True, help="The last day.")
@click.option("--from", "valid_from", type=DAY, help="The first day; today without it.")
@click.option("--field", "fields", type=click.Choice(FIELDS), multiple=True, default=("live",), help="What of it.")
@click.option("--law", help="Code of the article; that of the item without it.")
@as_person
@as_json
@pass_services
def ask(  # noqa: PLR0913 - an application says all of this
    services: Services,
    name: str,
    person: str | None,
    as_json: bool,
    authority: str,
    item: str,
    law: str | None,
    valid_to: datetime,
    valid_from: datetime | None,
    fields: tuple[str, ...],
    purpose_en: str,
    purpose_zh: str,
) -> None:
    """Asks the owner of DEVICE for its use."""
    with services.work(actor_for(services, person)) as work:
        new = NewUse(
            authority=by_code(work, Authority, authority),
            item=by_code(work, SupervisionItem, item),
            legal_basis=by_code(work, LegalBasis, law) if law else None,
            purpose_en=purpose_en,
            purpose_zh=purpose_zh,
            valid_to=valid_to.date(),
            valid_from=day(valid_from),
            fields=fields,
        )
        grant = commands.ask_use(work, work.get(Device, name), new)
        work.commit()
        tell(grant, as_json=as_json)


@share.command("grant")
@click.argument("name", metavar="GRANT")
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def grant(services: Services, name: str, reason: str, person: str | None) -> None:
    """Grants what was asked, by the unit head of the owner."""
    step(services, person, DeviceGrant, name, lambda work, found: commands.grant_use(work, found, reason=reason))


@share.command("refuse")
@click.argument("name", metavar="GRANT")
@click.option("--reason", required=True, help="Why not.")
@as_person
@pass_services
def refuse(services: Services, name: str, reason: str, person: str | None) -> None:
    """Refuses what was asked."""
    step(services, person, DeviceGrant, name, lambda work, found: commands.refuse_use(work, found, reason=reason))


@share.command("revoke")
@click.argument("name", metavar="GRANT")
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def revoke(services: Services, name: str, reason: str, person: str | None) -> None:
    """Ends a use at once."""
    step(services, person, DeviceGrant, name, lambda work, found: commands.revoke_use(work, found, reason=reason))


@share.command("use")
@click.argument("name", metavar="DEVICE")
@click.option("--item", required=True, help="Code of the supervision item for which it is looked at.")
@click.option("--field", type=click.Choice(FIELDS), default="live", show_default=True, help="What of it.")
@as_person
@pass_services
def use(services: Services, name: str, item: str, field: str, person: str | None) -> None:
    """Says whether DEVICE may be looked at for an item now; the answer is written down either way."""
    with services.work(actor_for(services, person)) as work:
        found = work.get(Device, name)
        by = commands.use_device(work, found, by_code(work, SupervisionItem, item), field)
        work.commit()
    said = _SAYS[lang()]
    if by is None:
        click.echo(said["own"].format(device=found.public_id))
    else:
        click.echo(said["by"].format(device=found.public_id, item=item, grant=by.public_id, last=by.valid_to))


@share.command("list")
@click.option("--authority", required=True, help="Code of the authority that asked, or was asked.")
@as_json
@pass_services
def list_(services: Services, authority: str, as_json: bool) -> None:
    """Lists what an authority asked of others and what others asked of it, once what is over has ended."""
    over = list(commands.expire_where_due(services.work))
    with services.session() as session:
        wanted = session.scalars(select(Authority.id).where(Authority.code == authority)).one_or_none()
        rows = [_row(one) for one in commands.grants_of(session, wanted)] if wanted else []
    if as_json:
        echo_json({"ok": True, "grants": rows, "over": over})
        return
    for name in over:
        click.echo(_SAYS[lang()]["over"].format(grant=name))
    for row in rows:
        state = words()["state"][row["state"]][lang()]
        click.echo(_SAYS[lang()]["row"].format(**row | {"state": state}))
    if not rows:
        click.echo(_SAYS[lang()]["none"])


def _row(one: DeviceGrant) -> dict[str, str]:
    return {
        "grant": one.public_id,
        "device": one.device.public_id,
        "authority": one.authority.code,
        "item": one.item.code,
        "first": one.valid_from.isoformat(),
        "last": one.valid_to.isoformat(),
        "fields": ", ".join(one.fields),
        "state": one.state,
    }
