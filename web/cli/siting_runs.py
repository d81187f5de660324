"""`skywarden siting ask`, `runs`, `result`, `stop`, `again`, `plan-from`: where devices or patrols help most."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from geo.commands.siting_runs import (
    Draft,
    answer_at,
    ask_again,
    ask_run,
    draft_from,
    opened_run,
    runs_of,
    stop_run,
)
from geo.commands.studies import opened
from geo.commands.words import DEVICE_TYPES
from geo.coverage.demand import KINDS
from geo.siting.asked import MODELS, SOURCES, SitingAsked
from geo.siting.telling import amount
from schemas.refusals import invalid, not_found
from schemas.store.jobs import FAILED
from schemas.store.work import Work
from schemas.tables import SitingRun, SupervisionItem
from web import siting_jobs
from web.cli.common import REFUSED, actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import FILE, Pair, by_code
from web.permissions import Permission
from web.planner.scope import authorities
from web.wiring import Services

_SAYS = {
    "en": {
        "asked": "{run} is asked; the worker answers it (skywarden siting result {run}).",
        "waits": "{run} waits for the worker.",
        "working": "{run} is being worked on: {share:.0%}.",
        "failed": "{run} has no answer:",
        "site": "{number}. {kind} {device}at {lon:.5f}, {lat:.5f}{azimuth}",
        "azimuth": ", looking to {azimuth:.0f}°",
        "new": "new",
        "shared": "to be shared",
        "patrol": "patrol",
        "drafted": "{plan}: draft, {sites} sites. Reasons are prepared for: {prepared}.",
        "answer": "Answer the duplicates yourself (skywarden siting justify {plan} --duplicates TEXT).",
        "none": "No question was asked on {study} yet.",
        "stopped": "{run} is stopped; skywarden siting again {run} has it computed once more.",
        "again": "{run} waits for the worker again (skywarden siting result {run}).",
        "front": "Answers of the front; skywarden siting result {run} --point N tells one, plan-from {run} --point N"
        " drafts it:",
        "point": "  {number}. {seen} more; {burden} in view; sites: {sites}",
        "run": "{run}  {model}  {demand}  {stage}  {plan}",
    },
    "zh": {
        "asked": "已提交 {run}，由后台程序计算（skywarden siting result {run}）。",
        "waits": "{run} 等待计算。",
        "working": "{run} 正在计算：{share:.0%}。",
        "failed": "{run} 没有结果：",
        "site": "{number}. {kind} {device}位于 {lon:.5f}, {lat:.5f}{azimuth}",
        "azimuth": "，朝向 {azimuth:.0f}°",
        "new": "新设",
        "shared": "共享",
        "patrol": "巡查",
        "drafted": "{plan}：草稿，{sites} 个点位。已准备的论证：{prepared}。",
        "answer": "请自行说明重复覆盖（skywarden siting justify {plan} --duplicates 文字）。",
        "none": "{study} 尚无选点计算。",
        "stopped": "{run} 已停止；可用 skywarden siting again {run} 重新计算。",
        "again": "{run} 重新等待计算（skywarden siting result {run}）。",
        "front": "权衡结果（skywarden siting result {run} --point N 查看，plan-from {run} --point N 据此起草）：",
        "point": "  {number}. 增加 {seen}；视野内{burden}；{sites} 个点位",
        "run": "{run}  {model}  {demand}  {stage}  {plan}",
    },
}


@click.command("ask")
@click.argument("name", metavar="STUDY")
@click.option("--model", type=click.Choice(MODELS), help="What is asked; most_seen where nothing is said.")
@click.option("--count", type=int, help="How many devices more, or how many hours of patrol.")
@click.option("--share", type=float, help="Which part of what can be seen shall be seen (least_cost).")
@click.option("--demand", type=click.Choice(KINDS), help="What needs watching.")
@click.option("--from", "sources", multiple=True, type=click.Choice(SOURCES), help="Where devices could stand.")
@click.option("--spacing-m", type=float, help="How far candidates stand apart.")
@click.option("--apart-m", type=float, help="How far two devices stand apart at least.")
@click.option("--directions", type=int, help="In how many directions each candidate is tried.")
@click.option(
    "--effort",
    "efforts",
    multiple=True,
    type=Pair(),
    metavar="SOURCE=NUMBER",
    help="What a site of that source takes beside the others, such as roads=2 (least_cost).",
)
@click.option("--device-type", type=click.Choice(DEVICE_TYPES), help="The kind of a new device.")
@click.option("--range-m", type=float, help="How far a new device sees.")
@click.option("--hfov-deg", type=float, help="How wide it sees; 360 is all round.")
@click.option("--mast-m", type=float, help="How high its lens stands above the ground.")
@click.option("--most-burden", type=float, help="At most so many square metres of homes in view of new devices.")
@click.option("--limit-s", type=float, help="How long the solver may take.")
@click.option("--file", "file", type=FILE, help="The question as JSON, in the place of all these options.")
@click.option("--now", "at_once", is_flag=True, help="Answer it at once, without the worker.")
@as_person
@as_json
@pass_services
def ask(services: Services, name: str, file: Path | None, **given: Any) -> None:  # noqa: ANN401
    """Asks where N more devices, or P more hours of patrol, help most on the ground of STUDY.

    Revenue cannot be asked for: a question that speaks of money is refused (GD-13.1).
    """
    asked = SitingAsked.of_json(_document(file) if file else _question(given))
    actor = actor_for(services, given["person"])
    with services.work(actor) as work:
        allowed = {one.id for one in authorities(work.session, actor, Permission.DRAFT_PLACES)}
        run = ask_run(work, opened(work.session, actor, name, allowed), asked)
        work.commit()
        run_id, public = run.id, run.public_id
    if not given["at_once"]:
        _say_asked(public, given)
        return
    siting_jobs.do_next(services, run_id=run_id)
    with services.session() as session:
        answered = session.get(SitingRun, run_id)
        if answered is None:
            raise not_found("siting.run_gone", "siting.run_gone", measured=public)
        _tell(answered, as_json=given["as_json"])


@click.command("runs")
@click.argument("name", metavar="STUDY")
@as_person
@as_json
@pass_services
def runs(services: Services, name: str, person: str | None, as_json: bool) -> None:
    """The questions that were asked on STUDY, the latest first."""
    actor = actor_for(services, person)
    with services.session() as session:
        allowed = {one.id for one in authorities(session, actor, Permission.DRAFT_PLACES)}
        study = opened(session, actor, name, allowed)
        rows = [_row(run) for run in runs_of(session, study)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(_SAYS[lang()]["run"].format(**row | {"plan": row["plan"] or ""}).rstrip())
    if not rows:
        click.echo(_SAYS[lang()]["none"].format(study=name))


@click.command("result")
@click.argument("name", metavar="RUN")
@click.option("--point", type=int, help="Tell this answer of the front instead.")
@as_person
@as_json
@pass_services
def result(services: Services, name: str, point: int | None, person: str | None, as_json: bool) -> None:
    """What RUN found: each site with what it adds, duplicates and touches, and the rules that it meets."""
    actor = actor_for(services, person)
    with services.session() as session:
        allowed = {one.id for one in authorities(session, actor, Permission.DRAFT_PLACES)}
        _tell(opened_run(session, actor, name, allowed), point, as_json=as_json)


@click.command("stop")
@click.argument("name", metavar="RUN")
@as_person
@pass_services
def stop(services: Services, name: str, person: str | None) -> None:
    """Ends RUN before it has an answer; the solver that works on it stops within a second or two."""
    _turn(services, name, person, stop_run)
    click.echo(_SAYS[lang()]["stopped"].format(run=name))


@click.command("again")
@click.argument("name", metavar="RUN")
@as_person
@pass_services
def again(services: Services, name: str, person: str | None) -> None:
    """Has RUN computed once more, which was stopped or has no answer."""
    _turn(services, name, person, ask_again)
    click.echo(_SAYS[lang()]["again"].format(run=name))


def _turn(services: Services, name: str, person: str | None, step: Callable[[Work, SitingRun], None]) -> None:
    actor = actor_for(services, person)
    with services.work(actor) as work:
        allowed = {one.id for one in authorities(work.session, actor, Permission.DRAFT_PLACES)}
        step(work, opened_run(work.session, actor, name, allowed))
        work.commit()


@click.command("plan-from")
@click.argument("name", metavar="RUN")
@click.option("--item", required=True, help="Code of the supervision item.")
@click.option("--title-en", required=True, help="Title in English.")
@click.option("--title-zh", required=True, help="Title in Chinese.")
@click.option("--purpose-en", required=True, help="What the devices are for, in English.")
@click.option("--purpose-zh", required=True, help="The same in Chinese.")
@click.option("--point", type=int, help="The answer of the front to draft, where the run weighed several.")
@as_person
@as_json
@pass_services
def plan_from(services: Services, name: str, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Drafts a siting plan with the new sites of RUN, its reasons prepared; a person reads and justifies it."""
    actor = actor_for(services, person)
    with services.work(actor) as work:
        allowed = {one.id for one in authorities(work.session, actor, Permission.DRAFT_PLACES)}
        run = opened_run(work.session, actor, name, allowed)
        item = by_code(work, SupervisionItem, given.pop("item"))
        made = draft_from(work, run, Draft(item=item, **given))
        work.commit()
        prepared = [*made.case.justification, *made.case.need]
        plan, sites = made.plan.public_id, len(made.plan.sites)
        taken = (run.result or {}) if given["point"] is None else answer_at(run.result or {}, given["point"]) or {}
        rules = [rule for site in taken.get("sites", ()) for rule in site["rules"]]
        unmet = any(rule["rule"] == "GD-17" and not rule["met"] for rule in rules)
    if as_json:
        echo_json({"ok": True, "id": plan, "sites": sites, "prepared": prepared, "duplicates_to_answer": unmet})
        return
    click.echo(_SAYS[lang()]["drafted"].format(plan=plan, sites=sites, prepared=", ".join(prepared)))
    if unmet:
        click.echo(_SAYS[lang()]["answer"].format(plan=plan))


