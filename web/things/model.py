"""The eight entities of SensorThings: what each is called, its properties, its neighbours, and where it is read from.

Things are devices of the registry and Locations their sites; nobody makes one by sending it. Whoever asks sees the
rows of a `Scope` alone, in every list, neighbour and condition.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, and_, cast, func, literal, or_, select, true, union_all
from sqlalchemy.dialects.postgresql import JSONB

from schemas.tables import (
    Datastream,
    Device,
    DeviceSite,
    FeatureOfInterest,
    FormerSite,
    Observation,
    ObservedProperty,
    Sensor,
)

GEOJSON = "application/geo+json"
MEASURES = ("water_quality", "air", "noise")


class Kind(StrEnum):
    """What a property holds, as far as conditions are concerned."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    BOOLEAN = "boolean"
    JSON = "json"
    SHAPE = "shape"


@dataclass(frozen=True)
class Property:
    """One property; an interval has the column of its end too."""

    name: str
    kind: Kind
    column: str
    until: str | None = None


Join = Callable[[FromClause, FromClause], ColumnElement[bool]]


@dataclass(frozen=True)
class Neighbour:
    """Another entity that this one leads to: one of them, or many."""

    name: str
    target: str
    many: bool
    join: Join


@dataclass(frozen=True)
class Entity:
    """One kind of entity: `plural` is its set; the rows of `source` have an `id` and, unless shared, a `device_id`."""

    plural: str
    singular: str
    id_is_number: bool
    source: Callable[[], Subquery]
    properties: Mapping[str, Property]
    neighbours: Mapping[str, Neighbour]
    is_shared: bool = False

    def fresh(self) -> Subquery:
        """A new alias of the rows, for one place in one statement."""
        return self.source()


@dataclass(frozen=True)
class Scope:
    """Whose rows somebody may see: those of one device, or those of all devices of some authorities."""

    device_id: uuid.UUID | None = None
    authority_ids: frozenset[uuid.UUID] = frozenset()

    def holds(self, entity: Entity, rows: FromClause) -> ColumnElement[bool]:
        """The condition on rows of an entity; what observed properties there are is everybody's to know."""
        if entity.is_shared:
            return true()
        column = rows.c.device_id
        if self.device_id is not None:
            return column == self.device_id
        return column.in_(select(Device.id).where(Device.authority_id.in_(sorted(self.authority_ids))))


def _device_rows() -> Subquery:
    # What measures is a thing: an instrument by its papers, or by what it is.
    measures = or_(Device.is_measuring_instrument, Device.device_type.in_(MEASURES))
    about = func.jsonb_build_object(
        "deviceType", Device.device_type, "platform", Device.platform, "state", Device.state
    )
    return (
        select(
            Device.public_id.label("id"),
            Device.id.label("device_id"),
            Device.name.label("name"),
            Device.purpose_en.label("description"),
            cast(about, JSONB).label("properties"),
            Device.site_id.label("site_id"),
        )
        .where(measures)
        .subquery()
    )


def _stays() -> Any:  # noqa: ANN401
    """Every place where a device is or was, with the device."""
    return union_all(
        select(Device.id.label("device_id"), Device.site_id.label("site_id")),
        select(FormerSite.device_id, FormerSite.site_id),
    ).subquery()


def _location_rows() -> Subquery:
    stays = _stays()
    return (
        select(
            DeviceSite.public_id.label("id"),
            stays.c.device_id,
            DeviceSite.id.label("site_id"),
            DeviceSite.place_text.label("name"),
            DeviceSite.place_type.label("description"),
            literal(GEOJSON).label("encoding_type"),
            DeviceSite.geom.label("geom"),
        )
        .join(stays, stays.c.site_id == DeviceSite.id)
        .subquery()
    )


def _history_rows() -> Subquery:
    stays = _stays()
    return (
        select(
            (Device.public_id + "." + DeviceSite.public_id).label("id"),
            stays.c.device_id,
            DeviceSite.id.label("site_id"),
            DeviceSite.recorded_at.label("time"),
        )
        .join(stays, stays.c.site_id == DeviceSite.id)
        .join(Device, Device.id == stays.c.device_id)
        .subquery()
    )


def _sensor_rows() -> Subquery:
    return select(
        Sensor.id.label("id"),
        Sensor.device_id,
        Sensor.name,
        Sensor.description,
        Sensor.encoding_type,
        Sensor.metadata_text.label("metadata_text"),
        Sensor.properties,
    ).subquery()


def _property_rows() -> Subquery:
    # A definition is everybody's, whoever named it first.
    return select(
        ObservedProperty.id.label("id"),
        ObservedProperty.name,
        ObservedProperty.definition,
        ObservedProperty.description,
        ObservedProperty.properties,
    ).subquery()


def _stream_rows() -> Subquery:
    def of_readings(value: ColumnElement[Any]) -> ColumnElement[Any]:
        return select(value).where(Observation.datastream_id == Datastream.id).correlate(Datastream).scalar_subquery()

    unit = func.jsonb_build_object(
        "name", Datastream.unit_name, "symbol", Datastream.unit_symbol, "definition", Datastream.unit_definition
    )
    return select(
        Datastream.id.label("id"),
        Datastream.device_id,
        Datastream.sensor_id,
        Datastream.observed_property_id,
        Datastream.name,
        Datastream.description,
        Datastream.observation_type,
        cast(unit, JSONB).label("unit"),
        Datastream.properties,
        of_readings(func.min(Observation.phenomenon_time)).label("phenomenon_time"),
        of_readings(func.max(Observation.phenomenon_time)).label("phenomenon_until"),
    ).subquery()


