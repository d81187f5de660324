"""The satellite scene of a day on which things burn: six bands, two of them in the shortwave infrared."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sample_data.blends import burns
from sample_data.flames import HOT_CELL_M, glow
from sample_data.frame import FloatArray, Grid
from sample_data.incidents import Site
from sample_data.landscape import Landscape
from sample_data.noise import smooth, stream
from sample_data.satellite import FINER, RES_M, Pass, gathered, hazed, light_on, paint

# Bands: red, green, blue, near infrared as the pair has them, then 1.6 and 2.2 micrometres.
_SHORTWAVE = (4, 5)
_MOST = 28_000
# Where a small cloud's shadow falls, in metres east and north, and the light that it leaves.
_CLOUD_SHADE_M, _SHADED = (-95.0, 130.0), 0.45


def render_burning(land: Landscape, sites: tuple[Site, ...], grid: Grid, view: Pass) -> NDArray[np.uint16]:
    """The scene as uint16 reflectance times 10 000; flames may shine brighter than anything that reflects."""
    rng = stream(land.seed, f"satellite {view.label}")
    fine = grid.refined(FINER)
    four, texture, painted = paint(land, fine, rng, list(sites), view)
    colours = np.concatenate([four, shortwave(four)], axis=1)
    light = light_on(land, fine, list(sites), view) * _cloud_shades(fine, sites)
    veil = np.asarray(0.5 + 0.5 * np.tanh(smooth(rng, grid, 1_900.0)), np.float32)
    heat = _heat(fine, sites, view.sun[1])
    scars = list(burns(land.seed, f"burn {view.label}", fine, sites, 40.0))
    gain, offset = rng.normal(1.0, 0.018, 6), rng.normal(0.0, 0.0025, 6)
    bands = []
    for band in range(6):
        ground = colours[painted, band] * texture
        for blend in scars:
            here = ground[blend.window]
            here += blend.share * (_tone(blend.tone, band) - here)
        ground *= light if band < 3 else light**0.85
        for share, glowing in heat:
            ground += share * glowing[band]
        for site in sites:
            if site.veil is not None:
                site.veil.over(ground, fine, band)
        seen = gathered(ground)
        seen = _coarser(seen) if band in _SHORTWAVE else hazed(seen, veil, band, view.after)
        seen = seen * gain[band] + offset[band]
        seen += rng.normal(0, 1, seen.shape) * (0.0012 + 0.008 * np.clip(seen, 0, None))
        bands.append(np.clip(np.round(seen * 10_000), 1, _MOST))
    return np.stack(bands).astype(np.uint16)


def shortwave(four: FloatArray) -> FloatArray:
    """Reflectances at 1.6 and 2.2 micrometres of surfaces known by red, green, blue and near infrared, row by row.

    Water takes all of it, and leaves are full of water; dry soil, concrete and metal reflect more than in the near
    infrared.
    """
    red, green, nir = four[:, 0], four[:, 1], four[:, 3]
    leaves = np.clip((nir - red) / (nir + red + 1e-6) / 0.85, 0, 1)
    dry = np.stack([0.55 * nir + 0.62 * red + 0.035, 0.44 * nir + 0.62 * red + 0.04], axis=1)
    leafy = np.stack([0.46 * nir + 0.012, 0.20 * nir + 0.012], axis=1)
    made = np.where((green > nir)[:, None], np.float32(0.012), dry + leaves[:, None] ** 2 * (leafy - dry))
    return np.asarray(made, np.float32)


def _tone(tone: FloatArray, band: int) -> FloatArray:
    """Char and ash in a band; beyond the near infrared they are as dull, a little brighter."""
    return tone[..., band] if band < 4 else tone[..., 3] * np.float32(1.5 if band == 4 else 1.6)


def _heat(grid: Grid, sites: tuple[Site, ...], sun_elevation_deg: float) -> list[tuple[FloatArray, FloatArray]]:
    """Of each front, the share of every pixel that flames, and how those glow in each band."""
    fronts = [site.front for site in sites if site.front is not None]
    return [(front.share(grid), glow(front.kelvin, sun_elevation_deg)) for front in fronts]


def _cloud_shades(grid: Grid, sites: tuple[Site, ...]) -> FloatArray:
    light = np.ones(grid.shape, np.float32)
    for site in sites:
        if site.look == "cloud" and site.veil is not None:
            moved = grid.shifted(-_CLOUD_SHADE_M[0], -_CLOUD_SHADE_M[1])
            window = moved.window(site.veil.reach)
            light[window] *= 1 - _SHADED * (1 - np.exp(-site.veil.depth(moved.part(window))))
    return np.asarray(gaussian_filter(light, 3.0), np.float32)


def _coarser(seen: FloatArray) -> FloatArray:
    """What a sensor of twenty metres sees, on pixels of ten."""
    factor = round(HOT_CELL_M / RES_M)
    rows, columns = seen.shape
    cells = seen.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3))
    return np.asarray(np.repeat(np.repeat(cells, factor, 0), factor, 1), np.float32)
