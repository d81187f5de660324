"""The outlines that SAM drew beside those of findings, handed on as a layer of their own; most files have none."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shapely.geometry.base import BaseGeometry

from geo.measure import area_m2
from schemas.tables import Detection, SegmentationRun

LAYER = "alternatives"


def alternative(row: Detection, run: SegmentationRun, shown: BaseGeometry) -> dict[str, Any]:
    """The values of an alternative outline: of which finding, how large, by which model under which licence."""
    by = run.refinement or {}
    return {
        "finding": row.public_id,
        "drawn_by": "sam",
        "area_m2": round(area_m2(shown), 1),
        "model": by.get("architecture"),
        "model_sha": by.get("checkpoint_sha256"),
        "licence": by.get("licence"),
        "geometry": shown,
    }


def add_alternatives(records: Sequence[dict[str, Any]], out: Path, *, is_geopackage: bool, epsg: int) -> None:
    """Put them beside the findings: one more layer of a GeoPackage, one more Shapefile of a zip; nothing for none."""
    if not records:
        return
    import geopandas

    frame = geopandas.GeoDataFrame(list(records), geometry="geometry", crs=epsg)
    if is_geopackage:
        frame.to_file(out, layer=LAYER, driver="GPKG", engine="pyogrio")
        return
    with TemporaryDirectory(prefix="skywarden-") as scratch:
        folder = Path(scratch)
        frame.to_file(folder / f"{LAYER}.shp", driver="ESRI Shapefile", engine="pyogrio", encoding="UTF-8")
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(folder.iterdir()):
                archive.write(part, part.name)
