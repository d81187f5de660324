"""`skywarden patrol`: patrol areas and deployment points, from draft to the end of their use (GD-16.3)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from shapely.geometry import Point, Polygon

from geo import commands
from geo.geojson import parse_document, parse_geometry
from schemas.store.work import Work
from schemas.tables import Authority, DeploymentPoint, PatrolArea, SitingPlan, SupervisionItem
from web.cli.common import Instant, actor_for, as_json, as_person, lang, pass_services
from web.cli.patrol_files import import_areas, import_points
from web.cli.registry import FILE, by_code, step, tell
from web.wiring import Services

_KINDS: dict[str, type[PatrolArea] | type[DeploymentPoint]] = {"area": PatrolArea, "point": DeploymentPoint}
_SAYS = {
    "en": {
        "drawn": "{area}: the change overlaps by {iou:.2f}",
        "approved": "{area}: the change is approved",
        "carried": "{channel} carries the change of {area}, receipt {receipt}",
    },
    "zh": {
        "drawn": "{area}：变更与原范围重叠 {iou:.2f}",
        "approved": "{area}：变更已批准",
        "carried": "{channel} 已公示 {area} 的变更，回执 {receipt}",
    },
}
_WORDS = ("code", "name_en", "name_zh", "purpose_en", "purpose_zh")


@click.group()
def patrol() -> None:
    """Patrol areas and deployment points: drafted, checked, approved, changed, suspended. See `notice` too."""


patrol.add_command(import_areas)
patrol.add_command(import_points)


def _drafting(command: Any) -> Any:  # noqa: ANN401
    for option in (
        click.option("--code", required=True, help="A short code of its own."),
        click.option("--name-en", required=True, help="Name in English."),
        click.option("--name-zh", required=True, help="Name in Chinese."),
        click.option("--purpose-en", required=True, help="What it is for, in English."),
        click.option("--purpose-zh", required=True, help="What it is for, in Chinese."),
        click.option("--authority", required=True, help="Code of the authority."),
        click.option("--item", help="Code of the supervision item."),
        click.option("--siting-plan", help="The approved siting plan that it stands in."),
    ):
        command = option(command)
    return command


def _common(work: Work, given: dict[str, Any]) -> dict[str, Any]:
    plan = given["siting_plan"]
    return {word: given[word] for word in _WORDS} | {
        "authority": by_code(work, Authority, given["authority"]),
        "item": by_code(work, SupervisionItem, given["item"]) if given["item"] else None,
        "siting_plan": work.get(SitingPlan, plan) if plan else None,
    }


def _polygon(path: Path) -> Polygon:
    document = parse_document(path.read_bytes())
    geometry = document.get("geometry") if document.get("type") == "Feature" else document
    shape = parse_geometry(geometry, allow={"Polygon"})
    assert isinstance(shape, Polygon)
    return shape


@patrol.command("draft-area")
@click.argument("file", type=FILE)
@click.option("--heights", nargs=2, type=float, required=True, metavar="LOW HIGH", help="True heights, in metres.")
@_drafting
@as_person
@as_json
@pass_services
def draft_area(services: Services, file: Path, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Drafts a patrol area with the polygon in FILE, GeoJSON."""
    shape, (low, high) = _polygon(file), given["heights"]
    with services.work(actor_for(services, person)) as work:
        new = commands.NewArea(**_common(work, given), geom=shape, alt_min_agl_m=low, alt_max_agl_m=high)
        made = commands.draft_area(work, new)
        work.commit()
        tell(made, as_json=as_json)


@patrol.command("draft-point")
@click.option("--at", "place", nargs=2, type=float, required=True, metavar="LON LAT", help="Its place in WGS 84.")
@click.option("--place-text", required=True, help="The place in words, for the public.")
@_drafting
@as_person
@as_json
@pass_services
def draft_point(services: Services, person: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Drafts a deployment point."""
    with services.work(actor_for(services, person)) as work:
        place = Point(given["place"])
        new = commands.NewPoint(**_common(work, given), place=place, place_text=given["place_text"])
        made = commands.draft_point(work, new)
        work.commit()
        tell(made, as_json=as_json)


_kind = click.argument("kind", type=click.Choice(list(_KINDS)))
_name = click.argument("name", metavar="CODE")


@patrol.command("check")
@_kind
@_name
@as_person
@pass_services
def check(services: Services, kind: str, name: str, person: str | None) -> None:
    """Checks a drafted area or point CODE against every rule of its kind."""
    step(services, person, _KINDS[kind], name, commands.check)


@patrol.command("approve")
@_kind
@_name
@as_person
@pass_services
def approve(services: Services, kind: str, name: str, person: str | None) -> None:
    """The unit head approves an area or point CODE that somebody else drafted (GD-16.1)."""
    step(services, person, _KINDS[kind], name, commands.approve)


@patrol.command("suspend")
@_kind
@_name
@click.option("--reason", required=True, help="Why.")
@click.option("--text-en", required=True, help="The announcement in English.")
@click.option("--text-zh", required=True, help="The announcement in Chinese.")
@as_person
@pass_services
def suspend(services: Services, kind: str, name: str, person: str | None, **texts: str) -> None:
    """Takes an area or point CODE out of use and announces it (GD-14.4)."""
    step(services, person, _KINDS[kind], name, lambda work, found: commands.suspend(work, found, **texts))


@patrol.group("change")
def change() -> None:
    """Another shape for an area in force: drawn, approved, shown on its channels, applied (GD-16.3)."""


@change.command("draw")
@_name
@click.argument("file", type=FILE)
@click.option("--reason", required=True, help="Why.")
@as_person
@pass_services
def draw(services: Services, name: str, file: Path, reason: str, person: str | None) -> None:
    """Draws the polygon in FILE, GeoJSON, for the area CODE; a change that waits is given up for it."""
    shape = _polygon(file)
    with services.work(actor_for(services, person)) as work:
        made = commands.draft_change(work, work.get(PatrolArea, name), shape, reason=reason)
        work.commit()
        click.echo(_SAYS[lang()]["drawn"].format(area=name, iou=made.iou))


@change.command("approve")
@_name
@as_person
@pass_services
def approve_change(services: Services, name: str, person: str | None) -> None:
    """The unit head approves the change that waits for the area CODE."""
    with services.work(actor_for(services, person)) as work:
        commands.approve_change(work, work.get(PatrolArea, name))
        work.commit()
    click.echo(_SAYS[lang()]["approved"].format(area=name))


@change.command("record")
@_name
@click.option("--channel", required=True, help="Code of the channel in the rule pack.")
@click.option("--receipt", "receipt_id", default="", help="Number of the channel's receipt.")
@click.option("--at", "published_at", type=Instant(), help="Time of the receipt.")
@as_person
@pass_services
def record_change(
    services: Services, name: str, channel: str, receipt_id: str, published_at: datetime | None, person: str | None
) -> None:
    """Records that a channel carries the area CODE as it is going to be."""
    with services.work(actor_for(services, person)) as work:
        made = commands.record_change_publication(
            work, work.get(PatrolArea, name), channel=channel, receipt_id=receipt_id, published_at=published_at
        )
        work.commit()
        click.echo(_SAYS[lang()]["carried"].format(channel=channel, area=name, receipt=made.receipt_id))


@change.command("apply")
@_name
@as_person
@pass_services
def apply_change(services: Services, name: str, person: str | None) -> None:
    """Puts the approved and published shape in the place of the old one; a large change is another area."""
    step(services, person, PatrolArea, name, commands.apply_change)
