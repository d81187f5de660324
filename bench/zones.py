"""The zone part of a plan check: which of 100,000 privacy zones does the footprint of 1,000 waypoints reach.

Ours asks the database as flights does. One target, three ways in which a user of geopandas would get the answer:
reading the zones within the footprint's bounds and joining is the best of them on the same work; reading them all
is what comes to mind first; joining with zones held in memory, read and indexed before the clock starts, leaves out
the work of finding them, and would not see a zone that was declared since.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import shapely
from shapely.geometry import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bench import places
from bench.environments import PeerMissing, Worker, worker
from bench.measure import Result, compare, not_measured
from bench.scratch import scratch_database
from geo.footprint import Camera, swept_footprint
from geo.queries import zones_near
from geo.zones import hits, in_force
from schemas.clock import SystemClock
from schemas.store.engine import APP

ZONES = 100_000
WAYPOINTS = 1_000
LEG_M = 25.0
ALT_AGL_M = 100.0
CAMERA = Camera(70.0)
# What flights/queries.py looks around a path: the neighbourhood that belongs to the proof, and the widest camera.
REACH_M = 1_000.0 + ALT_AGL_M * math.tan(math.radians(75.0))
LOOK_AHEAD = timedelta(hours=24)
FLIGHT = timedelta(hours=1)
TARGET = 5.0
NAME = "zone check of a plan"
PEERS = {
    "bounds": "geopandas read_postgis in bounds + sjoin",
    "all": "geopandas read_postgis + sjoin",
    "memory": "geopandas sjoin, zones in memory",
}
# The shorter a call, the more of them make a round.
PIECES = {"bounds": 20, "all": 2, "memory": 20}


@dataclass(frozen=True)
class Path2D:
    """What is checked: the line that is flown and what the camera sees from it; EPSG:4326."""

    line: BaseGeometry
    footprint: BaseGeometry


def rows(rounds: int) -> list[Result]:
    """The check against each way of the peer."""
    with scratch_database() as database, tempfile.TemporaryDirectory() as directory:
        places.store_zones(database, places.zones(ZONES))
        path = _path()
        footprint = Path(directory) / "footprint.wkb"
        footprint.write_bytes(shapely.to_wkb(path.footprint))
        engine = database.engine(APP)
        try:
            with worker("geopandas", "sjoin.py", database.url_of(APP), str(footprint)) as peer:
                return [_row(engine, path, peer, way, rounds) for way in PEERS]
        except PeerMissing as missing:
            return [not_measured(NAME, peer_name, TARGET, str(missing)) for peer_name in PEERS.values()]
        finally:
            engine.dispose()


def _row(engine: Engine, path: Path2D, peer: Worker, way: str, rounds: int) -> Result:
    return compare(
        NAME,
        PEERS[way],
        lambda: reached(engine, path, SystemClock().now()),
        lambda: peer.call(way),
        same=lambda ours, theirs: bool(ours) and ours == theirs,
        target=TARGET,
        rounds=rounds,
        pieces=PIECES[way],
    )


def _path() -> Path2D:
    lons, lats = places.winding_line(WAYPOINTS, LEG_M)
    line = MultiLineString([LineString(zip(lons, lats, strict=True))])
    return Path2D(line, swept_footprint(lons, lats, ALT_AGL_M, CAMERA))


def reached(engine: Engine, path: Path2D, at: datetime) -> list[str]:
    """The zones that the line or the footprint reaches, found and judged as flights finds and judges them."""
    with Session(engine) as session:
        near = zones_near(session, path.line, at, at + LOOK_AHEAD, extra_buffer_m=REACH_M)
    held = in_force(near, at, at + FLIGHT)
    return sorted({hit.zone.public_id for shape in (path.line, path.footprint) for hit in hits(shape, held)})
