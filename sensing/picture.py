"""Touches the disk: a masked scene as the engines see it, in windows, at its analysis resolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sensing.bands import Role
from sensing.georeference import ground_resolution_m
from sensing.grid import BLOCK, Grid
from sensing.kernels import scale
from sensing.mask import Mask

Ints = NDArray[np.int32]
T = TypeVar("T", bound=np.generic)

# Reflectance is carried in whole ten-thousandths: sums of whole numbers are exact, so a window's size
# cannot change a result (facts of the engine: labels are the same for any tile).
UNIT = 10_000
# Finer than this, objects of tens of metres gain nothing and cost four times as much with each halving.
_FINEST_M = 0.4
_THUMB_PX = 512
_SAMPLE_PX = 250_000
# So many columns of a row of blocks are read at a time.
_STRIPE_PX = 8192
# Where only every twelfth row has a pixel in the sample, one block of nine has pixels enough.
_LARGE_STEP, _ONE_OF = 12, 9
# Up to which number the brightest hundredth reaches, and which number then means a reflectance of one:
# 8 bits in a wider type, 11-bit sensors, ten-thousandths as satellites deliver them; shares and per cents.
_SHOWN_SCALE = 255.0
_INTEGER_SCALES = ((256, _SHOWN_SCALE), (2048, 2047.0), (20_000, 10_000.0), (65_536, 65_535.0))
_FLOAT_SCALES = ((2, 1.0), (200, 100.0), (20_000, 10_000.0))


@dataclass(frozen=True)
class Tile:
    """A window of a scene: whole ten-thousandths of reflectance by band role, and which pixels count."""

    window: Window
    bands: dict[Role, Ints]
    valid: Mask
    _known: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)

    def once(self, name: str, make: Callable[[], NDArray[T]]) -> NDArray[T]:
        """A plane that is computed from the bands when somebody first asks for it, and then kept."""
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    def __getitem__(self, role: Role) -> Ints:
        """One band."""
        return self.bands[role]


@dataclass(frozen=True)
class Picture:
    """An open masked scene. Windows, sizes and `grid` are those of its analysis resolution."""

    path: Path
    dataset: DatasetReader
    roles: tuple[Role, ...]
    grid: Grid
    gsd_m: float
    full_scale: float

    def dump(self) -> dict[str, Any]:
        """What `open_again` needs, as plain JSON."""
        return {"path": str(self.path), "roles": [role.value for role in self.roles], "full_scale": self.full_scale}

    @property
    def colour_known(self) -> bool:
        """Whether red, green and blue are among the bands."""
        return {Role.RED, Role.GREEN, Role.BLUE} <= set(self.roles)

    @property
    def shown(self) -> bool:
        """Whether a camera brightened it for the eye; else it holds reflectances."""
        return self.full_scale == _SHOWN_SCALE

    def tile(self, window: Window, halo: int = 0) -> Tile:
        """One window with `halo` pixels around it; beyond the rim, pixels are void."""
        top, left = int(window.row_off) - halo, int(window.col_off) - halo
        height, width = int(window.height) + 2 * halo, int(window.width) + 2 * halo
        rows = slice(max(top, 0), min(top + height, self.grid.height))
        columns = slice(max(left, 0), min(left + width, self.grid.width))
        inner = Window.from_slices(rows, columns)
        place = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        valid = np.zeros((height, width), dtype=np.bool_)
        valid[place] = self.dataset.dataset_mask(window=inner) > 0
        known = [(index, role) for index, role in enumerate(self.roles, start=1) if role is not Role.OTHER]
        bands: dict[Role, Ints] = {role: np.zeros((height, width), dtype=np.int32) for _, role in known}
        if known:
            raw = self.dataset.read([index for index, _ in known], window=inner)
            for plane, values in zip(bands.values(), raw, strict=True):
                scale(values, UNIT / self.full_scale, 10 * UNIT, plane[place])
        return Tile(window, bands, valid)

    def sample(
        self,
        other: Picture | None = None,
        numbers: DatasetReader | None = None,
        span: tuple[int, int] | None = None,
    ) -> Sample:
        """Every n-th pixel that is valid, here and in a scene on the same grid: what statistics are made of.

        `numbers` is a raster on the grid whose first band is looked up; `span` keeps to some rows, from the first up
        to and without the second. Samples of spans, put together in order, are the sample of the whole.
        """
        first, end = span or (0, self.grid.height)
        mine, others = _Gathered(self.roles), _Gathered(other.roles if other else ())
        marks, spared = [np.zeros(0, np.uint8)], [np.zeros(0, np.bool_)]
        for window, at, is_spare in _windows(self.grid, (first, end), numbers):
            here, kept = self._picked(window, at)
            there, shown = other._picked(window, at) if other else ({}, kept)
            found = numbers.read(1, window=window)[at] if numbers else np.zeros(kept.shape, np.uint8)
            taken = kept & shown & (found > 0) if is_spare else kept & shown
            mine.add(here, taken)
            others.add(there, taken)
            marks.append(found[taken])
            spared.append(np.full(marks[-1].size, is_spare))
        return Sample(mine.tile(), others.tile() if other else None, np.concatenate(marks), np.concatenate(spared))

    def _picked(self, window: Window, at: tuple[slice, slice]) -> tuple[dict[Role, Ints], Mask]:
        """Some pixels of a window inside the scene: as `tile`, but only those are made numbers of."""
        known = [(index, role) for index, role in enumerate(self.roles, start=1) if role is not Role.OTHER]
        valid = (self.dataset.dataset_mask(window=window) > 0)[at]
        raw = self.dataset.read([index for index, _ in known], window=window) if known else ()
        bands: dict[Role, Ints] = {role: np.zeros(valid.shape, dtype=np.int32) for _, role in known}
        for plane, values in zip(bands.values(), raw, strict=True):
            scale(np.ascontiguousarray(values[at]), UNIT / self.full_scale, 10 * UNIT, plane)
        return bands, valid


At = tuple[slice, slice]


def _windows(grid: Grid, span: tuple[int, int], numbers: DatasetReader | None) -> Iterator[tuple[Window, At, bool]]:
    """Windows, which rows and columns of each are looked at, and whether only its features count.

    The same for any span of whole blocks. Of a large scene, which takes long to decode, one block of nine is looked at,
    in every row and every column of blocks, but every block for its features: a pond has only one place.
    """
    pixels = grid.width * grid.height
    step = max(1, math.isqrt(pixels // _SAMPLE_PX))
    if step < _LARGE_STEP:
        yield from ((window, at, False) for window, at in _stripes(grid, step, span))
        return
    step = math.isqrt(pixels // (_ONE_OF * _SAMPLE_PX))
    for window, at in _stripes(grid, step, span, BLOCK):
        is_spare = (int(window.col_off) + 2 * int(window.row_off)) // BLOCK % _ONE_OF != 0
        if not is_spare or (numbers is not None and numbers.read(1, window=window).any()):
            yield window, at, is_spare


def _stripes(grid: Grid, step: int, span: tuple[int, int], wide: int = _STRIPE_PX) -> Iterator[tuple[Window, At]]:
    """Windows of a row of blocks, and which rows and columns of each are looked at: the same ones for any span.

    A row of blocks is read at once, because each of its blocks is decoded as a whole for any of its rows.
    """
    first, end = span
    for top in range(first - first % BLOCK, end, BLOCK):
        rows = range(max(top, first), min(top + BLOCK, end))
        offset = (step // 2 - rows.start) % step
        for left in range(0, grid.width, wide) if offset < len(rows) else ():
            window = Window(left, rows.start, min(wide, grid.width - left), len(rows))
            yield window, (slice(offset, None, step), slice(-left % step, None, step))


class Sample(NamedTuple):
    """Pixels of a scene, the same ones of an earlier scene, and numbers of features there; in the same order.

    `spare` are those that tell of their feature and not of the scene, where there are more of them than is their share.
    """

    after: Tile
    before: Tile | None
    numbers: NDArray[np.uint8]
    spare: Mask


class _Gathered:
    """Pixels gathered window by window; rows without any have every band all the same."""

    def __init__(self, roles: Sequence[Role]) -> None:
        known = [role for role in roles if role is not Role.OTHER]
        self._parts: dict[Role, list[Ints]] = {role: [np.zeros(0, np.int32)] for role in known}

    def add(self, bands: Mapping[Role, Ints], kept: Mask) -> None:
        for role, plane in bands.items():
            self._parts[role].append(plane[kept])

    def tile(self) -> Tile:
        bands = {role: np.concatenate(parts) for role, parts in self._parts.items()}
        count = len(next(iter(bands.values()))) if bands else 0
        return Tile(Window(0, 0, count, 1), bands, np.ones(count, dtype=np.bool_))


def open_again(plain: Mapping[str, Any]) -> AbstractContextManager[Picture]:
    """A picture that was open before, perhaps in another process: what was found out about it is not asked again."""
    return open_picture(Path(plain["path"]), [Role(name) for name in plain["roles"]], full_scale=plain["full_scale"])


@contextmanager
def open_picture(path: Path, roles: Sequence[Role], *, full_scale: float | None = None) -> Iterator[Picture]:
    """Open a masked derivative at the coarsest of its resolutions that is still fine enough."""
    with rasterio.open(path, driver="GTiff", sharing=False) as full:
        grid = Grid(full.crs.to_wkt(), full.transform, full.width, full.height)
        gsd_m = ground_resolution_m(grid)
        fine = [n for n, factor in enumerate(full.overviews(1)) if gsd_m * factor <= _FINEST_M * 1.5]
    options: dict[str, Any] = {"overview_level": fine[-1]} if fine and gsd_m < _FINEST_M else {}
    with rasterio.open(path, driver="GTiff", sharing=False, **options) as dataset:
        grid = Grid(dataset.crs.to_wkt(), Affine(*dataset.transform[:6]), dataset.width, dataset.height)
        scale = full_scale or _full_scale(dataset, roles)
        yield Picture(path, dataset, tuple(roles), grid, ground_resolution_m(grid), scale)


def _full_scale(dataset: DatasetReader, roles: Sequence[Role]) -> float:
    """The raw number that means a reflectance of one, guessed from the type and from how bright the scene is."""
    if dataset.dtypes[0] == "uint8":
        return _SHOWN_SCALE
    height = max(1, min(dataset.height, _THUMB_PX))
    width = max(1, min(dataset.width, _THUMB_PX))
    known = [index for index, role in enumerate(roles, start=1) if role is not Role.OTHER] or [1]
    planes = dataset.read(known, out_shape=(len(known), height, width))
    valid = dataset.dataset_mask(out_shape=(height, width)) > 0
    if not valid.any():
        return 1.0
    bright = float(np.percentile(planes[:, valid], 99))
    usual = _INTEGER_SCALES if np.issubdtype(planes.dtype, np.integer) else _FLOAT_SCALES
    return next((full for most, full in usual if bright <= most), bright)
