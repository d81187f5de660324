"""The drone's orthophoto along the first route: the same ground as the satellite's, at a quarter of a metre."""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from shapely import ops
from shapely.geometry.base import BaseGeometry

from sample_data import fixtures
from sample_data.blends import burns, plumes
from sample_data.flames import shown
from sample_data.found_along_lanes import bits
from sample_data.frame import FloatArray, Grid, from_wgs84
from sample_data.groves import Grove, crown_light, in_rows, joined, scattered
from sample_data.incidents import Site
from sample_data.landscape import Landscape, Road
from sample_data.noise import fractal, smooth, stream
from sample_data.scars import pit_layers
from sample_data.shapes import longest_side_rad, rectangle, shadow_of, sun_reach
from sample_data.spectra import field_colours, roof, surface

RES_M = 0.25
# Ground that the picture shows beyond the route's line on every side.
MARGIN_M = 120.0
# What light is left in shadow, in red, green and blue: the sky's.
_SHADE = (0.30, 0.34, 0.43)
# Reflectance that the camera shows as full white, and its tone curve.
_WHITE = 0.52
_GAMMA = 2.1

# Looks that are buildings, and the use that their roofs are of.
_ROOFED = {"hall": "industrial", "tower": "residential", "tiled": "tiled"}
PLAIN, ROWS, GABLE, TUNNEL = range(4)
_ROW_SPACING_M = {"rice": 0.9, "vegetables": 1.6, "sugarcane": 1.3, "orchard": 4.6, "fallow": 2.4, "lotus": 3.0}


@dataclass
class Palette:
    """Surfaces in painting order: outline, two tones that mix, and how: style, direction, spacing, middle."""

    shapes: list[BaseGeometry] = field(default_factory=list)
    tones: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)
    styles: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def add(
        self, shape: BaseGeometry, light: FloatArray, dark: FloatArray, style: int = PLAIN,
        turn: tuple[float, float] = (0.0, 1.0),
    ) -> None:  # fmt: skip
        """Paint a shape; ``turn`` is the direction in radians from east and the spacing in metres."""
        if shape.is_empty:
            return
        middle = shape.centroid
        self.shapes.append(shape)
        self.tones.append((light[:3], dark[:3]))
        self.styles.append((style, turn[0], turn[1], middle.x, middle.y))


def aerial_grid() -> Grid:
    """The pixels of the orthophoto, on whole quarter metres of EPSG:32649."""
    loose = Grid.around(from_wgs84(fixtures.ROUTES["R1"]), MARGIN_M, RES_M)
    west, north = (round(value / RES_M) * RES_M for value in (loose.west_m, loose.north_m))
    return Grid(west, north, RES_M, loose.width, loose.height)


def strip_grid(frame: BaseGeometry) -> Grid:
    """The pixels of a picture of a rectangle whose corners lie on whole metres."""
    west, south, east, north = frame.bounds
    return Grid(west, north, RES_M, round((east - west) / RES_M), round((north - south) / RES_M))


def render_aerial(land: Landscape, sites: tuple[Site, ...], sun: tuple[float, float], grid: Grid) -> NDArray[np.uint8]:
    """An orthophoto as uint8 in red, green, blue; ``sun`` is azimuth and elevation in degrees."""
    rng = stream(land.seed, "aerial")
    coarse = fractal(rng, grid, 48.0, 1.5, roughness=0.35)
    fine = smooth(rng, grid, 0.5) + 0.6 * rng.standard_normal(grid.shape, dtype=np.float32)
    palette = _palette(land, sites, grid, sun)
    painted = grid.burn(palette.shapes, range(1, len(palette.shapes) + 1), "int32")
    share = _share(palette, grid, painted, coarse, fine)
    grove = _grove(land, sites, grid)
    crowns = grove.crowns(land.seed)
    trees = grid.burn(list(crowns), range(1, len(crowns) + 1), "int32")
    domes = crown_light(grove, grid, trees, sun)
    shaded = grid.mask([*_shadows(land, sites, grid, sun), *grove.shadows(crowns, sun)]) & (trees == 0)
    relief = _relief(land, sites, grid, sun)
    soft = [*burns(land.seed, "aerial burn", grid, sites, 12.0), *plumes(grid, sites, 60.0)]
    bands = []
    for band in range(3):
        light, dark = (np.array([tone[part][band] for tone in palette.tones], np.float32) for part in (0, 1))
        ground = dark[painted - 1] + share * (light - dark)[painted - 1]
        ground *= 1 + 0.045 * coarse + 0.05 * fine
        for blend in soft:
            blend.into(ground, band)
        ground *= relief
        np.copyto(ground, (grove.colour[:, band][trees - 1] * domes if len(crowns) else domes), where=trees > 0)
        ground *= np.where(shaded, np.float32(_SHADE[band]), np.float32(1))
        _ignite(ground, grid, sites, band)
        for site in sites:
            if site.veil is not None:
                site.veil.over(ground, grid, band)
        bands.append(_camera(ground, rng))
    return np.stack(bands)


