"""Connected parts of planes of bits: four-connected, found stripe by stripe and stitched, so there are no seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing.kernels import compiled

Ints = NDArray[np.int64]
# Columns of the table of parts: where it lies, its pixels, how many of them are sure, and its first pixel.
_TOP, _LEFT, _BOTTOM, _RIGHT, _COUNT, _SURE, _SEED_ROW, _SEED_COLUMN = range(8)
_FACTS, _RUN = 8, 3


class Part(NamedTuple):
    """One connected part: rows and columns from `top`, `left` up to and without `bottom`, `right`.

    `seed` is its first pixel (row, column) in reading order, which no other part has.
    """

    top: int
    left: int
    bottom: int
    right: int
    pixels: int
    sure_px: int
    seed: tuple[int, int]


class Border(NamedTuple):
    """What a stripe of a plane leaves to its neighbours: runs of its first and its last row, and the parts they are of.

    A run is (start, end, part); `parts` are rows of the table of parts. `ended` are the large enough parts that touch
    neither row.
    """

    ended: Ints
    parts: Ints
    top: Ints
    bottom: Ints

    def dump(self) -> Ints:
        """As one row of numbers."""
        return np.concatenate([np.array([one.shape[0] for one in self]), *(one.reshape(-1) for one in self)])

    @classmethod
    def load(cls, flat: Ints) -> tuple[Border, Ints]:
        """From what begins with what `dump` gave, and what comes after it."""
        found, at = [], len(cls._fields)
        for count, columns in zip(flat[:at].tolist(), (_FACTS, _FACTS, _RUN, _RUN), strict=True):
            found.append(flat[at : at + count * columns].reshape(count, columns))
            at += count * columns
        return cls(*found), flat[at:]


def parts_of(table: Ints) -> list[Part]:
    """The rows of a table of parts."""
    return [Part(a, b, c, d, n, sure, (y, x)) for a, b, c, d, n, sure, y, x in table.tolist()]


@dataclass(frozen=True)
class Large:
    """How large a part must be: its pixels, and how many of them are sure."""

    fewest_px: float
    fewest_sure_px: float

    def among(self, table: Ints) -> Ints:
        """The rows of a table of parts that are large enough."""
        return table[(table[:, _COUNT] >= self.fewest_px) & (table[:, _SURE] >= self.fewest_sure_px)]


class Sweeper:
    """Takes a stripe of a plane, some rows at a time from its first row on, and finds the parts of one bit."""

    def __init__(self, bit: int, large: Large, first_row: int = 0) -> None:
        self._bit = bit
        self._large = large
        self._row = first_row
        self._taken = 0
        self._ended: list[Ints] = [np.zeros((0, _FACTS), np.int64)]
        self._parts = np.zeros((0, _FACTS), np.int64)
        self._top = self._runs = np.zeros((0, _RUN), np.int64)

    def take(self, labels: NDArray[np.uint8], sure: NDArray[np.uint8]) -> None:
        """The next rows."""
        rows = labels.shape[0]
        if not np.bitwise_or.reduce(labels, axis=None) & self._bit:
            # Rows without a pixel end what reached them, and one does so as well as all of them.
            labels, sure = labels[:1], sure[:1]
        state = self._top, self._runs, self._parts
        ended, self._top, self._runs, self._parts = _sweep(labels, sure, self._bit, self._row, self._taken == 0, state)
        self._ended.append(self._large.among(ended))
        self._taken += rows
        self._row += rows

    def border(self) -> Border:
        """What was found, and what is left to the neighbours."""
        return Border(np.concatenate(self._ended), self._parts, self._top, self._runs)


class Stitcher:
    """Puts the stripes of a plane together from top to bottom; gives the large enough parts in reading order."""

    def __init__(self, large: Large) -> None:
        self._large = large
        self._ended: list[Ints] = [np.zeros((0, _FACTS), np.int64)]
        self._parts, self._runs = np.zeros((0, _FACTS), np.int64), np.zeros((0, _RUN), np.int64)

    def take(self, border: Border) -> None:
        """The next stripe."""
        ended, self._runs, self._parts = _stitch(self._parts, self._runs, border.parts, border.top, border.bottom)
        self._ended += [border.ended, self._large.among(ended)]

    def skip(self) -> None:
        """A stripe of which nothing is known: no part goes on through it."""
        self._ended.append(self._large.among(self._parts))
        self._parts, self._runs = self._parts[:0], self._runs[:0]

    def end(self) -> list[Part]:
        """All parts, by their first pixels."""
        self.skip()
        table = np.concatenate(self._ended)
        order = np.lexsort((table[:, _SEED_COLUMN], table[:, _SEED_ROW]))
        return parts_of(table[order])


@compiled
def _root(parent: Ints, part: int) -> int:
    while parent[part] != part:
        parent[part] = parent[parent[part]]
        part = parent[part]
    return part


@compiled
def _join(parent: Ints, table: Ints, one: int, other: int) -> int:
    """Make two parts one; the smaller number stays, so that it does not matter who met whom first."""
    one, other = _root(parent, one), _root(parent, other)
    if one == other:
        return one
    if other < one:
        one, other = other, one
    parent[other] = one
    for column in (_TOP, _LEFT):
        table[one, column] = min(table[one, column], table[other, column])
    for column in (_BOTTOM, _RIGHT):
        table[one, column] = max(table[one, column], table[other, column])
    for column in (_COUNT, _SURE):
        table[one, column] += table[other, column]
    mine, theirs = table[one, _SEED_ROW], table[other, _SEED_ROW]
    if theirs < mine or (theirs == mine and table[other, _SEED_COLUMN] < table[one, _SEED_COLUMN]):
        table[one, _SEED_ROW], table[one, _SEED_COLUMN] = theirs, table[other, _SEED_COLUMN]
    return one


@compiled
def _begin(table: Ints, part: int, row: int, column: int) -> None:
    table[part, _TOP], table[part, _LEFT], table[part, _BOTTOM], table[part, _RIGHT] = row, column, row, column
    table[part, _COUNT], table[part, _SURE] = 0, 0
    table[part, _SEED_ROW], table[part, _SEED_COLUMN] = row, column


@compiled
def _runs_of(labels: NDArray[np.uint8], sure: NDArray[np.uint8], bit: int, found: Ints) -> int:
    """The runs of set pixels of one row: start, end, how many are sure; how many runs there are."""
    mark, count, column, width = np.uint8(bit), 0, 0, labels.size
    while column < width:
        if labels[column] & mark == 0:
            column += 1
            continue
        start, surely = column, 0
        while column < width and labels[column] & mark != 0:
            surely += sure[column] & mark != 0
            column += 1
        found[count, 0], found[count, 1], found[count, 2] = start, column, surely
        count += 1
    return count


@compiled
def _doubled(table: Ints, more: int) -> Ints:
    larger = np.empty((2 * table.shape[0] + more, table.shape[1]), np.int64)
    larger[: table.shape[0]] = table
    return larger


@compiled
def _sweep(
    labels: NDArray[np.uint8],
    sure: NDArray[np.uint8],
    bit: int,
    first_row: int,
    is_first: bool,
    state: tuple[Ints, Ints, Ints],
) -> tuple[Ints, Ints, Ints, Ints]:
    """The table of parts that ended; the runs of the first row and of the last one; the table of their parts."""
    top, runs, parts = state
    rows, width = labels.shape
    table = np.empty((max(1024, 2 * parts.shape[0]), _FACTS), np.int64)
    table[: parts.shape[0]] = parts
    parent = np.arange(table.shape[0])
    count = parts.shape[0]
    above, here = np.empty((width // 2 + 1, _RUN), np.int64), np.empty((width // 2 + 1, _RUN), np.int64)
    above[: runs.shape[0]] = runs
    above_count = runs.shape[0]
    found = np.empty((width // 2 + 1, _RUN), np.int64)
    for row in range(rows):
        y, left_over = first_row + row, 0
        here_count = _runs_of(labels[row], sure[row], bit, found)
        if count + here_count > table.shape[0]:
            table = _doubled(table, here_count)
            longer = np.empty(table.shape[0], np.int64)
            longer[: parent.size] = parent
            parent = longer
        for run in range(here_count):
            start, end, surely = found[run]
            while left_over < above_count and above[left_over, 1] <= start:
                left_over += 1
            part, touching = -1, left_over
            while touching < above_count and above[touching, 0] < end:
                other = above[touching, 2]
                part = _root(parent, other) if part < 0 else _join(parent, table, part, other)
                touching += 1
            if part < 0:
                part = count
                parent[part] = part
                _begin(table, part, y, start)
                count += 1
            table[part, _LEFT] = min(table[part, _LEFT], start)
            table[part, _BOTTOM] = y + 1
            table[part, _RIGHT] = max(table[part, _RIGHT], end)
            table[part, _COUNT] += end - start
            table[part, _SURE] += surely
            here[run, 0], here[run, 1], here[run, 2] = start, end, part
        above, here = here, above
        above_count = here_count
        if is_first and row == 0:
            top = above[:above_count].copy()
    return _settled(table[:count], parent[:count], top.copy(), above[:above_count].copy())


@compiled
def _stitch(parts: Ints, runs: Ints, below: Ints, top: Ints, bottom: Ints) -> tuple[Ints, Ints, Ints]:
    """Join the parts above a border with those below it where their runs touch."""
    table = np.concatenate((parts, below))
    parent = np.arange(table.shape[0])
    offset, left_over = parts.shape[0], 0
    for run in range(top.shape[0]):
        while left_over < runs.shape[0] and runs[left_over, 1] <= top[run, 0]:
            left_over += 1
        touching = left_over
        while touching < runs.shape[0] and runs[touching, 0] < top[run, 1]:
            _join(parent, table, runs[touching, 2], offset + top[run, 2])
            touching += 1
    moved = bottom.copy()
    moved[:, 2] += offset
    ended, _, last, left = _settled(table, parent, moved[:0], moved)
    return ended, last, left


@compiled
def _settled(table: Ints, parent: Ints, top: Ints, bottom: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Part the table into what ended and what has runs in the first or the last row, whose numbers then are new."""
    number = np.full(table.shape[0], -1, np.int64)
    still = _renumbered(parent, number, bottom, _renumbered(parent, number, top, 0))
    left = np.empty((still, _FACTS), np.int64)
    ended = np.empty((table.shape[0], _FACTS), np.int64)
    gone = 0
    for part in range(table.shape[0]):
        if parent[part] != part:
            continue
        if number[part] >= 0:
            left[number[part]] = table[part]
        else:
            ended[gone] = table[part]
            gone += 1
    return ended[:gone].copy(), top, bottom, left


@compiled
def _renumbered(parent: Ints, number: Ints, runs: Ints, still: int) -> int:
    for run in range(runs.shape[0]):
        root = _root(parent, runs[run, 2])
        if number[root] < 0:
            number[root] = still
            still += 1
        runs[run, 2] = number[root]
    return still
