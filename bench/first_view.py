"""The first view of the public map in Chromium with a hundred thousand devices, against one GeoJSON of the same.

The first view is there when a reader sees where all devices are: drawn, all of them, in the frame that the browser
shows. Of our page that is the picture that the server draws into it, groups with their numbers at the places at which
the map has them, and the row holds only where these numbers come to all devices. Of the peer it is the map: one GeoJSON
source, grouped by MapLibre itself, which is twice as soon there as circles for single devices are, without base map and
side panel, which favours it.

Two more rows are printed without a target. One is the map that takes the picture's place, until it is idle: nothing is
loading, everything in view is drawn, it moves and can be clicked. It runs on the same MapLibre as the peer, whose start
alone takes most of that time, so five times sooner than itself it cannot be. The other is the peer that draws every
device as a circle of its own.

The processor of the page is throttled to a fourth, which the workers and the processor's graphics are not, and each
view begins with an empty browser on a machine at rest. The clock is that of the page, from the beginning of the
navigation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import fmean, median

from playwright.sync_api import Browser, ViewportSize, sync_playwright
from sqlalchemy import make_url, text

from bench import district, load
from bench.environments import ROOT, PeerMissing, running
from bench.measure import WIDEST_SPREAD, Result, limited, middle, not_measured
from bench.scratch import filled_database
from schemas.store.engine import Database

NAME = "first view of the map, 100,000 devices, a fourth of a processor"
MAP_NAME = "the same, until our map moves and can be clicked"
PEER = "MapLibre with one GeoJSON, grouped by it"
CIRCLES = "MapLibre with one GeoJSON, a circle each"
SIZE_NAME = "what the first view transfers"
TARGET = 5.0
MOST_KB = 600.0
DEVICES = district.CITY_DEVICES
# A round is the mean of so many views of ours and of the peer, turn by turn, because one has more or less luck; the
# other peer, which has no target, is seen once. A round takes half a minute.
VIEWS = 4
MOST_ROUNDS = 9
# Each process of our server keeps what it has made: so many questions reach all of them before the clock runs.
WARMING = 64
# A view begins when the machine has come to rest from the one before, whoever's it was: nearly all of this while idle.
REST_S, IDLE_SHARE, LONGEST_REST_S = 0.1, 0.9, 2.0
THROTTLE = 4
SCREEN: ViewportSize = {"width": 1440, "height": 900}
TIMEOUT_MS = 240_000
WORKER = ROOT / "web" / "static" / "dist" / "maplibre-gl-worker.js.br"
OUR_COUNT = "Number(document.getElementById('in-view-count').textContent.replace(/\\D/g, ''))"
# Notes when the picture of the server, and when the map, stands in a frame that was given to the screen, by the clock
# of the page; of the picture also how many devices it tells of inside its element. It stands when what comes after it
# in the page is there. Either is found while a frame is made that shows it, the map by its own word at the end of its
# drawing, and a message that is sent while a frame is made is handled after it.
WATCH = """
const shown = (name, then) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { window[name] = performance.now(); then?.(); };
  port2.postMessage(null);
};
const counted = () => {
  const map = document.getElementById("map").getBoundingClientRect();
  window.pictured = [...document.querySelectorAll(".still .at-wide [data-n]")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.left >= map.left && box.right <= map.right && box.top >= map.top && box.bottom <= map.bottom;
  }).reduce((sum, one) => sum + Number(one.dataset.n), 0);
};
const look = () => {
  if (document.querySelector(".still svg") && document.getElementById("history")) shown("pictureAt", counted);
  else if (!document.querySelector("#map[data-ready]")) requestAnimationFrame(look);
};
requestAnimationFrame(look);
addEventListener("DOMContentLoaded", () => new MutationObserver((_seen, observer) => {
  observer.disconnect();
  shown("mapAt");
}).observe(document.getElementById("map"), { attributeFilter: ["data-ready"] }));
"""
PEER_SCRIPT = ROOT / "bench" / "peers" / "first_view.js"
FLAGS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
]


@dataclass(frozen=True)
class Seen:
    """A view: seconds until the picture of the server stands, where there is one, and until the map does.

    `pictured` and `mapped` are how many devices each of them tells of, and `kb` is what it took to transfer.
    """

    picture_s: float
    map_s: float
    pictured: int
    mapped: int
    kb: float


def rows(rounds: int) -> list[Result]:
    """How much sooner all devices are seen, and the map stands, and what it takes to transfer."""
    try:
        with filled_database(district.store_city) as database, ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _write_peer(database, folder)
            peer = f"http://{load.HOST}:{stack.enter_context(_files_served(folder))}"
            port = stack.enter_context(_served(database, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            browser = stack.enter_context(_chromium())
            addresses = (f"http://{load.HOST}:{port}/", f"{peer}/grouped.html", f"{peer}/circles.html")
            load.fetch(port, ["/"] * WARMING, WARMING // 4)
            return _compared(browser, addresses, min(rounds, MOST_ROUNDS))
    except (PeerMissing, load.ServerFailed) as missing:
        return [not_measured(NAME, PEER, TARGET, str(missing))]


def _compared(browser: Browser, addresses: Sequence[str], rounds: int) -> list[Result]:
    """The rows; the views alternate, the first of each warms servers and disk, and all must show every device."""
    for address in addresses:
        _view(browser, address)
    turns: list[list[list[Seen]]] = []
    pair, other = addresses[:2], addresses[2]
    for _ in range(rounds):
        seen = {other: [_view(browser, other)]} | {address: [] for address in pair}
        for turn in range(VIEWS):
            for address in pair[:: 1 if turn % 2 else -1]:
                seen[address].append(_view(browser, address))
        ours, *theirs = turns_of = [seen[address] for address in addresses]
        counts = {one.pictured for one in ours} | {one.mapped for some in (ours, *theirs) for one in some}
        if counts != {DEVICES}:
            return [not_measured(NAME, PEER, TARGET, f"devices seen: {sorted(counts)}")]
        turns.append(turns_of)
    largest_kb = max(one.kb for ours, _, _ in turns for one in ours)
    pictures = [fmean(one.picture_s for one in ours) for ours, _, _ in turns]
    maps, grouped, circles = ([fmean(one.map_s for one in turn[n]) for turn in turns] for n in range(3))
    return [
        _row(NAME, PEER, list(zip(pictures, grouped, strict=True)), TARGET),
        _row(NAME, CIRCLES, list(zip(pictures, circles, strict=True)), 0.0),
        _row(MAP_NAME, PEER, list(zip(maps, grouped, strict=True)), 0.0),
        limited(SIZE_NAME, "the budget", largest_kb, MOST_KB, unit="kB"),
    ]


def _row(name: str, peer_name: str, pairs: Sequence[tuple[float, float]], target: float) -> Result:
    ratio, spread = middle([peer / own for own, peer in pairs])
    steady = spread <= WIDEST_SPREAD
    return Result(
        name,
        peer_name,
        round(median(own for own, _ in pairs), 3),
        round(median(peer for _, peer in pairs), 3),
        "s",
        round(ratio, 4),
        round(spread, 4),
        target,
        ratio >= target if steady else "not measured",
        "" if steady else f"spread above {WIDEST_SPREAD:.0%}",
    )


def _view(browser: Browser, address: str) -> Seen:
    """One view of a page, in a browser that knows nothing of it, on a machine that does nothing else."""
    _rest()
    context = browser.new_context(viewport=SCREEN, locale="en-GB", reduced_motion="reduce")
    try:
        page = context.new_page()
        page.add_init_script(WATCH)
        asked = []
        page.on("requestfinished", lambda request: asked.append(request))
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
        page.goto(address, timeout=TIMEOUT_MS)
        page.wait_for_selector("#map[data-ready]", timeout=TIMEOUT_MS)
        count = OUR_COUNT if address.endswith("/") else "shown()"
        # Asked over and over from here: in the page our own policy forbids to evaluate a text.
        while not page.evaluate(f"window.mapAt && {count} > 0"):
            page.wait_for_timeout(100)
        sizes = [request.sizes() for request in asked]
        seen = sum(one["responseBodySize"] + one["responseHeadersSize"] for one in sizes)
        # The script of a worker is fetched by the worker, and not among the requests of the page.
        seen += 0 if any(WORKER.stem in one.url for one in asked) else WORKER.stat().st_size
        at = "[window.pictureAt ?? Infinity, window.mapAt, window.pictured ?? 0]"
        picture_ms, map_ms, pictured = page.evaluate(at)
        return Seen(picture_ms / 1000, map_ms / 1000, pictured, int(page.evaluate(count)), seen / 1000)
    finally:
        context.close()


def _rest() -> None:
    """Returns when the processors are idle, of whoever's page they were busy last, or after a while."""
    before, deadline = _processors(), time.monotonic() + LONGEST_REST_S
    while time.monotonic() < deadline:
        time.sleep(REST_S)
        now = _processors()
        if now[0] - before[0] >= IDLE_SHARE * (now[1] - before[1]):
            return
        before = now


def _processors() -> tuple[int, int]:
    """How long they were idle so far, and how long they were there, in ticks of the kernel."""
    ticks = [int(one) for one in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _write_peer(database: Database, folder: Path) -> None:
    """The pages of the peer: a script with one GeoJSON of everything, made by PostGIS from the same view."""
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
        f"<div id=map data-bounds='{bounds}' data-manner='%s'></div><script type=module src=peer.js></script>"
    )
    css = "#map { position: absolute; inset: 0 0 0 400px; } .canvas { position: absolute; inset: 0; }"
    for manner in ("grouped", "circles"):
        (folder / f"{manner}.html").write_text(page % manner, "utf-8")
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
