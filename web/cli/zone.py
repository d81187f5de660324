"""`skywarden zone`: privacy zones, requests for them, and all of them for other systems as everybody may see them."""

from __future__ import annotations

from pathlib import Path

import click
import shapely
from sqlalchemy import text

from geo import geozones
from geo.geozones.privacy import Displayed, geozone_of, losses_of
from schemas.refusals import conflict
from web.cli.common import as_json, echo_json, lang, pass_services
from web.cli.zone_desk import add, ask, decide, end, requests
from web.wiring import Services

WORDS = {
    "en": {"written": "{out}: {count} privacy zones as {format}", "lost": "not carried: {what}"},
    "zh": {"written": "{out}：{count} 个隐私区，格式 {format}", "lost": "未写入：{what}"},
}
# The public view: a sensitive zone has neither name nor kind nor exact shape there.
_SHOWN = text(
    "SELECT public_id, kind, name_en, name_zh, ST_AsBinary(geom) AS geom, buffer_m, valid_from, valid_to,"
    " floor_agl_m, ceiling_agl_m, schedule FROM public_map.privacy_zones ORDER BY public_id"
)


@click.group()
def zone() -> None:
    """Privacy zones."""


for command in (add, end, ask, requests, decide):
    zone.add_command(command)


@zone.command("export")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format", "name", type=click.Choice(geozones.FORMATS), help="By the name of OUT without it, else ED-318."
)
@click.option("--authority", default="", help="Who answers for the zones, named in each of them.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@as_json
@pass_services
def export(services: Services, out: Path, name: str | None, authority: str, force: bool, as_json: bool) -> None:
    """Writes the privacy zones to OUT as ED-318 or ED-269, reason PRIVACY, by their displayed shapes alone.

    What is written comes from the public map; nothing in it tells more than the map does.
    """
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    now = services.clock.now()
    with services.public() as public:
        rows = public.execute(_SHOWN).mappings().all()
    if not rows:
        raise conflict("zones.nothing")
    shown = [Displayed(**{**row, "geom": shapely.from_wkb(row["geom"])}) for row in rows]
    zones = [geozone_of(entry, authority or "—", services.zone, now) for entry in shown]
    chosen = name or geozones.named(out.name) or "ed318"
    data, losses = geozones.write(zones, chosen, authority)
    losses = (*losses, *(loss for entry in shown for loss in losses_of(entry)))
    out.write_bytes(data)
    if as_json:
        lost = [loss.render(lang()) for loss in losses]
        echo_json({"ok": True, "file": str(out), "format": chosen, "zones": len(zones), "losses": lost})
        return
    words = WORDS[lang()]
    click.echo(words["written"].format(out=out, count=len(zones), format=chosen))
    for loss in geozones.grouped(losses, lang()):
        click.echo(f"  ! {words['lost'].format(what=loss)}")
