"""Studies of coverage at the planner's desk: from a list of cameras to the gaps, tried out, kept, copied, removed."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import shapes
from schemas.tables import CoverageStudy, StudyDevice
from tests.web import mvt
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import get, made, post, told
from tests.web.studying import CAMERAS, answered

CSV = "name,lon,lat,sector_azimuth_deg,hfov_deg,range_m\nBridge,113.265,23.128,90,60,600\nWeir,113.268,23.131,,,400\n"
BOUNDARY = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[113.255, 23.12], [113.28, 23.12], [113.28, 23.14], [113.255, 23.14], [113.255, 23.12]]],
            },
        }
    ],
}


def form(csv=CSV, **changes):
    fields = {
        "title": "East bank",
        "authority": "A1",
        "ground": "file",
        "status.active": "1",
        "demand.area": "1",
        "crs": "EPSG:4326",
        "own_only": "1",
    }
    files = {
        "file": (io.BytesIO(csv.encode()), "cameras.csv"),
        "ground_file": (io.BytesIO(json.dumps(BOUNDARY).encode()), "ground.geojson"),
    }
    return {name: value for name, value in (fields | files | changes).items() if value is not None}


def ask(client, **changes):
    return client.post("/planner/coverage/new", data=form(**changes), headers={**SAME_ORIGIN, **HTML})


def kept(services, name):
    with Session(services.engine) as db:
        study = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()
        rows = db.scalars(select(StudyDevice).where(StudyDevice.study_id == study.id).order_by(StudyDevice.ordinal))
        return study.stage, study.question, [(row.range_m, row.sector_azimuth_deg, row.hfov_deg) for row in rows]


def wish(client, name, *changes):
    body = json.dumps({"changes": list(changes)})
    return raw_wish(client, name, body)


def raw_wish(client, name, body):
    headers = {**SAME_ORIGIN, "Content-Type": "application/json"}
    return client.post(f"/planner/coverage/{name}/what-if", data=body, headers=headers)


CHANGED = {
    "key": "own-1",
    "lon": 113.265,
    "lat": 23.128,
    "azimuth_deg": 90,
    "hfov_deg": 60,
    "range_m": 900,
    "mast_m": 6,
}


def test_new__cameras_and_boundary_from_files__a_study_waits_for_the_worker(services, signed_in):
    planner = signed_in("N1")
    name = made(ask(planner))
    stage, question, devices = kept(services, name)
    assert (stage, question["own_only"], question["demand"]) == ("waiting", True, ["area"])
    assert devices == [(600.0, 90.0, 60.0), (400.0, None, None)]
    page = get(planner, f"/planner/coverage/{name}").text
    assert "the answer is on its way" in page
    assert f"/planner/coverage/{name}/progress" in page
    assert "East bank" in get(planner, "/planner/coverage").text


def test_new__a_bad_row__is_told_with_its_fix_and_nothing_is_drafted(services, signed_in):
    planner = signed_in("N1")
    answer = ask(planner, csv=CSV + "Mill,113.27,23.13,400,60,600\n", title="Bad row")
    assert answer.status_code == 422
    assert "1 of 3 rows" in answer.text
    assert "sector_azimuth_deg" in answer.text
    assert "Bad row" in answer.text  # what was typed stands
    assert "Bad row" not in get(planner, "/planner/coverage").text
    name = made(ask(planner, csv=CSV + "Mill,113.27,23.13,400,60,600\n", title="Partly", partly="1"))
    assert len(kept(services, name)[2]) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": ""}, "title"),
        ({"ground_file": None}, "No file was chosen"),
        ({"file": None}, "No file was chosen"),
        ({"status.active": None}, "empty"),
        ({"ground": "drawn", "shape": "113.26, 23.13"}, "shape"),
    ],
)
def test_new__what_lacks__is_told_at_its_field(signed_in, changes, said):
    answer = ask(signed_in("N1"), **changes)
    assert answer.status_code == 422
    assert said in answer.text, told(answer)
