"""Touches the disk: the elevation model of this installation, or honest ignorance where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from flights.path.track import Floats, Ground
from geo.terrain import Terrain

TERRAIN_FILE = "terrain.tif"
"""The elevation model, in the data folder of the installation."""


class UnknownGround:
    """Ground of which nothing is known; every check that needs a true height then refuses."""

    def heights_m(self, lons: Floats, _lats: Floats) -> Floats:
        """NaN everywhere."""
        return np.full(len(lons), np.nan)


@contextmanager
def open_ground(data_dir: Path) -> Iterator[Ground]:
    """The ground below flights, from `terrain.tif` in `data_dir`."""
    path = data_dir / TERRAIN_FILE
    if not path.is_file():
        yield UnknownGround()
        return
    with Terrain.open(path) as terrain:
        yield terrain
