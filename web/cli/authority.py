"""`skywarden authority`: who publishes here, and whom citizens ask there (GD-41.1)."""

from __future__ import annotations

import click
from sqlalchemy import select

from geo import commands
from schemas.tables import Authority
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import by_code
from web.wiring import Services

_SAYS = {"en": "{code}  {name}\n    {contact}", "zh": "{code}  {name}\n    {contact}"}


@click.group()
def authority() -> None:
    """Enforcement authorities, and whom citizens ask there."""


@authority.command("list")
@as_json
@pass_services
def list_authorities(services: Services, as_json: bool) -> None:
    """Lists the authorities and how citizens reach them."""
    with services.session() as session:
        rows = list(session.scalars(select(Authority).order_by(Authority.code)))
    told = [
        {
            "code": row.code,
            "name": row.name_en if lang() == "en" else row.name_zh,
            "person": row.contact_person,
            "address": row.contact_address,
            "channel": row.contact_channel,
        }
        for row in rows
    ]
    if as_json:
        echo_json({"ok": True, "authorities": told})
        return
    for one in told:
        contact = " · ".join(filter(None, (one["person"], one["address"], one["channel"])))
        click.echo(_SAYS[lang()].format(code=one["code"], name=one["name"], contact=contact))


@authority.command("contact")
@click.argument("code")
@click.option("--person", "contact_person", required=True, help="Whom to ask for: an office, or a name.")
@click.option("--address", required=True, help="Where to write to.")
@click.option("--channel", required=True, help="Where to call or send a message.")
@as_person
@pass_services
def change(services: Services, code: str, contact_person: str, address: str, channel: str, person: str | None) -> None:
    """Tells on every public record of the authority CODE whom to ask from now on."""
    with services.work(actor_for(services, person)) as work:
        row = by_code(work, Authority, code)
        commands.change_contact(work, row, commands.Contact(contact_person, address, channel))
        work.commit()
        contact = " · ".join(filter(None, (row.contact_person, row.contact_address, row.contact_channel)))
        name = row.name_en if lang() == "en" else row.name_zh
    click.echo(_SAYS[lang()].format(code=code, name=name, contact=contact))
