"""`skywarden scene`: take imagery in, segment it, list it, compare its findings with ground truth."""

from __future__ import annotations

import click

from sensing import queries
from web.cli.common import (
    as_json,
    echo_json,
    lang,
    pass_services,
)
from web.cli.scene_catalogue import catalogue
from web.cli.scene_coverage import coverage
from web.cli.scene_evaluate import evaluate_scene
from web.cli.scene_ingest import ingest, time_of
from web.cli.scene_remask import remask
from web.cli.scene_reproduce import reproduce_finding
from web.cli.scene_segment import segment
from web.wiring import Services

WORDS = {
    "en": {"none": "no scenes", "findings": "{count} findings"},
    "zh": {"none": "没有影像", "findings": "{count} 条线索"},
}


@click.group()
def scene() -> None:
    """Satellite scenes, aerial images and the photos of flights."""


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
            f"{row.public_id:<12} {row.sensor:<10} {time_of(row.captured_at):<22} {row.gsd_m or 0:>8.2f} m  "
            f"{row.flight or '—':<12} {state:<14} {row.file_name}"
        )


scene.add_command(ingest)
scene.add_command(catalogue)
scene.add_command(segment)
scene.add_command(coverage)
scene.add_command(reproduce_finding)
scene.add_command(remask)
scene.add_command(evaluate_scene)
