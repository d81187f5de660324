"""`skywarden aircraft key`: the keys that sign the links of aircraft. No key is ever printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from flights import queries
from flights.link import keys
from flights.link.errors import VehicleRefused
from flights.link.keys import Keyring
from flights.link.provisioning import provision as hand_over
from flights.link.provisioning import wire_of
from schemas.actors import HOST
from schemas.store.work import Work
from schemas.tables import Drone
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

WORDS = {
    "en": {
        "issue": "{drone} has a new key with the fingerprint {fingerprint}. It is not on board yet.",
        "next": "Connect the aircraft by cable: skywarden aircraft key provision {drone} --vehicle /dev/ttyACM0",
        "shown": "{drone}: {fingerprint}, issued {issued}, {provisioned}, {required}",
        "provisioned": "on board since {at}",
        "not_provisioned": "not on board yet",
        "required": "its link must be signed",
        "relaxed": "its link may be unsigned",
        "provision": "{drone} signs with {fingerprint} from now on (handed over by {wire}).",
        "require": "The link of {drone} is refused from now on unless it is signed with {fingerprint}.",
        "relax": "The link of {drone} may be unsigned from now on: whoever is on its frequency can speak for it.",
    },
    "zh": {
        "issue": "{drone} 的新密钥已签发，指纹 {fingerprint}，尚未写入飞行器。",
        "next": "请用数据线连接飞行器：skywarden aircraft key provision {drone} --vehicle /dev/ttyACM0",
        "shown": "{drone}：{fingerprint}，签发于 {issued}，{provisioned}，{required}",
        "provisioned": "{at} 起已在机上",
        "not_provisioned": "尚未写入飞行器",
        "required": "链路必须签名",
        "relaxed": "链路可不签名",
        "provision": "{drone} 自即日起使用 {fingerprint} 签名（经 {wire} 写入）。",
        "require": "自即日起，{drone} 的链路须以 {fingerprint} 签名，否则拒绝连接。",
        "relax": "自即日起，{drone} 的链路可不签名：同频段上任何人都可冒充。",
    },
}

drone_argument = click.argument("drone")


@click.group()
def aircraft() -> None:
    """The aircraft of this installation."""


@aircraft.group()
def key() -> None:
    """The key that signs an aircraft's link. It is a file that this account alone can read; back it up by itself."""


@key.command("issue")
@drone_argument
@as_json
@pass_services
def issue(services: Services, drone: str, as_json: bool) -> None:
    """Makes a new key for DRONE; the one before it ends at once."""
    keyring = Keyring.of(services.data_dir)
    with _work(services, drone) as (work, row):
        fingerprint = keys.issue(work, row, keyring)
    keyring.forget_others(row.device_id, fingerprint)
    _tell("issue", as_json, drone=drone, fingerprint=fingerprint)
    if not as_json:
        click.echo("  → " + WORDS[lang()]["next"].format(drone=drone))


@key.command("show-fingerprint")
@drone_argument
@as_json
@pass_services
def show_fingerprint(services: Services, drone: str, as_json: bool) -> None:
    """Tells which key DRONE has, by its fingerprint, and whether its link must be signed."""
    with services.session() as session:
        row = keys.issued_to(session, queries.drone_named(session, drone))
        words = WORDS[lang()]
        if as_json:
            told = {"drone": drone, "fingerprint": row.fingerprint, "required": row.required}
            echo_json({"ok": True, **told, "issued_at": row.issued_at, "provisioned_at": row.provisioned_at})
            return
        on_board = words["not_provisioned"]
        if row.provisioned_at:
            on_board = words["provisioned"].format(at=f"{row.provisioned_at:%Y-%m-%d %H:%M %Z}")
        needed = words["required" if row.required else "relaxed"]
        issued = f"{row.issued_at:%Y-%m-%d %H:%M %Z}"
        click.echo(
            words["shown"].format(
                drone=drone, fingerprint=row.fingerprint, issued=issued, provisioned=on_board, required=needed
            )
        )


@key.command("provision")
@drone_argument
@click.option("--vehicle", required=True, metavar="URL", help="/dev/ttyACM0, or tcp:127.0.0.1:PORT of a simulator.")
@as_json
@pass_services
def provision(services: Services, drone: str, vehicle: str, as_json: bool) -> None:
    """Hands DRONE its key over a cable, and hears it sign; refused over any network."""
    wire_of(vehicle)
    with services.session() as session:
        row = queries.drone_named(session, drone)
        fingerprint = keys.issued_to(session, row).fingerprint
    secret = Keyring.of(services.data_dir).read(row.device_id, fingerprint)
    if secret is None:
        raise VehicleRefused.because("key.missing", measured=fingerprint)
    wire = hand_over(vehicle, secret, row.mavlink_system_id)
    with _work(services, drone) as (work, row):
        keys.mark_provisioned(work, row, fingerprint, wire)
    _tell("provision", as_json, drone=drone, fingerprint=fingerprint, wire=wire)


@key.command("require")
@drone_argument
@as_json
@pass_services
def require(services: Services, drone: str, as_json: bool) -> None:
    """Has every link of DRONE refused that is not signed with its key."""
    _set_required(services, drone, as_json, required=True)


@key.command("relax")
@drone_argument
@as_json
@pass_services
def relax(services: Services, drone: str, as_json: bool) -> None:
    """Lets DRONE be reached without a signature, as before it had a key."""
    _set_required(services, drone, as_json, required=False)


def _set_required(services: Services, drone: str, as_json: bool, *, required: bool) -> None:
    with _work(services, drone) as (work, row):
        fingerprint = keys.require(work, row, Keyring.of(services.data_dir), required=required)
    _tell("require" if required else "relax", as_json, drone=drone, fingerprint=fingerprint)


@contextmanager
def _work(services: Services, name: str) -> Iterator[tuple[Work, Drone]]:
    """A unit of work of the host administration on one aircraft, committed at the end."""
    with services.work(HOST) as work:
        yield work, queries.drone_named(work.session, name)
        work.commit()


def _tell(what: str, as_json: bool, **facts: str) -> None:
    if as_json:
        echo_json({"ok": True, **facts})
    else:
        click.echo(WORDS[lang()][what].format(**facts))
