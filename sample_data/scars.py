"""What digging and fire leave behind, painted the same way at any resolution."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.frame import FloatArray, Grid
from sample_data.noise import fractal, step
from sample_data.shapes import blob
from sample_data.spectra import surface


def pit_layers(
    rng: np.random.Generator, outline: BaseGeometry, *, rocky: bool
) -> list[tuple[BaseGeometry, FloatArray]]:
    """The steps of a pit from its rim to its floor, heaps of spoil and sometimes water, in painting order."""
    rim, floor = surface("laterite"), surface("rock" if rocky else "subsoil")
    across = float(np.sqrt(outline.area))
    layers: list[tuple[BaseGeometry, FloatArray]] = [(outline, rim * np.float32(rng.uniform(0.85, 1.0)))]
    depth = 0.0
    for level in (0.07, 0.15, 0.25):
        depth = level * across + rng.uniform(-0.01, 0.01) * across
        share = level / 0.25
        tone = rim * (1 - share) + floor * share
        layers.append((outline.buffer(-depth), tone * np.float32(rng.uniform(0.86, 1.12))))
    for _ in range(int(rng.integers(2, 5))):
        x, y = _inside(rng, outline)
        size = across * rng.uniform(0.06, 0.14)
        heap = blob(rng, x, y, (size, size * 0.8)).intersection(outline)
        layers.append((heap, surface("subsoil") * np.float32(rng.uniform(0.75, 1.15))))
    if rng.random() < 0.45:
        x, y = outline.centroid.x, outline.centroid.y
        pool = blob(rng, x, y, (across * 0.22, across * 0.13)).intersection(outline.buffer(-depth))
        layers.append((pool, surface("pit_water")))
    return [(geom, tone) for geom, tone in layers if not geom.is_empty]


def _inside(rng: np.random.Generator, outline: BaseGeometry) -> tuple[float, float]:
    west, south, east, north = outline.bounds
    while True:
        x, y = float(rng.uniform(west, east)), float(rng.uniform(south, north))
        if shapely.contains_xy(outline, x, y):
            return x, y


def burnt(rng: np.random.Generator, grid: Grid, outline: BaseGeometry) -> tuple[FloatArray, FloatArray]:
    """How far every pixel is burnt, 0 to 1, and the colour it then has: char with patches of pale ash."""
    across = float(np.sqrt(outline.area))
    patches = fractal(rng, grid, across / 3, max(across / 60, grid.res_m), roughness=0.5)
    streaks = fractal(rng, grid, across / 8, max(across / 80, grid.res_m), roughness=0.3)
    inside = grid.mask([outline]).astype(np.float32)
    # Here and there a tuft was spared, and the fire burnt unevenly.
    severity = inside * (0.72 + 0.28 * step(-1.2, 0.4, streaks)) * (1 - 0.75 * step(1.7, 2.3, patches))
    ash = 0.55 * step(0.7, 1.9, streaks + 0.4 * patches)
    tone = surface("char") + ash[..., None] * (surface("ash") - surface("char"))
    return severity, tone * (1 + 0.12 * patches[..., None])
