"""`skywarden things`: credentials of devices, the broker's files, readings from the broker, and their judgement."""

from __future__ import annotations

import getpass
import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path

import click
from sqlalchemy import select

from schemas.actors import HOST
from schemas.refusals import invalid
from schemas.tables import Device, DeviceToken
from sensing.sensors import tokens
from sensing.sensors.judging import judge_due
from web.cli.common import as_json, echo_json, echo_refusals, lang, pass_services
from web.security import is_loopback
from web.things.mqtt import Broker, Ingest
from web.wiring import Services

READER = "skywarden-ingest"
WORDS = {
    "en": {
        "issued": "{token} is the credential of {device} until {until:%Y-%m-%d}. It is shown this once:",
        "broker": "Let the broker know: skywarden things acl --out DIR",
        "revoked": "{token} is let in no more. Let the broker know: skywarden things acl --out DIR",
        "row": "{token}  {device}  until {until:%Y-%m-%d}{revoked}",
        "was_revoked": "  revoked",
        "none": "No credential has been issued.",
        "files": "The broker's files are in {out}; start it with: mosquitto -c {out}/mosquitto.conf",
        "told": "The running broker has read them.",
        "listens": "Takes readings from {host}:{port} until interrupted.",
        "took": "{stored} readings stored, {refused} messages refused.",
        "found": "{device} {limit} {start:%Y-%m-%d %H:%M}: {finding}",
        "refused": "{device} {limit} {start:%Y-%m-%d %H:%M}: no finding",
        "nothing": "Nothing lies beyond its limit.",
    },
    "zh": {
        "issued": "{token} 是 {device} 的凭证，有效期至 {until:%Y-%m-%d}。仅显示这一次：",
        "broker": "请通知代理：skywarden things acl --out DIR",
        "revoked": "{token} 已吊销。请通知代理：skywarden things acl --out DIR",
        "row": "{token}  {device}  至 {until:%Y-%m-%d}{revoked}",
        "was_revoked": "  已吊销",
        "none": "尚未签发任何凭证。",
        "files": "代理文件已写入 {out}；启动：mosquitto -c {out}/mosquitto.conf",
        "told": "运行中的代理已重新读取。",
        "listens": "正从 {host}:{port} 接收数据，直至中断。",
        "took": "已存储 {stored} 条读数，拒绝 {refused} 条消息。",
        "found": "{device} {limit} {start:%Y-%m-%d %H:%M}：{finding}",
        "refused": "{device} {limit} {start:%Y-%m-%d %H:%M}：未形成线索",
        "nothing": "没有超限。",
    },
}


@click.group()
def things() -> None:
    """Instruments that push readings over SensorThings (OGC 18-088) and MQTT."""


@things.group()
def token() -> None:
    """Credentials of devices; each writes to its own device's series alone."""


@token.command("issue")
@click.argument("name", metavar="DEVICE")
@click.option("--days", type=int, default=90, show_default=True, help="For how many days it is good.")
@as_json
@pass_services
def issue(services: Services, name: str, days: int, as_json: bool) -> None:
    """Issues a credential of DEVICE and shows it once."""
    with services.work(HOST) as work:
        made = tokens.issue(work, work.get(Device, name), days=days)
        work.commit()
    if as_json:
        echo_json({"ok": True, "id": made.public_id, "token": made.token, "expires_at": made.expires_at.isoformat()})
        return
    said = WORDS[lang()]
    click.echo(said["issued"].format(token=made.public_id, device=name, until=made.expires_at), err=True)
    click.echo(made.token)
    click.echo(said["broker"], err=True)


@token.command("revoke")
@click.argument("name", metavar="TOKEN")
@click.option("--reason", required=True, help="Why.")
@pass_services
def revoke(services: Services, name: str, reason: str) -> None:
    """Ends the credential TOKEN (TK-...)."""
    with services.work(HOST) as work:
        tokens.revoke(work, name, reason)
        work.commit()
    click.echo(WORDS[lang()]["revoked"].format(token=name))


