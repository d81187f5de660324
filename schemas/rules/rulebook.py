"""The rulebook: all rule packs of an installation, and which one applies at a place on a date."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import yaml
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from schemas.refusals import RuleViolation, conflict
from schemas.rules.overlays import Overlay, merged
from schemas.rules.pack import RulePack


class PackError(ValueError):
    """A rule pack file is not a valid rule pack."""


class _StrictLoader(yaml.CSafeLoader):
    """YAML in which a key given twice is an error instead of a silent replacement."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise PackError(f"the key {key!r} is given twice")
        return super().construct_mapping(node, deep)


def read_pack(text: str, name: str = "rule pack") -> RulePack:
    """The pack that a YAML document describes; PackError says everything that is wrong with it."""
    try:
        return RulePack.model_validate(yaml.load(text, _StrictLoader))
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{name}: {error}") from error


def read_overlay(text: str, name: str = "overlay") -> Overlay:
    """The overlay that a YAML document describes; PackError says everything that is wrong with it."""
    try:
        return Overlay.model_validate(yaml.load(text, _StrictLoader))
    except (yaml.YAMLError, ValueError) as error:
        raise PackError(f"{name}: {error}") from error


def _files(folder: Traversable) -> list[Traversable]:
    return sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)


class Rulebook:
    """Rule packs that never contradict each other: at most one applies at any place and date."""

    def __init__(self, packs: Iterable[RulePack], overlays: Iterable[Overlay] = ()) -> None:
        self.packs = tuple(packs)
        self.overlays = tuple(overlays)
        self._merged: dict[tuple[str, tuple[str, ...]], RulePack] = {}
        if len({overlay.id for overlay in self.overlays}) < len(self.overlays):
            raise PackError("two overlays have one id")
        for one, other in combinations(self.packs, 2):
            if one.id == other.id and one.version == other.version:
                raise PackError(f"two rule packs are called {one.id} version {one.version}")
            if _overlap(one, other):
                raise PackError(f"{one.id} and {other.id} both apply at one place and date")

    @classmethod
    def load(cls, folder: Path | None = None) -> Rulebook:
        """Reads every `*.yaml` of `folder`, by default the packs that come with the house."""
        house = resources.files("schemas.rules")
        source = house.joinpath("packs") if folder is None else folder
        packs = [read_pack(file.read_text(encoding="utf-8"), file.name) for file in _files(source)]
        overlays = [
            read_overlay(file.read_text(encoding="utf-8"), file.name) for file in _files(house.joinpath("overlays"))
        ]
        return cls(packs, overlays)

    def with_overlays(self, pack: RulePack, names: Iterable[str], on: date) -> RulePack:
        """The pack with the overlays called `names` over it, those that are in force on a local date.

        Raises KeyError for an overlay that nobody has, PackError where one contradicts the pack.
        """
        known = {overlay.id: overlay for overlay in self.overlays}
        chosen = [known[name] for name in sorted(set(names)) if known[name].effective_from <= on]
        key = (pack.sha256, tuple(overlay.id for overlay in chosen))
        if key not in self._merged:
            try:
                self._merged[key] = merged(pack, chosen)
            except ValueError as error:
                raise PackError(f"{pack.id} with {', '.join(key[1])}: {error}") from error
        return self._merged[key]

    def __getitem__(self, reference: str) -> RulePack:
        """The newest pack of an id, or the exact one of a reference; KeyError when there is none."""
        found = [p for p in (*self.packs, *self._merged.values()) if reference in (p.id, p.reference)]
        found = [p for p in found if not p.overlays or p.reference == reference] or self._named(reference)
        if not found:
            raise KeyError(reference)
        return max(found, key=lambda p: p.version)

    def _named(self, reference: str) -> list[RulePack]:
        """The packs with overlays that a reference such as `cn-gd-2025+lf-2024@...` could mean."""
        base, *names = reference.partition("@")[0].split("+")
        if not names or not set(names) <= {overlay.id for overlay in self.overlays}:
            return []
        made = (self.with_overlays(pack, names, date.max) for pack in self.packs if pack.id == base)
        return [pack for pack in made if pack.reference == reference]

    def resolve(self, lon: float, lat: float, on: date) -> RulePack:
        """The pack in force at a place (EPSG:4326) on a local date; RuleViolation GD-02.1 when none is."""
        return self.at_place(Point(lon, lat), on)

    def at_place(self, place: BaseGeometry, on: date) -> RulePack:
        """The pack whose jurisdiction covers the whole of `place` (EPSG:4326) and is in force then.

        `on` is a local date, or an aware instant, which falls on a date of the pack's own zone.
        Raises RuleViolation GD-02.1 when no pack applies.
        """
        for pack in self.packs:
            local = pack.local_date(on) if isinstance(on, datetime) else on
            if pack.in_force(local) and pack.jurisdiction.covers(place):
                return pack
        raise self._no_pack(place, on)

    def at_places(self, places: Sequence[BaseGeometry], on: date) -> list[RulePack | RuleViolation]:
        """What `at_place` gives for each of many places, its refusal where it would raise."""
        found: list[RulePack | None] = [None] * len(places)
        array = np.array(places, dtype=object)
        for pack in self.packs:
            local = pack.local_date(on) if isinstance(on, datetime) else on
            if pack.in_force(local):
                shapely.prepare(pack.jurisdiction.geometry)
                for index in np.flatnonzero(shapely.covers(pack.jurisdiction.geometry, array)):
                    found[index] = found[index] or pack
        return [pack or self._no_pack(place, on) for place, pack in zip(places, found, strict=True)]

    @staticmethod
    def _no_pack(place: BaseGeometry, on: date) -> RuleViolation:
        day = on.date() if isinstance(on, datetime) else on
        return conflict("GD-02.1", "rules.no_pack", measured=day.isoformat(), place=_inside(place))


def _overlap(one: RulePack, other: RulePack) -> bool:
    ends = [pack.effective_to or date.max for pack in (one, other)]
    if max(one.effective_from, other.effective_from) >= min(ends):
        return False
    return bool(one.jurisdiction.geometry.intersection(other.jurisdiction.geometry).area > 0)


def _inside(place: BaseGeometry) -> dict[str, Any] | None:
    """A point of the place for the map, where it has one."""
    if place.is_empty or not math.isfinite(sum(place.bounds)):
        return None
    point = place.representative_point()
    return {"type": "Point", "coordinates": [point.x, point.y]}
