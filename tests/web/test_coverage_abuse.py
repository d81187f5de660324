"""What hostile hands send to the pages of coverage is refused in words, and never breaks them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.tables import Authority, CoverageStudy
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import get, post
from tests.web.studying import answered
from tests.web.test_coverage_pages import CHANGED, raw_wish, wish

STEPS = ("what-if", "keep", "rename", "copy", "again", "remove")
PAGES = ("", "/progress", "/devices.json", "/tiles/gap/10/834/444.mvt", "/export/csv", "/report")


@pytest.fixture
def study(services):
    return answered(services)


def changed(**values):
    return {name: value for name, value in (CHANGED | values).items() if value is not ...}


VIEWS = (
    changed(range_m=0),
    changed(range_m=-5),
    changed(range_m=1e12),
    changed(hfov_deg=400),
    changed(hfov_deg=0),
    changed(azimuth_deg=1e9),
    changed(azimuth_deg="90"),
    changed(azimuth_deg=True),
    changed(mast_m=-1),
    changed(lon=None),
    changed(lat=91),
    changed(azimuth_deg=None),
    changed(key="DV-DV1"),
    changed(key="as-0"),
    changed(key=7),
    changed(key=...),
    changed(key="new-1", device_type="satellite <script>"),
    changed(key="new-1", device_type=["video"]),
)


def test_what_if__a_view_that_cannot_be__is_refused_with_a_fix(signed_in, study):
    planner = signed_in("N1")
    for change in VIEWS:
        answer = wish(planner, study, change)
        assert answer.status_code == 422, change
        assert all(one["message"] and one["fix"] for one in answer.get_json()["refusals"])


HOSTILE = (
    "",
    "[]",
    "null",
    "{",
    '{"changes": {}}',
    '{"changes": [1]}',
    '{"changes": null}',
    '{"changes": [{"key": "own-1", "azimuth_deg": NaN, "range_m": 10}]}',
    '{"changes": [{"key": "own-1", "range_m": 1e999}]}',
    '{"changes": ' + "[" * 5_000 + "]" * 5_000 + "}",
    '{"changes": [' + ",".join(['{"key": "own-1", "gone": true}'] * 2) + "]}",
    json.dumps({"changes": [{"key": f"new-{number}"} for number in range(60)]}),
    '{"changes": [{"key": "own-1\\u0000"}]}',
)


def test_what_if__hostile_json__is_refused_and_breaks_nothing(signed_in, study):
    planner = signed_in("N1")
    for body in HOSTILE:
        assert 400 <= raw_wish(planner, study, body).status_code < 500, body[:80]
        kept = post(planner, f"/planner/coverage/{study}/keep", {"changes": body})
        assert 400 <= kept.status_code < 500, body[:80]
    assert get(planner, f"/planner/coverage/{study}").status_code == 200


def test_tile__outside_the_pyramid_or_of_no_layer__is_refused(signed_in, study):
    for address in ("gap/30/1/1", "gap/1/2/0", "gap/-1/0/0", "gap/a/0/0", "gap/1/1/1e1", "zones/1/1/1"):
        answer = signed_in("N1").get(f"/planner/coverage/{study}/tiles/{address}.mvt")
        assert answer.status_code in (404, 422), address


def test_study_of_others__is_not_there_by_any_way(services, signed_in, study):
    with Session(services.engine) as db, db.begin():
        found = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == study)).one()
        found.authority_id = db.scalars(select(Authority.id).where(Authority.code != "A1")).first()
    planner = signed_in("N1")
    for page in PAGES:
        assert get(planner, f"/planner/coverage/{study}{page}").status_code == 404, page
    for step in STEPS:
        data = json.dumps({"changes": []}) if step == "what-if" else {"title": "x", "copy_title": "x"}
        answer = planner.post(f"/planner/coverage/{study}/{step}", data=data, headers={**SAME_ORIGIN, **HTML})
        assert answer.status_code == 404, step
    assert study not in get(planner, "/planner/coverage").text


def test_study_with_secret_devices__is_there_for_the_cleared_alone(services, signed_in, study):
    with Session(services.engine) as db, db.begin():
        found = db.scalars(select(CoverageStudy).where(CoverageStudy.public_id == study)).one()
        found.question = found.question | {"secret": True}
    for page in ("", "/devices.json", "/export/csv"):
        assert get(signed_in("N1"), f"/planner/coverage/{study}{page}").status_code == 404, page
    assert study not in get(signed_in("N1"), "/planner/coverage").text
    assert get(signed_in("O1"), f"/planner/coverage/{study}").status_code == 200