@token.command("list")
@as_json
@pass_services
def listed(services: Services, as_json: bool) -> None:
    """Lists all credentials, never what proves them."""
    with services.session() as session:
        wanted = select(DeviceToken, Device.public_id).join(Device, Device.id == DeviceToken.device_id)
        rows = session.execute(wanted.order_by(DeviceToken.issued_at.desc())).all()
    told = [
        {"token": row.public_id, "device": device, "until": row.expires_at, "revoked": row.revoked_at}
        for row, device in rows
    ]
    if as_json:
        echo_json(told)
        return
    said = WORDS[lang()]
    for one in told:
        click.echo(said["row"].format(**one | {"revoked": said["was_revoked"] if one["revoked"] else ""}))
    if not told:
        click.echo(said["none"])


@things.command("acl")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the broker.")
@click.option("--port", type=click.IntRange(1, 65_535), default=1883, show_default=True, help="Where it listens.")
@click.option("--named", is_flag=True, help="Each credential writes below its own name: its topic tells who wrote.")
@pass_services
def acl(services: Services, out: Path, port: int, named: bool) -> None:
    """Writes passwords, access list and configuration of a mosquitto broker; one that runs reads them anew."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = out / "ingest.password"
    if not secret.exists():
        _write(secret, secrets.token_urlsafe(32))
    with services.session() as session:
        password = secret.read_text(encoding="utf-8").strip()
        files = tokens.broker_files(session, services.clock.now(), reader=READER, reader_password=password, named=named)
    _write(out / "passwords", files.passwords)
    _write(out / "access", files.access)
    if not (out / "mosquitto.conf").exists():
        _write(out / "mosquitto.conf", _configuration(out.resolve(), port))
    said = WORDS[lang()]
    click.echo(said["files"].format(out=out))
    with suppress(OSError, ValueError):
        os.kill(int((out / "mosquitto.pid").read_text()), signal.SIGHUP)
        click.echo(said["told"])


def _write(path: Path, text: str) -> None:
    """A file that only its owner may read, never half written."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def _configuration(home: Path, port: int) -> str:
    """On loopback; for other machines give the listener a certificate (docs/sensors.md)."""
    lines = [
        f"listener {port} 127.0.0.1",
        f"user {getpass.getuser()}",
        "allow_anonymous false",
        f"password_file {home}/passwords",
        f"acl_file {home}/access",
        f"pid_file {home}/mosquitto.pid",
        "persistence true",
        f"persistence_location {home}/",
        "autosave_interval 30",
        # Readings are acknowledged by the batch, so many are under way at once; no more than we hold in memory.
        "max_inflight_messages 20000",
        "max_queued_messages 1000000",
        "message_size_limit 8388608",
    ]
    return "\n".join(lines) + "\n"


@things.command("ingest")
@click.option("--broker", default="127.0.0.1:1883", show_default=True, metavar="HOST:PORT", help="Where it listens.")
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder that skywarden things acl wrote.",
)
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Authority of its certificate."
)
@pass_services
def ingest(services: Services, broker: str, files: Path, ca: Path | None) -> None:
    """Takes readings from the broker until interrupted; each is acknowledged when it is stored."""
    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit():
        raise click.BadParameter("HOST:PORT", param_hint="--broker")
    if ca is None and not is_loopback(host):
        raise invalid("things.plain_mqtt", measured=broker)
    secret = (files / "ingest.password").read_text(encoding="utf-8").strip()
    running = Ingest(services, Broker(host, int(port), READER, secret, ca))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, running.stop)
    said = WORDS[lang()]
    click.echo(said["listens"].format(host=host, port=port))
    running.run()
    click.echo(said["took"].format(stored=running.counted["stored"], refused=running.counted["refused"]))


@things.command("judge")
@as_json
@pass_services
def judge(services: Services, as_json: bool) -> None:
    """Judges the windows of readings that have ended; the worker does the same every minute."""
    done = list(judge_due(services.work))
    if as_json:
        echo_json(
            [
                {
                    "device": one.device,
                    "limit": one.limit,
                    "from": one.start.isoformat(),
                    "finding": one.finding,
                    "refusals": one.refused.render(lang()) if one.refused else [],
                }
                for one in done
            ]
        )
        return
    said = WORDS[lang()]
    for one in done:
        told = {"device": one.device, "limit": one.limit, "start": one.start, "finding": one.finding}
        click.echo(said["found" if one.finding else "refused"].format(**told))
        if one.refused:
            echo_refusals(one.refused.refusals, lang())
    if not done:
        click.echo(said["nothing"])
