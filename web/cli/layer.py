"""`skywarden layer`: a bureau's own layers, imported from its files with a report for every row."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from geo.commands import block_where_private, touched_by
from geo.intake import LAYERS, Options, Report, RowOutcome, import_layer
from web.cli.common import REFUSED, actor_for, as_json, as_person, echo_json, echo_refusals, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

MOST_ROWS_TOLD, MOST_COLUMNS_TOLD = 50, 20

WORDS = {
    "en": {
        "head": "{file} ({format}, {crs}, {encoding}) into {layer}",
        "columns": "columns understood: {columns}",
        "aside": "columns not known, left aside: {columns}",
        "and_more": " and {count} more",
        "done": "imported {imported}, refused {refused}, batch {batch}",
        "merged": "{new} new, {merged} merged into devices that were there before",
        "none": "nothing was imported, because one bad row keeps all out; refused {refused} of {total}",
        "partly": "--partly takes the good rows alone: {good}",
        "left_out": "left out, as --partly asks: {refused}; the same file again tells which",
        "row": "row {row}:",
        "more": "... and {count} more refused rows; --json lists all of them",
        "more_merged": "... and {count} more merged rows; --json lists all of them",
        "blocked": "{device} is out of use from now on: a privacy zone reaches it (GD-15)",
    },
    "zh": {
        "head": "{file}（{format}，{crs}，{encoding}）导入图层 {layer}",
        "columns": "已识别的列：{columns}",
        "aside": "未识别而略过的列：{columns}",
        "and_more": " 等，另有 {count} 列",
        "done": "已导入 {imported} 行，拒绝 {refused} 行，批次 {batch}",
        "merged": "新设备 {new} 台，并入已有设备 {merged} 行",
        "none": "未导入任何内容：{total} 行中拒绝 {refused} 行，有一行有误即全部不导入",
        "partly": "使用 --partly 可只导入其余 {good} 行",
        "left_out": "按 --partly 的要求略去 {refused} 行；再次导入同一文件可查看是哪些行",
        "row": "第 {row} 行：",
        "more": "……另有 {count} 行被拒绝；使用 --json 查看全部",
        "more_merged": "……另有 {count} 行被并入；使用 --json 查看全部",
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
@click.option("--partly", is_flag=True, help="Take the good rows of a file that has bad ones too.")
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

    CGCS2000 and everything else with a known way to WGS 84 is transformed; GCJ-02 and BD-09 are refused. Every
    bad row is told with its reasons, and one keeps the whole file out; nothing is repaired. Devices in use that an
    imported zone reaches are blocked at once.

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
    tell_left_aside(report.left_aside, language)
    tell_rows(report.rows, language)
    for note in report.notes:
        click.echo(f"! {note.message(language)}")
        click.echo(f"      → {note.fix(language)}")
    if report.before is None:
        for line in _sum(report, words):
            click.echo(line)


def _sum(report: Report, words: Mapping[str, str]) -> Iterator[str]:
    """How many rows became what."""
    total, refused = len(report.rows), report.refused
    if report.batch is None:
        yield words["none"].format(refused=refused, total=total)
        if refused < total:
            yield words["partly"].format(good=total - refused)
        return
    yield words["done"].format(imported=report.imported, refused=refused, batch=report.batch)
    if report.merged:
        yield words["merged"].format(new=report.imported - report.merged, merged=report.merged)
    if refused:
        yield words["left_out"].format(refused=refused)


def tell_left_aside(columns: Sequence[str], language: str) -> None:
    """Says which columns of a file nothing was read from; of very many, the first."""
    if not columns:
        return
    words = WORDS[language]
    more = words["and_more"].format(count=len(columns) - MOST_COLUMNS_TOLD) if len(columns) > MOST_COLUMNS_TOLD else ""
    click.echo(words["aside"].format(columns=", ".join(columns[:MOST_COLUMNS_TOLD]) + more))


def tell_rows(rows: Iterable[RowOutcome], language: str) -> None:
    """Says what stands against each row that was refused, and which were merged; of very many, of the first."""
    words, rows = WORDS[language], list(rows)
    refused, merged = [row for row in rows if row.refusals], [row for row in rows if row.merged]
    for row in refused[:MOST_ROWS_TOLD]:
        click.echo(words["row"].format(row=row.number))
        echo_refusals(row.refusals, language)
    if len(refused) > MOST_ROWS_TOLD:
        click.echo(words["more"].format(count=len(refused) - MOST_ROWS_TOLD))
    for row in merged[:MOST_ROWS_TOLD]:
        click.echo(" ".join([words["row"].format(row=row.number), *(note.message(language) for note in row.notes)]))
    if len(merged) > MOST_ROWS_TOLD:
        click.echo(words["more_merged"].format(count=len(merged) - MOST_ROWS_TOLD))
