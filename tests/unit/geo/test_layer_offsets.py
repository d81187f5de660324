"""Lists that say in a column of their own that their numbers are of an offset system of web maps."""

from __future__ import annotations

import pytest

from geo.coverage.reading import read_named
from geo.intake.report import Options
from schemas.refusals import RuleViolation
from tests.unit.geo.layer_files import refusal

ROWS = "C1,113.3,23.1,200,{first}\nC2,113.31,23.1,200,{second}\n"


def listed(folder, column, first, second=""):
    path = folder / "cameras.csv"
    rows = ROWS.format(first=first, second=second)
    path.write_text(f"name,longitude,latitude,range_m,{column}\n{rows}", encoding="utf-8")
    return read_named(path, Options(layer="devices", crs="EPSG:4326"))


@pytest.mark.parametrize("column", ["坐标系", "坐标系统", "坐标类型", "坐标基准", "CRS", "srs", "coord_sys", "Datum"])
@pytest.mark.parametrize("said", ["GCJ-02", "gcj02", "火星坐标系", "BD09", "百度", "高德地图"])
def test_offset__confessed_in_a_column_of_systems__file_refused(tmp_path, column, said):
    with pytest.raises(RuleViolation) as caught:
        listed(tmp_path, column, "WGS84", said)
    assert (refusal(caught).rule, refusal(caught).text) == ("geometry.crs", "layer.offset")
    assert refusal(caught).params["where"] == f"{column}: {said}"


@pytest.mark.parametrize("said", ["WGS84", "CGCS2000", "EPSG:4490", "国家2000", ""])
def test_offset__column_of_a_sound_system__taken(tmp_path, said):
    assert len(listed(tmp_path, "坐标系", said).drafts) == 2


@pytest.mark.parametrize("column", ["address", "备注", "厂商"])
def test_offset__map_named_in_another_column__taken(tmp_path, column):
    assert len(listed(tmp_path, column, "百度", "高德地图").drafts) == 2
