"""`skywarden serve`: the pages, on loopback unless a proxy ends TLS in front of us."""

from __future__ import annotations

import click

from web.app import create_app
from web.cli.common import pass_services
from web.public.basemap import BasemapUnreadable, read_basemap
from web.security import UnsafeBinding, refuse_plain_http
from web.server import refuse_taken, run_server
from web.wiring import Services


@click.command()
@click.option("--host", default=None, help="Address to listen on (SKYWARDEN_HOST).")
@click.option("--port", type=click.IntRange(1, 65_535), default=None, help="Port to listen on (SKYWARDEN_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that serve pages.")
@pass_services
def serve(services: Services, host: str | None, port: int | None, workers: int) -> None:
    """Serves the pages until interrupted."""
    serve_pages(services, host or services.settings.host, port or services.settings.port, workers=workers)


def serve_pages(services: Services, host: str, port: int, *, workers: int = 2) -> None:
    """Serves until interrupted; ends with one line where `ensure_servable` does."""
    ensure_servable(services, host, port)
    click.echo(f"The pages: http://{host}:{port}/   (Ctrl-C ends)")
    run_server(create_app(services), host=host, port=port, workers=workers)


def ensure_servable(services: Services, host: str, port: int) -> None:
    """Ends, in one line, for plain http on anything but loopback, a taken address, and a base map that is none."""
    try:
        refuse_plain_http(host, behind_tls_proxy=services.settings.behind_tls_proxy)
        refuse_taken(host, port)
        read_basemap(services.settings.basemap)
    except (UnsafeBinding, BasemapUnreadable) as unsafe:
        raise click.ClickException(str(unsafe)) from unsafe