def _document(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_bytes())
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise invalid("siting.unreadable", "siting.unreadable", what="--file", measured=file.name)
    return told


def _question(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the document that they stand for."""
    whole = {key: given[key] for key in ("model", "count", "share", "demand", "most_burden", "limit_s")}
    efforts = {source: _number(source, text) for source, text in given["efforts"]}
    candidates = {"from": list(given["sources"]) or None, "effort": efforts or None}
    candidates |= {key: given[key] for key in ("spacing_m", "apart_m", "directions")}
    view = {key: given[key] for key in ("device_type", "range_m", "hfov_deg", "mast_m")}
    parts = {"candidates": candidates, "view": view}
    said = {key: value for key, value in whole.items() if value is not None}
    return said | {name: {key: one for key, one in part.items() if one is not None} for name, part in parts.items()}


def _number(source: str, told: str) -> float:
    try:
        return float(told)
    except ValueError:
        raise invalid("siting.unreadable", "siting.unreadable", what=f"effort {source}", measured=told[:40]) from None


def _say_asked(public: str, given: dict[str, Any]) -> None:
    if given["as_json"]:
        echo_json({"ok": True, "id": public, "stage": "waiting"})
    else:
        click.echo(_SAYS[lang()]["asked"].format(run=public))


def _row(run: SitingRun) -> dict[str, Any]:
    plan = run.plan.public_id if run.plan_id and run.plan else None
    told = {"run": run.public_id, "model": run.question["model"], "demand": run.question["demand"]}
    return told | {"stage": run.stage, "share": run.share, "plan": plan}


def _tell(run: SitingRun, point: int | None = None, *, as_json: bool) -> None:
    """Says what a run found; one that has no answer ends the program as a refusal does."""
    found: Mapping[str, Any] | None = run.result
    if point is not None:
        found = answer_at(run.result or {}, point)
        if found is None:
            raise invalid("siting.run_no_point", "siting.run_no_point", measured=run.public_id, point=point)
    if as_json:
        echo_json(_row(run) | {"question": run.question, "result": found})
    else:
        _tell_in_words(run, found or {})
    if run.stage == FAILED:
        sys.exit(REFUSED)


def _tell_in_words(run: SitingRun, found: Mapping[str, Any]) -> None:
    says = _SAYS[lang()]
    if run.stage == FAILED:
        click.echo(says["failed"].format(run=run.public_id))
        for refusal in found[lang()]:
            click.echo(f"  ✗ {refusal['rule']}  {refusal['message']}\n      → {refusal['fix']}")
    elif run.stage == "done":
        _tell_sites(found, says)
        if len(front := found.get("front") or ()) > 1:
            _tell_front(run.public_id, front, found["unit"], says)
    else:
        click.echo(says["waits" if run.stage == "waiting" else "working"].format(run=run.public_id, share=run.share))


def _tell_front(run: str, front: Sequence[Mapping[str, Any]], unit: str, says: dict[str, str]) -> None:
    click.echo(says["front"].format(run=run))
    for number, one in enumerate(front, 1):
        seen, burden = amount(one["seen"], unit, lang()), amount(one["burden"], "homes_m2", lang())
        click.echo(says["point"].format(number=number, seen=seen, burden=burden, sites=len(one["sites"])))


def _tell_sites(found: Mapping[str, Any], says: dict[str, str]) -> None:
    for line in found["sentences"][lang()]:
        click.echo(line)
    for site in found["sites"]:
        azimuth, (lon, lat) = site["sector_azimuth_deg"], site["at"]
        looking = "" if azimuth is None else says["azimuth"].format(azimuth=azimuth)
        device = f"{site['device']} " if site["device"] else ""
        words = {"number": site["ordinal"], "kind": says[site["kind"]], "device": device, "azimuth": looking}
        click.echo(says["site"].format(lon=lon, lat=lat, **words))
        for line in site["sentences"][lang()]:
            click.echo(f"   {line}")
        for rule in site["rules"]:
            click.echo(f"   {'✓' if rule['met'] else '✗'} {rule['rule']}  {rule[lang()]}")
