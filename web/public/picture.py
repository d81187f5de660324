"""The first picture of the map, drawn by the server into the page: where everything stands, before any script runs.

It shows what the map shows when it opens, over the same base, at the same place in its element: groups of devices with
their number and how many are in which state, single devices where the view is near, areas, zones, routes. A wide and a
narrow element have groups of their own, as the map has at their zooms. Whoever has no script keeps it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape
from sqlalchemy import Connection, text

from web import words
from web.public.layers import LAYERS
from web.public.symbols import OUTLINES
from web.public.tile_sql import CELL_PX, SINGLE_FROM, TILE_PX, WORLD_M

# The space that the bounds fill in an element of usual size, without the padding of 32 px (map.js, map.css).
WIDE_PX, NARROW_PX = (976.0, 780.0), (326.0, 430.0)
# The map comes no farther away than this: what reaches farther is not seen whole, and no picture is drawn.
FARTHEST = 8
# So far beyond the bounds an element of another shape may show something.
BEYOND = 0.75
MOST_SINGLE, MOST_SHAPES = 400, 400
LOOKS = ("on", "soon", "pause", "stop", "off")
# What marks a look beside its fill (templates/symbols.html).
MARKS = {
    "pause": '<path class="sym-mark" d="M7.8 7v6M12.2 7v6"/>',
    "stop": '<path class="sym-mark" d="M7 10h6"/>',
    "off": '<path class="sym-slash" d="M5 15 15 5"/>',
}
_HALF_M = WORLD_M / 2
_BOX = "ST_MakeEnvelope(:west, :south, :east, :north, 3857)"
_TO_PX = "ST_TransScale({shape}, -:left, -:top, 1 / :pixel_m, 1 / :pixel_m)"
# Outer rings turn one way and holes the other, so that many shapes in one path cover each other and keep their holes.
_DRAWN = f"ST_AsSVG(ST_ForcePolygonCCW(ST_Simplify({_TO_PX.format(shape='{shape}')}, 0.7, true)), 0, 1)"
_LARGE = (
    "greatest(ST_XMax(Box2D(r.geom_3857)) - ST_XMin(Box2D(r.geom_3857)),"
    " ST_YMax(Box2D(r.geom_3857)) - ST_YMin(Box2D(r.geom_3857)))"
)


@dataclass(frozen=True)
class Frame:
    """The bounds in EPSG:3857 (metres), and how large a pixel is where they fill a space of `width` x `height`."""

    left: float
    bottom: float
    right: float
    top: float
    pixel_m: float

    @classmethod
    def of(cls, bounds: Sequence[float], space_px: tuple[float, float]) -> Frame:
        """The frame of bounds (west, south, east, north; EPSG:4326), as the map fits them into a space."""
        west, south, east, north = bounds
        left, right = (lon / 180 * _HALF_M for lon in (west, east))
        bottom, top = (math.asinh(math.tan(math.radians(lat))) / math.pi * _HALF_M for lat in (south, north))
        return cls(left, bottom, right, top, max((right - left) / space_px[0], (top - bottom) / space_px[1], 1e-9))

    @property
    def zoom(self) -> float:
        """The zoom of the map."""
        return math.log2(WORLD_M / TILE_PX / self.pixel_m)

    @property
    def size_px(self) -> tuple[float, float]:
        """How large the bounds are."""
        return (self.right - self.left) / self.pixel_m, (self.top - self.bottom) / self.pixel_m

    def place(self, x: float, y: float) -> str:
        """A place of the map (EPSG:3857) in the picture."""
        return f"{(x - self.left) / self.pixel_m:.1f} {(self.top - y) / self.pixel_m:.1f}"

    @property
    def values(self) -> dict[str, float]:
        """What a statement takes."""
        more = BEYOND * max(self.right - self.left, self.top - self.bottom)
        return {
            "left": self.left,
            "top": self.top,
            "pixel_m": self.pixel_m,
            "west": self.left - more,
            "south": self.bottom - more,
            "east": self.right + more,
            "north": self.top + more,
            "zoom": self.zoom,
        }


@dataclass
class Group:
    """The devices of one cell: how many of each look, the sum of their places, and one of them."""

    looks: Counter[str] = field(default_factory=Counter)
    east_m: float = 0.0
    north_m: float = 0.0
    kind: str = ""

    @property
    def n(self) -> int:
        """How many there are."""
        return self.looks.total()

    def take(self, other: Group) -> None:
        """Takes those of another group in."""
        self.looks += other.looks
        self.east_m += other.east_m
        self.north_m += other.north_m
        self.kind = other.kind


Cells = defaultdict[tuple[int, int], Group]


def picture_of(public: Connection, bounds: Sequence[float], *, own_base: bool) -> Markup:
    """The picture as SVG for the page; empty where the bounds are a point, or reach farther than the map opens.

    Where a narrow element cannot hold the bounds it has the class `only-wide`.

    `bounds` is (west, south, east, north) in EPSG:4326; `own_base` tells whether the base map is our own.
    """
    wide, narrow = Frame.of(bounds, WIDE_PX), Frame.of(bounds, NARROW_PX)
    if not FARTHEST <= wide.zoom <= SINGLE_FROM + 4:
        return Markup()
    width, height = wide.size_px
    shrunk = narrow.pixel_m / wide.pixel_m
    # Of what fits into a wide element alone, a narrow one shows a part, which the map finds for itself.
    fits_both = narrow.zoom >= FARTHEST
    cells = _cells(public, wide)
    parts = [
        *(_base(public, wide) if own_base else ()),
        *_themes(public, wide),
        '<g class="at-wide">',
        *_standing(public, wide, wide, cells),
        '</g><g class="at-narrow">',
        *(_standing(public, wide, narrow, cells) if fits_both else ()),
        "</g>",
    ]
    box = f'viewBox="0 0 {width:.1f} {height:.1f}"'
    only_wide = "" if fits_both else ' class="only-wide"'
    return Markup(f'<svg {box}{only_wide} aria-hidden="true">{"".join([*_hatchings(shrunk), *parts])}</svg>')


def _hatchings(shrunk: float) -> Iterator[str]:
    """What fills zones and silent ground, as wide in a narrow element as in a wide one."""
    yield "<defs>"
    for name, side in (("zone", 8), ("silent", 12)):
        for suffix, scale in (("", 1.0), ("-narrow", shrunk)):
            yield (
                f'<pattern id="still-{name}{suffix}" class="{name}" width="{side}" height="{side}"'
                f' patternUnits="userSpaceOnUse" patternTransform="scale({scale:.3g})">'
                f'<path d="M-1 {side + 1} {side + 1}-1M-1 1 1-1M{side - 1} {side + 1} {side + 1} {side - 1}"/>'
                "</pattern>"
            )
    yield "</defs>"


def _path(shown_as: str, drawn: str | None) -> str:
    return f'<path class="{shown_as}" d="{drawn}"/>' if drawn else ""


def _base(public: Connection, frame: Frame) -> Iterator[str]:
    """Ground of which nobody has told anything, forests, water, roads, and the names of towns."""
    shape = _DRAWN.format(shape="ST_Transform(ST_Intersection(a.geom, ST_Transform(b.box, 4326)), 3857)")
    grounds = public.execute(
        text(
            f"SELECT a.published, string_agg({shape}, ' ') FROM public_map.authority_areas a,"
            f" (SELECT ST_Intersection({_BOX}, ST_TileEnvelope(0, 0, 0)) AS box) b"
            " WHERE a.geom && ST_Transform(b.box, 4326) GROUP BY 1 ORDER BY 1"
        ),
        frame.values,
    )
    for published, drawn in grounds:
        yield _path("told" if published else "silent", drawn)
    shapes = public.execute(
        text(
            "SELECT CASE WHEN r.kind = 'road' THEN 'road' WHEN r.kind IN ('water', 'stream', 'river') THEN"
            " CASE ST_Dimension(r.geom_3857) WHEN 2 THEN 'water' ELSE 'stream' END"
            " WHEN r.kind IN ('land', 'urban', 'industrial', 'residential') THEN 'urban'"
            " WHEN r.kind IN ('green', 'forest', 'farmland', 'park') THEN 'green' END AS shown_as,"
            f" least(r.rank, 2) AS rank, string_agg({_DRAWN.format(shape='r.geom_3857')}, ' ') AS drawn"
            f" FROM public_map.base_features r WHERE r.geom_3857 && {_BOX} AND r.rank <= greatest(:zoom - 10, 0)"
            f" AND ST_Dimension(r.geom_3857) > 0 AND {_LARGE} >= 4 * :pixel_m GROUP BY 1, 2"
        ),
        frame.values,
    ).all()
    by_class = {(shown_as, rank): drawn for shown_as, rank, drawn in shapes if shown_as}
    for shown_as in ("green", "urban", "water", "stream"):
        for rank in range(3):
            yield _path(shown_as, by_class.get((shown_as, rank)))
    for edge in ("edge ", ""):
        for rank in reversed(range(3)):
            yield _path(f"{edge}road rank-{rank}", by_class.get(("road", rank)))


def _themes(public: Connection, frame: Frame) -> Iterator[str]:
    for layer, shown_as in (("patrol_areas", "area"), ("privacy_zones", "zone"), ("patrol_routes", "route")):
        rows = public.execute(
            text(
                "SELECT t.in_force, string_agg(t.drawn, ' ') FROM ("
                f"SELECT r.state = 'effective' AS in_force, {_DRAWN.format(shape='r.geom_3857')} AS drawn"
                f" FROM {LAYERS[layer].select} WHERE r.geom_3857 && {_BOX} AND r.state <> 'retired'"
                f" AND {_LARGE} >= 2 * :pixel_m ORDER BY {_LARGE} DESC, r.public_id LIMIT {MOST_SHAPES}"
                ") AS t GROUP BY 1"
            ),
            frame.values,
        )
        for in_force, drawn in rows:
            yield _path(shown_as if in_force else f"{shown_as} later", drawn)


def _standing(public: Connection, wide: Frame, frame: Frame, cells: Cells) -> Iterator[str]:
    """What stands on the ground as the map draws it in `frame`, placed in the picture, which is that of `wide`."""
    shrunk = frame.pixel_m / wide.pixel_m
    small = min(1.15, max(0.62, 0.62 + (frame.zoom - 10) * 0.077)) * shrunk
    for kind, look, x, y in _singles(public, "deployment_points", wide) or ():
        yield _symbol(kind, look, wide.place(x, y), small)
    alone = _singles(public, "devices", wide) if frame.zoom >= SINGLE_FROM else None
    if alone is not None:
        yield from (_symbol(kind, look, wide.place(x, y), small, count=' data-n="1"') for kind, look, x, y in alone)
        return
    for group in sorted(_merged(cells, _zoom_of_groups(wide) - _zoom_of_groups(frame)), key=lambda one: one.n):
        at = wide.place(group.east_m / group.n, group.north_m / group.n)
        if group.n == 1:
            yield _symbol(group.kind, next(iter(group.looks)), at, small, count=' data-n="1"')
        else:
            yield _ring(group, at, shrunk)


def _singles(public: Connection, layer: str, frame: Frame) -> list[tuple[str, str, float, float]] | None:
    """Kind, look and place of each of a layer's points in the picture; None where they are too many for one."""
    rows = public.execute(
        text(
            "SELECT r.kind, r.state, ST_X(r.geom_3857), ST_Y(r.geom_3857)"
            f" FROM {LAYERS[layer].countable if layer == 'devices' else LAYERS[layer].select}"
            f" WHERE r.geom_3857 && {_BOX} AND r.state <> 'retired' ORDER BY r.public_id LIMIT {MOST_SINGLE + 1}"
        ),
        frame.values,
    ).all()
    return [(kind, words.look(state), x, y) for kind, state, x, y in rows] if len(rows) <= MOST_SINGLE else None


