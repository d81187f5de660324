"""The rows of a layer, judged some at a time: where they lie, what their cells say, and which records they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.geojson import refuse_invalid, refuse_jump, refuse_off_earth, refuse_sliver
from geo.intake.batch import Drafted, Intake, distinct
from geo.intake.columns import Cells
from geo.intake.coordinates import Placement
from geo.intake.layers import Layer
from geo.intake.table import Row, Table
from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid

SOME = 5_000


def judged(table: Table, layer: Layer, columns: Mapping[str, str], intake: Intake) -> Iterator[list[Drafted]]:
    """The rows of a table as drafts, some at a time; those that are taken hold the records to write."""
    for start in range(0, len(table.rows), SOME):
        rows = table.rows[start : start + SOME]
        drafts = placed_rows(rows, layer.allow, columns, intake.way)
        sound = [draft for draft in drafts if draft.geom is not None]
        if layer.build_many is not None:
            layer.build_many(sound, intake)
        else:
            for draft in sound:
                _build(draft, layer, intake)
            distinct(intake, [record for draft in sound for record in draft.records])
        for draft in drafts:
            if not draft.is_taken:
                draft.records = []
        _note_strays([draft for draft in drafts if draft.is_taken], intake)
        yield drafts


def _build(draft: Drafted, layer: Layer, intake: Intake) -> None:
    if layer.build is None or draft.geom is None:
        return
    try:
        draft.records = list(layer.build(draft.cells, draft.geom, intake))
    except RuleViolation as error:
        draft.cells.refusals.extend(error.refusals)


def _note_strays(taken: Sequence[Drafted], intake: Intake) -> None:
    """Remembers the rows that lie where no rules apply."""
    geoms = np.array([draft.geom for draft in taken], dtype=object)
    ruled = np.zeros(len(taken), dtype=np.bool_)
    for pack in intake.work.rulebook.packs:
        shapely.prepare(pack.jurisdiction.geometry)
        ruled |= shapely.intersects(pack.jurisdiction.geometry, geoms)
    intake.stray.extend(draft.number for draft, is_ruled in zip(taken, ruled, strict=True) if not is_ruled)


def placed_rows(
    rows: Sequence[Row], allow: frozenset[str], columns: Mapping[str, str], way: Placement
) -> list[Drafted]:
    """The rows with their shapes in EPSG:4326; one whose shape is refused has none, and its refusals say why.

    `allow` are the types of shapes that are taken.
    """
    written = np.array([row.geom for row in rows], dtype=object)
    placed = np.full(len(rows), None, dtype=object)
    given = np.flatnonzero(~shapely.is_missing(written))
    if given.size:
        placed[given] = way.place(list(written[given]))
    plain = _plain_points(written, placed, way) if "Point" in allow else np.zeros(len(rows), dtype=np.bool_)
    drafts = []
    for index, row in enumerate(rows):
        cells = Cells(row.values, columns)
        cells.refusals.extend(row.refusals)
        draft = Drafted(row.number, cells, placed[index])
        if draft.geom is not None and row.geom is not None and not plain[index]:
            try:
                way.refuse_misplaced(row.geom, draft.geom, f"#{row.number}")
                refuse_shape(draft.geom, allow, f"#{row.number}")
            except RuleViolation as error:
                cells.refusals.extend(error.refusals)
                draft.geom = None
        drafts.append(draft)
    return drafts


def _plain_points(written: NDArray[np.object_], placed: NDArray[np.object_], way: Placement) -> NDArray[np.bool_]:
    """Which shapes are single points of whom `refuse_misplaced` and `refuse_shape` have nothing to say."""
    lon, lat = shapely.get_x(placed), shapely.get_y(placed)  # NaN for what is no point
    x, y = shapely.get_x(written), shapely.get_y(written)
    with np.errstate(invalid="ignore"):
        plain = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        plain &= np.isfinite(x) & np.isfinite(y)
        if way.is_geographic:
            plain &= (np.abs(x) <= 180) & (np.abs(y) <= 90)
        if way.area is not None:
            west, south, east, north = way.area
            plain &= (west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)
    return plain


def refuse_shape(geom: BaseGeometry, allow: frozenset[str], path: str) -> None:
    """Raise RuleViolation for a shape (EPSG:4326) that its layer does not take, or that is not sound."""
    if geom.is_empty:
        raise invalid("geometry.empty", path=path)
    if geom.geom_type not in allow:
        raise invalid("geometry.type", measured=geom.geom_type, required=", ".join(sorted(allow)))
    parts, positions = shapely.get_num_geometries(geom), shapely.get_coordinates(geom)
    if parts > limit("geometry.parts"):
        raise invalid("geometry.too_many_parts", measured=int(parts), required=limit("geometry.parts"))
    if len(positions) > limit("geometry.vertices"):
        most = limit("geometry.vertices")
        raise invalid("geometry.too_many_vertices", measured=len(positions), required=most)
    if not np.isfinite(positions).all():
        raise invalid("geometry.not_finite", path=path)
    for lon, lat in positions[(np.abs(positions) > (180, 90)).any(axis=1)].tolist():
        refuse_off_earth(lon, lat, path)
    for ring in shapely.get_rings(shapely.get_parts(geom)):
        refuse_jump(shapely.get_coordinates(ring)[:, 0].tolist(), path)
    refuse_invalid(geom, path)
    if geom.geom_type.endswith("Polygon"):
        for part in getattr(geom, "geoms", (geom,)):
            refuse_sliver(part, path, limit("geometry.min_area"))
