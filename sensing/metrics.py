"""How well outlines agree with the truth, on the ground that was looked at: pixels, borders, things. Pure.

Everything is counted pixel by pixel on the grid of the scene, window by window, so a scene of any size is measured
in little memory. Areas are those of the pixels on the ellipsoid. What was not looked at counts neither way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from geo.measure import WGS84 as ELLIPSOID
from geo.measure import area_m2
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.mask import Mask

Looked = Callable[[Window], Mask]

# Two outlines are the same thing when they share more than half of what they cover (panoptic quality).
_SAME = 0.5
# What was looked at for less than half of it is left out.
_SEEN = 0.5
_EDGE_STEP_PX = 64
_MOST_HALO_PX = 256


@dataclass(frozen=True)
class Field:
    """The ground of a scene: its grid, and which pixels of a window (inside the grid) were looked at."""

    grid: Grid
    looked: Looked


@dataclass
class Cover:
    """Square metres of one kind: in both, found alone, true alone, true where nobody looked.

    And border pixels: all, and those near the other's border.
    """

    both_m2: float = 0.0
    found_m2: float = 0.0
    true_m2: float = 0.0
    true_unlooked_m2: float = 0.0
    found_border: int = 0
    found_near: int = 0
    true_border: int = 0
    true_near: int = 0

    @property
    def iou(self) -> float | None:
        """Pixel IoU; None where there is neither."""
        return _share(self.both_m2, self.both_m2 + self.found_m2 + self.true_m2)

    @property
    def precision(self) -> float | None:
        """Which share of what was found is true."""
        return _share(self.both_m2, self.both_m2 + self.found_m2)

    @property
    def recall(self) -> float | None:
        """Which share of what is true was found."""
        return _share(self.both_m2, self.both_m2 + self.true_m2)

    @property
    def boundary_f1(self) -> float | None:
        """The harmonic mean of the shares of both borders that lie near the other one."""
        if not self.found_border + self.true_border:
            return None
        precision = self.found_near / max(self.found_border, 1)
        recall = self.true_near / max(self.true_border, 1)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True)
class Panoptic:
    """Things of one kind: how well matched ones agree (sq), how many match (rq), and both together (pq = sq * rq)."""

    matched: int
    invented: int
    missed: int
    sq: float

    @property
    def rq(self) -> float | None:
        """Matches over the mean number of things; None where there is none on either side."""
        return _share(self.matched, self.matched + (self.invented + self.missed) / 2)

    @property
    def pq(self) -> float | None:
        """Panoptic quality; None where there is no thing on either side."""
        return None if self.rq is None else self.sq * self.rq


@dataclass
class Tally:
    """What walking over a scene counts; things are numbered as they were given."""

    covers: dict[str, Cover] = field(default_factory=lambda: defaultdict(Cover))
    looked_m2: float = 0.0
    unlooked_m2: float = 0.0
    area_m2: tuple[dict[int, float], dict[int, float]] = field(default_factory=lambda: (_zeros(), _zeros()))
    unseen_m2: tuple[dict[int, float], dict[int, float]] = field(default_factory=lambda: (_zeros(), _zeros()))
    shared_m2: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))

    def seen(self, side: int, number: int) -> bool:
        """Whether at least half of a thing (0: found, 1: true) was looked at; what no pixel shows was not."""
        seen_m2, unseen_m2 = self.area_m2[side][number], self.unseen_m2[side][number]
        return seen_m2 > 0 and seen_m2 >= _SEEN * (seen_m2 + unseen_m2)

    def iou(self, found: int, true: int) -> float:
        """Intersection over union of a found and a true thing, on the ground that was looked at."""
        shared = self.shared_m2.get((found, true), 0.0)
        union = self.area_m2[0][found] + self.area_m2[1][true] - shared
        return shared / union if union > 0 else 0.0


def _zeros() -> dict[int, float]:
    return defaultdict(float)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


Thing = tuple[str, BaseGeometry]


def count(ground: Field, found: Sequence[Thing], true: Sequence[Thing], *, tolerance_m: float) -> Tally:
    """Walk over a scene once; things are (kind, shape in EPSG:4326), borders within `tolerance_m` are near."""
    walker = _Walker(ground, (found, true), tolerance_m)
    for window in _windows(ground.grid):
        walker.visit(window)
    return walker.tally


def panoptic(tally: Tally, found: Sequence[str], true: Sequence[str]) -> dict[str, Panoptic]:
    """Panoptic quality by kind; `found` and `true` are the kinds of the things that were counted."""
    quality = {}
    for kind in sorted({*found, *true}):
        mine = [n for n, one in enumerate(found) if one == kind and tally.seen(0, n)]
        its = [n for n, one in enumerate(true) if one == kind and tally.seen(1, n)]
        matches = _matches(tally, mine, its)
        sq = sum(matches) / len(matches) if matches else 0.0
        quality[kind] = Panoptic(len(matches), len(mine) - len(matches), len(its) - len(matches), sq)
    return quality


def _matches(tally: Tally, mine: Sequence[int], its: Sequence[int]) -> list[float]:
    """The overlaps of pairs that are the same thing; each thing is in one pair, the best pairs first."""
    left, right = set(mine), set(its)
    pairs = sorted(((tally.iou(a, b), a, b) for a, b in tally.shared_m2 if a in left and b in right), reverse=True)
    matches = []
    for iou, a, b in pairs:
        if iou > _SAME and a in left and b in right:
            left.remove(a)
            right.remove(b)
            matches.append(iou)
    return matches


def pixel_areas_m2(grid: Grid, window: Window) -> NDArray[np.float64]:
    """The area of a pixel on the ellipsoid for each row of a window (rows x 1)."""
    crs = CRS.from_wkt(grid.crs_wkt)
    # Between degrees, rows differ; in a metric grid one value serves the whole window.
    rows = range(window.height) if crs.is_geographic else (0,)
    deep = 1 if crs.is_geographic else window.height
    areas = []
    for row in rows:
        box = shapely.box(0, row, window.width, row + deep).segmentize(_EDGE_STEP_PX)
        a, b, c, d, e, f = tuple(grid.transform @ Affine.translation(window.col_off, window.row_off))[:6]
        placed = moved(shapely.affinity.affine_transform(box, [a, b, d, e, c, f]), crs, WGS84)
        areas.append(area_m2(placed) / (window.width * deep))
    whole: NDArray[np.float64] = np.broadcast_to(np.array(areas)[:, None], (window.height, 1))
    return whole


def pixel_size_m(grid: Grid) -> tuple[float, float]:
    """How far apart rows and columns are on the ground at the middle of a grid."""
    crs, (x, y) = CRS.from_wkt(grid.crs_wkt), (grid.width / 2, grid.height / 2)
    corners = [grid.transform @ place for place in ((x, y), (x, y + 1), (x + 1, y))]
    (lon, lat), down, across = shapely.get_coordinates(moved(shapely.MultiPoint(corners), crs, WGS84))
    return tuple(float(ELLIPSOID.inv(lon, lat, *end)[2]) for end in (down, across))  # type: ignore[return-value]


def _windows(grid: Grid) -> Iterator[Window]:
    for row in range(0, grid.height, BLOCK):
        for column in range(0, grid.width, BLOCK):
            yield Window(column, row, min(BLOCK, grid.width - column), min(BLOCK, grid.height - row))


class _Walker:
    """Counts window by window."""

    def __init__(self, ground: Field, sides: tuple[Sequence[Thing], Sequence[Thing]], tolerance_m: float) -> None:
        crs = CRS.from_wkt(ground.grid.crs_wkt)
        self.tally = Tally()
        self._ground = ground
        self._kinds = [[kind for kind, _ in things] for things in sides]
        self._shapes = [[moved(shape, WGS84, crs) for _, shape in things] for things in sides]
        self._trees = [shapely.STRtree(shapes) for shapes in self._shapes]
        self._size_m = pixel_size_m(ground.grid)
        self._tolerance_m = max(tolerance_m, 0.0)
        self._halo = min(math.ceil(self._tolerance_m / min(self._size_m)) + 1, _MOST_HALO_PX)

    def visit(self, window: Window) -> None:
        """Count what one window shows."""
        wide = self._grown(window)
        inner = (
            slice(window.row_off - wide.row_off, window.row_off - wide.row_off + window.height),
            slice(window.col_off - wide.col_off, window.col_off - wide.col_off + window.width),
        )
        looked = self._ground.looked(wide)
        area = np.broadcast_to(pixel_areas_m2(self._ground.grid, window), (window.height, window.width))
        seen = looked[inner]
        self.tally.looked_m2 += float(area[seen].sum())
        self.tally.unlooked_m2 += float(area[~seen].sum())
        near = [self._near(side, wide) for side in (0, 1)]
        for kind in sorted({self._kinds[side][n] for side in (0, 1) for n in near[side]}):
            planes = [
                self._plane([n for n in near[side] if self._kinds[side][n] == kind], side, wide) for side in (0, 1)
            ]
            self._cover(kind, [plane[inner] for plane in planes], seen, area)
            self._borders(kind, planes, looked, inner)
        self._things(window, near, seen, area)

    def _of(self, kind: str, numbers: Sequence[int], side: int) -> list[int]:
        return [number for number in numbers if self._kinds[side][number] == kind]

    def _grown(self, window: Window) -> Window:
        grid = self._ground.grid
        rows = slice(max(window.row_off - self._halo, 0), min(window.row_off + window.height + self._halo, grid.height))
        columns = slice(
            max(window.col_off - self._halo, 0), min(window.col_off + window.width + self._halo, grid.width)
        )
        return Window.from_slices(rows, columns)

    def _near(self, side: int, window: Window) -> list[int]:
        place = self._ground.grid.transform
        corners = [(0, 0), (window.width, 0), (window.width, window.height), (0, window.height)]
        outline = shapely.Polygon([place @ (window.col_off + x, window.row_off + y) for x, y in corners])
        return sorted(int(n) for n in self._trees[side].query(outline))

    def _plane(self, numbers: Sequence[int], side: int, window: Window) -> Mask:
        shape = (int(window.height), int(window.width))
        shapes = [self._shapes[side][n] for n in numbers]
        if not shapes:
            return np.zeros(shape, np.bool_)
        place = self._ground.grid.transform @ Affine.translation(window.col_off, window.row_off)
        drawn: Mask = rasterize(shapes, out_shape=shape, transform=place, dtype="uint8") > 0
        return drawn

    def _cover(self, kind: str, planes: Sequence[Mask], seen: Mask, area: NDArray[np.float64]) -> None:
        found, true = planes
        cover = self.tally.covers[kind]
        cover.both_m2 += float(area[found & true & seen].sum())
        cover.found_m2 += float(area[found & ~true & seen].sum())
        cover.true_m2 += float(area[true & ~found & seen].sum())
        cover.true_unlooked_m2 += float(area[true & ~seen].sum())

    def _borders(self, kind: str, planes: Sequence[Mask], looked: Mask, inner: tuple[slice, slice]) -> None:
        found, true = (_border(plane, looked) for plane in planes)
        cover = self.tally.covers[kind]
        cover.found_border += int(found[inner].sum())
        cover.true_border += int(true[inner].sum())
        cover.found_near += self._count_near(found, true, inner)
        cover.true_near += self._count_near(true, found, inner)

    def _count_near(self, one: Mask, other: Mask, inner: tuple[slice, slice]) -> int:
        if not other.any() or not one[inner].any():
            return 0
        away_m = ndimage.distance_transform_edt(~other, sampling=self._size_m)
        return int((one & (away_m <= self._tolerance_m + 1e-6))[inner].sum())

    def _things(self, window: Window, near: Sequence[Sequence[int]], seen: Mask, area: NDArray[np.float64]) -> None:
        planes: tuple[dict[int, Mask], dict[int, Mask]] = ({}, {})
        for side in (0, 1):
            for number in near[side]:
                plane = self._plane([number], side, window)
                if plane.any():
                    planes[side][number] = plane & seen
                    self.tally.area_m2[side][number] += float(area[plane & seen].sum())
                    self.tally.unseen_m2[side][number] += float(area[plane & ~seen].sum())
        for a, mine in planes[0].items():
            for b, its in planes[1].items():
                if self._kinds[0][a] == self._kinds[1][b] and shapely.intersects(
                    self._shapes[0][a], self._shapes[1][b]
                ):
                    shared = float(area[mine & its].sum())
                    if shared > 0:
                        self.tally.shared_m2[a, b] += shared


def _border(plane: Mask, looked: Mask) -> Mask:
    """The pixels of a plane beside pixels that were looked at and are not of it."""
    beside = np.zeros_like(plane)
    other = ~plane & looked
    beside[1:] |= other[:-1]
    beside[:-1] |= other[1:]
    beside[:, 1:] |= other[:, :-1]
    beside[:, :-1] |= other[:, 1:]
    return plane & looked & beside
