"""`skywarden worker`: seals the ledger, and lets publications take effect when their day has come."""

from __future__ import annotations

import signal
import time
from types import FrameType

import click

from geo.commands import take_effect_where_due
from schemas.store.sealer import seal_pending
from web.cli.common import pass_services
from web.wiring import Services

SEAL_EVERY_S = 1.0
DUE_EVERY_S = 60.0


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@pass_services
def worker(services: Services, once: bool) -> None:
    """Seals the ledger every second and makes published areas and routes effective on their day."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    due_at = 0.0
    while not stopping:
        sealed = seal_pending(services.engine)
        if sealed:
            click.echo(f"sealed {sealed} events")
        if time.monotonic() >= due_at:
            for subject in take_effect_where_due(services.work, services.engine):
                click.echo(f"{subject} took effect")
            due_at = time.monotonic() + DUE_EVERY_S
        if once:
            return
        time.sleep(SEAL_EVERY_S)
