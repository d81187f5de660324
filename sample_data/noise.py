"""Repeatable randomness: one stream per purpose, and natural-looking textures on a grid."""

import zlib

import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates

from sample_data.frame import FloatArray, Grid


def stream(seed: int, purpose: str) -> np.random.Generator:
    """An independent random stream, so that a change in one part of the district leaves the others alone."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def _spline_weights(positions: FloatArray, start: float, cell_m: float, count: int) -> sparse.csr_array:
    at = (positions - start) / cell_m
    base = np.floor(at).astype(int)
    t = (at - base).astype(np.float32)
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    ) / np.float32(6)
    columns = base[:, None] + np.arange(4)
    rows = np.repeat(np.arange(len(positions)), 4)
    return sparse.csr_array((weights.ravel(), (rows, columns.ravel())), shape=(len(positions), count))


def smooth(rng: np.random.Generator, grid: Grid, cell_m: float) -> FloatArray:
    """Smooth noise of zero mean and about unit deviation whose bumps are about two cells wide."""
    across = int(grid.width * grid.res_m / cell_m) + 5
    down = int(grid.height * grid.res_m / cell_m) + 5
    knots = rng.standard_normal((down, across), dtype=np.float32)
    east = (np.arange(grid.width, dtype=np.float32) + 0.5) * np.float32(grid.res_m)
    south = (np.arange(grid.height, dtype=np.float32) + 0.5) * np.float32(grid.res_m)
    rows = _spline_weights(south, 0.0, cell_m, down)
    columns = _spline_weights(east, 0.0, cell_m, across)
    # The sum of squared cubic B-spline weights is 0.48 in one dimension, hence the rescaling.
    return np.asarray(np.ascontiguousarray((columns @ (rows @ knots).T).T) / np.float32(0.48), np.float32)


def fractal(
    rng: np.random.Generator, grid: Grid, coarse_m: float, fine_m: float, *, roughness: float = 0.8
) -> FloatArray:
    """A sum of octaves from coarse to fine, amplitude falling as cell size to the power ``roughness``."""
    total = np.zeros(grid.shape, np.float32)
    power = 0.0
    cell_m = coarse_m
    while cell_m >= fine_m:
        amplitude = (cell_m / coarse_m) ** roughness
        total += np.float32(amplitude) * smooth(rng, grid, cell_m)
        power += amplitude**2
        cell_m /= 2
    return total / np.float32(max(power, 1e-9) ** 0.5)


def resampled(values: FloatArray, source: Grid, target: Grid) -> FloatArray:
    """Values of one grid at the pixels of another, between its own; 0 beyond it: the same thing at any resolution."""
    rows = (source.north_m - target.ys.astype(float)) / source.res_m - 0.5
    columns = (target.xs.astype(float) - source.west_m) / source.res_m - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(map_coordinates(values, places, order=1, mode="constant"), np.float32)


def step(low: float, high: float, values: FloatArray) -> FloatArray:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    stepped: FloatArray = t * t * (3 - 2 * t)
    return stepped
