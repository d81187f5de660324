"""`skywarden simulator`: a simulated ArduCopter on a socket, for whoever has no aircraft at hand."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

from flights.simulator.options import (
    CameraModel,
    Faults,
    Options,
    parse_home,
    parse_image,
    parse_listen,
    parse_wind,
)
from flights.simulator.process import Simulator, simulate
from schemas.clock import SystemClock
from web.cli.common import Instant

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--listen", default="tcp:127.0.0.1:5760", show_default=True, help="tcp:, udp: or udpout:HOST:PORT.")
@click.option("--home", required=True, metavar="LON,LAT[,ALT]", help="Where it stands; height above sea level.")
@click.option("--dem", type=EXISTING, help="Elevation model (GeoTIFF) of the ground below.")
@click.option("--ortho", type=EXISTING, help="Orthophoto (GeoTIFF) that its camera sees.")
@click.option("--frames", type=click.Path(file_okay=False, path_type=Path), help="Folder for its pictures.")
@click.option("--hfov-deg", type=float, default=70.0, show_default=True, help="Horizontal field of view.")
@click.option("--image", default="1400x1050", show_default=True, metavar="WxH", help="Size of a picture.")
@click.option("--speed-up", type=float, default=1.0, show_default=True, help="Simulated seconds per second.")
@click.option("--start-time", type=Instant(), help="Simulated time at the start (ISO 8601); now by default.")
@click.option("--wind", default="0", show_default=True, metavar="M/S[,FROM]", help="Wind and its direction.")
@click.option("--battery", type=float, default=100.0, show_default=True, help="Charge at the start, percent.")
@click.option("--endurance", type=float, default=1800.0, show_default=True, help="Flying time of a charge, seconds.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the losses.")
@click.option("--loss", type=float, default=0.0, help="Fault: share of frames lost each way.")
@click.option("--tamper-item", type=int, help="Fault: this mission item is kept half a metre off.")
@click.option("--deny-mission", is_flag=True, help="Fault: every mission transfer is denied.")
@click.option("--mute-final-ack", is_flag=True, help="Fault: the acknowledgement of an upload is never sent.")
def simulator(listen: str, home: str, start_time: datetime | None, **given: Any) -> None:  # noqa: ANN401
    """A simulated ArduCopter, speaking MAVLink 2 until it is told to stop (SIGTERM, Ctrl-C)."""
    lon, lat, amsl_m = parse_home(home)
    wind_m_s, wind_from_deg = parse_wind(given["wind"])
    width, height = parse_image(given["image"])
    parse_listen(listen)
    options = Options(
        listen=listen,
        home_lon=lon,
        home_lat=lat,
        home_amsl_m=amsl_m,
        start_time=start_time or SystemClock().now(),
        dem=given["dem"],
        ortho=given["ortho"],
        frames=given["frames"],
        camera=CameraModel(given["hfov_deg"], width, height),
        speed_up=given["speed_up"],
        wind_m_s=wind_m_s,
        wind_from_deg=wind_from_deg,
        battery_pct=given["battery"],
        endurance_s=given["endurance"],
        seed=given["seed"],
        faults=Faults(
            loss=given["loss"],
            tamper_item=given["tamper_item"],
            deny_mission=given["deny_mission"],
            mute_final_ack=given["mute_final_ack"],
        ),
    )
    try:
        simulate(options, _started)
    except OSError as error:
        # An error without a number is of a raster and names its file; one with a number is of the port.
        text = f"{listen}: {error.strerror}" if error.errno else str(error)
        raise click.ClickException(text) from error


def _started(running: Simulator) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        running.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    options = running.options
    click.echo(f"simulated ArduCopter on {options.listen}, {options.speed_up:g} times real time")
