"""An answer as files for other programs: GeoPackage, GeoJSON, a cloud-optimised GeoTIFF, and CSV. Touches the disk."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from geoalchemy2.shape import to_shape
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.limits import limit
from schemas.refusals import conflict, invalid, too_large
from schemas.store.jobs import DONE
from schemas.tables import CoverageStudy, StudyDevice, StudyShape

Shapes = NDArray[np.object_]

# Cells of one area everywhere: NSIDC's equal-area grid of the whole earth.
EQUAL_AREA = 6933
NO_GROUND = 255
_CELLS_ACROSS, _FINEST_M = 2_000, 1.0
_DECIMALS = 8
_GAP, _SEEN = "gap", "seen"


@dataclass(frozen=True)
class Export:
    """An answer as it is written: its document, its pieces (EPSG:4326) with their level (0: gap), its devices."""

    public_id: str
    title: str
    result: Mapping[str, Any]
    ground: BaseGeometry
    shapes: Shapes
    times: NDArray[np.int64]
    areas_m2: NDArray[np.float64]
    weights: NDArray[np.float64]
    devices: Sequence[Mapping[str, Any]] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def export_of(session: Session, study: CoverageStudy, *, is_sample: bool) -> Export:
    """The answer to a study; raises RuleViolation (409 `coverage.not_done`) where there is none yet.

    Of the devices only the study's own are written: those of the register belong to the register.
    """
    if study.stage != DONE or study.result is None:
        raise conflict("coverage.not_done", "coverage.not_done", measured=study.public_id)
    rows = session.execute(
        select(func.ST_AsBinary(StudyShape.geom), StudyShape.times, StudyShape.area_m2, StudyShape.weight)
        .where(StudyShape.study_id == study.id)
        .order_by(StudyShape.ordinal)
    ).all()
    own = session.scalars(
        select(StudyDevice).where(StudyDevice.study_id == study.id, ~StudyDevice.gone).order_by(StudyDevice.ordinal)
    )
    about = {
        "study": study.public_id,
        "title": study.title,
        "answered_at": study.ended_at.isoformat(timespec="seconds") if study.ended_at else "",
        "engine": str(study.result.get("engine", "")),
        "crs": "EPSG:4326; areas in square metres of an equal-area projection",
        "question": json.dumps(study.question, ensure_ascii=False, sort_keys=True),
        # What was assumed, and what was not looked at, goes wherever the figures go.
        **{f"told_{lang}": " ".join(said) for lang, said in (study.result.get("sentences") or {}).items()},
    }
    if is_sample:
        about["note"] = "Sample data, all of it fictional / 示例数据，均为虚构"
    return Export(
        public_id=study.public_id,
        title=study.title,
        result=study.result,
        ground=to_shape(study.ground),
        shapes=np.asarray(shapely.from_wkb(np.array([bytes(row[0]) for row in rows], dtype=object))),
        times=np.array([row[1] for row in rows], np.int64),
        areas_m2=np.array([row[2] for row in rows], np.float64),
        weights=np.array([row[3] for row in rows], np.float64),
        devices=[_device(row) for row in own],
        about=about,
    )


def _device(row: StudyDevice) -> dict[str, Any]:
    names = ("label", "device_type", "sector_azimuth_deg", "hfov_deg", "range_m", "mast_m", "target_m")
    return {name: getattr(row, name) for name in names} | {"geometry": to_shape(row.geom)}


def write(export: Export, path: Path, form: str, *, cell_m: float | None = None) -> Path:
    """Writes a file whole or not at all, in the place of one that was there; gives its path.

    Raises RuleViolation for an unknown form, and for a raster that would be too large.
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise invalid("coverage.format", "coverage.format", measured=form, required=", ".join(_WRITERS))
    partial = path.with_name(f".{path.name}.part{path.suffix}")
    partial.unlink(missing_ok=True)
    try:
        if form == "cog":
            _cog(export, partial, cell_m)
        else:
            writer(export, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _gpkg(export: Export, path: Path) -> None:
    """A layer for what is seen, one for the gaps, one for the ground and one for the study's own devices."""
    import geopandas as gpd

    layers: list[tuple[str, Any]] = []
    for name, chosen in ((_SEEN, export.times > 0), ("gaps", export.times == 0)):
        fields = {"times": export.times[chosen], "area_m2": export.areas_m2[chosen], "weight": export.weights[chosen]}
        layers.append((name, gpd.GeoDataFrame(fields, geometry=list(export.shapes[chosen]), crs=4326)))
    layers.append(("ground", gpd.GeoDataFrame([dict(export.about)], geometry=[export.ground], crs=4326)))
    if export.devices:
        layers.append(("devices", gpd.GeoDataFrame(list(export.devices), geometry="geometry", crs=4326)))
    for name, frame in layers:
        frame.to_file(path, layer=name, driver="GPKG", engine="pyogrio")


def _geojson(export: Export, path: Path) -> None:
    """RFC 7946, written feature by feature; what the file is about stands beside its features."""
    with path.open("w", encoding="utf-8") as out:
        head = json.dumps({"type": "FeatureCollection", "about": dict(export.about)}, ensure_ascii=False)
        out.write(head[:-1] + ', "features": [\n')
        for number, feature in enumerate(_features(export)):
            out.write((",\n" if number else "") + json.dumps(feature, ensure_ascii=False))
        out.write("\n]}\n")


def _features(export: Export) -> Iterator[dict[str, Any]]:
    oriented = shapely.orient_polygons(export.shapes)
    columns = (export.times.tolist(), export.areas_m2.tolist(), export.weights.tolist())
    for shape, times, area, weight in zip(oriented, *columns, strict=True):
        properties = {"kind": _SEEN if times else _GAP, "times": times, "area_m2": area, "weight": weight}
        yield {"type": "Feature", "properties": properties, "geometry": _rounded(shape)}
    for device in export.devices:
        properties = {"kind": "device"} | {name: value for name, value in device.items() if name != "geometry"}
        yield {"type": "Feature", "properties": properties, "geometry": _rounded(device["geometry"])}


def _rounded(shape: BaseGeometry) -> dict[str, Any]:
    def plain(value: Any) -> Any:  # noqa: ANN401 - nested lists of numbers
        return round(value, _DECIMALS) if isinstance(value, float) else [plain(one) for one in value]

    told = shapely.geometry.mapping(shape)
    return {"type": told["type"], "coordinates": plain(told["coordinates"])}


def _cog(export: Export, path: Path, cell_m: float | None = None) -> None:
    """How often each cell of equal area is seen, by its centre: 0 for none, 255 where no ground was asked about."""
    there = Transformer.from_crs(4326, EQUAL_AREA, always_xy=True)
    ground, *shapes = (
        shapely.transform(one, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])))
        for one in (shapely.segmentize(export.ground, 0.01), *export.shapes)
    )
    west, south, east, north = ground.bounds
    side = cell_m or max(math.ceil(max(east - west, north - south) / _CELLS_ACROSS), _FINEST_M)
    if not (math.isfinite(side) and side > 0):
        raise invalid("coverage.number", "coverage.number", what="cell_m", measured=str(side), required="> 0")
    columns, rows = math.ceil((east - west) / side), math.ceil((north - south) / side)
    most = limit("coverage.cells")
    if columns * rows > most:
        raise too_large("coverage.export_size", measured=columns * rows, required=most)
    place = Affine(side, 0, west, 0, -side, north)
    # Levels lie within each other: the higher one is drawn over the lower.
    order = np.argsort(export.times, kind="stable")
    cells = np.full((rows, columns), NO_GROUND, np.uint8)
    drawn = [(shapes[i], int(export.times[i])) for i in order]
    if drawn:
        rasterize(drawn, out=cells, transform=place)
    profile = {
        "driver": "GTiff",
        "width": columns,
        "height": rows,
        "count": 1,
        "dtype": "uint8",
        "crs": f"EPSG:{EQUAL_AREA}",
        "transform": place,
        "nodata": NO_GROUND,
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(cells, 1)
            target.set_band_description(1, "times seen")
            target.update_tags(**export.about)
        with rasterio.open(memory.name) as source:
            copy(source, path, driver="COG", compress="DEFLATE", overview_resampling="nearest")


_TABLES = ("demand", "by_kind", "by_item", "by_status", "by_hour", "burden", "entities", "gaps", "left_out")


def _csv(export: Export, path: Path) -> None:
    """Every figure of the answer, one to a row: table, row, what it is of, figure, value."""
    # The mark at the beginning is what spreadsheets know UTF-8 by.
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("table", "row", "of", "figure", "value"))
        for name, value in export.about.items():
            rows.writerow(("about", 1, "", name, _safe(value)))
        for row in _figures(export.result):
            rows.writerow([_safe(cell) for cell in row])


_LESS = ("slivers", "slivers_m2", "assumed", "masts_assumed")


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name in ("ground_m2", "private_m2", "devices", "gap_m2", "share", "gap_count", *_LESS, "seconds"):
        yield "answer", 1, "", name, result.get(name)
    for times, area in enumerate(result["seen_m2"], 1):
        yield "answer", 1, times, "seen_m2", area
    for name, value in (result.get("before") or {}).items():
        yield "before", 1, "", name, value
    for table in _TABLES:
        for number, row in enumerate(result.get(table) or [], 1):
            key, *figures = row
            for figure in figures:
                value = row[figure]
                yield table, number, row[key], figure, " ".join(map(str, value)) if isinstance(value, list) else value


def _safe(value: object) -> object:
    """A text that a spreadsheet takes for a text: one that begins like a formula is none."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


_WRITERS: dict[str, Callable[[Export, Path], None]] = {
    "gpkg": _gpkg,
    "geojson": _geojson,
    "cog": _cog,
    "csv": _csv,
}
FORMS = tuple(_WRITERS)
