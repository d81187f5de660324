"""What lies along the lanes under the drone: tipped waste, a market, a licensed rubble yard, and small ponds."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit
from sample_data.frame import FloatArray
from sample_data.incidents import Ground, Site, heap, yard
from sample_data.shapes import longest_side_rad, polygonal, rectangle

_STALL_M, _AISLE_M = (4.0, 3.0), 2.2
# Bags, sheets, cloth, tyres, cartons, rubble, in red, green and blue; and what a rubble yard keeps.
_LITTER = ((0.52, 0.52, 0.50), (0.10, 0.19, 0.42), (0.40, 0.11, 0.10), (0.03, 0.03, 0.03), (0.30, 0.24, 0.17),
           (0.10, 0.28, 0.14), (0.45, 0.36, 0.10), (0.20, 0.20, 0.19))  # fmt: skip
_RUBBLE = ((0.24, 0.23, 0.21), (0.30, 0.17, 0.12), (0.16, 0.15, 0.14), (0.36, 0.35, 0.32))
_AWNINGS = ((0.12, 0.20, 0.40), (0.42, 0.13, 0.11), (0.44, 0.44, 0.42), (0.14, 0.30, 0.17))

Bit = tuple[BaseGeometry, FloatArray]


def lane_sites(rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> tuple[list[Site], list[Permit]]:
    """Two dumps, and what looks like them; a black pond, and a clear one."""
    made = [
        Site("solid_waste", "litter", ground.place(region, heap(rng, 20, 34), "a dump"), "unlawful") for _ in range(2)
    ]
    market = ground.place(region, yard(rng, (30, 38), (0.5, 0.7)), "the market")
    made.append(Site("solid_waste", "market", market, "market", tuple(_stalls(market)), longest_side_rad(market)))
    rubble = ground.place(region, heap(rng, 26, 36), "the rubble yard")
    made.append(Site("solid_waste", "rubble", rubble, "permitted"))
    for surface, reason in (("foul", "unlawful"), ("deep", "deep"), ("shallows", "shallow")):
        pond = ground.place(region, yard(rng, (38, 46), (0.6, 0.75)), "a pond").buffer(-3).buffer(3)
        made.append(Site("black_water", "pond", pond, reason, surface=surface, shade=rng.uniform(0.8, 1.35)))
    permit = Permit(polygonal(rubble.buffer(6).simplify(1.5)), "landfill", "Rubble yard (fictional)",
                    "建筑垃圾消纳场（虚构）")  # fmt: skip
    return made, [permit]


def _stalls(market: BaseGeometry) -> list[BaseGeometry]:
    """The roofs of a market in rows, with aisles between them."""
    angle, middle = longest_side_rad(market), market.centroid
    inner = market.buffer(-1.0)
    found: list[BaseGeometry] = []
    for row in range(-8, 9):
        for column in range(-8, 9):
            along, across = column * (_STALL_M[0] + 0.6), row * (_STALL_M[1] + _AISLE_M)
            x = middle.x + along * np.cos(angle) - across * np.sin(angle)
            y = middle.y + along * np.sin(angle) + across * np.cos(angle)
            stall = rectangle(x, y, _STALL_M, angle)
            if inner.contains(stall):
                found.append(stall)
    return found


def bits(rng: np.random.Generator, site: Site) -> list[Bit]:
    """The pieces of a dump, a rubble yard or a market, each with its reflectance in red, green and blue."""
    if site.look == "market":
        return [(stall, _weathered(rng, _AWNINGS)) for stall in site.parts]
    tones = _LITTER if site.look == "litter" else _RUBBLE
    west, south, east, north = site.outline.bounds
    # Some dumps are strewn, some heaped, and the pieces of some are larger.
    count, typical_m = int(site.outline.area * rng.uniform(0.55, 1.0)), rng.uniform(0.8, 1.35)
    xs, ys = rng.uniform(west, east, 2 * count), rng.uniform(south, north, 2 * count)
    kept = np.flatnonzero(shapely.contains_xy(site.outline.buffer(-0.4), xs, ys))[:count]
    made = []
    for index in kept:
        size = tuple(np.exp(rng.normal(np.log(typical_m), 0.45, 2)))
        piece = rectangle(float(xs[index]), float(ys[index]), (size[0], size[1]), rng.uniform(0, np.pi))
        made.append((piece.intersection(site.outline), _weathered(rng, tones)))
    return made


def _weathered(rng: np.random.Generator, tones: tuple[tuple[float, float, float], ...]) -> FloatArray:
    tone = np.array(tones[int(rng.integers(len(tones)))], np.float32)
    return np.asarray(tone * np.float32(rng.uniform(0.75, 1.15)), np.float32)
