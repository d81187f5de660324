"""What a device may make: its sensors, series, features and readings, each alone or inside of another.

Things and Locations come from the registry alone. What is made is an event of the ledger, but for readings, which are
many: they are rows that nobody can change, and whatever rests on them carries their hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from geoalchemy2.shape import from_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.geojson import parse_geometry
from schemas.limits import limit
from schemas.refusals import conflict, forbidden, invalid, not_found, too_large
from schemas.store.work import Work
from schemas.tables import SRID, Base, Datastream, Device, FeatureOfInterest, ObservedProperty, Sensor
from sensing.sensors.store import Readings, store
from web.things.arriving import Hours, add_array, add_reading, refuse_unused, series
from web.things.model import GEOJSON

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
_LONGEST = 2_000
_FEATURES = {"Point", "LineString", "Polygon"}
Body = Mapping[str, Any]
T = TypeVar("T", bound=Base)


@dataclass(frozen=True)
class Maker:
    """Makes entities of one device in one unit of work; what was made is in `made`, by set and id."""

    work: Work
    device: Device
    hours: Hours

    @property
    def session(self) -> Session:
        """The session of the unit of work."""
        return self.work.session

    def sensor(self, body: Body) -> Sensor:
        """A sensor of the device."""
        row = Sensor(
            device_id=self.device.id,
            name=words(body, "name"),
            description=words(body, "description"),
            encoding_type=words(body, "encodingType"),
            metadata_text=words(body, "metadata"),
            properties=_object(body, "properties"),
        )
        return self._written(row)

    def observed_property(self, body: Body) -> ObservedProperty:
        """What can be observed: the one that has this definition, or a new one."""
        definition = words(body, "definition")
        known = self.session.scalars(select(ObservedProperty).where(ObservedProperty.definition == definition)).first()
        if known is not None:
            return known
        row = ObservedProperty(
            device_id=self.device.id,
            name=words(body, "name"),
            definition=definition,
            description=words(body, "description"),
            properties=_object(body, "properties"),
        )
        return self._written(row)

    def feature(self, body: Body) -> FeatureOfInterest:
        """Something that is observed, where the place of the device is not it."""
        if words(body, "encodingType") not in (GEOJSON, "application/vnd.geo+json"):
            raise invalid(
                "things.member", name="encodingType", measured=str(body["encodingType"])[:60], required=GEOJSON
            )
        shape = parse_geometry(body.get("feature"), allow=_FEATURES, path="feature")
        row = FeatureOfInterest(
            device_id=self.device.id,
            name=words(body, "name"),
            description=words(body, "description"),
            encoding_type=GEOJSON,
            geom=from_shape(shape, srid=SRID),
            properties=_object(body, "properties"),
        )
        return self._written(row)

    def stream(self, body: Body, of_sensor: int | None = None, of_property: int | None = None) -> Datastream:
        """A series, with the sensor and the property that stand in it or beside it, and with its first readings."""
        unit = _object(body, "unitOfMeasurement") or {}
        if words(body, "observationType") != MEASUREMENT:
            raise invalid(
                "things.member",
                name="observationType",
                measured=str(body["observationType"])[:80],
                required=MEASUREMENT,
            )
        self._own_thing(body.get("Thing"))
        sensor = self._known(Sensor, of_sensor) if of_sensor else self._linked(body, "Sensor", Sensor, self.sensor)
        observed = (
            self._known(ObservedProperty, of_property)
            if of_property
            else self._linked(body, "ObservedProperty", ObservedProperty, self.observed_property)
        )
        row = Datastream(
            device_id=self.device.id,
            sensor_id=sensor.id,
            observed_property_id=observed.id,
            name=words(body, "name"),
            description=words(body, "description"),
            observation_type=MEASUREMENT,
            unit_name=words(unit, "name"),
            unit_symbol=words(unit, "symbol"),
            unit_definition=words(unit, "definition"),
            properties=_object(body, "properties"),
        )
        self._written(row)
        self._first_readings(row, body.get("Observations"))
        return row

    def _first_readings(self, row: Datastream, bodies: object) -> None:
        if bodies is None:
            return
        if not isinstance(bodies, list):
            raise invalid("things.member", name="Observations", measured=type(bodies).__name__, required="list")
        made = Readings()
        for body in bodies:
            reading_into(made, self.session, self.device, of_object(body, "Observations"), self.hours, stream=row.id)
        if None in store(self.session, made):
            raise conflict("GD-20.2", "things.other_value", measured="Observations")

    def _own_thing(self, link: object) -> None:
        if link is not None and _id_of(link, "Thing") != self.device.public_id:
            raise forbidden("things.foreign", measured=str(_id_of(link, "Thing"))[:40], required=self.device.public_id)

    def _linked(self, body: Body, name: str, kind: Any, make: Any) -> Any:  # noqa: ANN401
        inside = of_object(body.get(name), name)
        return self._known(kind, _id_of(inside, name)) if "@iot.id" in inside else make(inside)

    def _known(self, kind: Any, number: object) -> Any:  # noqa: ANN401
        row = self.session.get(kind, number) if _is_id(number) else None
        if row is None or (kind is not ObservedProperty and row.device_id != self.device.id):
            raise not_found("thing.unknown", "things.unknown", measured=f"{kind.__name__}({str(number)[:40]})")
        return row

    def _written(self, row: T) -> T:
        self.session.add(row)
        self.session.flush()
        return row


def reading_into(
    readings: Readings, session: Session, device: Device, body: Body, hours: Hours, *, stream: int | None = None
) -> None:
    """Adds one reading of a device to a batch; raises RuleViolation where it may not or is none."""
    number = stream if stream is not None else _id_of(of_object(body.get("Datastream"), "Datastream"), "Datastream")
    if stream is not None and "Datastream" in body and _id_of(body["Datastream"], "Datastream") != stream:
        raise forbidden("things.foreign", measured=str(body["Datastream"])[:40], required=f"Datastreams({stream})")
    of = _series_of(session, device, number)
    feature = body.get("FeatureOfInterest")
    add_reading(
        readings, of, body, hours, feature=_feature_id(session, device, feature) if feature is not None else None
    )


def _series_of(session: Session, device: Device, number: object) -> Any:  # noqa: ANN401
    found = series(session, [number], device.id) if _is_id(number) else {}  # type: ignore[list-item]
    if number not in found:
        raise forbidden("things.foreign", measured=f"Datastreams({str(number)[:40]})", required=device.public_id)
    of = found[number]
    refuse_unused(of)
    return of


def _feature_id(session: Session, device: Device, link: object) -> int:
    number = _id_of(link, "FeatureOfInterest")
    wanted = select(FeatureOfInterest.id).where(
        FeatureOfInterest.device_id == device.id, FeatureOfInterest.id == (number if _is_id(number) else -1)
    )
    known = session.scalar(wanted)
    if known is None:
        raise not_found("thing.unknown", "things.unknown", measured=f"FeaturesOfInterest({str(number)[:40]})")
    return known


def store_arrays(session: Session, device: Device, body: object, hours: Hours) -> list[int | None]:
    """The ids of the readings of data arrays (the extension CreateObservations), in their order; None for unsound ones.

    Raises RuleViolation 413 for more rows than one batch has, 403 where a series is of another device.
    """
    groups = [of_object(one, "CreateObservations") for one in _list(body, "CreateObservations")]
    rows = [_list(group.get("dataArray"), "dataArray") for group in groups]
    if sum(map(len, rows)) > limit("things.rows"):
        raise too_large("things.rows", measured=sum(map(len, rows)), required=limit("things.rows"))
    readings, sound = Readings(), []
    for group, array in zip(groups, rows, strict=True):
        of = _series_of(session, device, _id_of(of_object(group.get("Datastream"), "Datastream"), "Datastream"))
        components = [str(name) for name in _list(group.get("components"), "components")]
        sound += add_array(readings, of, components, array, hours)
    made = iter(store(session, readings))
    return [next(made) if fine else None for fine in sound]


def _list(value: object, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise invalid("things.member", name=name, measured=type(value).__name__, required="list")
    return value


def of_object(value: object, name: str) -> Body:
    """A JSON object; raises RuleViolation 422 for anything else."""
    if not isinstance(value, dict):
        raise invalid("things.member", name=name, measured=type(value).__name__, required="object")
    return value


def _object(body: Body, name: str) -> dict[str, Any] | None:
    value = body.get(name)
    return dict(of_object(value, name)) if value is not None else None


def words(body: Body, name: str) -> str:
    """A text that says something; raises RuleViolation 422 for anything else."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        raise invalid("things.member", name=name, measured=str(value)[:40], required=f"1–{_LONGEST} characters")
    return value


def _id_of(link: object, name: str) -> object:
    return of_object(link, name).get("@iot.id")


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1 << 62
