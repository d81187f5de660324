"""The papers of a flight: the filing sheet on its page, and the approval file to take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Response, json, make_response, render_template
from sqlalchemy.orm import Session

from flights.ground import open_ground
from flights.papers import approval
from flights.papers import queries as papers
from flights.papers.filing_sheet import APPROVAL, Deadline, Sheet, SheetLeg
from geo import shapes
from schemas.tables import Flight
from web.i18n import current_language, gettext
from web.identity.request_identity import current_actor, services
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.pilot.keeping import KINDS, refuge
from web.pilot.watching import flight_to_watch
from web.words import N_

section = Section("flight_papers", __name__, Audience.PILOT)

PARTS: Mapping[str, str] = {
    "column": N_("take-off and landing"),
    "transit": N_("way there"),
    "route": N_("route"),
    "return": N_("way back"),
}
PROOF: tuple[tuple[str, str, str], ...] = (
    ("covers", "legs_and_returns", N_("holds all legs and ways back")),
    ("covers", "zones", N_("keeps out of all zones near")),
    ("covers", "inside_the_area", N_("lies inside the patrol area")),
    ("margin_m", "required", N_("margin that is required, m")),
    ("margin_m", "route_to_inclusion", N_("route to its outer edge, m")),
    ("margin_m", "returns_to_inclusion", N_("ways back to its outer edge, m")),
    ("margin_m", "route_to_exclusion", N_("route to what it keeps out of, m")),
    ("margin_m", "returns_to_exclusion", N_("ways back to what it keeps out of, m")),
    ("area_m2", "inclusion", N_("area inside, m²")),
)
"""The parts of the proof of a fence (flights/link/fence.py) that a person reads."""

_DUE: Mapping[str, str] = {
    "apply": N_("Application to the airspace office"),
    "decision": N_("Decision of the airspace office"),
    "ready": N_("Report that it is ready"),
}
_NEEDS: Mapping[str | None, str] = {
    None: N_("nothing"),
    "filing": N_("filing"),
    "approval": N_("approval"),
}
_BECAUSE: Mapping[str, str] = {
    "above_controlled_height": N_("above the controlled height"),
    "height_unknown": N_("height not known"),
}


@dataclass(frozen=True)
class Due:
    """A deadline in words: what, when (local), how long there is still (nothing once met), whether it is missed."""

    name: str
    at: str
    left: str
    missed: bool


@dataclass(frozen=True)
class LegRow:
    """A line of the sheet in words."""

    part: str
    controlled: bool
    because: str
    heights: str
    needs: str


@dataclass(frozen=True)
class SheetView:
    """The filing sheet as the page of a flight shows it."""

    sentence: str
    ok: bool
    legs: tuple[LegRow, ...]
    due: tuple[Due, ...]
    emergency: tuple[Due, ...]
    place: str
    clearances: tuple[str, ...]


def sheet_of(db: Session, flight: Flight) -> SheetView:
    """The filing sheet of a flight in the words of this request."""
    house = services()
    now = house.clock.now()
    pack = house.rulebook.at_place(shapes.line(flight.route.geom), now)
    with open_ground(house.data_dir) as ground:
        sheet = papers.sheet_of(db, pack, ground, flight, now)
    return SheetView(
        sentence=_sentence(sheet),
        ok=sheet.needs is None or sheet.held,
        legs=tuple(map(_leg, sheet.legs)),
        due=tuple(_due(deadline, sheet) for deadline in sheet.deadlines) if sheet.needs else (),
        emergency=tuple(_due(deadline, sheet) for deadline in sheet.emergency) if sheet.emergency_enabled else (),
        place=f"{sheet.home.lon:.5f}, {sheet.home.lat:.5f} · {sheet.home_amsl_m:.0f} m",
        clearances=tuple(" ".join((_kind(kind), number)) for kind, number in sheet.clearances),
    )


def _kind(kind: str) -> str:
    return gettext(_NEEDS[kind]) if kind in _NEEDS else kind


def _sentence(sheet: Sheet) -> str:
    if sheet.needs is None:
        return gettext("All of it lies in airspace suitable for flying without an application.")
    if sheet.held:
        return gettext("It leads through controlled airspace, and what it needs is held.")
    if sheet.too_late:
        return gettext("It leads through controlled airspace, and the time to apply is over.")
    if sheet.needs == APPROVAL:
        return gettext("It leads through controlled airspace: apply for approval in time.")
    return gettext("It leads through controlled airspace: file it in time.")


def _leg(leg: SheetLeg) -> LegRow:
    return LegRow(
        part=gettext(PARTS[leg.part]),
        controlled=leg.controlled,
        because=", ".join(gettext(_BECAUSE[name]) if name in _BECAUSE else name for name in leg.because),
        heights=_heights(leg.alt_min_agl_m, leg.alt_max_agl_m),
        needs=gettext(_NEEDS[leg.needs]),
    )


def _heights(lowest_m: float | None, highest_m: float | None) -> str:
    if lowest_m is None or highest_m is None:
        return "—"
    ends = dict.fromkeys((f"{lowest_m:.0f}", f"{highest_m:.0f}"))
    return f"{'–'.join(ends)} m"


def _due(deadline: Deadline, sheet: Sheet) -> Due:
    left = deadline.left(sheet.now)
    is_over = left < timedelta(0)
    name, at = gettext(_DUE[deadline.name]), f"{deadline.at:%Y-%m-%d %H:%M}"
    if is_over and sheet.held:
        # What was due is held: how long ago it was due helps nobody.
        return Due(name, at, "", missed=False)
    hours, minutes = divmod(int(abs(left).total_seconds()) // 60, 60)
    said = gettext("missed by %(hours)d h %(minutes)d min") if is_over else gettext("%(hours)d h %(minutes)d min left")
    return Due(name, at, said % {"hours": hours, "minutes": minutes}, is_over)


@section.page("/pilot/flight/<public_id>/approval.json", GET=Permission.WATCH_FLIGHT)
def approval_json(public_id: str) -> Response:
    """The approval file of a flight that was cleared."""
    body = json.dumps(_document(public_id), ensure_ascii=False, indent=2, sort_keys=True)
    return _attached(Response(body, mimetype="application/json"), f"{public_id}.approval.json")


@section.page("/pilot/flight/<public_id>/approval.html", GET=Permission.WATCH_FLIGHT)
def approval_html(public_id: str) -> Response:
    """The same to print."""
    page = printed(_document(public_id), current_language())
    return _attached(make_response(page), f"{public_id}.approval.html")


def printed(document: Mapping[str, Any], language: str) -> str:
    """An approval file as a page that stands by itself; needs a request for its words."""
    approved = document["approved"]
    words = {"parts": PARTS, "kinds": KINDS, "refuge": refuge, "proof": PROOF, "lang": language}
    return render_template("pilot/approval.html", doc=document, approved=approved, **words)


def _document(public_id: str) -> dict[str, Any]:
    with services().session() as db:
        return approval.document(db, flight_to_watch(db, current_actor(), public_id), sample=sample_data())


def _attached(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
