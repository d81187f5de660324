"""Zones from the command line: added, asked for, decided, in both languages (GD-15, G-36)."""

import json

import pytest
from click.testing import CliRunner
from shapely.geometry import box, mapping
from sqlalchemy import select

from schemas.refusals import RuleViolation
from schemas.tables import PrivacyZone, ZoneRequest
from web.cli.common import State
from web.cli.zone import zone

PLACE = box(113.2630, 23.1320, 113.2634, 23.1324)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "place.geojson"
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": mapping(PLACE)}))
    return str(path)


@pytest.fixture
def run(services):
    def call(*words, lang="en"):
        state = State(lang)
        state._services = services
        result = CliRunner().invoke(zone, list(words), obj=state)
        if isinstance(result.exception, RuleViolation):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


NAMED = ("--kind", "dormitory", "--name-en", "a home", "--name-zh", "住宅")
ASKED = (
    "--authority",
    "A1",
    "--place",
    "7 Lane",
    "--reason",
    "a home",
    "--asked-by",
    "X",
    "--contact",
    "x@example.org",
)
TOLD = ("--reasons", "it is one", "--told-en", "A home.", "--told-zh", "住宅。", "--name-en", "h", "--name-zh", "宅")


def test_zone_add__holds_and_says_what_it_touches(run, file, session):
    told = run("add", file, *NAMED, "--as", "H1")
    (made,) = session.scalars(select(PrivacyZone).where(PrivacyZone.kind == "dormitory")).all()
    assert f"{made.public_id} holds." in told
    assert "to be looked at: patrol area" in told
    assert "待核查：巡查区域" in run("add", file, *NAMED, "--as", "H1", lang="zh")


def test_zone_add__hidden__shown_by_one_shape_each_time(run, file, session):
    for _ in range(2):
        assert json.loads(run("add", file, *NAMED, "--hide", "--json", "--as", "H1"))["ok"]
    zones = session.scalars(select(PrivacyZone).where(PrivacyZone.sensitive)).all()
    assert len({str(made.geom) for made in zones}) == 1
    assert all(str(made.exact_geom) != str(made.geom) for made in zones)


def test_zone_add__without_the_role__403(run, file):
    with pytest.raises(RuleViolation) as caught:
        run("add", file, *NAMED, "--as", "O1")
    assert caught.value.status == 403


@pytest.mark.parametrize(("lang", "none"), [("en", "Nothing waits."), ("zh", "没有待决定的申请。")])
def test_zone_ask_and_decide__one_granted_one_refused(run, file, session, lang, none):
    first, second = (json.loads(run("ask", file, *ASKED, "--json", "--as", "N1"))["id"] for _ in range(2))
    waiting = run("requests", lang=lang)
    assert first in waiting
    assert "7 Lane" in waiting
    run("decide", first, "--grant", *TOLD, "--as", "H1", lang=lang)
    run("decide", second, "--refuse", *TOLD, "--as", "H1", lang=lang)
    states = {row.public_id: row.state for row in session.scalars(select(ZoneRequest))}
    assert states == {first: "granted", second: "refused"}
    assert none in run("requests", lang=lang)


def test_zone_ask__a_file_that_is_no_polygon__refused(run, tmp_path):
    path = tmp_path / "x.geojson"
    path.write_text('{"type": "Point", "coordinates": [113.2, 23.1]}')
    with pytest.raises(RuleViolation):
        run("ask", str(path), *ASKED, "--as", "N1")
