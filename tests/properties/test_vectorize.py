"""Outlines of any label raster: what a whole look finds, always valid, never overlapping, close to the pixels."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import shapes
from scipy import ndimage

from sensing import tracing
from sensing.corners import Tracer
from sensing.vectorize import WITHIN_PX


@st.composite
def planes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    fields = rng.normal(size=(draw(st.integers(1, 5)), *shape))
    wide = draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    fields = ndimage.gaussian_filter(fields, (0, wide, wide))
    return (fields.argmax(0) if len(fields) > 1 else fields[0] > 0).astype(np.uint8)


def drawn(plane, within_px, cuts=()):
    """Polygons in pixels and their values, the plane given in stripes."""
    tracer = Tracer(plane.shape[1])
    for stripe in np.split(plane, cuts):
        tracer.take(stripe)
    rings = tracing.rings(tracer.end(), within_px)
    offsets = (rings.ring_offsets, rings.polygon_offsets)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, rings.places, offsets), rings.values


@settings(deadline=None)
@given(planes())
def test_exact__the_areas_that_gdal_finds(plane):
    polygons, values = drawn(plane, 0.0)
    wanted = [(shapely.geometry.shape(one), int(value)) for one, value in shapes(plane, connectivity=4) if value]
    assert sorted((int(value), one.area, len(one.interiors)) for one, value in zip(polygons, values, strict=True)) == (
        sorted((value, one.area, len(one.interiors)) for one, value in wanted)
    )
    assert shapely.is_valid(polygons).all()
    assert all(one.normalize().equals(two.normalize()) for one, two in _paired(polygons, wanted))


def _paired(polygons, wanted):
    def key(one):
        return (*one.bounds, one.area)

    return zip(sorted(polygons, key=key), sorted((one for one, _ in wanted), key=key), strict=True)


@settings(deadline=None)
@given(planes())
def test_smooth__valid_without_overlap_or_gap_and_close_to_the_pixels(plane):
    exact, values = drawn(plane, 0.0)
    smooth, same = drawn(plane, WITHIN_PX)
    assert values.tolist() == same.tolist()
    assert shapely.is_valid(smooth).all()
    assert shapely.coverage_is_valid(smooth)
    for one, other in zip(exact, smooth, strict=True):
        assert shapely.hausdorff_distance(one.boundary, other.boundary) <= 1.0
        assert len(one.interiors) == len(other.interiors)


@settings(deadline=None)
@given(planes(), st.lists(st.integers(1, 39), max_size=4))
def test_any_stripes__same_polygons(plane, cuts):
    cuts = sorted({cut for cut in cuts if cut < plane.shape[0]})
    whole, values = drawn(plane, WITHIN_PX)
    parts, same = drawn(plane, WITHIN_PX, cuts)
    assert shapely.to_wkb(whole).tolist() == shapely.to_wkb(parts).tolist()
    assert values.tolist() == same.tolist()
