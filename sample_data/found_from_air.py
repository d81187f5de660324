"""The sites that the drone's orthophoto shows along the first route: findings of 20 to 60 m and look-alikes."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit, protected_area, protected_zones
from sample_data.found_along_lanes import lane_sites
from sample_data.found_on_building_sites import building_sites
from sample_data.incidents import Ground, Site, burn, halls, pit
from sample_data.landscape import Landscape, corridor, greenhouse_rows
from sample_data.noise import stream
from sample_data.plume import Plume
from sample_data.shapes import blob, longest_side_rad, polygonal, rectangle, shadow_of, sun_reach

# The drone's findings lie within this distance of the line, well inside its 70 m of view.
REACH_M = 58.0
_WATER_TONES = ((0.130, 0.085, 0.040), (0.060, 0.105, 0.035), (0.014, 0.016, 0.016), (0.130, 0.055, 0.050))


def drone_sites(land: Landscape, sun: tuple[float, float]) -> tuple[tuple[Site, ...], tuple[Permit, ...]]:
    """All sites in the orthophoto, and the permits that cover the lawful ones."""
    rng = stream(land.seed, "drone sites")
    strip = corridor(REACH_M)
    houses = shapely.union_all([b.outline.buffer(12) for b in land.buildings if b.outline.intersects(strip)])
    ground = Ground(rng, shapely.union_all([land.road_area.intersection(strip), houses]), 9.0)
    zones = protected_area(protected_zones(land))
    dry = strip.difference(land.water.buffer(6))
    sites = [_plume(land, rng, ground)]
    pump, pump_permit = _pump_station(rng, ground, dry.intersection(zones))
    sites += [pump, *_buildings(land, rng, ground, dry.intersection(zones))]
    open_land = dry.difference(zones.buffer(12)).difference(shapely.union_all([v.outline for v in land.villages]))
    sites += _pits(land, rng, ground, open_land)
    clay, clay_permit = _permitted_pit(rng, ground, open_land)
    sites += [clay, *_ploughed(land, ground, rng, open_land), _greenhouse(land, rng, ground, open_land)]
    for _ in range(2):
        scar = ground.place(open_land, burn(rng, 30, 56), "a burn scar")
        sites.append(Site("burn_scar", "burn", scar, "unlawful"))
    sites.append(_tower(rng, ground, open_land, sun))
    sites.append(_cloud_shadow(rng, ground, open_land))
    # What was thought of later has its own stream, so that everything else in a district stays where it was.
    later = stream(land.seed, "more drone sites")
    clear = Ground(later, ground.taken, ground.gap_m)
    along, yard_permits = lane_sites(later, clear, open_land)
    plots, plot_permits = building_sites(later, clear, open_land, (44, 54), 4.0)
    return (*sites, *along, *plots), (pump_permit, clay_permit, *yard_permits, *plot_permits)


def _plume(land: Landscape, rng: np.random.Generator, ground: Ground) -> Site:
    route = shapely.intersection(corridor(0.5), land.brook).centroid
    side = float(rng.choice([-1, 1]))
    length, width = rng.uniform(36, 46), rng.uniform(9, 13)
    at = land.brook_line.project(route) - rng.uniform(0.45, 0.75) * length
    plume = Plume(land.brook_line, land.brook, at, side, length, width, int(rng.integers(1 << 30)))
    outline = plume.outline(0.5)
    ground.take(outline)
    tone = _WATER_TONES[int(rng.integers(len(_WATER_TONES)))]
    return Site("discoloured_water", "plume", outline, "unlawful", plume=plume, tone=tone)


def _pump_station(rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> tuple[Site, Permit]:
    shape = ground.place(region, halls(rng, (18, 26), (0.5, 0.7)), "the pump station")
    # All of the permit lies within the gap that other sites keep from this one.
    permit = Permit(
        polygonal(shape.buffer(6, join_style="mitre")), "construction",
        "Brook pump station (fictional)", "溪流泵站（虚构）",
    )  # fmt: skip
    return Site("building", "hall", shape, "permitted", (shape,), longest_side_rad(shape), 5.0), permit


def _buildings(land: Landscape, rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> list[Site]:
    made = []
    for _ in range(2):
        shape = ground.place(region, halls(rng, (24, 46), (0.4, 0.65)), "a building by the brook")
        made.append(Site("building", "hall", shape, "unlawful", (shape,), longest_side_rad(shape), rng.uniform(4, 7)))
    return made


def _tower(rng: np.random.Generator, ground: Ground, region: BaseGeometry, sun: tuple[float, float]) -> Site:
    """A lawful tall building outside every protected zone, whose long shadow looks burnt."""
    height = rng.uniform(24, 30)
    reach = sun_reach(height, sun)
    size, angle = (rng.uniform(22, 30), rng.uniform(11, 14)), rng.uniform(-0.4, 0.4)

    towers: list[BaseGeometry] = []

    def make(x: float, y: float, scale: float) -> BaseGeometry:
        towers.append(rectangle(x, y, (size[0] * scale, size[1] * scale), angle))
        return towers[-1].union(shadow_of(towers[-1], reach))

    whole = ground.place(region, make, "the grain tower")
    shade = polygonal(whole.difference(towers[-1]))
    return Site("burn_scar", "tower", shade, "shadow", (towers[-1],), angle, height)


def _permitted_pit(rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> tuple[Site, Permit]:
    shape = ground.place(region, pit(rng, 30, 46), "the permitted clay pit")
    permit = Permit(polygonal(shape.buffer(7).simplify(1.5)), "mining", "Kiln clay pit (fictional)",
                    "窑厂取土场（虚构）")  # fmt: skip
    return Site("excavation", "quarry", shape, "permitted"), permit


def _greenhouse(land: Landscape, rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> Site:
    fields = land.farmland.intersection(region)
    length, angle = rng.uniform(40, 54), rng.uniform(-0.5, 0.5)

    def make(x: float, y: float, scale: float) -> BaseGeometry:
        return rectangle(x, y, (length * scale, 28 * scale), angle)

    outline = ground.place(fields.buffer(3), make, "greenhouses")
    rows = greenhouse_rows(outline.buffer(3, join_style="mitre"), angle)
    whole = shapely.union_all(rows)
    return Site("building", "greenhouse", whole, "greenhouse", tuple(rows), angle, 3.0)


def _ploughed(land: Landscape, ground: Ground, rng: np.random.Generator, region: BaseGeometry) -> list[Site]:
    made: list[Site] = []
    shapely.prepare(region)
    for index in rng.permutation(len(land.parcels)):
        if len(made) == 2:
            break
        plot = land.parcels[index]
        if not region.intersects(plot.outline):
            continue
        seen = polygonal(plot.outline.intersection(region))
        if seen.area < 900 or seen.area < 0.3 * plot.outline.area or plot.outline.distance(ground.taken) < 1:
            continue
        ground.take(plot.outline)
        made.append(Site("excavation", "ploughed", seen, "farmland", (plot.outline,), plot.angle_rad))
    return made


def _pits(land: Landscape, rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> list[Site]:
    waste = shapely.union_all(land.grass).intersection(region)
    fields = land.farmland.intersection(region)
    places = (waste, fields if rng.random() < 0.25 else waste)
    return [Site("excavation", "pit", ground.place(p, pit(rng, 26, 56), "a pit"), "unlawful") for p in places]


def _cloud_shadow(rng: np.random.Generator, ground: Ground, region: BaseGeometry) -> Site:
    size = (rng.uniform(60, 84), rng.uniform(42, 60))
    shape = ground.place(
        region, lambda x, y, s: blob(rng, x, y, (size[0] * s, size[1] * s), roughness=0.2), "a cloud's shadow"
    )
    return Site("burn_scar", "shade", shape, "shadow")