def _zoom_of_groups(frame: Frame) -> int:
    return min(int(frame.zoom), SINGLE_FROM - 1)


def _cells(public: Connection, frame: Frame) -> Cells:
    """The devices in the picture, by the cells of the grid in which tiles group them (web/public/tile_sql.py)."""
    rows = public.execute(
        text(
            f"SELECT floor((ST_X(r.geom_3857) + {_HALF_M}) / :side)::integer,"
            f" floor(({_HALF_M} - ST_Y(r.geom_3857)) / :side)::integer,"
            " r.kind, r.state, count(*), sum(ST_X(r.geom_3857)), sum(ST_Y(r.geom_3857))"
            f" FROM {LAYERS['devices'].countable}"
            f" WHERE r.geom_3857 && {_BOX} AND r.state <> 'retired' GROUP BY 1, 2, 3, 4"
        ),
        frame.values | {"side": WORLD_M / TILE_PX / 2 ** _zoom_of_groups(frame) * CELL_PX},
    )
    cells: Cells = defaultdict(Group)
    for column, row, kind, state, count, east_m, north_m in rows:
        cells[column, row].take(Group(Counter({words.look(state): count}), east_m, north_m, kind))
    return cells


def _merged(cells: Cells, levels: int) -> Iterable[Group]:
    """The same so many zooms farther away: four cells are one there."""
    groups: Cells = defaultdict(Group)
    for (column, row), group in cells.items():
        groups[column >> levels, row >> levels].take(group)
    return groups.values()


