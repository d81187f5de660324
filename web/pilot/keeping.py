"""What a flight keeps its distance from, in words: for the desk that checks plans and for the file of an approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flights.check.margins import Margin, nearest
from schemas.words import Coded
from web.i18n import current_language
from web.words import N_

KINDS: Mapping[str, str] = {
    "zone": N_("privacy zone"),
    "area": N_("edge of the patrol area"),
    "airspace": N_("controlled airspace"),
    "residential": N_("homes"),
    "traffic": N_("other flight"),
    "terrain": N_("ground below the flight, in height"),
    "way": N_("ground below the way back, in height"),
}


@dataclass(frozen=True)
class Keeps:
    """One distance in words: whole metres, None where there is none to tell."""

    kind: str
    name: str
    line_m: int
    seen_m: int | None


def refuge(name: str) -> str:
    """A place that is flown back to, such as `home` or `rally 1`, in words."""
    code, space, number = name.partition(" ")
    return Coded("refuge", [code], space + number).tell(current_language())


def kept(clearances: Sequence[Margin]) -> list[Keeps]:
    """The nearest few of each kind."""
    return [
        Keeps(
            KINDS[clearance.kind],
            _name(clearance),
            round(clearance.line_m),
            None if clearance.footprint_m is None else round(clearance.footprint_m),
        )
        for clearance in nearest(clearances)
    ]


def _name(clearance: Margin) -> str:
    if clearance.kind == "terrain":
        return ""
    return refuge(clearance.name) if clearance.kind == "way" else clearance.name
