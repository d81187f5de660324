"""`skywarden db`: the database and its migrations."""

from __future__ import annotations

import click
from sqlalchemy import make_url

from web.cli.common import pass_services
from web.wiring import Services


@click.group()
def db() -> None:
    """The database of this installation."""


@db.command()
@pass_services
def migrate(services: Services) -> None:
    """Brings the database to the newest version; every start does this too."""
    shown = make_url(services.database.admin_url).render_as_string(hide_password=True)
    click.echo(f"The database {shown} is up to date.")
