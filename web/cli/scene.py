"""`skywarden scene`: take imagery in, segment it, list it, compare its findings with ground truth."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sensing import queries
from sensing.evaluate import evaluate, read_truth
from sensing.intake import AERIAL, SATELLITE, UAV, Told
from sensing.quarantine import Progress
from sensing.words import in_words, name
from web import scenes
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
from web.wiring import Services

WORDS = {
    "en": {
        "known": "known already as {id}: the same bytes are one scene",
        "taken": "{id}: {sensor}, {crs}, pixels of {gsd:.2f} m, taken {at}; {masked} pixels of privacy zones masked",
        "quarantined": "{id} is kept but never used:",
        "unused": "it is in quarantine ({rules}) and never used",
        "unknown_time": "at an unknown time",
        "looked": "{id}: {km2:.3f} km2 looked at in {s:.1f} s, {hidden:.4f} km2 hidden by privacy zones",
        "cannot": "cannot be judged: {kind}: {why}",
        "found": "{count} x {kind}",
        "nothing": "no finding",
        "unjudged": "nothing could be judged, so this says nothing about the ground",
        "silent": "{count} candidates are no finding",
        "proposed": "for review: {ids}",
        "again": "found before, not proposed again: {ids}",
        "unproposed": "leads that may not become findings:",
        "none": "no scenes",
        "findings": "{count} findings",
        "match": "{kind}: {hit} of {of} found, median IoU {iou:.2f}",
        "missed": "missed: {kind} ({reason})",
        "hit": "reported by mistake: {kind} ({reason})",
        "false": "{count} other false alarms",
        "clean": "no false alarm; none of {silent} look-alikes reported",
    },
    "zh": {
        "known": "已有该影像，编号 {id}：相同内容只算一景",
        "taken": "{id}：{sensor}，{crs}，像素 {gsd:.2f} 米，拍摄于 {at}；已遮蔽隐私排除区像素 {masked} 个",
        "quarantined": "{id} 已留存但不予使用：",
        "unused": "该影像处于隔离状态（{rules}），不予使用",
        "unknown_time": "时间不详",
        "looked": "{id}：用时 {s:.1f} 秒，分析 {km2:.3f} 平方千米，隐私排除区遮蔽 {hidden:.4f} 平方千米",
        "cannot": "无法判别：{kind}：{why}",
        "found": "{kind} {count} 处",
        "nothing": "未发现线索",
        "unjudged": "无法作出任何判别，因此不能说明地面情况",
        "silent": "另有 {count} 处疑似区域不构成线索",
        "proposed": "待审核：{ids}",
        "again": "此前已发现，不再重复提出：{ids}",
        "unproposed": "不能成为线索的疑似区域：",
        "none": "没有影像",
        "findings": "{count} 条线索",
        "match": "{kind}：{of} 处中找到 {hit} 处，IoU 中位数 {iou:.2f}",
        "missed": "漏判：{kind}（{reason}）",
        "hit": "误判：{kind}（{reason}）",
        "false": "其他误报 {count} 处",
        "clean": "无误报；{silent} 处相似地物均未误判",
    },
}


LARGEST_OFFSET = timedelta(hours=14)


class Offset(click.ParamType):  # type: ignore[type-arg]
    """A distance from UTC such as +08:00, at most fourteen hours."""

    name = "offset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401
        """The offset as a duration."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([+-])(\d\d):(\d\d)", value)
        if not found:
            self.fail(f"{value!r} is not an offset such as +08:00", param, ctx)
        size = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if size > LARGEST_OFFSET:
            self.fail(f"no place on earth is {value} away from UTC", param, ctx)
        return -size if found[1] == "-" else size


@click.group()
def scene() -> None:
    """Satellite scenes, aerial images and the photos of flights."""


@scene.command("ingest")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--flight", help="The flight that took them; time and place must then fit it.")
@click.option("--captured-at", type=Instant(), help="When it was taken, where the file does not say.")
@click.option("--sensor", type=click.Choice([SATELLITE, AERIAL, UAV]), help="Who took it; guessed by default.")
@click.option("--bands", help="What each band measures, such as red,green,blue,nir; guessed by default.")
@click.option("--hfov-deg", type=float, help="Field of view across the photo; from drone or photo by default.")
@click.option("--utc-offset", type=Offset(), help="For photos that write a local time alone, such as +08:00.")
@as_person
@as_json
@pass_services
def ingest(
    services: Services,
    files: tuple[Path, ...],
    flight: str | None,
    person: str | None,
    as_json: bool,
    bands: str | None,
    **about: Any,  # noqa: ANN401
) -> None:
    """Takes in FILES: one georeferenced image, or the nadir photos of one flight, which become one picture.

    The originals are kept unchanged and unopened; privacy zones are burnt into the copy before it is stored.
    """
    told = Told(bands=tuple(bands.split(",")) if bands else (), **about)
    with _progress(as_json) as progress:
        taken = scenes.ingest(
            services, files, flight_id=flight, told=told, actor=actor_for(services, person), progress=progress
        )
    refusals = [refusal.render(lang()) for refusal in taken.quarantined]
    if as_json:
        masked = taken.derivative.masked_pixels if taken.derivative else None
        echo_json(
            {
                "ok": not taken.scene.quarantine,
                "scene": taken.scene.public_id,
                "known": taken.known,
                "quarantine": list(taken.scene.quarantine or ()),
                "masked_pixels": masked,
                "refusals": refusals,
            }
        )
    else:
        _tell_ingested(taken)
    if taken.scene.quarantine:
        sys.exit(REFUSED)


