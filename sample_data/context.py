"""What the maps of the bureau say about the land: protected zones and permits, in the local frame."""

from dataclasses import dataclass

import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from sample_data.landscape import SCENE_BOX, Landscape
from sample_data.noise import stream
from sample_data.shapes import blob, polygonal


@dataclass(frozen=True)
class Protected:
    """A protected zone: outline, kind and names."""

    outline: Polygon
    kind: str
    name: str
    name_zh: str


@dataclass(frozen=True)
class Permit:
    """A permit: what it allows, and where."""

    outline: Polygon
    activity: str
    name: str
    name_zh: str


def protected_zones(land: Landscape) -> tuple[Protected, ...]:
    """The four protected zones of the district."""
    rng = stream(land.seed, "protected")
    x_low, x_high = rng.uniform(2_350, 2_500), rng.uniform(4_200, 4_350)
    stretch = land.river_line.intersection(shapely.box(x_low, -6_000, x_high, 6_000))
    wetland = stretch.buffer(land.river.area / land.river.length + 190, cap_style="flat").difference(land.built)
    reserve = blob(rng, rng.uniform(-3_300, -2_700), rng.uniform(2_450, 2_650), (1_700, 1_200), roughness=0.2)
    return (
        Protected(_strip(land.brook_line), "drinking_water_source", "Brook water source (fictional)",
                  "溪流饮用水水源保护区（虚构）"),
        Protected(polygonal(land.reservoir.buffer(310)), "drinking_water_source",
                  "North Reservoir water source (fictional)", "北水库饮用水水源保护区（虚构）"),
        Protected(polygonal(reserve.intersection(SCENE_BOX)), "nature_reserve",
                  "Pine Hill nature reserve (fictional)", "松山自然保护区（虚构）"),
        Protected(polygonal(wetland.intersection(SCENE_BOX)), "wetland", "East Bend wetland (fictional)",
                  "东湾湿地（虚构）"),
    )  # fmt: skip


def _strip(brook: LineString) -> Polygon:
    inner = brook.intersection(shapely.box(-6_000, -1_050, 6_000, 1_000))
    return polygonal(inner.buffer(135, cap_style="flat"))


def protected_area(zones: tuple[Protected, ...]) -> BaseGeometry:
    """All protected ground."""
    return shapely.union_all([zone.outline for zone in zones])
