"""What became of fields between two overpasses: yards laid over them, and the lawful works of farming."""

import numpy as np
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit, protected_area, protected_zones
from sample_data.incidents import Ground, Site, field_group, halls, yard
from sample_data.landscape import Landscape
from sample_data.shapes import longest_side_rad, polygonal

_MOST_TRIES = 400


def field_sites(
    land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry
) -> tuple[list[Site], list[Permit]]:
    """Farmland turned into something else, with and without a permit, and fields that only look so."""
    fields = land.farmland.intersection(inside).difference(protected_area(protected_zones(land)).buffer(60))
    paved = ground.place(fields, yard(rng, (120, 190), (0.5, 0.8)), "a yard on a field")
    works = ground.place(fields, halls(rng, (120, 190), (0.4, 0.6)), "works on a field")
    depot = ground.place(fields, yard(rng, (110, 150), (0.5, 0.8)), "the permitted depot")
    permit = Permit(polygonal(depot.buffer(8, join_style="mitre")), "construction",
                    "Grain depot (fictional)", "粮食储备库（虚构）")  # fmt: skip
    surface = str(rng.choice(["yard", "gravel", "asphalt"], p=[0.45, 0.4, 0.15]))
    made = [
        Site("land_conversion", "plain", paved, "unlawful", surface=surface),
        Site("land_conversion", "hall", works, "unlawful", (works,), longest_side_rad(works), rng.uniform(7, 11)),
        Site("land_conversion", "plain", depot, "permitted", surface="yard"),
    ]
    whole_fields = fields.buffer(4)
    for name, reason in (("stubble", "harvested"), ("flooded", "flooded")):
        plots = _fields(land, rng, ground, whole_fields)
        if plots:
            whole = polygonal(plots[0].union(plots[-1]).buffer(2.5).buffer(-2.5))
            made.append(Site("land_conversion", "plain", whole, reason, plots, surface=name))
    return made, [permit]


def _fields(land: Landscape, rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> tuple[Polygon, ...]:
    """A field and its neighbour, clear of everything else; none where there is no room."""
    for index in rng.permutation(len(land.parcels))[:_MOST_TRIES]:
        plots = field_group(land, region, int(index), 2)
        area = sum(plot.area for plot in plots)
        if 8_000 < area < 40_000 and all(plot.distance(ground.taken) >= ground.gap_m for plot in plots):
            for plot in plots:
                ground.take(plot)
            return plots
    return ()
