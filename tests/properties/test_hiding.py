"""What is shown of a hidden place holds it off its centre, and tells no more when it is asked for again (G-36)."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from geo import crs
from geo.hiding import LEAST_SIDE_M, displayed_shape
from geo.measure import area_m2
from geo.zones import distance_m

LONS = st.floats(-179, 179)
LATS = st.floats(-70, 70)


def home(lon, lat, size_deg=0.0002):
    return Point(lon, lat).buffer(size_deg, quad_segs=3)


@settings(max_examples=60)
@given(LONS, LATS, st.floats(0.00005, 0.003), st.integers())
def test_G_36__holds_the_truth_off_its_centre(lon, lat, size_deg, seed):
    exact = home(lon, lat, size_deg)
    shown = displayed_shape(exact, [], Random(seed))
    assert shown.covers(exact)
    assert area_m2(shown) >= 0.99 * LEAST_SIDE_M**2
    assert area_m2(shown) >= 15 * area_m2(exact)
    assert distance_m(shown.centroid, exact.centroid) > 30


@settings(max_examples=20)
@given(LONS, LATS, st.integers())
def test_G_36__asked_for_again__the_same_shape(lon, lat, seed):
    first = displayed_shape(home(lon, lat), [], Random(seed))
    again = displayed_shape(home(lon, lat, 0.00015), [first], Random(seed + 1))
    assert again is first


@settings(max_examples=20)
@given(LONS, LATS, st.integers())
def test_G_36__grown_place__what_was_shown_lies_inside(lon, lat, seed):
    first = displayed_shape(home(lon, lat), [], Random(seed))
    grown = Polygon(first.centroid.buffer(0.006).exterior.coords)
    assert displayed_shape(grown, [first], Random(seed)).covers(first)


def test_G_36__size__tells_the_order_of_magnitude_alone():
    sides = {
        round(area_m2(displayed_shape(home(113.26, 23.13, s), [], Random(1))) ** 0.5, -2) for s in (1e-5, 1e-4, 4e-4)
    }
    assert sides == {400.0}


def test_G_36__where_the_truth_lies_in_it__anywhere_but_in_the_middle():
    """Over many draws the place is spread evenly: no quarter and no ring is likelier than its area."""
    exact = home(113.26, 23.13, 0.0001)
    epsg = crs.utm_epsg_of(exact)
    centre = crs.to_metric(exact, epsg).centroid
    offsets = []
    for seed in range(600):
        shown = crs.to_metric(displayed_shape(exact, [], Random(seed)), epsg)
        offsets.append((centre.x - shown.centroid.x, centre.y - shown.centroid.y))
    x, y = np.array(offsets).T
    quarters = [np.mean((x > 0) == right) * np.mean((y > 0) == top) for right in (0, 1) for top in (0, 1)]
    assert all(abs(share - 0.25) < 0.06 for share in quarters)
    reach_m = LEAST_SIDE_M / 2 - 12
    outer = np.mean(np.maximum(abs(x), abs(y)) > reach_m / 2)
    assert 0.70 < outer < 0.86  # three quarters of the area, and a little more for the gap in the middle
    assert np.hypot(x, y).min() >= 0.1 * LEAST_SIDE_M - 1
