"""`skywarden relay`: carries an aircraft's frames from the field to the gateway; issued and revoked at the gateway."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from flights import queries
from flights.relay import client, credentials
from flights.relay.certificates import Authority, write_private
from schemas.actors import HOST
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

WORDS = {
    "en": {
        "connected": "Connected to the gateway at {detail}; frames go both ways.",
        "lost": "No line to the gateway ({detail}); trying again. The aircraft's own failsafes hold.",
        "refused": "The gateway let this relay go at once ({detail}); trying again. Is the credential of the aircraft "
        "that it serves, neither revoked nor expired?",
        "stranger": "What answers is not the gateway of this credential ({detail}); nothing is carried. Trying again.",
        "vehicle_lost": "The line to the aircraft is lost ({detail}); trying again.",
        "ended": "Ended.",
        "issued": "{relay} may carry the frames of {drone} until {until}. Its credential is in {out}: give it by hand.",
        "listen": "The gateway listens for it with: skywarden gateway run --drone {drone} --link relay:0.0.0.0:5790",
        "revoked": "{relay} is let in no more.",
        "none": "No relay has been issued.",
        "until": "until {at}",
        "was_revoked": "revoked {at}",
    },
    "zh": {
        "connected": "已连接网关 {detail}，数据双向转发。",
        "lost": "与网关没有连接（{detail}），正在重试。飞行器自身的失效保护有效。",
        "refused": "网关随即断开了本中继（{detail}），正在重试。请确认凭证属于该网关所服务的飞行器，且未吊销、未过期。",
        "stranger": "应答方不是签发该凭证的网关（{detail}），不转发任何数据。正在重试。",
        "vehicle_lost": "与飞行器的连接中断（{detail}），正在重试。",
        "ended": "已结束。",
        "issued": "{relay} 可转发 {drone} 的数据，有效期至 {until}。凭证在 {out}，请当面交付。",
        "listen": "网关侧监听：skywarden gateway run --drone {drone} --link relay:0.0.0.0:5790",
        "revoked": "{relay} 不再获准接入。",
        "none": "尚未签发中继。",
        "until": "有效至 {at}",
        "was_revoked": "已于 {at} 吊销",
    },
}


@click.group()
def relay() -> None:
    """Relays in the field: run one, or issue and revoke their credentials at the gateway."""


@relay.command("run")
@click.option("--vehicle", "url", required=True, metavar="URL", help="/dev/ttyUSB0,57600, udp:0.0.0.0:14550 ...")
@click.option("--to", "gateway", required=True, metavar="HOST:PORT", help="Where the gateway listens.")
@click.option(
    "--credential", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file issued."
)
def run(url: str, gateway: str, credential: Path) -> None:
    """Carries raw frames between the aircraft and the gateway until Ctrl-C. Needs no database and no account.

    It opens one connection outwards and can do nothing but carry. When it ends, the aircraft has lost its ground
    station: its fence and its failsafes on board are what holds then.
    """
    host, port = client.parse_gateway(gateway)
    words = WORDS[lang()]
    with _until_interrupted() as ended:
        client.run(
            client.Relay(url, host, port, credential),
            lambda word, detail: click.echo(words[word].format(detail=detail), err=True),
            ended,
        )
    click.echo(words["ended"], err=True)


@relay.command("issue")
@click.argument("drone")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the credential goes."
)
@click.option("--days", default=30, show_default=True, help="For how long it is good.")
@as_json
@pass_services
def issue(services: Services, drone: str, out: Path, days: int, as_json: bool) -> None:
    """Issues a credential for the relay of DRONE. Whoever holds the file can carry its frames, nothing else."""
    authority = Authority.of(services.data_dir, services.clock.now())
    with services.work(HOST) as work:
        made = credentials.issue(work, queries.drone_named(work.session, drone), authority, days=days)
        # Written before it counts: a credential that nobody holds would be worth nothing.
        write_private(out, made.pem)
        work.commit()
    until = made.expires_at.astimezone(services.zone)
    if as_json:
        echo_json({"ok": True, "relay": made.public_id, "expires_at": made.expires_at, "credential": out})
        return
    words = WORDS[lang()]
    click.echo(words["issued"].format(relay=made.public_id, drone=drone, until=f"{until:%Y-%m-%d %H:%M}", out=out))
    click.echo("  → " + words["listen"].format(drone=drone))


@relay.command("revoke")
@click.argument("name", metavar="RELAY")
@click.option("--reason", required=True, help="Why, for the ledger.")
@pass_services
def revoke(services: Services, name: str, reason: str) -> None:
    """Lets RELAY in no more; a line that stands is cut within seconds."""
    with services.work(HOST) as work:
        credentials.revoke(work, name, reason)
        work.commit()
    click.echo(WORDS[lang()]["revoked"].format(relay=name))


@relay.command("list")
@as_json
@pass_services
def list_relays(services: Services, as_json: bool) -> None:
    """Every relay with its aircraft, until when it is good, and when it was last seen."""
    with services.session() as session:
        rows = [
            {
                "relay": row.public_id,
                "drone": drone.device.public_id,
                "issued_at": row.issued_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
                "last_seen_at": row.last_seen_at,
            }
            for row, drone in credentials.all_relays(session)
        ]
    if as_json:
        echo_json(rows)
        return
    words = WORDS[lang()]
    for row in rows:
        word, at = ("was_revoked", row["revoked_at"]) if row["revoked_at"] else ("until", row["expires_at"])
        ended = words[word].format(at=f"{at:%Y-%m-%d}")
        seen = f"{row['last_seen_at']:%Y-%m-%d %H:%M}" if row["last_seen_at"] else "–"
        click.echo(f"{row['relay']:<12}{row['drone']:<14}{ended:<22}{seen}")
    if not rows:
        click.echo(words["none"])


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a polite end stop it once, between two reads."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _f: asked.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
