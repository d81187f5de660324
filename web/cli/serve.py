"""`skywarden serve`: the pages, on loopback unless a proxy ends TLS in front of us."""

from __future__ import annotations

import click

from web.app import create_app
from web.cli.common import pass_services
from web.server import refuse_plain_http, run_server
from web.wiring import Services


@click.command()
@click.option("--host", default=None, help="Address to listen on (SKYWARDEN_HOST).")
@click.option("--port", type=int, default=None, help="Port to listen on (SKYWARDEN_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), default=2, help="Processes that serve pages.")
@pass_services
def serve(services: Services, host: str | None, port: int | None, workers: int) -> None:
    """Serves the pages until interrupted."""
    host = host or services.settings.host
    port = port or services.settings.port
    refuse_plain_http(host, behind_tls_proxy=services.settings.behind_tls_proxy)
    click.echo(f"http://{host}:{port}/")
    run_server(create_app(services), host=host, port=port, workers=workers)
