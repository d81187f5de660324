"""`skywarden overlay`: the rules that an authority takes on beyond the law of its place (G-42)."""

from __future__ import annotations

import click

from geo import commands
from schemas.store.overlays import switched_on
from schemas.tables import Authority
from web.cli.common import actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import by_code
from web.wiring import Services

_ON = {"en": ("on", "off"), "zh": ("已启用", "未启用")}


@click.group()
def overlay() -> None:
    """Overlays of rules, each switched by an authority for itself."""


def _switch(services: Services, name: str, authority: str, reason: str, person: str | None, *, on: bool) -> None:
    with services.work(actor_for(services, person)) as work:
        commands.switch_overlay(work, by_code(work, Authority, authority), name, on=on, reason=reason)
        work.commit()
    click.echo(f"{authority}  {name}  {_ON[lang()][0 if on else 1]}")


@overlay.command("on")
@click.argument("name", metavar="OVERLAY")
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--reason", required=True, help="The decision behind it.")
@as_person
@pass_services
def switch_on(services: Services, name: str, authority: str, reason: str, person: str | None) -> None:
    """Puts OVERLAY into force for an authority."""
    _switch(services, name, authority, reason, person, on=True)


@overlay.command("off")
@click.argument("name", metavar="OVERLAY")
@click.option("--authority", required=True, help="Code of the authority.")
@click.option("--reason", required=True, help="The decision behind it.")
@as_person
@pass_services
def switch_off(services: Services, name: str, authority: str, reason: str, person: str | None) -> None:
    """Takes OVERLAY out of force for an authority."""
    _switch(services, name, authority, reason, person, on=False)


@overlay.command("list")
@click.option("--authority", required=True, help="Code of the authority.")
@as_json
@pass_services
def list_overlays(services: Services, authority: str, as_json: bool) -> None:
    """The overlays there are, and which of them an authority has switched on."""
    with services.work() as work:
        on = switched_on(work.session, by_code(work, Authority, authority).id)
    rows = [
        {"id": each.id, "on": each.id in on, "title": getattr(each.title, lang())}
        for each in services.rulebook.overlays
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']:<10}{_ON[lang()][0 if row['on'] else 1]:<5}  {row['title']}")
