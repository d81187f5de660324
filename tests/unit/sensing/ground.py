"""A piece of made-up ground seen by made-up sensors: reflectances as text books give them, noise on top.

It shares nothing with the project's sample generator; engines are tested on both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy import ndimage

from geo.crs import to_wgs84
from sensing.context import Context, Place
from tests.unit.sensing.pictures import north_up, write_tif

# Red, green, blue, near infrared.
SURFACES = {
    "crop": (0.05, 0.08, 0.04, 0.40),
    "wood": (0.03, 0.05, 0.03, 0.30),
    "grass": (0.12, 0.12, 0.08, 0.30),
    "soil": (0.20, 0.155, 0.11, 0.26),
    "pit": (0.34, 0.27, 0.19, 0.40),
    "pond": (0.13, 0.12, 0.08, 0.05),
    "water": (0.035, 0.055, 0.06, 0.02),
    "outfall": (0.17, 0.12, 0.07, 0.07),
    "roof": (0.36, 0.36, 0.37, 0.38),
    "blue roof": (0.17, 0.25, 0.36, 0.38),
    "char": (0.030, 0.028, 0.027, 0.06),
    "road": (0.17, 0.17, 0.165, 0.20),
    "paving": (0.24, 0.235, 0.215, 0.26),
    "film": (0.34, 0.35, 0.345, 0.46),
    "stubble": (0.26, 0.215, 0.145, 0.33),
    "flood": (0.06, 0.07, 0.055, 0.055),
    "graded": (0.29, 0.21, 0.145, 0.35),
    "net": (0.09, 0.15, 0.095, 0.23),
    "scum": (0.055, 0.10, 0.04, 0.15),
    "leaves": (0.045, 0.085, 0.045, 0.40),
    "foul": (0.026, 0.029, 0.027, 0.029),
}
DAY = date(2025, 7, 2)


def wobble(shape: tuple[int, int], size: float, seed: int) -> np.ndarray:
    """Smooth noise of standard deviation one."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), size, mode="wrap")
    return field / field.std()


def blob(centre: tuple[float, float], radius: float, seed: int) -> shapely.Polygon:
    """An irregular round shape in pixels (column, row)."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = np.ones_like(angle)
    for wave in (2, 3, 5):
        reach += 0.12 * rng.normal() * np.cos(wave * angle + rng.uniform(0, 6))
    return shapely.Polygon(
        np.column_stack([centre[0] + radius * reach * np.cos(angle), centre[1] + radius * reach * np.sin(angle)])
    )


def rectangle(centre: tuple[float, float], size: tuple[float, float], turn_deg: float = 20.0) -> shapely.Polygon:
    half = (size[0] / 2, size[1] / 2)
    flat = shapely.box(centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1])
    return shapely.affinity.rotate(flat, turn_deg)


@dataclass
class Ground:
    """Shapes in pixels painted in order over crop, wood and grass; what is there and what it means."""

    width: int = 420
    height: int = 380
    pixel_m: float = 10.0
    seed: int = 1
    painted: list[tuple[shapely.Polygon, str]] = field(default_factory=list)
    shadows: list[shapely.Polygon] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    @property
    def transform(self) -> Affine:
        return north_up(self.pixel_m)

    def to_map(self, shape: shapely.Polygon) -> shapely.Polygon:
        """Pixels to EPSG:4326."""
        a, b, c, d, e, f = tuple(self.transform)[:6]
        return to_wgs84(shapely.affinity.affine_transform(shape, [a, b, d, e, c, f]), 32649)

    def paint(self, shape: shapely.Polygon, surface: str) -> shapely.Polygon:
        self.painted.append((shape, surface))
        return self.to_map(shape)

    def place(self, layer: str, shape: shapely.Polygon, **more: object) -> None:
        number = len(self.places)
        self.places.append(Place(layer, f"CF-{number}", f"{layer} {number}", self.to_map(shape), **more))

    @property
    def context(self) -> Context:
        return Context(self.places)

    def mask(self, shape: shapely.Polygon) -> np.ndarray:
        return rasterize([shape], out_shape=(self.height, self.width), dtype="uint8").astype(bool)

    def reflectance(self, *, haze: float = 0.0, noise: float = 0.003, seed: int = 9) -> np.ndarray:
        """4 x height x width, with patches of growth, texture on bare ground and sensor noise."""
        shape = (self.height, self.width)
        scale = max(self.width / 420, 1.0)
        kind = wobble(shape, 25 * scale, self.seed)
        plane = np.empty((4, *shape))
        for band in range(4):
            plane[band] = np.select(
                [kind > 0.6, kind < -0.6],
                [SURFACES["wood"][band], SURFACES["grass"][band]],
                SURFACES["crop"][band],
            )
        plane *= 1 + 0.08 * wobble(shape, 3 * scale, self.seed + 1)
        rough = {"pit": 0.12, "soil": 0.04, "char": 0.08, "roof": 0.02}
        for number, (where, surface) in enumerate(self.painted):
            inside = self.mask(where)
            grain = 1 + rough.get(surface, 0.03) * wobble(shape, 1.5, self.seed + 20 + number)
            for band in range(4):
                plane[band][inside] = SURFACES[surface][band] * grain[inside]
        for where in self.shadows:
            inside = self.mask(where)
            plane[:, inside] *= np.array([0.42, 0.46, 0.55, 0.38])[:, None]
        rng = np.random.default_rng(seed)
        return np.clip(plane * (1 - haze) + haze * 0.1 + noise * rng.normal(size=plane.shape), 0.001, 1)

    def satellite(self, path: Path, **look: float) -> Path:
        data = np.rint(self.reflectance(**look) * 10_000).astype(np.uint16)
        return write_tif(path, data, transform=self.transform, nodata=0)

    def drone(self, path: Path, **look: float) -> Path:
        """Red, green and blue as a camera stores them: brightened and bent."""
        light = np.clip(self.reflectance(noise=0.006, **look)[:3] / 0.45, 0, 1) ** 0.6
        return write_tif(path, np.rint(light * 255).astype(np.uint8), transform=self.transform)
