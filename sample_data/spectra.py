"""Reflectances from 0 to 1 in red, green, blue and near infrared, as field spectrometers see such surfaces."""

import numpy as np

from sample_data.fields import Parcel
from sample_data.frame import FloatArray

BANDS = ("red", "green", "blue", "near_infrared")

SURFACE = {
    "forest": (0.028, 0.046, 0.026, 0.260),
    "grass": (0.082, 0.100, 0.060, 0.265),
    "bank": (0.120, 0.120, 0.080, 0.260),
    "park": (0.052, 0.078, 0.042, 0.310),
    "river": (0.072, 0.084, 0.066, 0.034),
    "brook": (0.058, 0.072, 0.056, 0.030),
    "lake": (0.030, 0.048, 0.046, 0.018),
    "pond": (0.048, 0.070, 0.048, 0.030),
    "asphalt": (0.098, 0.096, 0.094, 0.110),
    "concrete": (0.235, 0.225, 0.205, 0.260),
    "track": (0.225, 0.180, 0.130, 0.275),
    "town": (0.150, 0.145, 0.130, 0.190),
    "village": (0.165, 0.150, 0.120, 0.235),
    "estate": (0.205, 0.200, 0.185, 0.230),
    "laterite": (0.315, 0.205, 0.128, 0.385),
    "subsoil": (0.350, 0.255, 0.175, 0.410),
    "rock": (0.310, 0.295, 0.270, 0.340),
    "pit_water": (0.105, 0.100, 0.070, 0.060),
    "char": (0.036, 0.033, 0.031, 0.056),
    "ash": (0.128, 0.122, 0.116, 0.142),
    "plastic": (0.345, 0.352, 0.348, 0.455),
    "tilth": (0.150, 0.112, 0.078, 0.215),
    "stubble": (0.262, 0.218, 0.146, 0.335),
    "flooded": (0.062, 0.070, 0.052, 0.058),
    "yard": (0.238, 0.228, 0.208, 0.262),
    "gravel": (0.205, 0.198, 0.182, 0.232),
    "graded": (0.285, 0.205, 0.140, 0.350),
    "net": (0.088, 0.150, 0.092, 0.235),
    "scum": (0.058, 0.108, 0.038, 0.230),
    "lotus_leaves": (0.046, 0.086, 0.046, 0.390),
    "shallows": (0.052, 0.092, 0.050, 0.034),
    "deep": (0.022, 0.040, 0.044, 0.016),
    "foul": (0.025, 0.028, 0.026, 0.028),
    "felled": (0.148, 0.122, 0.084, 0.220),
    "brown_wood": (0.066, 0.070, 0.036, 0.215),
    "dry_grass": (0.150, 0.135, 0.078, 0.290),
    "risen_water": (0.058, 0.070, 0.052, 0.032),
    "tarpaulin": (0.620, 0.235, 0.060, 0.560),
    "glint": (0.880, 0.640, 0.400, 0.920),
    "glare": (0.820, 0.810, 0.800, 0.830),
}

ROOFS = {
    "residential": ((0.255, 0.245, 0.230, 0.285), (0.205, 0.198, 0.190, 0.225), (0.275, 0.175, 0.135, 0.310)),
    "house": ((0.230, 0.130, 0.095, 0.280), (0.225, 0.215, 0.195, 0.255), (0.180, 0.105, 0.080, 0.225)),
    "industrial": ((0.130, 0.205, 0.345, 0.320), (0.430, 0.430, 0.420, 0.440), (0.285, 0.285, 0.280, 0.300)),
    "tiled": ((0.330, 0.110, 0.070, 0.380), (0.280, 0.120, 0.080, 0.330)),
    "bathhouse": ((0.300, 0.280, 0.250, 0.320),),
}

_SOIL = np.array((0.205, 0.158, 0.108, 0.280), np.float32)
_STRAW = np.array((0.270, 0.225, 0.150, 0.345), np.float32)
_LEAF = {
    "rice": (0.042, 0.082, 0.036, 0.420),
    "rice_ripe": (0.165, 0.165, 0.062, 0.360),
    "vegetables": (0.048, 0.098, 0.040, 0.440),
    "sugarcane": (0.060, 0.098, 0.044, 0.390),
    "orchard": (0.036, 0.058, 0.032, 0.330),
    "fallow": (0.095, 0.110, 0.065, 0.270),
    "lotus": (0.046, 0.084, 0.046, 0.380),
}
# How full of leaves a crop usually stands: mean and spread of the covered share.
_COVER = {
    "rice": (0.82, 0.12), "vegetables": (0.62, 0.26), "sugarcane": (0.90, 0.06), "orchard": (0.80, 0.09),
    "fallow": (0.55, 0.20), "lotus": (0.70, 0.15),
}  # fmt: skip
# The share of fields that stand cleared (stubble or bare) on a given day.
_CLEARED = {
    "rice": 0.10, "vegetables": 0.10, "sugarcane": 0.03, "orchard": 0.0, "fallow": 0.06, "lotus": 0.0,
}  # fmt: skip


def surface(name: str) -> FloatArray:
    """The reflectance of a surface in all four bands."""
    return np.array(SURFACE[name], np.float32)


def roof(rng: np.random.Generator, use: str) -> FloatArray:
    """One roof of a building use, weathered a little."""
    choices = ROOFS[use]
    base = np.array(choices[int(rng.integers(len(choices)))], np.float32)
    return base * np.float32(rng.uniform(0.82, 1.14))


def field_colours(rng: np.random.Generator, plots: tuple[Parcel, ...], cleared: float = 1.0) -> FloatArray:
    """Reflectance of every field on one day, four columns; ``cleared`` scales the share of harvested fields."""
    count = len(plots)
    crops = np.array([plot.crop for plot in plots])
    ripe = (crops == "rice") & (rng.random(count) < 0.30)
    leaf = np.array([_LEAF["rice_ripe" if r else c] for c, r in zip(crops, ripe, strict=True)], np.float32)
    mean, spread = np.array([_COVER[c] for c in crops], np.float32).T
    cover = np.clip(mean + spread * rng.standard_normal(count, dtype=np.float32), 0.05, 0.97)
    bare = rng.random(count) < np.array([_CLEARED[c] for c in crops]) * cleared
    cover = np.where(bare, rng.uniform(0.02, 0.22, count), cover).astype(np.float32)[:, None]
    wet = rng.uniform(0.55, 1.05, count).astype(np.float32)[:, None]
    straw = (rng.random(count) < 0.5)[:, None]
    ground = np.where(straw, _STRAW, _SOIL) * wet
    tint = rng.normal(1, 0.04, (count, 4)).astype(np.float32)
    return (cover * leaf + (1 - cover) * ground) * tint
