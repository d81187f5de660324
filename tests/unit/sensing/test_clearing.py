"""Woods cleared in a protected zone: found on two dates, told from harvest, permits, shade and what lies outside."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely

from sensing.evaluate import Outline, evaluate
from tests.unit.sensing.ground import Ground, blob, rectangle
from tests.unit.sensing.test_spectral import leads, segmented

# rasterio still multiplies transforms in a way that its own dependency deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
KIND = "vegetation_loss"
PLACES = {"burnt slope": (50, 50), "terrace": (125, 45)}
BARE = {"burnt slope": "soil", "terrace": "stubble"}


def slopes(folder: Path, seed: int, **look: float):
    """Wooded slopes at 10 m, before and after; the upper half is protected."""
    before, after = (Ground(width=240, height=220, seed=seed) for _ in range(2))
    protected, field = shapely.box(4, 4, 236, 130), rectangle((60, 105), (24, 12))
    for ground in (before, after):
        ground.paint(shapely.box(0, 0, 240, 220), "wood")
        ground.paint(field, "crop")
        ground.place("farmland", field.buffer(1))
        ground.place("protected", protected)
    truth = [
        Outline(KIND, after.paint(blob(centre, 11, seed + turn), BARE[name]))
        for turn, (name, centre) in enumerate(PLACES.items())
    ]
    licensed, outside = blob((150, 105), 10, seed + 5), blob((120, 175), 12, seed + 6)
    after.place("permits", licensed.buffer(2), kind="logging", number="P-7")
    silent = [
        Outline(KIND, after.paint(field, "stubble"), "harvested"),
        Outline(KIND, after.paint(licensed, "soil"), "licensed"),
        Outline(KIND, after.paint(outside, "soil"), "outside"),
        Outline(KIND, after.paint(blob((210, 105), 9, seed + 8), "crop"), "greener"),
    ]
    after.shadows.append(blob((100, 85), 10, seed + 7))
    files = after.satellite(folder / "after.tif", seed=3, **look), before.satellite(folder / "before.tif", seed=4)
    return segmented(folder, files, after.context), after.context, truth, silent


@pytest.mark.parametrize("seed", [1, 5, 23])
def test_pair__woods_cleared_in_a_protected_zone__found_and_what_is_lawful_silent(tmp_path, seed):
    found, context, truth, silent = slopes(tmp_path, seed)
    mine = [one for one in leads(found, context) if one.kind == KIND]
    outcome = evaluate(mine, truth, silent)
    assert outcome.misses == ()
    assert outcome.median_iou()[KIND] > 0.7
    assert (outcome.false_alarms, outcome.hits) == ((), ())


def test_pair__cleared_woods_under_haze__found(tmp_path):
    found, context, truth, silent = slopes(tmp_path, 1, haze=0.03)
    outcome = evaluate([one for one in leads(found, context) if one.kind == KIND], truth, silent)
    assert (outcome.misses, outcome.hits) == ((), ())


def test_pair__cleared_woods__says_how_far_the_green_fell(tmp_path):
    found, _, _, _ = slopes(tmp_path, 1)
    one = next(one for one in found.candidates if one.kind == KIND)
    assert one.measures["green_loss"] > 0.2
    assert one.trace[0].key == "seen.cleared"
