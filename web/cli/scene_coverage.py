"""`skywarden scene coverage`: what of a scene was looked at and what was not, in words and as a map to hand on."""

from __future__ import annotations

from pathlib import Path

import click
import geopandas
import rasterio
from pyproj import CRS

from sensing import queries
from sensing.coverage import Cover, account
from sensing.runs import rasters
from sensing.vectorize import outlines
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services


@click.command("coverage")
@click.argument("scene_id", metavar="SCENE")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A GeoPackage to write the areas to.")
@click.option("--smooth", is_flag=True, help="Draw borders without the steps of pixels; shared ones stay shared.")
@as_json
@pass_services
def coverage(services: Services, scene_id: str, out: Path | None, smooth: bool, as_json: bool) -> None:
    """Tells what the newest pass over SCENE looked at, and why it did not look at the rest."""
    with services.session() as session:
        run = queries.newest_run(session, scene_id)
    if out is not None:
        _write(rasters(services.data_dir).get(run.coverage_sha256), out, smooth=smooth)
    if as_json:
        echo_json({"ok": True, "run": run.public_id, "coverage": run.coverage, "out": str(out) if out else None})
        return
    for sentence in account(run.coverage):
        click.echo(sentence.render(lang()))


def _write(raster: Path, out: Path, *, smooth: bool) -> None:
    with rasterio.open(raster, driver="GTiff") as plane:
        found, crs = outlines(plane, smooth=smooth), CRS.from_wkt(plane.crs.to_wkt())
    facts = {
        "cover": [Cover(value).name.lower() for value in found.values.tolist()],
        "area_m2": [round(area_m2, 1) for area_m2 in found.areas_m2(crs)],
    }
    geopandas.GeoDataFrame(facts, geometry=found.polygons, crs=crs).to_file(out, layer="coverage", driver="GPKG")