def _ignite(ground: FloatArray, grid: Grid, sites: tuple[Site, ...], band: int) -> None:
    """Let the flames of the sites shine in one band of a picture, in place."""
    for site in sites:
        if site.front is not None:
            window = grid.window(site.front.line, 4 * site.front.width_m)
            strength = site.front.strength(grid.part(window))
            covers = np.clip(strength * 2.5, 0, 1)
            here = ground[window]
            here += covers * (shown(strength, band) - here)


def _palette(land: Landscape, sites: tuple[Site, ...], grid: Grid, sun: tuple[float, float]) -> Palette:
    made = Palette()
    box = grid.box
    rng = stream(land.seed, "aerial colours")
    bank = surface("bank")
    made.add(box.buffer(5), bank * np.float32(0.78), bank * np.float32(1.15))
    _add_fields(made, land, box)
    _add_open_land(made, rng, land, box)
    made.add(land.brook.buffer(3.5).intersection(box), surface("forest") * 1.5, surface("grass"))
    for shape, name in [(land.river, "river"), (land.brook, "brook"), *((pond, "pond") for pond in land.ponds)]:
        if shape.intersects(box):
            made.add(shape, surface(name) * np.float32(1.05), surface(name) * np.float32(0.96))
    for road in land.roads:
        if road.line.intersects(box):
            _add_road(made, rng, road, box)
    _add_sites(made, rng, sites, sun)
    for tunnel in land.greenhouses:
        if tunnel.intersects(box):
            _add_tunnel(made, tunnel, longest_side_rad(tunnel))
    for building in land.buildings:
        if building.outline.intersects(box):
            _add_roof(made, building.outline, roof(rng, building.use), building.angle_rad, sun)
    return made


def _add_open_land(made: Palette, rng: np.random.Generator, land: Landscape, box: BaseGeometry) -> None:
    for shape, name, spread in _open_land(land):
        if shape.intersects(box):
            tone = surface(name) * np.float32(rng.uniform(0.85, 1.15))
            made.add(shape, tone * np.float32(1 + spread), tone * np.float32(1 - spread))


def _open_land(land: Landscape) -> list[tuple[BaseGeometry, str, float]]:
    parts: list[tuple[BaseGeometry, str, float]] = [(shape, "grass", 0.24) for shape in land.grass]
    parts += [(shape, "forest", 0.3) for shape in land.forest]
    parts += [(village.outline, "village", 0.14) for village in land.villages]
    return [*parts, (land.town.outline, "town", 0.12), (land.industry, "estate", 0.08)]


def _add_fields(made: Palette, land: Landscape, box: BaseGeometry) -> None:
    # On the drone's day fewer fields lie bare than on a day between two crops.
    colours = field_colours(stream(land.seed, "aerial fields"), land.parcels, 0.5)
    soil = surface("tilth") * np.float32(0.9)
    for plot, colour in zip(land.parcels, colours, strict=True):
        if plot.outline.intersects(box):
            dark = colour * np.float32(0.62) + soil * np.float32(0.22)
            turn = (plot.angle_rad, _ROW_SPACING_M[plot.crop])
            made.add(plot.outline, colour * np.float32(1.12), dark, ROWS, turn)


def _add_road(made: Palette, rng: np.random.Generator, road: Road, box: BaseGeometry) -> None:
    name = "asphalt" if road.width_m >= 9 else "concrete"
    tone = surface(name) * np.float32(rng.uniform(0.9, 1.1))
    made.add(road.line.buffer(road.width_m / 2 + 1.2, cap_style="flat"), surface("track"), surface("grass"))
    made.add(road.area, tone * np.float32(1.08), tone * np.float32(0.92))
    if road.width_m < 12:
        return
    paint = surface("concrete") * np.float32(1.7)
    line = road.line.intersection(box.buffer(20))
    for part in shapely.get_parts(line):
        for start in np.arange(0, part.length, 10.0):
            made.add(ops.substring(part, start, start + 5.0).buffer(0.13, cap_style="flat"), paint, paint)
        for start in rng.uniform(0, part.length, int(part.length / 45)):
            _add_car(made, rng, part, float(start), road.width_m)


