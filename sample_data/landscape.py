"""The vector world of the district before anything unlawful happens: water, roads, towns, fields, forest."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from sample_data import fixtures
from sample_data.fields import Parcel, parcels
from sample_data.frame import SCENE_HALF_M, FloatArray, Grid, from_wgs84
from sample_data.noise import fractal, stream
from sample_data.shapes import blob, curve, polygonal, polygons, rectangle, ribbon
from sample_data.terrain import heights_m, terrain_grid
from sample_data.towns import Building, Town, factories, hamlet, market_town

SCENE_BOX = shapely.box(-SCENE_HALF_M[0], -SCENE_HALF_M[1], SCENE_HALF_M[0], SCENE_HALF_M[1])
# The first route keeps this much open country around it, for the drone's imagery.
CORRIDOR_HALF_M = 160.0


@dataclass(frozen=True)
class Road:
    """A road: its middle line, width in metres, class (trunk, main, street, lane) and surface."""

    line: LineString
    width_m: float
    grade: str
    paved: bool = True
    name: str = ""
    name_zh: str = ""

    @cached_property
    def area(self) -> BaseGeometry:
        """The surface."""
        return self.line.buffer(self.width_m / 2, cap_style="flat")


@dataclass(frozen=True)
class Landscape:
    """Everything that stands still, in the local frame."""

    seed: int
    ground_m: FloatArray
    river_line: LineString
    brook_line: LineString
    river: Polygon
    brook: Polygon
    reservoir: Polygon
    ponds: tuple[Polygon, ...]
    roads: tuple[Road, ...]
    town: Town
    villages: tuple[Town, ...]
    industry: Polygon
    buildings: tuple[Building, ...]
    forest: tuple[Polygon, ...]
    grass: tuple[Polygon, ...]
    parcels: tuple[Parcel, ...]
    greenhouses: tuple[Polygon, ...] = field(default=())

    @cached_property
    def water(self) -> BaseGeometry:
        """All open water."""
        return shapely.union_all([self.river, self.brook, self.reservoir, *self.ponds])

    @cached_property
    def built(self) -> BaseGeometry:
        """Where people live or work: town, villages, industry."""
        return shapely.union_all([self.town.outline, *(v.outline for v in self.villages), self.industry])

    @cached_property
    def road_area(self) -> BaseGeometry:
        """All road surfaces."""
        return shapely.union_all([road.area for road in self.roads])

    @cached_property
    def farmland(self) -> BaseGeometry:
        """All fields, with the narrow banks between them."""
        return shapely.union_all([parcel.outline for parcel in self.parcels]).buffer(2.0).buffer(-1.5)


def corridor(half_m: float = CORRIDOR_HALF_M) -> BaseGeometry:
    """The strip around the first route, in the local frame."""
    return from_wgs84(fixtures.ROUTES["R1"]).buffer(half_m, cap_style="flat")


def make_landscape(seed: int) -> Landscape:
    """The district of a seed."""
    rng = stream(seed, "landscape")
    river_line, brook_line = _watercourses(rng)
    ground_m = heights_m(seed, river_line, brook_line)
    river = _river(rng, river_line, (150, 185))
    brook = _river(rng, brook_line, (46, 56))
    reservoir = _reservoir(rng, brook_line)
    wet = shapely.union_all([river, brook, reservoir])
    town = market_town(rng, (rng.uniform(-480, -330), rng.uniform(330, 480)), keep_out=corridor().union(wet))
    industry, halls = factories(rng, (rng.uniform(2_850, 3_100), rng.uniform(-250, 50)))
    villages = _villages(rng, shapely.union_all([wet, town.outline, industry.buffer(150)]))
    ponds = _ponds(rng, shapely.union_all([wet.buffer(40), *(v.outline for v in villages)]))
    roads = (*_roads(rng, villages), *_streets(town, villages))
    surfaces = shapely.union_all([road.line.buffer(road.width_m / 2 + 1.5) for road in roads])
    built = shapely.union_all([town.outline, industry, *(v.outline for v in villages)])
    forest, grass = _wild(seed, ground_m, shapely.union_all([wet, built.buffer(20), *ponds]))
    blocked = shapely.union_all([wet.buffer(9), built.buffer(6), surfaces, *forest, *grass, *ponds])
    farm = SCENE_BOX.buffer(200).difference(blocked)
    plots = parcels(rng, farm)
    everything = [*town.buildings, *halls, *(b for v in villages for b in v.buildings)]
    buildings = _clear(everything, shapely.union_all([wet.buffer(6), surfaces]))
    bare = Landscape(
        seed, ground_m, river_line, brook_line, river, brook, reservoir, ponds, roads, town, villages,
        industry, buildings, forest, grass, plots,
    )  # fmt: skip
    return replace(bare, greenhouses=_old_greenhouses(rng, bare))


def _watercourses(rng: np.random.Generator) -> tuple[LineString, LineString]:
    xs = np.linspace(-6_200, 6_200, 9)
    ys = -2_380 + 190 * np.sin(xs / 1_350 + rng.uniform(0, 6.3)) + rng.normal(0, 50, xs.size)
    river = curve(list(zip(xs, ys, strict=True)))
    crossing = rng.uniform(640, 980)
    points = [
        (crossing + rng.uniform(300, 900), 5_200.0),
        (crossing + rng.uniform(200, 700), 3_600.0),
        (crossing + rng.uniform(200, 550), 2_300.0),
        (crossing + rng.uniform(50, 250), 1_150.0),
        (crossing + rng.uniform(-60, 160), 250.0),
        (crossing, -556.0),
        (crossing + rng.uniform(-180, 120), -1_400.0),
    ]
    mouth_x = crossing + rng.uniform(100, 420)
    mouth = (mouth_x, float(np.interp(mouth_x, *np.asarray(river.coords).T)))
    return river, curve([*points, mouth])


def _river(rng: np.random.Generator, line: LineString, widths: tuple[float, float]) -> Polygon:
    steps = np.linspace(0, 40, len(line.coords))
    base = rng.uniform(*widths)
    wave = 0.10 * np.sin(steps + rng.uniform(0, 6.3)) + 0.06 * np.sin(2.7 * steps + rng.uniform(0, 6.3))
    return ribbon(line, base * (1 + wave))


def _reservoir(rng: np.random.Generator, brook: LineString) -> Polygon:
    at = brook.intersection(LineString([(-6_000, 2_300), (6_000, 2_300)])).centroid
    lake = blob(rng, at.x + rng.uniform(60, 160), 2_330, (620, 430), roughness=0.35)
    return polygonal(lake.buffer(-15).buffer(15))


def _villages(rng: np.random.Generator, taken: BaseGeometry) -> tuple[Town, ...]:
    # One village touches the northern side of the corridor, so that the drone sees houses as well.
    beside = hamlet(rng, (rng.uniform(-760, -260), -455.0), 150.0)
    found = [replace(beside, outline=polygonal(beside.outline.difference(corridor(25))))]
    open_country = SCENE_BOX.buffer(-380).difference(taken.buffer(120)).difference(corridor(330))
    tries = 0
    while len(found) < 9 and tries < 400:
        tries += 1
        x, y = rng.uniform(-4_100, 4_100), rng.uniform(-3_100, 1_250)
        radius = rng.uniform(120, 215)
        apart = all(v.outline.distance(Point(x, y)) > 650 for v in found)
        if apart and open_country.contains(Point(x, y).buffer(radius + 40)):
            found.append(hamlet(rng, (x, y), radius))
    return tuple(found)


def _ponds(rng: np.random.Generator, taken: BaseGeometry) -> tuple[Polygon, ...]:
    x, y, angle = rng.uniform(-3_200, -1_400), rng.uniform(-1_750, -1_500), rng.uniform(-0.3, 0.3)
    made = []
    for row in range(2):
        for column in range(5):
            along, across = (column - 2) * 128.0, (row - 0.5) * 92.0
            centre = (x + along * np.cos(angle) - across * np.sin(angle),
                      y + along * np.sin(angle) + across * np.cos(angle))  # fmt: skip
            pond = rectangle(*centre, (rng.uniform(95, 118), rng.uniform(62, 82)), angle).buffer(-6).buffer(6)
            made.append(pond)
    lake = blob(rng, rng.uniform(-1_900, -1_500), rng.uniform(150, 500), (330, 210), roughness=0.3)
    return tuple(p for p in (lake, *made) if not p.intersects(taken) and not p.intersects(corridor(200)))


def _roads(rng: np.random.Generator, villages: tuple[Town, ...]) -> list[Road]:
    wave = rng.uniform(-120, 120, 6)
    ring = [(-4_900, 1_080 + wave[0]), (-2_600, 1_130 + wave[1]), (-300, 1_260 + wave[2] / 2),
            (2_000, 1_180 + wave[3]), (4_900, 1_260 + wave[4])]  # fmt: skip
    south = [(-4_900, -1_260 + wave[5]), (-2_000, -1_290 + wave[0]), (300, -1_240 + wave[1]),
             (2_400, -1_330 + wave[2]), (4_900, -1_250 + wave[3])]  # fmt: skip
    west = [(-1_350 + wave[1], 1_230), (-1_290, 300), (-1_330 + wave[2] / 2, -560), (-1_260, -1_700),
            (-1_400 + wave[3], -3_900)]  # fmt: skip
    east = [(1_900 + wave[4], 1_190), (1_990 + wave[5] / 2, 0), (1_930, -1_000), (2_040, -2_600), (2_100, -3_900)]
    roads = [
        Road(curve(ring), 22, "trunk", True, "Ring Road North (fictional)", "环北大道（虚构）"),
        Road(curve(south), 18, "trunk", True, "Riverside Road (fictional)", "滨河大道（虚构）"),
        Road(curve(west), 14, "main", True, "Willow Road (fictional)", "柳林路（虚构）"),
        Road(curve(east), 14, "main", True, "Granary Road (fictional)", "粮仓路（虚构）"),
    ]
    targets = shapely.union_all([road.line for road in roads])
    for village in villages:
        start = village.outline.centroid
        end = nearest_points(start, targets)[1]
        if start.distance(end) > 60:
            middle = ((start.x + end.x) / 2 + rng.uniform(-40, 40), (start.y + end.y) / 2 + rng.uniform(-40, 40))
            roads.append(Road(curve([(start.x, start.y), middle, (end.x, end.y)]), 6, "lane"))
    return roads


def _streets(town: Town, villages: tuple[Town, ...]) -> list[Road]:
    wide = [Road(line, 9.0, "street") for line in town.streets]
    narrow = [Road(line, 4.0, "lane") for village in villages for line in village.streets]
    return [*wide, *narrow]


def _wild(seed: int, ground_m: FloatArray, taken: BaseGeometry) -> tuple[tuple[Polygon, ...], tuple[Polygon, ...]]:
    rng = stream(seed, "wild")
    fine = terrain_grid()
    coarse = Grid(fine.west_m, fine.north_m, 40.0, fine.width // 4, fine.height // 4)
    ground = ground_m[: coarse.height * 4 : 4, : coarse.width * 4 : 4]
    patches = fractal(rng, coarse, 700, 80)
    score = (ground - 24) / 9 + 0.9 * patches
    woods = (score > 0.6) | ((patches > 1.75) & (ground < 24))
    scrub = ((score > -0.5) & (ground > 16) & ~woods) | ((patches < -1.6) & (ground < 24))
    strip = corridor(230)
    waste = _wasteland(rng)
    forest = _soft(coarse.outline(woods), taken.union(strip))
    grass = _soft(coarse.outline(scrub), shapely.union_all([taken, strip, *forest]))
    open_waste = shapely.union_all(waste).difference(taken.buffer(12))
    return forest, (*grass, *polygons(open_waste, 800))


def _wasteland(rng: np.random.Generator) -> list[Polygon]:
    spots = (-1_330, -1_060, 60, 330, 1_180, 1_400)
    return [
        blob(rng, x + rng.uniform(-35, 35), -554 + rng.uniform(-35, 35), (rng.uniform(170, 240), 190)) for x in spots
    ]


def _soft(outlines: list[BaseGeometry], taken: BaseGeometry) -> tuple[Polygon, ...]:
    large = MultiPolygon([p for p in outlines if isinstance(p, Polygon) and p.area > 9_000])
    rounded = large.buffer(18).buffer(-36).buffer(18).simplify(4).difference(taken)
    return tuple(polygons(rounded.intersection(SCENE_BOX.buffer(200)), 4_000))


def _clear(buildings: list[Building], blocked: BaseGeometry) -> tuple[Building, ...]:
    zone = from_wgs84(fixtures.ZONE_1)
    bath = Building(rectangle(zone.centroid.x, zone.centroid.y, (46, 30), 0.12), 9.0, "bathhouse", 0.12)
    shapely.prepare(blocked)
    kept = [b for b in buildings if not blocked.intersects(b.outline) and b.outline.distance(zone) > 4]
    return (bath, *kept)


def _old_greenhouses(rng: np.random.Generator, land: Landscape) -> tuple[Polygon, ...]:
    """Two clusters of plastic houses that stood there all along, on fields west and east of the town."""
    made: list[Polygon] = []
    for low, high in ((-4_000, -2_500), (2_300, 4_200)):
        fits = [
            plot for plot in land.parcels
            if low < plot.outline.centroid.x < high and 5_000 < plot.outline.area < 14_000
            and plot.outline.centroid.y < 900
        ]  # fmt: skip
        for index in rng.permutation(len(fits))[:3]:
            made += greenhouse_rows(fits[index].outline, fits[index].angle_rad)
    return tuple(made)


def greenhouse_rows(outline: BaseGeometry, angle_rad: float) -> list[Polygon]:
    """Parallel tunnels of 8 m with gaps of 1.5 m, cut to an outline."""
    centre, reach = outline.centroid, 200.0
    inner = outline.buffer(-3)
    rows = []
    for k in range(-20, 21):
        x, y = centre.x - k * 9.5 * np.sin(angle_rad), centre.y + k * 9.5 * np.cos(angle_rad)
        tunnel = polygonal(rectangle(x, y, (reach, 8.0), angle_rad).intersection(inner))
        if tunnel.area > 120:
            rows.append(tunnel)
    return rows
