"""The zone part of a plan check: which of 100,000 privacy zones does the footprint of 1,000 waypoints reach.

Ours asks the database as flights does, for what lies near the path, and judges it in memory. Against it stand:

- geopandas: the zones that are in force read from the same database, and `sjoin` of the same footprint. It is the
  same work from the same start, in the way that comes to mind first, and it is the peer that counts.
- geopandas with the zones of the footprint's bounding box alone. It leans on the index of the database as ours does;
  ours must be no slower.
- geopandas with zones in memory, read and indexed before the clock starts. It leaves out the finding, and would not
  see a zone that was declared since; ours must be no slower all the same.
- the bare SQL that answers the same question in the database, by its index and with everything else left out. Ours
  may take three times as long.

The last row is the whole check of that plan against those zones, every rule and every margin, over an elevation
model, held against half a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bench import places
from bench.environments import PeerMissing, Worker, worker
from bench.measure import Result, compare, middle, not_measured, seconds
from bench.scratch import scratch_database
from flights.check import surroundings
from flights.check.precheck import Verdict, check_plan
from flights.check.situation import Options
from flights.ground import TERRAIN_FILE, open_ground
from flights.model import Command, Frame, Home, Plan, PlanItem
from flights.path.track import Ground
from geo.footprint import Camera, swept_footprint
from geo.queries import zones_near
from geo.types import LonLat
from geo.zones import hits, in_force
from schemas.clock import SystemClock
from schemas.rules import Rulebook
from schemas.store.engine import APP

ZONES = 100_000
WAYPOINTS = 1_000
LEG_M = 25.0
ALT_AGL_M = 100.0
CAMERA = Camera(70.0)
# How far this camera sees to the side; the whole check looks a kilometre further, for the margins in its proof.
REACH_M = CAMERA.corner_m(ALT_AGL_M)
LOOK_AHEAD = timedelta(hours=24)
FLIGHT = timedelta(hours=1)
# Five times as fast as the peer that counts; with less to do than we have, the others are at most as fast.
TARGETS = {"all": 5.0, "bounds": 1.0, "memory": 1.0}
LEAST_OF_SQL = 1 / 3
LONGEST_CHECK_S = 0.5
NAME = "zone part of a plan check"
WHOLE_NAME = "whole check of a plan"
SQL_NAME = "the bare SQL, by its index"
PEERS = {
    "all": "geopandas read_postgis + sjoin",
    "bounds": "geopandas read_postgis in bounds + sjoin",
    "memory": "geopandas sjoin, zones in memory",
}
# The shorter a call, the more of them make a round.
PIECES = {"all": 4, "bounds": 20, "memory": 20}
SQL_PIECES = 30
PACK = "cn-gd-2025"

_BARE = text(
    "SELECT public_id FROM core.privacy_zone WHERE ST_Intersects(geom, ST_GeomFromWKB(:seen, 4326))"
    " AND valid_from <= :until AND (valid_to IS NULL OR valid_to > :start)"
)


@dataclass(frozen=True)
class Path2D:
    """What is checked: the line that is flown and what the camera sees from it; EPSG:4326."""

    line: BaseGeometry
    footprint: BaseGeometry


def rows(rounds: int) -> list[Result]:
    """The check against the bare SQL and each way of the peer, and the whole check against its limit."""
    with scratch_database() as database, tempfile.TemporaryDirectory() as directory:
        places.store_zones(database, places.zones(ZONES))
        path = _path()
        footprint = Path(directory) / "footprint.wkb"
        footprint.write_bytes(shapely.to_wkb(path.footprint))
        places.write_terrain(Path(directory) / TERRAIN_FILE, path.line.bounds, hills_m=0.0)
        engine = database.engine(APP)
        try:
            with open_ground(Path(directory)) as ground:
                ours = [_against_sql(engine, path, rounds), _whole(engine, path, ground, rounds)]
            try:
                with worker("geopandas", "sjoin.py", database.url_of(APP), str(footprint)) as peer:
                    return [*(_row(engine, path, peer, way, rounds) for way in PEERS), *ours]
            except PeerMissing as missing:
                why = str(missing)
                return [*(not_measured(NAME, PEERS[way], TARGETS[way], why) for way in PEERS), *ours]
        finally:
            engine.dispose()


def _row(engine: Engine, path: Path2D, peer: Worker, way: str, rounds: int) -> Result:
    return compare(
        NAME,
        PEERS[way],
        lambda: reached(engine, path, SystemClock().now()),
        lambda: peer.call(way),
        same=_same,
        target=TARGETS[way],
        rounds=rounds,
        pieces=PIECES[way],
    )


def _against_sql(engine: Engine, path: Path2D, rounds: int) -> Result:
    return compare(
        NAME,
        SQL_NAME,
        lambda: reached(engine, path, SystemClock().now()),
        lambda: bare(engine, path, SystemClock().now()),
        same=_same,
        target=LEAST_OF_SQL,
        rounds=rounds,
        pieces=SQL_PIECES,
    )


def _same(ours: list[str], theirs: list[str]) -> bool:
    return bool(ours) and ours == theirs


def _path() -> Path2D:
    lons, lats = places.winding_line(WAYPOINTS, LEG_M)
    line = MultiLineString([LineString(zip(lons, lats, strict=True))])
    return Path2D(line, swept_footprint(lons, lats, ALT_AGL_M, CAMERA))


def reached(engine: Engine, path: Path2D, at: datetime) -> list[str]:
    """The zones that the line or the footprint reaches, found and judged as flights finds and judges them."""
    # Every plan is a new one: what the shapes remember of the call before would be our privilege.
    shapely.destroy_prepared([path.line, path.footprint])
    with Session(engine) as session:
        near = zones_near(session, path.line, at, at + LOOK_AHEAD, extra_buffer_m=REACH_M)
    held = in_force(near, at, at + FLIGHT)
    return sorted({hit.zone.public_id for shape in (path.line, path.footprint) for hit in hits(shape, held)})


def bare(engine: Engine, path: Path2D, at: datetime) -> list[str]:
    """The same zones as the database alone finds them; the line lies inside its footprint."""
    with Session(engine) as session:
        values = {"seen": shapely.to_wkb(path.footprint), "start": at, "until": at + FLIGHT}
        return sorted(session.execute(_BARE, values).scalars())


def _whole(engine: Engine, path: Path2D, ground: Ground, rounds: int) -> Result:
    """The whole check, which must find what the zone part finds; its ratio is the limit over the time it takes."""
    check = _checker(engine, ground)
    expected = set(reached(engine, path, SystemClock().now()))
    if {r.params["zone"] for r in check().refusals if r.text in _BY_ZONE} != expected:
        return not_measured(WHOLE_NAME, f"{LONGEST_CHECK_S:g} s", 1.0, "outputs differ")
    taken = [seconds(check)[0] for _round in range(rounds + 1)][1:]
    ratio, spread = middle([LONGEST_CHECK_S / spent for spent in taken])
    ours = float(np.median(taken))
    return Result(
        WHOLE_NAME,
        f"a limit of {LONGEST_CHECK_S:g} s",
        round(ours, 6),
        LONGEST_CHECK_S,
        "s",
        round(ratio, 4),
        round(spread, 4),
        1.0,
        ours < LONGEST_CHECK_S,
        "every rule, every margin, the ways home from everywhere",
    )


_BY_ZONE = frozenset({"flight.line_in_zone", "flight.footprint_in_zone"})


def _checker(engine: Engine, ground: Ground) -> Callable[[], Verdict]:
    """The check of the plan along the line, as the pilot's page asks for it."""
    lons, lats = places.winding_line(WAYPOINTS, LEG_M)
    way = [LonLat(float(lon), float(lat)) for lon, lat in zip(lons, lats, strict=True)]
    # It lands at its end, so that what it sees is what the zone part looks at: one way.
    items = [PlanItem(Command.NAV_WAYPOINT, Frame.GLOBAL_TERRAIN_ALT, at=at, alt_m=ALT_AGL_M) for at in way]
    items.append(PlanItem(Command.NAV_LAND, Frame.GLOBAL_TERRAIN_ALT, at=way[-1], alt_m=0.0))
    plan, options, pack = Plan(tuple(items), Home(way[0])), Options(hfov_deg=CAMERA.hfov_deg), Rulebook.load()[PACK]

    def check() -> Verdict:
        at = SystemClock().now()
        with Session(engine) as session:
            asked = surroundings.Asked(at, options)
            situation = surroundings.situation_of(session, pack, ground, plan, asked)
        return check_plan(plan, situation, at=at, options=options)

    return check
