"""What 100,000 cameras see together: union, gap and k-fold, ours against shapely and PostGIS; and one device moved.

The cameras are sectors of 30 to 120 degrees and 100 to 400 m, one of ten a disc, drawn by the same code that draws
them for a planner. They stand at random over a province (`sparse`: most see nothing that another sees), a large
city (`middle`: each spot is seen 1.8 times) and the core of one (`dense`: 16 times).

The peers are given the same polygons and return the union, the gap within a ground that holds all, and the area of
both. Ours returns besides how much is seen twice and three times, and where twice: that work is ours alone, and on
our clock. Areas must agree to 10^-9 in each round; off the clock, the shapes must be valid and have those areas, and
what is seen twice must be what GEOS finds in a window.

- shapely: the better of `union_all` and `disjoint_subset_union_all` on each set, tried before the rounds, in the
  version that our pins name and that ours itself is built upon; GEOS works in one thread, ours in two.
- PostGIS: `ST_Union` of a table, with what parallel workers the server takes by itself. The shapes stay there: only
  areas cross the wire.

What ours compiles is compiled before the clock starts, as it is in a server; all else, from polygons to polygons,
is on it. Nobody asks whether the polygons are valid: neither peer does, and ours is told that it made them itself.
The last rows but one move one camera among 10,000, each time another, and compare with computing all areas anew; the
last does so over hills, against a limit of time (bench.hills).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, create_engine, text

from bench import hills
from bench.measure import FEWEST_ROUNDS, Result, compare, seconds
from bench.places import SEED
from bench.scratch import scratch_database
from geo.coverage.footprints import Device, footprints
from geo.coverage.halves import by_halves
from geo.coverage.plane import Plane
from geo.coverage.sweep import GAP
from geo.coverage.union import Union
from geo.coverage.what_if import Standing
from geo.types import LonLat
from schemas.store.engine import OWNER

CAMERAS = 100_000
FEW = 10_000
# The side of the square that 100,000 cameras stand in; fewer stand as close together in a smaller one.
SIDES_M = {"sparse": 400_000.0, "middle": 60_000.0, "dense": 20_000.0}
SHAPELY_TARGETS = {"sparse": 2.0, "middle": 2.0, "dense": 5.0}
POSTGIS_TARGET = 10.0
MOVE_TARGET = 100.0
MIDDLE = LonLat(113.3, 23.1)
_RIM_M = 1_000.0
_WINDOW_M = 700.0
WITHIN = 1e-9
_PIECES = 20

Shapes = NDArray[np.object_]
Areas = tuple[float, float]

_UNION = text(
    "WITH seen AS MATERIALIZED (SELECT ST_Union(shape) AS shape FROM core.bench_footprint),"
    " gap AS MATERIALIZED (SELECT ST_Difference(ST_MakeEnvelope(:west, :south, :east, :north), shape) AS shape"
    " FROM seen)"
    " SELECT ST_Area(seen.shape), ST_Area(gap.shape) FROM seen, gap"
)


def rows(rounds: int) -> list[Result]:
    """Each set against shapely; the sparse and the dense against PostGIS; and one camera moved in each."""
    sets = {name: cameras(name, CAMERAS) for name in SIDES_M}
    results = [_against_shapely(name, views, rounds) for name, views in sets.items()]
    results += [_against_postgis(name, sets[name], rounds) for name in ("sparse", "dense")]
    return [*results, *(_moved(name, rounds) for name in SIDES_M), hills.row()]


def cameras(name: str, count: int, seed: int = SEED) -> Shapes:
    """What so many cameras of a set see: polygons in metres of an equal-area plane."""
    rng = np.random.default_rng(seed)
    side = SIDES_M[name] * math.sqrt(count / CAMERAS)
    plane = Plane(MIDDLE)
    lons, lats = _lonlats(plane, rng.uniform(-side / 2, side / 2, (2, count)))
    widths, ranges, azimuths = rng.uniform(30, 120, count), rng.uniform(100, 400, count), rng.uniform(0, 360, count)
    turns = rng.random(count) < 0.1
    devices = [
        Device(LonLat(lon, lat), reach, None if turn else azimuth, None if turn else width)
        for lon, lat, reach, azimuth, width, turn in zip(
            lons, lats, ranges.tolist(), azimuths.tolist(), widths.tolist(), turns.tolist(), strict=True
        )
    ]
    return footprints(devices, plane)


def _lonlats(plane: Plane, metres: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    places = shapely.get_coordinates(plane.to_wgs84(shapely.points(*metres)))
    return places[:, 0].tolist(), places[:, 1].tolist()


def ground_of(views: Shapes) -> BaseGeometry:
    """A box that holds all that is seen; made anew for each call, so that nothing is remembered of it."""
    west, south, east, north = shapely.total_bounds(views)
    return shapely.Polygon.from_bounds(west - _RIM_M, south - _RIM_M, east + _RIM_M, north + _RIM_M)


def seen_by_ours(views: Shapes) -> Areas:
    """The areas of union and gap; their shapes, the areas of k-fold and the shape of twice are made as well."""
    union = Union(views, ground_of(views), made_here=True)
    union.shapes(1, 2, GAP)
    return float(union.areas_m2[0]), union.gap_m2


def _by_shapely(views: Shapes, together: Callable[[Shapes], BaseGeometry]) -> Areas:
    seen = together(views)
    gap = ground_of(views).difference(seen)
    return float(seen.area), float(gap.area)


def same_areas(ours: Areas, theirs: Areas) -> bool:
    """Whether both areas agree to WITHIN."""
    return all(math.isclose(mine, other, rel_tol=WITHIN) for mine, other in zip(ours, theirs, strict=True))


def _against_shapely(name: str, views: Shapes, rounds: int) -> Result:
    _compile(views)
    _held_against_geos(views)
    ways = (shapely.disjoint_subset_union_all, shapely.union_all)
    better = min(ways, key=lambda way: seconds(lambda: _by_shapely(views, way))[0])
    return compare(
        f"union, gap and k-fold of {CAMERAS:,}, {name}",
        f"shapely.{better.__name__} and difference",
        lambda: seen_by_ours(views),
        lambda: _by_shapely(views, better),
        same=same_areas,
        target=SHAPELY_TARGETS[name],
        rounds=rounds if name == "sparse" else min(rounds, FEWEST_ROUNDS),
    )


def _compile(views: Shapes) -> None:
    seen_by_ours(views[:1000])


def _held_against_geos(views: Shapes) -> None:
    """Not on the clock: what is fast and wrong is no answer."""
    union = Union(views, ground_of(views))
    once, twice, gap = union.shapes(1, 2, GAP)
    for shape, area in ((once, union.areas_m2[0]), (twice, union.areas_m2[1]), (gap, union.gap_m2)):
        if not shape.is_valid or not math.isclose(shape.area, area, rel_tol=WITHIN):
            raise RuntimeError("a shape is not valid, or has another area than was told")
    # Where something is seen twice in each set: around a place that is.
    spot = shapely.get_parts(twice)[0].representative_point()
    window = shapely.box(spot.x - _WINDOW_M, spot.y - _WINDOW_M, spot.x + _WINDOW_M, spot.y + _WINDOW_M)
    expected = by_halves(views[shapely.intersects(views, window)], 2)[1].intersection(window)
    if twice.intersection(window).symmetric_difference(expected).area > WITHIN * window.area:
        raise RuntimeError("GEOS finds that other ground is seen twice")


def _against_postgis(name: str, views: Shapes, rounds: int) -> Result:
    with scratch_database() as database:
        engine = create_engine(database.url_of(OWNER))
        try:
            with engine.connect() as connection:
                _stored(connection, views)
                bounds = dict(zip(("west", "south", "east", "north"), ground_of(views).bounds, strict=True))

                def theirs() -> Areas:
                    seen, gap = connection.execute(_UNION, bounds).one()
                    return float(seen), float(gap)

                return compare(
                    f"the same, {name}",
                    "PostGIS ST_Union and ST_Difference",
                    lambda: seen_by_ours(views),
                    theirs,
                    same=same_areas,
                    target=POSTGIS_TARGET,
                    rounds=min(rounds, FEWEST_ROUNDS),
                    is_slow=True,
                )
        finally:
            engine.dispose()


def _stored(connection: Connection, views: Shapes) -> None:
    """The footprints in a table, in the plane's metres."""
    connection.execute(text("CREATE TABLE core.bench_footprint (shape geometry(Polygon) NOT NULL)"))
    with connection.connection.cursor() as cursor, cursor.copy("COPY core.bench_footprint FROM STDIN") as copy:
        for row in shapely.to_wkb(views, hex=True):
            copy.write_row((row,))
    connection.commit()
    connection.execute(text("ANALYZE core.bench_footprint"))
    connection.commit()


