"""What an answer of coverage says, in sentences of both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from schemas.refusals import LANGUAGES

_KM2 = 1e6


@cache
def _says() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(resources.files("geo.coverage").joinpath("saying.toml").read_text(encoding="utf-8"))


def sentences(told: Mapping[str, Any]) -> dict[str, list[str]]:
    """The answer in words, the main thing first."""
    says, said = _says(), list(_said(told))
    return {lang: [_told(says, name, lang, values) for name, values in said] for lang in LANGUAGES}


def _told(says: Mapping[str, Mapping[str, str]], name: str, lang: str, values: Mapping[str, Any]) -> str:
    """A sentence; of a single one it speaks in the singular, where there is such a sentence."""
    single = 1 in (values.get("count"), values.get("devices")) and lang in says.get(f"{name}_one", {})
    return says[f"{name}_one" if single else name][lang].format(**values)


def _said(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    km2 = {name: told[f"{name}_m2"] / _KM2 for name in ("ground", "gap", "private")}
    seen = [area / _KM2 for area in told["seen_m2"]]
    if seen[0] > 0:
        yield "seen", {**km2, "seen": seen[0], "devices": told["devices"], "share": told["share"]}
    else:
        yield "nobody", km2
    for name, area in zip(("twice", "thrice"), seen[1:], strict=False):
        if area > 0:
            yield name, {name: area}
    if told["before"]:
        before = told["before"]["gap_m2"] / _KM2
        yield "before", {"before": before, "after": km2["gap"], "change": km2["gap"] - before}
    if told["gaps"]:
        lon, lat = told["gaps"][0]["at"]
        count, area = told["gap_count"], told["gaps"][0]["area_m2"] / _KM2
        yield "gap", {"count": count, "area": area, "lon": lon, "lat": lat}
    if told["private_m2"] > 0:
        yield "private", km2
    yield from _further(told)


def _further(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    watched = [row for row in told["burden"] if row["seen_homes_m2"] > 0]
    if watched:
        homes = sum(row["seen_homes_m2"] for row in watched) / _KM2
        yield "burden", {"homes": homes, "place": watched[0]["place"]}
    if told["entities"]:
        yield "entities", {"count": len(told["entities"])}
    for row in told["by_kind"]:
        if row.get("revisit_days"):
            yield "satellite", {"area": row["seen_m2"] / _KM2, "days": row["revisit_days"]}
    if told["assumed"]:
        yield "assumed", {"count": told["assumed"]}
    if told["surface"]:
        yield "surface", {}
    if told["no_buildings"]:
        yield "no_buildings", {}
    for reason in ("hidden", "no_height", "no_water", "unusable"):
        if count := sum(one["reason"] == reason for one in told["left_out"]):
            yield reason, {"count": count}
