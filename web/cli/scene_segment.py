"""`skywarden scene segment`: look for violations in a scene, with as many hands as there are."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click

from schemas.tables import SegmentationRun
from sensing.coverage import nothing_found
from sensing.identity import Relation
from sensing.remarks import remarks
from sensing.segment.executors import DASK, NAMES, PROCESSES, SERIAL, hands
from sensing.violations import NO_RULES, Verdict
from sensing.words import in_words, name
from web import scenes
from web.cli.common import as_json, echo_json, echo_refusals, lang, pass_services
from web.cli.progress import progress_bar
from web.wiring import Services

# What a shell says of a command that was ended by Ctrl-C; and what is a fault of ours, as bands that failed are.
INTERRUPTED, FAULT = 130, 4
WORDS = {
    "en": {
        "changes": "{count} places changed strongly and nothing explains them; look: scene proposals {scene}",
        "looked": "{id}: done in {s:.1f} s",
        "models": "looked at with the approved models {ids}",
        "failed": "{failed} of {bands} bands failed and are not looked at; the same command tries them again",
        "cannot": "cannot be judged: {kind}: {why}",
        "found": "{count} x {kind}",
        "silent": "{count} x {kind} is no finding: {why}",
        "like": "{count} x {kind} is no finding; the largest: {why}",
        "proposed": "for review: {ids}",
        "again": "found before, not proposed again: {ids}",
        "new": "not seen on an earlier date: {ids}",
        "grown": "seen on an earlier date, and grown since: {ids}",
        "persists": "seen on an earlier date: {ids}",
        "remedied": "all of it looked at again, and nothing found any more: {ids}",
        "unproposed": "leads that may not become findings:",
        "two": "--scheduler is the address of a Dask cluster; --engine {engine} uses none. Leave one of them out.",
        "stopped": "stopped; the bands that are done are kept, and the same command goes on from there",
    },
    "zh": {
        "changes": "{count} 处变化显著而未得到解释，待人工判断：scene proposals {scene}",
        "looked": "{id}：用时 {s:.1f} 秒",
        "models": "已应用获批模型：{ids}",
        "failed": "{bands} 个条带中有 {failed} 个失败，未予分析；重复同一命令将再次尝试",
        "cannot": "无法判别：{kind}：{why}",
        "found": "{kind} {count} 处",
        "silent": "{kind} {count} 处不构成线索：{why}",
        "like": "{kind} {count} 处不构成线索；其中最大一处：{why}",
        "proposed": "待审核：{ids}",
        "again": "此前已发现，不再重复提出：{ids}",
        "new": "此前日期未见：{ids}",
        "grown": "此前日期已见，且已扩大：{ids}",
        "persists": "此前日期已见：{ids}",
        "remedied": "已对全部范围再次分析，未再发现：{ids}",
        "unproposed": "不能成为线索的疑似区域：",
        "two": "--scheduler 是 Dask 集群的地址，而 --engine {engine} 不使用集群；请去掉其中一个选项。",
        "stopped": "已停止；已完成的条带予以保留，重复同一命令即可继续",
    },
}


@click.command("segment")
@click.argument("scene_id", metavar="SCENE")
@click.option("--before", help="An earlier scene of the same ground, for change.")
@click.option("--engine", type=click.Choice(NAMES), help="Who does the work; by default whatever suits the scene.")
@click.option("--workers", type=click.IntRange(1, 256), help="How many at a time; by default one for each core.")
@click.option("--scheduler", help="The address of a running Dask scheduler, such as tcp://HOST:8786.")
@click.option("--without-models", is_flag=True, help="Only the engine looks; approved models are left aside.")
@as_json
@pass_services
def segment(  # noqa: PLR0913 - one argument for each option
    services: Services,
    scene_id: str,
    before: str | None,
    engine: str | None,
    workers: int | None,
    scheduler: str | None,
    without_models: bool,
    as_json: bool,
) -> None:
    """Looks for violations in SCENE; what the law's layers call a lead is proposed for an officer's review.

    What was stopped, even by force, goes on where it stopped when the same command is given again. Ends with status 4
    when bands failed: what they show was not looked at.
    """
    if scheduler and engine not in (None, DASK):
        raise click.UsageError(WORDS[lang()]["two"].format(engine=engine))
    chosen = DASK if scheduler else engine or (PROCESSES if scenes.is_large(services, scene_id) else SERIAL)
    try:
        with (
            hands(chosen, workers=workers or os.cpu_count() or 1, scheduler=scheduler) as crew,
            progress_bar(as_json) as progress,
        ):
            outcome = scenes.segment(
                services, scene_id, before=before, hands=crew, with_models=not without_models, progress=progress
            )
    except KeyboardInterrupt:
        click.echo(WORDS[lang()]["stopped"], err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        echo_json(_json(outcome))
    else:
        _tell(outcome, scene_id)
    if outcome.run.bands_failed:
        sys.exit(FAULT)


def _tell(outcome: scenes.Segmented, scene_id: str) -> None:
    words, run = WORDS[lang()], outcome.run
    click.echo(words["looked"].format(id=scene_id, s=run.runtime_s))
    if outcome.models.names:
        click.echo("  " + words["models"].format(ids=", ".join(outcome.models.names.values())))
    _tell_how(run)
    leads = Counter(verdict.candidate.kind for verdict in outcome.verdicts if verdict.is_lead)
    for kind, count in sorted(leads.items()):
        click.echo("  " + words["found"].format(kind=name(kind, lang()), count=count))
    # Where no rules are in force, that is what the remarks on the run say.
    if not leads and run.rules_sha256 != NO_RULES:
        click.echo("  " + nothing_found(run.coverage, outcome.judged).render(lang()))
    for line in _silent(outcome.verdicts):
        click.echo("  " + line)
    if outcome.detections:
        click.echo("  " + words["proposed"].format(ids=", ".join(outcome.detections)))
    _tell_over_time(outcome)
    if outcome.changes:
        click.echo("  " + words["changes"].format(count=outcome.changes, scene=scene_id))
    if outcome.known:
        click.echo("  " + words["again"].format(ids=", ".join(outcome.known)))
    if outcome.refusals:
        click.echo("  " + words["unproposed"])
        echo_refusals(outcome.refusals, lang())


def _silent(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """The candidates that are no finding, by kind and by the last step of their traces, which is the reason."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.is_lead:
            groups.setdefault((verdict.candidate.kind, verdict.trace[-1].key), []).append(verdict)
    for (kind, _), alike in sorted(groups.items()):
        largest = max(alike, key=lambda one: one.candidate.area_m2)
        why = {one.trace[-1].render(lang()) for one in alike}
        words = WORDS[lang()]["silent" if len(why) == 1 else "like"]
        yield words.format(count=len(alike), kind=name(kind, lang()), why=largest.trace[-1].render(lang()))


