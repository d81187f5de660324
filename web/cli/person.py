"""`skywarden person`: who may act on this installation."""

from __future__ import annotations

import click
from sqlalchemy import select

from schemas.tables import Authority, Person, RoleAssignment
from web.cli.common import as_json, echo_json, pass_services
from web.wiring import Services


@click.group()
def person() -> None:
    """The people of this installation and the roles they hold."""


@person.command("list")
@as_json
@pass_services
def list_people(services: Services, as_json: bool) -> None:
    """Everybody, with the roles held and where."""
    rows = []
    with services.session() as session:
        statement = (
            select(Person, RoleAssignment, Authority)
            .outerjoin(RoleAssignment, RoleAssignment.person_id == Person.id)
            .outerjoin(Authority, RoleAssignment.authority_id == Authority.id)
            .order_by(Person.code, RoleAssignment.role)
        )
        for somebody, role, authority in session.execute(statement):
            rows.append(
                {
                    "code": somebody.code,
                    "name": somebody.name_en,
                    "role": role.role if role else None,
                    "authority": authority.code if authority else None,
                }
            )
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['code']:<6}{row['role'] or '-':<22}{row['authority'] or '-':<6}{row['name']}")
