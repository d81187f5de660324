"""Outlines of areas in label rasters: exact, valid, in one piece, and with borders that stay shared."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import CRS
from rasterio.features import rasterize

from sensing.vectorize import outlines
from tests.unit.sensing.pictures import write_tif

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


def found(tmp_path, plane: np.ndarray, *, smooth: bool = False, **profile: object):
    path = write_tif(tmp_path / "labels.tif", plane[None].astype(np.uint8), **profile)
    with rasterio.open(path) as dataset:
        return outlines(dataset, smooth=smooth)


def test_areas_touching_at_a_corner__are_two_valid_polygons(tmp_path):
    plane = np.zeros((20, 20))
    plane[2:8, 2:8] = 1
    plane[8:14, 8:14] = 1
    polygons, values = found(tmp_path, plane)
    assert len(polygons) == 2
    assert shapely.is_valid(polygons).all()
    assert shapely.area(polygons).tolist() == [3600.0, 3600.0]
    assert values.tolist() == [1, 1]


def test_hole_touching_the_rim_at_a_corner__one_valid_polygon_with_a_hole(tmp_path):
    plane = np.ones((5, 5))
    plane[0, 0] = 0
    plane[1, 1] = 0
    (polygon,), _ = found(tmp_path, plane)
    assert polygon.is_valid
    assert len(polygon.interiors) == 1
    assert polygon.area == 23 * 100


def test_nested_areas__each_with_its_value_in_the_order_of_first_pixels(tmp_path):
    plane = np.zeros((9, 9))
    plane[1:8, 1:8], plane[3:6, 3:6], plane[4, 4] = 5, 0, 9
    polygons, values = found(tmp_path, plane)
    assert values.tolist() == [5, 9]
    assert shapely.area(polygons).tolist() == [40 * 100, 100]


def test_raster_of_several_stripes__no_seam(tmp_path):
    plane = np.zeros((1300, 40))
    plane[10:1290, 5:35] = 3
    (polygon,), _ = found(tmp_path, plane, smooth=True)
    assert polygon.area == 1280 * 30 * 100
    assert len(polygon.exterior.coords) == 5


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (5, 5)])
def test_nothing_labelled_and_all_labelled(tmp_path, shape, smooth):
    assert len(found(tmp_path, np.zeros(shape), smooth=smooth).polygons) == 0
    (polygon,), _ = found(tmp_path, np.ones(shape), smooth=smooth)
    assert polygon.is_valid
    assert polygon.area == pytest.approx(np.prod(shape) * 100, rel=0.5)


def test_smooth__a_slope_is_one_line_and_a_rectangle_keeps_its_corners(tmp_path):
    row, column = np.mgrid[:200, :200]
    (half,), _ = found(tmp_path, column > row, smooth=True)
    assert len(half.exterior.coords) < 12
    plane = np.zeros((60, 60))
    plane[10:30, 20:50] = 1
    (rectangle,), _ = found(tmp_path, plane, smooth=True)
    assert len(rectangle.exterior.coords) == 5
    assert rectangle.area == 600 * 100


def test_smooth__disc_of_two_halves__few_vertices_same_area_shared_border(tmp_path):
    row, column = np.mgrid[:240, :240]
    plane = ((row - 120) ** 2 + (column - 120) ** 2 < 100**2) * np.where(column > 120, 2, 1)
    rough, smooth = found(tmp_path, plane), found(tmp_path, plane, smooth=True)
    assert shapely.get_num_coordinates(smooth.polygons).sum() < 0.5 * shapely.get_num_coordinates(rough.polygons).sum()
    assert shapely.area(smooth.polygons) == pytest.approx(shapely.area(rough.polygons), rel=0.002)
    one, other = smooth.polygons
    assert shapely.intersection(one, other).area == 0
    assert shapely.union(one, other).geom_type == "Polygon"


def test_areas__on_the_ellipsoid_for_a_grid_in_degrees(tmp_path):
    degrees = rasterio.transform.from_origin(113.0, 60.0, 0.001, 0.001)
    seen = found(tmp_path, np.ones((10, 10)), crs="EPSG:4326", transform=degrees)
    (area_m2,) = seen.areas_m2(CRS.from_epsg(4326))
    assert area_m2 == pytest.approx(111_412 * 0.01 * 55_800 * 0.01, rel=0.01)


def test_rotated_grid__every_pixel_lies_where_the_raster_puts_it(tmp_path):
    turned = (
        rasterio.Affine.translation(731_400, 2_560_000) @ rasterio.Affine.rotation(30) @ rasterio.Affine.scale(10, -10)
    )
    plane = np.zeros((12, 15))
    plane[3:9, 4:11] = 1
    (polygon,), _ = found(tmp_path, plane, transform=turned)
    assert (rasterize([polygon], out_shape=plane.shape, transform=turned) == plane).all()
