"""`skywarden coverage`: what a planner's own cameras see of some ground, and where the gaps are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import geopandas
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text

from flights.ground import TERRAIN_FILE
from geo.coverage.answers import Coverage, coverage_of
from geo.coverage.footprints import Device
from geo.coverage.reading import Named
from geo.coverage.relief import SURFACE_FILE
from geo.coverage.saying import LEAST_GAP_M2, area_in_words
from geo.intake.drafts import Read
from schemas.refusals import RuleViolation, not_found
from web import terrain
from web.cli import coverage_studies
from web.cli.common import as_json, echo_json, lang, pass_services
from web.cli.coverage_files import cameras_of, ground_of, in_rows, of_files, rows_refused
from web.cli.coverage_report import coordinated, refuse_other, report
from web.cli.registry import FILE
from web.planning_jobs import model_file
from web.wiring import Services

_TOLD = 5
_SAYS = {
    "en": {
        "seen": "{devices} devices see {seen} of {ground} ({share:.1%}); {gap} is seen by none.",
        "seen_one": "1 device sees {seen} of {ground} ({share:.1%}); {gap} is seen by none.",
        "twice": "{twice} is seen by two or more, {thrice} by three or more.",
        "private": "Privacy zones take {private} of the ground away: nobody asks for a view of those.",
        "hidden": "The ground hides all that these devices could see: rows {rows}.",
        "twins": "Rows that repeat another one, at the same place with the same view: {count};"
        " each counts as a view of its own.",
        "gaps": "The largest gaps:",
        "gap": "  {area} around {lon:.5f}, {lat:.5f}",
        "more": "  and {count} more, {area} in all",
        "slivers": "Not named: {count} smaller than half a square metre each; what they hold counts all the same.",
        "sliver": "Not named: 1 smaller than half a square metre; what it holds counts all the same.",
        "masts": "Rows that do not say how high the lens stands: {count}; {mast:g} m is counted for each.",
        "wrote": "Wrote {path}: layers {layers}.",
    },
    "zh": {
        "seen": "{ground}中，{devices} 台设备覆盖 {seen}（{share:.1%}），{gap}无设备覆盖。",
        "twice": "{twice}被两台及以上覆盖，{thrice}被三台及以上覆盖。",
        "private": "隐私排除区占 {private}，不计入需覆盖的区域。",
        "hidden": "以下各行设备的视野被地形完全遮挡：{rows}。",
        "twins": "与另一行位置和视野完全相同的行：{count}；各按一次覆盖计算。",
        "gaps": "最大的空白区：",
        "gap": "  {area}，中心约 {lon:.5f}, {lat:.5f}",
        "more": "  另有 {count} 处，合计 {area}",
        "slivers": "未列出：{count} 处各小于半平方米，面积仍计入。",
        "masts": "未填写镜头高度的行：{count}；均按 {mast:g} 米计算。",
        "wrote": "已写入 {path}：图层 {layers}。",
    },
}
_ZONES = text(
    "SELECT ST_AsBinary(geom) FROM public_map.privacy_zones"
    " WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
)


@click.group()
def coverage() -> None:
    """What devices see of some ground, and what none sees."""


@coverage.command("find")
@click.argument("file", type=FILE)
@click.option("--over-terrain", is_flag=True, help="Leave out what hills hide, and what stands on them.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the shapes to this GeoPackage.")
@of_files
@as_json
@pass_services
def find(services: Services, file: Path, **given: Any) -> None:  # noqa: ANN401
    """Says how the devices in FILE see a ground: CSV with longitude and latitude, GeoJSON, GeoPackage or shapefile.

    Columns: sector_azimuth_deg, hfov_deg, range_m; a device without a direction sees all round. Nothing is
    registered. The privacy zones of this installation are never counted as ground to be seen.
    """
    if given["out"]:
        refuse_other(given["out"], (".gpkg",))
    read, ground = cameras_of(file, given), ground_of(given)
    devices = [one.view for one in read.drafts.values()]
    models = (_terrain(services), model_file(services, SURFACE_FILE)) if given["over_terrain"] else ()
    try:
        found = coverage_of(devices, ground, _zones(services, ground), *models)
    except RuleViolation as error:
        raise in_rows(error, read) from error
    if given["out"]:
        _write(found, given["out"])
    _tell(found, read, given)


def _terrain(services: Services) -> Path:
    if terrain.model_of(services) is None:
        raise not_found("coverage.no_terrain", "coverage.no_terrain")
    return services.data_dir / TERRAIN_FILE


def _zones(services: Services, ground: BaseGeometry) -> BaseGeometry:
    """The public shapes of the privacy zones on the ground."""
    box = dict(zip(("west", "south", "east", "north"), ground.bounds, strict=True))
    with services.public() as public:
        return shapely.union_all(shapely.from_wkb([bytes(row[0]) for row in public.execute(_ZONES, box)]))


def _write(found: Coverage, path: Path) -> None:
    """One layer for each answer; the file is written whole or not at all."""
    gaps = geopandas.GeoDataFrame({"area_m2": found.gaps_m2}, geometry=list(found.gaps), crs=4326)
    seen = geopandas.GeoDataFrame(
        {"times": [1, 2], "area_m2": found.seen_m2[:2]}, geometry=[found.seen, found.twice], crs=4326
    )
    partial = path.with_name(f".{path.name}.part.gpkg")
    partial.unlink(missing_ok=True)
    try:
        for name, layer in (("gaps", gaps), ("seen", seen)):
            layer.to_file(partial, layer=name, driver="GPKG", engine="pyogrio")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _tell(found: Coverage, read: Read[Named], given: Mapping[str, Any]) -> None:
    rows = list(read.drafts)
    hidden = [rows[number - 1] for number in found.hidden]
    twins = len(rows) - len({(one.device_type, one.view) for one in read.drafts.values()})
    named_m2 = [area for area in found.gaps_m2 if area >= LEAST_GAP_M2]
    places = [gap.representative_point() for gap in found.gaps[: min(_TOLD, len(named_m2))]]
    slivers = len(found.gaps_m2) - len(named_m2)
    masts = sum(not one.says_mast for one in read.drafts.values()) if given["over_terrain"] else 0
    if given["as_json"]:
        gaps = [{"area_m2": area, "at": [place.x, place.y]} for area, place in zip(found.gaps_m2, places, strict=False)]
        names = ("ground_m2", "private_m2", "seen_m2", "gap_m2", "share")
        told = {"devices": len(rows), "repeated": twins, "masts_assumed": masts} | {
            name: getattr(found, name) for name in names
        }
        told |= {"hidden": hidden, "gaps": gaps, "gap_count": len(named_m2), "slivers": slivers}
        echo_json(told | rows_refused(read))
        return
    says = _SAYS[lang()]
    areas_m2 = {"ground": found.ground_m2, "gap": found.gap_m2, "private": found.private_m2}
    areas_m2 |= dict(zip(("seen", "twice", "thrice"), found.seen_m2, strict=True))
    areas = {name: area_in_words(area_m2, lang()) for name, area_m2 in areas_m2.items()}
    seen = says.get("seen_one", says["seen"]) if len(rows) == 1 else says["seen"]
    click.echo(seen.format(devices=len(rows), share=found.share, **areas))
    click.echo(says["twice"].format(**areas))
    if found.private_m2 >= LEAST_GAP_M2:
        click.echo(says["private"].format(**areas))
    if twins:
        click.echo(says["twins"].format(count=twins))
    if hidden:
        click.echo(says["hidden"].format(rows=", ".join(map(str, hidden))))
    if masts:
        click.echo(says["masts"].format(count=masts, mast=Device.mast_m))
    _tell_gaps(found, places, named_m2)
    if given["out"]:
        click.echo(says["wrote"].format(path=given["out"], layers="gaps, seen"))


def _tell_gaps(found: Coverage, places: Sequence[shapely.Point], named_m2: Sequence[float]) -> None:
    """The largest gaps, how many more there are, and how many are too small to be named."""
    says, slivers = _SAYS[lang()], len(found.gaps_m2) - len(named_m2)
    if places:
        click.echo(says["gaps"])
    for area, place in zip(named_m2, places, strict=False):
        click.echo(says["gap"].format(area=area_in_words(area, lang()), lon=place.x, lat=place.y))
    if len(named_m2) > len(places):
        rest_m2 = sum(named_m2[len(places) :])
        click.echo(says["more"].format(count=len(named_m2) - len(places), area=area_in_words(rest_m2, lang())))
    if slivers:
        told = says.get("sliver", says["slivers"]) if slivers == 1 else says["slivers"]
        click.echo(told.format(count=slivers))


coverage.add_command(report)
coverage.add_command(coordinated)
coverage_studies.join(coverage)
