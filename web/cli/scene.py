"""`skywarden scene`: take imagery in, segment it, list it, compare its findings with ground truth."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sensing import queries
from sensing.evaluate import evaluate, read_truth
from sensing.intake import AERIAL, SATELLITE, UAV, Told
from sensing.words import name
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
from web.cli.progress import progress_bar
from web.cli.scene_segment import segment
from web.wiring import Services

WORDS = {
    "en": {
        "known": "known already as {id}: the same bytes are one scene",
        "taken": "{id}: {sensor}, {crs}, pixels of {gsd:.2f} m, taken {at}; {masked} pixels of privacy zones masked",
        "quarantined": "{id} is kept but never used:",
        "unused": "it is in quarantine ({rules}) and never used",
        "unknown_time": "at an unknown time",
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
    with progress_bar(as_json) as progress:
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


scene.add_command(segment)
