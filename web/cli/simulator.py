"""`skywarden simulator`: simulated ArduCopters on sockets, for whoever has no aircraft at hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from flights.simulator.options import (
    CameraModel,
    Faults,
    Identity,
    Options,
    parse_home,
    parse_image,
    parse_listen,
    parse_wind,
    read_key,
)
from flights.simulator.process import Simulator, simulate, simulate_all
from schemas.clock import SystemClock
from web.cli.common import Instant

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
# Vehicles of a fleet stand this far apart, eastwards.
APART_DEG = 0.0003
F = TypeVar("F", bound=Callable[..., Any])

WORLD = (
    click.option("--home", required=True, metavar="LON,LAT[,ALT]", help="Where it stands; height above sea level."),
    click.option("--dem", type=EXISTING, help="Elevation model (GeoTIFF) of the ground below."),
    click.option("--speed-up", type=float, default=1.0, show_default=True, help="Simulated seconds per second."),
    click.option("--start-time", type=Instant(), help="Simulated time at the start (ISO 8601); now by default."),
    click.option("--wind", default="0", show_default=True, metavar="M/S[,FROM]", help="Wind and its direction."),
    click.option("--battery", type=float, default=100.0, show_default=True, help="Charge at the start, percent."),
    click.option("--endurance", type=float, default=1800.0, show_default=True, help="Flying time of a charge, s."),
    click.option("--seed", type=int, default=1, show_default=True, help="Seed of the losses."),
)
CAMERA = (
    click.option("--ortho", type=EXISTING, help="Orthophoto (GeoTIFF) that its camera sees."),
    click.option("--frames", type=FOLDER, help="Folder for its pictures."),
    click.option("--hfov-deg", type=float, default=70.0, show_default=True, help="Horizontal field of view."),
    click.option("--image", default="1400x1050", show_default=True, metavar="WxH", help="Size of a picture."),
)
IDENTITY = (
    click.option("--remote-id", metavar="SERIAL", help="It has a Remote ID module that names this serial number."),
    click.option("--operator-id", default=Identity.operator, show_default=True, help="Whom its Remote ID names."),
    click.option("--wrong-remote-id", is_flag=True, help="Fault: its Remote ID names another serial number."),
    click.option(
        "--remote-id-off-m", type=float, default=0.0, help="Fault: its Remote ID tells a place so far to the east."
    ),
)
# Times of faults count simulated seconds from arming.
FAULTS = (
    click.option("--loss", type=float, default=0.0, help="Fault: share of frames lost each way."),
    click.option("--latency-ms", type=float, default=0.0, help="Fault: delay each way, real milliseconds."),
    click.option("--slow", type=float, default=0.0, help="Fault: real seconds that it takes over each message."),
    click.option("--tamper-item", type=int, help="Fault: this mission item is kept elsewhere."),
    click.option("--tamper-m", type=float, default=0.5, show_default=True, help="Fault: how far, eastwards."),
    click.option("--deny", "--deny-mission", "deny", is_flag=True, help="Fault: every mission transfer is denied."),
    click.option("--ask-int", is_flag=True, help="It asks for items with MISSION_REQUEST_INT."),
    click.option("--mute-ack", is_flag=True, help="Fault: commands are never acknowledged."),
    click.option("--mute-final-ack", is_flag=True, help="Fault: the acknowledgement of an upload is never sent."),
    click.option("--reboot-at-s", type=float, help="Fault: its autopilot starts anew, so long after arming."),
    click.option("--battery-sag", type=float, default=0.0, help="Fault: percent that cannot be had under load."),
    click.option(
        "--gps-glitch-at-s", type=float, help="Fault: its places jump for five seconds, so long after arming."
    ),
    click.option("--gps-glitch-m", type=float, default=50.0, show_default=True, help="Fault: how far, eastwards."),
    click.option("--drift", default="0", metavar="M[,TO]", help="Fault: flies so far beside its route, to the north."),
    click.option("--drift-at-s", type=float, default=20.0, show_default=True, help="Fault: from so long after arming."),
    click.option("--unsigned", is_flag=True, help="Fault: it has a key and does not sign."),
)


def _with(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


class _RunByDefault(click.Group):
    """Takes `simulator --home ...` for `simulator run --home ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with the name of the command before them where it was left out."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault)
def simulator() -> None:
    """Simulated ArduCopters, speaking MAVLink 2 until they are told to stop (SIGTERM, Ctrl-C)."""


@simulator.command("run")
@click.option("--listen", default="tcp:127.0.0.1:5760", show_default=True, help="tcp:, udp: or udpout:HOST:PORT.")
@click.option("--system-id", type=int, default=1, show_default=True, help="Its MAVLink system id.")
@click.option("--key-file", type=EXISTING, help="It signs with this key: 32 bytes, or 64 hex digits.")
@_with(*WORLD, *CAMERA, *IDENTITY, *FAULTS)
def run(listen: str, system_id: int, key_file: Path | None, **given: Any) -> None:  # noqa: ANN401
    """One simulated aircraft, with faults to switch on."""
    parse_listen(listen)
    key = read_key(key_file) if key_file else None
    options = _options(listen, system_id, key, parse_home(given["home"]), given)
    _fly([options], f"simulated ArduCopter on {listen}, {options.speed_up:g} times real time")


@simulator.command("fleet")
@click.option("--count", type=click.IntRange(1, 100), default=20, show_default=True, help="How many.")
@click.option("--base-port", type=click.IntRange(1, 65_000), default=5760, show_default=True, help="TCP of the first.")
@click.option("--keys", type=FOLDER, help="They sign with N.key of this folder, N being the system id.")
@_with(*WORLD, *FAULTS)
def fleet(count: int, base_port: int, keys: Path | None, **given: Any) -> None:  # noqa: ANN401
    """Several at once, with system ids and TCP ports that count up, 30 m apart."""
    lon, lat, amsl_m = parse_home(given["home"])
    fleet_options = []
    for number in range(count):
        key = read_key(keys / f"{number + 1}.key") if keys else None
        home = (lon + number * APART_DEG, lat, amsl_m)
        fleet_options.append(_options(f"tcp:127.0.0.1:{base_port + number}", number + 1, key, home, given))
    _fly(fleet_options, f"{count} simulated ArduCopters on tcp:127.0.0.1:{base_port} to {base_port + count - 1}")


def _options(
    listen: str, system_id: int, key: bytes | None, home: tuple[float, float, float | None], given: dict[str, Any]
) -> Options:
    wind_m_s, wind_from_deg = parse_wind(given["wind"])
    start_time: datetime | None = given["start_time"]
    width, height = parse_image(given.get("image", "1400x1050"))
    return Options(
        listen=listen,
        home_lon=home[0],
        home_lat=home[1],
        home_amsl_m=home[2],
        start_time=start_time or SystemClock().now(),
        dem=given["dem"],
        ortho=given.get("ortho"),
        frames=given.get("frames"),
        camera=CameraModel(given.get("hfov_deg", 70.0), width, height),
        speed_up=given["speed_up"],
        wind_m_s=wind_m_s,
        wind_from_deg=wind_from_deg,
        battery_pct=given["battery"],
        endurance_s=given["endurance"],
        system_id=system_id,
        key=key,
        identity=_identity(given),
        seed=given["seed"],
        faults=_faults(given),
    )


def _faults(given: dict[str, Any]) -> Faults:
    drift_m, drift_to_deg = parse_wind(given["drift"], "drift")
    return Faults(
        loss=given["loss"],
        latency_ms=given["latency_ms"],
        slow_s=given["slow"],
        mute_ack=given["mute_ack"],
        mute_final_ack=given["mute_final_ack"],
        tamper_item=given["tamper_item"],
        tamper_m=given["tamper_m"],
        deny_mission=given["deny"],
        ask_int=given["ask_int"],
        unsigned=given["unsigned"],
        reboot_at_s=given["reboot_at_s"],
        battery_sag_pct=given["battery_sag"],
        gps_glitch_at_s=given["gps_glitch_at_s"],
        gps_glitch_m=given["gps_glitch_m"],
        drift_m=drift_m,
        drift_to_deg=drift_to_deg,
        drift_at_s=given["drift_at_s"],
        wrong_remote_id=given.get("wrong_remote_id", False),
        remote_id_off_m=given.get("remote_id_off_m", 0.0),
    )


def _identity(given: dict[str, Any]) -> Identity | None:
    serial = given.get("remote_id")
    if serial is None:
        if given.get("wrong_remote_id") or given.get("remote_id_off_m"):
            raise click.UsageError("What is wrong with a Remote ID needs --remote-id SERIAL.")
        return None
    return Identity(serial, given["operator_id"])


def _fly(fleet_options: list[Options], text: str) -> None:
    running: list[Simulator] = []
    lock = threading.Lock()

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in running:
            each.stop()

    def started(made: Simulator) -> None:
        with lock:
            running.append(made)
            if len(running) == len(fleet_options):
                click.echo(text)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        if len(fleet_options) == 1:
            simulate(fleet_options[0], started)
        else:
            simulate_all(fleet_options, started)
    except OSError as error:
        # An error without a number is of a raster and names its file; one with a number is of the port.
        where = fleet_options[0].listen if len(fleet_options) == 1 else "fleet"
        raise click.ClickException(f"{where}: {error.strerror}" if error.errno else str(error)) from error
