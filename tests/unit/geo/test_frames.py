"""How some ground is seen, as frames and as a map of leafmap that opens with the network cut."""

import json

import pytest

from geo.coverage.frames import of_files
from schemas.refusals import RuleViolation

pytest.importorskip("leafmap", reason="maps need requirements/leafmap.txt")

from geo.notebook import MapLayer, Style, coverage_map, export_map, from_rows, gap_frame

CAMERAS = "名称,经度,纬度,方位角,水平视场角,作用距离\nA,113.265,23.128,90,60,200\nB,113.268,23.131,,,300\n"
RING = [[113.255, 23.120], [113.280, 23.120], [113.280, 23.140], [113.255, 23.140], [113.255, 23.120]]


@pytest.fixture
def files(tmp_path):
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [RING]}}
    ground, cameras = tmp_path / "ground.geojson", tmp_path / "cameras.csv"
    ground.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    cameras.write_text(CAMERAS, encoding="utf-8")
    return cameras, ground


def test_gap_frame__of_files__areas_add_up_to_the_ground(files):
    seen = of_files(*files, crs="EPSG:4326")
    gaps = gap_frame(seen)
    plane = seen.ground.estimate_utm_crs()
    ground_km2 = seen.ground.to_crs(plane).area.sum() / 1e6
    assert gaps.number.tolist() == list(range(1, len(gaps) + 1))
    assert gaps.area_km2.is_monotonic_decreasing
    assert gaps.area_km2.sum() + seen.seen.area_m2[0] / 1e6 == pytest.approx(ground_km2, rel=1e-3)
    assert gaps.crs.to_epsg() == 4326


def test_gap_frame__row_that_cannot_be_read__refused_with_every_row(files):
    files[0].write_text(CAMERAS + "C,113.2,23.1,,,\n", encoding="utf-8")
    with pytest.raises(RuleViolation, match=r"layer\.field: "):
        of_files(*files, crs="EPSG:4326")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_coverage_map__asks_nobody_and_tells_what_it_shows(files):
    import leafmap.foliumap as leafmap

    from geo.notebook import _FROM_ELSEWHERE, _without_scripts

    made = coverage_map(of_files(*files, crs="EPSG:4326"), lang="zh")
    assert isinstance(made, leafmap.Map)
    document = made.get_root().render()
    assert not _FROM_ELSEWHERE.search(_without_scripts(document))
    assert "default-src 'none'" in document
    assert 'class="report-key"' in document
    assert document.count('<input type="checkbox"') == 4
    for name in ("无覆盖", "有覆盖", "分析范围", "设备"):
        assert name in document or json.dumps(name)[1:-1] in document


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_export_map__symbols_without_a_line_of_the_legend__one_of_them_stands_for_the_layer(tmp_path):
    shape = json.dumps({"type": "Point", "coordinates": [113.26, 23.13]})
    posts = from_rows([{"Name": "Post", "_kind": "post", "_look": "soon", "shape": shape}], ["Name", "_kind", "_look"])
    layer = MapLayer({"en": "Posts", "zh": "桩"}, posts, Style(), {("post", "soon"): '<path d="M2 2h9v9z"/>'})
    out = export_map([layer], tmp_path / "posts.html", title={"en": "Posts", "zh": "桩"})
    assert (
        '<svg class="sym sym-soon" viewBox="0 0 20 20" aria-hidden="true"><path d="M2 2h9v9z"/></svg>'
        in out.read_text()
    )
