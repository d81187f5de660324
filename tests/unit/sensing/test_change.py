"""Two dates on one grid and in one tone."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from sensing.bands import Role
from sensing.change import align, common_tone, tone
from sensing.grid import Grid
from sensing.picture import open_picture
from tests.unit.sensing.pictures import CORNER, north_up, write_tif

RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)


def pixels(count: int = 5000) -> np.ndarray:
    return np.random.default_rng(3).uniform(300, 3000, count)


def test_tone__a_third_of_the_ground_changed__the_rest_decides():
    source = pixels()
    target = source * 0.85 + 200 + np.random.default_rng(5).normal(0, 20, source.size)
    target[: source.size // 3] = np.random.default_rng(6).uniform(300, 4000, source.size // 3)
    fitted = tone({Role.RED: source}, {Role.RED: target})
    assert fitted.gain[Role.RED] == pytest.approx(0.85, abs=0.03)
    assert fitted.offset[Role.RED] == pytest.approx(200, abs=60)


def test_tone__too_few_pixels__nothing_changed():
    fitted = tone({Role.RED: pixels(10)}, {Role.RED: pixels(10) * 2})
    assert (fitted.gain[Role.RED], fitted.offset[Role.RED]) == (1.0, 0.0)


def test_tone__constant_scene__no_division_by_zero():
    flat = np.full(1000, 500.0)
    assert np.isfinite(tone({Role.RED: flat}, {Role.RED: flat + 100}).offset[Role.RED])


@pytest.mark.parametrize(("hazy_after", "toned"), [(True, "after"), (False, "before")])
def test_common_tone__the_clearer_date__keeps_its_own(hazy_after, toned):
    clear = {role: pixels() + number for number, role in enumerate(RGBN)}
    hazy = {role: plane * 0.8 + 400 for role, plane in clear.items()}
    tones = common_tone(clear, hazy) if hazy_after else common_tone(hazy, clear)
    assert getattr(tones, toned) is not None
    assert getattr(tones, "before" if toned == "after" else "after") is None


def test_align__masked_pixels__stay_void_and_lend_nothing(tmp_path):
    """A hole of privacy in the earlier scene is a hole on the later grid, without a blend of zeros at its rim."""
    mask = np.full((200, 200), 255, np.uint8)
    mask[80:120, 80:120] = 0
    data = np.where(mask, 3000, 0)[None].astype(np.uint16)
    path = write_tif(tmp_path / "before.tif", data, mask=mask)
    grid = Grid(rasterio.crs.CRS.from_epsg(32649).to_wkt(), north_up(7.0, (CORNER[0] + 3, CORNER[1] - 5)), 250, 250)
    with open_picture(path, (Role.RED,)) as before:
        align(before, grid, (0.4, -0.3), tmp_path / "aligned.tif")
    with rasterio.open(tmp_path / "aligned.tif") as aligned:
        shown = aligned.dataset_mask() > 0
        assert set(np.unique(aligned.read(1)[shown])) == {3000}
        assert not shown[120:160, 120:160].any()
        assert shown[:100, :100].all()


def test_picture__finer_than_needed__is_read_from_an_overview(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.ones((3, 900, 1000), np.uint8), transform=north_up(0.05))
    with rasterio.open(path, "r+") as target:
        target.build_overviews([2, 4, 8, 16])
    with open_picture(path, (Role.RED, Role.GREEN, Role.BLUE)) as picture:
        assert picture.gsd_m == pytest.approx(0.4, rel=0.02)
        assert (picture.grid.width, picture.grid.height) == (125, 113)


@pytest.mark.parametrize(
    ("dtype", "bright", "full"),
    [
        ("uint8", 200, 255.0),
        ("uint16", 200, 255.0),
        ("uint16", 1800, 2047.0),
        ("uint16", 6000, 10_000.0),
        ("uint16", 50_000, 65_535.0),
        ("float32", 0.6, 1.0),
        ("float32", 60.0, 100.0),
        ("float32", 6000.0, 10_000.0),
    ],
)
def test_picture__full_scale__guessed_from_type_and_brightness(tmp_path, dtype, bright, full):
    path = write_tif(tmp_path / "a.tif", np.full((1, 50, 50), bright).astype(dtype))
    with open_picture(path, (Role.RED,)) as picture:
        assert picture.full_scale == full
        assert picture.tile(Window(0, 0, 5, 5))[Role.RED].max() == round(bright / full * 10_000)


def test_tile__beyond_the_rim__void(tmp_path):
    path = write_tif(tmp_path / "a.tif", np.full((1, 20, 20), 9, np.uint8))
    with open_picture(path, (Role.RED,)) as picture:
        seen = picture.tile(Window(15, 15, 5, 5), halo=3)
    assert seen.valid.shape == (11, 11)
    assert seen.valid[:8, :8].all()
    assert not seen.valid[8:].any()
