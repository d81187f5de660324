"""Studies of coverage at the planner's desk: from a list of cameras to the gaps, tried out, kept, copied, removed."""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from flights.ground import TERRAIN_FILE
from schemas.tables import CoverageStudy, StudyDevice
from tests.web import mvt
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import get, made, post, told
from tests.web.studying import CAMERAS, GROUND, answered

CSV = "name,lon,lat,sector_azimuth_deg,hfov_deg,range_m\nBridge,113.265,23.128,90,60,600\nWeir,113.268,23.131,,,400\n"
BOUNDARY = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {
                "type": "Polygon",
                "coordinates": [list(GROUND.geoms[0].exterior.coords)],
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


def test_new__a_list_without_a_good_row__is_refused_however_it_was_ticked(signed_in):
    planner = signed_in("N1")
    bad = CSV.splitlines()[0] + "\nMill,113.27,23.13,400,60,600\n"
    answer = ask(planner, csv=bad, title="No good row", partly="1")
    assert answer.status_code == 422
    assert "1 of 1 rows" in answer.text
    assert "sector_azimuth_deg" in answer.text
    assert "No good row" not in get(planner, "/planner/coverage").text


FINER = {
    "density": "identify",
    "image_width_px": "3840",
    "buildings_m": "12.5",
    "over_terrain": "1",
    "days": "7",
    "kind.video": "1",
    "kind.patrol_route": "1",
}


def test_new__finer_points__are_asked_and_told_again(services, signed_in):
    planner = signed_in("N1")
    page = get(planner, "/planner/coverage/new").text
    assert "250 px/m" in page
    assert '<details class="more"><summary>' in page  # five minutes from nothing need none of it
    name = made(ask(planner, **FINER))
    question = kept(services, name)[1]
    assert question["device_types"] == ["video", "patrol_route"]
    asked = {part: question[part] for part in ("density", "image_width_px", "buildings_m", "over_terrain", "days")}
    assert asked == {
        "density": "identify",
        "image_width_px": 3840,
        "buildings_m": 12.5,
        "over_terrain": True,
        "days": 7,
    }
    study = get(planner, f"/planner/coverage/{name}").text
    for told_again in ("250 px/m", "3,840 pixels wide", "12.5 m", "the last 7 days", "Patrol route"):
        assert told_again in study


def test_new__finer_points_that_cannot_be__are_told_at_their_fields(services, signed_in):
    (services.data_dir / TERRAIN_FILE).touch()  # where there is a model, buildings may be asked for
    planner = signed_in("N1")
    for changes, said in (
        ({"density": "everything"}, "density-fault"),
        ({"image_width_px": "0"}, "image_width_px-fault"),
        ({"days": "NaN"}, "days-fault"),
        ({"days": "99999"}, "days-fault"),
        ({"buildings_m": "-3"}, "buildings_m-fault"),
        ({"over_terrain": None}, "buildings_m-fault"),
    ):
        answer = ask(planner, **FINER | changes)
        assert answer.status_code == 422, changes
        assert said in answer.text, (said, told(answer))
        assert '<details class="more" open>' in answer.text


def test_new__what_lacks__is_told_at_its_field(signed_in):
    planner = signed_in("N1")
    for changes, said in (
        ({"title": ""}, "title-fault"),
        ({"ground_file": None}, "ground_file-fault"),
        ({"file": None}, "file-fault"),
        ({"status.active": None}, "status.active-fault"),
        ({"ground": "drawn", "shape": "113.26, 23.13"}, "shape-fault"),
    ):
        answer = ask(planner, **changes)
        assert answer.status_code == 422, changes
        assert said in answer.text, told(answer)


def test_study__answered__is_told_on_the_map_and_in_tables(services, signed_in):
    name = answered(services)
    planner = signed_in("N1")
    page = get(planner, f"/planner/coverage/{name}").text
    assert "of this ground is seen; nobody sees" in page
    assert "Two cameras see part of it." in page
    assert "East village &lt;fictional&gt;" in page
    assert "1 entity has fewer views than required" in page
    zh = get(planner, f"/planner/coverage/{name}", lang="zh").text
    assert "两台摄像机覆盖一部分。" in zh
    tile = planner.get(f"/planner/coverage/{name}/tiles/gap/10/834/444.mvt")
    drawn = mvt.decode(tile.data)["gap"]
    assert drawn
    assert {one["times"] for one in drawn} == {0}
    again = planner.get(
        f"/planner/coverage/{name}/tiles/gap/10/834/444.mvt", headers={"If-None-Match": tile.headers["ETag"]}
    )
    assert again.status_code == 304


def test_study__answered_by_a_platform_of_before__is_shown_with_what_it_says(services, signed_in):
    name = answered(services)
    later = ("gap_count", "slivers", "slivers_m2", "masts_assumed")
    with Session(services.engine) as db, db.begin():
        study = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()
        study.result = {key: value for key, value in study.result.items() if key not in later}
    planner = signed_in("N1")
    for path in ("", "/report", "/export/csv", "/siting"):
        answer = get(planner, f"/planner/coverage/{name}{path}")
        assert answer.status_code == 200, path
    assert "of this ground is seen; nobody sees" in get(planner, f"/planner/coverage/{name}").text


def test_study__failed__says_why_and_may_be_computed_again(services, signed_in):
    name = answered(services, stage="failed")
    planner = signed_in("N1")
    assert "something stands against it" in get(planner, f"/planner/coverage/{name}").text
    assert post(planner, f"/planner/coverage/{name}/again").status_code == 303
    assert kept(services, name)[0] == "waiting"


def test_study__copied_renamed_removed(services, signed_in):
    name, planner = answered(services), signed_in("N1")
    copied = made(post(planner, f"/planner/coverage/{name}/copy", {"copy_title": "With a third one"}))
    assert len(kept(services, copied)[2]) == len(CAMERAS)
    assert post(planner, f"/planner/coverage/{name}/rename", {"title": " "}).status_code == 422
    assert post(planner, f"/planner/coverage/{name}/rename", {"title": "Anew"}).status_code == 303
    assert "Anew" in get(planner, f"/planner/coverage/{copied}").text  # named as what it was copied from
    assert post(planner, f"/planner/coverage/{name}/remove").status_code == 303
    assert get(planner, f"/planner/coverage/{name}").status_code == 404


def test_what_if__a_longer_view__is_the_difference_of_two_answers(services, signed_in):
    planner = signed_in("N1")
    now = answered(services)
    then = answered(services, devices=(CAMERAS[0].__class__(CAMERAS[0].at, 900.0, 90.0, 60.0), CAMERAS[1]))
    seen = [study_result(services, name)["seen_m2"] for name in (now, then)]
    said = wish(planner, now, CHANGED).get_json()
    assert said["seen_m2"] == pytest.approx(seen[1][0] - seen[0][0], abs=1)
    assert said["duplicated_m2"] == pytest.approx(seen[1][1] - seen[0][1], abs=1)
    assert said["footprint"]["type"] == "Polygon"


def test_what_if__taken_away_and_added_at_once__both_count(services, signed_in):
    planner, name = signed_in("N1"), answered(services)
    gone = wish(planner, name, {"key": "own-1", "gone": True}).get_json()
    assert gone["seen_m2"] < 0
    both = wish(planner, name, {"key": "own-1", "gone": True}, CHANGED | {"key": "new-1", "range_m": 600}).get_json()
    assert both["seen_m2"] == pytest.approx(0, abs=1)


def test_keep__changes__become_the_studys_own_and_it_waits_again(services, signed_in):
    planner, name = signed_in("N1"), answered(services)
    changes = [CHANGED, {"key": "own-2", "gone": True}, CHANGED | {"key": "new-1", "label": "Mill", "range_m": 50}]
    assert post(planner, f"/planner/coverage/{name}/keep", {"changes": json.dumps(changes)}).status_code == 303
    stage, _, devices = kept(services, name)
    assert (stage, devices) == ("waiting", [(900.0, 90.0, 60.0), (50.0, 90.0, 60.0)])


def test_keep__a_registered_device_is_taken_away__the_registry_stays(services, signed_in):
    name, planner = answered(services, devices=(), statuses=("active", "published", "blocked")), signed_in("N1")
    with Session(services.engine) as db, db.begin():
        study = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()
        study.question = study.question | {"own_only": False}
    listed = planner.get(f"/planner/coverage/{name}/devices.json").get_json()["devices"]
    key = next(one["key"] for one in listed if not one["fixed"])
    changes = json.dumps([{"key": key, "gone": True}])
    assert post(planner, f"/planner/coverage/{name}/keep", {"changes": changes}).status_code == 303
    with Session(services.engine) as db:
        rows = db.scalars(select(StudyDevice).join(CoverageStudy).where(CoverageStudy.public_id == name)).all()
        assert [(row.device.public_id, row.gone, row.device.state) for row in rows] == [(key, True, "published")]


def test_export__every_form__is_a_file_for_who_may_open_the_study(services, signed_in):
    name, planner = answered(services), signed_in("N1")
    for form_of_file in ("gpkg", "geojson", "cog", "csv"):
        answer = planner.get(f"/planner/coverage/{name}/export/{form_of_file}")
        assert answer.status_code == 200, form_of_file
        assert len(answer.data) > 200
        assert "no-store" in answer.headers["Cache-Control"]
    assert planner.get(f"/planner/coverage/{name}/export/exe").status_code == 404


def study_result(services, name):
    with Session(services.engine) as db:
        return db.scalars(select(CoverageStudy.result).where(CoverageStudy.public_id == name)).one()
