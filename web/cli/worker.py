"""`skywarden worker`: seals the ledger, and lets publications and privacy zones take effect on their day."""

from __future__ import annotations

import signal
import time
from types import FrameType

import click
import structlog
from sqlalchemy.exc import OperationalError

from geo.commands import block_where_private, take_effect_where_due
from schemas.store.sealer import seal_pending
from web.cli.common import pass_services
from web.wiring import Services

SEAL_EVERY_S = 1.0
DUE_EVERY_S = 60.0
AWAY_S = 5.0
log = structlog.get_logger(__name__)


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@pass_services
def worker(services: Services, once: bool) -> None:
    """Seals the ledger every second; on their day, makes what is published effective and blocks what zones reach."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    due_at = 0.0
    while not stopping:
        wait_s = SEAL_EVERY_S
        try:
            _seal(services)
            if time.monotonic() >= due_at:
                _do_what_is_due(services)
                due_at = time.monotonic() + DUE_EVERY_S
        except OperationalError as error:
            if once:
                raise
            # A database that restarts comes back, and what was due is due still.
            log.warning("database_away", error=type(error.orig).__name__)
            wait_s = AWAY_S
        if once:
            return
        time.sleep(wait_s)


def _seal(services: Services) -> None:
    sealed = seal_pending(services.engine)
    if sealed:
        click.echo(f"sealed {sealed} events")


def _do_what_is_due(services: Services) -> None:
    for subject in take_effect_where_due(services.work, services.engine):
        click.echo(f"{subject} took effect")
    for device in block_where_private(services.work):
        click.echo(f"{device} is blocked: a privacy zone reaches it")
