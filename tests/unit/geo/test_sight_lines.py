"""Line of sight over an elevation model."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter, map_coordinates

from geo.coverage.sight_lines import Lookout, height_at, is_clear, visible, visible_of

SIDE_M = 30.0


def flat(rows=41, columns=41):
    return np.zeros((rows, columns), np.float32)


def test_visible__flat_ground__all_within_range():
    seen = visible(flat(), SIDE_M, Lookout(20.0, 20.0, 5.0, 0.0, 300.0))
    rows, columns = np.indices(seen.shape)
    assert (seen == (np.hypot(rows - 20, columns - 20) <= 10)).all()


def test_visible__wall__hides_what_is_lower_behind_it_and_not_what_stands_above():
    heights = flat()
    heights[:, 25] = 10.0
    low = visible(heights, SIDE_M, Lookout(20.0, 20.0, 5.0, 0.0, 600.0))
    assert low[20, 25]
    assert not low[20, 26:].any()
    assert low[20, :25].all()
    assert visible(heights, SIDE_M, Lookout(20.0, 20.0, 5.0, 40.0, 600.0))[20, 26:].all()


def test_visible__hole_in_the_model__hides_itself_and_what_lies_behind():
    heights = flat()
    heights[20, 25] = np.nan
    seen = visible(heights, SIDE_M, Lookout(20.0, 20.0, 50.0, 0.0, 600.0))
    assert not seen[20, 25:].any()
    assert seen[20, :25].all()


@pytest.mark.parametrize("place", [(-1.0, 5.0), (5.0, 41.5), (20.0, 20.0)])
def test_visible__mast_outside_the_model_or_in_a_hole__sees_nothing(place):
    heights = flat()
    heights[19:22, 19:22] = np.nan
    assert not visible(heights, SIDE_M, Lookout(*place, 5.0, 0.0, 300.0)).any()


def test_visible__twenty_kilometres_over_the_sea__hidden_by_the_curve_of_the_earth():
    sea = np.zeros((1, 201), np.float32)
    # From 20 m the horizon lies sqrt(2 * 20 m * 7432 km) = 17.2 km away.
    seen = visible(sea, 100.0, Lookout(0.0, 0.0, 20.0, 0.0, 20_000.0))
    assert np.flatnonzero(~seen[0]).min() == pytest.approx(173, abs=2)


def test_visible__rolling_ground__as_gdal_viewshed_says(tmp_path):
    heights = (gaussian_filter(np.random.default_rng(1).normal(size=(200, 200)), 8) * 800 + 200).astype(np.float32)
    model, told = tmp_path / "model.tif", tmp_path / "told.tif"
    profile = {"driver": "GTiff", "height": 200, "width": 200, "count": 1, "dtype": "float32", "crs": "EPSG:32650"}
    with rasterio.open(model, "w", transform=Affine(SIDE_M, 0, 0, 0, -SIDE_M, 0), **profile) as file:
        file.write(heights, 1)
    eye = ["-ox", str(100.5 * SIDE_M), "-oy", str(-100.5 * SIDE_M), "-oz", "10", "-tz", "1.7", "-cc", "0.857142"]
    subprocess.run(["gdal_viewshed", "-q", *eye, "-vv", "1", "-ov", "0", model, told], check=True)
    with rasterio.open(told) as file:
        theirs = file.read(1) > 0
    ours = visible(heights, SIDE_M, Lookout(100.0, 100.0, 10.0, 1.7, 6000.0))
    assert 0.05 < ours.mean() < 0.95
    assert (ours != theirs).mean() < 0.01


def line_of_sight(heights, row, column, mast_m, target_m):
    """Cell by cell along straight lines, at every line of the grid that they cross: slow, and written another way."""
    seen = np.ones(heights.shape, bool)
    eye = heights[row, column] + mast_m
    for r, c in np.argwhere(np.hypot(*(np.indices(heights.shape) - np.array([[[row]], [[column]]]))) > 1):
        shares = [np.arange(1, abs(n)) / abs(n) for n in (r - row, c - column) if abs(n) > 1]
        share = np.concatenate(shares) if shares else np.empty(0)
        between = map_coordinates(heights, [row + (r - row) * share, column + (c - column) * share], order=1)
        far_m = np.hypot(r - row, c - column) * SIDE_M
        drop = (share * far_m) ** 2 / (2 * 6_371_000 * 7 / 6)
        slope = (heights[r, c] + target_m - far_m**2 / (2 * 6_371_000 * 7 / 6) - eye) / far_m
        seen[r, c] = ((between - drop - eye) / (share * far_m) <= slope + 1e-9).all()
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_visible__rugged_ground__what_every_crossing_of_every_line_says(seed):
    numbers = np.random.default_rng(seed)
    heights = (gaussian_filter(numbers.normal(size=(61, 61)), 2) * 300 + 200).astype(np.float32)
    ours = visible(heights, SIDE_M, Lookout(30.0, 27.0, 8.0, 1.7, 9_000.0))
    theirs = line_of_sight(heights, 30, 27, 8.0, 1.7)
    assert 0.02 < theirs.mean() < 0.9
    # Whole rows or columns are looked at, whichever the line crosses more of: that misses next to nothing.
    assert not (theirs & ~ours).any()
    assert (ours & ~theirs).mean() < 0.005


def walked(heights, lookout, wanted):
    """The reference algorithm as it is: the line to each wanted cell within range is walked."""
    seen = np.zeros(heights.shape, bool)
    eye = height_at(heights, lookout.row, lookout.column) + lookout.mast_m
    for r, c in np.argwhere(wanted):
        if np.hypot(r - lookout.row, c - lookout.column) <= lookout.range_m / SIDE_M and not np.isnan(eye):
            seen[r, c] = is_clear(heights, SIDE_M, lookout.row, lookout.column, eye, r, c, lookout.target_m)
    return seen


def rolling(numbers, shape):
    return gaussian_filter(numbers.normal(size=shape), 3) * 200


def noise(numbers, shape):
    return numbers.normal(0, 4, size=shape)


def terraces(numbers, shape):
    """Ground of whole metres: many a line has one slope from end to end."""
    return np.round(gaussian_filter(numbers.normal(size=shape), 4) * 30)


def slope(numbers, shape):
    return np.add(*np.indices(shape)) * 0.5


def level(numbers, shape):
    return np.zeros(shape)


def pitted(numbers, shape):
    heights = rolling(numbers, shape)
    heights[numbers.random(shape) < 0.02] = np.nan
    return heights


def coast(numbers, shape):
    heights = rolling(numbers, shape)
    return np.where(gaussian_filter(numbers.normal(size=shape), 8) > 0.02, np.nan, heights)


GROUNDS = (rolling, noise, terraces, slope, level, pitted, coast)
PLACES = {
    "between cells": (31.4, 22.7),
    "on a cell": (31.0, 22.0),
    "between rows": (31.5, 22.0),
    "a hair beside a cell": (31.0000000001, 21.9999999999),
    "a little beside a cell": (31.0000005, 21.9999995),
    "on a diagonal of cells": (30.3, 25.3),
    "in the corner": (0.0, 0.0),
    "on the rim": (64.0, 20.2),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("ground", GROUNDS, ids=lambda one: one.__name__)
def test_visible__any_ground_and_place__each_cell_as_the_walk_of_its_line_says(ground, place):
    numbers = np.random.default_rng(int(place[1] * 10))
    heights = ground(numbers, (65, 58)).astype(np.float32)
    heights[max(int(place[0]), 0) : int(place[0]) + 2, int(place[1]) : int(place[1]) + 2] = 1.0
    for mast_m, target_m, range_m in ((6.0, 1.5, 9_000.0), (0.0, 0.0, 9_000.0), (40.0, 0.0, 700.0)):
        lookout = Lookout(*place, mast_m, target_m, range_m)
        wanted = np.ones(heights.shape, bool)
        assert (visible(heights, SIDE_M, lookout) == walked(heights, lookout, wanted)).all()


@pytest.mark.parametrize("seed", range(6))
def test_visible_of__part_of_a_large_model__as_the_walk_of_each_line_says(seed):
    numbers = np.random.default_rng(seed)
    ground = (rolling, noise, coast)[seed % 3]
    heights = ground(numbers, (240, 200)).astype(np.float32)
    heights[118:122, 98:102] = 0.0
    rows, columns = np.indices(heights.shape)
    bearing = (np.arctan2(columns - 99.6, 119.7 - rows) - seed) % (2 * np.pi)
    wanted = bearing < np.pi / (1 + seed)
    lookout = Lookout(119.7, 99.6, 10.0, 1.5, 3_000.0)
    assert (visible_of(heights, SIDE_M, lookout, wanted) == walked(heights, lookout, wanted)).all()
