"""The first view of the public map in Chromium with a hundred thousand devices, against one GeoJSON of the same.

Both pages are ours but for how devices come: groups drawn by the server and single devices when near, or all of them at
once in one GeoJSON source of MapLibre, drawn as the same symbols, without base map and side panel, which favours it.
The processor of the page is throttled to a fourth, and each view begins with an empty browser. A view ends when the map
is idle: nothing is loading, and everything in view is drawn.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Browser, ViewportSize, sync_playwright
from sqlalchemy import make_url, text

from bench import district, load, places
from bench.environments import ROOT, PeerMissing, running
from bench.measure import WIDEST_SPREAD, Result, limited, middle, not_measured
from bench.scratch import scratch_database
from schemas.store.engine import Database

NAME = "first view of the map, 100,000 devices, a fourth of a processor"
PEER = "MapLibre with one GeoJSON"
SIZE_NAME = "what the first view transfers"
TARGET = 5.0
MOST_KB = 600.0
DEVICES = 100_000
# A round takes the peer most of a minute: more of them than this would be the whole bench.
MOST_ROUNDS = 5
THROTTLE = 4
SCREEN: ViewportSize = {"width": 1440, "height": 900}
TIMEOUT_MS = 240_000
WORKER = ROOT / "web" / "static" / "dist" / "maplibre-gl-worker.js.br"
OUR_COUNT = "Number(document.getElementById('in-view-count').textContent.replace(/\\D/g, ''))"
PEER_SCRIPT = ROOT / "bench" / "peers" / "first_view.js"
FLAGS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
]


@dataclass
class Views:
    """A browser, and where our page and that of the peer are."""

    browser: Browser
    our_url: str
    peer_url: str
    transferred_kb: list[float] = field(default_factory=list)

    def ours(self) -> tuple[float, int]:
        """Seconds until the map of our first page stands, and how many devices it says that it shows."""
        return self._view(self.our_url, OUR_COUNT)

    def peer(self) -> tuple[float, int]:
        """Seconds until the map of the peer stands, and how many devices it has drawn."""
        return self._view(self.peer_url, "shown()")

    def _view(self, url: str, count: str) -> tuple[float, int]:
        context = self.browser.new_context(viewport=SCREEN, locale="en-GB", reduced_motion="reduce")
        try:
            page = context.new_page()
            asked = []
            page.on("requestfinished", lambda request: asked.append(request))
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
            started = time.perf_counter()
            page.goto(url, timeout=TIMEOUT_MS)
            page.wait_for_selector("#map[data-ready]", timeout=TIMEOUT_MS)
            spent = time.perf_counter() - started
            page.wait_for_function(f"{count} > 0", timeout=TIMEOUT_MS)
            if url == self.our_url:
                sizes = [request.sizes() for request in asked]
                seen = sum(one["responseBodySize"] + one["responseHeadersSize"] for one in sizes)
                # The script of a worker is fetched by the worker, and not among the requests of the page.
                seen += 0 if any(WORKER.stem in one.url for one in asked) else WORKER.stat().st_size
                self.transferred_kb.append(seen / 1000)
            return spent, int(page.evaluate(count))
        finally:
            context.close()


def rows(rounds: int) -> list[Result]:
    """How much sooner the map stands, and what it takes to transfer."""
    try:
        with scratch_database() as database, ExitStack() as stack:
            _fill(database)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _write_peer(database, folder)
            peer_port = stack.enter_context(_files_served(folder))
            port = stack.enter_context(_served(database, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            browser = stack.enter_context(_chromium())
            views = Views(browser, f"http://{load.HOST}:{port}/", f"http://{load.HOST}:{peer_port}/")
            result = _compared(views, min(rounds, MOST_ROUNDS))
            size = limited(SIZE_NAME, "the budget", max(views.transferred_kb), MOST_KB, unit="kB")
            return [result, size]
    except (PeerMissing, load.ServerFailed) as missing:
        return [not_measured(NAME, PEER, TARGET, str(missing))]


def _compared(views: Views, rounds: int) -> Result:
    """The row; the views alternate, the first of ours warms the server, and both must show every device."""
    views.ours()
    ours, theirs = list[float](), list[float]()
    for turn in range(rounds):
        (spent, shown), (peer_spent, peer_shown) = _in_turn(views, is_ours_first=turn % 2 == 0)
        if not shown == peer_shown == DEVICES:
            return not_measured(NAME, PEER, TARGET, f"{shown} devices against {peer_shown}")
        ours.append(spent)
        theirs.append(peer_spent)
    ratio, spread = middle([peer / own for own, peer in zip(ours, theirs, strict=True)])
    steady = spread <= WIDEST_SPREAD
    return Result(
        NAME,
        PEER,
        round(median(ours), 3),
        round(median(theirs), 3),
        "s",
        round(ratio, 4),
        round(spread, 4),
        TARGET,
        ratio >= TARGET if steady else "not measured",
        "" if steady else f"spread above {WIDEST_SPREAD:.0%}",
    )


def _in_turn(views: Views, *, is_ours_first: bool) -> tuple[tuple[float, int], tuple[float, int]]:
    if is_ours_first:
        return views.ours(), views.peer()
    peer = views.peer()
    return views.ours(), peer


def _fill(database: Database) -> None:
    """The devices of a large city, as many in its middle as around it."""
    draw = np.random.default_rng(places.SEED)
    lons, lats = (centre + draw.normal(0, 0.08, DEVICES) for centre in places.CENTRE)
    district.store_devices(database, zip(lons.tolist(), lats.tolist(), strict=True))


def _write_peer(database: Database, folder: Path) -> None:
    """The page of the peer: our map script with one GeoJSON of everything, made by PostGIS from the same view."""
    node = shutil.which("node")
    if node is None:
        raise PeerMissing("node is not there to bundle the page of the peer")
    out = folder / "peer.js"
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    bundle = [str(esbuild), str(PEER_SCRIPT), "--bundle", "--format=esm", "--minify", f"--outfile={out}"]
    made = subprocess.run([*bundle, "--log-level=error"], capture_output=True, text=True, check=False, timeout=120)
    if made.returncode:
        raise PeerMissing(made.stderr[:400])
    engine = database.admin_engine()
    try:
        with engine.connect() as connection:
            collection = connection.execute(
                text(
                    "SELECT jsonb_build_object('type', 'FeatureCollection', 'features', jsonb_agg(jsonb_build_object("
                    "'type', 'Feature', 'geometry', ST_AsGeoJSON(geom, 6)::jsonb, 'properties', jsonb_build_object("
                    "'public_id', public_id, 'kind', kind, 'state', state, 'title', title,"
                    " 'authority', authority_id))))::text FROM public_map.device_points"
                )
            ).scalar_one()
            box = "ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b)"
            extent = "(SELECT ST_Extent(geom) AS b FROM public_map.device_points) AS e"
            bounds = connection.execute(text(f"SELECT json_build_array({box})::text FROM {extent}")).scalar_one()
    finally:
        engine.dispose()
    dist = ROOT / "node_modules" / "maplibre-gl" / "dist"
    page = (
        "<!doctype html><meta charset=utf-8><link rel=stylesheet href=peer.css>"
        f"<div id=map data-bounds='{bounds}'></div><script type=module src=peer.js></script>"
    )
    css = "#map { position: absolute; inset: 0 0 0 400px; } .canvas { position: absolute; inset: 0; }"
    (folder / "index.html").write_text(page, "utf-8")
    (folder / "peer.css").write_text((dist / "maplibre-gl.css").read_text("utf-8") + css, "utf-8")
    (folder / "maplibre-gl-worker.js").write_bytes((dist / "maplibre-gl-worker.mjs").read_bytes())
    (folder / "devices.geojson").write_text(collection, "utf-8")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of requests."""


@contextmanager
def _files_served(folder: Path) -> Iterator[int]:
    """The page of the peer, as files on loopback."""
    server = ThreadingHTTPServer((load.HOST, 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _served(database: Database, directory: Path) -> Iterator[int]:
    port = load.free_port()
    name = make_url(database.admin_url).database or ""
    command = [sys.executable, "-m", "bench.tile_server", name, str(port), str(directory)]
    with running(command, cwd=ROOT) as process:
        load.wait_for(process, port, "/")
        yield port


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        raise PeerMissing("no Chromium on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
