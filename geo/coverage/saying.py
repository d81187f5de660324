"""What an answer of coverage says, in sentences of both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from schemas.refusals import LANGUAGES

_KM2 = 1e6
# Below this, three decimals tell too little.
_LEAST_KM2 = 0.01
# A gap that would be told as none, in whole square metres, is not named as one: unions of many views leave such slivers
# by the thousand. What they hold stays in every sum.
LEAST_GAP_M2 = 0.5


@cache
def _says() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(resources.files("geo.coverage").joinpath("saying.toml").read_text(encoding="utf-8"))


def sentences(told: Mapping[str, Any]) -> dict[str, list[str]]:
    """The answer in words, the main thing first."""
    says, said = _says(), list(_said(told))
    return {lang: [_told(says, name, lang, values) for name, values in said] for lang in LANGUAGES}


def _told(says: Mapping[str, Mapping[str, str]], name: str, lang: str, values: Mapping[str, Any]) -> str:
    """A sentence; of a single one it speaks in the singular, where there is such a sentence."""
    shown = {name: value.told(lang) if isinstance(value, _Area) else value for name, value in values.items()}
    single = 1 in (values.get("count"), values.get("devices")) and lang in says.get(f"{name}_one", {})
    return says[f"{name}_one" if single else name][lang].format(**shown)


@dataclass(frozen=True)
class _Area:
    """Square metres that a sentence tells in words."""

    m2: float
    signed: bool = False

    def told(self, lang: str) -> str:
        return area_in_words(self.m2, lang, signed=self.signed)


def area_in_words(area_m2: float, lang: str, *, signed: bool = False) -> str:
    """An area with its unit: square metres where there are less than some hundredths of a square kilometre."""
    sign = "+" if signed else ""
    km2, m2 = ("平方公里", "平方米") if lang == "zh" else ("km²", "m²")
    if area_m2 and abs(area_m2) < _LEAST_KM2 * _KM2:
        return f"{area_m2:{sign},.0f} {m2}"
    return f"{area_m2 / _KM2:{sign}.3f} {km2}"


def _said(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    areas = {name: _Area(told[f"{name}_m2"]) for name in ("ground", "gap", "private")}
    seen = [_Area(area) for area in told["seen_m2"]]
    if seen[0].m2 > 0:
        yield "seen", {**areas, "seen": seen[0], "devices": told["devices"], "share": told["share"]}
    else:
        yield "nobody", areas
    for name, area in zip(("twice", "thrice"), seen[1:], strict=False):
        if area.m2 > 0:
            yield name, {name: area}
    if told["before"]:
        before, after = told["before"]["gap_m2"], told["gap_m2"]
        change = _Area(after - before, signed=True)
        yield "before", {"before": _Area(before), "after": _Area(after), "change": change}
    if told["gaps"]:
        lon, lat = told["gaps"][0]["at"]
        count, largest = told["gap_count"], _Area(told["gaps"][0]["area_m2"])
        yield "gap", {"count": count, "area": largest, "lon": lon, "lat": lat}
    if told.get("slivers"):
        area_m2 = told["slivers_m2"]
        yield (
            "slivers" if area_m2 >= LEAST_GAP_M2 else "slivers_of_nothing",
            {
                "count": told["slivers"],
                "area": _Area(area_m2),
            },
        )
    if told["private_m2"] >= LEAST_GAP_M2:
        yield "private", areas
    if told.get("twins"):
        yield "twins", {"count": told["twins"]}
    yield from _further(told)


def _further(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    watched = [row for row in told["burden"] if row["seen_homes_m2"] > 0]
    if watched:
        homes = _Area(sum(row["seen_homes_m2"] for row in watched))
        yield "burden", {"homes": homes, "place": watched[0]["place"]}
    if told["entities"]:
        yield "entities", {"count": len(told["entities"])}
    for row in told["by_kind"]:
        if row.get("revisit_days"):
            yield "satellite", {"area": _Area(row["seen_m2"]), "days": row["revisit_days"]}
    yield from _taken_for_granted(told)
    if told["surface"]:
        yield "surface", {}
    if told["no_buildings"]:
        yield "no_buildings", {}
    for reason in ("hidden", "no_height", "no_water", "unusable"):
        # Lists are cut somewhere; counts are not.
        if count := told.get("left_out_counts", {}).get(reason) or _listed(told, reason):
            yield reason, {"count": count}


def _taken_for_granted(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What nobody said and was assumed, and what is not looked at."""
    for name in ("assumed", "masts_assumed"):
        if told.get(name):
            yield name, {"count": told[name]}
    if told.get("hour") is not None:
        yield "hour", {"hour": told["hour"]}


def _listed(told: Mapping[str, Any], reason: str) -> int:
    """How many are listed with a reason, in an answer that was given before counts were kept."""
    return sum(one["reason"] == reason for one in told["left_out"])
