"""A planner's own files on the command line: a list of devices and a boundary, each row told that cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from shapely.geometry.base import BaseGeometry

from geo.coverage.reading import Named, read_area, read_named
from geo.intake.drafts import Read
from geo.intake.report import Options
from schemas.refusals import RuleViolation
from web.cli.common import REFUSED, echo_json, lang
from web.cli.layer import tell_left_aside, tell_rows
from web.cli.registry import FILE

_SAYS = {
    "en": {
        "refused": "{refused} of {total} rows cannot be read; nothing was computed. Mend them, or give --partly.",
        "none": "{refused} of {total} rows cannot be read; nothing was computed. No good row is left to go on with.",
    },
    "zh": {
        "refused": "{total} 行中有 {refused} 行无法读取，未进行计算。请更正，或使用 --partly。",
        "none": "{total} 行中有 {refused} 行无法读取，未进行计算。没有可用的有效行。",
    },
}
_CAN_BE = (
    click.option("--source-layer", help="Which one, where the list of devices holds several layers."),
    click.option("--ground-layer", help="Which one, where the boundary's file holds several layers."),
    click.option("--encoding", help="The code page of the list, such as GBK, where it declares none."),
    click.option(
        "--ground-crs", help="The coordinate system of the boundary, where its file says none or a wrong one."
    ),
    click.option(
        "--crs", help="The coordinate system of the list, such as EPSG:4490, and of a boundary that says none."
    ),
    click.option("--partly", is_flag=True, help="Go on with the good rows where others cannot be read."),
    click.option("--range-m", type=click.FloatRange(min=0.1), help="How far devices see whose row does not say it."),
    click.option("--ground", "ground_file", type=FILE, required=True, help="The boundary: polygons in a file."),
)


def of_files(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a boundary and a list of devices are to be read, where they do not say so themselves."""
    for option in _CAN_BE:
        command = option(command)
    return command


def cameras_of(path: Path, given: Mapping[str, Any]) -> Read[Named]:
    """The devices of a list. Rows that cannot be read are told with their fixes, and end the command.

    With `partly` it goes on with the good rows, where there are any.
    """
    said = {name: given[name] for name in ("crs", "encoding", "source_layer")}
    read = read_named(path, Options(layer="devices", **said), range_m=given["range_m"])
    if not given["as_json"]:
        tell_left_aside(read.left_aside, lang())
        tell_rows(read.rows, lang())
    if read.drafts and (given["partly"] or not read.refused):
        return read
    if given["as_json"]:
        echo_json({"ok": False, "columns": dict(read.columns)} | rows_refused(read))
    says = _SAYS[lang()]["refused" if read.drafts else "none"]
    click.echo(says.format(refused=read.refused, total=len(read.rows)), err=True)
    sys.exit(REFUSED)


def rows_refused(read: Read[Named]) -> dict[str, Any]:
    """What a program is told of the rows that were not read."""
    rows = [row.render(lang()) for row in read.rows if row.refusals]
    return {"rows": len(read.rows), "refused": read.refused, "refused_rows": rows}


def ground_of(given: Mapping[str, Any]) -> BaseGeometry:
    """The ground of the boundary's file, EPSG:4326."""
    options = Options(layer="ground", crs=given["ground_crs"], source_layer=given["ground_layer"])
    return read_area(given["ground_file"], options, otherwise=given["crs"])


def in_rows(error: RuleViolation, read: Read[Named]) -> RuleViolation:
    """The same refusals with the numbers of rows for those of devices, which differ where rows were left out."""
    numbers = list(read.drafts)

    def renumbered(params: Mapping[str, Any]) -> dict[str, Any]:
        number = params.get("number")
        return {**params, "number": numbers[number - 1]} if isinstance(number, int) else dict(params)

    told = [replace(refusal, params=renumbered(refusal.params)) for refusal in error.refusals]
    return RuleViolation(error.kind, told)
