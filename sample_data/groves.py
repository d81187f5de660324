"""Trees and shrubs as a drone sees them: where they stand, their crowns, and the shade that they throw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from sample_data.frame import FloatArray, Grid
from sample_data.noise import stream
from sample_data.shapes import sun_reach

_LEAVES = np.array([(0.036, 0.060, 0.024), (0.050, 0.074, 0.030), (0.044, 0.056, 0.028), (0.066, 0.086, 0.036)])


@dataclass(frozen=True)
class Grove:
    """Trees as columns: middle in local metres, radius and height in metres, colour of the leaves."""

    xy: NDArray[np.float64]
    radius_m: NDArray[np.float64]
    height_m: NDArray[np.float64]
    colour: FloatArray

    def crowns(self, seed: int) -> NDArray[np.object_]:
        """Lobed outlines of the crowns."""
        rng = stream(seed, "crowns")
        theta = np.linspace(0, 2 * np.pi, 17)[:-1]
        lobes = rng.normal(0, 0.07, (len(self.xy), 3))
        phase = rng.uniform(0, 2 * np.pi, (len(self.xy), 3))
        waves = np.cos(theta[None, None] * np.array([2, 3, 5])[None, :, None] + phase[..., None])
        reach = self.radius_m[:, None] * (1 + (lobes[..., None] * waves).sum(axis=1))
        rings = self.xy[:, None] + reach[..., None] * np.stack([np.cos(theta), np.sin(theta)], axis=-1)
        return np.asarray(shapely.polygons(rings))

    def shadows(self, crowns: NDArray[np.object_], sun: tuple[float, float]) -> list[BaseGeometry]:
        """The shade of every crown on level ground."""
        steps = np.array([sun_reach(float(height), sun) for height in self.height_m * 0.62])
        points, owner = shapely.get_coordinates(crowns, return_index=True)
        return list(shapely.set_coordinates(crowns.copy(), points + steps[owner]))


def scattered(seed: int, purpose: str, region: BaseGeometry, per_hectare: float, size: tuple[float, float]) -> Grove:
    """Trees at random in a region, their radius between two sizes in metres."""
    rng = stream(seed, purpose)
    west, south, east, north = region.bounds if not region.is_empty else (0.0, 0.0, 0.0, 0.0)
    count = int(per_hectare * (east - west) * (north - south) / 10_000)
    xy = rng.uniform((west, south), (east, north), (count, 2))
    shapely.prepare(region)
    return _grove(rng, xy[shapely.contains_xy(region, xy[:, 0], xy[:, 1])], size)


def in_rows(seed: int, purpose: str, plots: Sequence[tuple[BaseGeometry, float]]) -> Grove:
    """Orchard trees in rows of 4.6 m, for outlines with the direction of their rows."""
    rng = stream(seed, purpose)
    found = [np.empty((0, 2))]
    for outline, angle in plots:
        centre = np.array(outline.centroid.coords[0])
        steps = (np.arange(-45, 46)) * 4.6
        along, across = np.meshgrid(steps, steps)
        local = np.column_stack([along.ravel(), across.ravel()])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        xy = local @ turn + centre + rng.normal(0, 0.25, local.shape)
        inner = outline.buffer(-2.0)
        xy = xy[shapely.contains_xy(inner, xy[:, 0], xy[:, 1])]
        found.append(xy[rng.random(len(xy)) < 0.95])
    return _grove(rng, np.vstack(found), (1.3, 2.0))


def joined(groves: list[Grove], keep_out: BaseGeometry) -> Grove:
    """Several groves as one, without the trees that would touch an area."""
    xy = np.vstack([g.xy for g in groves])
    radius = np.concatenate([g.radius_m for g in groves])
    shapely.prepare(keep_out)
    # Every tree has a reach of its own, which shapely takes and its type hints do not know of.
    reach: Any = radius
    free = ~np.asarray(shapely.dwithin(np.asarray(shapely.points(xy)), keep_out, reach))
    height = np.concatenate([g.height_m for g in groves])
    return Grove(xy[free], radius[free], height[free], np.vstack([g.colour for g in groves])[free])


def _grove(rng: np.random.Generator, xy: NDArray[np.float64], size: tuple[float, float]) -> Grove:
    radius = rng.uniform(*size, len(xy))
    colour = _LEAVES[rng.integers(len(_LEAVES), size=len(xy))] * rng.uniform(0.75, 1.25, (len(xy), 1))
    height = radius * rng.uniform(1.4, 2.4, len(xy))
    return Grove(xy, radius, height, colour.astype(np.float32))


def crown_light(grove: Grove, grid: Grid, painted: NDArray[np.int32], sun: tuple[float, float]) -> FloatArray:
    """How bright each crown pixel is, seen as a bumpy dome; ``painted`` holds tree numbers from 1, 0 elsewhere."""
    rows, columns = np.nonzero(painted)
    tree = painted[rows, columns] - 1
    east = (grid.xs[columns] - grove.xy[tree, 0].astype(np.float32)) / grove.radius_m[tree].astype(np.float32)
    north = (grid.ys[rows] - grove.xy[tree, 1].astype(np.float32)) / grove.radius_m[tree].astype(np.float32)
    clumps = np.sin(7.1 * east + tree) * np.sin(6.3 * north + 1.7 * tree)
    azimuth, elevation = np.radians(sun)
    up = np.sqrt(np.clip(1 - 0.8 * (east**2 + north**2), 0.05, 1))
    facing = (east * np.sin(azimuth) + north * np.cos(azimuth)) * np.cos(elevation) + up * np.sin(elevation)
    light = np.zeros(grid.shape, np.float32)
    light[rows, columns] = np.clip(0.28 + 0.9 * np.clip(facing, 0, None) + 0.16 * clumps, 0.2, 1.6)
    return light
