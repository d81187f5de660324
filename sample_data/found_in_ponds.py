"""What became of the ponds between two overpasses: blooms, black water, and ponds that only look so."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.incidents import Ground, Site
from sample_data.landscape import Landscape
from sample_data.shapes import blob

# Kind, how it is painted (`still` on both dates), in which surface, and why; the first ones where there are few ponds.
_KINDS = (
    ("algal_bloom", "bloom", "", "unlawful"),
    ("black_water", "plain", "foul", "unlawful"),
    ("algal_bloom", "still", "shallows", "shallow"),
    ("algal_bloom", "still", "lotus_leaves", "lotus"),
    ("algal_bloom", "bloom", "", "unlawful"),
    ("black_water", "plain", "foul", "unlawful"),
)


def pond_sites(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    """Ponds of the district that are something else on the later date; the deep reservoir never was."""
    free = [pond for pond in land.ponds if inside.contains(pond) and pond.distance(ground.taken) > 10]
    made = []
    for index, (kind, look, surface, reason) in zip(rng.permutation(len(free)), _KINDS, strict=False):
        made.append(Site(kind, look, free[int(index)], reason, surface=surface, shade=rng.uniform(0.8, 1.35)))
    for pond in free:
        ground.take(pond)
    made.append(Site("black_water", "shade", _shade(land, rng, ground, inside), "shadow"))
    deep = land.reservoir.intersection(inside)
    return [*made, Site("black_water", "still", deep, "deep")] if deep.area > 5_000 else made


def _shade(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> BaseGeometry:
    """The shade of a cloud, which falls on the river and on its bank alike."""
    size = (rng.uniform(200, 280), rng.uniform(150, 200))
    rim = land.river.exterior

    def make(x: float, y: float, scale: float) -> BaseGeometry:
        bank = rim.interpolate(rim.project(shapely.Point(x, y)))
        return blob(rng, bank.x, bank.y, (size[0] * scale, size[1] * scale), roughness=0.25)

    return ground.place(rim.buffer(170).intersection(inside), make, "a shade on the river")
