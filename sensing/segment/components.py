"""Connected parts of a plane of bits, found while the plane streams by: four-connected, no seams, bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing.segment.kernels import compiled

Ints = NDArray[np.int64]
# Columns of the table of parts: where it lies, its pixels, how many of them are sure, and its first pixel.
_TOP, _LEFT, _BOTTOM, _RIGHT, _COUNT, _SURE, _SEED_ROW, _SEED_COLUMN = range(8)
_FACTS = 8


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


@dataclass
class Sweeper:
    """Takes a plane in stripes of rows from the top, and tells the large enough parts that ended in each.

    A part must have `fewest_px` pixels, and `fewest_sure_px` of them sure ones.
    """

    bit: int
    fewest_px: float
    fewest_sure_px: float

    def __post_init__(self) -> None:
        self._row = 0
        self._runs: Ints = np.zeros((0, 3), np.int64)
        self._open: Ints = np.zeros((0, _FACTS), np.int64)

    def take(self, labels: NDArray[np.uint8], sure: NDArray[np.uint8]) -> list[Part]:
        """The parts that ended within the next rows of the plane."""
        ended, self._runs, self._open = _sweep(labels, sure, self.bit, self._row, self._runs, self._open)
        self._row += labels.shape[0]
        return self._large(ended)

    def end(self) -> list[Part]:
        """The parts that reach the last row."""
        left, self._open = self._open, self._open[:0]
        return self._large(left)

    def _large(self, table: Ints) -> list[Part]:
        kept = (table[:, _COUNT] >= self.fewest_px) & (table[:, _SURE] >= self.fewest_sure_px)
        return [Part(a, b, c, d, n, sure, (row, column)) for a, b, c, d, n, sure, row, column in table[kept].tolist()]


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
    labels: NDArray[np.uint8], sure: NDArray[np.uint8], bit: int, first_row: int, runs: Ints, open_parts: Ints
) -> tuple[Ints, Ints, Ints]:
    """The table of parts that ended, the runs of the last row (start, end, part), and the table of their parts."""
    rows, width = labels.shape
    table = np.empty((max(1024, 2 * open_parts.shape[0]), _FACTS), np.int64)
    table[: open_parts.shape[0]] = open_parts
    known = np.empty((table.shape[0], 1), np.int64)
    known[:, 0] = np.arange(table.shape[0])
    count = open_parts.shape[0]
    above, here = np.empty((width // 2 + 1, 3), np.int64), np.empty((width // 2 + 1, 3), np.int64)
    above[: runs.shape[0]] = runs
    above_count = runs.shape[0]
    found = np.empty((width // 2 + 1, 3), np.int64)
    for row in range(rows):
        y, left_over = first_row + row, 0
        here_count = _runs_of(labels[row], sure[row], bit, found)
        if count + here_count > table.shape[0]:
            table, known = _doubled(table, here_count), _doubled(known, here_count)
        parent = known[:, 0]
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
    return _settled(table[:count], known[:count, 0], above[:above_count])


@compiled
def _settled(table: Ints, parent: Ints, runs: Ints) -> tuple[Ints, Ints, Ints]:
    number = np.full(table.shape[0], -1, np.int64)
    still = 0
    for run in range(runs.shape[0]):
        root = _root(parent, runs[run, 2])
        if number[root] < 0:
            number[root] = still
            still += 1
        runs[run, 2] = number[root]
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
    return ended[:gone], runs.copy(), left
