"""`skywarden coverage report`, `coverage coordinated`: a study, or a government's siting, as a page or on paper."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click

from schemas.refusals import invalid
from web.cli.common import actor_for, as_person, lang, pass_services
from web.wiring import Services

_SAYS = {"en": "Wrote {path}.", "zh": "已写入 {path}。"}
OUT = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.argument("study")
@click.option("--out", type=OUT, required=True, help="The file: .html opens without a network, .pdf prints.")
@as_person
@pass_services
def report(services: Services, study: str, out: Path, person: str | None) -> None:
    """Writes the report of STUDY: every answer with its maps, as one page that stands by itself or as PDF."""
    from web.app import create_app
    from web.planner import coverage_report, printed, study_sheet

    refuse_other(out, (".html", ".pdf"))
    actor = actor_for(services, person)
    with create_app(services).test_request_context(f"/?lang={lang()}"), services.session() as db:
        document = coverage_report.report(db, study_sheet.opened_by(db, actor, study))
        _write(out, printed.pdf_of(document) if out.suffix.lower() == ".pdf" else document.encode())
    click.echo(_SAYS[lang()].format(path=out))


@click.command("coordinated")
@click.option("--government", default="", help="Code of the authority at its head; the first without it.")
@click.option("--year", default="", help="The year of the report; this one without it.")
@click.option("--table", type=click.Choice(["authorities", "duplicates", "sites", "gaps"]), default="authorities")
@click.option("--out", type=OUT, required=True, help="The file: .html, .pdf, or .csv for one of its tables.")
@as_person
@pass_services
def coordinated(services: Services, government: str, year: str, table: str, out: Path, person: str | None) -> None:
    """Writes the coordinated-siting report of a government: duplicates, sharing, gaps and plans (GD-17)."""
    from web.app import create_app
    from web.planner import coordinating, printed

    refuse_other(out, (".html", ".pdf", ".csv"))
    actor = actor_for(services, person)
    with create_app(services).test_request_context(f"/?lang={lang()}"), services.session() as db:
        made = coordinating.made(db, coordinating.heads_of(db, actor), government, year)
        if out.suffix.lower() == ".csv":
            _write(out, ("\ufeff" + coordinating.as_csv(made, table)).encode())
        else:
            document = coordinating.as_document(db, made)
            _write(out, printed.pdf_of(document) if out.suffix.lower() == ".pdf" else document.encode())
    click.echo(_SAYS[lang()].format(path=out))


def refuse_other(out: Path, known: tuple[str, ...]) -> None:
    """Raises RuleViolation for a file that would be of no known kind, and FileNotFoundError for one of no folder."""
    if out.suffix.lower() not in known:
        raise invalid("report.out", measured=out.name[:80], required=", ".join(known))
    if not out.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(out.parent))


def _write(out: Path, content: bytes) -> None:
    partial = out.with_name(f"{out.name}.part")
    partial.write_bytes(content)
    partial.replace(out)
