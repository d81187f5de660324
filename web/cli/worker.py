"""`skywarden worker`: seals the ledger, and lets publications and privacy zones take effect on their day.

A zone takes effect in stored imagery too: masked copies that show what it hides are masked anew. Models that officers
ask for are trained here, one after the other.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import click
import structlog
from sqlalchemy.exc import OperationalError

from geo.commands import block_where_due, expire_where_due, replace_amended_plans, take_effect_where_due
from geo.coverage_grid import cover_where_due
from schemas.store.jobs import Interrupted
from schemas.store.sealer import seal_pending
from schemas.store.shown import renew_where_due
from sensing.sensors.judging import judge_due
from web import learning, planning_jobs, scenes, siting_jobs
from web.cli.common import echo_refusals, lang, pass_services
from web.delivery import deliver
from web.smtp import forget_what_is_over, send_due
from web.wiring import Services
from web.witnessing import sign_latest, witness

SEAL_EVERY_S = 1.0
DUE_EVERY_S = 60.0
AWAY_S = 5.0
log = structlog.get_logger(__name__)


class _Stopped(Interrupted):
    """The worker was told to stop while it worked on something; the next one begins that again."""


class _Rounds:
    """What the worker does again and again, until it is told to stop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._sealed_at = self._due_at = -DUE_EVERY_S
        self._looked = False
        self.stopping = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self.stopping = True

    def once(self) -> None:
        """Seal, hand over what was sent to channels, and do what is due."""
        self._seal()
        _deliver(self._services)
        _mail(self._services)
        if time.monotonic() >= self._due_at + DUE_EVERY_S:
            _do_what_is_due(self._services, self._go_on)
            self._due_at = time.monotonic()
        while (job := learning.do_next(self._services, self._go_on)) is not None:
            click.echo(f"learning job {job} ended")
        while (study := planning_jobs.do_next(self._services, self._go_on)) is not None:
            click.echo(f"coverage study {study} ended")
        while (run := siting_jobs.do_next(self._services, self._go_on)) is not None:
            click.echo(f"siting run {run} ended")

    def _seal(self) -> None:
        # What is sealed can be proven; and nothing was published where nothing was recorded.
        if _seal(self._services) or not self._looked:
            _witness(self._services)
            self._looked = True
        self._sealed_at = time.monotonic()

    def _go_on(self, _share: float) -> None:
        """Between the windows of a large image: the ledger is sealed on, and a stop is a stop."""
        if self.stopping:
            raise _Stopped
        if time.monotonic() >= self._sealed_at + SEAL_EVERY_S:
            self._seal()


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@pass_services
def worker(services: Services, once: bool) -> None:
    """Seals the ledger every second; on their day, makes what is published effective and blocks what may not go on."""
    rounds = _Rounds(services)
    signal.signal(signal.SIGTERM, rounds.stop)
    signal.signal(signal.SIGINT, rounds.stop)
    while not rounds.stopping:
        wait_s = SEAL_EVERY_S
        try:
            rounds.once()
        except _Stopped:
            return
        except OperationalError as error:
            if once:
                raise
            # A database that restarts comes back, and what was due is due still.
            log.warning("database_away", error=type(error.orig).__name__)
            wait_s = AWAY_S
        if once:
            return
        time.sleep(wait_s)


def _seal(services: Services) -> int:
    sealed = seal_pending(services.engine)
    if sealed:
        click.echo(f"sealed {sealed} events")
    return sealed


def _witness(services: Services) -> None:
    subjects = list(witness(services))
    if subjects:
        click.echo(f"wrote down what was published of {len(subjects)} subjects")


def _deliver(services: Services) -> None:
    for done in deliver(services, services.channels):
        failure = f" ({done.failure})" if done.failure else ""
        click.echo(f"{done.dispatch} to {done.channel}: {done.outcome.replace('_', ' ')}{failure}")


def _mail(services: Services) -> None:
    for done in send_due(services):
        failure = f" ({done.failure})" if done.failure else ""
        click.echo(f"mail {done.mail}: {done.outcome.replace('_', ' ')}{failure}")


def _do_what_is_due(services: Services, go_on: Callable[[float], None]) -> None:
    sign_latest(services)
    if cover_where_due(services.engine):
        click.echo("the coverage grid is made anew")
    for subject in take_effect_where_due(services.work, services.engine):
        click.echo(f"{subject} took effect")
    for plan in replace_amended_plans(services.work):
        click.echo(f"{plan} is replaced by its next version")
    for device in block_where_due(services.work):
        click.echo(f"{device} is blocked")
    for grant in expire_where_due(services.work):
        click.echo(f"{grant} is over")
    for judged in judge_due(services.work):
        click.echo(f"{judged.device} is beyond {judged.limit}: {judged.finding or 'no finding'}")
    forget_what_is_over(services)
    if renewed := renew_where_due(services.engine):
        click.echo(f"the notices of {renewed} subjects are counted by other rules")
    for done in scenes.remask(services, progress=go_on):
        if done.refused:
            click.echo(f"{done.overdue.copy} of {done.overdue.scene} cannot be masked anew:")
            echo_refusals(done.refused.refusals, lang())
        else:
            click.echo(f"{done.overdue.scene} is masked anew as {done.copy}: {', '.join(done.overdue.zones)}")
