"""The words of siting: what can be asked, and what a question asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geo.siting.asked import FRONT, LEAST_COST, MOST_SEEN, NEAREST, PATROL_HOURS, SitingAsked
from web.i18n import current_language, gettext
from web.planner import coverage_words
from web.planner.words import said
from web.words import DEVICE_TYPES, N_

MODELS: Mapping[str, tuple[str, str]] = {
    MOST_SEEN: (
        N_("See the most with so many devices"),
        N_("A given number of devices, where together they see the most that nobody sees yet."),
    ),
    LEAST_COST: (
        N_("See so much with the least effort"),
        N_("As few sites as possible, the easiest first, until a share is seen."),
    ),
    NEAREST: (
        N_("Be near to what needs watching"),
        N_("A given number of devices, so that what needs watching is on the whole nearest to one."),
    ),
    FRONT: (
        N_("Weigh what is seen against whose homes are seen"),
        N_("Several answers, from the fewest homes in view to the most that is seen; you choose."),
    ),
    PATROL_HOURS: (
        N_("Fly patrols where they help most"),
        N_("Hours of patrol along published routes, where they see the most that nobody sees."),
    ),
}
SOURCES: Mapping[str, str] = {
    "roads": N_("Along roads"),
    "poles": N_("On poles and buildings that stand"),
    "high_ground": N_("On high ground"),
    "grid": N_("Anywhere, on a grid"),
}
# Places that were weighed, and by the reason those where no device may stand, as geo.siting.solve tells them; each
# with its mark (web.planner.pictures).
PLACES: Mapping[str, tuple[str, str]] = {
    "open": ("candidate", N_("Place that was weighed")),
    "private": ("barred_private", N_("Not allowed: in a private place, or looks into one (GD-15)")),
    "outside": ("barred_outside", N_("Not allowed: outside of the ground or the jurisdiction")),
    "near": ("barred_near", N_("Left out: too near to a device that stands")),
    "blind": ("barred_blind", N_("Left out: sees nothing from there, or its height is not known")),
}


# A question that somebody ended has no answer either, but nothing is wrong with it.
STOPPED = "stopped"
_STAGES: Mapping[str, str] = {**coverage_words.STAGES, STOPPED: N_("Stopped early")}
_STAGE_LOOKS: Mapping[str, str] = {**coverage_words.STAGE_LOOKS, STOPPED: "off"}


def vocabulary() -> dict[str, Any]:
    """What the pages of siting say things with."""
    return {
        "models": {code: (gettext(title), gettext(hint)) for code, (title, hint) in MODELS.items()},
        "model_words": model,
        "sources": {code: gettext(text) for code, text in SOURCES.items()},
        "stages": _STAGES,
        "stage_looks": _STAGE_LOOKS,
        "demand_words": demand,
    }


def weighed(result: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """The legend of the places of a run: the mark, what it means, and how many there are; those of none left out."""
    left = dict(result.get("left_out") or {})
    barred = {kind: left.get(kind, 0) for kind in PLACES if kind != "open"}
    counts = {"open": left.get("found", 0) - sum(barred.values())} | barred
    drawn = result.get("places") or {}
    return [(mark, gettext(text), counts[kind]) for kind, (mark, text) in PLACES.items() if kind in drawn]


def model(code: str) -> str:
    """What a question was after."""
    known = MODELS.get(code)
    return gettext(known[0]) if known else code


def demand(code: str) -> str:
    """What counts, in a word."""
    return said(coverage_words.DEMANDS_SHORT, code)


def usual() -> dict[str, str]:
    """What the form holds when it is opened: the question that geo.siting.asked takes for the usual one."""
    asked = SitingAsked()
    sources, view = asked.candidates, asked.view
    numbers = {
        "count": asked.count,
        "hours": 10,
        "share": asked.share * 100,
        "limit_s": asked.limit_s,
        "spacing_m": sources.spacing_m,
        "apart_m": sources.apart_m,
        "directions": sources.directions,
        "range_m": view.range_m,
        "hfov_deg": view.hfov_deg,
        "mast_m": view.mast_m,
    }
    texts = {"model": asked.model, "demand": asked.demand, "device_type": view.device_type, "most_burden": ""}
    efforts = {f"effort_{source}": "1" for source in SOURCES}
    return texts | efforts | {name: f"{value:g}" for name, value in numbers.items()}


def question_in_words(question: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A question part by part, in the reader's language."""
    asked = SitingAsked.of_json(question)
    comma = "、" if current_language() == "zh" else ", "
    view, places = asked.view, asked.candidates
    parts = [
        (gettext("What is sought"), model(asked.model)),
        (gettext("What counts"), said(coverage_words.DEMANDS, asked.demand)),
    ]
    if asked.model == PATROL_HOURS:
        return [*parts, (gettext("Hours of patrol"), str(asked.count))]
    if asked.model == LEAST_COST:
        parts.append((gettext("Share that shall be seen"), coverage_words.share(asked.share)))
    else:
        parts.append((gettext("Devices"), str(asked.count)))
    names = comma.join(said(SOURCES, code) for code in places.sources)
    apart = gettext(
        "%(names)s; every %(spacing)s m, no two nearer than %(apart)s m",
        names=names,
        spacing=f"{places.spacing_m:g}",
        apart=f"{places.apart_m:g}",
    )
    looks = gettext(
        "%(kind)s: %(range)s m far, %(width)s° wide, %(mast)s m high",
        kind=said(DEVICE_TYPES, view.device_type),
        range=f"{view.range_m:g}",
        width=f"{view.hfov_deg:g}",
        mast=f"{view.mast_m:g}",
    )
    if asked.model == LEAST_COST and places.effort:
        told = [f"{said(SOURCES, code)}: {value:g}" for code, value in places.effort.items()]
        parts.append((gettext("Effort of a site"), comma.join(told)))
    parts += [(gettext("Where devices could stand"), apart), (gettext("What a new device sees"), looks)]
    if asked.most_burden is not None:
        parts.append((gettext("Homes in view, at most"), coverage_words.area(asked.most_burden)))
    return [*parts, (gettext("Time for the solver"), gettext("%(s)s s", s=f"{asked.limit_s:g}"))]