def _symbol(kind: str, look: str, at: str, size: float, *, count: str = "") -> str:
    outline = OUTLINES.get(kind, OUTLINES["video"])
    return (
        f'<g class="sym-{escape(look)}"{count} transform="translate({at}) scale({size:.3g}) translate(-10 -10)">'
        f'<path class="halo" d="{outline}"/><path class="shape" d="{outline}"/>{MARKS.get(look, "")}</g>'
    )


def _ring(group: Group, at: str, shrunk: float) -> str:
    """The ring of a group by twelfths, as symbols.js draws it, and their number."""
    twelfths = {look: math.floor(12 * group.looks[look] / group.n + 0.5) for look in LOOKS}
    whole = sum(twelfths.values()) or 1
    # As the style has it: larger by the power of ten.
    power = math.log10(group.n)
    size = _between(power, (0.72, 0.82, 1, 1.25, 1.5))
    # In whole pixels: a browser shapes each size of letters anew, and that was most of the time of the first frame.
    letters = round(11 + 0.75 * min(power, 2) + 1.25 * max(0, power - 2))
    arcs, begun = [], 0
    for look, part in twelfths.items():
        if part:
            turn = 360 * begun / whole - 90
            arcs.append(
                f'<circle class="{look}" r="{15.5 * size:.1f}" pathLength="{whole}" transform="rotate({turn:.0f})"'
                f"{_strokes(look, part, whole)}/>"
            )
        begun += part
    scaled = f" scale({shrunk:.3g})" if shrunk != 1 else ""
    return (
        f'<g data-n="{group.n}" transform="translate({at}){scaled}"><circle class="disc" r="{18.5 * size:.1f}"/>'
        f'{"".join(arcs)}<text y="{0.36 * letters:.1f}" font-size="{letters}">{_short(group.n)}</text></g>'
    )


