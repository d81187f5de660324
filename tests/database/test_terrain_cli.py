"""`skywarden terrain` as people type it: a model comes in through quarantine, and flights know their heights."""

import hashlib
import json
import math

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio import Affine
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from flights.formats import write_plan
from flights.ground import TERRAIN_FILE
from flights.model import Frame
from geo.terrain import Terrain
from tests.situations import R1, drawn
from web import terrain as models
from web.cli.common import State
from web.cli.plan import plan
from web.cli.terrain import terrain

AT = "2025-07-02T10:00+08:00"
DISTRICT = Affine(0.005, 0, 113.20, 0, -0.005, 23.22)


@pytest.fixture
def run(services):
    def call(command, *arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(command, [str(a) for a in arguments], obj=state, catch_exceptions=True)

    return call


@pytest.fixture
def dem(tmp_path):
    """`dem(12.0)` is a level elevation model around R1."""

    def write(height_m=12.0, name="dem.tif", transform=DISTRICT, **told):
        shape = {"driver": "GTiff", "width": 32, "height": 28, "count": 1, "dtype": "int16", "nodata": -32768}
        cells = np.full((28, 32), height_m)
        cells[-1, -1] = told.get("nodata", -32768)
        path = tmp_path / name
        with rasterio.open(path, "w", **(shape | {"crs": "EPSG:4490", "transform": transform} | told)) as target:
            target.write(cells.astype(target.dtypes[0]), 1)
        return path

    return write


@pytest.fixture
def route(tmp_path):
    """R1 at 112 m above the sea: 100 m above a ground of 12 m, which only an elevation model can tell."""
    path = tmp_path / "r1.plan"
    path.write_bytes(write_plan(drawn(R1, 112.0, Frame.GLOBAL), ".plan"))
    return path


def body(result):
    return json.loads(result.stdout)


def imports(services):
    with services.session() as session:
        return session.execute(
            text("SELECT actor, origin, body FROM ledger.event WHERE action = 'terrain.import' ORDER BY id")
        ).all()


def test_plan_check__before_and_after_the_import__knows_the_height(run, services, dem, route):
    before = run(plan, "check", route, "--at", AT, "--json")
    unknown = next(r for r in body(before)["refusals"] if "elevation model" in r["fix"])
    assert before.exit_code == 1
    assert "skywarden terrain import FILE" in unknown["fix"]
    assert run(terrain, "import", dem()).exit_code == 0
    assert run(plan, "check", route, "--at", AT).exit_code == 0
    assert run(terrain, "import", dem(60.0)).exit_code == 0
    assert run(plan, "check", route, "--at", AT).exit_code == 1


def test_import__is_recorded_once_and_show_tells_the_same(run, services, dem):
    file = dem()
    imported = body(run(terrain, "import", file, "--json"))
    placed = services.data_dir / TERRAIN_FILE
    assert imported["sha256"] == hashlib.sha256(placed.read_bytes()).hexdigest()
    assert imported["source_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert imported["bounds"] == pytest.approx([113.20, 23.08, 113.36, 23.22])
    assert (imported["crs"], imported["vertical_datum"], imported["before"]) == ("EPSG:4490", "unknown", None)
    assert (imported["lowest_m"], imported["highest_m"]) == (12.0, 12.0)
    assert imported["void_share"] == pytest.approx(1 / (28 * 32), abs=1e-6)
    model = body(run(terrain, "show", "--json"))["model"]
    assert model == {name: imported[name] for name in model}
    ((actor, origin, recorded),) = imports(services)
    assert (actor, origin) == ("host", "live")
    assert json.loads(recorded) == model | {"source_sha256": imported["source_sha256"], "vertical_datum": "unknown"}


def test_import__again__keeps_the_model_before(run, services, dem):
    first = body(run(terrain, "import", dem(), "--json"))
    second = body(run(terrain, "import", dem(30.0), "--json"))
    assert second["before"] == f"terrain-{first['sha256'][:12]}.tif"
    kept = services.data_dir / second["before"]
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == first["sha256"]
    assert sorted(path.name for path in services.data_dir.glob("terrain*")) == sorted([kept.name, TERRAIN_FILE])
    assert len(imports(services)) == 2


def test_flight_in_the_air__goes_on_with_the_file_that_it_opened(run, services, dem):
    run(terrain, "import", dem())
    place = np.array([113.26]), np.array([23.125])
    with Terrain.open(services.data_dir / TERRAIN_FILE) as opened:
        run(terrain, "import", dem(30.0))
        assert opened.heights_m(*place) == 12.0
    with Terrain.open(services.data_dir / TERRAIN_FILE) as anew:
        assert anew.heights_m(*place) == 30.0


@pytest.mark.parametrize("point", [False, True])
def test_import__rotated_or_pixel_is_point__heights_stay_where_they_were(run, services, tmp_path, point):
    turn = math.radians(0 if point else 30)
    where = Affine(
        0.001 * math.cos(turn), 0.001 * math.sin(turn), 113.2, 0.001 * math.sin(turn), -0.001 * math.cos(turn), 23.2
    )
    cells = np.arange(2000, dtype=np.float64).reshape(40, 50)
    file = tmp_path / "dem.tif"
    shape = {"driver": "GTiff", "width": 50, "height": 40, "count": 1, "dtype": "float64", "crs": "EPSG:4326"}
    with rasterio.open(file, "w", transform=where, **shape) as target:
        if point:
            target.update_tags(AREA_OR_POINT="Point")
        target.write(cells, 1)
    assert run(terrain, "import", file).exit_code == 0
    lon, lat = where @ (20.5, 10.5)
    with Terrain.open(services.data_dir / TERRAIN_FILE) as model:
        assert model.heights_m(np.array([lon]), np.array([lat])) == pytest.approx(cells[10, 20], abs=1e-3)


def test_import__refused__nothing_placed_nothing_recorded(run, services, dem):
    run(terrain, "import", dem())
    before = (services.data_dir / TERRAIN_FILE).read_bytes()
    refused = run(terrain, "import", dem(20_000.0))
    assert refused.exception.refusals[0].rule == "terrain.range"
    assert (services.data_dir / TERRAIN_FILE).read_bytes() == before
    assert len(imports(services)) == 1
    assert list((services.data_dir / "quarantine").iterdir()) == []


def test_import__database_away__model_stays_as_it_was(run, services, dem, monkeypatch):
    def away(*_):
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(services, "work", away)
    assert isinstance(run(terrain, "import", dem()).exception, OperationalError)
    assert list(services.data_dir.glob("terrain*")) == []


def test_import__surface__stands_beside_the_model_and_no_flight_goes_by_it(run, services, dem, route):
    run(terrain, "import", dem())
    ground = body(run(terrain, "show", "--json"))["model"]
    checked = run(plan, "check", route, "--at", AT, "--json")
    told = run(terrain, "import", dem(60.0, "trees.tif"), "--surface").stdout
    assert "trees.tif is the surface model from now on" in told
    both = body(run(terrain, "show", "--json"))
    assert both["model"] == ground
    assert both["surface"]["sha256"] not in (None, ground["sha256"])
    assert "Surface model" in run(terrain, "show").stdout
    assert run(plan, "check", route, "--at", AT, "--json").stdout == checked.stdout
    assert len(imports(services)) == 1
    with services.session() as session:
        surfaces = session.scalar(text("SELECT count(*) FROM ledger.event WHERE action = 'surface.import'"))
    assert surfaces == 1


def test_text__in_both_languages(run, dem):
    assert "skywarden terrain import FILE" in run(terrain, "show").stdout
    assert "skywarden terrain import FILE" in run(terrain, "show", lang="zh").stdout
    assert body(run(terrain, "show", "--json")) == {"ok": True, "model": None, "surface": None}
    told = run(terrain, "import", dem()).stdout
    assert "taken as above mean sea level" in told
    assert "longitude 113.20000 to 113.36000" in told
    assert "EGM2008 height" in run(terrain, "import", dem(crs="EPSG:4326+3855")).stdout
    assert "无高程的格网占 0.11%" in run(terrain, "show", lang="zh").stdout


def test_show__file_put_there_by_hand_that_is_none__refused(run, services):
    services.data_dir.mkdir(parents=True, exist_ok=True)
    (services.data_dir / TERRAIN_FILE).write_bytes(b"II*\0 nothing")
    assert run(terrain, "show").exception.refusals[0].rule == "raster.corrupt"


def test_show__model_of_the_sample__needs_no_import(run, services, dem):
    dem().rename(services.data_dir / TERRAIN_FILE)
    assert models.model_of(services).void_share > 0
