"""What hides ground is drawn over the picture, each for its own reason, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from sensing.coverage import Cover
from sensing.veil import tile
from tests.unit.sensing.pictures import write_tif
from tests.unit.sensing.test_preview import opened, over

ZOOM = 15


@pytest.fixture
def files(tmp_path):
    """A masked copy without a corner that a zone took later, and what of it was looked at."""
    mask = np.full((200, 200), 255, np.uint8)
    codes = np.full((1, 200, 200), Cover.ANALYSED, np.uint8)
    mask[:40, :40] = 0
    codes[0, 60:100, 60:100] = Cover.PRIVACY
    mask[60:100, 60:100] = 0
    codes[0, 120:160, 20:60] = Cover.CLOUD
    codes[0, 120:160, 120:160] = Cover.FAILED
    copy = write_tif(tmp_path / "copy.tif", np.full((4, 200, 200), 700, np.uint16), mask=mask)
    return copy, write_tif(tmp_path / "coverage.tif", codes)


def test_veil__private_clouded_failed__each_in_its_own_look_and_looked_at_ground_bare(files):
    x, y = over((113.2655, 23.1225), ZOOM)
    tiles = [opened(tile(*files, (ZOOM, x + right, y + down))) for right in (-1, 0, 1) for down in (-1, 0, 1)]
    painted = np.concatenate([one.reshape(-1, 4) for one in tiles])
    painted = painted[painted[:, 3] > 0]
    purple, orange = (int((painted[:, :3] == ink).all(axis=1).sum()) for ink in ((176, 87, 140), (213, 94, 0)))
    # Both private places, one known to the analysis and one masked since, are as large as the one that failed twice.
    assert 0.2 < purple / (2 * _pixels(40)) < 0.3
    assert 0.35 < orange / _pixels(40) < 0.55
    # Four places of the same size, none of them painted twice, and none of the ground that was looked at.
    assert len(painted) < 3.7 * _pixels(40)


def _pixels(side: int) -> float:
    """Pixels of a tile that a square of so many pixels of ten metres takes."""
    metre_px = 2**ZOOM * 256 / (40_075_016.7 * np.cos(np.radians(23.12)))
    return (side * 10 * metre_px) ** 2
