"""Public vector tiles over HTTP: ours, drawn from the public views, against tipg on the same database.

Both servers run two processes and are asked for the same tiles of 5,000 devices and 2,000 privacy zones over the same
eight connections. Every tile is asked for once in a round, and before each part of it something is recorded, which
makes our cache worthless: what is measured is drawing, not remembering. tipg is asked twice: for the same public
views, which hide what is not public and know what day it is; and for tables copied from them beforehand with the
five columns of a tile, in web Mercator, indexed and analysed, which is what tipg does best and no longer the same
work.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import numpy as np
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from bench import district, load, places
from bench.environments import ROOT, PeerMissing, environment, running
from bench.measure import Result, compare, not_measured
from bench.mvt import shown
from bench.scratch import scratch_database
from schemas.store import ledger
from schemas.store.engine import APP, Database
from web.public.layers import LAYERS
from web.public.tiles import BUFFER_PX, EXTENT

NAME = "public tiles z 12-14, 8 connections"
PEERS = {"public_map": "tipg 1.6.1 on the public views", "bench": "tipg 1.6.1 on tables copied from them"}
TARGET = 2.0
DEVICES, ZONES = 5_000, 2_000
ZOOMS = (12, 13, 14)
CONNECTIONS = 8
# The tiles of a round are asked for in so many parts, turn by turn.
PARTS = 4
WORKERS = 2
SHOWN = ("devices", "privacy_zones")
PROPERTIES = {
    ("public_map", "devices"): "public_id,device_type,status,place_text",
    ("public_map", "privacy_zones"): "public_id,kind,name_en,name_zh",
    ("bench", "devices"): "public_id,kind,state,title_en,title_zh",
    ("bench", "privacy_zones"): "public_id,kind,state,title_en,title_zh",
}
WIDE_DEG = 0.3
# The servers differ in what they draw outside a tile's edge, so nothing lies where rounding would decide; the figure
# is a share of the smallest tile, some 70 m.
CLEAR_OF_EDGE = 0.03


def rows(rounds: int) -> list[Result]:
    """The time for all tiles, against both sources of the peer."""
    try:
        python = environment("tipg")
        with scratch_database() as database, ExitStack() as stack:
            _fill(database)
            engine = database.engine(APP)
            stack.callback(engine.dispose)
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            our_port = stack.enter_context(_our_server(database, directory))
            their_port = stack.enter_context(_tipg(python, database, directory))
            return [_row(engine, (our_port, their_port), schema, rounds) for schema in PEERS]
    except (PeerMissing, load.ServerFailed) as missing:
        return [not_measured(NAME, peer_name, TARGET, str(missing)) for peer_name in PEERS.values()]


def _row(engine: Engine, ports: tuple[int, int], schema: str, rounds: int) -> Result:
    tiles = [(layer, *address) for layer in SHOWN for address in _addresses()]
    parts = [tiles[start::PARTS] for start in range(PARTS)]
    ours = cycle([[_our_path(*tile) for tile in part] for part in parts])
    theirs = cycle([[_their_path(schema, *tile) for tile in part] for part in parts])

    def cold() -> list[bytes]:
        _forget_tiles(engine)
        return load.fetch(ports[0], next(ours), CONNECTIONS)

    return compare(
        NAME,
        PEERS[schema],
        cold,
        lambda: load.fetch(ports[1], next(theirs), CONNECTIONS),
        same=lambda one, other: _counts(one) == _counts(other),
        target=TARGET,
        rounds=rounds,
        pieces=PARTS,
    )


def _our_path(layer: str, z: int, x: int, y: int) -> str:
    return f"/tiles/{layer}/{z}/{x}/{y}.mvt"


def _their_path(schema: str, layer: str, z: int, x: int, y: int) -> str:
    columns = f"properties={PROPERTIES[schema, layer]}&geom-column=geom_3857"
    return f"/collections/{schema}.{layer}/tiles/WebMercatorQuad/{z}/{x}/{y}?{columns}"


def _counts(bodies: list[bytes]) -> list[Counter[str]]:
    """What each tile shows, by public id."""
    counts = [shown(load.unpacked(body), "public_id", EXTENT) for body in bodies]
    if not any(counts):
        raise load.ServerFailed("the tiles are empty")
    return counts


def _forget_tiles(engine: Engine) -> None:
    """Records an event: every tile that is held in memory is then of an old revision."""
    with Session(engine) as session:
        entry = ledger.Entry(action="bench", subject_kind="bench", subject_id=uuid.uuid4(), actor="host", body={})
        ledger.append(session, entry)
        session.commit()


def _addresses() -> list[tuple[int, int, int]]:
    """The tiles of all zooms that the generated places lie in."""
    corner = WIDE_DEG / 2
    west, east, south, north = (centre + way * corner for centre in places.CENTRE for way in (-1, 1))
    found = []
    for zoom in ZOOMS:
        (left, right), (bottom, top) = places.tile_places(np.array([west, east]), np.array([south, north]), zoom)
        found += [(zoom, x, y) for x in range(int(left), int(right) + 1) for y in range(int(top), int(bottom) + 1)]
    return found


def _spots(count: int, seed: int) -> list[tuple[float, float]]:
    """Random places around the centre, none of them near the edge of a tile."""
    rng = np.random.default_rng(seed)
    lons, lats = (centre + rng.uniform(-WIDE_DEG / 2, WIDE_DEG / 2, 2 * count) for centre in places.CENTRE)
    within = np.stack(places.tile_places(lons, lats, max(ZOOMS))) % 1
    clear = np.flatnonzero(((within > CLEAR_OF_EDGE) & (within < 1 - CLEAR_OF_EDGE)).all(axis=0))[:count]
    return list(zip(lons[clear].tolist(), lats[clear].tolist(), strict=True))


def _fill(database: Database) -> None:
    # The devices first: a device inside a zone would be refused, a zone around a device is another matter.
    district.store_devices(database, _spots(DEVICES, places.SEED))
    lons, lats = np.array(_spots(ZONES, places.SEED + 1)).T
    places.store_zones(database, places.buildings(lons, lats, np.random.default_rng(places.SEED)))
    engine = database.admin_engine()
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA bench"))
            for layer in SHOWN:
                table = f"bench.{layer}"
                columns = f"{PROPERTIES['bench', layer]}, geom_3857::geometry(Geometry, 3857) AS geom_3857"
                source = f"{LAYERS[layer].select} WHERE state <> 'retired'"
                connection.execute(text(f"CREATE TABLE {table} AS SELECT {columns} FROM {source}"))
                connection.execute(text(f"ALTER TABLE {table} ADD PRIMARY KEY (public_id)"))
                connection.execute(text(f"CREATE INDEX ON {table} USING gist (geom_3857)"))
                connection.execute(text(f"ANALYZE {table}"))
    finally:
        engine.dispose()


@contextmanager
def _our_server(database: Database, directory: Path) -> Iterator[int]:
    port = load.free_port()
    name = make_url(database.admin_url).database or ""
    command = [sys.executable, "-m", "bench.tile_server", name, str(port), str(directory)]
    with running(command, cwd=ROOT) as process:
        load.wait_for(process, port, _our_path(SHOWN[0], 0, 0, 0))
        yield port


@contextmanager
def _tipg(python: Path, database: Database, directory: Path) -> Iterator[int]:
    port = load.free_port()
    settings = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": _libpq_url(database),
        "TIPG_DB_SCHEMAS": json.dumps(list(PEERS)),
        "TIPG_CATALOG_TTL": "0",
        "TIPG_TILE_RESOLUTION": str(EXTENT),
        "TIPG_TILE_BUFFER": str(BUFFER_PX * EXTENT // 512),
    }
    command = [str(python), "-m", "uvicorn", "tipg.main:app", "--host", load.HOST, "--port", str(port)]
    command += ["--workers", str(WORKERS), "--log-level", "warning", "--no-access-log"]
    with running(command, cwd=directory, env=settings) as process:
        load.wait_for(process, port, _their_path("bench", SHOWN[0], 0, 0, 0))
        yield port


def _libpq_url(database: Database) -> str:
    """The administrator's URL with the socket's directory as its host, as asyncpg reads it."""
    url = make_url(database.admin_url)
    return f"postgresql://{url.username}@{quote(str(url.query['host']), safe='')}:{url.query['port']}/{url.database}"
