"""`skywarden patrol import-areas` and `import-points`: drafts from a file, all of them or none, every row told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from geo.intake import Options
from geo.intake.drafts import Read
from geo.intake.places import Common, Fields, Kind, draft_places, read_places
from schemas.tables import Authority, DeploymentPoint, PatrolArea, SitingPlan, SupervisionItem
from web.cli.common import REFUSED, actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.layer import tell_left_aside, tell_rows
from web.cli.registry import FILE, by_code
from web.wiring import Services

_SAYS = {
    "en": {
        "head": "{file} ({format}, {crs}, {encoding})",
        "columns": "columns understood: {columns}",
        "done": "drafted {total}: {names}",
        "none": "nothing was drafted; refused {refused} of {total}",
    },
    "zh": {
        "head": "{file}（{format}，{crs}，{encoding}）",
        "columns": "已识别的列：{columns}",
        "done": "已起草 {total} 个：{names}",
        "none": "未起草任何内容；{total} 行中拒绝 {refused} 行",
    },
}


def _of_a_file(command: Any) -> Any:  # noqa: ANN401
    for option in (
        pass_services,
        as_json,
        as_person,
        click.option("--source-layer", help="Which one, where a GeoPackage or a zip holds several layers."),
        click.option("--encoding", help="The code page of the text, such as GBK, of a file that declares none."),
        click.option("--crs", help="The coordinate system, such as EPSG:4490, of a file that declares none."),
        click.option("--siting-plan", help="The approved siting plan in which all of them stand."),
        click.option("--item", help="Code of the supervision item of all of them."),
        click.option("--authority", required=True, help="Code of the authority of all of them."),
        click.argument("file", type=FILE),
    ):
        command = option(command)
    return command


@click.command("import-areas")
@_of_a_file
def import_areas(services: Services, **given: Any) -> None:  # noqa: ANN401
    """Drafts a patrol area for each row of FILE: GeoJSON, GeoPackage or shapefile (.shp or .zip) of polygons.

    Columns: code, name_en, name_zh, purpose_en, purpose_zh, alt_min_agl_m, alt_max_agl_m. All rows are taken, or
    none: every fault of every row is told.
    """
    _draft(services, PatrolArea, given)


@click.command("import-points")
@_of_a_file
def import_points(services: Services, **given: Any) -> None:  # noqa: ANN401
    """Drafts a deployment point for each row of FILE: CSV with longitude and latitude, GeoJSON, GeoPackage, shapefile.

    Columns: code, name_en, name_zh, purpose_en, purpose_zh, place_text. All rows are taken, or none: every fault of
    every row is told.
    """
    _draft(services, DeploymentPoint, given)


def _draft(services: Services, kind: Kind, given: dict[str, Any]) -> None:
    told = {name: given[name] for name in ("crs", "encoding", "source_layer")}
    with services.work(actor_for(services, given["person"])) as work:
        common = Common(
            by_code(work, Authority, given["authority"]),
            by_code(work, SupervisionItem, given["item"]) if given["item"] else None,
            work.get(SitingPlan, given["siting_plan"]) if given["siting_plan"] else None,
        )
        read = read_places(work, given["file"], kind, Options(layer=kind.__machine__, **told))
        read = draft_places(work, read, common)
        if not read.refused:
            work.commit()
    _tell(read, given["file"], as_json=given["as_json"])
    if read.refused:
        sys.exit(REFUSED)


def _tell(read: Read[Fields], file: Path, *, as_json: bool) -> None:
    facts = {"file": file.name, "format": read.format, "crs": read.crs, "encoding": read.encoding}
    if as_json:
        rows = [row.render(lang()) for row in read.rows]
        drafted = 0 if read.refused else len(read.rows)
        told = {"columns": dict(read.columns), "columns_left_aside": list(read.left_aside), "drafted": drafted}
        told |= {"refused": read.refused, "rows": rows}
        echo_json({"ok": not read.refused} | facts | told)
        return
    says = _SAYS[lang()]
    click.echo(says["head"].format(**facts))
    columns = ", ".join(f"{field} = {column}" for field, column in read.columns.items())
    click.echo(says["columns"].format(columns=columns or "—"))
    tell_left_aside(read.left_aside, lang())
    tell_rows(read.rows, lang())
    names = ", ".join(name for row in read.rows for name in row.public_ids)
    template = says["none"] if read.refused else says["done"]
    click.echo(template.format(total=len(read.rows), refused=read.refused, names=names))
