"""The statements that draw tiles: points, clusters of points, shapes; each reads views of `public_map` alone.

The envelope of a tile is brought to the column and never the column to the envelope, so that the index finds what is
drawn. A tile that would be too large is drawn again with less in it, level by level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from web import words
from web.public.layers import LAYERS

EXTENT = 4096
TILE_PX = 512
MAX_ZOOM = 16
# From here on every device is drawn by itself; below, the cells of a grid are.
SINGLE_FROM = 12
# From afar a cell of the coverage grid is less than a dot, and there are too many of them.
COVERAGE_FROM = 10
CELL_PX = 64
# Lines and fills reach over the edge of their tile, or their ends would be drawn there. A point belongs to one tile,
# which draws its whole symbol.
BUFFER_PX = 64
# The title of a device is needed from near alone; with it, eight thousand of them would not fit into a tile.
TITLES_FROM = 15
WORLD_M = 40_075_016.685578488
# The first level leaves out all but so many features; each further one all but a quarter of them.
LEVELS = (1, 2, 3, 4)
MOST = 4096

# What statements take, and of which type.
VALUES = dict.fromkeys(("z", "x", "y", "level"), "int4") | {"on": "date", "authority": "text", "known": "text"}

_BUFFER = BUFFER_PX * EXTENT // TILE_PX
_WIDE = f"ST_TileEnvelope(:z, :x, :y, margin => {BUFFER_PX / TILE_PX})"
# Beside the source and not in a WITH, so that the planner sees a constant and takes the index.
_CELL = (
    f"(SELECT ST_TileEnvelope(:z, :x, :y) AS exact, {_WIDE} AS wide,"
    f" {WORLD_M} / {TILE_PX} / power(2, :z) AS pixel_m) AS cell"
)
_THEME = "r.public_id, r.kind, r.state, r.authority_id AS authority"
# Whoever draws a tile gets the same bytes as everybody else, whichever way the planner goes for it.
_IN_ORDER = "ORDER BY r.public_id"
# Else the planner asks for every shape twice: to draw it, and whether there is one.
_ONCE = "OFFSET 0"
_TITLES = "r.title_en, r.title_zh"
_BOX = "Box2D(r.geom_3857)"
_ACROSS = f"greatest(ST_XMax({_BOX}) - ST_XMin({_BOX}), ST_YMax({_BOX}) - ST_YMin({_BOX}))"


@dataclass(frozen=True)
class TileLayer:
    """A layer of tiles: the zooms at which there are any, and the statements that draw one.

    Both take `z`, `x`, `y`, clusters an `authority` or none, history the day `on`; `thinned` takes one of `LEVELS` too.
    """

    name: str
    whole: str
    thinned: str
    first: int = 0
    last: int = MAX_ZOOM
    by_cell: bool = True
    # Whether it changes by itself, between the changes that have a number: such a tile is of the version of its bytes.
    by_content: bool = False
    reach_px: int = BUFFER_PX
    # Where things have no title from afar: the statement with titles.
    titled: str = ""

    def drawing(self, z: int) -> str:
        """The statement that draws a tile whole."""
        return self.titled if self.titled and z >= TITLES_FROM else self.whole

    def version(self, z: int, *, of_day: bool) -> str:
        """The query for the version of a tile: from near the last change in the cells of zoom 12 that it touches.

        From afar, and of the past, any change is a new version; day and hour count in both.
        """
        if z < SINGLE_FROM or of_day or not self.by_cell:
            return "SELECT r.revision FROM public_map.revision r"
        side, reach = f"power(2, :z - {SINGLE_FROM})", self.reach_px / TILE_PX
        # Whole numbers, as the index has them.
        near = " AND ".join(
            f"c.{way} >= CAST(floor((:{way} - {reach}) / {side}) AS integer)"
            f" AND c.{way} < CAST(ceil((:{way} + {1 + reach}) / {side}) AS integer)"
            for way in "xy"
        )
        last = f"SELECT max(c.seq) FROM public_map.cells c WHERE c.layer = '{self.name}' AND"
        return (
            f"SELECT regexp_replace(r.revision, '-[0-9]+', '-' || coalesce(greatest(({last} {near}),"
            f" ({last} c.x = -1 AND c.y = -1)), 0)) FROM public_map.revision r"
        )


def _shapes(name: str, columns: str, titles: str, source: str, order: str = f"{_ACROSS} DESC") -> TileLayer:
    """Areas and lines: below the zoom of single devices without small bends and without what is smaller than a dot."""

    def drawn(named: str, geometry: str, only: str, last: str) -> str:
        return (
            f"SELECT coalesce(ST_AsMVT(t, '{name}', {EXTENT}, 'shape'), '') FROM ("
            f"SELECT {named}, ST_AsMVTGeom({geometry}, cell.exact, {EXTENT}, {_BUFFER}, true) AS shape"
            f" FROM {_CELL}, {source} AND {only} {last} {_ONCE}) AS t WHERE t.shape IS NOT NULL"
        )

    simple = f"CASE WHEN :z < {SINGLE_FROM} THEN ST_Simplify(r.geom_3857, cell.pixel_m, true) ELSE r.geom_3857 END"
    visible = f"(:z >= {SINGLE_FROM} OR ST_Dimension(r.geom_3857) = 0 OR {_ACROSS} >= 2 * cell.pixel_m)"
    coarse = "ST_Simplify(r.geom_3857, cell.pixel_m * power(4, :level - 1), true)"
    most = f"ORDER BY {order}, r.public_id LIMIT {MOST} / power(4, :level - 1)"
    return TileLayer(
        name,
        whole=drawn(", ".join(filter(None, (columns, titles))), simple, visible, _IN_ORDER),
        thinned=drawn(columns, coarse, "true", most),
    )


def _theme(name: str, source: str) -> TileLayer:
    return _shapes(name, _THEME, _TITLES, f"{source} WHERE r.geom_3857 && cell.wide AND r.state <> 'retired'")


def _devices(source: str, n: str) -> TileLayer:
    """Every device by itself; where they are too many for a tile, one for each spot of some pixels, with how many more.

    `n` is the number of a feature, as an attribute of the statement and for ST_AsMVT.
    """
    inside = f"FROM {_CELL}, {source} WHERE r.geom_3857 && cell.exact AND r.state <> 'retired'"
    spot = f"cell.pixel_m * {TILE_PX // int(MOST**0.5)} * power(2, :level - 1)"
    grid = f"floor(ST_X(r.geom_3857) / ({spot})), floor(ST_Y(r.geom_3857) / ({spot}))"
    shape = f"ST_AsMVTGeom(r.geom_3857, cell.exact, {EXTENT}, 0, true) AS shape"
    one = f"DISTINCT ON ({grid}) {_THEME}, {shape}, nullif(count(*) OVER (PARTITION BY {grid}) - 1, 0) AS more"
    in_order = "ORDER BY r.n" if n else _IN_ORDER
    each = _THEME
    if n:
        each, one = f"{each}, r.n", f"{one}, r.n"
    # What needs no title is read from the index alone.
    titled = f"{each}, {_TITLES}"
    drawn = f"SELECT coalesce(ST_AsMVT(t, 'devices', {EXTENT}, 'shape'{n}), '') FROM ("
    return TileLayer(
        "devices",
        whole=f"{drawn}SELECT {each}, {shape} {inside} {in_order} {_ONCE}) AS t WHERE t.shape IS NOT NULL",
        titled=f"{drawn}SELECT {titled}, {shape} {inside} {in_order} {_ONCE}) AS t WHERE t.shape IS NOT NULL",
        thinned=f"{drawn}SELECT {one} {inside} ORDER BY {grid}, r.public_id {_ONCE}) AS t WHERE t.shape IS NOT NULL",
        first=SINGLE_FROM,
        reach_px=0,
    )


def _clusters(source: str) -> TileLayer:
    """The cells of a grid: how many devices in all, how many of each kind and look, and which one where it is alone.

    A cell lies in one tile, whose eighth part it is; the point is the middle of what lies in it.
    """
    per_side = TILE_PX // CELL_PX
    half = WORLD_M / 2
    column = f"floor((ST_X(r.geom_3857) + {half}) / (cell.pixel_m * {CELL_PX}))"
    row = f"floor(({half} - ST_Y(r.geom_3857)) / (cell.pixel_m * {CELL_PX}))"
    looks = " ".join(f"WHEN '{state}' THEN '{look}'" for state, look in _DEVICE_LOOKS.items())
    one = ", ".join(
        f"CASE WHEN sum(g.n) = 1 THEN min(g.{name}) END AS {name}"
        for name in ("public_id", "kind", "state", "authority", "title_en", "title_zh")
    )
    middle = "ST_SetSRID(ST_Point(sum(g.x) / sum(g.n), sum(g.y) / sum(g.n)), 3857)"
    drawn = (
        "WITH grouped AS MATERIALIZED ("
        f"SELECT {column} AS i, {row} AS j, r.kind, r.state, count(*) AS n, sum(ST_X(r.geom_3857)) AS x,"
        " sum(ST_Y(r.geom_3857)) AS y, min(r.public_id) AS public_id, min(r.authority_id) AS authority,"
        " min(r.title_en) AS title_en, min(r.title_zh) AS title_zh"
        f" FROM {_CELL}, {source} WHERE r.geom_3857 && cell.exact AND r.state <> 'retired'"
        " AND (CAST(:authority AS text) IS NULL OR r.authority_id = :authority) GROUP BY 1, 2, 3, 4"
        "), looked AS ("
        f"SELECT g.i, g.j, g.kind || '_' || CASE g.state {looks} ELSE 'off' END AS word, sum(g.n)::bigint AS n"
        " FROM grouped g GROUP BY 1, 2, 3"
        "), told AS (SELECT i, j, jsonb_object_agg(word, n) AS counts FROM looked GROUP BY 1, 2)"
        f" SELECT coalesce(ST_AsMVT(t, 'clusters', {EXTENT}, 'shape'), '') FROM ("
        f"SELECT sum(g.n)::bigint AS n, told.counts, {one},"
        f" ST_AsMVTGeom({middle}, cell.exact, {EXTENT}, 0, true) AS shape"
        f" FROM {_CELL}, grouped g JOIN told USING (i, j)"
        # A device on the very edge of a tile belongs to one cell, and that to one tile.
        f" WHERE floor(i / {per_side}) = :x AND floor(j / {per_side}) = :y"
        f" GROUP BY i, j, told.counts, cell.exact ORDER BY i, j {_ONCE}) AS t WHERE t.shape IS NOT NULL"
    )
    return TileLayer("clusters", drawn, drawn, last=SINGLE_FROM - 1)


# A look that is not told is `off` (web/words.py).
_DEVICE_LOOKS = {state: words.look(state) for state in ("active", "in_notice_period", "maintenance", "out_of_use")}
_POINTS = "(SELECT p.*, p.title AS title_en, p.title AS title_zh FROM public_map.device_points AS p) AS r"
# The jurisdiction is kept in EPSG:4326 alone; beyond the edge of the world there is nothing to transform.
_AUTHORITIES = (
    "(SELECT a.public_id, a.name_en AS title_en, a.name_zh AS title_zh, a.level, a.published,"
    " a.last_on::text AS last_on, ST_Transform(a.geom, 3857) AS geom_3857 FROM public_map.authority_areas a"
    f" WHERE a.geom && ST_Transform(ST_Intersection({_WIDE}, ST_TileEnvelope(0, 0, 0)), 4326)) AS r WHERE true"
)


def _history(name: str) -> str:
    """What a layer was on a day, in the shared words."""
    return (
        "(SELECT h.public_id, h.kind, h.status AS state, h.title_en, h.title_zh, h.authority_id, h.geom_3857"
        f" FROM public_map.history h WHERE h.layer = '{name}' AND h.valid_from <= :on"
        " AND (h.valid_to IS NULL OR h.valid_to > :on)) AS r"
    )


_COVERAGE = (
    "(SELECT c.cell AS public_id, c.at_least, c.geom_3857 FROM public_map.coverage AS c) AS r"
    " WHERE r.geom_3857 && cell.wide"
)
# Every page says in its banner that the sample district is fictional; on a map, that word in each name is noise.
_BASE_TITLES = "replace(r.name_en, ' (fictional)', '') AS name_en, replace(r.name_zh, '（虚构）', '') AS name_zh"
# What has a high rank shows only from near.
_BASE = "public_map.base_features AS r WHERE r.geom_3857 && cell.wide AND r.rank <= greatest(:z - 10, 0)"


def _by_name(layers: Iterable[TileLayer]) -> Mapping[str, TileLayer]:
    return {layer.name: layer for layer in layers}


TILE_LAYERS = _by_name(
    [
        _devices(_POINTS, ", 'n'"),
        _clusters(_POINTS),
        *(_theme(name, layer.select) for name, layer in LAYERS.items() if name != "devices"),
        replace(
            _shapes("authorities", "r.public_id, r.level, r.published, r.last_on", _TITLES, _AUTHORITIES), by_cell=False
        ),
        replace(
            _shapes("coverage", "r.public_id AS cell, r.at_least", "", _COVERAGE),
            first=COVERAGE_FROM,
            by_cell=False,
            by_content=True,
        ),
        _shapes("basemap", "r.public_id, r.kind, r.rank", _BASE_TITLES, _BASE, "r.rank"),
    ]
)
STATEMENTS: Mapping[str, str] = {name: layer.whole for name, layer in TILE_LAYERS.items()}
# What was shown on a past day.
HISTORY_LAYERS = _by_name(
    [
        _devices(_history("devices"), ""),
        _clusters(_history("devices")),
        *(_theme(name, _history(name)) for name in LAYERS if name != "devices"),
    ]
)
