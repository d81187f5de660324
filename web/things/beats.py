"""Signs of life of devices: a POST with the device's credential, with or without a snapshot. Touches the disk.

Snapshots are restricted: they are kept under their hash for the comparison with later ones, and no page, answer or
export shows them. Of each device the newest stays, and the first since it was taken into use.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path

from flask import Response, request
from shapely import Point

from geo import commands
from geo.geojson import parse_geometry
from schemas.actors import SYSTEM
from schemas.limits import limit
from schemas.refusals import invalid
from schemas.tables import Device
from sensing.intake import Shelf
from sensing.originals import ContentStore
from sensing.quarantine import quarantine
from sensing.sensors import beats
from sensing.sensors.health import Look
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.things.credentials import current_token
from web.wiring import Services

FOLDER = "snapshots"
section = Section("beats", __name__, Audience.THINGS)


@section.page("/sta/heartbeat", max_body_bytes=limit("snapshot.bytes"), POST=Permission.PUSH_READINGS)
def heartbeat() -> Response:
    """A sign of life: the body is a JPEG or PNG or empty, `lon` and `lat` say where the device believes to be."""
    token, house = current_token(), services()
    assert token is not None  # no person may push (web/permissions.py)
    data, place = request.get_data(), _place()
    seen = _look(house, data) if data else None
    with house.work() as asking:
        tolerance_m = asking.pack_for(asking.session.get_one(Device, token.device_id))["device.moved_tolerance_m"]
    with house.housekeeping() as session:
        device = session.get_one(Device, token.device_id)
        shot = (_keep(house, data), seen) if seen is not None else None
        row, tells_of_move = beats.beat(
            session, device, house.clock.now(), tolerance_m=tolerance_m, place=place, snapshot=shot
        )
        gone = beats.shown_no_more(session, device) if shot else []
        told = {"at": row.beat_at.isoformat(), "faults": row.faults}
    for sha256 in gone:
        _store(house).remove(sha256)
    if tells_of_move:
        _report_moved(house, token.device_id, place)
    return Response(json.dumps(told), 201, mimetype="application/json")


def _report_moved(house: Services, device_id: uuid.UUID, place: Point | None) -> None:
    """A device that moved is an incident (GD-20.1); written after its sign of life, which stands in any case."""
    with house.work(SYSTEM) as work:
        if commands.report_moved(work, device_id, place) is not None:
            work.commit()


def _place() -> Point | None:
    told = [request.args.get(name) for name in ("lon", "lat")]
    if told == [None, None]:
        return None
    try:
        place = parse_geometry({"type": "Point", "coordinates": [float(one or "") for one in told]}, allow={"Point"})
    except ValueError:
        raise invalid("things.member", name="lon, lat", measured=str(told)[:40], required="113.26, 23.13") from None
    assert isinstance(place, Point)
    return place


def _look(house: Services, data: bytes) -> Look:
    with quarantine(Shelf(house.data_dir).quarantine) as room:
        return room.look(data)


def _store(house: Services) -> ContentStore:
    return ContentStore(house.data_dir / FOLDER)


def _keep(house: Services, data: bytes) -> str:
    with tempfile.NamedTemporaryFile(dir=house.data_dir) as waiting:
        waiting.write(data)
        waiting.flush()
        return _store(house).put(Path(waiting.name))
