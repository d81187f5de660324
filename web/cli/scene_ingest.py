"""`skywarden scene ingest`: take files and folders of imagery in, one scene after the other."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from schemas.refusals import Refusal, RuleViolation
from schemas.tables import Scene
from sensing.intake import AERIAL, SATELLITE, UAV, Told
from sensing.lots import Lot, Skipped, sort_out
from sensing.placing import PLACE_RULES, WORLD_FILE_BYTES, StatedPlace
from sensing.taking_in import Ingested
from web import intake
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
from web.wiring import Services

WORDS = {
    "en": {
        "known": "{name} is known already as {id}: the same bytes are one scene",
        "taken": "{id}: {name}: {sensor}, {crs}, pixels of {gsd:.2f} m within {error:.1f} m of their place ({word}), "
        "taken {at}; {masked} pixels of privacy zones masked",
        "quarantined": "{id} is kept but never used:",
        "unused": "it is in quarantine ({rules}) and never used",
        "let_in": "Once that is done, or its place is known from elsewhere, hand the same file in again: --crs CODE "
        "--position-error-m M --position-source WORDS, and --world-file FILE where it has no transform.",
        "unknown_time": "at an unknown time",
        "unsaid": "nobody kept whose word that is",
        "refused": "{name} is not taken in:",
        "left_out": "left out of it:",
        "skipped": "skipped {name}: {why}",
        "summary": "{taken} taken in, {known} known, {held} in quarantine, {refused} refused, {skipped} skipped",
        "stopped": "Stopped; what is listed is safe. The same command goes on where this one stopped.",
        "nothing": "no image among what was named",
    },
    "zh": {
        "known": "{name} 已有，编号 {id}：相同内容只算一景",
        "taken": "{id}：{name}：{sensor}，{crs}，像素 {gsd:.2f} 米，定位误差 {error:.1f} 米以内（{word}），"
        "拍摄于 {at}；已遮蔽隐私排除区像素 {masked} 个",
        "quarantined": "{id} 已留存但不予使用：",
        "unused": "该影像处于隔离状态（{rules}），不予使用",
        "let_in": "完成上述处理或另行查明位置后，请再次提交同一文件：--crs 代码 --position-error-m 误差 "
        "--position-source 依据；文件没有变换参数的，再加 --world-file 文件。",
        "unknown_time": "时间不详",
        "unsaid": "依据未留存",
        "refused": "{name} 未予接收：",
        "left_out": "其中未采用：",
        "skipped": "跳过 {name}：{why}",
        "summary": "接收 {taken} 景，已有 {known} 景，隔离 {held} 景，拒收 {refused} 项，跳过 {skipped} 项",
        "stopped": "已停止；已列出的均已保存。再次执行相同命令即可继续。",
        "nothing": "所给内容中没有影像",
    },
}
# Whose word a position error is.
BASES = {
    "en": {
        "stated": "as stated with it",
        "file": "by its producer",
        "residual": "by control points",
        "reckoned": "by the pose of the camera",
        "usual": "usual for this sensor, measured by nobody here",
    },
    "zh": {
        "stated": "提交人说明",
        "file": "生产方注明",
        "residual": "据控制点",
        "reckoned": "据相机姿态推算",
        "usual": "该类传感器的常见值，未经实测",
    },
}
_BANDS_HELP = (
    "What each band measures, such as red,green,blue,nir; guessed by default. A band of the provider's own classes is "
    "named scl (Sentinel-2) or qa_pixel (Landsat Collection 2), any other that nothing uses other."
)
LONGEST_SOURCE = 500
LARGEST_OFFSET = timedelta(hours=14)
# What a shell says of a program that was stopped from the keyboard.
_STOPPED = 130


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


def _number(_context: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Refuses nan, which lies in every range that click checks."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number.", param=param)
    return value


def _words(_context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuses what nobody reads."""
    if value is not None and len(value) > LONGEST_SOURCE:
        raise click.BadParameter(f"say it in at most {LONGEST_SOURCE} letters.", param=param)
    return value


