"""Touches the disk: shapefiles and GeoPackages, read by GDAL's own drivers for them and no other."""

from __future__ import annotations

import codecs
import re
import shutil
import sqlite3
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.intake.archive import NEEDED, Shapefile, staged
from geo.intake.table import Row, Table, Value, plain, read_name
from schemas.limits import limit
from schemas.refusals import Refusal, invalid, refuse, too_large

SHAPEFILE, GEOPACKAGE = "ESRI Shapefile", "GPKG"
SHP_MAGIC = b"\x00\x00\x27\x0a"
SQLITE_MAGIC = b"SQLite format 3\x00"
GPKG_IDS = (b"GPKG", b"GP10", b"GP11")
_GPKG_ID_AT = 68

# The language driver byte of a DBF that says code page 936 (simplified Chinese).
_DBF_LANGUAGE_AT = 29
_DBF_CHINESE = (0x4D, 0x7A)

# A DBF keeps so many bytes of a column's name, whatever characters they cut.
DBF_NAME_BYTES = 10
# In this code page every byte is a character, so GDAL hands over the bytes of a DBF as they stand.
_EVERY_BYTE = "ISO-8859-1"
_HEADER_BYTES, _INDEX_ENTRY_BYTES = 100, 8

Text = Callable[[str], str]


def read_shapefile(path: Path, wanted: str | None, encoding: str | None) -> Table:
    """A shapefile, loose or zipped; its text is read by the code page that is given or that it declares.

    A cell that is not in that code page refuses its row; a column's name that is not refuses the file.
    """
    with staged(path, wanted) as found:
        _refuse_torn(found.path)
        used = encoding_of(found, encoding)
        names = (found.projection, path.name)
        return _read(found.path, SHAPEFILE, None, used, names)


def _refuse_torn(shp: Path) -> None:
    """Raise RuleViolation where the parts of a shapefile are cut off or do not belong together."""
    shapes, index, table = (shp.with_suffix(part) for part in NEEDED)
    with shapes.open("rb") as shapes_file, table.open("rb") as table_file:
        head, table_head = shapes_file.read(_HEADER_BYTES), table_file.read(_DBF_LANGUAGE_AT)
    if head[:4] != SHP_MAGIC or len(head) < _HEADER_BYTES or len(table_head) < _DBF_LANGUAGE_AT:
        raise invalid("layer.format", "layer.corrupt")
    (length_words,) = struct.unpack(">I", head[24:28])
    (records,) = struct.unpack("<I", table_head[4:8])
    indexed, rest = divmod(index.stat().st_size - _HEADER_BYTES, _INDEX_ENTRY_BYTES)
    if 2 * length_words > shapes.stat().st_size or rest or indexed != records:
        raise invalid("layer.format", "layer.torn")


def encoding_of(found: Shapefile, wanted: str | None) -> str:
    """The Python name of a shapefile's text encoding.

    What is wanted comes first, then the `.cpg`, then the language byte of the `.dbf`. Without any of them only
    plain ASCII is certain; anything else is refused rather than guessed.
    """
    if wanted or found.code_page:
        return known_encoding(wanted or found.code_page)
    table = found.path.with_suffix(".dbf").read_bytes()
    if len(table) > _DBF_LANGUAGE_AT and table[_DBF_LANGUAGE_AT] in _DBF_CHINESE:
        return "gb18030"
    if not (table[:4] + table[32:]).isascii():
        raise invalid("layer.encoding", "layer.encoding_missing")
    return "ascii"


def known_encoding(name: str) -> str:
    """The Python codec for a code page by any usual name; GBK and GB2312 are read as their superset GB18030."""
    text = name.strip().lower()
    number = re.fullmatch(r"(?:ansi|oem|cp|ms|windows)?[\s_-]*(\d{3,5})", text)
    text = {"65001": "utf-8", "936": "gb18030", "54936": "gb18030"}.get(number[1], f"cp{number[1]}") if number else text
    try:
        codec = codecs.lookup(text)
    except (LookupError, ValueError) as error:
        raise invalid("layer.encoding", "layer.encoding_unknown", measured=name[:40]) from error
    if codec.name in ("gbk", "gb2312"):
        return "gb18030"
    if not getattr(codec, "_is_text_encoding", True):
        raise invalid("layer.encoding", "layer.encoding_unknown", measured=name[:40])
    return codec.name


def read_geopackage(path: Path, wanted: str | None) -> Table:
    """A feature table of a GeoPackage; its text is always UTF-8."""
    with path.open("rb") as file:
        head = file.read(_GPKG_ID_AT + 4)
    if head[_GPKG_ID_AT:] not in (*GPKG_IDS, b"\x00\x00\x00\x00"):
        raise invalid("layer.format", "layer.corrupt")
    name = _feature_table(path, wanted)
    with TemporaryDirectory(prefix="skywarden-layer-") as folder:
        alone = Path(folder) / "layer.gpkg"  # GDAL reads whatever lies beside a file
        shutil.copyfile(path, alone)
        return _read(alone, GEOPACKAGE, name, "utf-8", (name, path.name))


