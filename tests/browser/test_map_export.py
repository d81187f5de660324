"""`skywarden map export`: one file with the public layers, which a browser shows with the network cut."""

import json
import re
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from schemas.refusals import RuleViolation
from tests.browser.conftest import LIMIT_S
from web.cli.common import State
from web.cli.main import skywarden

# Looked for and not imported: it takes long, and only the worker that runs these tests needs it.
pytestmark = [
    pytest.mark.timeout(LIMIT_S),
    pytest.mark.skipif(find_spec("leafmap") is None, reason="maps as one file need requirements/leafmap.txt"),
]
AREA = {"type": "Polygon", "coordinates": [[[113.26, 23.12], [113.27, 23.12], [113.27, 23.13], [113.26, 23.12]]]}
# What the world of the fixtures shows: an area, a zone, a route, a point, two devices.
FEATURES = 6


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
    assert page.locator("path.leaflet-interactive").count() == FEATURES + 2
    page.locator("path.leaflet-interactive").nth(FEATURES - 2).click()
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert "DV-D" in popup.inner_text()
    assert page.locator(".leaflet-popup-content img").count() == 0
    assert "fictional" in page.locator("header.report").inner_text()
    assert [url for url in asked if url != out.as_uri() and not url.startswith("data:")] == []
    assert wrong == []
    context.close()


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
