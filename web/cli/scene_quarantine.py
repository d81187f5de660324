"""`skywarden scene quarantine`: what is kept and not used, why, and what lets it in."""

from __future__ import annotations

import click

from sensing import queries
from sensing.placing import PLACE_RULES
from web.cli.common import as_json, echo_json, lang, pass_services
from web.cli.scene_ingest import WORDS as INGEST_WORDS
from web.wiring import Services

WORDS = {
    "en": {"none": "nothing waits in quarantine", "since": "here since {at:%Y-%m-%d %H:%M}Z"},
    "zh": {"none": "没有处于隔离状态的影像", "since": "{at:%Y-%m-%d %H:%M}Z 收到"},
}


@click.command("quarantine")
@as_json
@pass_services
def list_quarantined(services: Services, as_json: bool) -> None:
    """All images that are kept and not used, the newest first, with the reason and what lets them in."""
    with services.session() as session:
        rows = queries.quarantined(session)
    if as_json:
        echo_json([one.plain(lang()) for one in rows])
        return
    if not rows:
        click.echo(WORDS[lang()]["none"])
    for row in rows:
        click.echo(f"{row.public_id:<12} {row.file_name}  ({WORDS[lang()]['since'].format(at=row.recorded_at)})")
        for reason in row.reasons:
            click.echo(f"  {reason[lang()]['rule']}: {reason[lang()]['message']}")
            click.echo(f"    -> {reason[lang()]['fix']}")
        if row.waits_for_place and set(row.rules) & (PLACE_RULES - {"raster.position"}):
            click.echo("  " + INGEST_WORDS[lang()]["let_in"])
