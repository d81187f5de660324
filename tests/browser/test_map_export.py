"""`skywarden map export`: one file with the public layers, which a browser shows with the network cut."""

import json
import re
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from geo.notebook import Key, MapLayer, Style, export_map, from_rows
from schemas.refusals import RuleViolation
from tests.browser.axe import faults
from tests.browser.conftest import DESK_PX, LIMIT_S, PHONE_PX
from web.cli.common import State
from web.cli.main import skywarden
from web.public.symbols import OUTLINES

# Looked for and not imported: it takes long, and only the worker that runs these tests needs it.
pytestmark = [
    pytest.mark.timeout(LIMIT_S),
    pytest.mark.skipif(find_spec("leafmap") is None, reason="maps as one file need requirements/leafmap.txt"),
]
AREA = {"type": "Polygon", "coordinates": [[[113.26, 23.12], [113.27, 23.12], [113.27, 23.13], [113.26, 23.12]]]}
# What the world of the fixtures shows: an area, a zone, a route, a point, two devices.
FEATURES = 6
INK = "(one) => getComputedStyle(one).fill"
DRAWN = ".folium-map .leaflet-interactive"


@pytest.fixture
def export(services, tmp_path, monkeypatch):
    """Runs the command on the services of the test; gives what it said and the file."""

    def run(*arguments, lang="en"):
        monkeypatch.setattr(State, "services", property(lambda _self: services))
        monkeypatch.setattr(State, "close", lambda _self: None)
        out = tmp_path / "map.html"
        done = CliRunner().invoke(skywarden, ["--lang", lang, "map", "export", "--out", str(out), *arguments])
        if isinstance(done.exception, RuleViolation):
            raise done.exception
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output, out

    return run


