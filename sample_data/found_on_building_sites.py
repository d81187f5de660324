"""Licensed building sites: soil left open, and soil under green nets."""

import numpy as np
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit
from sample_data.incidents import Ground, Site, yard
from sample_data.shapes import polygonal


def building_sites(
    rng: np.random.Generator, ground: Ground, region: BaseGeometry, length_m: tuple[float, float], gap_m: float
) -> tuple[list[Site], list[Permit]]:
    """One site of open soil and one under nets, each within a permit that reaches `gap_m` further."""
    made, permits = [], []
    for surface, reason, name, name_zh in (
        ("graded", "unlawful", "School building site (fictional)", "学校工地（虚构）"),
        ("net", "covered", "Clinic building site (fictional)", "卫生院工地（虚构）"),
    ):
        plot = ground.place(region, yard(rng, length_m, (0.7, 0.95)), name)
        made.append(Site("bare_soil", "plain", plot, reason, surface=surface))
        permits.append(Permit(polygonal(plot.buffer(gap_m, join_style="mitre")), "construction", name, name_zh))
    return made, permits
