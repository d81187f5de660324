"""A base map from elsewhere, drawn in a real browser: XYZ, WMTS, a PMTiles archive, and pictures in GCJ-02."""

import gzip
import io
import json
import math
import struct
import threading
from collections import Counter
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image, ImageDraw

from schemas.clock import FixedClock
from tests.browser.conftest import DESK_PX, PATIENCE_MS, wait_for_map
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.serving import served
from web.settings import Settings
from web.wiring import Services

# A place on which nothing of the fixtures stands, and where the common implementations of GCJ-02 put it (published).
PLACE = (113.912316, 22.543847)
SHIFTED = (113.9171764808363, 22.540796131694766)
ZOOM, PX = 16, 256
PAPER, DOT = (60, 160, 220), (230, 20, 160)
WORDS = 'attribution_en = "Map: Example Survey"\nattribution_zh = "地图：示例测绘院"\n'


def tile_place(lon, lat, zoom):
    """Where a place lies in the plane of tiles, in tiles."""
    side = 2**zoom
    return (lon + 180) / 360 * side, (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * side


def picture(zoom, x, y, place):
    """One tile of a foreign map: plain, with a round dot of forty pixels on `place`."""
    made = Image.new("RGB", (PX, PX), PAPER)
    across, down = tile_place(*place, zoom)
    middle = ((across - x) * PX, (down - y) * PX)
    ImageDraw.Draw(made).ellipse([middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20], fill=DOT)
    packed = io.BytesIO()
    made.save(packed, "PNG")
    return packed.getvalue()


@contextmanager
def foreign(place, order):
    """The address of a foreign map whose dot is on `place`, and how often each of its tiles was asked for."""
    asked = Counter()

    class Tiles(BaseHTTPRequestHandler):
        def do_GET(self):
            zoom, *rest = (int(part) for part in self.path.removesuffix(".png").split("/")[-3:])
            x, y = rest if order == "xy" else reversed(rest)
            asked[zoom, x, y, self.headers.get("Referer"), self.headers.get("Cookie")] += 1
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(picture(zoom, x, y, place))

        def log_message(self, *said):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def archive(path, place, zooms):
    """A PMTiles archive (version 3) of the tiles around `place`."""
    entries, data = [], b""
    tiles = []
    for zoom in zooms:
        x, y = (int(part) for part in tile_place(*place, zoom))
        reach = range(-4, 5)
        tiles += [(tile_id(zoom, x + dx, y + dy), picture(zoom, x + dx, y + dy, place)) for dx in reach for dy in reach]
    for number, tile in sorted(tiles):
        entries.append((number, len(data), len(tile)))
        data += tile
    root = gzip.compress(directory(entries))
    meta = gzip.compress(json.dumps({"name": "a map"}).encode())
    at_meta, at_data = 127 + len(root), 127 + len(root) + len(meta)
    head = b"PMTiles" + struct.pack("<B8Q", 3, 127, len(root), at_meta, len(meta), at_data, 0, at_data, len(data))
    head += struct.pack("<3Q", len(entries), len(entries), len(entries))
    # Clustered; directories packed with gzip, tiles not packed, and pictures (PNG).
    head += struct.pack("<6B", 1, 2, 1, 2, min(zooms), max(zooms))
    head += struct.pack("<4iB2i", -1800000000, -850000000, 1800000000, 850000000, min(zooms), 0, 0)
    path.write_bytes(head + root + meta + data)


def tile_id(zoom, x, y):
    """The number of a tile along the Hilbert curve, counted from zoom 0 on."""
    number, side = (4**zoom - 1) // 3, 2**zoom
    half = side // 2
    while half:
        right, down = bool(x & half), bool(y & half)
        number += half * half * ((3 * right) ^ down)
        if not down:
            if right:
                x, y = half - 1 - (x & (half - 1)), half - 1 - (y & (half - 1))
            x, y = y, x
        half //= 2
    return number


def directory(entries):
    said = varint(len(entries))
    last = 0
    for number, _, _ in entries:
        said += varint(number - last)
        last = number
    said += b"".join(varint(1) for _ in entries)
    said += b"".join(varint(length) for _, _, length in entries)
    return said + b"".join(varint(offset + 1) for _, offset, _ in entries)


def varint(value):
    said = b""
    while value > 127:
        said += bytes([value & 127 | 128])
        value >>= 7
    return said + bytes([value])


@pytest.fixture
def house_of(server, world_template, tmp_path):
    """`with house_of(text) as url`: the pages of an installation with that base map."""

    @contextmanager
    def make(text):
        path = tmp_path / "basemap.toml"
        path.write_text(text + WORDS, encoding="utf-8")
        name = server.clone(world_template)
        settings = Settings(data_dir=tmp_path / "data", basemap=path)
        services = Services(settings, server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
        with closing(services), served(services) as port:
            yield f"http://127.0.0.1:{port}"
        server.drop(name)

    return make


def seen(browser, url, lang="en"):
    """Where on the map the dot is drawn, as the middle of its pixels from the middle of the map, and what is said."""
    context = browser.new_context(
        viewport={"width": DESK_PX[0], "height": DESK_PX[1]},
        locale="zh-CN" if lang == "zh" else "en-GB",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page, wrong, asked = context.new_page(), [], []
    # A picture that the style lacks is a warning: its symbol is not drawn.
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/?layer=none#map={ZOOM}/{PLACE[1]}/{PLACE[0]}")
    wait_for_map(page)
    page.wait_for_function("document.querySelector('.maplibregl-ctrl-attrib-inner')?.textContent")
    said = page.locator(".maplibregl-ctrl-attrib-inner").inner_text()
    canvas = page.locator("#map canvas")
    found = None
    for _ in range(60):
        found = dot_in(canvas.screenshot())
        if found:
            break
        page.wait_for_timeout(500)
    context.close()
    return found, said, wrong, asked


def dot_in(shot):
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    width, height = image.size
    pixels = image.load()
    # Made quiet by the veil, the dot still is redder than the paper and than all that the themes draw.
    hits = [
        (x, y)
        for x in range(0, width, 2)
        for y in range(0, height, 2)
        if pixels[x, y][0] > pixels[x, y][1] + 25 and pixels[x, y][2] > pixels[x, y][1] + 15
    ]
    if len(hits) < 100:
        return None
    return (
        sum(x for x, _ in hits) / len(hits) - width / 2,
        sum(y for _, y in hits) / len(hits) - height / 2,
    )


@pytest.mark.parametrize(
    ("kind", "template", "order", "datum"),
    [
        ("xyz", "/{z}/{x}/{y}.png", "xy", "wgs84"),
        ("wmts", "/1.0.0/map/default/web/{TileMatrix}/{TileRow}/{TileCol}.png", "yx", "wgs84"),
        ("xyz", "/{z}/{x}/{y}.png", "xy", "gcj02"),
    ],
)
def test_basemap__from_elsewhere__is_drawn_in_its_true_place(browser, house_of, kind, template, order, datum):
    place = SHIFTED if datum == "gcj02" else PLACE
    with foreign(place, order) as (origin, asked):
        text = f'kind = "{kind}"\nurl = "{origin}{template}"\ndatum = "{datum}"\nmax_zoom = 18\n'
        with house_of(text) as url:
            found, said, wrong, requests = seen(browser, url)
    assert found == pytest.approx((0, 0), abs=3)
    assert said == "Map: Example Survey"
    assert wrong == []
    assert asked
    assert {one[3:] for one in asked} == {(None, None)}, "who reads is told to nobody"
    assert {one for one in requests if not one.startswith((url, origin, "data:", "blob:"))} == set()


def test_basemap__pmtiles__is_drawn_from_our_own_origin(browser, house_of, tmp_path):
    archive(tmp_path / "map.pmtiles", PLACE, (ZOOM, ZOOM + 1))
    text = f'kind = "pmtiles"\npath = "{tmp_path / "map.pmtiles"}"\nmax_zoom = {ZOOM + 1}\n'
    with house_of(text) as url:
        found, said, wrong, requests = seen(browser, url, "zh")
    assert found == pytest.approx((0, 0), abs=3)
    assert said == "地图：示例测绘院"
    assert wrong == []
    assert {one for one in requests if not one.startswith((url, "data:", "blob:"))} == set()


def test_basemap__whose_host_is_away__every_symbol_is_drawn_all_the_same(browser, house_of):
    with house_of('kind = "xyz"\nurl = "http://127.0.0.1:1/{z}/{x}/{y}.png"\n') as url:
        context = browser.new_context(viewport={"width": DESK_PX[0], "height": DESK_PX[1]}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        page, missing = context.new_page(), []
        page.on("console", lambda said: missing.append(said.text) if "could not be loaded" in said.text else None)
        page.goto(f"{url}/#map=13/23.13/113.27")
        wait_for_map(page)
        page.locator("#in-view li").first.wait_for()
        page.wait_for_timeout(500)
        context.close()
    assert missing == []