def _add_car(made: Palette, rng: np.random.Generator, line: BaseGeometry, at_m: float, width_m: float) -> None:
    here, ahead = line.interpolate(at_m), line.interpolate(at_m + 1)
    angle = float(np.arctan2(ahead.y - here.y, ahead.x - here.x))
    side = width_m / 4 * float(rng.choice([-1, 1]))
    x, y = here.x - side * np.sin(angle), here.y + side * np.cos(angle)
    paint = np.full(3, rng.choice([0.03, 0.10, 0.45, 0.6]), np.float32) * rng.uniform(0.8, 1.1, 3).astype(np.float32)
    made.add(rectangle(x, y, (4.5, 1.9), angle), paint, paint)
    made.add(rectangle(x, y, (2.2, 1.6), angle), paint * np.float32(0.4), paint * np.float32(0.4))


def _add_sites(made: Palette, rng: np.random.Generator, sites: tuple[Site, ...], sun: tuple[float, float]) -> None:
    for site in sites:
        tint = np.float32(rng.uniform(0.88, 1.1))
        if site.look in ("pit", "quarry"):
            for shape, tone in pit_layers(rng, site.outline, rocky=site.look == "quarry"):
                made.add(shape, tone * tint * np.float32(1.1), tone * tint * np.float32(0.88))
        elif site.look == "ploughed":
            for part in site.parts:
                tilth = surface("tilth") * tint
                made.add(part, tilth * np.float32(1.2), tilth * np.float32(0.72), ROWS, (site.angle_rad, 0.9))
        elif site.look == "greenhouse":
            for part in site.parts:
                _add_tunnel(made, part, site.angle_rad)
        elif site.look in _ROOFED:
            use = _ROOFED[site.look]
            for part in site.parts:
                _add_roof(made, part, roof(rng, use), site.angle_rad, sun)
        else:
            _add_flat_site(made, rng, site, tint)


def _add_flat_site(made: Palette, rng: np.random.Generator, site: Site, tint: np.float32) -> None:
    """Ground of one surface, a pond, or ground with many pieces on it."""
    if site.look == "plain":
        tone = surface(site.surface) * tint
        made.add(site.outline, tone * np.float32(1.12), tone * np.float32(0.86))
    elif site.look == "pond":
        tone = surface(site.surface) * np.float32(site.shade)
        made.add(site.outline, tone * np.float32(1.04), tone * np.float32(0.96))
    elif site.look in ("litter", "rubble", "market"):
        trodden = surface("track") * np.float32(0.8) * tint
        made.add(site.outline, trodden * np.float32(1.1), trodden * np.float32(0.8))
        for piece, tone in bits(rng, site):
            made.add(piece, tone, tone * np.float32(0.85))


def _add_tunnel(made: Palette, shape: BaseGeometry, angle_rad: float) -> None:
    plastic = surface("plastic")
    made.add(shape, plastic * np.float32(1.25), plastic * np.float32(0.62), TUNNEL, (angle_rad, 8.0))


def _add_roof(made: Palette, shape: BaseGeometry, tone: FloatArray, angle_rad: float, sun: tuple[float, float]) -> None:
    """Two slopes, the one towards the sun brighter, within a narrow edge."""
    facing = -np.sin(angle_rad) * np.sin(np.radians(sun[0])) + np.cos(angle_rad) * np.cos(np.radians(sun[0]))
    lit, dim = tone * np.float32(1 + 0.16 * facing), tone * np.float32(1 - 0.16 * facing)
    edge = tone * np.float32(0.75)
    made.add(shape, edge, edge)
    made.add(shape.buffer(-0.4, join_style="mitre"), lit, dim, GABLE, (angle_rad, 1.1))


def _share(
    palette: Palette, grid: Grid, painted: NDArray[np.int32], coarse: FloatArray, fine: FloatArray
) -> FloatArray:
    """How much of its lighter tone every pixel shows."""
    table = np.array(palette.styles, np.float32)
    row = painted - 1
    style = table[:, 0].astype(np.uint8)[row]
    share = np.clip(0.5 + 0.26 * coarse + 0.10 * fine, -0.2, 1.2)
    rows, columns = np.nonzero(style != PLAIN)
    kind, own = style[rows, columns], table[row[rows, columns]]
    across = (grid.ys[rows] - own[:, 4]) * np.cos(own[:, 1]) - (grid.xs[columns] - own[:, 3]) * np.sin(own[:, 1])
    rough = share[rows, columns]
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * across / own[:, 2] + 0.8 * coarse[rows, columns])
    drawn = np.select(
        [kind == ROWS, kind == GABLE, kind == TUNNEL],
        [0.55 * wave + 0.45 * rough, (across > 0) + 0.16 * (wave - 0.5), 1 - (across / 4.0) ** 2 + 0.1 * (rough - 0.5)],
    )
    share[rows, columns] = np.clip(drawn, -0.3, 1.3)
    return np.asarray(share, np.float32)


