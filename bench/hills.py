"""One device moved over hills among 10,000: from the place of a hand on the map to what it does, against a limit.

The ground is a fractal of 30 m cells with 80 m of standard deviation; 10,000 cameras stand on it as in the middle set,
and each sees what the hills leave in sight. A camera, a camera that turns and a radar of 3 km all round are then moved
to one place after another. On the clock are the elevation model, the lines of sight, the outline and the change.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import rasterio
import rasterio.warp
import shapely
from numpy.typing import NDArray
from rasterio.transform import from_origin

from bench.measure import Result, limited, seconds
from bench.places import SEED
from geo.coverage.footprints import Device
from geo.coverage.plane import Plane
from geo.coverage.seen import Surroundings, what_is_seen
from geo.coverage.views import Seer
from geo.coverage.what_if import Standing
from geo.types import LonLat

MIDDLE = LonLat(111.0, 23.1)
CAMERAS, MOVES = 10_000, 60
SIDE_M, CELL_M, BEYOND_M = 19_000.0, 30.0, 4_000.0
LONGEST_S = 0.2
# What a hand moves: range, width of view (None all round) and mast.
KINDS = ((400.0, 90.0, 6.0), (1_000.0, None, 10.0), (3_000.0, None, 15.0))
_METRE_DEG = 1 / 111_000.0


def row() -> Result:
    """What 95 of 100 moves take no longer than, against the limit."""
    with tempfile.TemporaryDirectory() as folder:
        plane, around = Plane(MIDDLE), Surroundings(terrain=_hills(Path(folder) / "hills.tif"), terrain_sha256="hills")
        rng = np.random.default_rng(SEED)
        views = _seen([_camera(rng) for _ in range(CAMERAS)], plane, around)
        standing = Standing(views, shapely.box(-SIDE_M / 2, -SIDE_M / 2, SIDE_M / 2, SIDE_M / 2))
        kinds = KINDS * (MOVES // len(KINDS))
        moves = [Device(_place(rng), reach, _azimuth(rng, wide), wide, mast) for reach, wide, mast in kinds]

        def move(number: int) -> None:
            standing.replaced(number * 7, _seen([moves[number]], plane, around)[0])

        for number in range(len(KINDS)):
            move(number)
        taken = [seconds(lambda number=number: move(number))[0] for number in range(len(KINDS), MOVES)]
    name, limit = "what-if over hills, one device moved among 10,000, p95", f"a limit of {LONGEST_S:g} s"
    return limited(name, limit, float(np.percentile(taken, 95)), LONGEST_S, unit="s")


def _hills(path: Path) -> Path:
    """An elevation model of UTM zone 49 around the middle, smooth from afar and rough at hand."""
    size = int((SIDE_M + 2 * BEYOND_M) / CELL_M)
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    waves[0, 0] = 1.0
    noise = np.fft.fft2(np.random.default_rng(SEED).normal(size=(size, size)))
    heights = np.real(np.fft.ifft2(noise * waves**-1.7))
    metres = (150 + 80 * (heights - heights.mean()) / heights.std()).astype(np.float32)
    (east,), (north,) = rasterio.warp.transform("EPSG:4326", "EPSG:32649", [MIDDLE.lon], [MIDDLE.lat])
    corner = from_origin(east - size * CELL_M / 2, north + size * CELL_M / 2, CELL_M, CELL_M)
    profile = {"driver": "GTiff", "height": size, "width": size, "count": 1, "dtype": "float32", "crs": "EPSG:32649"}
    with rasterio.open(path, "w", transform=corner, tiled=True, compress="deflate", predictor=3, **profile) as model:
        model.write(metres, 1)
    return path


def _camera(rng: np.random.Generator) -> Device:
    """As those of the middle set: one of ten turns."""
    width = None if rng.random() < 0.1 else float(rng.uniform(30, 120))
    return Device(_place(rng), float(rng.uniform(100, 400)), _azimuth(rng, width), width)


def _place(rng: np.random.Generator) -> LonLat:
    east, north = rng.uniform(-SIDE_M / 2, SIDE_M / 2, 2) * _METRE_DEG
    return LonLat(MIDDLE.lon + float(east) / float(np.cos(np.radians(MIDDLE.lat))), MIDDLE.lat + float(north))


def _azimuth(rng: np.random.Generator, width: float | None) -> float | None:
    return None if width is None else float(rng.uniform(0, 360))


def _seen(devices: list[Device], plane: Plane, around: Surroundings) -> NDArray[np.object_]:
    seers = [Seer(device=one, label="", public_id=None, kind="video", status="planned", own=True) for one in devices]
    return what_is_seen(seers, plane, around, lambda _share: None).views
