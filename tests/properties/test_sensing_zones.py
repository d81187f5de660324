"""No pixel that a privacy zone touches survives, whatever the zone, the grid and the tile."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.windows import Window
from scipy import ndimage

from sensing.mask import ZoneBurner

# A geographic grid, two UTM zones, Web Mercator, a Chinese Gauss-Krueger zone, and an equal-area grid.
GRIDS = ("EPSG:4326", "EPSG:32649", "EPSG:32750", "EPSG:3857", "EPSG:4526", "EPSG:6933")
# Thinner than this a shape has no inside that a projection there and back would keep; none is stored.
LEAST_PX = 1e-6
SIDE = 40

angles = st.lists(st.floats(0, 6.283), min_size=3, max_size=9, unique=True)


@st.composite
def scenes(draw):
    crs = CRS(draw(st.sampled_from(GRIDS)))
    pixel_m = draw(st.sampled_from([0.3, 2.0, 10.0, 90.0]))
    lon, lat = draw(st.floats(110, 116)), draw(st.floats(-25, 40))
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    pixel = pixel_m / 111_000 if crs.is_geographic else pixel_m
    turn = draw(st.sampled_from([0.0, 0.0, 27.0]))
    transform = Affine.translation(x, y) @ Affine.rotation(turn) @ Affine.scale(pixel, -pixel)
    return crs, transform


@st.composite
def zones(draw, transform: Affine):
    """A star-shaped polygon of 0.1 to 30 pixels, somewhere on or beside the raster, on the raster's own grid."""
    col, row = draw(st.floats(-5, SIDE + 5)), draw(st.floats(-5, SIDE + 5))
    size = draw(st.floats(0.1, 30))
    rim = [
        transform @ (col + size * np.cos(a) * draw(st.floats(0.3, 1)), row + size * np.sin(a))
        for a in sorted(draw(angles))
    ]
    return shapely.Polygon(rim)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_burn__any_zone_on_any_grid__covers_every_touched_pixel_and_no_distant_one(data):
    crs, transform = data.draw(scenes())
    zone = data.draw(zones(transform))
    if not zone.is_valid or zone.area < LEAST_PX * abs(transform.determinant):
        return
    back = Transformer.from_crs(crs, 4326, always_xy=True)
    burner = ZoneBurner([shapely.transform(zone, back.transform, interleaved=False)], crs, transform)
    burnt = burner.burn(Window(0, 0, SIDE, SIDE))
    row, column = np.mgrid[0:SIDE, 0:SIDE][..., None] + np.array([[0, 0, 1, 1], [0, 1, 1, 0]])[:, None, None]
    squares = shapely.polygons(np.stack(transform @ (column, row), axis=-1))
    # To share a rim alone is no touch: nothing of the zone lies in such a pixel.
    shared = shapely.area(shapely.intersection(squares, zone))
    touched = shared > LEAST_PX * abs(transform.determinant)
    assert burnt[touched].all()
    near = ndimage.binary_dilation(touched, np.ones((3, 3)), iterations=3, border_value=1)
    assert not burnt[~near].any()


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(7, 39))
def test_burn__cut_into_tiles__is_the_same(data, step):
    crs, transform = data.draw(scenes())
    zone = data.draw(zones(transform))
    if not zone.is_valid or zone.area < LEAST_PX * abs(transform.determinant):
        return
    back = Transformer.from_crs(crs, 4326, always_xy=True)
    burner = ZoneBurner([shapely.transform(zone, back.transform, interleaved=False)], crs, transform)
    whole = burner.burn(Window(0, 0, SIDE, SIDE))
    for top in range(0, SIDE, step):
        for left in range(0, SIDE, step):
            height, width = min(step, SIDE - top), min(step, SIDE - left)
            piece = burner.burn(Window(left, top, width, height))
            assert np.array_equal(piece, whole[top : top + height, left : left + width])
