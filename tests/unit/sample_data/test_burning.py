"""The day of the fires: what burns, what only looks so, and what each of the pictures shows of it."""

import itertools

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from sample_data.basemap import feature
from sample_data.burning import shortwave
from sample_data.flames import Front, glow
from sample_data.found_burning import FAR, burning_from_air, burning_from_space, strip
from sample_data.frame import Grid
from sample_data.landscape import SCENE_BOX
from sample_data.make import scene_grid
from sample_data.spectra import surface
from sample_data.veils import Veil


@pytest.fixture(scope="module")
def burning(land) -> dict:
    frame = strip(land)
    return {"satellite": burning_from_space(land, scene_grid()), "drone": burning_from_air(land, frame), "frame": frame}


@pytest.mark.parametrize("picture", ["satellite", "drone"])
def test_fires_smoke_and_scars__are_there(burning, picture):
    kinds = [site.kind for site in burning[picture] if site.expect == "finding"]
    assert kinds.count("open_flame") >= 2
    assert kinds.count("smoke_plume") >= 1
    assert kinds.count("burn_scar") == kinds.count("open_flame")


@pytest.mark.parametrize(
    ("picture", "reasons"),
    [
        ("satellite", {"steam", "dust", "cloud", "mist", "metal", "tarpaulin", "red_earth", "cold"}),
        ("drone", {"roof", "steam", "dust", "mist", "metal", "tarpaulin", "red_earth", "red_roof"}),
    ],
)
def test_look_alikes__are_there(burning, picture, reasons):
    assert reasons <= {site.reason for site in burning[picture] if site.expect == "none"}


@pytest.mark.parametrize("picture", ["satellite", "drone"])
def test_outlines__are_sound_also_in_degrees_and_do_not_overlap(burning, picture):
    outlines = [site.outline for site in burning[picture]]
    # As the files hold them, to seven places of a degree.
    written = [shape(feature(outline)["geometry"]) for outline in outlines]
    assert all(outline.is_valid for outline in written)
    assert all(outline.area > 2 for outline in outlines)
    overlap = [a.intersection(b).area for a, b in itertools.combinations(outlines, 2)]
    assert max(overlap) < 1.0


def test_everything__lies_in_its_picture(burning):
    assert all(SCENE_BOX.contains(site.outline) for site in burning["satellite"])
    assert all(burning["frame"].contains(site.outline) for site in burning["drone"])


def test_smoke__is_the_same_at_any_resolution():
    veil = Veil("smoke", (10.0, 20.0), 0.7, 400.0, 80.0, 1.2, 5)
    fine, coarse = (Grid.around(veil.reach, 0.0, res_m) for res_m in (5.0, 10.0))
    halved = veil.depth(fine)[: fine.height // 2 * 2, : fine.width // 2 * 2]
    halved = halved.reshape(fine.height // 2, 2, -1, 2).mean(axis=(1, 3))
    there = veil.depth(coarse)[: halved.shape[0], : halved.shape[1]]
    assert np.abs(there - halved[: there.shape[0], : there.shape[1]]).max() < 0.15


def test_smoke__begins_at_its_source_and_thins_down_the_wind():
    veil = Veil("smoke", (0.0, 0.0), 0.0, 400.0, 80.0, 1.2, 5)
    grid = Grid.around(veil.reach, 0.0, 5.0)
    depth = veil.depth(grid)
    along = [depth[:, np.abs(grid.xs - x) < 15].max() for x in (-60, 30, 200, 390)]
    assert along[0] < 0.05
    assert along[1] > along[2] > along[3] > 0.05
    assert veil.outline(FAR.outline_m).distance(shapely.Point(0, 0)) < 25


def test_flames__shine_at_2_2_micrometres_far_more_than_at_1_6_and_hardly_below():
    red, _, _, nir, short, long = glow(950, 52.0)
    assert long > 5 * short > 50 * nir > 100 * red


def test_hot_cells__are_whole_cells_of_twenty_metres_on_the_front():
    front = Front(shapely.LineString([(-40, 3), (40, 9)]), 2.5, 950, 3)
    cells = front.hot_cells(scene_grid())
    assert cells.area % 400 == pytest.approx(0, abs=1e-6)
    assert cells.intersects(front.line)


def test_shortwave__water_takes_it_leaves_are_dim_soil_and_roofs_bright():
    water, forest, soil, roof = shortwave(np.stack([surface(n) for n in ("river", "forest", "laterite", "rock")]))
    assert max(water) < 0.02
    assert forest[1] < forest[0] < 0.16
    assert min(*soil, *roof) > 0.3
