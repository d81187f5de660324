"""The fieldsets of sites in a form: as they were typed, and as the sites that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from geo.commands import NewSite
from geo.commands.words import DEVICE_TYPES, PLATFORMS
from schemas.refusals import refuse
from web.planner.dossier import Site
from web.planner.forms import Faults, Form
from web.planner.words import PLACE_TYPES

# More are drawn by nobody; a file takes a thousand.
MOST_DRAWN = 40
_TEXTS = ("place_text", "purpose_en", "purpose_zh")
VIEW = (("sector_azimuth_deg", 0, 360), ("hfov_deg", 0.1, 360), ("range_m", 0.1, 1_000_000))
FIELDS = (
    *("lon", "lat", *_TEXTS, "device_type", "platform", "place_type", "indoor"),
    *(name for name, _, _ in VIEW),
)


def numbers(form: Form) -> list[str]:
    """Which fieldsets the form has, by the numbers in the names of their fields."""
    sent = [one for one in form.given.getlist("sites") if one.isascii() and one.isdigit() and len(one) <= 4]
    return list(dict.fromkeys(sent))[:MOST_DRAWN]


def is_blank(form: Form, number: str) -> bool:
    """Whether a fieldset was added and not used: what it took over from the one before is nothing that was typed."""
    return not any(form.raw(f"s{number}.{name}") for name in ("lon", "lat", "place_text"))


def typed(form: Form, number: str) -> dict[str, str]:
    """What was typed into a fieldset."""
    return {"number": number} | {name: form.raw(f"s{number}.{name}") for name in FIELDS}


def typed_of(site: Site, number: str) -> dict[str, str]:
    """A site that stands in a file, as if it had been typed."""
    view = site.view or (None, None, None)
    told: dict[str, Any] = {
        "number": number,
        "lon": f"{site.at.lon:.6f}",
        "lat": f"{site.at.lat:.6f}",
        "place_text": site.place_text,
        "purpose_en": site.purpose["en"],
        "purpose_zh": site.purpose["zh"],
        "device_type": site.device_type,
        "platform": site.platform,
        "place_type": site.place_type,
        "indoor": "yes" if site.indoor else "",
    }
    return told | {name: "" if value is None else f"{value:g}" for (name, _, _), value in zip(VIEW, view, strict=True)}


def blank(number: str, like: Mapping[str, str] | None = None) -> dict[str, str]:
    """A new fieldset; what is mostly the same is taken over from the one before."""
    kept = ("purpose_en", "purpose_zh", "device_type", "platform", "place_type")
    return {"number": number} | {name: (like or {}).get(name, "") if name in kept else "" for name in FIELDS}


def read(form: Form, wanted: Iterable[str]) -> list[NewSite]:
    """The sites of the fieldsets; faults stand in the form, each at its field."""
    made = [_read(form, number) for number in wanted]
    return [site for site in made if site is not None]


def at_fieldsets(form: Form, faults: Faults) -> Faults:
    """The same faults, those that name a site by its words at the fieldset in which these words stand."""
    by_words = {form.raw(f"s{number}.place_text"): number for number in numbers(form)}
    placed = Faults()
    for fault in faults.found:
        number = by_words.get(str(fault.refusal.params.get("site", "")))
        placed.add(fault.refusal, *(fault.fields or ([f"s{number}.lon"] if number else [])))
    return placed


def _read(form: Form, number: str) -> NewSite | None:
    prefix = f"s{number}."

    def line(name: str) -> str:
        return form.text(prefix + name, called=name)

    def word(name: str, allowed: Collection[str]) -> str:
        return form.choice(prefix + name, allowed, called=name)

    place, place_text = form.point(prefix), line("place_text")
    azimuth_deg, hfov_deg, range_m = view_of(form, prefix, place_text or number)
    purpose_en, purpose_zh = line("purpose_en"), line("purpose_zh")
    device_type, platform = word("device_type", DEVICE_TYPES), word("platform", PLATFORMS)
    place_type = word("place_type", PLACE_TYPES)
    if place is None:
        return None
    return NewSite(
        place=place,
        place_text=place_text,
        device_type=device_type,
        purpose_en=purpose_en,
        purpose_zh=purpose_zh,
        platform=platform,
        place_type=place_type,
        indoor=form.raw(prefix + "indoor") == "yes",
        sector_azimuth_deg=azimuth_deg,
        hfov_deg=hfov_deg,
        range_m=range_m,
    )


def view_of(form: Form, prefix: str, site: str) -> tuple[float | None, float | None, float | None]:
    """What a device at a site looks at: direction, angle and range, given together or not at all."""
    azimuth_deg, hfov_deg, range_m = (
        form.number(prefix + name, least, most, called=name, required=False) for name, least, most in VIEW
    )
    empty = [prefix + name for name, _, _ in VIEW if not form.raw(prefix + name)]
    if 0 < len(empty) < len(VIEW):
        form.faults.add(refuse("form.field", "planner.no_view", site=site), *empty)
    return azimuth_deg, hfov_deg, range_m
