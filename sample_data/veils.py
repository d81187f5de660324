"""What hangs in the air over the ground, painted the same way at any resolution: smoke, steam, dust, mist, cloud.

A veil hides ground by its optical depth, which differs by wavelength: particles of smoke are smaller than the
wavelengths of the infrared, so that these pass; drops of water are larger, and hide all alike.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from sample_data.frame import FloatArray, Grid
from sample_data.noise import fractal, resampled, step, stream
from sample_data.shapes import polygonal

# Smoke is called visible, and drawn as truth, where it hides at least this share of the blue light of the ground.
VISIBLE_SHARE = 0.25


class Matter(NamedTuple):
    """What a veil is of: its own reflectance, and its optical depth over that in blue.

    Red, green, blue, near infrared, and two bands of the shortwave infrared.
    """

    tone: tuple[float, float, float, float, float, float]
    depth: tuple[float, float, float, float, float, float]


MATTER = {
    "smoke": Matter((0.25, 0.28, 0.32, 0.30, 0.14, 0.10), (0.60, 0.78, 1.0, 0.28, 0.08, 0.04)),
    "dark_smoke": Matter((0.17, 0.185, 0.205, 0.20, 0.10, 0.07), (0.72, 0.86, 1.0, 0.42, 0.14, 0.08)),
    "mist": Matter((0.27, 0.29, 0.32, 0.30, 0.16, 0.10), (0.68, 0.82, 1.0, 0.36, 0.10, 0.05)),
    "water": Matter((0.62, 0.63, 0.64, 0.62, 0.42, 0.33), (1.0, 1.0, 1.0, 1.0, 0.95, 0.9)),
    "dust": Matter((0.34, 0.27, 0.19, 0.42, 0.45, 0.42), (1.0, 1.0, 1.0, 0.95, 0.85, 0.75)),
}


@dataclass(frozen=True)
class Veil:
    """A trail that the wind draws from a source, or (with `is_patch`) a patch around a middle, in the local frame.

    `heading_rad` is where it goes, from east; a patch is as long and as wide as said, a trail widens to its width.
    """

    matter: str
    source: tuple[float, float]
    heading_rad: float
    length_m: float
    width_m: float
    thickness: float
    seed: int
    is_patch: bool = False

    @property
    def reach(self) -> Polygon:
        """All the ground that it can touch."""
        cos, sin = np.cos(self.heading_rad), np.sin(self.heading_rad)
        back = 1.3 * self.length_m if self.is_patch else self.width_m
        ahead, side = (1.3 if self.is_patch else 2.2) * self.length_m, 2.2 * self.width_m
        box = np.array([(-back, -side), (ahead, -side), (ahead, side), (-back, side)])
        return Polygon(box @ np.array([(cos, sin), (-sin, cos)]) + self.source)

    def depth(self, grid: Grid) -> FloatArray:
        """The optical depth in blue at every pixel of a grid that holds only its surroundings."""
        own = Grid.around(self.reach, 0.0, self.width_m / 24)
        return resampled(self._drawn(own), own, grid)

    def _drawn(self, grid: Grid) -> FloatArray:
        x, y = np.meshgrid(grid.xs - self.source[0], grid.ys - self.source[1])
        cos, sin = np.float32(np.cos(self.heading_rad)), np.float32(np.sin(self.heading_rad))
        along, aside = x * cos + y * sin, y * cos - x * sin
        rng = stream(self.seed, "veil")
        eddies = fractal(rng, grid, self.width_m / 2, grid.res_m, roughness=0.7)
        if self.is_patch:
            away = np.hypot(along / self.length_m, aside / self.width_m) * 2
            return np.asarray(self.thickness * step(1.15, 0.55, away + 0.18 * eddies), np.float32)
        run = np.clip(along, 0, None) / self.length_m
        sway = 0.5 * self.width_m * run * np.sin(rng.uniform(0, 6.3) + rng.uniform(1.5, 3.0) * run)
        spread = self.width_m * (0.16 + 0.42 * np.clip(run, 0, None) ** 0.8)
        core = np.exp(-(((aside - sway) / spread) ** 2)) * np.exp(-1.25 * run**1.3)
        start = 1 / (1 + np.exp(-np.clip((along + 0.05 * self.width_m) / (0.05 * self.width_m), -30, 30)))
        return np.asarray(self.thickness * core * start * np.clip(1 + 0.28 * eddies, 0.15, None), np.float32)

    def outline(self, res_m: float) -> Polygon:
        """The visible part as one polygon, without holes."""
        grid = Grid.around(self.reach, 0.0, res_m)
        seen = 1 - np.exp(-self.depth(grid)) >= VISIBLE_SHARE
        found = polygonal(shapely.union_all(grid.outline(seen)[:1]))
        return polygonal(Polygon(found.exterior).buffer(res_m).buffer(-res_m).simplify(res_m * 0.6))

    def over(self, ground: FloatArray, grid: Grid, band: int) -> None:
        """Hang it over one band of a picture, in place."""
        window = grid.window(self.reach)
        part = grid.part(window)
        if part.is_empty:
            return
        matter = MATTER[self.matter]
        hidden = 1 - np.exp(-np.float32(matter.depth[band]) * self.depth(part))
        here = ground[window]
        here += hidden * (np.float32(matter.tone[band]) - here)