def test_file__opened_offline__draws_every_feature_and_asks_nobody(export, browser, tmp_path, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET name = '<img src=x onerror=alert(1)>' WHERE public_id = 'DV-DV1'")
    coverage = tmp_path / "coverage.geojson"
    coverage.write_text(json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": AREA}]}))
    said, out = export("--coverage", str(coverage), "--route", "RT-R1")
    assert f"Wrote {FEATURES + 2} features" in said
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("dialog", lambda dialog: wrong.append("a script of a name ran"))
    page.goto(out.as_uri())
    page.wait_for_selector("path.leaflet-interactive")
    assert page.locator(DRAWN).count() == FEATURES + 2
    page.locator(".of-mark").last.click()
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert "DV-D" in popup.inner_text()
    assert page.locator(".leaflet-popup-content img").count() == 0
    assert "fictional" in page.locator("header.report").inner_text()
    assert [url for url in asked if url != out.as_uri() and not url.startswith("data:")] == []
    assert wrong == []
    context.close()


@pytest.fixture
def opened(browser):
    """Opens a file in a browser with the network cut."""
    contexts = []

    def run(out, *, size=DESK_PX, scheme="light"):
        contexts.append(
            browser.new_context(
                offline=True,
                viewport={"width": size[0], "height": size[1]},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
        )
        page = contexts[-1].new_page()
        page.goto(out.as_uri())
        page.wait_for_selector(DRAWN)
        return page

    yield run
    for context in contexts:
        context.close()


def test_file__devices__drawn_by_kind_and_state_which_the_legend_tells(export, opened, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET device_type = 'noise', state = 'maintenance' WHERE public_id = 'DV-DV1'")
    page = opened(export()[1])
    shapes = page.locator(".leaflet-marker-icon path.shape").evaluate_all(
        "all => all.map((one) => one.getAttribute('d'))"
    )
    assert OUTLINES["noise"] in shapes
    assert OUTLINES["deployment_point"] in shapes
    assert len(set(shapes)) == len(shapes) == 3
    paused = page.locator(".leaflet-marker-icon .sym-pause")
    assert paused.count() == 1
    assert paused.locator(".shape").evaluate(INK) != page.locator(".leaflet-marker-icon .sym-on .shape").first.evaluate(
        INK
    )
    told = page.get_by_role("complementary", name="What the map shows")
    for words in ("Noise meter", "Privacy zones", "Patrol routes", "Paused for maintenance", "In use"):
        expect(told).to_contain_text(words)


def test_file__box_of_the_legend_cleared__hides_what_it_explains(export, opened, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET device_type = 'noise' WHERE public_id = 'DV-DV1'")
    page = opened(export()[1])

    def shown():
        return page.locator(DRAWN).evaluate_all(
            "all => all.filter((one) => getComputedStyle(one).display !== 'none').length"
        )

    assert shown() == FEATURES
    page.get_by_label("Noise meter").uncheck()
    assert shown() == FEATURES - 1
    page.get_by_label("Patrol areas").uncheck()
    assert shown() == FEATURES - 2
    page.get_by_label("Noise meter").check()
    assert shown() == FEATURES - 1


def test_file__route__shows_its_direction_and_zone_is_hatched(export, opened):
    page = opened(export()[1])
    assert page.locator(".line-mark path").count() >= 2
    hatched = page.locator("path[fill='url(#hatch-zone)'].leaflet-interactive")
    assert hatched.count() == 1
    assert page.locator("#hatch-zone").count() == 1


@pytest.mark.parametrize(("size", "lang", "scheme"), [(DESK_PX, "en", "dark"), (PHONE_PX, "zh", "light")])
def test_file__on_desk_and_phone__fills_the_map_and_stays_inside(export, opened, size, lang, scheme):
    page = opened(export(lang=lang)[1], size=size, scheme=scheme)
    left, top, right, bottom = page.evaluate(f"""() => {{
        const all = [...document.querySelectorAll("{DRAWN}")].map((one) => one.getBoundingClientRect());
        const map = document.querySelector(".folium-map").getBoundingClientRect();
        const least = (side) => Math.min(...all.map((one) => one[side]));
        const most = (side) => Math.max(...all.map((one) => one[side]));
        const [west, north] = [least("left") - map.left, least("top") - map.top];
        return [west, north, map.right - most("right"), map.bottom - most("bottom")];
    }}""")
    assert min(left, top, right, bottom) >= 0
    # What lies at the edge is drawn half outside of its place; that place is 24 px from the edge of the map.
    assert min(left + right, top + bottom) <= 50
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults(page) == []


def test_file__holds_what_is_public_and_no_more(export, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET serial_no = 'CANARY', sector_azimuth_deg = 77.123, range_m = 777.123")
    text = export()[1].read_text()
    assert "DV-DV1" in text
    assert not re.search(r"CANARY|77\.123", text)
    assert not re.search(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="https?:', text)


def test_file__of_some_layers_in_chinese__says_so(export):
    said, out = export("--layer", "privacy_zones", lang="zh")
    assert "1 个图层共 1 个要素" in said
    text = out.read_text()
    assert 'lang="zh-CN"' in text
    assert json.dumps("名称") in text
    assert json.dumps("用户名") not in text
    assert "DV-DV1" not in text


def test_file__of_a_day_before_anything_was_published__is_refused(export):
    with pytest.raises(RuleViolation) as refused:
        export("--layer", "devices", "--on", "2001-01-01")
    assert refused.value.refusals[0].rule == "map.empty"


@pytest.mark.parametrize(
    ("arguments", "content", "rule"),
    [
        (("--route", "RT-NONE"), None, "record.unknown"),
        ((), b"{", "json.syntax"),
        ((), b'{"type": "FeatureCollection", "features": []}', "geometry.type"),
        ((), b'{"type": "FeatureCollection", "features": [1]}', "geometry.type"),
        ((), b'{"type": "Point", "coordinates": [113, 23]}', "geometry.type"),
    ],
)
def test_file__of_what_is_not_there_or_no_area__is_refused(export, tmp_path, arguments, content, rule):
    if content is not None:
        (tmp_path / "given.geojson").write_bytes(content)
        arguments = (*arguments, "--coverage", str(tmp_path / "given.geojson"))
    with pytest.raises(RuleViolation) as refused:
        export(*arguments)
    assert refused.value.refusals[0].rule == rule


MANY = 2000


@pytest.fixture
def many(tmp_path):
    """A file with more symbols than a browser moves at once, and three of them on one spot far from the others."""
    kinds = [("noise", "on") if i % 4 else ("air", "stop") for i in range(MANY)]
    rows = [
        {"Name": f"Device {i}", "_kind": kind, "_look": look, "shape": {"type": "Point", "coordinates": at(i)}}
        for i, (kind, look) in enumerate(kinds)
    ]
    features = from_rows([row | {"shape": json.dumps(row["shape"])} for row in rows], ("Name", "_kind", "_look"))
    symbols = {pair: f'<path class="shape" d="{OUTLINES[pair[0]]}"/>' for pair in set(kinds)}
    keys = [Key("", "sym-on", {"en": name, "zh": name}, kind) for kind, name in (("noise", "Noise"), ("air", "Air"))]
    layer = MapLayer({"en": "Devices", "zh": "设备"}, features, Style(), symbols, keys)
    return export_map([layer], tmp_path / "many.html", title={"en": "Many", "zh": "多"})


def at(i):
    return [113.4, 23.3] if i < 3 else [113.2 + (i % 50) * 0.002, 23.1 + (i // 50) * 0.002]


COUNTED = """() => [...document.querySelectorAll(".leaflet-marker-icon")].reduce((sum, one) =>
    sum + Number(one.querySelector("text")?.textContent ?? 1), 0)"""


def test_file__thousands_of_symbols__those_close_together_are_one_ring_with_their_number(many, opened):
    page = opened(many)
    assert page.locator(DRAWN).count() < MANY / 4
    assert page.evaluate(COUNTED) == MANY
    page.get_by_label("Air").uncheck()
    assert page.evaluate(COUNTED) == MANY * 3 / 4
    page.get_by_label("Air").check()
    ring = page.get_by_role("button", name=re.compile(r"^\d+: Noise \d+, Air \d+$")).first
    expect(ring).to_be_visible()
    assert faults(page) == []


def test_file__ring__opens_by_keyboard_until_each_device_tells_itself(many, opened):
    page = opened(many)
    page.get_by_role("button", name="3: Noise 2, Air 1").press("Enter")
    page.locator(".members button").last.click()
    told = page.locator(".leaflet-popup-content table")
    expect(told).to_contain_text("Device 2")
    expect(told).to_be_visible()
