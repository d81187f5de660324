import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio import Affine

from geo import crs, terrain
from geo.terrain import Terrain
from geo.types import LonLat

WEST, NORTH, CELL_M = 730_000.0, 2_560_000.0, 30.0
NODATA = -9999.0


def write(path, heights, **changes):
    profile = {
        "driver": "GTiff",
        "height": heights.shape[0],
        "width": heights.shape[1],
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:32649",
        "transform": Affine(CELL_M, 0, WEST, 0, -CELL_M, NORTH),
        "nodata": NODATA,
    } | changes
    with rasterio.open(path, "w", **profile) as made:
        made.write(heights.astype("float32"), 1)
    return path


def place(column, row):
    """Longitude and latitude of a position in cells from the model's corner."""
    to_wgs84 = crs.transformer(32649, 4326)
    return LonLat(*to_wgs84.transform(WEST + column * CELL_M, NORTH - row * CELL_M))


def at(model, *cells):
    places = [place(*cell) for cell in cells]
    return model.heights_m(np.array([p.lon for p in places]), np.array([p.lat for p in places]))


@pytest.fixture
def slope(tmp_path):
    """Height is 10 m a column plus 1 m a row, measured at cell centres."""
    rows, columns = np.mgrid[0:20, 0:30]
    with Terrain.open(write(tmp_path / "slope.tif", 10.0 * columns + rows)) as model:
        yield model


def test_heights__linear_ground_is_read_exactly_between_centres(slope):
    heights = at(slope, (0.5, 0.5), (1.5, 0.5), (1.0, 0.5), (7.25, 9.75))
    assert heights == pytest.approx([0.0, 10.0, 5.0, 10 * 6.75 + 9.25], abs=0.01)


def test_heights__the_outer_half_cell_repeats_its_cell_and_beyond_is_unknown(slope):
    heights = at(slope, (0.1, 0.5), (29.9, 0.5), (-0.1, 0.5), (30.1, 0.5), (3.0, 20.1))
    assert heights[:2] == pytest.approx([0.0, 290.0], abs=0.01)
    assert np.isnan(heights[2:]).all()


def test_heights__a_nodata_cell_makes_its_neighbourhood_unknown(tmp_path):
    heights = np.full((10, 10), 50.0)
    heights[4, 4] = NODATA
    with Terrain.open(write(tmp_path / "hole.tif", heights)) as model:
        read = at(model, (4.5, 4.5), (5.2, 4.5), (7.5, 7.5))
    assert np.isnan(read[:2]).all()
    assert read[2] == 50.0


def test_heights__far_apart_points_are_read_in_groups_with_the_same_result(slope, monkeypatch):
    cells = [(c + 0.3, r + 0.6) for c in range(1, 28) for r in range(1, 18)]
    whole = at(slope, *cells)
    monkeypatch.setattr(terrain, "_MAX_CELLS_PER_READ", 9)
    assert at(slope, *cells) == pytest.approx(whole, abs=1e-9)


def test_open__a_model_without_a_place__refused(tmp_path):
    path = write(tmp_path / "nowhere.tif", np.zeros((4, 4)), crs=None)
    with pytest.raises(ValueError, match="CRS"):
        Terrain.open(path)


def test_open__a_file_that_is_no_geotiff__refused(tmp_path):
    path = tmp_path / "dem.tif"
    path.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    with pytest.raises(rasterio.errors.RasterioIOError):
        Terrain.open(path)


@pytest.mark.parametrize("crs_code", ["EPSG:32649", "EPSG:4326"])
def test_heights__one_place_after_the_other__as_all_at_once(tmp_path, crs_code):
    """Cells near the last place are kept: that must show nowhere, not far away, not beside nodata, not at the rim."""
    random = np.random.default_rng(7)
    heights = random.uniform(0, 200, (400, 500))
    heights[100:103, 200:205] = NODATA
    changes = {} if crs_code == "EPSG:32649" else {"crs": crs_code, "transform": Affine(3e-4, 0, 113.2, 0, -3e-4, 23.2)}
    with Terrain.open(write(tmp_path / "rough.tif", heights, **changes)) as model:
        west, south, east, north = rasterio.warp.transform_bounds(crs_code, "EPSG:4326", *model._dataset.bounds)
        lons = west + (east - west) * np.concatenate([random.uniform(-0.01, 1.01, 300), np.linspace(0.4, 0.42, 300)])
        lats = south + (north - south) * np.concatenate([random.uniform(-0.01, 1.01, 300), np.linspace(0.7, 0.77, 300)])
        at_once = model.heights_m(lons, lats)
        alone = [model.heights_m(lons[n : n + 1], lats[n : n + 1])[0] for n in range(len(lons))]
    assert np.isnan(at_once).any()
    np.testing.assert_array_equal(alone, at_once)
