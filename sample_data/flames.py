"""Fire while it burns: where its flames stand, and what they send out, as Planck's law has it."""

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.frame import FloatArray, Grid
from sample_data.noise import fractal, resampled, stream
from sample_data.shapes import polygonal

# Middle of each band in micrometres, and what the sun sends there in W/m2 per micrometre (red, green, blue, near
# infrared, shortwave infrared 1 and 2, as Sentinel-2's handbook has them).
_BANDS_UM = np.array((0.665, 0.560, 0.490, 0.842, 1.610, 2.190))
_SUN = np.array((1512.0, 1823.0, 1941.0, 1036.0, 245.6, 85.3))
_FIRST, _SECOND = 1.191e8, 14_388.0
# How much of the ground inside a flaming strip flames stand on at a time, and how hot they are on the whole.
_FILLED = 0.035
# A detector of twenty metres sees a cell as hot from this share of flames on.
_SEEN_SHARE = 0.0011
HOT_CELL_M = 20.0
# Tongues are drawn in pixels of this size.
_DRAWN_M = 0.125
# Cells are gathered from pixels so many times finer.
_FINER = 8
# What a camera sees of flames, from their rim to their core: reflectances that would look as bright.
_RIM, _CORE = np.array((0.52, 0.14, 0.035), np.float32), np.array((1.10, 0.66, 0.24), np.float32)


@dataclass(frozen=True)
class Front:
    """A line along which something burns: its width in metres, temperature in kelvin, and a seed for its tongues."""

    line: LineString
    width_m: float
    kelvin: float
    seed: int

    def strength(self, grid: Grid) -> FloatArray:
        """How strongly every pixel flames: 0 beside the front, up to 1.5 in it, in tongues."""
        own = Grid.around(self.line, 4 * self.width_m, _DRAWN_M)
        return resampled(self._drawn(own), own, grid)

    def _drawn(self, grid: Grid) -> FloatArray:
        x, y = np.meshgrid(grid.xs.astype(float), grid.ys.astype(float))
        away = shapely.distance(shapely.points(x, y), self.line)
        tongues = fractal(stream(self.seed, "flames"), grid, 3.0 * self.width_m, 0.3, roughness=0.5)
        strength = np.exp(-((away / self.width_m) ** 2)) * (0.85 + 0.38 * tongues)
        return np.asarray(np.clip(strength - 0.35, 0, 1), np.float32) / np.float32(0.65)

    def outline(self, res_m: float = _DRAWN_M) -> BaseGeometry:
        """Where flames are seen from above, with the gaps between tongues."""
        grid = Grid.around(self.line, 4 * self.width_m, res_m)
        found = shapely.union_all(grid.outline(self.strength(grid) > 0.12)).buffer(0.6).buffer(-0.6)
        # Seven decimals of a degree are a centimetre: what is narrower would cross itself.
        return polygonal(found.simplify(0.1).buffer(-0.05).buffer(0.05))

    def share(self, grid: Grid) -> FloatArray:
        """The share of every pixel that flames, where pixels are larger than tongues."""
        window = grid.window(self.line, 4 * self.width_m)
        share = np.zeros(grid.shape, np.float32)
        part = grid.part(window)
        x, y = np.meshgrid(part.xs.astype(float), part.ys.astype(float))
        away = shapely.distance(shapely.points(x, y), self.line)
        uneven = 0.75 + 0.5 * stream(self.seed, "heat").random(part.shape, dtype=np.float32)
        share[window] = np.exp(-((away / self.width_m) ** 2)) * uneven * np.float32(_FILLED)
        return share

    def hot_cells(self, grid: Grid) -> Polygon:
        """The cells of a sensor of twenty metres, laid as its finer grid lies, that flames fill enough to be seen."""
        per_cell = round(HOT_CELL_M / grid.res_m)
        cells = Grid(grid.west_m, grid.north_m, HOT_CELL_M, grid.width // per_cell, grid.height // per_cell)
        part = cells.part(cells.window(self.line, 3 * HOT_CELL_M))
        parts = part.shape[0], _FINER, part.shape[1], _FINER
        gathered = self.share(part.refined(_FINER)).reshape(parts).mean(axis=(1, 3))
        return polygonal(shapely.union_all(part.outline(gathered >= _SEEN_SHARE)))


def glow(kelvin: float, sun_elevation_deg: float) -> FloatArray:
    """What ground that is all flame sends into each of six bands, as a reflectance that would look as bright."""
    sent = _FIRST / (_BANDS_UM**5 * np.expm1(_SECOND / (_BANDS_UM * kelvin)))
    return np.asarray(np.pi * sent / (_SUN * np.sin(np.radians(sun_elevation_deg))), np.float32)


def shown(strength: FloatArray, band: int) -> FloatArray:
    """The colour of flames of a strength in one band of a camera."""
    deep = np.clip(strength, 0, 1) ** np.float32(1.3)
    return np.asarray(_RIM[band] + deep * (_CORE[band] - _RIM[band]), np.float32)
