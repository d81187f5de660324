"""Touches the disk: ground truth that others made, in any usual format and coordinate system, read strictly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.features import shapes
from shapely.geometry import shape

from geo.intake.archive import sha256_of
from geo.intake.coordinates import placement, refuse_offset
from geo.intake.importer import refuse_shape
from geo.intake.table import Table, Value
from geo.intake.texts import geojson_table, read_json
from geo.intake.vector import SHP_MAGIC, SQLITE_MAGIC, read_geopackage, read_shapefile
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, too_large
from sensing.evaluate import Outline
from sensing.georeference import locate
from sensing.grid import WGS84, moved
from sensing.header import judge
from sensing.quarantine import quarantine

# What a name is mapped to when places of it must stay silent, or are to be left out.
SILENT, IGNORED, ANY = "none", "-", "*"
_FIELDS = ("kind", "class", "class_name", "classname", "label", "category", "type")
_EXPECT = "expect"
_POLYGONS = frozenset({"Polygon", "MultiPolygon"})
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_REFUSALS = 50


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How names of a third party are to be understood.

    `names` maps them to kinds of this house, to `none` (must stay silent) or to `-` (left out); `*` stands for every
    other name. `field` is the column that holds them, `layer` one of several layers, `crs` the coordinate system of a
    file that declares none, `encoding` the code page of its text.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    field: str | None = None
    layer: str | None = None
    crs: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Truth:
    """What must be found, what must stay silent, and how many shapes were left out as was asked."""

    name: str
    sha256: str
    wanted: tuple[Outline, ...]
    silent: tuple[Outline, ...]
    ignored: int = 0


def read_truth_file(path: Path, rooms: Path, kinds: Collection[str], reading: Reading | None = None) -> Truth:
    """Ground truth from a GeoPackage, Shapefile, GeoJSON or GeoTIFF of classes.

    `rooms` is where a raster is quarantined, `kinds` are the kinds that are known here. Raises RuleViolation with every
    row that is unsound, and for names that are neither kinds nor mapped.
    """
    reading = reading or Reading()
    sha256 = sha256_of(path)
    with path.open("rb") as file:
        head = file.read(len(SQLITE_MAGIC))
    read = _raster(path, rooms) if head[:4] in _TIFF_MAGIC else _rows(_table(path, head, reading), reading)
    return _sorted(path.name, sha256, list(read), (kinds, reading.names))


Named = tuple[str, Outline, bool]


def _sorted(name: str, sha256: str, named: Sequence[Named], known: tuple[Collection[str], Mapping[str, str]]) -> Truth:
    """The shapes by what their names mean; the third of a triple says that the file itself wants it silent."""
    kinds, names = known
    wanted: list[Outline] = []
    silent: list[Outline] = []
    unknown: Counter[str] = Counter()
    ignored = 0
    for written, outline, quiet in named:
        kind = names.get(written) or names.get(ANY) or written
        # What must stay silent may be called anything: it is nothing that is looked for.
        quiet = quiet or kind == SILENT
        if kind == IGNORED:
            ignored += 1
        elif quiet:
            silent.append(Outline(written, outline.geom, outline.reason))
        elif kind in kinds:
            wanted.append(Outline(kind, outline.geom, outline.reason))
        else:
            unknown[written] += 1
    if unknown:
        measured = ", ".join(f"{word} ({count})" for word, count in unknown.most_common(20))
        raise invalid("truth.unknown_names", measured=measured[:300], required=", ".join(sorted(kinds)))
    if not wanted and not silent:
        raise invalid("truth.unreadable", "truth.empty", name=name)
    return Truth(name, sha256, tuple(wanted), tuple(silent), ignored)


# -- files of shapes ------------------------------------------------------------------------------


def _table(path: Path, head: bytes, reading: Reading) -> Table:
    suffix = path.suffix.lower()
    if head == SQLITE_MAGIC:
        return read_geopackage(path, reading.layer)
    if head[:4] == b"PK\x03\x04" or (head[:4] == SHP_MAGIC and suffix == ".shp"):
        return read_shapefile(path, reading.layer, reading.encoding)
    if suffix in (".geojson", ".json"):
        return geojson_table(read_json(path), path.name, _POLYGONS, reading.crs)
    raise invalid("layer.format", "truth.format", measured=path.name[-40:])


def _rows(table: Table, reading: Reading) -> Iterator[Named]:
    """Every row with the name that it gives its shape. Raises RuleViolation with all rows that are unsound."""
    refuse_offset(table.names)
    way = placement(table.crs, reading.crs)
    column = _column(table, reading)
    refusals: list[Refusal] = []
    found: list[Named] = []
    for row in table.rows:
        try:
            if row.refusals or row.geom is None:
                empty = invalid("geometry.empty", path=_path(row.number))
                raise RuleViolation(Kind.INVALID, row.refusals or empty.refusals)
            (placed,) = way.place([row.geom])
            way.refuse_misplaced(row.geom, placed, _path(row.number))
            refuse_shape(placed, _POLYGONS, _path(row.number))
        except RuleViolation as error:
            refusals += error.refusals
            continue
        outline = Outline("", placed, str(row.values.get("reason") or ""))
        found.append((_word(row.values.get(column) if column else ANY), outline, row.values.get(_EXPECT) == SILENT))
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals[:_MOST_REFUSALS])
    return iter(found)


def _path(number: int) -> str:
    return f"#{number}"


def _column(table: Table, reading: Reading) -> str | None:
    """The column that holds the names; none is needed where every shape is the same kind."""
    by_name = {name.lower(): name for name in reversed(table.columns)}
    if reading.field is not None:
        if reading.field.lower() not in by_name:
            listed = ", ".join(table.columns)[:300] or "—"
            raise invalid("truth.no_names", measured=listed, required=reading.field)
        return by_name[reading.field.lower()]
    found = next((by_name[name] for name in _FIELDS if name in by_name), None)
    if found is None and ANY not in reading.names:
        listed = ", ".join(table.columns)[:300] or "—"
        raise invalid("truth.no_names", measured=listed, required=", ".join(_FIELDS))
    return found


def _word(value: Value) -> str:
    """A name as it is written in a mapping: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


# -- rasters of classes ---------------------------------------------------------------------------


def _raster(path: Path, rooms: Path) -> Iterator[Named]:
    """The connected areas of equal value of a raster's first band, opened in quarantine; 0 and void are nothing."""
    with quarantine(rooms) as room:
        guest = room.admit(path)
        (report,) = room.inspect([guest])
        judge(report)
        if any(not np.issubdtype(np.dtype(kind), np.integer) for kind in report.dtypes):
            raise invalid("truth.unreadable", "truth.not_classes", name=guest.name, measured=", ".join(report.dtypes))
        # A class is its number, whatever colour a table shows it in.
        plain = report.model_copy(update={"palette": False})
        copy = room.transcode(guest, plain, locate(report).grid, [], lambda _: None)
        with rasterio.open(copy.path, driver="GTiff", sharing=False) as plane:
            crs = CRS.from_wkt(plane.crs.to_wkt())
            # Void pixels are zero in our own copies.
            for number, (geometry, value) in enumerate(shapes(rasterio.band(plane, 1), connectivity=4)):
                if number >= limit("layer.rows"):
                    raise too_large("layer.rows", measured=f"> {number}", required=limit("layer.rows"))
                if value:
                    yield _word(float(value)), Outline("", moved(shape(geometry), crs, WGS84)), False
