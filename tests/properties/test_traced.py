"""Outlines of seen cells hold those cells, whatever they look like, and touch nothing."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import shapes as outlines_of
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from geo.coverage.traced import Grid, apart_by_a_hair, polygons_of_cells, sides_of_cells

GRID = Grid(-37.5, 112.5, 12.5)
HAIR_M = 0.01


@st.composite
def cells(draw):
    """Noise, coarse or fine: cells that meet in corners, rings, holes in holes and spots."""
    numbers = np.random.default_rng(draw(st.integers(0, 100_000)))
    size = draw(st.tuples(st.integers(1, 25), st.integers(1, 25)))
    noise = gaussian_filter(numbers.normal(size=size), draw(st.sampled_from([0.0, 0.6, 1.5])))
    return noise > np.quantile(noise, draw(st.floats(0, 1)))


@settings(max_examples=150)
@given(cells())
def test_sides__any_cells__those_that_a_second_tracer_finds(seen):
    place = Affine(GRID.side_m, 0, GRID.west, 0, -GRID.side_m, GRID.north)
    traced = [cell["coordinates"] for cell, _ in outlines_of(seen.astype(np.uint8), mask=seen, transform=place)]
    expected = sorted(shapely.Polygon(rings[0], rings[1:]).area for rings in traced)
    sides = sides_of_cells(seen, GRID)
    assert sorted(shapely.area(sides)) == pytest.approx(expected)
    middles = shapely.contains_xy(
        shapely.multipolygons(shapely.buffer(sides, -HAIR_M)) if len(sides) else shapely.Polygon(),
        *np.meshgrid(
            GRID.west + (np.arange(seen.shape[1]) + 0.5) * GRID.side_m,
            GRID.north - (np.arange(seen.shape[0]) + 0.5) * GRID.side_m,
        ),
    )
    assert (middles == seen).all()


@settings(max_examples=150)
@given(cells())
def test_polygons__any_cells__valid_apart_and_a_hair_within(seen):
    polygons = polygons_of_cells(seen, GRID)
    assert shapely.is_valid(shapely.multipolygons(polygons))
    sides = sides_of_cells(seen, GRID)
    straight = shapely.coverage_simplify(sides, 0.75 * GRID.side_m) if len(sides) else sides
    expected = shapely.area(shapely.buffer(straight, -HAIR_M, join_style="mitre"))
    assert shapely.area(polygons) == pytest.approx(expected, abs=1e-4)


def test_apart__neck_narrower_than_two_hairs__is_cut():
    neck = HAIR_M * 1.5
    [dumbbell] = np.array(
        [shapely.union_all([shapely.box(0, 0, 9, 9), shapely.box(20, 0, 29, 9), shapely.box(8, 4, 21, 4 + neck)])],
        dtype=object,
    )
    apart = apart_by_a_hair(np.array([dumbbell], dtype=object))
    assert shapely.is_valid(apart).all()
    assert len(shapely.get_parts(apart)) == 2
    assert shapely.area(apart).sum() == pytest.approx(2 * (9 - 2 * HAIR_M) ** 2, rel=1e-4)


def test_apart__sliver_thinner_than_two_hairs__vanishes():
    apart = apart_by_a_hair(np.array([shapely.Polygon([(0, 0), (50, 0), (50, HAIR_M)])], dtype=object))
    assert shapely.is_empty(apart).all()