def _tell_how(run: SegmentationRun) -> None:
    """How the pair fitted, what was in the way, and what could not be judged."""
    words = WORDS[lang()]
    for sentence in remarks(run):
        click.echo("  " + sentence.render(lang()))
    if run.bands_failed:
        click.echo("  " + words["failed"].format(failed=run.bands_failed, bands=run.bands))
    for kind, why in run.refused_kinds.items():
        click.echo("  " + words["cannot"].format(kind=name(kind, lang()), why=in_words(why)[lang()]))


def _tell_over_time(outcome: scenes.Segmented) -> None:
    """What the findings are to those of earlier dates, and what of those is gone."""
    for relation in Relation:
        ids = [name for name, one in outcome.relations.items() if one is relation]
        ids += outcome.remedied if relation is Relation.REMEDIED else ()
        if ids:
            click.echo("  " + WORDS[lang()][relation].format(ids=", ".join(ids)))


def _json(outcome: scenes.Segmented) -> dict[str, Any]:
    run = outcome.run
    return {
        "ok": not run.bands_failed,
        "run": run.public_id,
        "runtime_s": run.runtime_s,
        "models": outcome.models.names,
        "coverage": run.coverage,
        "coregistration": run.coregistration,
        "clouds": run.clouds,
        "jurisdictions": run.jurisdictions,
        "coverage_sha256": run.coverage_sha256,
        "labels_file_sha256": run.labels_file_sha256,
        "bands": run.bands,
        "bands_failed": run.bands_failed,
        "rules_in_force": run.rules_sha256 != NO_RULES,
        "judged_kinds": list(outcome.judged),
        "refused_kinds": {kind: in_words(why)[lang()] for kind, why in run.refused_kinds.items()},
        "detections": list(outcome.detections),
        "known": list(outcome.known),
        "proposed_changes": outcome.changes,
        "relations": {name: relation.value for name, relation in outcome.relations.items()},
        "remedied": list(outcome.remedied),
        "candidates": [
            {
                "kind": verdict.candidate.kind,
                "lead": verdict.is_lead,
                "score": round(verdict.candidate.score, 3),
                "area_m2": round(verdict.candidate.area_m2, 1),
                "trace": [sentence.render(lang()) for sentence in verdict.trace],
            }
            for verdict in outcome.verdicts
        ],
        "refusals": [refusal.render(lang()) for refusal in outcome.refusals],
    }
