"""`skywarden flight package`: everything that a pilot takes along, in one archive."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from schemas.store.work import find
from schemas.tables import Flight
from web.cli.common import lang, pass_services
from web.wiring import Services

WORDS = {
    "en": "{path}: flight package of {flight}, {kb} kB, SHA-256 {sha256}",
    "zh": "{path}：{flight} 的飞行资料包，{kb} kB，SHA-256 {sha256}",
}


@click.command("package")
@click.argument("flight_id", metavar="FLIGHT")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A .zip file.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@pass_services
def package(services: Services, flight_id: str, out: Path, force: bool) -> None:
    """Mission, fence, parameters, approval, digests and a sheet to print, before the pilot drives out.

    Without a link the platform cannot start the flight; it is judged from its log afterwards.
    """
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    # The words of the sheet are those of the web; its application is not needed for anything else here.
    from web.app import create_app
    from web.pilot.packages import packed

    with services.session() as session, create_app(services).test_request_context(f"/?lang={lang()}"):
        flight = find(session, Flight, flight_id)
        data = packed(services, session, flight)
        number = flight.public_id
    out.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    click.echo(WORDS[lang()].format(path=out, flight=number, kb=-(-len(data) // 1024), sha256=sha256))
