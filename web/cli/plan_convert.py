"""`skywarden plan convert`: a plan or a document of zones in another format, with all that is lost told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flights.canonical import mission_digest
from flights.formats import FORMATS, convert, format_of, read_plan
from flights.model import Plan
from flights.path.assumed import Assumed
from geo import geozones
from geo.geojson import parse_document
from schemas.limits import limit
from schemas.refusals import RuleViolation, unsupported
from web.cli.common import as_json, echo_json, lang

WORDS = {
    "en": {
        "written": "{out}: {what} as {format}",
        "items": "{count} items",
        "zones": "{count} zones",
        "digest": "digest",
        "lost": "not carried",
        "assumed": "assumed",
        "nothing": "nothing was lost",
    },
    "zh": {
        "written": "{out}：{what}，格式 {format}",
        "items": "{count} 项",
        "zones": "{count} 个区域",
        "digest": "摘要",
        "lost": "未写入",
        "assumed": "假定",
        "nothing": "没有内容丢失",
    },
}


@click.command("convert")
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "name",
    type=click.Choice([*FORMATS, *geozones.FORMATS]),
    help="The format of OUT; by its name without it.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@as_json
def plan_convert(source: Path, out: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Writes the plan in IN to OUT in another format, and lists everything that format cannot carry.

    Read: .plan, .waypoints, KML, KMZ, DJI WPML (.kmz) and GeoJSON, by content. Written, by the name of OUT:
    .plan, .waypoints, .kml, .kml.kmz, .kmz (DJI WPML) and .geojson. Zones in ED-269 become ED-318 and back.
    """
    if out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    data = _content(source)
    zones = _zones(data)
    if zones is None:
        _convert_plan(read_plan(data, source.name), out, name, as_json=as_json)
    else:
        _convert_zones(zones, out, name, as_json=as_json)


def _content(file: Path) -> bytes:
    """The file's bytes; of one that is too large only as much as shows it."""
    with file.open("rb") as source:
        return source.read(limit("plan.bytes") + 1)


def _zones(data: bytes) -> tuple[geozones.Geozone, ...] | None:
    """The zones of a document of zones, None for anything else."""
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    try:
        document = parse_document(data)
    except RuleViolation:
        return None  # the reader of plans says what is wrong with it
    return geozones.read_document(document) if geozones.is_geozones(document) else None


def _convert_plan(plan: Plan, out: Path, name: str | None, *, as_json: bool) -> None:
    chosen = name or format_of(out.name)
    written = convert(plan, chosen)
    again = read_plan(written.data, out.name)
    out.write_bytes(written.data)
    body = {
        "ok": True,
        "file": str(out),
        "format": chosen,
        "source": plan.source,
        "items": len(again.items),
        "digest": _digest(again),
        "losses": [loss.render(lang()) for loss in written.losses],
        "assumed": [assumed.render(lang()) for assumed in plan.assumed],
    }
    lost = [loss.message(lang()) for loss in written.losses]
    _tell(body, "items", len(again.items), lost, plan.assumed, as_json=as_json)


def _digest(plan: Plan) -> str | None:
    """The digest of the mission; None where an item has no height yet."""
    if any(item.command.is_located and item.alt_m is None for item in plan.items):
        return None
    return mission_digest(plan.items)


def _convert_zones(zones: Sequence[geozones.Geozone], out: Path, name: str | None, *, as_json: bool) -> None:
    chosen = name or _zone_format(out.name)
    data, losses = geozones.write(zones, chosen)
    geozones.read(data)
    out.write_bytes(data)
    body = {
        "ok": True,
        "file": str(out),
        "format": chosen,
        "zones": len(zones),
        "losses": [loss.render(lang()) for loss in losses],
    }
    _tell(body, "zones", len(zones), geozones.grouped(losses, lang()), (), as_json=as_json)


def _zone_format(name: str) -> str:
    found = geozones.named(name)
    if found is None:
        raise unsupported("zones.format", measured=name[-40:])
    return found


def _tell(
    body: dict[str, Any],
    what: str,
    count: int,
    losses: Sequence[str],
    assumed: Sequence[Assumed],
    *,
    as_json: bool,
) -> None:
    if as_json:
        echo_json(body)
        return
    words = WORDS[lang()]
    counted = words[what].format(count=count)
    click.echo(words["written"].format(out=body["file"], what=counted, format=body["format"]))
    if body.get("digest"):
        click.echo(f"  {words['digest']:<12} {body['digest']}")
    for entry in assumed:
        click.echo(f"  {words['assumed']:<12} {entry.title(lang())} = {entry.shown(lang())} ({entry.source(lang())})")
    for loss in losses:
        click.echo(f"  {words['lost']:<12} {loss}")
    if not losses:
        click.echo(f"  {words['nothing']}")