def _tell_ingested(taken: Any) -> None:  # noqa: ANN401 - sensing.commands.Ingested
    words, row = WORDS[lang()], taken.scene
    if taken.known:
        click.echo(words["known"].format(id=row.public_id))
        if row.quarantine:
            click.echo("  " + words["unused"].format(rules=", ".join(row.quarantine)))
    elif taken.quarantined:
        click.echo(words["quarantined"].format(id=row.public_id))
        echo_refusals(taken.quarantined, lang())
    else:
        click.echo(
            words["taken"].format(
                id=row.public_id,
                sensor=row.sensor,
                crs=row.crs,
                gsd=row.gsd_m,
                at=_time(row.captured_at),
                masked=f"{taken.derivative.masked_pixels:,}",
            )
        )


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if at else WORDS[lang()]["unknown_time"]


@scene.command("segment")
@click.argument("scene_id", metavar="SCENE")
@click.option("--before", help="An earlier scene of the same ground, for change.")
@as_json
@pass_services
def segment(services: Services, scene_id: str, before: str | None, as_json: bool) -> None:
    """Looks for violations in SCENE; what the law's layers call a lead is proposed for an officer's review."""
    with _progress(as_json) as progress:
        outcome = scenes.segment(services, scene_id, before=before, progress=progress)
    if as_json:
        echo_json(_segmented_json(outcome))
        return
    words, run = WORDS[lang()], outcome.run
    covered = run.coverage
    click.echo(words["looked"].format(id=scene_id, km2=covered["analysed"], s=run.runtime_s, hidden=covered["private"]))
    for kind, why in run.refused_kinds.items():
        click.echo("  " + words["cannot"].format(kind=name(kind, lang()), why=in_words(why)[lang()]))
    leads = Counter(verdict.candidate.kind for verdict in outcome.verdicts if verdict.is_lead)
    for kind, count in sorted(leads.items()):
        click.echo("  " + words["found"].format(kind=name(kind, lang()), count=count))
    if not leads:
        click.echo("  " + words["unjudged" if covered["analysed"] == 0 else "nothing"])
    silent = len(outcome.verdicts) - leads.total()
    if silent:
        click.echo("  " + words["silent"].format(count=silent))
    if outcome.detections:
        click.echo("  " + words["proposed"].format(ids=", ".join(outcome.detections)))
    if outcome.known:
        click.echo("  " + words["again"].format(ids=", ".join(outcome.known)))
    if outcome.refusals:
        click.echo("  " + words["unproposed"])
        echo_refusals(outcome.refusals, lang())


def _segmented_json(outcome: scenes.Segmented) -> dict[str, Any]:
    run = outcome.run
    return {
        "ok": True,
        "run": run.public_id,
        "runtime_s": run.runtime_s,
        "coverage": run.coverage,
        "refused_kinds": {kind: in_words(why)[lang()] for kind, why in run.refused_kinds.items()},
        "detections": list(outcome.detections),
        "known": list(outcome.known),
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


@scene.command("list")
@as_json
@pass_services
def list_scenes(services: Services, as_json: bool) -> None:
    """All scenes, the newest first."""
    with services.session() as session:
        rows = queries.scenes(session)
    if as_json:
        echo_json([vars(row) for row in rows])
        return
    if not rows:
        click.echo(WORDS[lang()]["none"])
    for row in rows:
        findings = WORDS[lang()]["findings"].format(count=row.detections)
        state = ",".join(row.quarantine) if row.quarantine else findings
        click.echo(
            f"{row.public_id:<12} {row.sensor:<10} {_time(row.captured_at):<22} {row.gsd_m or 0:>8.2f} m  "
            f"{row.flight or '—':<12} {state:<14} {row.file_name}"
        )


@scene.command("evaluate")
@click.argument("scene_id", metavar="SCENE")
@click.option("--truth", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@pass_services
def evaluate_scene(services: Services, scene_id: str, truth: Path, as_json: bool) -> None:
    """Compares the findings of SCENE with ground truth; misses and false alarms are printed, not hidden."""
    wanted, silent = read_truth(truth.read_bytes(), truth.name)
    with services.session() as session:
        found = queries.findings(session, scene_id)
    outcome = evaluate(found, wanted, silent)
    if as_json:
        echo_json(
            {
                "median_iou": outcome.median_iou(),
                "misses": [vars_of(one) for one in outcome.misses],
                "reported_by_mistake": [vars_of(quiet) for _, quiet in outcome.hits],
                "false_alarms": [vars_of(one) for one in outcome.false_alarms],
            }
        )
        return
    words = WORDS[lang()]
    for kind, iou in outcome.median_iou().items():
        of = [match for match in outcome.matches if match.truth.kind == kind]
        hit = sum(match.iou > 0 for match in of)
        click.echo(words["match"].format(kind=name(kind, lang()), hit=hit, of=len(of), iou=iou))
    for miss in outcome.misses:
        click.echo("  " + words["missed"].format(kind=name(miss.kind, lang()), reason=miss.reason))
    for one, quiet in outcome.hits:
        click.echo("  " + words["hit"].format(kind=name(one.kind, lang()), reason=quiet.reason))
    if outcome.false_alarms:
        click.echo("  " + words["false"].format(count=len(outcome.false_alarms)))
    elif not outcome.hits:
        click.echo("  " + words["clean"].format(silent=len(silent)))


def vars_of(outline: Any) -> dict[str, str]:  # noqa: ANN401 - sensing.evaluate.Outline
    """A thing on the ground without its shape."""
    return {"kind": outline.kind, "reason": outline.reason}


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar on standard error, unless nobody is looking."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=1000, file=sys.stderr) as bar:
        yield lambda share: bar.update(int(share * 1000) - bar.pos)
