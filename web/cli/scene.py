"""`skywarden scene`: take imagery in, segment it, list it, compare its findings with ground truth."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sensing import queries
from sensing.intake import AERIAL, SATELLITE, UAV, Told
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
from web.cli.scene_evaluate import evaluate_scene
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
    },
    "zh": {
        "known": "已有该影像，编号 {id}：相同内容只算一景",
        "taken": "{id}：{sensor}，{crs}，像素 {gsd:.2f} 米，拍摄于 {at}；已遮蔽隐私排除区像素 {masked} 个",
        "quarantined": "{id} 已留存但不予使用：",
        "unused": "该影像处于隔离状态（{rules}），不予使用",
        "unknown_time": "时间不详",
        "none": "没有影像",
        "findings": "{count} 条线索",
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


scene.add_command(segment)
scene.add_command(evaluate_scene)