def _grove(land: Landscape, sites: tuple[Site, ...], grid: Grid) -> Grove:
    box, seed = grid.box.buffer(15), land.seed
    inside = box.intersection
    villages = shapely.union_all([village.outline for village in land.villages])
    banks = inside(land.brook.buffer(14)).difference(land.brook.buffer(1))
    verges = shapely.union_all([road.line.buffer(road.width_m / 2 + 6) for road in land.roads if road.width_m > 5])
    orchards = [(p.outline, p.angle_rad) for p in land.parcels if p.crop == "orchard" and p.outline.intersects(box)]
    grass = shapely.union_all(land.grass)
    groves = [
        scattered(seed, "village trees", inside(villages), 45, (1.4, 3.4)),
        scattered(seed, "bank trees", banks, 110, (1.2, 3.2)),
        scattered(seed, "verge trees", inside(verges), 60, (1.5, 3.0)),
        scattered(seed, "waste shrubs", inside(grass), 95, (0.6, 2.2)),
        scattered(seed, "woods", inside(shapely.union_all(land.forest)), 700, (1.8, 3.4)),
        in_rows(seed, "orchards", orchards),
    ]
    built = [b.outline for b in land.buildings if b.outline.intersects(box)]
    taken = [shape for site in sites for shape in (site.outline, *site.parts) if site.look not in ("shade", "smoke")]
    roads = [road.line.buffer(road.width_m / 2) for road in land.roads if road.line.intersects(box)]
    keep_out = shapely.union_all([*built, *taken, *roads, inside(land.water), *land.greenhouses])
    return joined(groves, keep_out)


def _shadows(land: Landscape, sites: tuple[Site, ...], grid: Grid, sun: tuple[float, float]) -> list[BaseGeometry]:
    near = grid.box.buffer(60)
    tall: list[tuple[BaseGeometry, float]] = [
        (b.outline, b.height_m) for b in land.buildings if b.outline.intersects(near)
    ]
    tall += [(part, s.height_m) for s in sites if s.look in (*_ROOFED, "greenhouse") for part in s.parts]
    tall += [(tunnel, 3.0) for tunnel in land.greenhouses if tunnel.intersects(near)]
    return [shadow_of(outline, sun_reach(height, sun)) for outline, height in tall]


def _relief(land: Landscape, sites: tuple[Site, ...], grid: Grid, sun: tuple[float, float]) -> FloatArray:
    """Light on the walls of pits and under a passing cloud, 1 elsewhere."""
    light = np.ones(grid.shape, np.float32)
    azimuth, elevation = np.radians(sun)
    for index, site in enumerate(sites):
        window = grid.window(site.outline, 30.0)
        part = grid.part(window)
        if part.is_empty:
            continue
        if site.look in ("pit", "quarry"):
            wall = distance_transform_edt(grid.mask([site.outline])[window]) * RES_M
            bumps = fractal(stream(land.seed, f"pit floor {index}"), part, 8.0, 0.8, roughness=0.7)
            ground = gaussian_filter(-np.minimum(wall * 0.8, 4.5) + 0.22 * bumps * (wall > 0), 1.2)
            south, east = np.gradient(ground.astype(np.float32), RES_M)
            slope = 1 - (east * np.sin(azimuth) - south * np.cos(azimuth)) / np.tan(elevation)
            light[window] *= np.where(wall > 0, 0.35 + 0.65 * np.clip(slope, 0, 1.7), 1)
        elif site.look == "shade":
            soft = gaussian_filter(grid.mask([site.outline])[window].astype(np.float32), 3.0 / RES_M)
            light[window] *= 1 - np.float32(0.62) * soft
    return light


def _camera(ground: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lens blur, tone curve and noise of a small sensor."""
    seen = np.clip(gaussian_filter(ground, 0.55, mode="nearest"), 0, None) / np.float32(_WHITE)
    shown = 255 * seen ** np.float32(1 / _GAMMA)
    shown += rng.standard_normal(shown.shape, dtype=np.float32) * np.float32(2.2)
    return np.asarray(np.clip(np.round(shown), 1, 255), np.uint8)
