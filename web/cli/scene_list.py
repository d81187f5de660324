"""`skywarden scene list`: what was taken in."""

from __future__ import annotations

import click

from sensing import queries
from web.cli.common import as_json, echo_json, lang, pass_services
from web.cli.scene_ingest import time_of
from web.wiring import Services

WORDS = {
    "en": {"none": "no scenes", "findings": "{count} findings"},
    "zh": {"none": "没有影像", "findings": "{count} 条线索"},
}


@click.command("list")
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
        pixel = f"{row.gsd_m:.2f} m" if row.gsd_m else "—"
        click.echo(
            f"{row.public_id:<12} {row.sensor:<10} {time_of(row.captured_at):<22} {pixel:>10}  "
            f"{row.flight or '—':<12} {state:<14} {row.file_name}"
        )
