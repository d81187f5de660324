"""`skywarden coverage new`, `list`, `run`, `show`, `export`, `remove`: studies kept, answered and handed on."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.commands import studies
from geo.coverage.asked import DEMANDS, KINDS, STATUSES, Asked
from geo.coverage.exports import FORMS, export_of, write
from geo.coverage.footprints import DENSITIES_PX_PER_M
from geo.coverage.reading import Named
from schemas.actors import Actor, ActorKind
from schemas.refusals import conflict, not_found
from schemas.store.jobs import DONE, FAILED, WAITING, WORKING
from schemas.store.work import Work
from schemas.tables import Authority, CoverageStudy
from web import planning_jobs
from web.cli.common import REFUSED, actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.coverage_files import cameras_of, ground_of, of_files
from web.cli.progress import progress_bar
from web.cli.registry import FILE
from web.permissions import Permission
from web.planner import scope
from web.wiring import Services

_SAYS = {
    "en": {
        "new": "{study}: {title} ({devices} devices of its own). Answer it: skywarden coverage run {study}",
        "row": "{study}  {stage:8} {share:>4.0%}  {authority:8} {title}",
        "none": "There are no studies.",
        "waits": "{study} has no answer yet ({stage}, {share:.0%}).",
        "failed": "{study} has no answer, for this reason:",
        "fix": "  {message} {fix}",
        "wrote": "Wrote {path}.",
        "gone": "{study} is removed.",
    },
    "zh": {
        "new": "{study}：{title}（自带 {devices} 台设备）。计算：skywarden coverage run {study}",
        "row": "{study}  {stage:8} {share:>4.0%}  {authority:8} {title}",
        "none": "尚无研究。",
        "waits": "{study} 尚无结果（{stage}，{share:.0%}）。",
        "failed": "{study} 无法给出结果，原因：",
        "fix": "  {message}{fix}",
        "wrote": "已写入 {path}。",
        "gone": "已删除 {study}。",
    },
}
_OUT = click.Path(path_type=Path, dir_okay=False)
_FORM_OF = {".gpkg": "gpkg", ".geojson": "geojson", ".json": "geojson", ".tif": "cog", ".tiff": "cog", ".csv": "csv"}


def _asks(command: Any) -> Any:  # noqa: ANN401
    """What can be asked of coverage, as geo.coverage.asked knows it."""
    for option in (
        click.option("--secret", is_flag=True, help="Count secret devices too; for those who are cleared."),
        click.option("--days", type=int, default=30, help="How far patrols and satellite scenes count back."),
        click.option("--image-width-px", type=int, default=1_920, help="How wide the images of cameras are."),
        click.option("--density", type=click.Choice(list(DENSITIES_PX_PER_M)), help="What a target must show."),
        click.option("--own-only", is_flag=True, help="Count the study's own devices alone."),
        click.option("--demand", type=click.Choice(DEMANDS), multiple=True, help="What needs watching; area without."),
        click.option("--levels", type=int, default=3, help="How many views are told apart."),
        click.option("--buildings-m", type=float, help="Let buildings of the base map stand so high."),
        click.option("--over-terrain", is_flag=True, help="Leave out what hills hide, and what stands on them."),
        click.option("--hour", type=int, help="A local hour, 0 to 23; any without it. Darkness is not modelled."),
        click.option("--type", "device_types", type=click.Choice(KINDS), multiple=True, help="Only such devices."),
        click.option("--item", help="Only devices of the supervision item with this code."),
        click.option("--shared", is_flag=True, help="Count devices of other authorities that can be shared."),
        click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Active without it."),
    ):
        command = option(command)
    return command


@click.command("new")
@click.argument("title")
@click.option("--cameras", type=FILE, help="Devices that the study adds, as `coverage find` reads them.")
@click.option("--authority", default="", help="Code of the authority; the first of yours without it.")
@_asks
@of_files
@as_person
@as_json
@pass_services
def new(services: Services, title: str, cameras: Path | None, **given: Any) -> None:  # noqa: ANN401
    """Keeps a question of coverage under TITLE; `skywarden coverage run` or the worker answers it."""
    asked, ground = _asked(given), ground_of(given)
    devices = [_new(one) for one in cameras_of(cameras, given).drafts.values()] if cameras else []
    with services.work(actor_for(services, given["person"])) as work:
        owner = scope.authority_of(
            scope.authorities(work.session, work.actor, Permission.DRAFT_PLACES), given["authority"]
        )
        if owner is None:
            raise not_found("coverage.no_studier", "coverage.no_studier")
        made = studies.NewStudy(title=title, authority=owner, ground=ground, asked=asked, devices=devices)
        study = studies.draft_study(work, made)
        work.commit()
    if given["as_json"]:
        echo_json({"ok": True, "study": study.public_id, "stage": study.stage, "devices": len(devices)})
        return
    click.echo(_SAYS[lang()]["new"].format(study=study.public_id, title=study.title, devices=len(devices)))


def _asked(given: Mapping[str, Any]) -> Asked:
    names = ("shared", "item", "hour", "over_terrain", "buildings_m", "levels", "own_only", "density")
    told = {name: given[name] for name in (*names, "image_width_px", "days", "secret")}
    told |= {name: list(given[name]) for name in ("statuses", "device_types", "demand") if given[name]}
    return Asked.of_json(told)


def _new(one: Named) -> studies.NewDevice:
    return studies.NewDevice(view=one.view, label=one.name[:200], device_type=one.device_type)


@click.command("list")
@as_person
@as_json
@pass_services
def list_studies(services: Services, person: str | None, as_json: bool) -> None:
    """Lists the studies of your authorities, the latest first; of all, for the host administration."""
    actor = actor_for(services, person)
    with services.session() as session:
        rows = [
            (study, code)
            for study, code in session.execute(
                select(CoverageStudy, Authority.code)
                .join(Authority, Authority.id == CoverageStudy.authority_id)
                .where(CoverageStudy.authority_id.in_(_scope(session, actor)))
                .order_by(CoverageStudy.recorded_at.desc())
            )
            if not study.question.get("secret") or studies.is_cleared(actor)
        ]
    if as_json:
        echo_json({"studies": [_told(study) | {"authority": code} for study, code in rows]})
        return
    if not rows:
        click.echo(_SAYS[lang()]["none"])
    for study, code in rows:
        told = _told(study) | {"authority": code}
        click.echo(_SAYS[lang()]["row"].format(**told))


def _scope(session: Session, actor: Actor) -> set[uuid.UUID]:
    """The authorities whose studies somebody may open; the host administration keeps those of all."""
    if actor.kind == ActorKind.HOST:
        return set(session.scalars(select(Authority.id)))
    return {one.id for one in scope.authorities(session, actor, Permission.DRAFT_PLACES)}


def _opened(session: Session, actor: Actor, name: str) -> CoverageStudy:
    return studies.opened(session, actor, name, _scope(session, actor))


def _told(study: CoverageStudy) -> dict[str, Any]:
    return {
        "study": study.public_id,
        "title": study.title,
        "stage": study.stage,
        "share": study.share,
        "asked": study.question,
        "recorded_at": study.recorded_at,
        "ended_at": study.ended_at,
    }


@click.command("run")
@click.argument("name", metavar="STUDY")
@as_person
@as_json
@pass_services
def run(services: Services, name: str, person: str | None, as_json: bool) -> None:
    """Answers STUDY now, with a bar that says how far it is; one that has an answer is computed anew.

    What is broken off waits for the worker, or for the next call.
    """
    actor = actor_for(services, person)
    with services.session() as session:
        study = _opened(session, actor, name)
    if study.stage in (DONE, FAILED):
        with services.work(actor) as work:
            study = studies.recompute(work, _opened(work.session, actor, name))
            work.commit()
    with progress_bar(as_json) as progress:
        if planning_jobs.do_next(services, progress, study.id) is None:
            with services.session() as session:
                # One that was thrown away meanwhile is told as that.
                _opened(session, actor, name)
            raise conflict("coverage.under_way", "coverage.under_way", measured=name)
    _show(services, actor, name, whole=as_json)


@click.command("show")
@click.argument("name", metavar="STUDY")
@as_person
@as_json
@pass_services
def show(services: Services, name: str, person: str | None, as_json: bool) -> None:
    """Says what STUDY found."""
    _show(services, actor_for(services, person), name, whole=as_json)


def _show(services: Services, actor: Actor, name: str, *, whole: bool) -> None:
    with services.session() as session:
        study = _opened(session, actor, name)
    if whole:
        echo_json(_told(study) | {"result": study.result})
    elif study.stage in (WAITING, WORKING):
        click.echo(_SAYS[lang()]["waits"].format(**_told(study)))
    elif study.stage == FAILED:
        click.echo(_SAYS[lang()]["failed"].format(study=name))
        for refusal in (study.result or {}).get(lang(), []):
            click.echo(_SAYS[lang()]["fix"].format(**refusal))
    else:
        for sentence in (study.result or {})["sentences"][lang()]:
            click.echo(sentence)
    if study.stage == FAILED:
        sys.exit(REFUSED)


@click.command("export")
@click.argument("name", metavar="STUDY")
@click.option("--out", type=_OUT, required=True, help="The file: .gpkg, .geojson, .tif (COG) or .csv.")
@click.option("--as-format", "form", type=click.Choice(FORMS), help="The format, where the name does not say it.")
@click.option("--cell-m", type=click.FloatRange(min=0.01), help="How wide a cell of the raster is.")
@as_person
@pass_services
def export(services: Services, name: str, out: Path, **given: Any) -> None:  # noqa: ANN401
    """Writes the answer to STUDY for other programs: shapes, a raster of how often each cell is seen, or figures."""
    with services.session() as session:
        study = _opened(session, actor_for(services, given["person"]), name)
        made = export_of(session, study, is_sample=services.holds_sample_data)
    form = given["form"] or _FORM_OF.get(out.suffix.lower(), out.suffix or "?")
    write(made, out, form, cell_m=given["cell_m"])
    click.echo(_SAYS[lang()]["wrote"].format(path=out))


@click.command("remove")
@click.argument("name", metavar="STUDY")
@as_person
@pass_services
def remove(services: Services, name: str, person: str | None) -> None:
    """Throws STUDY away, with its devices, its answer and its questions of siting."""
    actor = actor_for(services, person)

    def gone(work: Work) -> None:
        studies.remove_study(work, _opened(work.session, actor, name))
        work.commit()

    with services.work(actor) as work:
        gone(work)
    click.echo(_SAYS[lang()]["gone"].format(study=name))


COMMANDS: Collection[click.Command] = (new, list_studies, run, show, export, remove)


def join(group: click.Group, commands: Iterable[click.Command] = COMMANDS) -> None:
    """Gives a group these commands."""
    for command in commands:
        group.add_command(command)
