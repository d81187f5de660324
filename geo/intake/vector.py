"""Touches the disk: shapefiles and GeoPackages, read by GDAL's own drivers for them and no other."""

from __future__ import annotations

import codecs
import re
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyogrio
import pyogrio.raw
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from geo.intake.archive import Shapefile, staged
from geo.intake.table import Row, Table, plain
from schemas.limits import limit
from schemas.refusals import Refusal, invalid, refuse, too_large

SHP_MAGIC = b"\x00\x00\x27\x0a"
SQLITE_MAGIC = b"SQLite format 3\x00"
GPKG_IDS = (b"GPKG", b"GP10", b"GP11")
_GPKG_ID_AT = 68

# The language driver byte of a DBF that says code page 936 (simplified Chinese).
_DBF_LANGUAGE_AT = 29
_DBF_CHINESE = (0x4D, 0x7A)

_ERRORS = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, UnicodeDecodeError)


def read_shapefile(path: Path, wanted: str | None, encoding: str | None) -> Table:
    """A shapefile, loose or zipped; its text is read by the code page that is given or that it declares."""
    with staged(path, wanted) as found:
        if found.path.read_bytes()[:4] != SHP_MAGIC:
            raise invalid("layer.format", "layer.corrupt")
        used = encoding_of(found, encoding)
        return _read(found.path, "ESRI Shapefile", None, used, (found.projection, path.name))


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
        return _read(alone, "GPKG", name, "utf-8", (name, path.name))


def _feature_table(path: Path, wanted: str | None) -> str:
    """The one feature table that is wanted; views are left aside, because they run what somebody wrote."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute(
                "SELECT c.table_name FROM gpkg_contents c JOIN sqlite_master m ON m.name = c.table_name"
                " WHERE c.data_type = 'features' AND m.type = 'table' ORDER BY c.table_name LIMIT 100"
            ).fetchall()
    except sqlite3.DatabaseError as error:
        raise invalid("layer.format", "layer.corrupt") from error
    names = [str(row[0]) for row in rows if wanted in (None, row[0])]
    if len(names) != 1:
        shown = ", ".join(names)[:300] or "—"
        raise invalid("layer.choose", "layer.choose", measured=len(names), required=shown)
    return names[0]


def _read(path: Path, driver: str, layer: str | None, encoding: str, names: tuple[str, ...]) -> Table:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            info = pyogrio.read_info(path, layer=layer, encoding=encoding, force_feature_count=True)
            _refuse_driver_and_size(info, driver)
            meta, _, shapes, cells = pyogrio.raw.read(path, layer=layer, encoding=encoding, datetime_as_string=True)
        except _ERRORS as error:
            raise invalid("layer.format", "layer.corrupt") from error
    columns = tuple(str(name) for name in meta["fields"])
    return Table(
        format=driver,
        columns=columns,
        rows=list(_rows(columns, shapes, cells)),
        crs=meta["crs"],
        encoding=encoding,
        names=(*names, *columns),
        notes=tuple(str(warning.message)[:200] for warning in caught),
    )


def _refuse_driver_and_size(info: dict[str, Any], driver: str) -> None:
    if info["driver"] != driver:
        raise invalid("layer.format", "layer.corrupt")
    if info["features"] > limit("layer.rows"):
        raise too_large("layer.rows", measured=info["features"], required=limit("layer.rows"))


def _rows(columns: tuple[str, ...], shapes: Any, cells: list[Any]) -> Iterator[Row]:  # noqa: ANN401
    count = len(cells[0]) if cells else 0 if shapes is None else len(shapes)
    for index in range(count):
        values = {column: plain(cells[at][index]) for at, column in enumerate(columns)}
        written = None if shapes is None else shapes[index]
        geom = None if written is None else shapely.from_wkb(written, on_invalid="ignore")
        refusals: tuple[Refusal, ...] = ()
        if geom is None:
            reason = "geometry.empty" if written is None else "layer.geometry_unreadable"
            rule = "geometry.empty" if written is None else "geometry.invalid"
            refusals = (refuse(rule, reason, path=f"row {index + 1}"),)
        yield Row(index + 1, values, geom, refusals)
