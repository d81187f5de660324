"""The pair of satellite scenes: sunlight on the vector world, blurred, sampled, hazed and noisy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from shapely.geometry.base import BaseGeometry

from sample_data.blends import blooms, burns, plumes
from sample_data.found_in_woods import KIND as WOODS
from sample_data.frame import SCENE_HALF_M, FloatArray, Grid
from sample_data.incidents import Site
from sample_data.landscape import Landscape
from sample_data.noise import fractal, smooth, stream
from sample_data.scars import pit_layers
from sample_data.shapes import shadow_of, sun_reach
from sample_data.spectra import field_colours, roof, surface
from sample_data.terrain import terrain_grid

Tones = NDArray[np.floating[Any]]

RES_M = 10.0
# Light is computed on pixels this many times finer than the sensor's, then averaged.
FINER = 4
# What was there on the earlier date already.
_STANDING = ("quarry", "still")
# How rough plain surfaces look; water is smooth, and graded ground is not.
_ROUGH = {
    "stubble": 0.08, "flooded": 0.04, "yard": 0.05, "gravel": 0.08, "graded": 0.10, "net": 0.08, "lotus_leaves": 0.06,
    "shallows": 0.03, "foul": 0.03, "asphalt": 0.05, "glare": 0.03, "tarpaulin": 0.03, "laterite": 0.12,
    "felled": 0.14, "brown_wood": 0.20, "dry_grass": 0.20, "risen_water": 0.03,
}  # fmt: skip


@dataclass(frozen=True)
class Pass:
    """One overpass: when, where the sun stood (azimuth, elevation in degrees), and whether changes are there."""

    label: str
    captured_at: datetime
    sun: tuple[float, float]
    after: bool


def scene_grid() -> Grid:
    """The pixels of both scenes."""
    west, north = -SCENE_HALF_M[0], SCENE_HALF_M[1]
    return Grid(west, north, RES_M, int(-2 * west / RES_M), int(2 * north / RES_M))


def render(land: Landscape, sites: tuple[Site, ...], view: Pass) -> np.ndarray:
    """One scene as uint16 reflectance times 10 000; bands red, green, blue, near infrared."""
    rng = stream(land.seed, f"satellite {view.label}")
    nominal = scene_grid()
    # The sensor does not look exactly where its file says: up to half a pixel aside, differing between dates.
    aside = rng.uniform(-0.25, 0.25, 2) * RES_M
    grid = nominal.refined(FINER).shifted(*aside)
    present = [site for site in sites if view.after or site.look in _STANDING]
    colours, texture, painted = paint(land, grid, rng, present, view)
    light = light_on(land, grid, present, view)
    veil = np.asarray(0.5 + 0.5 * np.tanh(smooth(rng, nominal, 1_900.0)), np.float32)
    gain = rng.normal(1.0, 0.018, 4)
    offset = rng.normal(0.0, 0.0025, 4)
    soft = [*burns(land.seed, f"burn {view.label}", grid, present, 40.0), *plumes(grid, present, 400.0)]
    soft += blooms(land.seed, f"bloom {view.label}", grid, present, 20.0)
    bands = []
    for band in range(4):
        ground = colours[painted, band] * texture
        for blend in soft:
            blend.into(ground, band)
        seen = gathered(ground * (light if band < 3 else light**0.85))
        seen = hazed(seen, veil, band, view.after) * gain[band] + offset[band]
        seen += rng.normal(0, 1, seen.shape) * (0.0012 + 0.008 * np.clip(seen, 0, None))
        bands.append(np.clip(np.round(seen * 10_000), 1, 12_000))
    return np.stack(bands).astype(np.uint16)


@dataclass
class Layers:
    """Surfaces in painting order: outline, reflectance in four bands, and how rough it looks."""

    shapes: list[BaseGeometry] = field(default_factory=list)
    colours: list[Tones] = field(default_factory=lambda: [surface("bank")])
    rough: list[float] = field(default_factory=lambda: [0.16])

    def add(self, shapes: Sequence[BaseGeometry], tones: Tones, rough: float) -> None:
        """Paint shapes, all in one tone or each in its row of tones; row 0 is the ground that nothing covers."""
        self.shapes.extend(shapes)
        self.colours.extend(np.broadcast_to(tones, (len(shapes), 4)))
        self.rough.extend([rough] * len(shapes))


def paint(
    land: Landscape, grid: Grid, rng: np.random.Generator, present: list[Site], view: Pass
) -> tuple[FloatArray, FloatArray, NDArray[np.int32]]:
    """A colour table, a texture, and for every pixel the row of the table."""
    layers = Layers()
    add = layers.add
    season = stream(land.seed, f"fields {view.label}")
    add([plot.outline for plot in land.parcels], field_colours(season, land.parcels), 0.07)
    wild = stream(land.seed, "wild colours")
    add(land.grass, surface("grass") * wild.uniform(0.85, 1.15, (len(land.grass), 1)), 0.22)
    add(land.forest, surface("forest") * wild.uniform(0.9, 1.1, (len(land.forest), 1)), 0.20)
    add([land.town.outline], surface("town"), 0.22)
    add([v.outline for v in land.villages], surface("village"), 0.25)
    add([land.industry], surface("estate"), 0.15)
    add(land.town.parks, surface("park"), 0.2)
    add([land.river], surface("river"), 0.03)
    add([land.brook], surface("brook"), 0.03)
    add([land.reservoir], surface("lake"), 0.03)
    add(land.ponds, surface("pond") * wild.uniform(0.8, 1.25, (len(land.ponds), 4)), 0.03)
    add([r.area for r in land.roads], np.stack([surface(_pavement(r.width_m)) for r in land.roads]), 0.05)
    # What was thought of later is painted from a stream of its own, so that all else keeps its bytes.
    woods = [site for site in present if site.kind == WOODS]
    _add_sites(layers, rng, [site for site in present if site.kind != WOODS], grown=view.after)
    _add_sites(layers, stream(land.seed, f"woods {view.label}"), woods, grown=view.after)
    roofs = stream(land.seed, "roofs")
    add(land.greenhouses, surface("plastic") * roofs.uniform(0.9, 1.1, (len(land.greenhouses), 1)), 0.05)
    tones = np.array([roof(roofs, building.use) for building in land.buildings])
    add([building.outline for building in land.buildings], tones, 0.04)
    painted = grid.burn(layers.shapes, range(1, len(layers.shapes) + 1))
    grain = fractal(stream(land.seed, "grain"), grid, 320.0, 6.0, roughness=0.35)
    table = np.array(layers.colours, np.float32)
    texture = 1 + np.array(layers.rough, np.float32)[painted] * np.clip(grain, -2.5, 2.5)
    return table, texture, painted


def _pavement(width_m: float) -> str:
    return "asphalt" if width_m >= 9 else "concrete"


def _add_sites(layers: Layers, rng: np.random.Generator, present: list[Site], *, grown: bool) -> None:
    add = layers.add
    for site in present:
        tint = np.float32(rng.uniform(0.88, 1.1))
        if site.look in ("pit", "quarry"):
            outline = site.outline if grown else site.outline.buffer(-0.30 * np.sqrt(site.outline.area) / 2)
            for geom, tone in pit_layers(rng, outline, rocky=site.look == "quarry"):
                add([geom], tone * tint, 0.14)
        elif site.look == "ploughed":
            add(list(site.parts), surface("tilth") * tint, 0.08)
        elif site.look == "greenhouse":
            add(list(site.parts), surface("plastic") * tint, 0.05)
        elif site.surface:
            add(
                list(site.parts or (site.outline,)),
                surface(site.surface) * tint * np.float32(site.shade),
                _ROUGH[site.surface],
            )
        elif site.look == "hall":
            add(list(site.parts), roof(rng, "industrial"), 0.04)


def light_on(land: Landscape, grid: Grid, present: list[Site], view: Pass) -> FloatArray:
    """Direct and diffuse light on every pixel, 1 on level ground in the sun."""
    relief = terrain_grid()
    south, east = np.gradient(gaussian_filter(land.ground_m, 1.0), relief.res_m)
    azimuth, elevation = np.radians(view.sun)
    tilt = 1 - (east * np.sin(azimuth) - south * np.cos(azimuth)) / np.tan(elevation)
    rows = (relief.north_m - grid.ys) / relief.res_m - 0.5
    columns = (grid.xs - relief.west_m) / relief.res_m - 0.5
    direct = map_coordinates(tilt, np.meshgrid(rows, columns, indexing="ij"), order=1)
    light = 0.18 + 0.82 * np.asarray(np.clip(direct, 0.15, 1.8), np.float32)
    light[grid.mask(_shadows(land, present, view.sun))] *= np.float32(0.36)
    for site in present:
        if site.look == "shade":
            soft = gaussian_filter(grid.mask([site.outline]).astype(np.float32), 14.0 / grid.res_m)
            light *= 1 - np.float32(0.62) * soft
    return light


def _shadows(land: Landscape, present: list[Site], sun: tuple[float, float]) -> list[BaseGeometry]:
    tall: list[tuple[BaseGeometry, float]] = [(b.outline, b.height_m) for b in land.buildings if b.height_m > 5]
    tall += [(part, site.height_m) for site in present if site.look == "hall" for part in site.parts]
    return [shadow_of(outline, sun_reach(height, sun)) for outline, height in tall]


def gathered(ground: FloatArray) -> FloatArray:
    """What a sensor pixel gathers: its point spread, then its area."""
    blurred = np.asarray(gaussian_filter(ground, 0.42 * FINER, mode="nearest"), np.float32)
    rows, columns = ground.shape
    return np.asarray(blurred.reshape(rows // FINER, FINER, columns // FINER, FINER).mean(axis=(1, 3)))


def hazed(seen: FloatArray, veil: FloatArray, band: int, after: bool) -> FloatArray:
    """Thin haze adds light, most in blue, and takes contrast."""
    depth = (0.010 if after else 0.006) * veil * (1.0, 1.35, 2.0, 0.45)[band]
    return np.asarray(seen * (1 - 1.5 * depth) + depth, np.float32)
