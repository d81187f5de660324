"""One seed and one day make the same bytes again; another seed makes another district."""

import hashlib
import json

import numpy as np
import rasterio

from sample_data import fixtures
from sample_data.district import build
from sample_data.frame import from_wgs84
from sample_data.make import MANIFEST, VECTORS, height_at, make
from sample_data.noise import stream
from sample_data.terrain import terrain_grid
from tests.unit.sample_data.conftest import OTHER, SEED, TODAY


def test_two_makes_of_one_seed__are_identical(made, tmp_path):
    manifest = make(SEED, tmp_path, today=TODAY, parts={VECTORS})
    assert manifest == json.loads((made / MANIFEST).read_text(encoding="utf-8"))


def test_manifest__holds_the_hash_of_every_file(made):
    manifest = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
    there = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert there == {*manifest["files"], MANIFEST}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == digest
    assert manifest["fictional"] is True


def test_another_seed__makes_another_district_around_the_same_fixtures(land, other, registers):
    assert not np.array_equal(other.ground_m, land.ground_m)
    assert not other.river.equals(land.river)
    theirs = build(other, TODAY)
    assert theirs["devices"][1:] != registers["devices"][1:]
    assert theirs["zones"][1:] != registers["zones"][1:]
    assert (theirs["zones"][0], theirs["devices"][0]) == (registers["zones"][0], registers["devices"][0])
    assert theirs["routes"] == registers["routes"]


def test_streams__differ_by_purpose_and_by_seed():
    drawn = {
        float(stream(seed, purpose).random()) for seed in (SEED, OTHER) for purpose in ("rivers", "roads") for _ in "ab"
    }
    assert len(drawn) == 4


def test_terrain__reaches_around_every_route_and_agrees_with_the_plans(made, land):
    with rasterio.open(made / "dem.tif") as dem:
        heights = dem.read(1)
        assert (dem.crs.to_epsg(), heights.dtype) == (32649, np.float32)
    assert np.isfinite(heights).all()
    box = terrain_grid().box
    assert all(box.contains(from_wgs84(line).buffer(500)) for line in fixtures.ROUTES.values())
    home = json.loads((made / "plans" / "R1.plan").read_text(encoding="utf-8"))["mission"]["plannedHomePosition"]
    assert home[2] == height_at(land, fixtures.LAUNCH_POINT)