def _strokes(look: str, part: int, whole: int) -> str:
    """How an arc of so much of a circle is drawn: what is announced is dashed, all else is one stroke."""
    around_px = 2 * math.pi * 15.5
    stroke, space = 3.2 / around_px * whole, 2 / around_px * whole
    if part == whole:
        # Dashes go on by themselves around a circle; written out for each, they were most of the page.
        return f' stroke-dasharray="{stroke:.3f} {space:.3f}"' if look == "soon" else ""
    gap = 0.011 * whole
    length = part - 2 * gap
    dashes = f"{length:.2f}"
    if look == "soon":
        count = max(1, math.floor((length + space) / (stroke + space)))
        dashes = f" {space:.3f} ".join([f"{stroke:.3f}"] * count)
    return f' stroke-dasharray="0 {gap:.2f} {dashes} {whole}"'


def _between(power: float, steps: Sequence[float]) -> float:
    """A value between those of full powers of ten."""
    below = min(int(power), len(steps) - 2)
    return steps[below] + (steps[below + 1] - steps[below]) * min(1.0, power - below)


def _short(n: int) -> str:
    """A number as the map writes it in a ring."""
    if n >= 10_000:
        return f"{math.floor(n / 1000 + 0.5)}k"
    return f"{math.floor(n / 100 + 0.5) / 10:g}k" if n >= 1000 else str(n)
