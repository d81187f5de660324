"""SensorThings over HTTP: what is read, what a device makes, and batches of readings."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request
from sqlalchemy.exc import DataError

from schemas.actors import SYSTEM
from schemas.limits import limit
from schemas.refusals import Kind, conflict, unsupported
from schemas.roles import Role
from schemas.tables import Device, DeviceToken
from sensing.sensors.store import Readings, store
from web.errors import answer
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.things.arriving import Hours, read_json
from web.things.credentials import current_token
from web.things.grammar import malformed
from web.things.model import Scope, entities
from web.things.options import read_query
from web.things.paths import Step, id_text, read_path, unknown
from web.things.reading import Reader
from web.things.writing import Maker, of_object, reading_into, store_arrays

ROOT = "/sta/v1.1"
BATCH = "CreateObservations"
_SPEC = "http://www.opengis.net/spec/iot_sensing/1.1"
_CONFORMANCE = (
    "datamodel",
    "resource-path/resource-path-to-entities",
    "request-data",
    "create-update-delete/create-entity",
    "create-update-delete/deep-insert",
    "data-array/data-array",
    "create-observations-via-mqtt/observations-creation",
)
# What may be made, as the last step of a path.
_FROM_THE_REGISTRY = ("Things", "Locations", "HistoricalLocations")
section = Section("things", __name__, Audience.THINGS)


def _root() -> str:
    return f"{request.url_root.rstrip('/')}{ROOT}"


def _json(body: Any, status: int = 200, **headers: str) -> Response:  # noqa: ANN401
    made = Response(json.dumps(body, ensure_ascii=False), status, mimetype="application/json")
    made.headers.update(headers)
    made.headers["Cache-Control"] = "private, no-store"
    return made


@section.page(ROOT, GET=Permission.READ_THINGS)
def start() -> Response:
    """What there is to read, and what of the standard is here."""
    sets = [{"name": name, "url": f"{_root()}/{name}"} for name in entities()]
    settings = {"conformance": [f"{_SPEC}/req/{name}" for name in _CONFORMANCE]}
    return _json({"value": sets, "serverSettings": settings})


@section.page(
    f"{ROOT}/<path:path>",
    max_body_bytes=limit("things.bytes"),
    GET=Permission.READ_THINGS,
    POST=Permission.PUSH_READINGS,
)
def resource(path: str) -> Response:
    """Whatever a path names, read or made."""
    token = current_token()
    if request.method == "GET":
        return _read(path)
    assert token is not None  # no person may push (web/permissions.py)
    return _batch(token) if path.strip("/") == BATCH else _make(path, token)


def _scope() -> Scope:
    token = current_token()
    if token is not None:
        return Scope(device_id=token.device_id)
    officer_in = (grant.authority_id for grant in current_actor().grants if grant.role is Role.OFFICER)
    return Scope(authority_ids=frozenset(officer_in))


def _read(path: str) -> Response:
    named = read_path(path)
    entity = entities()[named.steps[0].name]
    for step in named.steps[1:]:
        entity = entities()[entity.neighbours[step.name].target]
    query = read_query(entity, request.args.items(multi=True))
    with services().session() as session:
        reader = Reader(session, _scope(), _root())
        last, before = named.steps[-1], named.steps[:-1]
        is_one = last.id is not None or (before and not _leads_to_many(before, last))
        if not is_one:
            return _json(reader.listed(named, path, query))
        told = reader.one(named, path, query)
    if named.property is None:
        return _json(told)
    if named.bare:
        value = told.get(named.property)
        return Response(
            "" if value is None else value if isinstance(value, str) else json.dumps(value), mimetype="text/plain"
        )
    return _json({named.property: told["@iot.id"] if named.property == "id" else told.get(named.property)})


def _leads_to_many(before: tuple[Step, ...], last: Step) -> bool:
    entity = entities()[before[0].name]
    for step in before[1:]:
        entity = entities()[entity.neighbours[step.name].target]
    return entity.neighbours[last.name].many


def _document() -> Any:  # noqa: ANN401 - JSON
    """What was sent; raises RuleViolation 415 for a form, which some clients send where nobody names a type."""
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise unsupported("things.json", measured=request.mimetype)
    return read_json(request.get_data())


def _batch(token: DeviceToken) -> Response:
    house = services()
    body = _document()
    with house.housekeeping() as session:
        device = session.get_one(Device, token.device_id)
        made = store_arrays(session, device, body, Hours(house.clock.now()))
    # Told after the commit: whoever hears 201 need not keep the readings.
    head = f"{_root()}/Observations("
    return _json([f"{head}{number})" if number is not None else "error" for number in made], 201)


def _make(path: str, token: DeviceToken) -> Response:
    named = read_path(path)
    *before, last = named.steps
    target = entities()[before[-1].name] if before else None
    if last.id is not None or named.property or named.references or named.bare:
        raise unknown(path)
    kind = last.name if target is None else target.neighbours[last.name].target
    if kind in _FROM_THE_REGISTRY:
        raise conflict("GD-09.2", "things.registered", measured=kind)
    house = services()
    body = of_object(_document(), kind)
    within = _within(path, tuple(before))
    if kind == "Observations":
        number = _reading(token, body, within)
    else:
        with house.work(SYSTEM) as work:
            maker = Maker(work, work.session.get_one(Device, token.device_id), Hours(house.clock.now()))
            number = _made(maker, kind, body, within).id
            about = {"token": token.public_id, "set": kind, "id": number}
            work.record("things.create", "device", token.device_id, about)
            work.commit()
    link = f"{_root()}/{id_text(entities()[kind], number)}"
    return _json({"@iot.id": number, "@iot.selfLink": link}, 201, Location=link)


def _within(path: str, before: tuple[Step, ...]) -> tuple[str, Any] | None:
    """The entity inside of which something is made: its set and id."""
    if not before:
        return None
    with services().session() as session:
        entity, number = Reader(session, _scope(), _root()).found(before, path)
    return entity.plural, number


def _reading(token: DeviceToken, body: Any, within: tuple[str, Any] | None) -> int:  # noqa: ANN401
    house = services()
    stream = within[1] if within is not None and within[0] == "Datastreams" else None
    if within is not None and stream is None:
        raise unknown(f"{within[0]}/Observations")
    readings = Readings()
    with house.housekeeping() as session:
        device = session.get_one(Device, token.device_id)
        reading_into(readings, session, device, body, Hours(house.clock.now()), stream=stream)
        (number,) = store(session, readings)
        if number is None:
            at = readings.columns["phenomenon_time"][0]
            raise conflict("GD-20.2", "things.other_value", measured=at.isoformat())
    return number


def _made(maker: Maker, kind: str, body: Any, within: tuple[str, Any] | None) -> Any:  # noqa: ANN401
    where, number = within or (None, None)
    match kind:
        case "Datastreams":
            return maker.stream(
                body,
                of_sensor=number if where == "Sensors" else None,
                of_property=number if where == "ObservedProperties" else None,
            )
        case "Sensors":
            return maker.sensor(body)
        case "ObservedProperties":
            return maker.observed_property(body)
    return maker.feature(body)


def _uncomputable(_: DataError) -> Response:
    """Numbers and times that no column holds, such as 1e308 mul 1e308."""
    refusal = malformed("$filter", "…", "values within the range of what is stored")
    return answer(Kind.SYNTAX, refusal.refusals)


section.register_error_handler(DataError, _uncomputable)
