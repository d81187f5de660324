"""The sites of a siting plan from a file on the command line: all of them are taken or none, and every row is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from geo.commands import NewSite
from geo.intake import Options
from geo.intake.drafts import Read
from geo.intake.sites import in_rows, read_sites
from schemas.refusals import Refusal, RuleViolation
from schemas.store.work import Work
from schemas.tables import SitingPlan
from web.cli.common import REFUSED, actor_for, echo_json, echo_refusals, lang
from web.cli.layer import tell_left_aside, tell_rows
from web.cli.registry import tell
from web.wiring import Services

_SAYS = {
    "en": {
        "head": "{file} ({format}, {crs}, {encoding})",
        "columns": "columns understood: {columns}",
        "none": "nothing was drafted; refused {refused} of {total}",
    },
    "zh": {
        "head": "{file}（{format}，{crs}，{encoding}）",
        "columns": "已识别的列：{columns}",
        "none": "未起草任何内容；{total} 行中拒绝 {refused} 行",
    },
}


def of_sites(command: Any) -> Any:  # noqa: ANN401
    """How a file of sites is to be read, where it does not say so itself."""
    for option in (
        click.option("--source-layer", help="Which one, where a GeoPackage or a zip holds several layers."),
        click.option("--encoding", help="The code page of the text, such as GBK, of a file that declares none."),
        click.option("--crs", help="The coordinate system, such as EPSG:4490, of a file that declares none."),
    ):
        command = option(command)
    return command


def plan_of_file(
    services: Services,
    given: dict[str, Any],
    path: Path,
    make: Callable[[Work, Sequence[NewSite]], SitingPlan],
) -> None:
    """Makes a plan with the sites in a file, and says in which state it is.

    Where a row is refused, by itself or by the rules for its place, nothing is made, and all rows are told.
    """
    said = {name: given[name] for name in ("crs", "encoding", "source_layer")}
    read = read_sites(path, Options(layer="sites", **said))
    rest: Iterable[Refusal] = ()
    try:
        with services.work(actor_for(services, given["person"])) as work:
            # The good rows are judged beside bad ones too, so that all that stands against a file is told at once.
            made = make(work, list(read.drafts.values())) if read.drafts else None
            if made is not None and not read.refused:
                work.commit()
                if not given["as_json"]:
                    tell_left_aside(read.left_aside, lang())
                tell(made, as_json=given["as_json"])
                return
    except RuleViolation as error:
        is_read = not read.refused
        read, rest = in_rows(read, error.refusals)
        if is_read and not read.refused:
            raise
    _tell(read, rest, path, as_json=given["as_json"])
    sys.exit(REFUSED)


def _tell(read: Read[NewSite], rest: Iterable[Refusal], path: Path, *, as_json: bool) -> None:
    facts = {"file": path.name, "format": read.format, "crs": read.crs, "encoding": read.encoding}
    if as_json:
        told = {"columns": dict(read.columns), "columns_left_aside": list(read.left_aside), "refused": read.refused}
        rows = [row.render(lang()) for row in read.rows]
        echo_json({"ok": False} | facts | told | {"rows": rows, "refusals": [one.render(lang()) for one in rest]})
        return
    says = _SAYS[lang()]
    click.echo(says["head"].format(**facts))
    columns = ", ".join(f"{field} = {column}" for field, column in read.columns.items())
    click.echo(says["columns"].format(columns=columns or "—"))
    tell_left_aside(read.left_aside, lang())
    tell_rows(read.rows, lang())
    echo_refusals(tuple(rest), lang())
    click.echo(says["none"].format(refused=read.refused, total=len(read.rows)))
