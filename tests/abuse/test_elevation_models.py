"""Hostile and broken elevation models (reliability.md 5, rows 36 to 49): stated answer, nothing is put in place."""

from __future__ import annotations

import os

import numpy as np
import pytest
import rasterio

from schemas.refusals import RuleViolation
from sensing import quarantine as q
from sensing.intake import receive_elevation
from tests.unit.sensing.pictures import noise, sparse_tif, vrt_of, write_photo, write_tif


def hills(height: int = 300, width: int = 200) -> np.ndarray:
    return noise(1, height, width, high=800).astype(np.float32)


@pytest.fixture
def taken(tmp_path):
    """`taken(path)` receives a file; gives (heights of the copy, what it holds, its profile and tags)."""

    def take(path):
        with q.quarantine(tmp_path / "quarantine") as room:
            _, copy, held = receive_elevation(room, path)
            assert os.listdir(copy.parent) == [copy.name]
            with rasterio.open(copy) as dataset:
                return dataset.read(1), held, dataset.profile | {"tags": dataset.tags(), "units": dataset.units}

    return take


def refused(taken, path) -> tuple[int, list[str]]:
    with pytest.raises(RuleViolation) as caught:
        taken(path)
    return caught.value.status, [refusal.rule for refusal in caught.value.refusals]


def test_html_named_tif__422_corrupt(taken, tmp_path):
    path = tmp_path / "dem.tif"
    path.write_bytes(b"<!DOCTYPE html><title>404</title>")
    assert refused(taken, path) == (422, ["raster.corrupt"])


@pytest.mark.parametrize("name", ["dem.tif", "dem.vrt"])
def test_vrt__415(taken, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(vrt_of(write_tif(tmp_path / "other.tif", hills())))
    assert refused(taken, path) == (415, ["raster.magic"])


def test_photo__415(taken, tmp_path):
    path = write_photo(tmp_path / "dem.jpg", np.zeros((40, 40, 3), np.uint8))
    assert refused(taken, path) == (415, ["raster.magic"])


def test_bomb__413_before_a_cell_is_read(taken, tmp_path):
    flat = np.full((1, 6000, 6000), 7, np.float32)
    path = write_tif(tmp_path / "dem.tif", flat, compress="deflate", zlevel=9, tiled=True)
    assert refused(taken, path) == (413, ["raster.ratio"])


def test_sparse_header__413(taken, tmp_path):
    path = tmp_path / "dem.tif"
    path.write_bytes(sparse_tif(200_000, 200_000))
    assert refused(taken, path) == (413, ["raster.pixels", "raster.ratio"])


def test_truncated__422_corrupt(taken, tmp_path):
    path = write_tif(tmp_path / "dem.tif", hills())
    path.write_bytes(path.read_bytes()[:90_000])
    assert refused(taken, path) == (422, ["raster.corrupt"])


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (np.full((1, 50, 50), np.nan, np.float32), {}),
        (np.full((1, 50, 50), np.inf, np.float32), {}),
        (np.full((1, 50, 50), -9999, np.int16), {"nodata": -9999}),
        (np.full((1, 50, 50), 12, np.int16), {"mask": np.zeros((50, 50), bool)}),
    ],
)
def test_no_cell_with_a_height__422_empty(taken, tmp_path, cells, told):
    assert refused(taken, write_tif(tmp_path / "dem.tif", cells, **told)) == (422, ["terrain.empty"])


@pytest.mark.parametrize("void", [-9999.0, -32768.0, -3.4028234663852886e38, 1e30])
def test_void_value_that_nobody_declared__422_range(taken, tmp_path, void):
    cells = hills()
    cells[0, 0, 0] = void
    assert refused(taken, write_tif(tmp_path / "dem.tif", cells)) == (422, ["terrain.range"])
    heights, held, _ = taken(write_tif(tmp_path / "said.tif", cells, nodata=void))
    assert np.isnan(heights[0, 0])
    assert held.known == cells.size - 1


def test_doubles_beyond_floats__422_range(taken, tmp_path):
    cells = hills().astype(np.float64)
    cells[0, 0, 0] = 1e300
    assert refused(taken, write_tif(tmp_path / "dem.tif", cells)) == (422, ["terrain.range"])


@pytest.mark.parametrize(
    ("cells", "told", "rules"),
    [
        (noise(3, 40, 40, high=200, dtype="uint8"), {}, ["raster.bands"]),
        (hills(40, 40).astype(np.complex64), {}, ["raster.dtype"]),
        (hills(40, 40), {"crs": None}, ["raster.crs"]),
        (hills(40, 40), {"transform": None}, ["raster.crs"]),
        (hills(40, 40), {"crs": "EPSG:32649+5715"}, ["terrain.datum"]),
        (hills(40, 40), {"crs": "EPSG:32649+6360"}, ["terrain.unit"]),
    ],
)
def test_no_elevation_model__422_with_the_reason(taken, tmp_path, cells, told, rules):
    assert refused(taken, write_tif(tmp_path / "dem.tif", cells, **told)) == (422, rules)


def test_ellipsoidal_heights__422_datum(taken, tmp_path):
    where = rasterio.Affine(0.001, 0, 113.2, 0, -0.001, 23.2)
    path = write_tif(tmp_path / "dem.tif", hills(40, 40), crs="EPSG:4979", transform=where, GEOTIFF_VERSION="1.1")
    assert refused(taken, path) == (422, ["terrain.datum"])


@pytest.mark.parametrize("suffix", [".ovr", ".aux.xml", ".msk"])
def test_sidecar__is_not_read(taken, tmp_path, suffix):
    path = write_tif(tmp_path / "dem.tif", hills())
    (tmp_path / f"dem.tif{suffix}").write_bytes(vrt_of(write_tif(tmp_path / "other.tif", hills() * 0)))
    assert np.array_equal(taken(path)[0], hills()[0])


def test_copy__is_plain__no_tag_and_no_vertical_part_of_the_stranger(taken, tmp_path):
    tags = {"TIFFTAG_SOFTWARE": "x", "TIFFTAG_IMAGEDESCRIPTION": "<script>", "SECRET": "y"}
    heights, held, profile = taken(write_tif(tmp_path / "dem.tif", hills(), crs="EPSG:32649+3855", tags=tags))
    assert np.array_equal(heights, hills()[0])
    assert held.datum == "EGM2008 height"
    assert profile["crs"].to_epsg() == 32649
    assert set(profile["tags"]) <= {"AREA_OR_POINT"}
    assert (profile["driver"], profile["tiled"], profile["dtype"]) == ("GTiff", True, "float32")


def test_integers_with_scale_and_offset__become_metres(taken, tmp_path):
    path = write_tif(tmp_path / "dem.tif", np.full((1, 50, 50), 1_234, np.int32))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (-100.0,)
    heights, held, _ = taken(path)
    assert heights == pytest.approx(23.4)
    assert (held.lowest_m, held.highest_m) == (pytest.approx(23.4), pytest.approx(23.4))
