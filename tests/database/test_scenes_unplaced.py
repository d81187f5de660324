"""An image that does not say where it lies waits in quarantine until somebody says it, with source and error."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click.testing import CliRunner
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.intake import Shelf, Told
from sensing.placing import StatedPlace
from sensing.taking_in import ingest_scene
from tests.database.test_scenes_ingest import TAKEN, to_utm
from tests.unit.sensing.pictures import noise, north_up, write_photo, write_tif
from web.cli.common import State
from web.cli.scene import scene as scene_group

PLACE = north_up(10.0, to_utm(113.265, 23.135))
WORD = {"error_m": 2.0, "source": "control survey 2025-14"}


@pytest.fixture
def shelf(services):
    return Shelf(services.data_dir)


@pytest.fixture
def ingest(work, shelf):
    def run(*files, flight=None, **told):
        with work("SYSTEM") as unit:
            done = ingest_scene(unit, shelf, files, told=Told(**told), flight_id=flight)
            if not done.known:
                unit.commit()
            return done

    return run


@pytest.fixture
def cli(services):
    def run(*arguments: object, lang: str = "en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(scene_group, [str(one) for one in arguments], obj=state, catch_exceptions=False)

    return run


def tif(path, **profile):
    return write_tif(path, noise(4, 120, 130), nodata=0, **{"transform": PLACE, "crs": None} | profile)


@pytest.fixture
def nowhere(tmp_path):
    """Pixels over PA1 and its privacy zone, with a transform and without a CRS."""
    return tif(tmp_path / "nowhere.tif")


LOCAL = 'LOCAL_CS["a room",UNIT["metre",1]]'
POINTS = [GroundControlPoint(row=r, col=c, x=113.0, y=23.0) for r, c in ((0, 0), (0, 129), (119, 0), (119, 129))]


@pytest.mark.parametrize(
    ("profile", "rule"),
    [
        ({}, "raster.crs"),
        ({"crs": "EPSG:32649", "transform": None}, "raster.transform"),
        ({"crs": LOCAL}, "raster.crs"),
        ({"transform": None, "gcps": (POINTS, CRS.from_epsg(4326))}, "raster.transform"),
        ({"crs": "EPSG:2334", "transform": north_up(10.0, (20_530_000.0, 2_560_000.0))}, "raster.datum"),
    ],
)
def test_ingest__place_that_cannot_be_known__kept_in_quarantine_with_the_reason(
    ingest, shelf, session, tmp_path, profile, rule
):
    done = ingest(tif(tmp_path / "a.tif", **profile))
    assert [one.rule for one in done.quarantined] == [rule]
    scene = session.scalars(select(t.Scene)).one()
    assert (scene.quarantine, scene.position_error_m, scene.authority_id) == ([rule], None, None)
    assert {one["en"]["rule"] for one in scene.header["refusals"]} == {rule}
    assert scene.header["refusals"][0]["zh"]["fix"]
    assert not session.scalars(select(t.Derivative)).all()
    assert shelf.originals.verify(scene.sha256)


def test_ingest__no_place__nothing_but_the_original_exists(ingest, shelf, nowhere, session):
    sha256 = ingest(nowhere).scene.sha256
    assert [one for one in shelf.root.rglob("*") if one.is_file()] == [shelf.originals.path(sha256)]
    scene = session.scalars(select(t.Scene)).one()
    assert (scene.crs, scene.footprint, scene.gsd_m, scene.sensor) == (None, None, None, "satellite")


def test_ingest__no_place_and_no_word_on_the_sensor__the_sensor_is_not_guessed(ingest, tmp_path, session):
    ingest(tif(tmp_path / "a.tif", tags={"SENSOR": ""}))
    assert session.scalars(select(t.Scene)).one().sensor == "unknown"


def test_ingest__no_place_twice_and_at_once__one_scene_and_one_event(ingest, nowhere, session):
    with ThreadPoolExecutor(2) as pool:
        done = [one.result() for one in [pool.submit(ingest, nowhere) for _ in range(2)]]
    assert sorted(one.known for one in done) == [False, True]
    assert ingest(nowhere).known
    assert len(session.scalars(select(t.Scene)).all()) == 1
    assert actions(session) == [("scene.ingest", ["raster.crs"])]


def actions(session) -> list[tuple[str, object]]:
    rows = session.execute(text("SELECT action, convert_from(body, 'UTF8') FROM ledger.event ORDER BY id")).all()
    told = [(action, json.loads(body)) for action, body in rows]
    return [(action, body.get("quarantined") or body.get("position")) for action, body in told]


def test_ingest__place_stated_later__masked_copy_in_use_and_one_event(ingest, nowhere, session, shelf):
    held = ingest(nowhere)
    freed = ingest(nowhere, place=StatedPlace.of("EPSG:32649", None, **WORD))
    assert freed.scene.public_id == held.scene.public_id
    assert freed.derivative.masked_pixels > 0
    session.expire_all()
    scene = session.scalars(select(t.Scene)).one()
    assert (scene.quarantine, scene.crs, scene.position_error_m) == (None, "EPSG:32649", 2.0)
    assert scene.header["position"] == {"basis": "stated", "source": "control survey 2025-14"}
    assert scene.header["place"] == {"crs": "EPSG:32649", "transform": None}
    assert "refusals" not in scene.header
    assert scene.authority_id == session.scalars(select(t.Authority.id).where(t.Authority.code == "A1")).one()
    assert scene.gsd_m == pytest.approx(10.0, rel=0.01)
    stated = {"basis": "stated", "source": "control survey 2025-14"}
    assert actions(session) == [("scene.ingest", ["raster.crs"]), ("scene.ingest", stated)]
    assert ingest(nowhere).known
    assert ingest(nowhere, place=StatedPlace.of("EPSG:32649", None, **WORD)).known


def test_ingest__world_file_and_crs__place_an_image_that_has_neither(ingest, tmp_path, session):
    path = tif(tmp_path / "a.tif", transform=None)
    ingest(path)
    a, b, c, d, e, f = tuple(PLACE)[:6]
    # A world file speaks of the middle of the first pixel.
    lines = "\n".join(str(one) for one in (a, d, b, e, c + a / 2 + b / 2, f + d / 2 + e / 2))
    freed = ingest(path, place=StatedPlace.of("EPSG:32649", lines.encode(), **WORD))
    assert freed.derivative.masked_pixels > 0
    assert session.scalars(select(t.Scene)).one().gsd_m == pytest.approx(10.0, rel=0.01)


def test_ingest__control_points_without_crs__placed_by_the_crs_that_is_stated(ingest, tmp_path):
    spread = [
        GroundControlPoint(row=r, col=c, x=(PLACE @ (c, r))[0], y=(PLACE @ (c, r))[1])
        for r in (0, 60, 120)
        for c in (0, 65, 130)
    ]
    path = tif(tmp_path / "a.tif", transform=None, gcps=(spread, CRS()))
    assert ingest(path).quarantined
    assert ingest(path, place=StatedPlace.of("EPSG:32649", None, **WORD)).derivative.masked_pixels > 0


def test_ingest__photo_without_pose__waits_and_is_placed_by_a_world_file(ingest, tmp_path, session):
    path = write_photo(tmp_path / "a.jpg", noise(3, 120, 130, high=250, dtype="uint8").transpose(1, 2, 0), lon=None)
    assert [one.rule for one in ingest(path).quarantined] == ["frame.pose"]
    x, y = PLACE @ (0.5, 0.5)
    lines = f"10\n0\n0\n-10\n{x}\n{y}\n".encode()
    assert ingest(path, place=StatedPlace.of("EPSG:32649", lines, **WORD)).derivative.masked_pixels > 0


@pytest.mark.parametrize(
    ("crs", "rule", "words"),
    [
        ("EPSG:32633", "raster.elsewhere", "no authority of this installation"),
        ("EPSG:4326", "raster.transform", "do not lie on the earth"),
    ],
)
def test_ingest__wrong_word_on_the_place__refused_with_a_fix_and_still_waiting(
    ingest, nowhere, session, crs, rule, words
):
    ingest(nowhere)
    with pytest.raises(RuleViolation) as caught:
        ingest(nowhere, place=StatedPlace.of(crs, None, **WORD))
    (refusal,) = caught.value.refusals
    assert refusal.rule == rule
    assert words in refusal.render("en")["message"]
    assert refusal.render("zh")["fix"]
    assert session.scalars(select(t.Scene)).one().quarantine == ["raster.crs"]


@pytest.fixture
def flight_on_paper(database):
    """A flight of R1 that nobody has flown."""
    engine = database.admin_engine()
    with Session(engine) as session:
        route = session.scalars(select(t.PatrolRoute).where(t.PatrolRoute.code == "R1")).one()
        session.add(
            t.Flight(
                id=uuid.uuid4(),
                public_id="FL-PAPER",
                origin="sample",
                state="filed",
                authority_id=route.authority_id,
                inspection_plan_id=session.scalars(select(t.InspectionPlan.id)).one(),
                route_id=route.id,
                route_version=1,
                drone_id=session.scalars(select(t.Drone.device_id)).one(),
                pilot_id=session.scalars(select(t.Person.id).where(t.Person.code == "F1")).one(),
                during=Range(TAKEN, TAKEN + timedelta(minutes=20)),
                plan_name="r1.plan",
                plan_bytes=b"{}",
                plan_digest="0" * 64,
                mission_digest=route.mission_digest,
            )
        )
        session.commit()
    engine.dispose()
    return "FL-PAPER"


def test_GD_36_1__place_stated_for_an_image_of_a_flight_that_was_not_flown__stays_in_quarantine(
    ingest, nowhere, session, flight_on_paper
):
    ingest(nowhere, flight=flight_on_paper)
    with pytest.raises(RuleViolation) as caught:
        ingest(nowhere, place=StatedPlace.of("EPSG:32649", None, **WORD))
    assert {one.rule for one in caught.value.refusals} == {"GD-36.1"}
    assert session.scalars(select(t.Scene)).one().quarantine == ["raster.crs"]


@pytest.mark.parametrize("missing", ["--position-error-m", "--position-source"])
def test_scene_ingest__crs_without_error_or_source__wrong_usage(cli, nowhere, missing):
    said = {"--position-error-m": "2", "--position-source": "survey"}
    rest = [word for pair in said.items() if pair[0] != missing for word in pair]
    told = cli("ingest", nowhere, "--crs", "EPSG:32649", *rest)
    assert (told.exit_code, missing in told.output) == (2, True)


def test_scene_quarantine__what_waits__with_reason_and_fix_in_both_languages(cli, nowhere, tmp_path):
    nameless = tif(tmp_path / "map.tif", crs="EPSG:32649", tags={"SENSOR": ""})
    assert cli("ingest", nowhere).exit_code == 1
    cli("ingest", nameless)
    told = cli("quarantine").output
    assert "nowhere.tif" in told
    assert "does not say where on the earth it lies" in told
    assert "--crs" in told
    assert "--sensor" in told
    assert "影像未包含任何地理位置信息" in cli("quarantine", lang="zh").output
    plain = json.loads(cli("quarantine", "--json").output)
    assert [one["rules"] for one in plain] == [["raster.position"], ["raster.crs"]]
    told = cli("ingest", nowhere, "--crs", "EPSG:32649", "--position-error-m", "2", "--position-source", "survey 14")
    assert told.exit_code == 0, told.output
    assert "nowhere.tif" not in cli("quarantine").output
