"""The layers against which findings are judged: permits, protected zones, water, farmland, homes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Self

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, utm_epsg_of


@dataclass(frozen=True)
class Place:
    """One feature of a layer, in EPSG:4326, with the days on which it counts (both included)."""

    layer: str
    public_id: str
    name: str
    geom: BaseGeometry
    kind: str | None = None
    number: str | None = None
    holder: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def counts_on(self, day: date) -> bool:
        """Whether the feature is in force on a local date."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def dump(self) -> dict[str, Any]:
        """As plain JSON; coordinates keep every digit."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        days = {name: value.isoformat() if (value := getattr(self, name)) else None for name in _DAYS}
        return texts | days | {"geom": shapely.geometry.mapping(self.geom)}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave: `Place.load(place.dump()) == place`."""
        values: dict[str, Any] = {name: plain[name] for name in _TEXTS}
        values |= {name: date.fromisoformat(plain[name]) if plain[name] else None for name in _DAYS}
        return cls(**values, geom=shapely.geometry.shape(plain["geom"]))


_TEXTS = ("layer", "public_id", "name", "kind", "number", "holder")
_DAYS = ("valid_from", "valid_to")


@dataclass(frozen=True)
class Overlap:
    """How much of a shape a place covers, as a share of the shape's area."""

    place: Place
    share: float


class Context:
    """All places near a scene, found quickly by shape."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = tuple(places)

    def dump(self) -> list[dict[str, Any]]:
        """All places as plain JSON."""
        return [place.dump() for place in self.places]

    @classmethod
    def load(cls, plain: Iterable[Mapping[str, Any]]) -> Self:
        """From what `dump` gave."""
        return cls(Place.load(one) for one in plain)

    @cached_property
    def _by_layer(self) -> Mapping[str, tuple[list[Place], shapely.STRtree]]:
        layers: dict[str, list[Place]] = {}
        for place in self.places:
            layers.setdefault(place.layer, []).append(place)
        return {name: (found, shapely.STRtree([p.geom for p in found])) for name, found in layers.items()}

    def has(self, layer: str) -> bool:
        """Whether anything of a layer is known here; where nothing is, its rules cannot be applied."""
        return layer in self._by_layer

    def shapes(self, layer: str, on: date | None = None, kind: str | None = None) -> list[BaseGeometry]:
        """The shapes of a layer, of one day where `on` is given, and of one kind where that is given."""
        places, _ = self._by_layer.get(layer, ([], None))
        of_kind = (place for place in places if kind is None or place.kind == kind)
        return [place.geom for place in of_kind if on is None or place.counts_on(on)]

    def overlaps(self, layer: str, shape: BaseGeometry, on: date | None = None) -> list[Overlap]:
        """The places of a layer that share area with a shape, the largest share first; EPSG:4326."""
        if layer not in self._by_layer:
            return []
        places, tree = self._by_layer[layer]
        near = [places[i] for i in np.sort(tree.query(shape, predicate="intersects"))]
        epsg = utm_epsg_of(shape)
        own = to_metric(shape, epsg)
        found = [
            Overlap(
                place,
                float(shapely.intersection(own, to_metric(_near(place.geom, shape), epsg)).area / own.area),
            )
            for place in near
            if on is None or place.counts_on(on)
        ]
        return sorted((o for o in found if o.share > 0), key=lambda o: -o.share)

    def covered(self, layer: str, shape: BaseGeometry, on: date | None = None) -> float:
        """The share of a shape that all places of a layer together cover."""
        shapes = [overlap.place.geom for overlap in self.overlaps(layer, shape, on)]
        if not shapes:
            return 0.0
        epsg = utm_epsg_of(shape)
        own = to_metric(shape, epsg)
        joined = shapely.union_all([to_metric(_near(geom, shape), epsg) for geom in shapes])
        return float(shapely.intersection(own, joined).area / own.area)


def _near(geom: BaseGeometry, shape: BaseGeometry) -> BaseGeometry:
    """The part of a large place around a shape, so that a whole river is not taken to a local grid."""
    west, south, east, north = shape.bounds
    pad = max(east - west, north - south, 1e-4)
    return shapely.intersection(geom, shapely.box(west - pad, south - pad, east + pad, north + pad))
