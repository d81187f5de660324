"""What whoever imports says beside the file, and what is told of every row of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.refusals import Refusal

IMPORTED, REFUSED, GOOD = "imported", "refused", "good"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What whoever imports says beside the file.

    `crs` is a code such as EPSG:4547 for a file that declares none, `encoding` the code page of its text,
    `source_layer` the one of several layers in a file; `authority` and `item` are codes that hold for all
    devices of a file. `partly` takes the good rows of a file that has bad ones too; else it is all rows or none.
    """

    layer: str
    crs: str | None = None
    encoding: str | None = None
    source_layer: str | None = None
    authority: str | None = None
    item: str | None = None
    partly: bool = False


@dataclass(frozen=True)
class RowOutcome:
    """What became of one row of the file, counted from 1.

    `merged` says that it is a device of another row, or of the register; `notes` are told though the row is taken.
    """

    number: int
    refusals: tuple[Refusal, ...] = ()
    public_ids: tuple[str, ...] = ()
    notes: tuple[Refusal, ...] = ()
    merged: bool = False
    merged_into: str | None = None

    @property
    def outcome(self) -> str:
        """`imported` or `refused`; `good` is a row that nothing stands against, and of which nothing was written."""
        if self.refusals:
            return REFUSED
        return IMPORTED if self.public_ids else GOOD

    def unwritten(self) -> RowOutcome:
        """The same row of an import of which nothing stays."""
        return replace(self, public_ids=(), merged_into=None)

    def render(self, lang: str = "en") -> dict[str, Any]:
        """The row as a JSON object."""
        body: dict[str, Any] = {"row": self.number, "outcome": self.outcome}
        if self.refusals:
            return body | {"refusals": [refusal.render(lang) for refusal in self.refusals]}
        if self.merged:
            body |= {"merged_into": self.merged_into, "notes": [note.render(lang) for note in self.notes]}
        return body | {"ids": list(self.public_ids)}


@dataclass(frozen=True)
class Report:
    """An import as told to whoever made it; `batch` is None where nothing was written.

    `left_aside` are the columns that nothing was read from. Where the same file was imported before without some of its
    rows, `before` is that batch, and `rows` are those that were left out.
    """

    layer: str
    file_name: str
    sha256: str
    format: str
    crs: str
    accuracy_m: float | None
    encoding: str
    columns: Mapping[str, str]
    rows: tuple[RowOutcome, ...]
    batch: str | None
    notes: tuple[Refusal, ...] = ()
    left_aside: tuple[str, ...] = ()
    before: str | None = None

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(bool(row.refusals) for row in self.rows)

    @property
    def imported(self) -> int:
        """How many rows were written."""
        return len(self.rows) - self.refused if self.batch else 0

    @property
    def merged(self) -> int:
        """How many of the rows that were written are further users of a device that was there before them."""
        return sum(row.merged for row in self.rows) if self.batch else 0

    def render(self, lang: str = "en") -> dict[str, Any]:
        """The whole report as a JSON object."""
        return {
            "ok": self.batch is not None,
            "batch": self.batch,
            "before": self.before,
            "layer": self.layer,
            "file": self.file_name,
            "sha256": self.sha256,
            "format": self.format,
            "crs": self.crs,
            "transformation_accuracy_m": self.accuracy_m,
            "encoding": self.encoding,
            "columns": dict(self.columns),
            "columns_left_aside": list(self.left_aside),
            "imported": self.imported,
            "merged": self.merged,
            "refused": self.refused,
            "notes": [note.render(lang) for note in self.notes],
            "rows": [row.render(lang) for row in self.rows],
        }
