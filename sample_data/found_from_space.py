"""The sites that the pair of satellite scenes shows: findings of 100 to 350 m and their look-alikes."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from sample_data.context import Permit, protected_area, protected_zones
from sample_data.found_in_ponds import pond_sites
from sample_data.found_in_woods import wood_sites
from sample_data.found_on_building_sites import building_sites
from sample_data.found_on_fields import field_sites
from sample_data.incidents import Ground, Site, burn, field_group, halls, pit
from sample_data.landscape import SCENE_BOX, Landscape, corridor, greenhouse_rows
from sample_data.noise import stream
from sample_data.plume import Plume
from sample_data.shapes import blob, longest_side_rad, polygonal

_WATER_TONES = ((0.115, 0.085, 0.045), (0.060, 0.100, 0.035), (0.016, 0.018, 0.017), (0.120, 0.060, 0.050))


def satellite_sites(land: Landscape) -> tuple[tuple[Site, ...], tuple[Permit, ...]]:
    """All sites in the satellite pair, and the permits that cover the lawful ones."""
    rng = stream(land.seed, "satellite sites")
    inside = SCENE_BOX.buffer(-230).difference(corridor(290))
    ground = Ground(rng, shapely.union_all([land.built.buffer(30), land.road_area, *land.greenhouses]), 45.0)
    sites = [*_plumes(land, rng, ground)]
    quarry, works, permits = _permitted(land, rng, ground, inside)
    sites += [quarry, works, *_buildings(land, rng, ground, inside)]
    sites += [*_pits(land, rng, ground, inside), *_burns(land, rng, ground, inside)]
    sites += [*_greenhouses(land, rng, ground, inside), *_ploughed(land, rng, ground, inside)]
    sites.append(_cloud_shadow(land, rng, ground))
    later, more = _later(land, ground, inside)
    # A works stands in its own yard.
    grounds = permits[1].outline.difference(works.outline)
    later.append(Site("land_conversion", "plain", grounds, "permitted", surface="gravel"))
    clear = Ground(stream(land.seed, "woods"), shapely.union_all([ground.taken, *(s.outline for s in later)]), 45.0)
    woods, felling = wood_sites(land, clear.rng, clear, inside)
    return (*sites, *later, *woods), (*permits, *more, *felling)


def _later(land: Landscape, ground: Ground, inside: BaseGeometry) -> tuple[list[Site], list[Permit]]:
    """What was thought of later, so that everything else in a district stays where it was."""
    rng = stream(land.seed, "more satellite sites")
    clear = Ground(rng, ground.taken, ground.gap_m)
    sites = pond_sites(land, rng, clear, inside)
    fields, permits = field_sites(land, rng, clear, inside)
    dry = _land(land, land.farmland.union(shapely.union_all(land.grass)).intersection(inside))
    plots, more = building_sites(rng, clear, dry.difference(protected_area(protected_zones(land))), (150, 210), 20.0)
    return [*sites, *fields, *plots], [*permits, *more]


def _land(land: Landscape, region: BaseGeometry) -> BaseGeometry:
    return region.difference(land.water.buffer(15))


def _plumes(land: Landscape, rng: np.random.Generator, ground: Ground) -> list[Site]:
    made = []
    starts = rng.uniform((-3_600, 900), (-1_900, 2_100))
    tones = rng.permutation(len(_WATER_TONES))
    for start, tone in zip(starts, tones, strict=False):
        at = land.river_line.project(shapely.Point(start, -2_380))
        plume = Plume(
            land.river_line, land.river, at, float(rng.choice([-1, 1])), rng.uniform(230, 300),
            rng.uniform(42, 56), int(rng.integers(1 << 30)),
        )  # fmt: skip
        outline = plume.outline(4.0)
        ground.take(outline)
        made.append(Site("discoloured_water", "plume", outline, "unlawful", plume=plume, tone=_WATER_TONES[tone]))
    return made


def _permitted(
    land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry
) -> tuple[Site, Site, tuple[Permit, ...]]:
    zones = protected_area(protected_zones(land))
    hills = _land(land, shapely.union_all(land.forest).intersection(inside)).difference(zones)
    pit_outline = ground.place(hills, pit(rng, 240, 330), "the permitted quarry")
    farmland = land.farmland.intersection(inside).difference(zones)
    shed = ground.place(farmland, halls(rng, (120, 180), (0.35, 0.55)), "the permitted works")
    # All of a permit lies within the gap that other sites keep from its own.
    permits = (
        Permit(polygonal(pit_outline.buffer(34).simplify(8)), "quarry", "Stone Gate quarry (fictional)",
               "石门采石场（虚构）"),
        Permit(polygonal(shed.buffer(30, join_style="mitre")), "construction",
               "Feed mill extension (fictional)", "饲料厂扩建（虚构）"),
    )  # fmt: skip
    quarry = Site("excavation", "quarry", pit_outline, "permitted")
    works = Site("building", "hall", shed, "permitted", (shed,), longest_side_rad(shed), 9.0)
    return quarry, works, permits


def _buildings(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    strip, *others = protected_zones(land)
    zones = [others[index] for index in rng.permutation(len(others))[:2]]
    made = []
    for zone in zones:
        region = _land(land, zone.outline.intersection(inside)).difference(strip.outline)
        shape = ground.place(region, halls(rng, (110, 210), (0.4, 0.6)), f"a building in {zone.name}")
        made.append(Site("building", "hall", shape, "unlawful", (shape,), longest_side_rad(shape), rng.uniform(7, 13)))
    return made


def _pits(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    hills = _land(land, shapely.union_all(land.forest).intersection(inside))
    scrub = _land(land, shapely.union_all(land.grass).intersection(inside))
    other = land.farmland.buffer(3).intersection(inside) if rng.random() < 0.35 else scrub.union(hills)
    made = []
    for region in (hills, other):
        made.append(Site("excavation", "pit", ground.place(region, pit(rng, 130, 270), "a pit"), "unlawful"))
    return made


def _burns(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    scrub = shapely.union_all([*land.grass, *land.forest]).buffer(4).intersection(inside)
    fields = land.farmland.buffer(5).intersection(inside)
    regions = (_land(land, scrub), _land(land, fields))
    return [
        Site("burn_scar", "burn", ground.place(region, burn(rng, 170, 340), "a burn scar"), "unlawful")
        for region in regions
    ]


def _greenhouses(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    region = inside.difference(protected_area(protected_zones(land)))
    made: list[Site] = []
    for index in rng.permutation(len(land.parcels)):
        if len(made) == 2:
            break
        plot = land.parcels[index]
        fits = 9_000 < plot.outline.area < 17_000 and region.contains(plot.outline)
        if not fits or plot.outline.distance(ground.taken) < ground.gap_m:
            continue
        rows = greenhouse_rows(plot.outline, plot.angle_rad)
        ground.take(plot.outline)
        made.append(Site("building", "greenhouse", plot.outline, "greenhouse", tuple(rows), plot.angle_rad, 3.0))
    return made


def _ploughed(land: Landscape, rng: np.random.Generator, ground: Ground, inside: BaseGeometry) -> list[Site]:
    made: list[Site] = []
    for index in rng.permutation(len(land.parcels)):
        if len(made) == 3:
            break
        plots = field_group(land, inside, int(index), int(rng.integers(1, 4)))
        whole = polygonal(shapely.union_all(plots).buffer(2.5).buffer(-2.5)) if plots else shapely.Polygon()
        if not 12_000 < whole.area < 40_000 or whole.distance(ground.taken) < ground.gap_m:
            continue
        ground.take(whole)
        angle = land.parcels[index].angle_rad
        made.append(Site("excavation", "ploughed", whole, "farmland", plots, angle))
    return made


def _cloud_shadow(land: Landscape, rng: np.random.Generator, ground: Ground) -> Site:
    # The cloud itself hangs outside the scene: the morning sun throws its shadow in from the south-east.
    edge = SCENE_BOX.buffer(-60).difference(SCENE_BOX.buffer(-850)).intersection(
        shapely.box(-3_500, -3_500, 4_500, -2_400).union(shapely.box(3_500, -3_500, 4_500, 900))
    )  # fmt: skip
    region = edge.difference(land.water.buffer(30))
    size = (rng.uniform(260, 380), rng.uniform(200, 280))
    shape = ground.place(
        region, lambda x, y, s: blob(rng, x, y, (size[0] * s, size[1] * s), roughness=0.3), "a cloud's shadow"
    )
    return Site("burn_scar", "shade", shape, "shadow")