@dataclass(frozen=True)
class Outcome:
    """What became of one lot: the scene, or the refusals."""

    lot: Lot
    taken: Ingested | None
    refusals: tuple[Refusal, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether all of it is there and may be used."""
        return self.taken is not None and not self.taken.scene.quarantine and not self.taken.left_out


@click.command("ingest")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--flight", help="The flight that took them; time and place must then fit it.")
@click.option("--captured-at", type=Instant(), help="When it was taken, where the file does not say.")
@click.option("--sensor", type=click.Choice([SATELLITE, AERIAL, UAV]), help="Who took it, where the file does not say.")
@click.option("--bands", help=_BANDS_HELP)
@click.option(
    "--hfov-deg",
    type=float,
    callback=_number,
    help="Field of view across the photo; from drone or photo by default.",
)
@click.option("--utc-offset", type=Offset(), help="For photos that write a local time alone, such as +08:00.")
@click.option(
    "--position-error-m",
    type=click.FloatRange(0, 10_000),
    callback=_number,
    help="How far a place may lie from where the image says, by its delivery note.",
)
@click.option("--crs", help="The coordinate system, where the file has none, such as EPSG:4547.")
@click.option(
    "--world-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Where its pixels lie in --crs, where the file does not say: the .tfw that came with it.",
)
@click.option(
    "--position-source",
    callback=_words,
    help="Who says where it lies, or how wrong that can be: a delivery note, a survey.",
)
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
    """Takes in FILES: images, Sentinel-2 products (.SAFE or zip), photos, and folders of them.

    Each image is a scene; photos that are named together, or lie in one folder, become one picture. A sensor model
    (.RPB, _RPC.TXT) is read from beside its image. One bad file does not stop the others. The originals are kept
    unchanged and unopened; privacy zones are burnt into the copy before it is stored.
    """
    about["position_source"] = about["position_source"] or ""
    place = _place(about.pop("crs"), about.pop("world_file"), about["position_error_m"], about["position_source"])
    told = Told(bands=tuple(bands.split(",")) if bands else (), place=place, **about)
    actor = actor_for(services, person)
    lots, skipped = sort_out(files)
    outcomes: list[Outcome] = []

    def take(lot: Lot, progress: Callable[[float], None]) -> Outcome:
        try:
            taken = intake.ingest(services, lot.files, flight_id=flight, told=told, actor=actor, progress=progress)
        except RuleViolation as refused:
            if len(lots) == 1 and not skipped:
                raise
            return Outcome(lot, None, refused.refusals)
        return Outcome(lot, taken, taken.quarantined)

    stopped = _take_all(lots, take, outcomes, quiet=as_json)
    if as_json:
        echo_json(_json(outcomes, skipped, stopped))
    else:
        _tell(outcomes, skipped, stopped)
    if stopped:
        sys.exit(_STOPPED)
    if not outcomes or not all(outcome.is_good for outcome in outcomes):
        sys.exit(REFUSED)


def _place(crs: str | None, world_file: Path | None, error_m: float | None, source: str) -> StatedPlace | None:
    """A place that is stated, with all that belongs to it: half of it would be a guess."""
    if crs is None:
        if world_file is not None:
            raise click.UsageError("--world-file needs --crs: numbers lie nowhere without a coordinate system.")
        return None
    if error_m is None:
        raise click.UsageError("--crs needs --position-error-m: how far a place may lie from where it is put.")
    if not source.strip():
        raise click.UsageError("--crs needs --position-source: who says where the image lies.")
    return StatedPlace.of(crs, _head(world_file) if world_file else None, error_m=error_m, source=source.strip())


def _head(path: Path) -> bytes:
    with path.open("rb") as reader:
        return reader.read(WORLD_FILE_BYTES + 1)


def _take_all(
    lots: Sequence[Lot],
    take: Callable[[Lot, Callable[[float], None]], Outcome],
    outcomes: list[Outcome],
    *,
    quiet: bool,
) -> bool:
    """Take in lot after lot, each in a transaction of its own; whether somebody stopped it from the keyboard."""
    with progress_bar(quiet) as progress:
        for number, lot in enumerate(lots):

            def shown(share: float, before: int = number) -> None:
                progress((before + share) / len(lots))

            try:
                outcomes.append(take(lot, shown))
            except KeyboardInterrupt:
                return True
            shown(1.0)
    return False


def _json(outcomes: Sequence[Outcome], skipped: Sequence[Skipped], stopped: bool) -> dict[str, Any]:
    """One scene as before, or all of them in a list."""
    told = [_scene_json(outcome) for outcome in outcomes]
    good = bool(outcomes) and all(outcome.is_good for outcome in outcomes) and not stopped
    left = [{"name": str(one.path), **one.refusal.render(lang())} for one in skipped]
    if len(told) == 1 and not left and not stopped:
        return {"ok": good} | told[0]
    return {"ok": good, "stopped": stopped, "scenes": told, "skipped": left}


def _scene_json(outcome: Outcome) -> dict[str, Any]:
    taken, refusals = outcome.taken, [refusal.render(lang()) for refusal in outcome.refusals]
    told: dict[str, Any] = {"name": outcome.lot.name, "refusals": refusals}
    if taken is None:
        return told | {"scene": None}
    return told | {
        "scene": taken.scene.public_id,
        "known": taken.known,
        "quarantine": list(taken.scene.quarantine or ()),
        "masked_pixels": taken.derivative.masked_pixels if taken.derivative else None,
        "position_error_m": taken.scene.position_error_m,
        "position_basis": _basis(taken.scene),
        "left_out": {name: [one.render(lang()) for one in why] for name, why in taken.left_out.items()},
    }


def _basis(row: Scene) -> str | None:
    """Whose word the position error of a scene is; scenes of earlier versions do not say."""
    basis: str | None = row.header.get("position", {}).get("basis")
    return basis


def _tell(outcomes: Sequence[Outcome], skipped: Sequence[Skipped], stopped: bool) -> None:
    words = WORDS[lang()]
    for outcome in outcomes:
        _tell_one(outcome)
    for one in skipped:
        click.echo(words["skipped"].format(name=one.path, why=one.refusal.render(lang())["message"]))
    if not outcomes and not stopped:
        click.echo(words["nothing"])
    if len(outcomes) + len(skipped) > 1 or stopped:
        click.echo(words["summary"].format(**_counts(outcomes), skipped=len(skipped)))
    if stopped:
        click.echo(words["stopped"])


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    there = [outcome.taken for outcome in outcomes if outcome.taken]
    held = [taken for taken in there if taken.scene.quarantine]
    known = [taken for taken in there if taken.known and not taken.scene.quarantine]
    return {
        "taken": len(there) - len(held) - len(known),
        "known": len(known),
        "held": len(held),
        "refused": len(outcomes) - len(there),
    }


def _tell_one(outcome: Outcome) -> None:
    words, taken = WORDS[lang()], outcome.taken
    if taken is None:
        click.echo(words["refused"].format(name=outcome.lot.name))
        echo_refusals(outcome.refusals, lang())
        return
    row = taken.scene
    if taken.known:
        click.echo(words["known"].format(name=outcome.lot.name, id=row.public_id))
        if row.quarantine:
            click.echo("  " + words["unused"].format(rules=", ".join(row.quarantine)))
    elif taken.quarantined:
        click.echo(words["quarantined"].format(id=row.public_id))
        echo_refusals(taken.quarantined, lang())
        if {one.rule for one in taken.quarantined} & (PLACE_RULES - {"raster.position"}):
            click.echo("  " + words["let_in"])
    else:
        masked = taken.derivative.masked_pixels if taken.derivative else 0
        about = {
            "id": row.public_id,
            "name": outcome.lot.name,
            "sensor": row.sensor,
            "crs": row.crs,
            "gsd": row.gsd_m,
            "masked": f"{masked:,}",
            "word": BASES[lang()].get(_basis(row) or "", words["unsaid"]),
        }
        click.echo(words["taken"].format(**about, error=row.position_error_m or 0.0, at=time_of(row.captured_at)))
    if taken.left_out:
        click.echo("  " + words["left_out"])
        echo_refusals([refusal for refusals in taken.left_out.values() for refusal in refusals], lang())


def time_of(at: datetime | None) -> str:
    """An instant to the second, or that nobody knows it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if at else WORDS[lang()]["unknown_time"]
