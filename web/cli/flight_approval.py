"""`skywarden flight approval` and `skywarden flight sheet`: the papers of a flight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flights.ground import open_ground
from flights.papers import approval as approvals
from flights.papers import queries as papers
from flights.papers.filing_sheet import Sheet
from geo import shapes
from schemas.store.work import find
from schemas.tables import Flight
from web.cli.common import as_json, echo_json, lang, pass_services
from web.wiring import Services

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "flight": "flight",
        "aircraft": "aircraft",
        "pilot": "pilot",
        "window": "window",
        "take_off": "take-off",
        "column": "take-off and landing",
        "transit": "way there",
        "route": "route",
        "return": "way back",
        "controlled": "controlled",
        "suitable": "suitable",
        "needs": "needs",
        "held": "held",
        "apply": "apply by",
        "decision": "decision by",
        "ready": "ready by",
        "left": "{hours} h {minutes} min left",
        "missed": "MISSED by {hours} h {minutes} min",
        "nothing": "Nothing has to be filed: all of it lies in suitable airspace.",
        "have": "What it needs is held.",
        "late": "The time to apply is over.",
        "emergency": "emergency",
        "written": "{path}: approval of {flight}, SHA-256 {sha256}",
    },
    "zh": {
        "flight": "飞行",
        "aircraft": "飞行器",
        "pilot": "飞手",
        "window": "时段",
        "take_off": "起飞点",
        "column": "起降",
        "transit": "去程",
        "route": "航线",
        "return": "返程",
        "controlled": "管制空域",
        "suitable": "适飞空域",
        "needs": "须办理",
        "held": "已取得",
        "apply": "申请截止",
        "decision": "批复截止",
        "ready": "准备报告",
        "left": "还有 {hours} 小时 {minutes} 分",
        "missed": "已超过 {hours} 小时 {minutes} 分",
        "nothing": "全程位于适飞空域，无须申请。",
        "have": "所需手续已取得。",
        "late": "申请时限已过。",
        "emergency": "应急",
        "written": "{path}：{flight} 的批准文件，SHA-256 {sha256}",
    },
}

flight_argument = click.argument("flight_id", metavar="FLIGHT")


@click.command("approval")
@flight_argument
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A .json file, or .html to print.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@pass_services
def approval(services: Services, flight_id: str, out: Path | None, force: bool) -> None:
    """What the unit head approved: checks, thresholds, distances, air, fence; its hash is in the ledger.

    Without --out the JSON document is printed.
    """
    if out is not None and out.suffix.lower() not in (".json", ".html"):
        raise click.UsageError(f"{out.name} must end in .json or .html.")
    if out is not None and out.exists() and not force:
        raise click.UsageError(f"{out} exists; give --force to replace it.")
    with services.session() as session:
        document = approvals.document(session, find(session, Flight, flight_id), sample=services.holds_sample_data)
    if out is None:
        echo_json(document)
        return
    text = _page(services, document) if out.suffix.lower() == ".html" else _written(document)
    out.write_text(text, encoding="utf-8")
    flight = document["approved"]["flight"]
    click.echo(WORDS[lang()]["written"].format(path=out, flight=flight, sha256=document["document_sha256"]))


@click.command("sheet")
@flight_argument
@as_json
@pass_services
def sheet(services: Services, flight_id: str, as_json: bool) -> None:
    """What must be filed with the airspace office for a flight, and by when, in local time."""
    now = services.clock.now()
    with services.session() as session, open_ground(services.data_dir) as ground:
        flight = find(session, Flight, flight_id)
        pack = services.rulebook.at_place(shapes.line(flight.route.geom), now)
        made = papers.sheet_of(session, pack, ground, flight, now)
    if as_json:
        echo_json(made.render())
    else:
        _tell(made)


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _page(services: Services, document: dict[str, Any]) -> str:
    # The words of the page are those of the web; its application is not needed for anything else here.
    from web.app import create_app
    from web.pilot.papers import printed

    with create_app(services).test_request_context(f"/?lang={lang()}"):
        return printed(document, lang())


def _tell(made: Sheet) -> None:
    words, about = WORDS[lang()], made.about
    start, end = made.window
    home = f"{made.home.lon:.5f} {made.home.lat:.5f}, {made.home_amsl_m:.0f} m"
    rows = [
        ("flight", f"{about['flight']} · {about['route']['code']}"),
        ("aircraft", f"{about['registration']} ({about['aircraft']}), {about['max_takeoff_mass_kg']:g} kg"),
        ("pilot", about["pilot"]),
        ("window", f"{start:%Y-%m-%d %H:%M} – {end:%H:%M} ({start.tzinfo})"),
        ("take_off", home),
    ]
    for leg in made.legs:
        known = leg.alt_min_agl_m is not None and leg.alt_max_agl_m is not None
        heights = f"{leg.alt_min_agl_m:.0f}–{leg.alt_max_agl_m:.0f} m" if known else "—"
        kind = words["controlled" if leg.controlled else "suitable"]
        why = f" ({', '.join(leg.because)})" if leg.because else ""
        rows.append((leg.part, f"{heights}, {kind}{why}"))
    for name, text in rows:
        click.echo(f"  {words[name]:<12} {text}")
    _tell_needs(made, words)


def _tell_needs(made: Sheet, words: dict[str, str]) -> None:
    if made.needs is None:
        click.echo(words["nothing"])
        return
    held = ", ".join(map(" ".join, made.clearances))
    click.echo(f"{words['needs']}: {made.needs}. {words['have'] if made.held else ''} {held}".rstrip())
    due = [(words[one.name], one) for one in made.deadlines]
    if made.emergency_enabled:
        due += [(f"{words['emergency']}, {words[one.name]}", one) for one in made.emergency]
    for name, deadline in due:
        left = deadline.left(made.now)
        hours, minutes = divmod(int(abs(left).total_seconds()) // 60, 60)
        said = words["missed" if left.total_seconds() < 0 else "left"].format(hours=hours, minutes=minutes)
        click.echo(f"  {name:<12} {deadline.at:%Y-%m-%d %H:%M}  {said}")
    if made.too_late:
        click.echo(words["late"])