class _Moves:
    """One camera after another is moved to a place of its own."""

    def __init__(self, views: Shapes, places: Shapes) -> None:
        self._views, self._places, self._turn = views, places, 0
        self._ground = ground_of(np.concatenate([views, places]))
        self._standing = Standing(views, self._ground)
        self._before = Union(views, self._ground).areas_m2
        self.next()

    def next(self) -> None:
        """Chooses what is moved, and where."""
        self._turn = (self._turn + 1) % len(self._places)
        self._number = self._turn * 7 % len(self._views)
        self._after = np.append(np.delete(self._views, self._number), self._places[self._turn])

    def ours(self) -> NDArray[np.float64]:
        """What changes, asked of what stands."""
        return self._standing.replaced(self._number, self._places[self._turn]).areas_m2

    def anew(self) -> NDArray[np.float64]:
        """What changes, by computing all areas as they are afterwards."""
        changed: NDArray[np.float64] = Union(self._after, self._ground).areas_m2 - self._before
        return changed

    def same(self, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> bool:
        """Whether both are the same part of all that is seen."""
        return bool((np.abs(ours - theirs) <= WITHIN * self._before[0]).all())


def _moved(name: str, rounds: int) -> Result:
    moves = _Moves(cameras(name, FEW), cameras(name, FEW // 10, SEED + 1))
    return compare(
        f"one camera moved among {FEW:,}, {name}",
        "all areas computed anew, ours",
        moves.ours,
        moves.anew,
        same=moves.same,
        target=MOVE_TARGET,
        rounds=rounds,
        pieces=_PIECES,
        prepare=moves.next,
    )
