"""Where people live and work: a market town on a bent grid, villages, an industrial estate."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.shapes import blob, polygonal, rectangle


@dataclass(frozen=True)
class Building:
    """A building: outline, height in metres, use, and the direction of its ridge in radians from east."""

    outline: Polygon
    height_m: float
    use: str
    angle_rad: float


@dataclass(frozen=True)
class Town:
    """A settlement: outline, streets, buildings and parks."""

    outline: Polygon
    streets: tuple[LineString, ...]
    buildings: tuple[Building, ...]
    parks: tuple[Polygon, ...] = ()


def market_town(rng: np.random.Generator, centre: tuple[float, float], keep_out: BaseGeometry) -> Town:
    """A town of about 1.5 by 1.4 km on a grid that is turned and gently bent."""
    turn, bend = rng.uniform(-0.10, 0.10), rng.uniform(60, 130) * rng.choice([-1, 1])
    us, vs = np.linspace(-1, 1, 12), np.linspace(-1, 1, 12)

    def place(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x, y = 780 * u + bend * v**2, 700 * v + bend * np.sin(1.6 * u)
        cos, sin = np.cos(turn), np.sin(turn)
        return np.column_stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos])

    shape = blob(rng, *centre, (1_640, 1_480), roughness=0.16)
    outline = polygonal(shape.difference(keep_out.buffer(30)))
    fine = np.linspace(-1, 1, 60)
    lines = [LineString(place(np.full(60, u), fine)) for u in us]
    lines += [LineString(place(fine, np.full(60, v))) for v in vs]
    streets = [polyline for line in lines for polyline in _lines(line.intersection(outline.buffer(-15)))]
    buildings: list[Building] = []
    parks: list[Polygon] = []
    for u, u2 in pairwise(us):
        for v, v2 in pairwise(vs):
            block = Polygon(place(np.array([u, u2, u2, u]), np.array([v, v, v2, v2]))).buffer(-9)
            if not outline.contains(block):
                continue
            if rng.random() < 0.09:
                parks.append(polygonal(block))
            else:
                buildings += _block_buildings(rng, polygonal(block), turn)
    return Town(outline, tuple(streets), tuple(buildings), tuple(parks))


def _block_buildings(rng: np.random.Generator, block: Polygon, turn: float) -> list[Building]:
    centre = block.centroid
    angle = turn + rng.normal(0, 0.02) + (np.pi / 2 if rng.random() < 0.12 else 0)
    storeys = int(rng.choice([2, 3, 5, 6, 7, 11], p=[0.2, 0.25, 0.2, 0.2, 0.1, 0.05]))
    depth, gap = rng.uniform(11, 17), rng.uniform(12, 22)
    found = []
    for row in range(-4, 5):
        for column in range(-2, 3):
            length = rng.uniform(20, 46)
            along, across = column * 50 + rng.uniform(-4, 4), row * (depth + gap)
            x = centre.x + along * np.cos(angle) - across * np.sin(angle)
            y = centre.y + along * np.sin(angle) + across * np.cos(angle)
            outline = rectangle(x, y, (length, depth), angle)
            if block.contains(outline) and rng.random() < 0.9:
                found.append(Building(outline, 3.2 * storeys, "residential", angle))
    return found


def hamlet(rng: np.random.Generator, centre: tuple[float, float], radius_m: float) -> Town:
    """A village of small houses in rows with lanes between."""
    outline = blob(rng, *centre, (2 * radius_m, 1.7 * radius_m), roughness=0.22)
    angle = rng.uniform(-0.6, 0.6)
    inner = outline.buffer(-6)
    houses, lanes = [], []
    count = int(radius_m / 15) + 2
    for row in range(-count, count + 1):
        for column in range(-count, count + 1):
            if rng.random() < 0.24:
                continue
            along, across = column * 15 + rng.normal(0, 1.2), row * 21 + rng.normal(0, 1.2)
            x = centre[0] + along * np.cos(angle) - across * np.sin(angle)
            y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
            house = rectangle(x, y, (rng.uniform(9, 12.5), rng.uniform(8, 11.5)), angle + rng.normal(0, 0.04))
            if inner.contains(house):
                houses.append(Building(house, rng.choice([3.5, 6.8, 9.9]), "house", angle))
        if row % 3 == 0:
            lanes.append(_lane(centre, angle, (row + 0.5) * 21))
    streets = [piece for lane in lanes for piece in _lines(lane.intersection(outline))]
    return Town(outline, tuple(streets), tuple(houses))


def _lane(centre: tuple[float, float], angle: float, across: float) -> LineString:
    at = (centre[0] - across * np.sin(angle), centre[1] + across * np.cos(angle))
    reach = 400 * np.array([np.cos(angle), np.sin(angle)])
    return LineString([at - reach, at + reach])


def factories(rng: np.random.Generator, centre: tuple[float, float]) -> tuple[Polygon, list[Building]]:
    """An industrial estate of large halls."""
    angle = rng.uniform(-0.2, 0.2)
    estate = rectangle(*centre, (1_250, 880), angle).buffer(-40).buffer(40)
    halls = []
    for row in range(-3, 4):
        for column in range(-4, 5):
            along, across = column * 150 + rng.uniform(-12, 12), row * 125 + rng.uniform(-8, 8)
            x = centre[0] + along * np.cos(angle) - across * np.sin(angle)
            y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
            hall = rectangle(x, y, (rng.uniform(60, 120), rng.uniform(34, 82)), angle)
            if estate.buffer(-14).contains(hall) and rng.random() < 0.86:
                halls.append(Building(hall, rng.uniform(7, 14), "industrial", angle))
    return polygonal(estate), halls


def _lines(geom: BaseGeometry) -> list[LineString]:
    parts = [part for part in shapely.get_parts(geom) if isinstance(part, LineString)]
    return [part for part in parts if part.length > 25 and not part.centroid.equals(Point())]
