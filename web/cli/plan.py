"""`skywarden plan`: judge a plan file, file a flight with it, and write a published mission to a file."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from flights import queries
from flights.check.margins import Margin, nearest
from flights.check.precheck import Verdict
from flights.check.situation import Options
from flights.filing import Filed, FilingRequest, file_and_judge
from flights.formats import read_plan, write_plan
from flights.ground import open_ground
from flights.model import Plan
from schemas.limits import limit
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import PatrolRoute
from schemas.words import Coded
from web.checks import judged
from web.cli.common import (
    REFUSED,
    Instant,
    actor_for,
    as_json,
    as_person,
    echo_json,
    echo_refusals,
    lang,
    pass_services,
)
from web.cli.plan_convert import plan_convert
from web.cli.plan_survey import survey
from web.wiring import Services

WORDS = {
    "en": {
        "items": "items",
        "length": "route",
        "flown": "with the way there and back",
        "digest": "digest",
        "route": "route",
        "when": "when",
        "assumed": "assumed",
        "zone": "zone",
        "area": "edge of",
        "airspace": "airspace",
        "residential": "homes",
        "traffic": "flight",
        "terrain": "above ground",
        "way": "on the way to",
        "keeps": "keeps",
        "line": "line",
        "camera": "camera",
        "ok": "May be flown.",
        "refused": "May not be flown",
        "unjudged": "Cannot be checked",
        "filed": "Flight filed",
        "failed": "Flight filed, but it did not pass its check",
        "mission": "published mission that will be flown",
        "written": "written",
    },
    "zh": {
        "items": "项",
        "length": "航线",
        "flown": "含往返",
        "digest": "摘要",
        "route": "航线编号",
        "when": "时间",
        "assumed": "假定",
        "zone": "隐私区",
        "area": "区域边界",
        "airspace": "空域",
        "residential": "居民区",
        "traffic": "其他飞行",
        "terrain": "离地高度",
        "way": "返回途中",
        "keeps": "距离",
        "line": "航线",
        "camera": "相机",
        "ok": "可以飞行。",
        "refused": "不得飞行",
        "unjudged": "无法检查",
        "filed": "飞行已申报",
        "failed": "飞行已申报，但未通过检查",
        "mission": "将执行的已公示任务",
        "written": "已写入",
    },
}


def _finite(_context: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Refuses nan, which lies in every range that click checks."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number.", param=param)
    return value


plan_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
height = click.option(
    "--alt-agl-m",
    type=click.FloatRange(0, 20_000, min_open=True),
    callback=_finite,
    help="Height where the file gives none.",
)
camera = click.option(
    "--hfov-deg",
    type=click.FloatRange(0, 150, min_open=True),
    callback=_finite,
    help="Full horizontal angle of the camera; without it that of the file or of the drone.",
)


@click.group()
def plan() -> None:
    """Flight plans: QGroundControl .plan, QGC WPL 110, KML and KMZ, DJI WPML, GeoJSON lines."""


@plan.command("check")
@plan_file
@click.option("--at", type=Instant(), help="Take-off, such as 2025-07-02T10:00+08:00; now without it.")
@click.option("--route", help="The published route that the plan is meant to be; found by its line without it.")
@click.option("--drone", help="The aircraft; the first one in use without it.")
@height
@camera
@as_json
@pass_services
def check(services: Services, file: Path, as_json: bool, drone: str | None, **asked: Any) -> None:  # noqa: ANN401
    """Judges FILE by every rule at once: may it be flown, there and then?

    Ends with 0 when nothing stands against it, with 1 when something does.
    """
    at = asked["at"] or services.clock.now()
    options = Options(alt_agl_m=asked["alt_agl_m"], hfov_deg=asked["hfov_deg"], route=asked["route"])
    try:
        drawn = read_plan(_content(file), file.name)
        verdict, zone = judged(services, drawn, at, options, drone)
    except RuleViolation as violation:
        _tell_unjudged(violation, as_json=as_json)
    if as_json:
        echo_json(verdict.render(lang()))
    else:
        _tell(verdict, drawn, file.name, zone)
    sys.exit(0 if verdict.ok else REFUSED)


def _content(file: Path) -> bytes:
    """The file's bytes; of one that is too large only as much as shows it."""
    with file.open("rb") as source:
        return source.read(limit("plan.bytes") + 1)


def _tell_unjudged(violation: RuleViolation, *, as_json: bool) -> NoReturn:
    """Ends the run with why nothing could be judged (no plan, no such drone), in the shape of every other answer."""
    if as_json:
        empty: dict[str, Any] = {"digest": None, "items": 0, "length_m": 0.0, "assumed": []}
        echo_json({"ok": False, "refusals": violation.render(lang())} | empty)
    else:
        click.echo(f"{WORDS[lang()]['unjudged']}:")
        echo_refusals(violation.refusals, lang())
    sys.exit(REFUSED)


