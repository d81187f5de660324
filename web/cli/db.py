"""`skywarden db`: the database and its migrations."""

from __future__ import annotations

import click

from web.cli.common import pass_services
from web.wiring import Services


@click.group()
def db() -> None:
    """The database of this installation."""


@db.command()
@pass_services
def migrate(services: Services) -> None:
    """Brings the database to the newest version; every start does this too."""
    click.echo(f"The database {services.database.admin_url.split('?')[0]} is up to date.")
