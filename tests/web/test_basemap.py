"""A base map by configuration: what its file may say, what the pages then allow, and GCJ-02 put in its true place."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.conftest import HTML
from web.app import create_app
from web.public.basemap import ARCHIVE, MAGIC, BasemapUnreadable, read_basemap
from web.settings import Settings
from web.wiring import Services

WORDS = 'attribution_en = "Map: Example"\nattribution_zh = "地图：示例"\n'
XYZ = f'kind = "xyz"\nurl = "https://tiles.example.org/{{z}}/{{x}}/{{y}}.png"\n{WORDS}'
GCJ02 = Path(__file__).resolve().parents[2] / "web" / "frontend" / "map" / "gcj02.js"


def written(folder, text):
    path = folder / "basemap.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def reader_of(services, tmp_path):
    """`reader_of(text)` is a client of an installation with that base map."""

    with contextlib.ExitStack() as stack:

        def make(text):
            settings = Settings(data_dir=tmp_path, basemap=written(tmp_path, text))
            made = stack.enter_context(contextlib.closing(Services(settings, services.database, services.clock)))
            return create_app(made).test_client()

        yield make


def test_basemap__from_elsewhere__that_origin_alone_is_allowed_and_told(reader_of):
    answer = reader_of(XYZ + 'datum = "gcj02"\n').get("/?lang=zh", headers=HTML)
    policy = answer.headers["Content-Security-Policy"]
    assert "img-src 'self' https://tiles.example.org data: blob:" in policy
    assert "connect-src 'self' https://tiles.example.org" in policy
    assert "script-src 'self';" in policy
    assert "https://tiles.example.org" in answer.text
    assert "地图：示例" in answer.text


def test_basemap__own__the_pages_name_no_other_host(reader):
    answer = reader.get("/", headers=HTML)
    assert "https://" not in answer.headers["Content-Security-Policy"]


def test_basemap__wmts__becomes_the_same_address(tmp_path):
    text = 'kind = "wmts"\nurl = "https://w.example.org/{TileMatrix}/{TileRow}/{TileCol}"\n'
    assert read_basemap(written(tmp_path, text + WORDS)).template == "https://w.example.org/{z}/{y}/{x}"


def test_basemap__none_or_own__is_the_districts_vectors(tmp_path):
    assert read_basemap(None) is None
    assert read_basemap(written(tmp_path, 'kind = "own"')) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind =",
        'kind = "ftp"\n' + WORDS,
        XYZ.replace("https", "http"),
        XYZ.replace("{x}", "x"),
        XYZ.replace("tiles.example.org", "name:password@tiles.example.org"),
        XYZ.replace("tiles.example.org", "tiles.example.org; script-src *"),
        XYZ.replace("Map: Example", "<script>"),
        XYZ.replace("Map: Example", ""),
        XYZ + "unknown = 1\n",
        XYZ + "max_zoom = 99\n",
        XYZ + 'datum = "bd09"\n',
        'kind = "pmtiles"\n' + WORDS,
        'kind = "pmtiles"\npath = "/nowhere.pmtiles"\n' + WORDS,
        "\x00",
    ],
)
def test_basemap__file_that_says_nonsense__does_not_start(tmp_path, text):
    with pytest.raises(BasemapUnreadable):
        read_basemap(written(tmp_path, text))


def test_basemap__file_that_is_not_there_or_no_text__does_not_start(tmp_path):
    with pytest.raises(BasemapUnreadable):
        read_basemap(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BasemapUnreadable):
        read_basemap(tmp_path / "bytes.toml")


def test_pmtiles__are_served_in_parts__and_only_where_configured(reader_of, reader, tmp_path):
    assert reader.get(ARCHIVE).status_code == 404
    archive = tmp_path / "map.pmtiles"
    archive.write_bytes(MAGIC + bytes(range(200)))
    client = reader_of(f'kind = "pmtiles"\npath = "{archive}"\n' + WORDS)
    part = client.get(ARCHIVE, headers={"Range": "bytes=8-11"}, buffered=True)
    assert part.status_code == 206
    assert part.data == bytes([0, 1, 2, 3])
    assert part.headers["Content-Range"] == f"bytes 8-11/{len(MAGIC) + 200}"
    assert part.headers["ETag"]
    assert client.get(ARCHIVE, headers={"Range": "bytes=9999-"}).status_code == 416
    assert "https://" not in client.get("/", headers=HTML).headers["Content-Security-Policy"]


def test_pmtiles__file_of_another_kind__does_not_start(tmp_path):
    (tmp_path / "x.pmtiles").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(BasemapUnreadable):
        read_basemap(written(tmp_path, f'kind = "pmtiles"\npath = "{tmp_path / "x.pmtiles"}"\n' + WORDS))


# Pairs as they are published with the common implementations of the shift, WGS 84 and GCJ-02 (longitude, latitude).
PAIRS = [
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
]


def run_gcj02(places, function):
    script = f"import {{{function}}} from {json.dumps(GCJ02.as_uri())};"
    return in_node(f"{script}console.log(JSON.stringify({json.dumps(places)}.map({function})))")


def in_node(script):
    made = subprocess.run(
        [shutil.which("node"), "--input-type=module", "-e", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(made.stdout)


def test_gcj02__published_pairs__shift_and_its_inverse_agree_to_a_metre_and_to_a_millimetre():
    true, shifted = [list(pair[0]) for pair in PAIRS], [list(pair[1]) for pair in PAIRS]
    for got, wanted in zip(run_gcj02(true, "toGcj02"), shifted, strict=True):
        assert got == pytest.approx(wanted, abs=1e-6)
    for got, wanted in zip(run_gcj02(run_gcj02(true, "toGcj02"), "fromGcj02"), true, strict=True):
        assert got == pytest.approx(wanted, abs=1e-8)


def test_gcj02__over_all_of_china__shifts_some_hundred_metres_and_comes_back():
    grid = [[lon + 0.317, lat + 0.173] for lon in range(75, 135, 3) for lat in range(19, 53, 3)]
    there = run_gcj02(grid, "toGcj02")
    for (lon, lat), (east, north), back in zip(grid, there, run_gcj02(there, "fromGcj02"), strict=True):
        assert 50 < ((east - lon) ** 2 + (north - lat) ** 2) ** 0.5 * 111_000 < 1200
        assert back == pytest.approx([lon, lat], abs=1e-8)


def test_gcj02__elsewhere__nothing_is_shifted():
    far = [[13.4, 52.5], [-74.0, 40.7], [151.2, -33.9], [0, 0]]
    assert run_gcj02(far, "toGcj02") == far
    assert run_gcj02(far, "fromGcj02") == far


def test_names__of_places__look_for_room_before_they_lie_upon_a_symbol():
    base = (GCJ02.parent / "base.js").as_uri()
    layers = in_node(
        f"import {{names}} from {json.dumps(base)};console.log(JSON.stringify(names(() => '#000000', 'zh')))"
    )
    laid_out = {layer["id"]: layer["layout"] for layer in layers}
    assert not any({"text-allow-overlap", "text-ignore-placement"} & set(layout) for layout in laid_out.values())
    assert [name for name, layout in laid_out.items() if "text-overlap" in layout] == ["town-name"]
    for name, reach in (("place-name", 1), ("town-name", 5)):
        places = laid_out[name]["text-variable-anchor-offset"]
        assert places[:2] == ["center", [0, 0]]
        assert max(abs(step) for offset in places[1::2] for step in offset) >= reach