def _tell(verdict: Verdict, drawn: Plan, name: str, zone: Any) -> None:  # noqa: ANN401
    words = WORDS[lang()]
    start, end = (at.astimezone(zone) for at in (verdict.start, verdict.end))
    click.echo(f"{name}  ({drawn.source}, {verdict.items} {words['items']})")
    rows = [
        (words["length"], f"{verdict.length_m:,.0f} m, {words['flown']} {verdict.flown_m:,.0f} m"),
        (words["digest"], verdict.digest),
        (words["when"], f"{start:%Y-%m-%d %H:%M} – {end:%H:%M} ({zone})"),
    ]
    if verdict.route:
        rows.append((words["route"], f"{verdict.route} ({words['mission']}: {verdict.published_digest})"))
    rows += [(words["assumed"], f"{a.title(lang())} = {a.shown(lang())} ({a.source(lang())})") for a in verdict.assumed]
    rows += [(words["keeps"], _said(clearance, words)) for clearance in nearest(verdict.clearances)]
    for label, value in rows:
        click.echo(f"  {label:<9} {value}")
    if verdict.ok:
        click.secho(words["ok"], fg="green")
    else:
        click.secho(f"{words['refused']} ({len(verdict.refusals)}):", fg="red")
        echo_refusals(verdict.refusals, lang())


def _said(clearance: Margin, words: Mapping[str, str]) -> str:
    if clearance.kind == "terrain":
        return f"{words['terrain']} {clearance.line_m:,.0f} m"
    if clearance.kind == "way":
        code, space, number = clearance.name.partition(" ")
        refuge = Coded("refuge", [code], space + number).tell(lang())
        return f"{words['terrain']} {clearance.line_m:,.0f} m, {words['way']} {refuge}"
    seen = "" if clearance.footprint_m is None else f", {words['camera']} {clearance.footprint_m:,.0f} m"
    return f"{words[clearance.kind]} {clearance.name}: {words['line']} {clearance.line_m:,.0f} m{seen}"


@plan.command("file")
@plan_file
@click.option("--route", required=True, help="The published route that will be flown.")
@click.option("--inspection-plan", "inspection", required=True, help="The approved inspection plan.")
@click.option("--drone", required=True, help="The aircraft.")
@click.option("--start", required=True, type=Instant(), help="Earliest take-off.")
@click.option("--end", required=True, type=Instant(), help="Latest landing.")
@click.option("--key", help="Names this request: sent again, as after a lost answer, it gives the flight that it made.")
@height
@camera
@as_person
@as_json
@pass_services
def file_plan(services: Services, file: Path, person: str | None, as_json: bool, **asked: Any) -> None:  # noqa: ANN401
    """Files FILE as a flight along a published route; the system judges it at once.

    What will be flown is the published mission of the route; both digests are printed and stored.
    """
    given = {name: asked.pop(name) for name in ("alt_agl_m", "hfov_deg")}
    options = {name: value for name, value in given.items() if value is not None}
    request = FilingRequest(data=_content(file), name=file.name, options=options, **asked)
    with open_ground(services.data_dir) as ground:
        filed = file_and_judge(services.work, actor_for(services, person), request, ground)
    if as_json:
        echo_json(_filed_body(filed))
    else:
        words = WORDS[lang()]
        click.echo(f"{words['failed' if filed.refusals else 'filed']}: {filed.flight} ({filed.state})")
        click.echo(f"  {words['digest']:<9} {filed.plan_digest}")
        click.echo(f"  {words['route']:<9} {filed.mission_digest} ({words['mission']})")
        echo_refusals(filed.refusals, lang())
    sys.exit(REFUSED if filed.refusals else 0)


def _filed_body(filed: Filed) -> dict[str, Any]:
    return {
        "ok": not filed.refusals,
        "flight": filed.flight,
        "state": filed.state,
        "digest": filed.plan_digest,
        "published_digest": filed.mission_digest,
        "refusals": [refusal.render(lang()) for refusal in filed.refusals],
    }


@plan.command("export")
@click.argument("route")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@pass_services
def export(services: Services, route: str, out: Path, force: bool) -> None:
    """Writes the published mission of ROUTE to OUT: .plan (with its fence), .waypoints, or .geojson (its line).

    `skywarden plan convert` makes any other format of it, and says what that cannot carry.
    """
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    with services.session() as session:
        row = find(session, PatrolRoute, route)
        now = services.clock.now()
        exported = queries.exported_plan(session, row, out.suffix.lower(), now, now + timedelta(days=1))
        out.write_bytes(write_plan(exported, out.suffix))
        click.echo(f"{out}: {row.public_id}, {WORDS[lang()]['digest']} {row.mission_digest}")


plan.add_command(survey)
plan.add_command(plan_convert)
