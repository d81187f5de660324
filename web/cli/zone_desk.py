"""`skywarden zone add`, `end`, `ask`, `requests`, `decide`: zones that hold, and those asked for (GD-15, G-36)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from secrets import SystemRandom
from typing import Any

import click
from shapely.geometry import Polygon

from geo import commands
from geo.commands.zones import ZONE_KINDS, ZONE_SOURCES
from geo.geojson import json_kind, parse_document, parse_geometry, refuse_foreign_crs
from geo.hiding import displayed_shape
from schemas.refusals import invalid
from schemas.tables import Authority, PrivacyZone
from schemas.words import Coded
from web.cli.common import Instant, actor_for, as_json, as_person, echo_json, lang, pass_services
from web.cli.registry import by_code, tell
from web.wiring import Services

SHAPE = click.Path(exists=True, dir_okay=False, path_type=Path)
SAYS = {
    "en": {
        "added": "{zone} holds.",
        "ends": "{zone} ends on {at}.",
        "blocked": "stopped: {subject}",
        "flagged": "to be looked at: {subject}",
        "request": "{request}  {authority}  {kind}  due {due}  {place}",
        "none": "Nothing waits.",
    },
    "zh": {
        "added": "{zone} 已生效。",
        "ends": "{zone} 于 {at} 终止。",
        "blocked": "已停用：{subject}",
        "flagged": "待核查：{subject}",
        "request": "{request}  {authority}  {kind}  截止 {due}  {place}",
        "none": "没有待决定的申请。",
    },
}


def polygon_of(path: Path) -> Polygon:
    """The one polygon in a GeoJSON file: bare, as a feature, or as a layer of one; else raises RuleViolation."""
    document = parse_document(path.read_bytes())
    refuse_foreign_crs(document)
    features = document.get("features") if document.get("type") == "FeatureCollection" else None
    if isinstance(features, list):
        document = _feature(_the_one(features))
    geometry = document.get("geometry") if document.get("type") == "Feature" else document
    shape = parse_geometry(geometry, allow={"Polygon", "MultiPolygon"})
    polygon = _the_one(list(getattr(shape, "geoms", [shape])))
    assert isinstance(polygon, Polygon)
    return polygon


def _feature(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") != "Feature":
        raise invalid("geometry.format", path="features[0]", measured=json_kind(value))
    return value


def _the_one(found: list[Any]) -> Any:  # noqa: ANN401 - a feature, or a part of a shape
    if len(found) != 1:
        raise invalid("zone.one_shape", measured=len(found), required=1)
    return found[0]


@click.command("add")
@click.argument("file", type=SHAPE)
@click.option("--kind", type=click.Choice(ZONE_KINDS), required=True, help="What kind of place it is.")
@click.option("--name-en", required=True, help="What it is called in English.")
@click.option("--name-zh", required=True, help="What it is called in Chinese.")
@click.option("--source", type=click.Choice(ZONE_SOURCES), default="legal", show_default=True, help="Where it is from.")
@click.option("--buffer", "buffer_m", type=float, default=0.0, help="How many metres around it hold too.")
@click.option("--from", "valid_from", type=Instant(), help="Since when it holds; now without it.")
@click.option("--to", "valid_to", type=Instant(), help="Until when it holds; without end without it.")
@click.option("--hide", is_flag=True, help="Show a larger shape, drawn once, and neither name nor kind.")
@as_person
@as_json
@pass_services
def add(  # noqa: PLR0913 - a zone says all of this
    services: Services,
    file: Path,
    person: str | None,
    as_json: bool,
    hide: bool,
    kind: str,
    name_en: str,
    name_zh: str,
    source: str,
    buffer_m: float,
    valid_from: datetime | None,
    valid_to: datetime | None,
) -> None:
    """Adds the polygon in FILE as a privacy zone; the devices that it reaches are stopped in the same command."""
    shape = polygon_of(file)
    with services.work(actor_for(services, person)) as work:
        before = commands.shown_before(work.session, shape) if hide else []
        new = commands.NewZone(
            kind=kind,
            name_en=name_en,
            name_zh=name_zh,
            geom=displayed_shape(shape, before, SystemRandom()) if hide else shape,
            exact_geom=shape if hide else None,
            buffer_m=buffer_m,
            source=source,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        zone = commands.add_privacy_zone(work, new)
        work.commit()
    _tell_touched(services, zone, as_json=as_json)


def _tell_touched(services: Services, zone: PrivacyZone, *, as_json: bool) -> None:
    with services.session() as session:
        touched = commands.touched_by(session, zone.public_id)
    if as_json:
        rows = [{"kind": one.subject_kind, "id": one.public_id, "outcome": one.outcome} for one in touched]
        echo_json({"ok": True, "id": zone.public_id, "touched": rows})
        return
    click.echo(SAYS[lang()]["added"].format(zone=zone.public_id))
    for one in touched:
        subject = Coded("subject", [one.subject_kind], f" {one.public_id}").tell(lang())
        click.echo(f"  {SAYS[lang()][one.outcome].format(subject=subject)}")


@click.command("end")
@click.argument("name", metavar="ZONE")
@click.option("--reason", required=True, help="Why it ends, for the record; without names and addresses.")
@click.option("--at", "ends_at", type=Instant(), help="When it ends; now without it.")
@as_person
@as_json
@pass_services
def end(
    services: Services, name: str, person: str | None, as_json: bool, reason: str, ends_at: datetime | None
) -> None:
    """Ends ZONE, by a unit head; another shape is another zone, which is added before the old one ends."""
    with services.work(actor_for(services, person)) as work:
        zone = commands.end_privacy_zone(work, name, reason=reason, ends_at=ends_at)
        work.commit()
        at = (zone.valid_to or services.clock.now()).isoformat()
    if as_json:
        echo_json({"ok": True, "id": name, "ends_at": at})
    else:
        click.echo(SAYS[lang()]["ends"].format(zone=name, at=at))


@click.command("ask")
@click.argument("file", type=SHAPE)
@click.option("--authority", required=True, help="Code of the authority that decides.")
@click.option("--place", "place_text", required=True, help="Where it is, in words.")
@click.option("--reason", required=True, help="Why nobody should look there.")
@click.option("--asked-by", required=True, help="Who asks.")
@click.option("--contact", required=True, help="How the answer reaches them.")
@click.option("--kind", type=click.Choice(ZONE_KINDS), default="requested", help="What kind of place it is.")
@click.option("--hide", "sensitive", is_flag=True, help="Ask that the exact place is never shown.")
@as_person
@as_json
@pass_services
def ask(
    services: Services,
    file: Path,
    person: str | None,
    as_json: bool,
    authority: str,
    **given: str | bool,
) -> None:
    """Asks an authority for a privacy zone around the polygon in FILE."""
    with services.work(actor_for(services, person)) as work:
        owner = by_code(work, Authority, authority)
        new = commands.NewRequest(authority=owner, shape=polygon_of(file), **given)  # type: ignore[arg-type]
        request = commands.ask_zone(work, new)
        work.commit()
        tell(request, as_json=as_json)


@click.command("requests")
@as_json
@pass_services
def requests(services: Services, as_json: bool) -> None:
    """Lists the requests for privacy zones that wait for a decision, what is due first at the top."""
    with services.session() as session:
        waiting = commands.requests_waiting(session)
    if as_json:
        rows = [{"id": one.public_id, "kind": one.kind, "due_on": one.due_on.isoformat()} for one in waiting]
        echo_json({"ok": True, "waiting": rows})
        return
    for one in waiting:
        authority = one.authority_en if lang() == "en" else one.authority_zh
        facts = {"request": one.public_id, "authority": authority, "kind": one.kind, "due": one.due_on}
        click.echo(SAYS[lang()]["request"].format(place=one.place_text, **facts))
    if not waiting:
        click.echo(SAYS[lang()]["none"])


@click.command("decide")
@click.argument("name", metavar="REQUEST")
@click.option("--grant/--refuse", "is_granted", required=True, help="What is decided.")
@click.option("--reasons", required=True, help="Why, for whoever asked.")
@click.option("--told-en", required=True, help="Why, for the public register in English, without personal data.")
@click.option("--told-zh", required=True, help="Why, for the public register in Chinese, without personal data.")
@click.option("--name-en", default="", help="What a granted zone is called in English.")
@click.option("--name-zh", default="", help="What a granted zone is called in Chinese.")
@click.option("--buffer", "buffer_m", type=float, default=0.0, help="How many metres around it hold too.")
@click.option("--hide", is_flag=True, help="Never show the exact place, though nobody asked for that.")
@as_person
@as_json
@pass_services
def decide(  # noqa: PLR0913 - a decision says all of this
    services: Services,
    name: str,
    person: str | None,
    as_json: bool,
    is_granted: bool,
    reasons: str,
    told_en: str,
    told_zh: str,
    name_en: str,
    name_zh: str,
    buffer_m: float,
    hide: bool,
) -> None:
    """Decides REQUEST with reasons, by the unit head; a granted one holds at once, and stops what it reaches."""
    grant = commands.GrantedZone(name_en=name_en, name_zh=name_zh, buffer_m=buffer_m) if is_granted else None
    with services.work(actor_for(services, person)) as work:
        request = commands.decide_request(
            work,
            name,
            "granted" if is_granted else "refused",
            reasons,
            told_en=told_en,
            told_zh=told_zh,
            grant=grant,
            hide=hide,
        )
        work.commit()
        zone = request.zone
    if zone is None:
        tell(request, as_json=as_json)
    else:
        _tell_touched(services, zone, as_json=as_json)
