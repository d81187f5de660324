"""Discoloured water: how an outfall's plume spreads along a river, as a share of foreign water from 0 to 1."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import ops
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.frame import FloatArray, Grid, Metres
from sample_data.noise import fractal, stream
from sample_data.shapes import polygonal

# A plume is called visible, and drawn as truth, where it makes up at least this share of the water.
VISIBLE_SHARE = 0.4


@dataclass(frozen=True)
class Plume:
    """An outfall on a bank: where along the river line, on which side, how long and how wide it runs."""

    line: LineString
    water: Polygon
    at_m: float
    side: float
    length_m: float
    width_m: float
    seed: int

    @property
    def outfall(self) -> tuple[float, float]:
        """Where the pipe ends, in the local frame."""
        point = self.line.interpolate(self.at_m)
        ahead = self.line.interpolate(self.at_m + 1)
        normal = np.array([-(ahead.y - point.y), ahead.x - point.x]) * self.side
        reach = LineString([(point.x, point.y), tuple(np.array([point.x, point.y]) + 400 * normal)])
        bank = reach.intersection(self.water.exterior)
        nearest = min(shapely.get_parts(bank), key=lambda part: part.distance(point))
        return float(nearest.centroid.x), float(nearest.centroid.y)

    @property
    def reach(self) -> BaseGeometry:
        """The stretch of water that the plume can touch."""
        stretch = ops.substring(self.line, self.at_m - 0.2 * self.length_m, self.at_m + 2.2 * self.length_m)
        return stretch.buffer(self.width_m * 4).intersection(self.water)

    def share(self, grid: Grid) -> FloatArray:
        """Foreign water at every pixel of a grid that holds only the plume's surroundings."""
        rows, columns = np.nonzero(grid.mask([self.water]))
        along, aside = self._river_coordinates(grid.xs[columns].astype(float), grid.ys[rows].astype(float))
        mouth_along, mouth_aside = self._river_coordinates(*(np.array([c]) for c in self.outfall))
        down = along - mouth_along[0]
        off = (aside - mouth_aside[0]) * self.side
        spread = self.width_m * (0.34 + 0.66 * np.sqrt(np.clip(down / self.length_m, 0, 4)))
        drift = 0.32 * spread
        wobble = fractal(stream(self.seed, "plume"), grid, self.length_m / 4, self.length_m / 40)[rows, columns]
        reach = np.clip(down, 0, None) / self.length_m
        core = np.exp(-(((off + drift) / spread) ** 2)) * np.exp(-(reach**1.6) * 0.75)
        start = 1 / (1 + np.exp(-(down + 0.02 * self.length_m) / (0.025 * self.length_m)))
        mixed = core * start * (1 + 0.16 * wobble)
        share = np.zeros(grid.shape, np.float32)
        share[rows, columns] = np.clip(1.15 * mixed, 0, 1)
        return share

    def outline(self, res_m: float) -> Polygon:
        """The visible part as one polygon, without holes."""
        grid = Grid.around(self.reach, 5.0, res_m)
        found = polygonal(shapely.union_all(grid.outline(self.share(grid) >= VISIBLE_SHARE)[:1]))
        return polygonal(Polygon(found.exterior).buffer(res_m).buffer(-res_m).simplify(res_m * 0.6))

    def _river_coordinates(self, x: Metres, y: Metres) -> tuple[Metres, Metres]:
        points = shapely.points(x, y)
        shapely.prepare(self.line)
        along = np.asarray(shapely.line_locate_point(self.line, points))
        foot = shapely.get_coordinates(shapely.line_interpolate_point(self.line, along))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(self.line, along + 2.0))
        tangent = ahead - foot
        cross = tangent[:, 0] * (y - foot[:, 1]) - tangent[:, 1] * (x - foot[:, 0])
        return along, np.sign(cross) * np.hypot(x - foot[:, 0], y - foot[:, 1])