def _feature_table(path: Path, wanted: str | None) -> str:
    """The one feature table that is wanted; views are left aside, because they run what somebody wrote."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute(
                "SELECT c.table_name FROM gpkg_contents c JOIN sqlite_master m ON m.name = c.table_name"
                " WHERE c.data_type = 'features' AND m.type = 'table' ORDER BY c.table_name LIMIT 100"
            ).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # what is wrong may not even be text
        raise invalid("layer.format", "layer.corrupt") from error
    names = [str(row[0]) for row in rows if wanted in (None, row[0])]
    if not names and wanted is None:
        raise invalid("layer.format", "layer.no_features")
    if len(names) != 1:
        shown = ", ".join(names)[:300] or "—"
        raise invalid("layer.choose", "layer.choose", measured=len(names), required=shown)
    return names[0]


def _read(path: Path, driver: str, layer: str | None, encoding: str, names: tuple[str, ...]) -> Table:
    """The table at a staged path; the text of a DBF comes as bytes and is read here."""
    # Loaded with the first file: it brings pandas and pyarrow, and no page of the public needs them.
    import pyogrio.raw
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    raw = driver == SHAPEFILE
    code_page = _EVERY_BYTE if raw else encoding
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            info = pyogrio.read_info(path, layer=layer, encoding=code_page, force_feature_count=True)
            _refuse_driver_and_size(info, driver)
            meta, _, shapes, cells = pyogrio.raw.read(path, layer=layer, encoding=code_page, datetime_as_string=True)
        except (
            *(DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError),
            UnicodeDecodeError,
        ) as error:
            raise invalid("layer.format", "layer.corrupt") from error
    columns = tuple(str(name) for name in meta["fields"])
    if raw:
        columns = _names(columns, encoding)
    text: Text = (lambda cell: cell.encode(_EVERY_BYTE).decode(encoding)) if raw else str
    return Table(
        format=driver,
        columns=columns,
        rows=list(_rows(columns, shapes, cells, text)),
        crs=meta["crs"],
        encoding=encoding,
        names=(*names, *columns),
        notes=tuple(refuse("layer.driver", "layer.driver", measured=str(one.message)[:200]) for one in caught),
        name_bytes=DBF_NAME_BYTES if raw else None,
    )


def _refuse_driver_and_size(info: dict[str, Any], driver: str) -> None:
    if info["driver"] != driver:
        raise invalid("layer.format", "layer.corrupt")
    if info["features"] > limit("layer.rows"):
        raise too_large("layer.rows", measured=info["features"], required=limit("layer.rows"))


def _names(written: tuple[str, ...], encoding: str) -> tuple[str, ...]:
    """The names of the columns of a DBF."""
    try:
        names = tuple(read_name(name.encode(_EVERY_BYTE), encoding) for name in written)
    except UnicodeDecodeError as error:
        raise invalid("layer.encoding", "layer.encoding_wrong", measured=encoding) from error
    if len(set(names)) != len(names):
        raise invalid("layer.format", "layer.header_twice")
    return names


def _rows(columns: tuple[str, ...], shapes: Any, cells: list[Any], text: Text) -> Iterator[Row]:  # noqa: ANN401
    count = len(cells[0]) if cells else 0 if shapes is None else len(shapes)
    for index in range(count):
        values: dict[str, Value] = {}
        refusals: list[Refusal] = []
        for column, written in zip(columns, cells, strict=True):
            cell = written[index]
            try:
                values[column] = plain(text(cell) if isinstance(cell, str) else cell)
            except UnicodeDecodeError as error:
                refusals.append(refuse("layer.encoding", "layer.encoding_cell", field=column, measured=error.encoding))
        geom, reason = _shape(None if shapes is None else shapes[index])
        if reason:
            refusals.append(refuse(*reason, path=f"#{index + 1}"))
        yield Row(index + 1, values, geom, tuple(refusals))


def _shape(written: bytes | None) -> tuple[BaseGeometry | None, tuple[str, str] | None]:
    """The shape that the driver hands over, or the rule and the text of its refusal."""
    if written is None:
        return None, ("geometry.empty", "geometry.empty")
    with np.errstate(invalid="ignore"):  # what is not a number is refused with its row, not told on the console
        geom = shapely.from_wkb(written, on_invalid="ignore")
    return geom, None if geom is not None else ("geometry.invalid", "layer.geometry_unreadable")
