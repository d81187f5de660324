"""Farmland cut into fields: blocks of one direction, each with its own crop."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import MultiPoint, Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.frame import Metres
from sample_data.shapes import polygonal

CROPS = ("rice", "vegetables", "sugarcane", "orchard", "fallow", "lotus")
_SHARES = (0.34, 0.24, 0.12, 0.13, 0.11, 0.06)


@dataclass(frozen=True)
class Parcel:
    """One field: its outline, crop and the direction of its rows in radians from east."""

    outline: Polygon
    crop: str
    angle_rad: float


def parcels(rng: np.random.Generator, farmland: BaseGeometry) -> tuple[Parcel, ...]:
    """Cut farmland into fields of about half a hectare."""
    made: list[Parcel] = []
    for block in _blocks(rng, farmland):
        angle = float(rng.uniform(-np.pi / 2, np.pi / 2))
        pieces = _cells(rng, block, angle)
        crops = rng.choice(CROPS, size=len(pieces), p=_SHARES)
        made += [Parcel(p, str(crop), angle) for p, crop in zip(pieces, crops, strict=True)]
    return tuple(made)


def _blocks(rng: np.random.Generator, farmland: BaseGeometry) -> list[BaseGeometry]:
    west, south, east, north = farmland.bounds
    seeds = MultiPoint(np.column_stack([rng.uniform(west, east, 70), rng.uniform(south, north, 70)]))
    regions = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=farmland.envelope))
    cut = shapely.intersection(regions, farmland)
    return [block for block in cut if block.area > 2_000]


def _cells(rng: np.random.Generator, block: BaseGeometry, angle: float) -> list[Polygon]:
    west, south, east, north = block.bounds
    centre = np.array([(west + east) / 2, (south + north) / 2])
    reach = float(np.hypot(east - west, north - south)) / 2
    across = _cuts(rng, reach, (32, 74))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quads = []
    for low, high in pairwise(across):
        along = _cuts(rng, reach, (80, 190))
        slant = rng.uniform(-6, 6)
        for near, far in pairwise(along):
            corners = np.array([(near, low), (far, low), (far + slant, high), (near + slant, high)])
            quads.append(shapely.polygons(corners @ turn + centre))
    shapely.prepare(block)
    touching = np.array(quads)[shapely.intersects(block, np.array(quads))]
    shrunk = shapely.buffer(shapely.intersection(touching, block), -0.9, join_style="mitre")
    pieces = [polygonal(piece) for piece in shrunk]
    return [piece for piece in pieces if piece.area > 500]


def _cuts(rng: np.random.Generator, reach: float, widths: tuple[float, float]) -> Metres:
    steps = rng.uniform(*widths, int(2 * reach / widths[0]) + 2)
    edges: Metres = -reach + np.cumsum(steps) - steps[0]
    return edges
