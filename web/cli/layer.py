"""`skywarden layer`: a bureau's own layers, imported from its files with a report for every row."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from geo.commands import block_where_private, touched_by
from geo.intake import LAYERS, Options, Report, RowOutcome, import_layer
from web.cli.common import REFUSED, actor_for, as_json, as_person, echo_json, echo_refusals, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

MOST_ROWS_TOLD = 50

WORDS = {
    "en": {
        "head": "{file} ({format}, {crs}, {encoding}) into {layer}",
        "columns": "columns understood: {columns}",
        "done": "imported {imported}, refused {refused}, batch {batch}",
        "none": "nothing was imported; refused {refused} of {total}",
        "row": "row {row}:",
        "more": "... and {count} more refused rows; --json lists all of them",
        "blocked": "{device} is out of use from now on: a privacy zone reaches it (GD-15)",
    },
    "zh": {
        "head": "{file}（{format}，{crs}，{encoding}）导入图层 {layer}",
        "columns": "已识别的列：{columns}",
        "done": "已导入 {imported} 行，拒绝 {refused} 行，批次 {batch}",
        "none": "未导入任何内容；{total} 行中拒绝 {refused} 行",
        "row": "第 {row} 行：",
        "more": "……另有 {count} 行被拒绝；使用 --json 查看全部",
        "blocked": "{device} 即时停用：处于隐私区范围内（GD-15）",
    },
}


@click.group()
def layer() -> None:
    """Layers of a bureau's own data: permits, protected zones, water, farmland, entities, devices, zones."""


@layer.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--layer", "name", type=click.Choice(list(LAYERS)), required=True, help="What the rows are.")
@click.option("--crs", help="The coordinate system, such as EPSG:4490, of a file that declares none.")
@click.option("--encoding", help="The code page of the text, such as GBK, of a file that declares none.")
@click.option("--source-layer", help="Which one, where a GeoPackage or a zip holds several layers.")
@click.option("--authority", help="Code of the authority whose devices these are.")
@click.option("--item", help="Code of the supervision item for devices that name none.")
@click.option("--strict", is_flag=True, help="Import nothing where one row is refused.")
@as_person
@as_json
@pass_services
def import_(
    services: Services,
    file: Path,
    name: str,
    person: str | None,
    as_json: bool,
    **options: str | bool | None,
) -> None:
    """Imports FILE: shapefile (.shp or .zip), GeoPackage, GeoJSON, or CSV with longitude and latitude.

    CGCS2000 and everything else with a known way to WGS 84 is transformed; GCJ-02 and BD-09 are refused. Bad
    rows are refused one by one with their reasons; nothing is repaired. Devices in use that an imported zone
    reaches are blocked at once.

    It is one transaction: interrupted, it leaves nothing, and can be started again.
    """
    asked = Options(layer=name, **options)  # type: ignore[arg-type]
    with services.work(actor_for(services, person)) as work, progress_bar(as_json) as told:
        report = import_layer(work, file, asked, told=lambda done, total: told(done / total))
        if report.batch is not None:
            work.commit()
    blocked = _stopped(services, report) if name == "zones" and report.batch else []
    if as_json:
        echo_json(report.render(lang()) | {"blocked": blocked})
    else:
        _tell(report, lang())
        for device in blocked:
            click.echo(WORDS[lang()]["blocked"].format(device=device))
    if report.batch is None:
        sys.exit(REFUSED)


def _stopped(services: Services, report: Report) -> list[str]:
    """The devices that the imported zones stopped, and those that any zone has come to reach meanwhile."""
    with services.session() as session:
        touched = [one for row in report.rows for zone in row.public_ids for one in touched_by(session, zone)]
    stopped = {f"{one.subject_kind} {one.public_id}" for one in touched if one.outcome == "blocked"}
    return sorted(stopped | set(block_where_private(services.work)))


def _tell(report: Report, language: str) -> None:
    words = WORDS[language]
    click.echo(
        words["head"].format(
            file=report.file_name, format=report.format, crs=report.crs, encoding=report.encoding, layer=report.layer
        )
    )
    columns = ", ".join(f"{field} = {column}" for field, column in report.columns.items())
    click.echo(words["columns"].format(columns=columns or "—"))
    tell_rows(report.rows, language)
    for note in report.notes:
        click.echo(f"! {note.message(language)}")
        click.echo(f"      → {note.fix(language)}")
    template = words["done"] if report.batch else words["none"]
    click.echo(
        template.format(imported=report.imported, refused=report.refused, total=len(report.rows), batch=report.batch)
    )


def tell_rows(rows: Iterable[RowOutcome], language: str) -> None:
    """Says what stands against each row that was refused; of very many, of the first."""
    words, refused = WORDS[language], [row for row in rows if row.refusals]
    for row in refused[:MOST_ROWS_TOLD]:
        click.echo(words["row"].format(row=row.number))
        echo_refusals(row.refusals, language)
    if len(refused) > MOST_ROWS_TOLD:
        click.echo(words["more"].format(count=len(refused) - MOST_ROWS_TOLD))