def _reading_rows() -> Subquery:
    return (
        select(
            Observation.id.label("id"),
            Datastream.device_id,
            Observation.datastream_id,
            Observation.feature_id,
            Observation.phenomenon_time,
            Observation.phenomenon_until,
            func.coalesce(Observation.result_time, Observation.received_at).label("result_time"),
            Observation.valid_from,
            Observation.valid_until,
            Observation.result,
            Observation.quality,
            Observation.parameters,
        )
        .join(Datastream, Datastream.id == Observation.datastream_id)
        .subquery()
    )


def _feature_rows() -> Subquery:
    return select(
        FeatureOfInterest.id.label("id"),
        FeatureOfInterest.device_id,
        FeatureOfInterest.name,
        FeatureOfInterest.description,
        FeatureOfInterest.encoding_type,
        FeatureOfInterest.geom,
        FeatureOfInterest.properties,
    ).subquery()


def _same(left: str, right: str) -> Join:
    return lambda here, there: here.c[left] == there.c[right]


def _same_stay(here: FromClause, there: FromClause) -> ColumnElement[bool]:
    return and_(here.c.device_id == there.c.device_id, here.c.site_id == there.c.site_id)


def _text(*names: str, **renamed: str) -> list[Property]:
    return [Property(name, Kind.TEXT, renamed.get(name, name)) for name in (*names, *renamed)]


_PROPERTIES = Property("properties", Kind.JSON, "properties")
_NAMED = _text("name", "description")
_ENCODED = _text(encodingType="encoding_type")


def _entity(
    names: tuple[str, str],
    source: Callable[[], Subquery],
    properties: list[Property],
    neighbours: list[Neighbour],
    *,
    id_is_number: bool = True,
    is_shared: bool = False,
) -> Entity:
    ids = Property("id", Kind.NUMBER if id_is_number else Kind.TEXT, "id")
    by_name = {one.name: one for one in (ids, *properties)}
    return Entity(*names, id_is_number, source, by_name, {one.name: one for one in neighbours}, is_shared)


def _places() -> list[Entity]:
    return [
        _entity(
            ("Things", "Thing"),
            _device_rows,
            [*_NAMED, _PROPERTIES],
            [
                Neighbour("Locations", "Locations", True, _same_stay),
                Neighbour("HistoricalLocations", "HistoricalLocations", True, _same("device_id", "device_id")),
                Neighbour("Datastreams", "Datastreams", True, _same("device_id", "device_id")),
            ],
            id_is_number=False,
        ),
        _entity(
            ("Locations", "Location"),
            _location_rows,
            [*_NAMED, *_ENCODED, Property("location", Kind.SHAPE, "geom")],
            [
                Neighbour("Things", "Things", True, _same_stay),
                Neighbour("HistoricalLocations", "HistoricalLocations", True, _same_stay),
            ],
            id_is_number=False,
        ),
        _entity(
            ("HistoricalLocations", "HistoricalLocation"),
            _history_rows,
            [Property("time", Kind.TIME, "time")],
            [
                Neighbour("Thing", "Things", False, _same("device_id", "device_id")),
                Neighbour("Locations", "Locations", True, _same_stay),
            ],
            id_is_number=False,
        ),
    ]


def _series() -> list[Entity]:
    return [
        _entity(
            ("Datastreams", "Datastream"),
            _stream_rows,
            [
                *_NAMED,
                *_text(observationType="observation_type"),
                Property("unitOfMeasurement", Kind.JSON, "unit"),
                Property("phenomenonTime", Kind.TIME, "phenomenon_time", "phenomenon_until"),
                _PROPERTIES,
            ],
            [
                Neighbour("Thing", "Things", False, _same("device_id", "device_id")),
                Neighbour("Sensor", "Sensors", False, _same("sensor_id", "id")),
                Neighbour("ObservedProperty", "ObservedProperties", False, _same("observed_property_id", "id")),
                Neighbour("Observations", "Observations", True, _same("id", "datastream_id")),
            ],
        ),
        _entity(
            ("Sensors", "Sensor"),
            _sensor_rows,
            [*_NAMED, *_ENCODED, *_text(metadata="metadata_text"), _PROPERTIES],
            [Neighbour("Datastreams", "Datastreams", True, _same("id", "sensor_id"))],
        ),
        _entity(
            ("ObservedProperties", "ObservedProperty"),
            _property_rows,
            [*_text("name", "definition", "description"), _PROPERTIES],
            [Neighbour("Datastreams", "Datastreams", True, _same("id", "observed_property_id"))],
            is_shared=True,
        ),
    ]


def _readings() -> list[Entity]:
    return [
        _entity(
            ("Observations", "Observation"),
            _reading_rows,
            [
                Property("phenomenonTime", Kind.TIME, "phenomenon_time", "phenomenon_until"),
                Property("resultTime", Kind.TIME, "result_time"),
                Property("result", Kind.NUMBER, "result"),
                *_text(resultQuality="quality"),
                Property("validTime", Kind.TIME, "valid_from", "valid_until"),
                Property("parameters", Kind.JSON, "parameters"),
            ],
            [
                Neighbour("Datastream", "Datastreams", False, _same("datastream_id", "id")),
                Neighbour("FeatureOfInterest", "FeaturesOfInterest", False, _same("feature_id", "id")),
            ],
        ),
        _entity(
            ("FeaturesOfInterest", "FeatureOfInterest"),
            _feature_rows,
            [*_NAMED, *_ENCODED, Property("feature", Kind.SHAPE, "geom"), _PROPERTIES],
            [Neighbour("Observations", "Observations", True, _same("id", "feature_id"))],
        ),
    ]


@cache
def entities() -> Mapping[str, Entity]:
    """All entities by the name of their set."""
    return {one.plural: one for one in (*_places(), *_series(), *_readings())}
