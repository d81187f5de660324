"""The words of coverage studies: what is asked, how far the answer is, and figures as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geo.coverage.asked import Asked
from geo.coverage.footprints import DENSITIES_PX_PER_M
from web.i18n import current_language, gettext
from web.planner.words import said
from web.words import DEVICE_TYPES, N_

STATUSES: Mapping[str, str] = {
    "active": N_("In use"),
    "published": N_("Announced, not yet in use"),
    "planned": N_("Planned sites"),
    "blocked": N_("Stopped by a check"),
}
DEMANDS: Mapping[str, str] = {
    "area": N_("Area, every square metre alike"),
    "population": N_("Where people live"),
    "entities": N_("Supervised entities, by the views that each must give"),
    "risk": N_("Open leads, by their risk"),
    "violations": N_("Decided violations"),
}
DEMANDS_SHORT: Mapping[str, str] = {
    "area": N_("Ground area"),
    "population": N_("Homes"),
    "entities": N_("Supervised entities"),
    "risk": N_("Risk"),
    "violations": N_("Violations"),
}
UNITS: Mapping[str, str] = {
    "views": N_("required views"),
    "risk_points": N_("points of risk"),
    "findings": N_("decided findings"),
    "people": N_("people"),
}
# What a camera must show of a target (EN 62676-4), in the words of geo.coverage.footprints.
DENSITIES: Mapping[str, str] = {
    "monitor": N_("Watch a crowd"),
    "detect": N_("Detect somebody"),
    "observe": N_("Observe somebody"),
    "recognise": N_("Recognise somebody"),
    "identify": N_("Identify somebody"),
}
STAGES: Mapping[str, str] = {
    "waiting": N_("Waits for the worker"),
    "working": N_("Being computed"),
    "done": N_("Computed"),
    "failed": N_("No answer"),
}
STAGE_LOOKS: Mapping[str, str] = {"waiting": "off", "working": "soon", "done": "on", "failed": "stop"}
HIDDEN_BY: Mapping[str, str] = {
    "hidden": N_("From there it sees nothing: the ground hides all of it."),
    "no_height": N_("The elevation model has no height there, so it is not known what it would see."),
    "no_water": N_("There is no water within its reach on the map."),
    "unusable": N_("Such a view cannot be."),
}
_KINDS: Mapping[str, str] = {**DEVICE_TYPES, "patrol_route": N_("Patrol route")}
# What is counted in square metres.
_AREAS = frozenset({"m2", "homes_m2"})
_KM2_M2 = 1e6
_SMALL_M2 = 100_000.0


def kind(code: str) -> str:
    """What sees, in words."""
    return said(_KINDS, code)


def density(code: str) -> str:
    """What cameras must show of a target, and how many pixels that takes."""
    return gettext(
        "%(purpose)s: %(number)s px/m",
        purpose=said(DENSITIES, code),
        number=f"{DENSITIES_PX_PER_M[code]:g}",
    )


def finer_points(asked: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked beyond what every question says: how sharp, among which buildings, how far back."""
    told = []
    if asked.get("density"):
        wide = gettext("in images %(width)s pixels wide", width=f"{asked['image_width_px']:,}")
        told.append((gettext("What cameras must show"), f"{density(asked['density'])} · {wide}"))
    if asked.get("over_terrain") and asked.get("buildings_m"):
        told.append((gettext("Height of buildings"), gettext("%(m)s m", m=f"{asked['buildings_m']:g}")))
    days = gettext("the last %(days)s days", days=asked.get("days", Asked.days))
    return [*told, (gettext("Patrols and satellite scenes of"), days)]


def share(part: float) -> str:
    """A part of one as a percentage; what is not nothing and not all is never told as either."""
    percent = 100 * part
    shown = f"{percent:.0f}" if 1 <= percent <= 99 else f"{percent:.1f}"
    if shown == "0.0" and part > 0:
        return "< 0.1 %"
    if shown == "100.0" and part < 1:
        return "> 99.9 %"
    return f"{shown.removesuffix('.0')} %"


def area(square_metres: float, *, signed: bool = False) -> str:
    """An area in the unit in which it has a few digits."""
    size = abs(square_metres)
    rounded = round(square_metres)
    sign = "+" if signed and rounded > 0 else "−" if rounded < 0 else ""
    zh = current_language() == "zh"
    if size < _SMALL_M2:
        return f"{sign}{size:,.0f} " + ("平方米" if zh else "m²")
    km2 = size / _KM2_M2
    return f"{sign}{km2:,.{2 if km2 < 10 else 1 if km2 < 1000 else 0}f} " + ("平方公里" if zh else "km²")


def amount(value: float, unit: str) -> str:
    """How much of a demand there is, in its unit."""
    if unit in _AREAS:
        return area(value)
    number = f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.1f}"
    return f"{number} {said(UNITS, unit)}"


def hour(number: int) -> str:
    """An hour of the local day, from when to when."""
    return f"{number:02d}:00–{(number + 1) % 24:02d}:00"


def headline(part: float, gap_m2: float) -> str:
    """What a study found, as the first sentence of its page."""
    if gap_m2 <= 0:
        return gettext("Every part of this ground is seen")
    if part <= 0:
        return gettext("Nothing of this ground is seen: all %(gap)s are a gap", gap=area(gap_m2))
    return gettext("%(share)s of this ground is seen; nobody sees %(gap)s", share=share(part), gap=area(gap_m2))
