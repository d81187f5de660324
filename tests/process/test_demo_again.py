"""A demo that was cut off in the middle and is started again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.web.findings import make_findings
from web.demo.flying import end_leftovers
from web.demo.looking import look
from web.demo.story import Story


@pytest.mark.parametrize(
    ("left", "ended"), [("cleared", "cancelled"), ("uploaded", "aborted"), ("airborne", "aborted")]
)
def test_flight_that_was_left__is_ended_and_holds_the_aircraft_no_more(house, cleared, admin, left, ended):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.flight SET state = %s WHERE public_id = %s", (left, cleared))
    assert end_leftovers(house) == 1
    assert admin.execute("SELECT state FROM core.flight WHERE public_id = %s", (cleared,)).fetchone() == (ended,)
    assert end_leftovers(house) == 0


def test_scene_that_was_read__is_not_read_again(services, tmp_path):
    make_findings(services, tmp_path, count=0)
    told = []
    for _ in range(2):
        story = Story(print)
        look(services, story, "pair", [tmp_path / "after.tif"], before=tmp_path / "before.tif")
        told.append([row for row in story.rows if row.what.startswith("findings")])
    assert told[0] == told[1]
    with services.session() as session:
        found = session.execute(text("SELECT count(*) FROM core.segmentation_run")).scalar_one()
    assert found == 1


def test_story__is_told_again_only_of_its_own_database(tmp_path):
    path = tmp_path / "demo.json"
    story = Story(print)
    assert not story.recall(path, "a")
    story.tell("flight", "landed", "1 m")
    story.keep(path, "a")
    assert Story(print).recall(path, "a")
    assert not Story(print).recall(path, "b")
    for half in ("", "{", "[]", '{"of": "a"}', '{"of": "a", "rows": []}'):
        path.write_text(half)
        assert not Story(print).recall(path, "a")
