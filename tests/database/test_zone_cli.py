"""Zones from the command line: added, asked for, decided, in both languages (GD-15, G-36)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from shapely.geometry import box, mapping
from sqlalchemy import select, text

from schemas.refusals import RuleViolation
from schemas.tables import Authority, PrivacyZone, ZoneRequest
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
    with pytest.raises(RuleViolation, match=r"geometry\.type: "):
        run("ask", str(path), *ASKED, "--as", "N1")


@pytest.fixture
def now(clock):
    """A moment ago, for the database judges by its own time when a zone may end; calling it lets a minute pass."""
    clock.advance(datetime.now(UTC) - timedelta(minutes=3) - clock.now())
    return lambda: clock.advance(timedelta(minutes=1))


def zones_now(services):
    with services.public() as public:
        return set(public.execute(text("SELECT public_id FROM public_map.privacy_zones")).scalars())


def made_zone(run, file):
    return json.loads(run("add", file, *NAMED, "--as", "H1", "--json"))["id"]


def test_GD_15__zone_ended__holds_no_more_and_the_ledger_says_why(now, run, file, services, admin):
    name = made_zone(run, file)
    assert name in zones_now(services)
    now()
    assert f"{name} ends on" in run("end", name, "--reason", "The bath has closed", "--as", "H1")
    assert name not in zones_now(services)
    (body,) = admin.execute("SELECT convert_from(body, 'UTF8') FROM ledger.event WHERE action = 'privacy_zone.end'")
    assert "The bath has closed" in body[0]
    with pytest.raises(RuleViolation) as caught:
        run("end", name, "--reason", "again", "--as", "H1")
    assert [refusal.text for refusal in caught.value.refusals] == ["zone.ended"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--reason", " ", "--as", "H1"), "machine.reason"),
        (("--reason", "x", "--at", "2026-01-01T10:00+08:00", "--as", "H1"), "zone.end_past"),
        (("--reason", "x", "--as", "O1"), "machine.role"),
    ],
)
def test_GD_15__zone_ended_wrongly__refused(now, run, file, services, words, told):
    name = made_zone(run, file)
    with pytest.raises(RuleViolation) as caught:
        run("end", name, *words)
    assert [refusal.text for refusal in caught.value.refusals] == [told]
    assert name in zones_now(services)


def test_GD_15__zone_that_is_not_there__404(run):
    with pytest.raises(RuleViolation) as caught:
        run("end", "PZ-NONE", "--reason", "x", "--as", "H1")
    assert caught.value.status == 404


def test_GD_15__zone_of_a_request__ended_by_who_granted_it_alone(now, run, file, services):
    from tests.world import World

    with services.housekeeping() as db:
        other = db.scalars(select(Authority).where(Authority.code == "A2")).one()
        World(db).person("H4", "unit_head", other)
    request = json.loads(run("ask", file, *ASKED, "--as", "O1", "--json"))["id"]
    name = json.loads(run("decide", request, "--grant", *TOLD, "--as", "H1", "--json"))["id"]
    with pytest.raises(RuleViolation) as caught:
        run("end", name, "--reason", "x", "--as", "H4")
    assert caught.value.status == 403
    now()
    run("end", name, "--reason", "The family moved away", "--as", "H1")
    assert name not in zones_now(services)
