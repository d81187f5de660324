"""What burns on a day of its own, as a satellite and a drone see it: fires, smoke without flames, and what looks so."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from sample_data import fixtures
from sample_data.flames import Front
from sample_data.found_from_space import satellite_sites
from sample_data.frame import Grid, from_wgs84
from sample_data.incidents import Ground, Site, ragged
from sample_data.landscape import SCENE_BOX, Landscape
from sample_data.noise import stream
from sample_data.shapes import blob, longest_side_rad, polygonal, rectangle
from sample_data.veils import Veil

FLAME, SMOKE = "open_flame", "smoke_plume"
_MOST_TRIES = 1_500
_FINEST_M = 0.1
# The ground of the drone's picture: half its length along the route, half its width.
_STRIP_HALF_M = (260.0, 120.0)


class Size(NamedTuple):
    """How large things are in a picture: trails and their widths, burnt ground, fronts; and the space between."""

    trail_m: tuple[float, float]
    width_m: tuple[float, float]
    burnt_m: tuple[float, float]
    front_m: tuple[float, float]
    strip_m: tuple[float, float]
    gap_m: float
    outline_m: float


FAR = Size((420, 900), (70, 125), (45, 90), (50, 120), (1.6, 3.2), 40.0, 5.0)
NEAR = Size((48, 85), (11, 18), (20, 28), (11, 17), (0.6, 1.1), 5.0, 0.5)


class _Place:
    """Finds places for what the wind draws out: from a source on open ground, over whatever lies downwind."""

    def __init__(self, rng: np.random.Generator, ground: Ground, frame: BaseGeometry, size: Size) -> None:
        self.rng, self.ground, self.frame, self.size = rng, ground, frame, size
        self.wind_rad = float(rng.uniform(-np.pi, np.pi))

    def trail(self, region: BaseGeometry, matter: str, thickness: tuple[float, float], long: float = 1.0) -> Veil:
        """A trail whose source lies in a region; raises ValueError where there is no room."""
        rng, size = self.rng, self.size
        shapely.prepare(region)
        west, south, east, north = region.bounds
        for scale in np.repeat((1.0, 0.8, 0.62), _MOST_TRIES // 3):
            x, y = float(rng.uniform(west, east)), float(rng.uniform(south, north))
            if not shapely.contains_xy(region, x, y):
                continue
            lengths = float(scale * long) * rng.uniform(*size.trail_m), float(scale) * rng.uniform(*size.width_m)
            heading = self.wind_rad + rng.normal(0, 0.12)
            veil = Veil(matter, (x, y), heading, *lengths, rng.uniform(*thickness), int(rng.integers(1 << 30)))
            seen = _cone(veil)
            if self.frame.contains(seen) and not seen.dwithin(self.ground.taken, size.gap_m):
                self.ground.take(veil.outline(size.outline_m).union(seen))
                return veil
        raise ValueError(f"no room for a trail of {matter} in this landscape")


def _cone(veil: Veil) -> BaseGeometry:
    ahead = np.array((np.cos(veil.heading_rad), np.sin(veil.heading_rad)))
    side = np.array((-ahead[1], ahead[0]))
    start, end = np.array(veil.source) - 0.3 * veil.width_m * ahead, np.array(veil.source) + 1.1 * veil.length_m * ahead
    wide, narrow = 0.8 * veil.width_m * side, 0.3 * veil.width_m * side
    return shapely.Polygon([start - narrow, end - wide, end + wide, start + narrow])


def _fire(place: _Place, region: BaseGeometry, matter: str, outline_of: Callable[[Front], BaseGeometry]) -> list[Site]:
    """Flames along a front, what they left behind them, and the smoke that the wind takes ahead of them."""
    rng, size = place.rng, place.size
    veil = place.trail(region, matter, (0.85, 1.5))
    ahead = np.array((np.cos(veil.heading_rad), np.sin(veil.heading_rad)))
    side = np.array((-ahead[1], ahead[0]))
    length = rng.uniform(*size.front_m)
    steps = np.linspace(-0.5, 0.5, 9)
    bulge = rng.uniform(-0.12, 0.12) * length * np.cos(np.pi * steps) + rng.normal(0, 0.02 * length, 9)
    line = LineString(np.array(veil.source) + length * steps[:, None] * side + bulge[:, None] * ahead)
    front = Front(line, rng.uniform(*size.strip_m), rng.uniform(880, 1_050), int(rng.integers(1 << 30)))
    back = np.array(veil.source) - 0.55 * rng.uniform(*size.burnt_m) * ahead
    burnt = ragged(rng, (float(back[0]), float(back[1])), (1.1 * length, rng.uniform(*size.burnt_m)))
    flame = Site(FLAME, "fire", outline_of(front), "unlawful", veil=veil, front=front)
    # Two wavy outlines leave slivers, which no outline in degrees of seven places can hold.
    left = shapely.set_precision(burnt.difference(flame.outline.buffer(size.outline_m)), _FINEST_M)
    scar = Site("burn_scar", "burn", polygonal(left), "unlawful")
    place.ground.take(burnt.union(flame.outline))
    return [flame, scar]


def _smoulder(place: _Place, region: BaseGeometry, matter: str) -> Site:
    veil = place.trail(region, matter, (0.7, 1.3))
    return Site(SMOKE, "smoke", veil.outline(place.size.outline_m), "unlawful", veil=veil)


def _lawful_trail(place: _Place, region: BaseGeometry, matter: str, reason: str, long: float = 1.0) -> Site:
    veil = place.trail(region, matter, (0.7, 1.3), long)
    return Site(SMOKE, "smoke", veil.outline(place.size.outline_m), reason, veil=veil)


def _patch(
    place: _Place, region: BaseGeometry, matter: str, size: tuple[float, float], thickness: float, reason: str
) -> Site:
    """A patch of mist, or a small cloud; it lies over whatever is there."""
    rng = place.rng
    shape = place.ground.place(region, lambda x, y, s: blob(rng, x, y, (size[0] * s, size[1] * s)), matter)
    middle = shape.centroid
    seed = int(rng.integers(1 << 30))
    veil = Veil(matter, (middle.x, middle.y), rng.uniform(0, 3), size[0], size[1], thickness, seed, is_patch=True)
    return Site(SMOKE, "cloud" if matter == "water" else "smoke", shape, reason, veil=veil)


def _solid(
    place: _Place, region: BaseGeometry, surface: str, size: tuple[float, float], kind: str, reason: str
) -> Site:
    rng, angle = place.rng, place.rng.uniform(-1.5, 1.5)
    shape = place.ground.place(
        region, lambda x, y, s: rectangle(x, y, (size[0] * s, size[1] * s), angle), f"{surface} that looks like fire"
    )
    return Site(kind, "plain", shape, reason, surface=surface, shade=rng.uniform(0.85, 1.1))


def _where_there_is_room(*makers: Callable[[], Site | list[Site]]) -> list[Site]:
    """Look-alikes, one after the other; what finds no room in a district is left out."""
    made: list[Site] = []
    for maker in makers:
        try:
            found = maker()
        except ValueError:
            continue
        made += found if isinstance(found, list) else [found]
    return made


def burning_from_space(land: Landscape, grid: Grid) -> tuple[Site, ...]:
    """What a satellite sees on the day of the fires; `grid` is that of its pixels."""
    rng = stream(land.seed, "burning from space")
    inside = SCENE_BOX.buffer(-120)
    solid = shapely.union_all([land.built.buffer(20), land.road_area, *land.greenhouses, land.water.buffer(15)])
    plots = [site.outline for site in satellite_sites(land)[0] if site.kind == "bare_soil"]
    place = _Place(rng, Ground(rng, shapely.union_all(plots), FAR.gap_m), inside, FAR)
    fields = land.farmland.intersection(inside).difference(solid)
    wild = shapely.union_all([*land.grass, *land.forest]).intersection(inside).difference(solid)
    open_land, hot = fields.union(wild), _hot_cells(grid)
    made = [*_fire(place, fields, "smoke", hot), *_fire(place, wild, "dark_smoke", hot)]
    made += _fire(place, fields, "smoke", hot)
    made += [_smoulder(place, fields, "smoke"), _smoulder(place, open_land, "dark_smoke")]
    small, wide = (rng.uniform(80, 120), rng.uniform(60, 90)), (rng.uniform(500, 800), rng.uniform(350, 500))
    metal = rng.uniform(70, 110), rng.uniform(30, 45)
    made += _where_there_is_room(
        lambda: _lawful_trail(place, land.industry.buffer(-60), "water", "steam", 0.35),
        lambda: _lawful_trail(place, fields, "dust", "dust", 0.5),
        lambda: _patch(place, inside, "water", small, 1.6, "cloud"),
        lambda: _patch(place, inside, "water", small, 1.6, "cloud"),
        lambda: _patch(place, inside, "mist", wide, 0.5, "mist"),
        lambda: _solid(place, open_land, "glare", metal, FLAME, "metal"),
        lambda: _solid(place, open_land, "tarpaulin", (60.0, 40.0), FLAME, "tarpaulin"),
        lambda: _solid(place, open_land, "laterite", (110.0, 80.0), FLAME, "red_earth"),
        lambda: _cold_scar(place, wild),
    )
    # Soil on the licensed building sites of the district lies under nets by now.
    return (*made, *(Site("bare_soil", "plain", plot, "covered", surface="net") for plot in plots))


def _cold_scar(place: _Place, region: BaseGeometry) -> Site:
    scar = place.ground.place(region, lambda x, y, s: ragged(place.rng, (x, y), (180 * s, 110 * s)), "a cold scar")
    return Site(FLAME, "burn", scar, "cold")


def _hot_cells(grid: Grid) -> Callable[[Front], BaseGeometry]:
    return lambda front: front.hot_cells(grid)


def strip(land: Landscape) -> BaseGeometry:
    """The stretch of a route along which the drone sees the fires: where most of the land lies open."""
    line = from_wgs84(fixtures.ROUTES["R5"])
    wet, built = land.water.buffer(5), land.built
    steps = np.arange(_STRIP_HALF_M[0] + 150, line.length - _STRIP_HALF_M[0] - 150, 120.0)
    boxes = [_box_at(line.interpolate(at)) for at in steps]
    return min(boxes, key=lambda box: box.intersection(wet).area + box.intersection(built).area)


def _box_at(at: Point) -> BaseGeometry:
    east, north = round(at.x), round(at.y)
    return shapely.box(
        east - _STRIP_HALF_M[0], north - _STRIP_HALF_M[1], east + _STRIP_HALF_M[0], north + _STRIP_HALF_M[1]
    )


def burning_from_air(land: Landscape, frame: BaseGeometry) -> tuple[Site, ...]:
    """What a drone sees on the day of the fires within its picture."""
    rng = stream(land.seed, "burning from air")
    inside = frame.buffer(-8)
    roofs = shapely.union_all([b.outline.buffer(6) for b in land.buildings if b.outline.intersects(frame)])
    taken = shapely.union_all([roofs, land.road_area.intersection(frame), land.water.intersection(frame).buffer(4)])
    place = _Place(rng, Ground(rng, taken, NEAR.gap_m), inside, NEAR)
    open_land = inside.difference(taken.buffer(6))
    seen = _flames_seen
    made = [*_fire(place, open_land, "smoke", seen), *_fire(place, open_land, "dark_smoke", seen)]
    made.append(_smoulder(place, open_land, "smoke"))
    sheet, metal = (rng.uniform(7, 11), rng.uniform(4, 6)), (rng.uniform(9, 14), rng.uniform(4, 6))
    made += _where_there_is_room(
        lambda: _steaming_hall(place, open_land),
        lambda: _lawful_trail(place, open_land, "dust", "dust", 0.7),
        lambda: _patch(place, open_land, "mist", (60.0, 42.0), 0.45, "mist"),
        lambda: _solid(place, open_land, "tarpaulin", sheet, FLAME, "tarpaulin"),
        lambda: _solid(place, open_land, "glint", metal, FLAME, "metal"),
        lambda: _solid(place, open_land, "laterite", (20.0, 15.0), FLAME, "red_earth"),
        lambda: _roofed(_solid(place, open_land, "yard", (18.0, 10.0), FLAME, "red_roof"), "tiled", 4.0),
    )
    return tuple(made)


def _steaming_hall(place: _Place, region: BaseGeometry) -> list[Site]:
    hall = _roofed(_solid(place, region, "yard", (24.0, 13.0), FLAME, "roof"), "hall", 6.0)
    vent, heading = hall.outline.centroid, place.wind_rad + float(place.rng.normal(0, 0.2))
    steam = Veil("water", (vent.x, vent.y), heading, 20.0, 6.0, 1.6, int(place.rng.integers(1 << 30)))
    drift = polygonal(steam.outline(NEAR.outline_m).difference(hall.outline))
    return [hall, Site(SMOKE, "smoke", drift, "steam", veil=steam)]


def _roofed(site: Site, look: str, height_m: float) -> Site:
    shape = site.outline
    return Site(site.kind, look, shape, site.reason, (shape,), longest_side_rad(shape), height_m)


def _flames_seen(front: Front) -> BaseGeometry:
    return front.outline()
