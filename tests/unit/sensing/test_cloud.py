"""Clouds, their shadows and haze on made-up ground with known masks; what must not be taken for them; any window."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from scipy import ndimage

from sensing.bands import Role
from sensing.classified import Classified
from sensing.cloud import Clouds, clouds, judged, on_other, worse
from sensing.coverage import Cover
from sensing.grid import Grid
from sensing.picture import open_picture
from tests.unit.sensing.ground import Ground, rectangle, wobble
from tests.unit.sensing.pictures import CORNER, UTM, north_up, write_tif

RGB = (Role.RED, Role.GREEN, Role.BLUE)
RGBN = (*RGB, Role.NIR)
SIDE, FACTOR = 640, 4
CLOUD = np.array([0.62, 0.62, 0.63, 0.66])[:, None, None]
HAZE = np.array([0.30, 0.34, 0.42, 0.26])[:, None, None]
TO_SHADOW = (-23, 31)


def land(seed: int) -> np.ndarray:
    made = Ground(seed=seed, width=SIDE, height=SIDE)
    for surface, centre, size in (
        ("water", (120, 500), (200, 60)),
        ("soil", (400, 300), (90, 60)),
        ("roof", (300, 100), (12, 9)),
        ("pit", (560, 200), (30, 30)),
        ("char", (200, 300), (30, 20)),
    ):
        made.paint(rectangle(centre, size), surface)
    return made.reflectance()


def clouded(seed: int, *, haze: bool = False) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reflectance, and which squares are under thick cloud, in its shadow, under haze, and clear of all."""
    cover = np.clip((wobble((SIDE, SIDE), 30, seed + 50) - 0.6) / 0.35, 0, 1)
    cover = 0.85 * ndimage.gaussian_filter(cover, 2)
    shade = ndimage.shift(cover, TO_SHADOW, order=1)
    picture = land(seed) * (1 - 0.62 * np.clip(shade * 1.2, 0, 1))
    picture = picture * (1 - cover) + CLOUD * (1 + 0.05 * wobble((SIDE, SIDE), 8, seed + 9)) * cover
    veil = np.zeros((SIDE, SIDE))
    if haze:
        veil[:, : SIDE // 3] = 0.12
        veil = ndimage.gaussian_filter(veil, 15)
        picture = picture * (1 - veil) + HAZE * veil
    cover, shade, veil = (coarse(plane) for plane in (cover, shade, veil))
    # A cloud is given a margin; beyond that nothing clear may be lost.
    far = ndimage.binary_dilation(cover > 0.05, np.ones((15, 15)))
    return picture, {
        "cloud": cover > 0.5,
        "shadow": (shade > 0.5) & (cover < 0.1),
        "haze": (veil > 0.09) & (cover < 0.02) & (shade < 0.02),
        "clear": ~far & (shade < 0.02) & (veil < 0.005),
    }


def coarse(plane: np.ndarray) -> np.ndarray:
    return plane.reshape(SIDE // FACTOR, FACTOR, SIDE // FACTOR, FACTOR).mean((1, 3))


def planes(picture: np.ndarray, roles: tuple[Role, ...]) -> dict[Role, np.ndarray]:
    return {
        role: np.rint(coarse(plane) * 10_000).astype(np.int32)
        for role, plane in zip(roles, picture[: len(roles)], strict=True)
    }


ALL = np.ones((SIDE // FACTOR, SIDE // FACTOR), bool)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("roles", [RGB, RGBN], ids=["rgb", "nir"])
def test_clouds__known_masks__found_and_little_else(seed, roles):
    picture, truth = clouded(seed)
    codes = judged(planes(picture, roles), ALL, 40.0, shown=False)
    assert (codes[truth["cloud"]] == Cover.CLOUD).mean() > 0.98
    assert (codes[truth["clear"]] != Cover.ANALYSED).mean() < 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shadows__with_near_infrared__found(seed):
    picture, truth = clouded(seed)
    codes = judged(planes(picture, RGBN), ALL, 40.0, shown=False)
    assert np.isin(codes[truth["shadow"]], (Cover.SHADOW, Cover.CLOUD)).mean() > 0.85


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_haze__over_plants__found_and_clear_plants_are_not(seed):
    picture, truth = clouded(seed, haze=True)
    codes = judged(planes(picture, RGBN), ALL, 40.0, shown=False)
    assert (codes[truth["haze"]] == Cover.HAZE).mean() > 0.7
    assert (codes[truth["clear"]] == Cover.HAZE).mean() < 0.01


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("roles", [RGB, RGBN], ids=["rgb", "nir"])
def test_clear_ground__water_roofs_pits_and_char__nothing_is_hidden(seed, roles):
    codes = judged(planes(land(seed), roles), ALL, 40.0, shown=False)
    assert set(np.unique(codes)) == {Cover.ANALYSED}


def test_even_haze_over_all_of_a_scene__is_not_seen():
    """A stated limit: where nothing is clear there is no yardstick; radiometric normalisation takes it off."""
    picture = land(1) * 0.9 + HAZE * 0.1
    assert set(np.unique(judged(planes(picture, RGBN), ALL, 40.0, shown=False))) == {Cover.ANALYSED}


def test_overcast__everything_is_cloud():
    bright = {role: np.full((60, 60), 6200, np.int32) for role in RGBN}
    assert set(np.unique(judged(bright, np.ones((60, 60), bool), 40.0, shown=False))) == {Cover.CLOUD}


@pytest.mark.parametrize("swir", [True, False])
def test_snow__told_from_cloud_by_the_short_waves_alone(swir):
    ground = planes(land(1), RGBN)
    for role, value in zip(RGBN, (8000, 8000, 7900, 7600), strict=True):
        ground[role][20:60, 20:60] = value
    if swir:
        ground[Role.SWIR1] = np.full(ALL.shape, 2000, np.int32)
        ground[Role.SWIR1][20:60, 20:60] = 600
    codes = judged(ground, ALL, 40.0, shown=False)
    assert (codes[40, 40] == Cover.CLOUD) != swir


def written(path, picture, *, dtype="uint16", pixel_m=10.0, overviews=True, mask=None):
    scaled = np.rint(picture * 10_000) if dtype == "uint16" else np.clip(np.rint(picture * 255), 0, 255)
    file = write_tif(path, scaled.astype(dtype), transform=north_up(pixel_m), mask=mask)
    if overviews:
        with rasterio.open(file, "r+") as target:
            target.build_overviews([2, 4], rasterio.enums.Resampling.average)
    return file


@pytest.mark.parametrize("overviews", [True, False])
def test_picture__on_disk__found_with_and_without_overviews(tmp_path, overviews):
    picture, truth = clouded(2)
    with open_picture(written(tmp_path / "a.tif", picture, overviews=overviews), RGBN) as opened:
        found = clouds(opened)
    assert (found.factor, found.how.key) == (4, "cloud.by_nir")
    assert (found.codes[truth["cloud"]] == Cover.CLOUD).mean() > 0.98


@pytest.mark.parametrize("tile", [97, 128, 512, 640])
def test_window__any_parting__same_codes(tmp_path, tile):
    picture, _ = clouded(1)
    with open_picture(written(tmp_path / "a.tif", picture), RGBN) as opened:
        found = clouds(opened)
    whole = found.window(Window(0, 0, SIDE, SIDE))
    parts = np.zeros_like(whole)
    for top in range(0, SIDE, tile):
        for left in range(0, SIDE, tile):
            window = Window(left, top, min(tile, SIDE - left), min(tile, SIDE - top))
            parts[top : top + window.height, left : left + window.width] = found.window(window)
    assert np.array_equal(parts, whole)
    assert found.any


def test_masked_pixels__are_no_part_of_any_yardstick(tmp_path):
    """Zeros under a mask would be the darkest blue of all, and every plant would look hazy beside them."""
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :300] = 0
    picture = np.where(mask, land(1), 0)
    with open_picture(written(tmp_path / "a.tif", picture, mask=mask), RGBN) as opened:
        assert not clouds(opened).any


@pytest.mark.parametrize(
    ("roles", "pixel_m", "key"),
    [
        (RGBN, 0.5, "cloud.below"),
        ((Role.OTHER,) * 4, 10.0, "cloud.colours"),
        ((*RGB, Role.OTHER), 10.0, "cloud.by_colour"),
        (RGBN, 10.0, "cloud.by_nir"),
    ],
)
def test_how__what_was_not_looked_for__is_said(tmp_path, roles, pixel_m, key):
    with open_picture(written(tmp_path / "a.tif", land(1), pixel_m=pixel_m), roles) as opened:
        found = clouds(opened)
    assert found.how.key == key
    assert not found.any


def test_how__picture_brightened_for_the_eye__haze_is_not_judged(tmp_path):
    with open_picture(written(tmp_path / "a.tif", land(1) * 1.6, dtype="uint8"), RGBN) as opened:
        found = clouds(opened)
    assert found.how.key == "cloud.by_shown"
    assert not found.any


def test_classes__of_the_provider__go_before_ours(tmp_path):
    """Codes of Sentinel-2's scene classification have no mean: they are read from the pixels, not from overviews."""
    picture = np.concatenate([land(1), np.full((1, SIDE, SIDE), 4e-4)])
    picture[4, 100:104, 200:204] = 9e-4
    picture[4, 300, 300] = 3e-4
    picture[4, 400:440, :] = 10e-4
    picture[4, 500:520, :] = 11e-4
    picture[4, 560:580, :] = 6e-4
    with open_picture(written(tmp_path / "a.tif", picture), (*RGBN, Role.OTHER)) as opened:
        found = clouds(opened, Classified(5, Role.CLASSES))
    assert found.how.key == "cloud.classes"
    whole = found.window(Window(0, 0, SIDE, SIDE))
    assert (whole[102, 202], whole[300, 300], whole[420, 10]) == (Cover.CLOUD, Cover.SHADOW, Cover.HAZE)
    assert (whole[510, 10], whole[570, 10], whole[10, 10]) == (Cover.CLOUD, Cover.ANALYSED, Cover.ANALYSED)


def test_on_other__earlier_scene__lies_where_it_was_moved():
    utm = rasterio.crs.CRS.from_string(UTM).to_wkt()
    before = Grid(utm, north_up(20.0), 100, 100)
    after = Grid(utm, north_up(10.0, (CORNER[0] + 200, CORNER[1] - 100)), 150, 160)
    codes = np.full((50, 50), Cover.ANALYSED, np.uint8)
    codes[20, 30] = Cover.CLOUD  # 1200 to 1240 m east and 800 to 840 m south of the corner
    found = on_other(Clouds(codes, 2, None), before, after, 2, (4.0, -6.0))
    rows, columns = np.nonzero(found == Cover.CLOUD)
    # 1000 m east and 700 m south of the other corner are squares 50 and 35; moved by 2 squares and by -3.
    assert sorted(set(zip(rows.tolist(), columns.tolist(), strict=True))) == [
        (row, column) for row in (32, 33) for column in (52, 53)
    ]


def test_worse__of_two_dates__whatever_hides_more():
    one = np.array([[Cover.ANALYSED, Cover.HAZE, Cover.SHADOW, Cover.CLOUD]], np.uint8)
    other = np.array([[Cover.HAZE, Cover.CLOUD, Cover.HAZE, Cover.ANALYSED]], np.uint8)
    assert worse(one, other).tolist() == [[Cover.HAZE, Cover.CLOUD, Cover.SHADOW, Cover.CLOUD]]
