"""Drafts from a file: every row read strictly and told by itself, as layers are; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from geo.intake.batch import Drafted
from geo.intake.columns import left_aside, match
from geo.intake.coordinates import placement, refuse_offset, refuse_offset_cells
from geo.intake.importer import read_table
from geo.intake.judging import placed_rows
from geo.intake.layers import Layer
from geo.intake.report import Options, RowOutcome
from schemas.limits import limit
from schemas.refusals import Refusal, invalid, too_large

T = TypeVar("T")
Make = Callable[[Drafted], T | None]
"""The draft that a row stands for; None where there are faults, all of which stand in its cells."""


@dataclass(frozen=True)
class Read(Generic[T]):
    """What a file says: the drafts of its good rows by their numbers, and what is wrong with every other one.

    `left_aside` are the columns that nothing was read from.
    """

    drafts: Mapping[int, T]
    rows: tuple[RowOutcome, ...]
    format: str
    crs: str
    encoding: str
    columns: Mapping[str, str]
    left_aside: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(bool(row.refusals) for row in self.rows)

    def with_outcomes(self, told: Mapping[int, tuple[tuple[Refusal, ...], tuple[str, ...]]]) -> Read[T]:
        """The same, with what became of some rows: their refusals and the public ids of what was made."""
        rows = (RowOutcome(row.number, *told[row.number]) if row.number in told else row for row in self.rows)
        return replace(self, rows=tuple(rows))


def read_drafts(path: Path, layer: Layer, options: Options, most: str, make: Make[T]) -> Read[T]:
    """The drafts in a file of the shapes and columns of `layer`, in EPSG:4326; `most` names the limit of its rows.

    Raises RuleViolation where the file as a whole cannot be taken.
    """
    table = read_table(path, layer, options)
    if not table.rows:
        raise invalid("layer.empty")
    if len(table.rows) > limit(most):
        raise too_large("layer.rows", measured=len(table.rows), required=limit(most))
    refuse_offset(table.names)
    refuse_offset_cells(table.columns, (row.values for row in table.rows))
    way = placement(table.crs, options.crs)
    columns = match(table.columns, layer.fields, table.kept)
    drafts, outcomes = {}, []
    for row in placed_rows(table.rows, layer.allow, columns, way):
        draft = make(row)
        outcomes.append(RowOutcome(row.number, tuple(row.cells.refusals)))
        if draft is not None:
            drafts[row.number] = draft
    told = (table.format, way.name, table.encoding, columns, left_aside(table, columns))
    return Read(drafts, tuple(outcomes), *told)
