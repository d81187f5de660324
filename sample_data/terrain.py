"""The ground: a plain by the river, hills in the north, a side valley; heights in metres above mean sea level."""

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from shapely.geometry import LineString

from sample_data.frame import SCENE_HALF_M, FloatArray, Grid
from sample_data.noise import fractal, step, stream

# The terrain reaches this far beyond the satellite scene on every side.
MARGIN_M = 1_000.0
PLAIN_M = 11.0


def terrain_grid(res_m: float = 10.0) -> Grid:
    """The pixels of the terrain model."""
    half_x, half_y = SCENE_HALF_M[0] + MARGIN_M, SCENE_HALF_M[1] + MARGIN_M
    return Grid(-half_x, half_y, res_m, int(2 * half_x / res_m), int(2 * half_y / res_m))


def heights_m(seed: int, river: LineString, brook: LineString) -> FloatArray:
    """The terrain on ``terrain_grid()``; within 3 m of level around the first patrol area for every seed."""
    rng = stream(seed, "terrain")
    grid = terrain_grid()
    ys = np.broadcast_to(grid.ys[:, None], grid.shape)
    edge = 1_700 + 220 * smooth_row(rng, grid)
    rise = step(0.0, 2_200.0, ys - edge)
    valley = step(60.0, 1_100.0, _distance_m(grid, brook))
    ridges = 1.0 - np.abs(fractal(rng, grid, 1_400, 80, roughness=1.0)) / 1.6
    # Far south the ground climbs a little as well, so that the river has two banks.
    south = 14 * step(0.0, 900.0, -2_900 - ys)
    hills = rise * (0.35 + 0.65 * valley) * (70 + 210 * np.clip(ridges, 0, 1) * valley)
    plain = PLAIN_M + 0.9 * np.clip(fractal(rng, grid, 1_500, 200), -2, 2)
    channel = -3.0 * np.exp(-((_distance_m(grid, river) / 160.0) ** 2))
    bed = -1.2 * np.exp(-((_distance_m(grid, brook) / 45.0) ** 2))
    ground = gaussian_filter(hills + south, 2.0) + plain + channel + bed
    rough = ground + rng.normal(0, 0.05, grid.shape).astype(np.float32)
    return np.asarray(np.round(rough, 2), np.float32)


def smooth_row(rng: np.random.Generator, grid: Grid) -> FloatArray:
    """A gentle variation from west to east, one value a column."""
    waves = np.zeros(grid.width, np.float32)
    for length_m in (6_000.0, 2_700.0, 1_300.0):
        waves += np.sin(2 * np.pi * grid.xs / length_m + rng.uniform(0, 2 * np.pi)) * length_m / 6_000.0
    return waves[None, :]


def _distance_m(grid: Grid, line: LineString) -> FloatArray:
    near = grid.mask([line.buffer(grid.res_m)])
    return np.asarray(distance_transform_edt(~near) * grid.res_m, np.float32)
