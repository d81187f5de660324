"""The name of an uploaded layer says in which system it is: it is kept, and judged as on the command line."""

from __future__ import annotations

import html
import io
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from geo.intake import Options
from geo.intake.sites import read_sites
from schemas.refusals import RuleViolation
from schemas.tables import DeploymentPoint, Device, ImportBatch, PatrolArea, PlannedSite
from tests.web.drafting import post
from web.planner.answers import safe_name

TABLE = (
    "code,name,name_en,name_zh,lon,lat,place_text,device_type,purpose_en,purpose_zh\n"
    "UP1,Cam,Weir,堰,113.2630,23.1320,Bridge,video,Outfall,排污口\n"
)
SQUARE = [[[113.3, 23.12], [113.31, 23.12], [113.31, 23.13], [113.3, 23.13], [113.3, 23.12]]]
AREA = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": SQUARE},
            "properties": {"code": "UP2", "name_en": "Fields", "purpose_en": "Patrol", "purpose_zh": "巡查"}
            | {"name_zh": "田野", "alt_min_agl_m": 60, "alt_max_agl_m": 110},
        }
    ],
}
KINDS = {"plans": TABLE, "devices": TABLE, "points": TABLE, "areas": json.dumps(AREA)}
MADE = {"plans": PlannedSite, "devices": Device, "points": DeploymentPoint, "areas": PatrolArea}


@pytest.fixture(scope="module")
def planner(reading_as):
    """One world for the module: what a test takes in has a name of its own."""
    return reading_as("N1")


def send(planner, kind, name):
    sent = {"authority": "A1", "item": "ECO-01", "siting_plan": "SP-1", "title_en": "Plan", "title_zh": "方案"}
    system = "" if kind == "areas" else "EPSG:4326"
    # No two files are the same file: that would be refused before its name is looked at.
    body = KINDS[kind].replace("Outfall", f"Outfall {zlib.crc32(name.encode())}").encode()
    return post(
        planner,
        f"/planner/{kind}/import",
        sent | {"crs": system, "file": (io.BytesIO(body), name)},
    )


def rows(shared_app, kind):
    with shared_app.extensions["services"].session() as db:
        return db.scalar(select(func.count()).select_from(MADE[kind]))


def ending(kind):
    return "geojson" if kind == "areas" else "csv"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["设备_火星坐标", "devices-gcj02", "bd09 2025", "C:\\数据\\高德坐标"])
def test_GCJ_02__in_the_name_of_an_upload__refused_with_its_fix(planner, shared_app, kind, name):
    before = rows(shared_app, kind)
    answer = send(planner, kind, f"{name}.{ending(kind)}")
    assert answer.status_code == 422
    said = html.unescape(answer.text)
    assert "says that coordinates are in an offset system of web maps" in said
    assert "Export the layer in CGCS2000 or WGS 84 from its source" in said
    assert rows(shared_app, kind) == before


def test_GCJ_02__in_the_name__the_very_answer_of_the_command_line(planner, tmp_path):
    path = tmp_path / "点位gcj02.csv"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(RuleViolation) as caught:
        read_sites(path, Options(layer="sites", crs="EPSG:4326"))
    (refusal,) = caught.value.refusals
    said = html.unescape(send(planner, "plans", path.name).text)
    assert refusal.message() in said
    assert refusal.fix() in said


def test_GCJ_02__at_the_end_of_a_name_that_no_disk_holds__refused_all_the_same(planner):
    assert send(planner, "plans", f"{'长' * 300}gcj02.csv").status_code == 422


def test_upload__with_a_sound_name__taken_and_its_name_kept(planner, shared_app):
    assert send(planner, "devices", "GCJSDW_青河设备.csv").status_code == 200
    with shared_app.extensions["services"].session() as db:
        kept = select(ImportBatch.file_name).where(ImportBatch.layer == "devices")
        assert db.scalars(kept).all() == ["GCJSDW_青河设备.csv"]


@pytest.mark.parametrize("name", ["../../etc/passwd.csv", "\x00a.csv", "CON\\..\\b.csv", "-rf.csv", "%2e%2e%2f.csv"])
def test_upload__name_that_leads_elsewhere__stays_in_its_folder(planner, name):
    assert send(planner, "plans", name).status_code == 303


@given(st.text(max_size=400))
def test_safe_name__of_anything__is_one_part_that_a_disk_takes(sent):
    try:
        name = safe_name(sent)
    except RuleViolation:
        return
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\\\0\n")
    assert 0 < len(name.encode()) <= 240
