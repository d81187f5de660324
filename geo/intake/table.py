"""A layer file as rows: what every reader makes, whatever the format was."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from schemas.refusals import Refusal

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Row:
    """One feature of the file, counted from 1.

    `geom` is in the file's own coordinate system; where it could not be read, `refusals` say why.
    """

    number: int
    values: Mapping[str, Value]
    geom: BaseGeometry | None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Table:
    """A whole file: its columns, its rows, the coordinate system it declares and how its text was read.

    `crs` is an authority code such as `EPSG:4490`, a WKT, or None where the file declares none. `names` are
    all names in which a hidden offset may be confessed. `name_bytes` is how much of a column's name the format
    keeps, None where it keeps all. `notes` are what whoever brings the file should know, though nothing is refused.
    """

    format: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    crs: str | None
    encoding: str
    names: tuple[str, ...] = ()
    notes: tuple[Refusal, ...] = ()
    name_bytes: int | None = None

    def kept(self, name: str) -> str:
        """The name of a column as this format would keep it."""
        if self.name_bytes is None:
            return name
        return read_name(name.encode(self.encoding, "ignore")[: self.name_bytes], self.encoding)


def read_name(written: bytes, encoding: str) -> str:
    """The name of a column whose last character may have been cut in two; what is left of it stands as `~e8`.

    Raises UnicodeDecodeError for bytes that are not of that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    text = decoder.decode(written)
    rest, _ = decoder.getstate()
    return f"{text}~{rest.hex()}" if rest else text


def plain(value: Any) -> Value:  # noqa: ANN401
    """A cell as a plain value: numpy scalars become Python's, blanks and NaN become None."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, int | float | bool) else str(value)
