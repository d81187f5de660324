"""`skywarden terrain`: the elevation model, without which no true height is known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flights.ground import TERRAIN_FILE
from geo.coverage.relief import SURFACE_FILE
from sensing.elevation import UNKNOWN
from web import terrain as models
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

WORDS = {
    "en": {
        "taken": "{name} is the elevation model from now on.",
        "surface_taken": "{name} is the surface model from now on: what stands there hides what is behind it.",
        "surface": "Surface model, of what stands on the ground:",
        "heights": "heights from {low:g} m to {high:g} m",
        "datum": "measured from {datum}",
        "no_datum": "the file names no vertical datum: its heights are taken as above mean sea level",
        "before": "the model before is kept as {before}",
        "model": "SHA-256 {sha256}",
        "cells": "{crs}, cells of {resolution:g} m, {void:.2%} without a height",
        "bounds": "WGS 84: longitude {west:.5f} to {east:.5f}, latitude {south:.5f} to {north:.5f}",
        "none": "There is no elevation model, so the height of the ground is not known anywhere.",
        "bring": "Bring one in: skywarden terrain import FILE",
    },
    "zh": {
        "taken": "{name} 已成为本平台的高程模型。",
        "surface_taken": "{name} 已成为本平台的地表模型：覆盖分析将考虑建筑和树木的遮挡。",
        "surface": "地表模型（含建筑和树木）：",
        "heights": "高程 {low:g} 米至 {high:g} 米",
        "datum": "高程基准：{datum}",
        "no_datum": "文件未注明高程基准：其数值按海拔高处理",
        "before": "原有模型保存为 {before}",
        "model": "SHA-256 {sha256}",
        "cells": "{crs}，格网 {resolution:g} 米，无高程的格网占 {void:.2%}",
        "bounds": "WGS 84：经度 {west:.5f} 至 {east:.5f}，纬度 {south:.5f} 至 {north:.5f}",
        "none": "尚无高程模型，各处地面高程均未知。",
        "bring": "导入方法：skywarden terrain import FILE",
    },
}


@click.group()
def terrain() -> None:
    """The elevation model from which the true height of every flight is known."""


@terrain.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--surface", is_flag=True, help="FILE tells how high buildings and trees reach; no flight goes by it.")
@as_json
@pass_services
def import_(services: Services, file: Path, surface: bool, as_json: bool) -> None:
    """Makes FILE the elevation model: a GeoTIFF of one band in metres above mean sea level, in any known CRS.

    It is opened in quarantine and rewritten; the model before it is kept. Flights in the air are not touched. With
    --surface it is laid upon the elevation model where coverage asks what hides what.
    """
    imported = models.import_model(services, file, name=SURFACE_FILE if surface else TERRAIN_FILE)
    heights = imported.heights
    if as_json:
        told = asdict(imported.model) | {
            "source_sha256": imported.source_sha256,
            "vertical_datum": heights.datum,
            "lowest_m": round(heights.lowest_m, 3),
            "highest_m": round(heights.highest_m, 3),
            "before": imported.before,
        }
        echo_json({"ok": True} | told)
        return
    words = WORDS[lang()]
    click.echo(words["surface_taken" if surface else "taken"].format(name=file.name))
    _tell(imported.model, words)
    click.echo("  " + words["heights"].format(low=round(heights.lowest_m, 1), high=round(heights.highest_m, 1)))
    click.echo("  " + words["no_datum" if heights.datum == UNKNOWN else "datum"].format(datum=heights.datum))
    if imported.before:
        click.echo("  " + words["before"].format(before=imported.before))


@terrain.command("show")
@as_json
@pass_services
def show(services: Services, as_json: bool) -> None:
    """Tells which elevation model there is: its hash, where it lies, how fine it is and what it leaves out."""
    model, surface = models.model_of(services), models.model_of(services, SURFACE_FILE)
    words = WORDS[lang()]
    if as_json:
        told = {"model": asdict(model) if model else None, "surface": asdict(surface) if surface else None}
        echo_json({"ok": True} | told)
        return
    if model:
        _tell(model, words)
    else:
        click.echo(words["none"])
        click.echo(f"  → {words['bring']}")
    if surface:
        click.echo(words["surface"])
        _tell(surface, words)


def _tell(model: models.Model, words: dict[str, str]) -> None:
    west, south, east, north = model.bounds
    told: dict[str, Any] = {"west": west, "south": south, "east": east, "north": north}
    told |= {"sha256": model.sha256, "crs": model.crs, "resolution": model.resolution_m, "void": model.void_share}
    for line in ("model", "cells", "bounds"):
        click.echo("  " + words[line].format(**told))
