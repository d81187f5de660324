"""What became of woods between two overpasses: cleared in a protected zone, and what only looks so."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit, protected_area, protected_zones
from sample_data.incidents import Ground, Maker, Site
from sample_data.landscape import Landscape
from sample_data.shapes import blob, polygonal, rectangle

KIND = "vegetation_loss"


def wood_sites(
    land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry
) -> tuple[list[Site], list[Permit]]:
    """Clearings in protected woods, one of them licensed, and one where nobody protects; none where there is no room.

    Grass that turned brown, a bank under water and a cloud's shade over woods lose their green, and nobody felled
    anything.
    """
    zones = protected_area(protected_zones(land))
    dry = inside.difference(land.water.buffer(15)).difference(land.road_area.buffer(8))
    woods, meadows = shapely.union_all(land.forest).intersection(dry), shapely.union_all(land.grass).intersection(dry)
    guarded = woods.intersection(zones)
    made: list[Site] = []
    permits: list[Permit] = []
    for maker, reason in ((_slope, "unlawful"), (_terrace, "unlawful"), (_slope, "permitted")):
        cleared = _placed(ground, guarded, maker(rng), "a clearing")
        if cleared is not None:
            made.append(Site(KIND, "felled", cleared, reason, surface="felled", shade=rng.uniform(0.85, 1.2)))
            if reason == "permitted":
                permits.append(Permit(polygonal(cleared.buffer(12)), "logging", "Pine thinning (fictional)",
                                      "松林采伐（虚构）"))  # fmt: skip
    outside = _placed(ground, woods.difference(zones.buffer(40)), _slope(rng), "a clearing outside")
    if outside is not None:
        made.append(Site(KIND, "felled", outside, "outside", surface="felled"))
    made += _browned(rng, ground, guarded, meadows.intersection(zones))
    shaded = _placed(ground, guarded, _slope(rng), "a shade on woods")
    if shaded is not None:
        made.append(Site(KIND, "shade", shaded, "shadow"))
    shore = land.reservoir.buffer(26).difference(land.reservoir.buffer(1)).intersection(inside)
    bank = polygonal(shore.intersection(_half(land.reservoir)).difference(ground.taken.buffer(10)))
    if bank.area > 3_000:
        ground.take(bank)
        made.append(Site(KIND, "risen", bank, "water_level", surface="risen_water"))
    return made, permits


def _browned(
    rng: np.random.Generator, ground: Ground, woods: BaseGeometry, meadows: BaseGeometry
) -> list[Site]:  # fmt: skip
    """Grass that dried, and leaves that turned: thinner, and still there."""
    made = []
    for region, surface in ((meadows, "dry_grass"), (woods, "brown_wood")):
        shape = _placed(ground, region, _slope(rng), f"{surface} in a protected zone")
        if shape is not None:
            made.append(Site(KIND, "browned", shape, "season", surface=surface))
    return made


def _placed(ground: Ground, region: BaseGeometry, maker: Maker, what: str) -> BaseGeometry | None:
    if region.is_empty:
        return None
    try:
        return ground.place(region, maker, what)
    except ValueError:
        return None


def _half(lake: BaseGeometry) -> BaseGeometry:
    west, south, east, north = lake.bounds
    return shapely.box(west - 60, south - 60, (west + east) / 2, north + 60)


def _slope(rng: np.random.Generator) -> Maker:
    size = (rng.uniform(110, 220), rng.uniform(80, 150))
    return lambda x, y, scale: blob(rng, x, y, (size[0] * scale, size[1] * scale), roughness=0.22)


def _terrace(rng: np.random.Generator) -> Maker:
    size, angle = (rng.uniform(120, 200), rng.uniform(60, 100)), rng.uniform(-1.5, 1.5)
    return lambda x, y, scale: rectangle(x, y, (size[0] * scale, size[1] * scale), angle)
