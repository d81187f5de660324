"""What hides the ground keeps it from being looked at: never analysed, never called clean, in no yardstick."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import rasterio
import shapely
from scipy import ndimage

from sensing.bands import Role
from sensing.coverage import Cover
from sensing.picture import open_picture
from sensing.segment.model import Job
from sensing.segment.spectral import Spectral
from tests.unit.sensing.ground import DAY, Ground, blob, rectangle
from tests.unit.sensing.pictures import write_tif

# rasterio still multiplies transforms in a way that its own dependency deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
CLOUD = np.array([0.62, 0.62, 0.63, 0.66])[:, None, None]
SIDE = 360


def ground(*, dug: bool) -> Ground:
    made = Ground(seed=4, width=SIDE, height=SIDE)
    for number in range(6):
        made.paint(rectangle((50 + 55 * number, 60 + 45 * number), (34, 20), 15 * number), "soil")
    if dug:
        made.paint(blob((90, 250), 12, 3), "pit")
        made.paint(blob((270, 90), 12, 5), "pit")
    return made


def overcast(picture: np.ndarray, centre: tuple[int, int], radius: int) -> np.ndarray:
    """A thick cloud around (column, row)."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    cover = (np.hypot(columns - centre[0], rows - centre[1]) < radius).astype(float)
    cover = ndimage.gaussian_filter(cover, 2)
    return picture * (1 - cover) + CLOUD * cover


def file(folder, name, picture):
    return write_tif(folder / name, np.rint(picture * 10_000).astype(np.uint16), transform=ground(dug=False).transform)


def looked(folder, after, before=None, **options):
    workdir = folder / f"work-{len(list(folder.iterdir()))}"
    workdir.mkdir()
    with ExitStack() as stack:
        later = stack.enter_context(open_picture(after, RGBN))
        earlier = stack.enter_context(open_picture(before, RGBN)) if before else None
        job = Job(later, earlier, ground(dug=False).context, DAY, workdir, **options)
        return Spectral().segment(job, lambda _: None)


def codes(found) -> np.ndarray:
    with rasterio.open(found.coverage) as coverage:
        return coverage.read(1)


def pits(found):
    return [one for one in found.candidates if one.kind == "excavation"]


@pytest.fixture(scope="module")
def dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    return folder, ground(dug=False).reflectance(seed=2), ground(dug=True).reflectance(seed=3)


def test_clear_pair__both_pits_found_and_the_fit_is_told(dates):
    folder, then, now = dates
    found = looked(folder, file(folder, "now.tif", now), file(folder, "then.tif", then))
    assert len(pits(found)) == 2
    assert set(np.unique(codes(found))) == {Cover.ANALYSED}
    assert found.fit["residual_px"] < 0.5
    assert abs(found.fit["shift_columns_px"]) < 0.1
    assert [one["how"]["key"] for one in found.clouds.values()] == ["cloud.by_nir", "cloud.by_nir"]


@pytest.mark.parametrize("cloudy", ["after", "before"])
def test_cloud__of_either_date__is_not_looked_at_and_the_rest_is(dates, cloudy):
    folder, then, now = dates
    if cloudy == "after":
        now = overcast(now, (90, 250), 45)
    else:
        then = overcast(then, (90, 250), 45)
    found = looked(folder, file(folder, f"{cloudy}-n.tif", now), file(folder, f"{cloudy}-t.tif", then))
    said = codes(found)
    assert (said[225:275, 65:115] == Cover.CLOUD).all()
    assert (said[:150] == Cover.ANALYSED).all()
    (left,) = pits(found)
    assert left.geom.intersects(ground(dug=True).to_map(blob((270, 90), 12, 5)))
    assert found.clouds[cloudy]["percent"]["cloud"] > 3


def test_pair_that_is_off_by_pixels__moved_back_and_compared(dates):
    folder, then, now = dates
    moved = np.stack([ndimage.shift(plane, (2.6, -3.4), order=3, mode="nearest") for plane in then])
    found = looked(folder, file(folder, "now.tif", now), file(folder, "moved.tif", moved))
    assert found.fit["shift_columns_px"] == pytest.approx(3.4, abs=0.1)
    assert found.fit["shift_rows_px"] == pytest.approx(-2.6, abs=0.1)
    assert found.shift_px == (found.fit["shift_columns_px"], found.fit["shift_rows_px"])
    assert len(pits(found)) == 2


def test_pair_that_does_not_fit__no_change_is_looked_for(dates):
    folder, then, now = dates
    turned = np.stack([ndimage.rotate(plane, 4.0, reshape=False, order=1, mode="nearest") for plane in then])
    found = looked(folder, file(folder, "now.tif", now), file(folder, "turned.tif", turned))
    assert found.fit["residual_px"] is None or found.fit["residual_px"] > 1.0
    assert found.candidates == ()
    assert {found.refused[kind].key for kind in ("excavation", "burn_scar")} == {"cannot.apart"}
    assert found.shift_px == (0.0, 0.0)


def test_jurisdiction__ground_of_others__is_outside(dates):
    folder, then, now = dates
    mine = ground(dug=False).to_map(shapely.box(-10, 170, SIDE + 10, SIDE + 10))
    found = looked(folder, file(folder, "now.tif", now), file(folder, "then.tif", then), jurisdiction=[mine])
    said = codes(found)
    assert (said[:170] == Cover.OUTSIDE).all()
    assert (said[170:] == Cover.ANALYSED).all()
    assert len(pits(found)) == 1


def test_jurisdiction__nobody_s__nothing_is_looked_at(dates):
    folder, _, now = dates
    found = looked(folder, file(folder, "now.tif", now), jurisdiction=[])
    assert set(np.unique(codes(found))) == {Cover.OUTSIDE}
    assert found.candidates == ()


@pytest.mark.parametrize("tile_px", [512, 1024])
def test_everything_at_once__same_codes_for_any_window(dates, tile_px):
    folder, then, now = dates
    now = overcast(now, (200, 200), 40)
    mine = ground(dug=False).to_map(shapely.Point(180, 180).buffer(170))
    zone = ground(dug=False).to_map(shapely.box(100, 100, 130, 130))
    files = file(folder, "all-n.tif", now), file(folder, "all-t.tif", then)
    options = {"jurisdiction": [mine], "zones": [zone]}
    one = codes(looked(folder, *files, tile_px=tile_px, **options))
    other = codes(looked(folder, *files, tile_px=512, band_px=512, **options))
    assert np.array_equal(one, other)
    assert set(np.unique(one)) >= {Cover.OUTSIDE, Cover.ANALYSED, Cover.CLOUD}
