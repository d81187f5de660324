"""Public vector tiles over HTTP, 100,000 devices and 5,000 privacy zones around a province's capital.

Cold: ours, drawn from the public views by a server that keeps no tile, against tipg on the same database, which is
asked twice: for the same public views, which hide what is not public and know what day it is; and for tables copied
from them beforehand with the columns of a tile, in web Mercator, indexed and analysed, which is what tipg does best.
That is no longer the same work, for a copy shows tomorrow what was public today. From afar, where ours are groups and
tipg's are all features, both are printed and no target is set.

Warm: a server that keeps its tiles against a bare Flask application that hands out the same bytes, and the same where
the reader holds the tile already.

Both servers run two processes and are asked for the same tiles over the same connections, by a client that does no
more than read them.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import numpy as np
from sqlalchemy import make_url, text

from bench import district, load, places, readers
from bench.environments import ROOT, PeerMissing, environment, running
from bench.measure import FEWEST_ROUNDS, Result, compare, limited, not_measured, seconds
from bench.mvt import shown
from bench.scratch import scratch_database
from schemas.store.engine import Database
from web.public.layers import LAYERS
from web.public.tile_sql import EXTENT, SINGLE_FROM

CONNECTIONS = 16
NAME = f"public tiles z 12-14, cold, {CONNECTIONS} connections"
PEERS = {"public_map": "tipg 1.6.1 on the public views", "bench": "tipg 1.6.1 on tables copied from them"}
TARGET = 2.5
BARE = "a bare Flask with the same bytes"
WARM_TARGET = 0.6
DEVICES, ZONES = readers.DEVICES, 5_000
ZOOMS = (12, 13, 14)
FAR_ZOOMS = range(6, 12)
# So many tiles of each layer and zoom, drawn by lot, are asked for in a round; in so many parts, turn by turn.
TILES_OF_A_ZOOM, FAR_TILES = 40, 8
PARTS = {"public_map": 12, "bench": 4}
# How often a tile is asked for in a part, so that a part takes long enough for a clock. Neither keeps any cold.
TIMES = {"public_map": 1, "bench": 4}
# So many answers that a turn of each takes some tenths of a second: in less a machine is never even.
WARM_TIMES, WARM_PARTS = 16, 6
WORKERS, THREADS = 2, 8
SHOWN = ("devices", "privacy_zones")
COLUMNS = {"devices": "public_id,kind,state,authority_id", "privacy_zones": "public_id,kind,state,title_en,title_zh"}
PROPERTIES = {
    ("public_map", "devices"): "public_id,device_type,status,authority_id",
    ("public_map", "privacy_zones"): "public_id,kind,name_en,name_zh,valid_from",
} | {("bench", layer): columns for layer, columns in COLUMNS.items()}
# The servers differ in what they draw outside a tile's edge, so nothing lies where rounding would decide; the figure
# is a share of the smallest tile, some 70 m.
CLEAR_OF_EDGE = 0.03
Tile = tuple[str, int, int, int]


def rows(rounds: int) -> list[Result]:
    """All rows of tiles, on one database."""
    with scratch_database() as database, ExitStack() as stack:
        _fill(database)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        drawn = _against_tipg(database, directory, rounds)
        with _our_server(database, directory, "warm") as port:
            return [*drawn, *_warm(port, directory, rounds), *readers.rows(database, port)]


def _against_tipg(database: Database, directory: Path, rounds: int) -> list[Result]:
    try:
        python = environment("tipg")
        with _our_server(database, directory, "cold") as ours, _tipg(python, database, directory) as theirs:
            cold = [_cold(ours, theirs, schema, min(rounds, FEWEST_ROUNDS + 2)) for schema in PEERS]
            return [*cold, *(row for zoom in FAR_ZOOMS for row in _far(ours, theirs, zoom))]
    except (PeerMissing, load.ServerFailed) as missing:
        return [not_measured(NAME, peer_name, TARGET, str(missing)) for peer_name in PEERS.values()]


def _cold(our_port: int, their_port: int, schema: str, rounds: int) -> Result:
    tiles = [tile for zoom in ZOOMS for layer in SHOWN for tile in _tiles(layer, zoom, TILES_OF_A_ZOOM)]
    pieces = PARTS[schema]
    parts = [tiles[start::pieces] * TIMES[schema] for start in range(pieces)]
    # Each thread of both opens its connections and learns its statements before the clock runs.
    load.fetch(our_port, [_our_path(*tile) for tile in tiles] * 4, CONNECTIONS)
    ours = cycle([[_our_path(*tile) for tile in part] for part in parts])
    theirs = cycle([[_their_path(schema, *tile) for tile in part] for part in parts])
    return compare(
        NAME,
        PEERS[schema],
        lambda: load.fetch(our_port, next(ours), CONNECTIONS),
        lambda: load.fetch(their_port, next(theirs), CONNECTIONS),
        same=lambda one, other: _counts(one) == _counts(other),
        target=TARGET,
        rounds=rounds,
        pieces=pieces,
    )


def _far(our_port: int, their_port: int, zoom: int) -> list[Result]:
    """How long a tile of devices takes from afar, one after the other, and how large it is as it is sent."""
    tiles = _tiles("devices", zoom, FAR_TILES)
    sides = []
    for port, paths in (
        (our_port, [_our_path("clusters", *tile[1:]) for tile in tiles]),
        (their_port, [_their_path("bench", *tile) for tile in tiles]),
    ):
        timed = [seconds(partial(load.fetch, port, [path], 1)) for path in paths]
        took_ms = statistics.median(spent for spent, _ in timed) * 1000
        sides.append((took_ms, max(len(bodies[0]) for _, bodies in timed) / 1000))
    (our_ms, our_kb), (their_ms, their_kb) = sides
    return [
        limited(f"a tile of devices z {zoom}, median", PEERS["bench"], our_ms, their_ms, 0.0, unit="ms"),
        limited(f"a tile of devices z {zoom}, the largest as sent", PEERS["bench"], our_kb, their_kb, 0.0, unit="kB"),
    ]


def _warm(port: int, directory: Path, rounds: int) -> list[Result]:
    tiles = [tile for zoom in ZOOMS for layer in SHOWN for tile in _tiles(layer, zoom, TILES_OF_A_ZOOM)]
    paths = [_our_path(*tile) for tile in tiles]
    # Each of the two processes keeps its own.
    for _ in range(8):
        kept = dict(zip(paths, load.answers(port, paths, CONNECTIONS), strict=True))
    tags = {path: answer.tag for path, answer in kept.items()}
    many = paths * WARM_TIMES
    with _bare_server(directory, kept) as bare:

        def row(name: str, ask: Callable[[int], list[load.Answer]]) -> Result:
            return compare(
                name,
                BARE,
                lambda: ask(port),
                lambda: ask(bare),
                same=lambda one, other: one == other,
                target=WARM_TARGET,
                rounds=rounds,
                pieces=WARM_PARTS,
            )

        return [
            row("public tiles z 12-14, warm", lambda at: load.answers(at, many, CONNECTIONS)),
            row(
                "public tiles z 12-14, held already (304)",
                lambda at: load.answers(at, many, CONNECTIONS, tags, status=304),
            ),
        ]


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


def _tiles(layer: str, zoom: int, count: int) -> list[Tile]:
    """So many of the tiles of a zoom that the generated places lie in, the same in every run."""
    west, east, south, north = places.WEST, places.EAST, places.SOUTH, places.NORTH
    (left, right), (bottom, top) = places.tile_places(np.array([west, east]), np.array([south, north]), zoom)
    addresses = [(x, y) for x in range(int(left), int(right) + 1) for y in range(int(top), int(bottom) + 1)]
    drawn = np.random.default_rng(places.SEED + zoom).permutation(len(addresses))[:count]
    return [(layer, zoom, *addresses[number]) for number in drawn]


def _spots(count: int, seed: int) -> list[tuple[float, float]]:
    """Random places around the capital, none of them near the edge of a tile."""
    rng = np.random.default_rng(seed)
    lons = rng.uniform(places.WEST, places.EAST, 2 * count)
    lats = rng.uniform(places.SOUTH, places.NORTH, 2 * count)
    within = np.stack(places.tile_places(lons, lats, max(ZOOMS))) % 1
    clear = np.flatnonzero(((within > CLEAR_OF_EDGE) & (within < 1 - CLEAR_OF_EDGE)).all(axis=0))[:count]
    return list(zip(lons[clear].tolist(), lats[clear].tolist(), strict=True))


def _fill(database: Database) -> None:
    # The devices first: a device inside a zone would be refused, a zone around a device is another matter.
    district.store_devices(database, _spots(DEVICES, places.SEED))
    readers.prepare(database)
    lons, lats = np.array(_spots(ZONES, places.SEED + 1)).T
    places.store_zones(database, places.buildings(lons, lats, np.random.default_rng(places.SEED)))
    engine = database.admin_engine()
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA bench"))
            for layer in SHOWN:
                table = f"bench.{layer}"
                columns = f"{COLUMNS[layer]}, geom_3857::geometry(Geometry, 3857) AS geom_3857"
                source = f"{LAYERS[layer].select} WHERE state <> 'retired'"
                connection.execute(text(f"CREATE TABLE {table} AS SELECT {columns} FROM {source}"))
                connection.execute(text(f"ALTER TABLE {table} ADD PRIMARY KEY (public_id)"))
                connection.execute(text(f"CREATE INDEX ON {table} USING gist (geom_3857)"))
                connection.execute(text(f"ANALYZE {table}"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # As autovacuum would have left it some minutes later.
            connection.execute(text("VACUUM ANALYZE"))
    finally:
        engine.dispose()


@contextmanager
def _our_server(database: Database, directory: Path, manner: str) -> Iterator[int]:
    port = load.free_port()
    name = make_url(database.admin_url).database or ""
    command = [sys.executable, "-m", "bench.tile_server", name, str(port), str(directory), manner]
    with running(command, cwd=ROOT) as process:
        load.wait_for(process, port, _our_path("privacy_zones", 0, 0, 0))
        yield port


@contextmanager
def _bare_server(directory: Path, answers: dict[str, load.Answer]) -> Iterator[int]:
    port = load.free_port()
    index = {path: (answer.tag, f"{number}.mvt") for number, (path, answer) in enumerate(answers.items())}
    for path, (_, name) in index.items():
        (directory / name).write_bytes(answers[path].body)
    (directory / "index.json").write_text(json.dumps(index), encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "--bind", f"{load.HOST}:{port}", "--workers", str(WORKERS)]
    command += ["--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "15", "--log-level", "warning"]
    with running([*command, f"bench.bare_server:application({str(directory)!r})"], cwd=ROOT) as process:
        load.wait_for(process, port, next(iter(index)))
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
        # Less than ours around zones, and for devices the same: none.
        "TIPG_TILE_BUFFER": "0",
        "TIPG_MAX_FEATURES_PER_TILE": str(2 * DEVICES),
    }
    command = [str(python), "-m", "uvicorn", "tipg.main:app", "--host", load.HOST, "--port", str(port)]
    command += ["--workers", str(WORKERS), "--log-level", "warning", "--no-access-log"]
    with running(command, cwd=directory, env=settings) as process:
        load.wait_for(process, port, _their_path("bench", SHOWN[0], SINGLE_FROM, 0, 0))
        yield port


def _libpq_url(database: Database) -> str:
    """The administrator's URL with the socket's directory as its host, as asyncpg reads it."""
    url = make_url(database.admin_url)
    return f"postgresql://{url.username}@{quote(str(url.query['host']), safe='')}:{url.query['port']}/{url.database}"
