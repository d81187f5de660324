"""What is to be found: sites of unlawful change with their exact outlines, and lawful things that look alike."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.flames import Front
from sample_data.frame import Grid
from sample_data.landscape import Landscape
from sample_data.noise import fractal
from sample_data.plume import Plume
from sample_data.shapes import blob, polygonal, rectangle
from sample_data.veils import Veil

Maker = Callable[[float, float, float], BaseGeometry]


@dataclass(frozen=True)
class Site:
    """One place of the ground truth.

    ``kind`` is what it is or looks like; ``look`` says how it is painted, a plain one in one ``surface``, ``shade``
    times as bright as usual; ``parts`` are its solid pieces (halls, tunnels, fields, stalls), ``outline`` the truth;
    ``veil`` hangs over it, and it flames along ``front``.
    """

    kind: str
    look: str
    outline: BaseGeometry
    reason: str
    parts: tuple[BaseGeometry, ...] = ()
    angle_rad: float = 0.0
    height_m: float = 0.0
    plume: Plume | None = None
    tone: tuple[float, float, float] = (0.0, 0.0, 0.0)
    surface: str = ""
    shade: float = 1.0
    veil: Veil | None = None
    front: Front | None = None

    @property
    def expect(self) -> str:
        """``finding`` for an unlawful change, ``none`` for its look-alike."""
        return "finding" if self.reason == "unlawful" else "none"


class Ground:
    """Where sites may lie: keeps what is taken, and finds room for the next one."""

    def __init__(self, rng: np.random.Generator, taken: BaseGeometry, gap_m: float) -> None:
        self.rng, self.taken, self.gap_m = rng, taken, gap_m

    def place(self, region: BaseGeometry, maker: Maker, what: str) -> BaseGeometry:
        """A shape wholly inside a region and clear of all others; it shrinks when room is short."""
        shapely.prepare(region)
        west, south, east, north = region.bounds
        scale = 1.0
        while scale > 0.4:
            xs, ys = self.rng.uniform(west, east, 1_500), self.rng.uniform(south, north, 1_500)
            inside = np.flatnonzero(shapely.contains_xy(region, xs, ys))
            for index in inside[:60]:
                shape = maker(float(xs[index]), float(ys[index]), scale)
                if region.contains(shape) and shape.distance(self.taken) >= self.gap_m:
                    self.take(shape)
                    return shape
            scale *= 0.85
        raise ValueError(f"no room for {what} in this landscape")

    def take(self, shape: BaseGeometry) -> None:
        """Mark ground as used."""
        self.taken = self.taken.union(shape)


def pit(rng: np.random.Generator, low_m: float, high_m: float) -> Maker:
    """An excavation: compact, a little dented."""
    size = (rng.uniform(low_m, high_m), rng.uniform(low_m, high_m) * 0.75)
    return lambda x, y, scale: blob(rng, x, y, (size[0] * scale, size[1] * scale), roughness=0.18)


def burn(rng: np.random.Generator, low_m: float, high_m: float) -> Maker:
    """A burn scar: fire leaves a ragged edge."""
    size = (rng.uniform(low_m, high_m), rng.uniform(low_m, high_m) * 0.6)
    return lambda x, y, scale: ragged(rng, (x, y), (size[0] * scale, size[1] * scale))


def ragged(rng: np.random.Generator, centre: tuple[float, float], size: tuple[float, float]) -> Polygon:
    """An ellipse whose edge is eaten by fractal noise; one piece, with only its larger holes."""
    res_m = max(size) / 120
    grid = Grid.around(rectangle(*centre, (max(size) * 1.3, max(size) * 1.3), 0), 0, res_m)
    turn = rng.uniform(0, np.pi)
    x, y = np.meshgrid(grid.xs - centre[0], grid.ys - centre[1])
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    radius = np.hypot(along / (size[0] / 2), across / (size[1] / 2))
    edge = fractal(rng, grid, max(size) / 3, max(size) / 40, roughness=0.9)
    found = polygonal(shapely.union_all(grid.outline(radius + 0.22 * edge < 0.92)[:1]))
    holes = [ring for ring in found.interiors if Polygon(ring).area > 0.02 * found.area]
    smooth = Polygon(found.exterior, holes).buffer(res_m).buffer(-res_m)
    return polygonal(smooth.simplify(res_m * 0.5))


def halls(rng: np.random.Generator, length_m: tuple[float, float], shares: tuple[float, float]) -> Maker:
    """A building complex: one hall, or two wings that meet at a right angle."""
    length, width = rng.uniform(*length_m), rng.uniform(*shares)
    angle, wing = rng.uniform(-np.pi / 2, np.pi / 2), rng.random() < 0.5

    def make(x: float, y: float, scale: float) -> BaseGeometry:
        long, wide = length * scale, length * width * scale
        main = rectangle(x, y, (long, wide), angle)
        if not wing:
            return main
        along, across = (long - wide * 0.8) / 2, wide * 0.9
        at = (x + along * np.cos(angle) - across * np.sin(angle), y + along * np.sin(angle) + across * np.cos(angle))
        return main.union(rectangle(*at, (wide * 0.8, wide), angle))

    return make


def yard(rng: np.random.Generator, length_m: tuple[float, float], shares: tuple[float, float]) -> Maker:
    """A levelled plot: a rectangle of a length and of that share of it as width."""
    length, width, angle = rng.uniform(*length_m), rng.uniform(*shares), rng.uniform(-np.pi / 2, np.pi / 2)
    return lambda x, y, scale: rectangle(x, y, (length * scale, length * width * scale), angle)


def heap(rng: np.random.Generator, low_m: float, high_m: float) -> Maker:
    """A tipped load: longer than wide, with a dented edge."""
    size = (rng.uniform(low_m, high_m), rng.uniform(low_m, high_m) * 0.7)
    return lambda x, y, scale: blob(rng, x, y, (size[0] * scale, size[1] * scale), roughness=0.3)


def field_group(land: Landscape, region: BaseGeometry, start: int, most: int) -> tuple[Polygon, ...]:
    """A field and the neighbours of its block that lie in a region."""
    first = land.parcels[start]
    near = [
        plot.outline for plot in land.parcels
        if plot.angle_rad == first.angle_rad and plot.outline.distance(first.outline) < 4
        and region.contains(plot.outline)
    ]  # fmt: skip
    near.sort(key=lambda outline: outline.centroid.distance(first.outline.centroid))
    return tuple(near[:most])
