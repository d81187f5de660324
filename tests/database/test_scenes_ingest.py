"""Scenes are taken in: masked before stored, once per content, bound to their flight or quarantined."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from geoalchemy2.shape import from_shape, to_shape
from pyproj import Transformer
from shapely.geometry import box
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.derivative import open_derivative
from sensing.intake import Shelf, Told
from sensing.taking_in import ingest_scene
from tests.unit.sensing.pictures import noise, north_up, write_photo, write_tif
from tests.world import PA1, Z1
from web.cli import scene_ingest
from web.cli.common import State

TAKEN = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def shelf(services):
    return Shelf(services.data_dir)


@pytest.fixture
def ingest(work, shelf):
    def run(*files, flight=None, by="SYSTEM", **told):
        with work(by) as unit:
            done = ingest_scene(unit, shelf, files, told=Told(**told), flight_id=flight)
            if not done.known:
                unit.commit()
            return done

    return run


def to_utm(lon: float, lat: float) -> tuple[float, float]:
    return Transformer.from_crs(4326, 32649, always_xy=True).transform(lon, lat)


@pytest.fixture
def satellite(tmp_path):
    """A scene of 10 m over PA1, privacy zone Z1 in the middle of it."""
    corner = to_utm(113.265, 23.135)
    return write_tif(
        tmp_path / "after.tif",
        noise(4, 120, 130),
        transform=north_up(10.0, corner),
        nodata=0,
        tags={"TIFFTAG_DATETIME": "2025:07:02 02:00:00"},
    )


def test_ingest__satellite_scene__masked_copy_and_facts(ingest, shelf, satellite, session):
    done = ingest(satellite)
    scene = session.get_one(t.Scene, done.scene.id)
    assert (scene.sensor, scene.captured_at, scene.quarantine) == ("satellite", TAKEN, None)
    assert scene.gsd_m == pytest.approx(10.0, rel=0.01)
    assert scene.authority_id == session.scalars(select(t.Authority.id).where(t.Authority.code == "A1")).one()
    copy = session.scalars(select(t.Derivative)).one()
    assert (copy.surviving_pixels, copy.zone_ids) == (0, ["PZ-Z1"])
    assert copy.masked_pixels > 100
    assert copy.band_roles == ["red", "green", "blue", "nir"]
    with open_derivative(shelf.derivatives.get(copy.sha256)) as stored:
        x, y = to_utm(*Z1.centroid.coords[0])
        assert next(stored.sample([(x, y)])).tolist() == [0, 0, 0, 0]
    assert shelf.originals.verify(scene.sha256)


def test_GD_43__every_stored_artefact__holds_no_pixel_of_the_zone(ingest, shelf, tmp_path):
    """A zone painted in a colour that occurs nowhere else leaves no trace in any file but the original."""
    corner = to_utm(113.265, 23.135)
    data = np.full((3, 600, 650), 90, np.uint8)
    left, top = (int(v) for v in ~north_up(2.0, corner) @ to_utm(113.2695, 23.1305))
    right, bottom = (int(v) for v in ~north_up(2.0, corner) @ to_utm(113.2705, 23.1295))
    data[:, top + 2 : bottom - 1, left + 2 : right - 1] = 251
    sha256 = ingest(write_tif(tmp_path / "a.tif", data, transform=north_up(2.0, corner))).scene.sha256
    stored = [path for path in shelf.root.rglob("*") if path.is_file() and path != shelf.originals.path(sha256)]
    assert stored
    for path in stored:
        with rasterio.open(path) as image:
            levels = [None, *range(len(image.overviews(1)))]
        for level in levels:
            with rasterio.open(path, **({} if level is None else {"overview_level": level})) as image:
                assert image.read().max() < 200


def test_ingest__same_bytes_twice__one_scene(ingest, satellite, session, tmp_path):
    first = ingest(satellite)
    renamed = tmp_path / "renamed.tif"
    renamed.write_bytes(satellite.read_bytes())
    again = ingest(renamed)
    assert again.known
    assert again.scene.id == first.scene.id
    assert again.derivative.id == first.derivative.id
    assert len(session.scalars(select(t.Scene)).all()) == 1


def test_ingest__same_bytes_at_the_same_moment__one_scene(ingest, satellite, session):
    with ThreadPoolExecutor(3) as pool:
        done = [one.result() for one in [pool.submit(ingest, satellite) for _ in range(3)]]
    assert sorted(one.known for one in done) == [False, True, True]
    assert len({one.scene.id for one in done}) == 1
    assert len(session.scalars(select(t.Scene)).all()) == 1


def test_ingest__same_bytes_with_other_bands__one_scene_with_a_new_copy(ingest, satellite, session):
    first = ingest(satellite)
    again = ingest(satellite, bands=("nir", "red", "green", "blue"))
    assert (again.known, again.scene.id) == (False, first.scene.id)
    assert again.derivative.band_roles == ["nir", "red", "green", "blue"]
    assert again.derivative.masked_pixels == first.derivative.masked_pixels > 0
    third = ingest(satellite, bands=("nir", "red", "green", "blue"))
    assert (third.known, third.derivative.id) == (True, again.derivative.id)
    assert session.scalars(text("SELECT action FROM ledger.event")).all() == ["scene.ingest"] * 2


def test_ingest__time_told_later__the_scene_has_it_and_keeps_its_copy(ingest, tmp_path, session):
    path = write_tif(tmp_path / "a.tif", noise(4, 30, 30))
    first = ingest(path)
    assert first.scene.captured_at is None
    again = ingest(path, captured_at=TAKEN)
    assert (again.known, again.scene.id, again.derivative.id) == (False, first.scene.id, first.derivative.id)
    assert session.scalars(select(t.Scene)).one().captured_at == TAKEN
    assert session.scalars(text("SELECT action FROM ledger.event")).all() == ["scene.ingest"] * 2
    # A time that is known stays: another one is another image, or a mistake.
    third = ingest(path, captured_at=TAKEN - timedelta(days=1))
    assert (third.known, third.scene.captured_at) == (True, TAKEN)


def test_ingest__time_told_later_still_to_come__refused(ingest, tmp_path, session):
    path = write_tif(tmp_path / "a.tif", noise(4, 30, 30))
    ingest(path)
    with pytest.raises(RuleViolation) as caught:
        ingest(path, captured_at=TAKEN + timedelta(days=9))
    assert caught.value.refusals[0].rule == "scene.future"


def test_ingest__same_bytes_of_a_quarantined_scene__stay_in_quarantine(ingest, flight, tmp_path, session):
    path = photo(tmp_path / "a.jpg", lon=113.2902)
    ingest(path, flight=flight, hfov_deg=70.0)
    again = ingest(path, flight=flight, hfov_deg=70.0, bands=("blue", "green", "red"))
    assert (again.known, again.scene.quarantine, again.derivative) == (True, ["GD-36.1"], None)
    assert session.scalars(select(t.Derivative)).all() == []


@pytest.mark.parametrize("name", ["new\nline.tif", "bell\a.tif", "red\x1b[31m.tif", "latin-\udcff.tif"])
def test_ingest__name_that_no_screen_can_show__is_taken_without_those_letters(ingest, session, tmp_path, name):
    done = ingest(write_tif(tmp_path / "a.tif", noise(3, 20, 20)).rename(tmp_path / name))
    kept = session.get_one(t.Scene, done.scene.id).file_name
    assert kept.isprintable()
    assert kept.endswith(".tif")


def test_ingest__refused_image__leaves_nothing(ingest, shelf, session, tmp_path):
    with pytest.raises(RuleViolation, match=r"raster\.transform: "):
        ingest(write_tif(tmp_path / "a.tif", noise(3, 20, 20), transform=north_up(1e6)))
    assert session.scalars(select(t.Scene)).all() == []
    assert [path for path in shelf.root.rglob("*") if path.is_file()] == []


def test_ingest__all_void__refused_clearly(ingest, tmp_path):
    with pytest.raises(RuleViolation) as caught:
        ingest(write_tif(tmp_path / "a.tif", np.zeros((3, 40, 40), np.uint8), nodata=0))
    assert caught.value.refusals[0].rule == "raster.empty"


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1), (4, 1, 300)])
def test_ingest__tiny_image__is_taken(ingest, tmp_path, shape):
    assert ingest(write_tif(tmp_path / "a.tif", noise(*shape))).derivative is not None


def end_zone(database, at: datetime):
    engine = database.admin_engine()
    with Session(engine) as session:
        session.scalars(select(t.PrivacyZone)).one().valid_to = at
        session.commit()
    engine.dispose()


def test_GD_43__zone_made_after_capture_and_in_force_now__is_burnt(ingest, satellite):
    assert ingest(satellite, captured_at=datetime(2025, 4, 1, tzinfo=UTC)).derivative.masked_pixels > 100


def test_GD_43__zone_that_ended_after_capture__is_burnt(ingest, satellite, database):
    end_zone(database, datetime(2025, 6, 1, tzinfo=UTC))
    assert ingest(satellite, captured_at=datetime(2025, 5, 15, tzinfo=UTC)).derivative.masked_pixels > 100


def test_ingest__zone_that_ended_before_capture__is_not_burnt(ingest, satellite, database):
    end_zone(database, datetime(2025, 6, 1, tzinfo=UTC))
    assert ingest(satellite, captured_at=datetime(2025, 6, 2, tzinfo=UTC)).derivative.masked_pixels == 0


def test_GD_43__buffer_of_a_zone_beside_the_image_far_north__is_burnt(ingest, tmp_path, database):
    """At 75 degrees north, the widest buffer reaches over 0.035 degrees of longitude."""
    engine = database.admin_engine()
    with Session(engine) as session:
        session.add(
            t.PrivacyZone(
                public_id="PZ-NORTH",
                kind="toilet",
                name_en="North (fictional)",
                name_zh="北（虚构）",
                geom=from_shape(box(20.0, 75.0, 20.001, 75.001), srid=4326),
                buffer_m=1000.0,
                source="survey",
                valid_from=datetime(2025, 5, 1, tzinfo=UTC),
            )
        )
        session.commit()
    engine.dispose()
    transform = Affine.translation(20.031, 75.002) @ Affine.scale(2e-5, -1e-5)
    path = write_tif(tmp_path / "a.tif", noise(3, 300, 300), crs="EPSG:4326", transform=transform)
    assert ingest(path, captured_at=TAKEN).derivative.masked_pixels > 0


def test_ingest__time_unknown__every_zone_is_burnt(ingest, tmp_path):
    corner = to_utm(113.265, 23.135)
    done = ingest(write_tif(tmp_path / "a.tif", noise(3, 120, 130), transform=north_up(10.0, corner)))
    assert done.scene.captured_at is None
    assert done.derivative.masked_pixels > 0


def test_ingest__writes_one_ledger_event(ingest, satellite, session):
    ingest(satellite)
    rows = session.execute(text("SELECT action, subject_kind FROM ledger.event")).all()
    assert rows == [("scene.ingest", "scene")]


# -- with a flight ------------------------------------------------------------------------------


@pytest.fixture
def flight(database):
    """A landed flight of R1, in the air from 10:00 to 10:20 local time on 2025-07-02."""
    engine = database.admin_engine()
    with Session(engine) as session:
        route = session.scalars(select(t.PatrolRoute).where(t.PatrolRoute.code == "R1")).one()
        made = t.Flight(
            id=uuid.uuid4(),
            public_id="FL-TEST",
            origin="sample",
            state="landed",
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
            airborne_at=TAKEN,
            landed_at=TAKEN + timedelta(minutes=20),
        )
        session.add(made)
        session.commit()
    engine.dispose()
    return "FL-TEST"


def photo(path, *, lon=113.27, lat=23.125, taken="2025:07:02 10:05:00", shade=120, heading_deg=90.0):
    pixels = np.full((150, 200, 3), shade, np.uint8)
    return write_photo(path, pixels, lon=lon, lat=lat, taken=taken, heading_deg=heading_deg)


def test_ingest__photos_of_the_flight__one_scene_bound_to_it(ingest, flight, tmp_path, session):
    names = [photo(tmp_path / f"{i}.jpg", lon=113.27 + i * 0.0005, shade=100 + i) for i in range(3)]
    done = ingest(*names, flight=flight, hfov_deg=70.0)
    scene = session.get_one(t.Scene, done.scene.id)
    assert done.quarantined == ()
    assert (scene.sensor, scene.flight.public_id, len(scene.frame_hashes)) == ("uav", flight, 3)
    assert scene.captured_at == datetime(2025, 7, 2, 2, 5, 0, 250_000, tzinfo=UTC)
    assert scene.position_error_m > 0
    assert PA1.contains(to_shape(scene.footprint))


def test_ingest__photos_in_another_order__same_scene(ingest, flight, tmp_path):
    names = [photo(tmp_path / f"{i}.jpg", shade=100 + i) for i in range(2)]
    first = ingest(*names, flight=flight, hfov_deg=70.0)
    assert ingest(*reversed(names), flight=flight, hfov_deg=70.0).scene.id == first.scene.id


def rules(done) -> list[str]:
    return [refusal.text for refusal in done.quarantined]


def test_GD_36_1__taken_outside_the_published_area__quarantined(ingest, flight, tmp_path, session, shelf):
    done = ingest(photo(tmp_path / "a.jpg", lon=113.2902), flight=flight, hfov_deg=70.0)
    assert rules(done) == ["scene.outside_area"]
    assert done.quarantined[0].place is not None
    assert session.get_one(t.Scene, done.scene.id).quarantine == ["GD-36.1"]
    assert session.scalars(select(t.Derivative)).all() == []
    assert shelf.originals.verify(done.scene.sha256)


@pytest.mark.parametrize("taken", ["2025:07:02 09:59:00", "2025:07:02 10:21:00", "2025:07:03 10:05:00"])
def test_GD_36_1__taken_outside_the_time_in_the_air__quarantined(ingest, flight, tmp_path, taken):
    assert rules(ingest(photo(tmp_path / "a.jpg", taken=taken), flight=flight, hfov_deg=70.0)) == ["scene.outside_time"]


def test_GD_36_1__wrong_time_and_place__both_reasons(ingest, flight, tmp_path):
    name = photo(tmp_path / "a.jpg", lon=113.30, taken="2025:07:01 10:05:00")
    assert rules(ingest(name, flight=flight, hfov_deg=70.0)) == ["scene.outside_time", "scene.outside_area"]


def test_GD_36_1__image_without_a_time__quarantined(ingest, flight, tmp_path):
    path = write_tif(tmp_path / "a.tif", noise(3, 60, 60), transform=north_up(0.5, to_utm(113.27, 23.125)))
    assert rules(ingest(path, flight=flight)) == ["scene.no_time"]


def test_GD_36_1__flight_that_never_flew__quarantined(ingest, flight, tmp_path, database):
    engine = database.admin_engine()
    with Session(engine) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE core.flight SET state = 'cleared'"))
        session.commit()
    engine.dispose()
    assert rules(ingest(photo(tmp_path / "a.jpg"), flight=flight, hfov_deg=70.0)) == ["scene.not_flown"]


def test_GD_36_1__photo_the_aircraft_did_not_record__quarantined(ingest, flight, tmp_path, database):
    engine = database.admin_engine()
    with Session(engine) as session:
        row = session.scalars(select(t.Flight)).one()
        session.add(
            t.FlightFrame(
                public_id="FF-1",
                flight_id=row.id,
                sha256="1" * 64,
                file_name="x.jpg",
                captured_at=TAKEN,
                geom=from_shape(PA1.centroid, srid=4326),
            )
        )
        session.commit()
    engine.dispose()
    assert rules(ingest(photo(tmp_path / "a.jpg"), flight=flight, hfov_deg=70.0)) == ["scene.not_taken"]


def test_ingest__photo_of_pixels_finer_than_any_sensor__refused(ingest, tmp_path):
    pixels = np.full((150, 200, 3), 90, np.uint8)
    with pytest.raises(RuleViolation) as caught:
        ingest(write_photo(tmp_path / "a.jpg", pixels, focal_35mm=65_000))
    assert caught.value.refusals[0].text == "raster.resolution"


def test_ingest__time_still_to_come__refused(ingest, satellite):
    with pytest.raises(RuleViolation) as caught:
        ingest(satellite, captured_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert caught.value.refusals[0].rule == "scene.future"


@pytest.mark.parametrize("year", [1, 1857])
def test_ingest__time_before_any_image_was_taken_from_the_air__refused(ingest, satellite, year):
    with pytest.raises(RuleViolation) as caught:
        ingest(satellite, captured_at=datetime(year, 1, 1, tzinfo=UTC))
    assert caught.value.refusals[0].rule == "scene.too_early"


@pytest.mark.parametrize("option", ["--position-error-m", "--hfov-deg"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_scene_ingest__number_that_is_none__usage_error(satellite, option, number):
    told = CliRunner().invoke(scene_ingest.ingest, [str(satellite), f"{option}={number}"], obj=State("en"))
    assert (told.exit_code, "is not" in told.output) == (2, True)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:00:00-08:00"])
def test_scene_ingest__time_that_no_year_in_UTC_holds__usage_error(satellite, at):
    told = CliRunner().invoke(scene_ingest.ingest, [str(satellite), "--captured-at", at], obj=State("en"))
    assert (told.exit_code, "outside the years" in told.output) == (2, True)


@pytest.fixture
def nameless(tmp_path):
    """An image with a place and without a word on who took it, over PA1 and its privacy zone."""
    place = north_up(10.0, to_utm(113.265, 23.135))
    return write_tif(tmp_path / "map.tif", noise(4, 120, 130), transform=place, nodata=0, tags={"SENSOR": ""})


def test_ingest__sensor_that_nobody_names__kept_in_quarantine_and_never_used(ingest, nameless, shelf, session):
    done = ingest(nameless)
    assert [one.rule for one in done.quarantined] == ["raster.position"]
    assert "--position-error-m" in done.quarantined[0].render("en")["fix"]
    scene = session.scalars(select(t.Scene)).one()
    assert (scene.quarantine, scene.position_error_m) == (["raster.position"], None)
    assert not session.scalars(select(t.Derivative)).all()
    assert shelf.originals.verify(scene.sha256)
    assert ingest(nameless).known


@pytest.mark.parametrize(
    ("told", "basis", "error_m"),
    [({"position_error_m": 3.0}, "stated", 3.0), ({"sensor": "satellite"}, "usual", 12.5)],
)
def test_ingest__position_stated_later__out_of_quarantine_and_masked(ingest, nameless, session, told, basis, error_m):
    held = ingest(nameless)
    freed = ingest(nameless, **told)
    assert freed.scene.public_id == held.scene.public_id
    assert freed.derivative.masked_pixels > 0
    scene = session.scalars(select(t.Scene)).one()
    assert (scene.quarantine, scene.position_error_m, scene.header["position"]["basis"]) == (None, error_m, basis)
    # The word stays with the scene: other bands need not be told with it.
    corrected = ingest(nameless, bands=("blue", "green", "red", "nir"))
    assert corrected.derivative.band_roles[0] == "blue"
    assert corrected.scene.position_error_m == error_m


def test_GD_36_1__position_stated_for_a_scene_against_the_law__stays_in_quarantine(ingest, flight, nameless, session):
    held = ingest(nameless, flight=flight)
    assert {one.rule for one in held.quarantined} == {"GD-36.1", "raster.position"}
    assert ingest(nameless, position_error_m=3.0).known
    assert session.scalars(select(t.Scene)).one().quarantine == ["GD-36.1", "raster.position"]


def test_ingest__unknown_flight__refused(ingest, satellite):
    with pytest.raises(RuleViolation) as caught:
        ingest(satellite, flight="FL-NONE")
    assert caught.value.status == 404


def test_ingest__photo_and_map_together__refused(ingest, tmp_path, satellite):
    with pytest.raises(RuleViolation) as caught:
        ingest(satellite, photo(tmp_path / "a.jpg"), hfov_deg=70.0)
    assert caught.value.refusals[0].rule == "frame.mixed"
