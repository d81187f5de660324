"""`skywarden gateway run`: the process that leads the flights of one aircraft on one line, beside the database."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from uuid import UUID

import click
from sqlalchemy import func, select

from flights import queries
from flights.gateway.desk import Desk
from flights.gateway.leading import Lead
from flights.gateway.line import line_to
from flights.gateway.process import Gateway
from flights.gateway.told import Step
from flights.link.transport import parse_url
from schemas.refusals import conflict
from schemas.tables import Device, Drone
from web.cli.common import lang, pass_services
from web.cli.flight import WORDS as STEPS
from web.wiring import Services

WORDS = {
    "en": {
        "serves": "Serves {drone} on {link}. It ends on Ctrl-C or SIGTERM; an aircraft in the air flies on, and the "
        "next gateway follows it.",
        "takes_up": "{flight} is in the air: it is taken up.",
        "ordered": "{flight}: {order} is ordered.",
        "refused": "{flight}: refused. {reason}",
        "failed": "{flight} cannot be followed yet: {reason}",
        "ended": "{flight}: {outcome} ({reason}).",
        "let_go": "Ended. Whatever flies, flies on; its fence and its failsafes hold.",
        "superseded": "Another gateway leads the aircraft now.",
    },
    "zh": {
        "serves": "为 {drone} 服务，链路 {link}。按 Ctrl-C 或 SIGTERM 结束；空中的飞行器继续飞行，由下一个网关接替。",
        "takes_up": "{flight} 正在飞行：已接替。",
        "ordered": "{flight}：收到指令 {order}。",
        "refused": "{flight}：已拒绝。{reason}",
        "failed": "{flight} 暂时无法跟踪：{reason}",
        "ended": "{flight}：{outcome}（{reason}）。",
        "let_go": "已结束。空中的飞行器继续飞行，机载围栏与失控保护仍然有效。",
        "superseded": "该飞行器现由另一网关引导。",
    },
}


@click.group()
def gateway() -> None:
    """Gateways: processes that lead flights, one for each aircraft and line."""


@gateway.command("run")
@click.option(
    "--link",
    "url",
    required=True,
    metavar="URL",
    help="tcp:HOST:PORT, udp:HOST:PORT, /dev/ttyUSB0,57600, or relay:HOST:PORT to listen for the aircraft's relay.",
)
@click.option("--drone", help="The aircraft on this line; the only one in use where none is named.")
@pass_services
def run(services: Services, url: str, drone: str | None) -> None:
    """Leads the flights of one aircraft as they are ordered, until it is told to end.

    A flight that is in the air when it starts is taken up where its record ends. Two gateways never lead one aircraft.
    """
    parse_url(url)
    number, drone_id = _drone(services, drone)
    with _ending() as letting_go:
        serve(services, url, drone_id, letting_go=letting_go, name=number)


def serve(
    services: Services, url: str, drone_id: UUID, *, letting_go: Callable[[], str | None], name: str, language: str = ""
) -> None:
    """Runs a gateway until `letting_go` gives a reason."""
    words = WORDS[language or lang()]
    steps = STEPS[language or lang()]

    def said(word: str, values: dict[str, Any]) -> None:
        click.echo(words[word].format(**values))

    def tell(step: Step, facts: dict[str, Any]) -> None:
        if step is not Step.POSITION:
            click.echo(f"  {steps[str(step)].format(**facts)}")

    desk = Desk(services, drone_id, url)
    desk.open()
    try:
        with line_to(services, drone_id, url) as open_line:
            said("serves", {"drone": name, "link": url})
            lead = Lead(services, url, open_line, desk, tell, letting_go=letting_go)
            Gateway(lead, drone_id, services.acting, said).run()
    finally:
        desk.close()
    said("superseded" if desk.superseded else "let_go", {})


def _drone(services: Services, named: str | None) -> tuple[str, UUID]:
    """The public id and the key of the aircraft that is meant."""
    with services.session() as session:
        if named:
            found = queries.drone_named(session, named)
        else:
            active = select(func.count()).select_from(Drone).join(Device).where(Device.state == "active")
            count = session.scalar(active) or 0
            usual = queries.usual_drone(session)
            if usual is None or count != 1:
                raise conflict("DC-1", "flight.drone_needed", measured=count)
            found = usual
        return found.device.public_id, found.device_id


@contextmanager
def _ending() -> Iterator[Callable[[], str | None]]:
    """SIGTERM and Ctrl-C end the gateway; the aircraft is no concern of either."""
    asked: list[str] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
