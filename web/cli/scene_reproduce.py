"""`skywarden scene reproduce`: make a finding once more from what was recorded, and compare it bit for bit."""

from __future__ import annotations

import sys

import click
from shapely.geometry import mapping

from sensing.derived import Lineage, lineage
from sensing.reproduce import MASKED_ANEW, Check, Reproduced, What, recorded, reproduce
from sensing.segment.engines import engine
from web.cli.common import REFUSED, as_json, echo_json, lang, pass_services
from web.cli.progress import progress_bar
from web.sam import sam_for
from web.scenes import shelf_of
from web.wiring import Services

WORDS = {
    "en": {
        "same": "{id}: made again from {run}, the same bit for bit",
        "other_code": "{id}: made again from {run} by other code, and the same bit for bit",
        "differs": "{id}: made again from {run}, and not the same",
        "unable": "{id}: cannot be made again from {run}; what it was made from is not what it was",
        "check": "{what}: recorded {recorded}, now {now}",
        "hidden": "a privacy zone came later: the copy was masked anew, and what it showed was removed for good",
        "held": "{what}: {count} as recorded",
        "remade": "{id}: made again from {sources} as it was cut or joined, bit for bit",
        "not_remade": "{id}: made again from {sources}, and it differs",
        "code": "the code was another then ({recorded}, now {now}); labels, outline and score decide",
        "elsewhere": "SAM drew its outline with {recorded}; here it is {now}. It draws the same bits on one machine"
        " with the same number of threads; elsewhere a pixel at the edge may differ, and nobody can promise otherwise.",
    },
    "zh": {
        "same": "{id}：已按 {run} 重新生成，逐位一致",
        "other_code": "{id}：已按 {run} 以不同版本的代码重新生成，逐位一致",
        "differs": "{id}：已按 {run} 重新生成，结果不一致",
        "unable": "{id}：无法按 {run} 重新生成；所依据的内容已不是原来的内容",
        "check": "{what}：记录为 {recorded}，现为 {now}",
        "hidden": "后来新增了隐私排除区：副本已重新遮蔽，原先可见的内容已永久清除",
        "held": "{what}：{count} 项与记录一致",
        "remade": "{id}：由 {sources} 按记录的拆分或合并重新生成，结果完全一致",
        "not_remade": "{id}：由 {sources} 重新生成，结果不一致",
        "code": "当时的代码不同（记录为 {recorded}，现为 {now}）；以标注栅格、轮廓和评分为准",
        "elsewhere": "SAM 当时在 {recorded} 上绘制轮廓，此处为 {now}。仅在同一机器、相同线程数下可保证逐位一致；"
        "在其他机器上边缘可能相差一个像素，无法作出更多保证。",
    },
}
NAMES = {
    What.ORIGINAL: ("original file", "原始文件"),
    What.COPY: ("masked copy", "遮蔽副本"),
    What.ZONES: ("privacy zones", "隐私排除区"),
    What.INPUTS: ("inputs of the run", "运行输入"),
    What.ENGINE: ("engine and version", "引擎及版本"),
    What.PARAMETERS: ("parameters and models", "参数和模型"),
    What.CODE: ("code of features and detectors", "特征和检测器代码"),
    What.MODELS: ("models of the day", "当时所用模型"),
    What.RULES: ("rules", "规则"),
    What.STRETCH: ("levels of the scene", "影像拉伸参数"),
    What.LABELS: ("labels", "标注栅格"),
    What.POLYGON: ("outline", "轮廓"),
    What.SCORE: ("score", "评分"),
    What.MACHINE: ("machine of SAM", "SAM 运行环境"),
    What.ALTERNATIVE: ("outline by SAM", "SAM 轮廓"),
}
# An outline in full says nothing to a reader.
_SHOWN = 24


@click.command("reproduce")
@click.argument("detection_id", metavar="DETECTION")
@as_json
@pass_services
def reproduce_finding(services: Services, detection_id: str, as_json: bool) -> None:
    """Makes DETECTION once more from exactly what was recorded, and compares labels and outline bit for bit.

    Every hash is verified first: original, masked copy, privacy zones, layers, engine, numbers, code, rules. Writes
    nothing. Ends with status 1 when anything differs, and says what; that the code is newer is told, and labels,
    outline and score decide. The outline by SAM, where there is one, is promised to be the same on the same machine
    alone.
    """
    with services.session() as session:
        made = lineage(session, detection_id)
        abouts = [recorded(session, services.rulebook, shelf_of(services), root) for root in made.roots]
    chosen = engine(sam_for(services))
    with progress_bar(as_json) as progress:
        outcomes = [reproduce(about, shelf_of(services), chosen, progress) for about in abouts]
    same = made.same is not False and all(outcome.same for outcome in outcomes)
    if as_json:
        echo_json(_json(outcomes[0]) if made.same is None else _json_made(detection_id, made, outcomes))
    else:
        for outcome in outcomes:
            _tell(outcome)
        if made.same is not None:
            words = WORDS[lang()]["remade" if made.same else "not_remade"]
            click.echo(words.format(id=detection_id, sources=", ".join(made.roots)))
    if not same:
        sys.exit(REFUSED)


def _json_made(detection_id: str, made: Lineage, outcomes: list[Reproduced]) -> dict[str, object]:
    """What an officer cut or joined: its own outline, and everything of the finds that it was made from."""
    ok = bool(made.same) and all(outcome.same for outcome in outcomes)
    return {"ok": ok, "detection": detection_id, "outline_same": made.same, "from": [_json(one) for one in outcomes]}


def _tell(outcome: Reproduced) -> None:
    words, column = WORDS[lang()], ("en", "zh").index(lang())
    click.echo(words[_verdict(outcome)].format(id=outcome.detection_id, run=outcome.run_id))
    for what in What:
        checks = [check for check in outcome.checks if check.what is what]
        held = sum(check.same for check in checks)
        if held:
            click.echo("  ✓ " + words["held"].format(what=NAMES[what][column], count=held))
        for check in checks:
            if not check.same and what is What.MACHINE:
                told = {"recorded": check.recorded, "now": check.now}
                click.secho("  ! " + words["elsewhere"].format(**told), fg="yellow")
            elif not check.same and what is What.CODE:
                told = {"recorded": _short(check.recorded), "now": _short(check.now)}
                click.secho("  ! " + words["code"].format(**told), fg="yellow")
            elif not check.same:
                told = {"recorded": _short(check.recorded), "now": _short(check.now)}
                click.secho("  ✗ " + words["check"].format(what=NAMES[what][column], **told), fg="red")
                if what is What.COPY and check.now == MASKED_ANEW:
                    click.echo("    " + words["hidden"])


def _verdict(outcome: Reproduced) -> str:
    """The name of the sentence that says what came out."""
    if outcome.same:
        return "same" if outcome.same_code else "other_code"
    return "unable" if outcome.polygon is None else "differs"


def _short(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"


def _json(outcome: Reproduced) -> dict[str, object]:
    return {
        "ok": outcome.same,
        "detection": outcome.detection_id,
        "run": outcome.run_id,
        "made_again": outcome.polygon is not None,
        "same_code": outcome.same_code,
        "same_machine": outcome.same_machine,
        "checks": [_plain(check) for check in outcome.checks],
        "geometry": mapping(outcome.polygon) if outcome.polygon is not None else None,
    }


def _plain(check: Check) -> dict[str, object]:
    return {"what": check.what.value, "same": check.same, "recorded": check.recorded, "now": check.now}
