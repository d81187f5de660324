"""`skywarden finding`: what was found, one's own authorities' alone: listed, shown, taken on, handed on, printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from schemas.actors import Actor
from schemas.refusals import Kind, RuleViolation, forbidden
from schemas.roles import Role
from schemas.words import Coded, words
from sensing.derived import MADE_FROM
from sensing.export import CGCS2000, FORMATS, GEOPACKAGE, SHAPEFILE, WGS84, export
from sensing.export import Asked as ToExport
from sensing.words import name
from web.cli import finding_release
from web.cli.common import Instant, as_json, as_person, echo_json, echo_refusals, lang, pass_services
from web.desk import queries
from web.desk.queries import Finding, Row, Wanted
from web.desk.several import REJECT, TAKE, Asked, checked, record
from web.desk.sheet import sheet
from web.wiring import Services

WORDS = {
    "en": {
        "none": "No finding waits.",
        "row": "{id}  {kind}, {area:,.0f} m²  {state}  due {due}  risk {risk}{mine}",
        "mine": "  yours",
        "place": "    {place}",
        "head": "{id}: {kind}, {area:,.0f} m², {state} (version {version})",
        "reason": "  reason: {reason}",
        "made": "  made from {sources} ({how})",
        "lost": "  ! {finding} {column}: {what}",
        "written": "{out}: {count} findings, EPSG:{epsg}",
        "taken": "{id}: yours",
        "rejected": "{id}: rejected",
        "refused": "{id}: left as it is",
        "page": "{out}: one page to print",
        "scene": "  scene {scene}, copy {copy}",
    },
    "zh": {
        "none": "没有待处理线索。",
        "row": "{id}  {kind}，{area:,.0f} 平方米  {state}  到期 {due}  风险 {risk}{mine}",
        "mine": "  由您经办",
        "place": "    {place}",
        "head": "{id}：{kind}，{area:,.0f} 平方米，{state}（版本 {version}）",
        "reason": "  理由：{reason}",
        "made": "  派生自 {sources}（{how}）",
        "lost": "  ！{finding} {column}：{what}",
        "written": "{out}：{count} 条线索，EPSG:{epsg}",
        "taken": "{id}：已由您受理",
        "rejected": "{id}：已驳回",
        "refused": "{id}：未作变更",
        "page": "{out}：单页打印件",
        "scene": "  影像 {scene}，副本 {copy}",
    },
}
_HOW = {"split": {"en": "cut", "zh": "拆分"}, "merge": {"en": "joined", "zh": "合并"}}
_SUFFIX = {".gpkg": GEOPACKAGE, ".zip": SHAPEFILE}


@click.group()
def finding() -> None:
    """Findings of the authorities in which the acting person is an officer."""


for _command in (finding_release.private, finding_release.release, finding_release.shut):
    finding.add_command(_command)


def _officer(services: Services, person: str | None) -> Actor:
    """The acting officer. Raises RuleViolation 403 where nobody is named: the host administration sees no findings."""
    if person is None:
        raise forbidden("state.role", "finding.officer", required=Coded("role", [Role.OFFICER]))
    return services.actor(person)


@finding.command("list")
@click.option("--kind", help="Only of this kind, such as excavation.")
@click.option("--sensor", type=click.Choice(["uav", "satellite", "aerial", "station"]))
@click.option("--authority", help="Only of this authority of yours, by its code.")
@click.option("--mine", is_flag=True, help="Only what you have taken on.")
@click.option("--after", metavar="CURSOR", help="Go on behind this line (--json gives the cursor of each).")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_person
@as_json
@pass_services
def listed(services: Services, person: str | None, as_json: bool, **asked: Any) -> None:  # noqa: ANN401
    """Lists what waits: your own first, then by risk and last day, with the reason for the place."""
    actor = _officer(services, person)
    with services.session() as session:
        rows = queries.queue(session, actor, services.rulebook, services.clock.now(), Wanted(**asked))
    if as_json:
        echo_json({"ok": True, "findings": [vars(row) | {"cursor": row.cursor} for row in rows]})
        return
    if not rows:
        click.echo(WORDS[lang()]["none"])
    for row in rows:
        _echo_row(row)


def _echo_row(row: Row) -> None:
    said = WORDS[lang()]
    mine = said["mine"] if row.mine else ""
    told = {"id": row.public_id, "kind": name(row.kind, lang()), "state": _state(row.state), "due": row.due}
    click.echo(said["row"].format(**told, area=row.area_m2, risk=row.risk, mine=mine))
    if row.place:
        click.echo(said["place"].format(place=row.place[0][lang()]))


def _state(code: str) -> str:
    return words()["state"][code][lang()]


@finding.command("show")
@click.argument("finding_id", metavar="FINDING")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write the page to print to this file.")
@as_person
@as_json
@pass_services
def show(services: Services, finding_id: str, page: Path | None, person: str | None, as_json: bool) -> None:
    """Tells what FINDING is and why, from which image, and what was decided."""
    actor = _officer(services, person)
    with services.session() as session:
        found = queries.finding(session, actor, finding_id)
        provenance = queries.row_of(session, actor, finding_id).provenance
        if page is not None:
            page.write_text(sheet(services, session, actor, finding_id, lang()), encoding="utf-8")
    if as_json:
        echo_json({"ok": True, "finding": vars(found) | {"provenance": provenance}})
        return
    _echo_finding(found, provenance)
    if page is not None:
        click.echo(WORDS[lang()]["page"].format(out=page))


def _echo_finding(found: Finding, provenance: dict[str, object]) -> None:
    said, told = WORDS[lang()], {"id": found.public_id, "kind": name(found.kind, lang())}
    click.echo(said["head"].format(**told, area=found.area_m2, state=_state(found.state), version=found.version))
    for line in found.trace:
        click.echo(f"  {line[lang()]}")
    made = provenance.get(MADE_FROM)
    if isinstance(made, dict):
        sources = ", ".join(one["id"] for one in made["from"])
        click.echo(said["made"].format(sources=sources, how=_HOW[made["how"]][lang()]))
    if found.after is not None:
        click.echo(said["scene"].format(scene=provenance.get("scene", "–"), copy=found.after.sha256[:16]))
    if found.reason:
        click.echo(said["reason"].format(reason=found.reason))


@finding.command("take")
@click.argument("finding_ids", metavar="FINDING...", nargs=-1, required=True)
@as_person
@as_json
@pass_services
def take(services: Services, finding_ids: tuple[str, ...], person: str | None, as_json: bool) -> None:
    """Takes findings on, each by itself: one that somebody else has taken does not keep the others back."""
    _several(services, person, Asked(TAKE, dict.fromkeys(finding_ids)), as_json=as_json)


@finding.command("reject")
@click.argument("finding_ids", metavar="FINDING...", nargs=-1, required=True)
@click.option("--code", help="A reason of the list, such as ploughed_field.")
@click.option("--reason", default="", help="The reason in your own words.")
@as_person
@as_json
@pass_services
def reject(
    services: Services, finding_ids: tuple[str, ...], code: str | None, reason: str, person: str | None, as_json: bool
) -> None:
    """Rejects findings with one reason, each by itself; what is refused is told and does not keep the others back."""
    asked = checked(Asked(REJECT, dict.fromkeys(finding_ids), code, reason))
    _several(services, person, asked, as_json=as_json)


def _several(services: Services, person: str | None, asked: Asked, *, as_json: bool) -> None:
    told = record(services, _officer(services, person), asked)
    if as_json:
        refused = {one: RuleViolation(Kind.CONFLICT, found).render(lang()) for one, found in told.refused.items()}
        done = {TAKE: "taken", REJECT: "rejected"}[asked.decision]
        echo_json({"ok": not refused, done: told.done, "refused": refused})
    else:
        for one in asked.seen:
            word = "refused" if one in told.refused else {TAKE: "taken", REJECT: "rejected"}[asked.decision]
            click.echo(WORDS[lang()][word].format(id=one))
            echo_refusals(told.refused.get(one, ()), lang())
    if told.refused:
        click.get_current_context().exit(1)


@finding.command("export")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), help="By the name of OUT (.gpkg, .zip) without it.")
@click.option(
    "--crs", type=click.Choice([f"EPSG:{WGS84}", f"EPSG:{CGCS2000}"]), default=f"EPSG:{WGS84}", show_default=True
)
@click.option("--since", type=Instant(), help="Only what was formed from this time on.")
@click.option("--kind", help="Only of this kind.")
@click.option("--state", help="Only in this state, such as confirmed.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@as_person
@as_json
@pass_services
def exported(services: Services, out: Path, person: str | None, as_json: bool, **asked: Any) -> None:  # noqa: ANN401
    """Writes findings of your authorities to OUT: a GeoPackage, or a Shapefile in a zip, and tells what it loses."""
    actor = _officer(services, person)
    form = asked.pop("form") or _SUFFIX.get(out.suffix.lower())
    if form is None:
        raise click.UsageError("OUT ends in neither .gpkg nor .zip; say which with --format.")
    if out.exists() and not asked.pop("force"):
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    asked.pop("force", None)
    epsg = int(str(asked.pop("crs")).removeprefix("EPSG:"))
    out.unlink(missing_ok=True)
    with services.session() as session:
        wanted = ToExport(queries.authorities_of(actor), **asked)
        written = export(session, wanted, out, str(form), epsg=epsg, now=services.clock.now())
    if as_json:
        losses = [vars(loss) for loss in written.losses]
        echo_json({"ok": True, "file": str(out), "findings": written.findings, "epsg": epsg, "losses": losses})
        return
    said = WORDS[lang()]
    click.echo(said["written"].format(out=out, count=written.findings, epsg=epsg))
    for loss in written.losses:
        told = {"finding": loss.finding or "*", "column": loss.column, "what": loss.en if lang() == "en" else loss.zh}
        click.echo(said["lost"].format(**told))
