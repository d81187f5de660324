"""`skywarden scene evaluate`: the findings of a scene against ground truth of anybody's making."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sensing.comparison import Compared, compare
from sensing.evaluate import Assessment
from sensing.truth import Reading
from sensing.words import in_words, name
from web import scenes
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

F = TypeVar("F", bound=Callable[..., Any])

WORDS = {
    "en": {
        "looked": "{looked:.3f} km2 looked at, {unlooked:.3f} km2 not; what lies there does not count",
        "candidates": "compared is what the engine saw, before the law: no rules were in force, or it was asked for",
        "unjudged": "not judged, {count} true left out: {kind}: {why}",
        "left": "left out there: {found} findings, {true} true and {silent} silent things, {km2:.4f} km2 of truth",
        "ignored": "{count} shapes of the truth left out as was asked",
        "match": "{kind}: {hit} of {of} found, median IoU {iou:.2f}",
        "pixels": "pixel IoU {iou}, boundary F1 {f1} within {tolerance:.1f} m",
        "things": "PQ {pq} = SQ {sq} x RQ {rq}; {matched} matched, {invented} invented, {missed} missed",
        "missed": "missed: {kind} ({reason})",
        "hit": "reported by mistake: {kind} ({reason})",
        "false": "{count} other false alarms",
        "clean": "no false alarm; none of {silent} look-alikes reported",
        "scores": "scores against what was right: calibration error {ece:.2f} over {count} findings",
        "bin": "  scored {low:.1f}-{high:.1f}: {count} findings, {right:.0%} right",
    },
    "zh": {
        "looked": "已分析 {looked:.3f} 平方千米，未分析 {unlooked:.3f} 平方千米；未分析区域不计入",
        "candidates": "比对的是引擎看到的全部疑似区域，未经规则判定：当地没有生效的规则，或按要求如此",
        "unjudged": "未判别，真值 {count} 处不计入：{kind}：{why}",
        "left": "因此未计入：线索 {found} 处，真值 {true} 处，相似地物 {silent} 处，真值面积 {km2:.4f} 平方千米",
        "ignored": "按要求忽略真值图形 {count} 个",
        "match": "{kind}：{of} 处中找到 {hit} 处，IoU 中位数 {iou:.2f}",
        "pixels": "像元 IoU {iou}，边界 F1 {f1}（容差 {tolerance:.1f} 米）",
        "things": "全景质量 PQ {pq} = SQ {sq} × RQ {rq}；匹配 {matched} 处，多报 {invented} 处，漏报 {missed} 处",
        "missed": "漏判：{kind}（{reason}）",
        "hit": "误判：{kind}（{reason}）",
        "false": "其他误报 {count} 处",
        "clean": "无误报；{silent} 处相似地物均未误判",
        "scores": "评分与实际对照：{count} 处线索，校准误差 {ece:.2f}",
        "bin": "  评分 {low:.1f}-{high:.1f}：{count} 处，其中 {right:.0%} 正确",
    },
}


class Named(click.ParamType):  # type: ignore[type-arg]
    """A name of a third party and what it means here, such as LANDFILL=dumping."""

    name = "name=kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401
        """The two sides of the last equals sign."""
        if isinstance(value, tuple):
            return value
        theirs, sign, ours = value.rpartition("=")
        if not sign or not theirs or not ours:
            self.fail(f"{value!r} is not NAME=KIND such as LANDFILL=excavation", param, ctx)
        return theirs, ours


def _metres(_context: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and 0 <= value <= 1000):
        raise click.BadParameter(f"{value} is not between 0 and 1000 metres.")
    return value


@click.command("evaluate")
@click.argument("scene_id", metavar="SCENE")
@click.option("--truth", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map", "names", multiple=True, type=Named(), help="NAME=KIND; NAME=none must stay silent, NAME=- skips."
)
@click.option("--field", help="The column that holds the names, such as class.")
@click.option("--layer", help="The layer, where the file has several.")
@click.option("--crs", help="The coordinate system, where the file declares none, such as EPSG:4547.")
@click.option("--encoding", help="The code page of a shapefile's text.")
@click.option("--tolerance-m", type=float, callback=_metres, help="How far off a border still is near; two pixels.")
@click.option("--candidates", is_flag=True, help="Compare all that the engine saw, before the law judges it.")
@as_json
@pass_services
def evaluate_scene(  # noqa: PLR0913 - one argument for each option
    services: Services,
    scene_id: str,
    truth: Path,
    names: tuple[tuple[str, str], ...],
    as_json: bool,
    tolerance_m: float | None,
    candidates: bool,
    **told: Any,  # noqa: ANN401 - field, layer, crs and encoding
) -> None:
    """Compares the findings of SCENE with ground truth; misses and false alarms are printed, not hidden.

    The truth is a GeoPackage, Shapefile, GeoJSON or GeoTIFF of classes in any coordinate system; what was not looked
    at does not count, nor do kinds that could not be judged. Where no rules are in force, what the engine saw is
    compared.
    """
    reading, shelf = Reading(names=dict(names), **told), scenes.shelf_of(services)
    with services.session() as session:
        done = compare(session, shelf, scene_id, truth, reading=reading, tolerance_m=tolerance_m, candidates=candidates)
    if as_json:
        about = {"name": done.truth.name, "sha256": done.truth.sha256, "left_out": done.truth.ignored}
        unjudged = {kind: {"count": one.count, "why": in_words(one.why)[lang()]} for kind, one in done.unjudged.items()}
        what = {"compared": "candidates" if done.candidates else "findings", "not_judged": unjudged}
        echo_json({"ok": True, "scene": scene_id, "truth": about} | what | done.assessment.dump())
    else:
        _tell(done)


def _tell(done: Compared) -> None:
    words, told = WORDS[lang()], done.assessment.dump()
    covered = told["coverage"]
    click.echo(words["looked"].format(looked=covered["looked_at_km2"], unlooked=covered["not_looked_at_km2"]))
    found, true, silent = done.assessment.unseen
    if found or true or silent or covered["truth_not_looked_at_km2"]:
        km2 = covered["truth_not_looked_at_km2"]
        click.echo("  " + words["left"].format(found=found, true=true, silent=silent, km2=km2))
    if done.candidates:
        click.echo("  " + words["candidates"])
    for kind, one in sorted(done.unjudged.items()):
        told_why = in_words(one.why)[lang()]
        click.echo("  " + words["unjudged"].format(count=one.count, kind=name(kind, lang()), why=told_why))
    if done.truth.ignored:
        click.echo("  " + words["ignored"].format(count=done.truth.ignored))
    for kind, numbers in told["kinds"].items():
        _tell_kind(done.assessment, kind, numbers)
    _tell_mistakes(done)
    scores = told["reliability"]
    if scores:
        click.echo(words["scores"].format(**scores))
        for one in scores["bins"]:
            click.echo(words["bin"].format(**one))


def _tell_kind(assessment: Assessment, kind: str, numbers: dict[str, Any]) -> None:
    words = WORDS[lang()]
    of = [match for match in assessment.evaluation.matches if match.truth.kind == kind]
    if of:
        hit = sum(match.iou > 0 for match in of)
        iou = assessment.evaluation.median_iou()[kind]
        click.echo(words["match"].format(kind=name(kind, lang()), hit=hit, of=len(of), iou=iou))
    else:
        click.echo(name(kind, lang()))
    shown = {key: value if isinstance(value, int) else _number(value) for key, value in numbers.items()}
    tolerance_m = assessment.tolerance_m
    click.echo("  " + words["pixels"].format(iou=shown["pixel_iou"], f1=shown["boundary_f1"], tolerance=tolerance_m))
    click.echo("  " + words["things"].format(**shown))


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _tell_mistakes(done: Compared) -> None:
    words, outcome = WORDS[lang()], done.assessment.evaluation
    for miss in outcome.misses:
        click.echo("  " + words["missed"].format(kind=name(miss.kind, lang()), reason=miss.reason))
    for one, quiet in outcome.hits:
        click.echo("  " + words["hit"].format(kind=name(one.kind, lang()), reason=quiet.reason))
    if outcome.false_alarms:
        click.echo("  " + words["false"].format(count=len(outcome.false_alarms)))
    elif not outcome.hits:
        silent = len(done.truth.silent) - done.assessment.unseen[2]
        click.echo("  " + words["clean"].format(silent=silent))
