"""An officer's clicks on a finding's picture become an outline, before anything is recorded."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from shapely.geometry import mapping

from geo.geojson import parse_document
from schemas.refusals import invalid
from sensing.editing import Bounds4326, Click, Grown, everything_in, grow
from sensing.intake import Shelf
from sensing.picture import open_picture
from web.desk import tiles
from web.desk.sides import AFTER
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.sam import sam_for

section = Section("desk_editing", __name__, Audience.DESK)


@section.page("/review/<public_id>/grow", POST=Permission.DECIDE_DETECTION)
def growing(public_id: str) -> Response:
    """The outline of what was clicked on in the later image; nothing is recorded.

    Takes `{"clicks": [{"lon", "lat", "inside"}], "box": [west, south, east, north]}`, the box may be left out; gives
    `{"shape", "area_m2", "method", "quality"}`.
    """
    house = services()
    with house.session() as db:
        source = tiles.source_of(db, current_actor(), public_id, AFTER, house.clock.now())
    body = parse_document(request.get_data())
    clicks, box = _clicks(body.get("clicks")), _box(body.get("box"))
    with open_picture(Shelf(house.data_dir).derivatives.get(source.sha256), source.roles) as picture:
        grown = grow(picture, clicks, sam=sam_for(house), box=box)
    return jsonify(_told(grown))


@section.page("/review/<public_id>/everything", POST=Permission.DECIDE_DETECTION)
def everything(public_id: str) -> Response:
    """The outlines of all that SAM sees inside a box of the later image, the surest first; nothing is recorded.

    Takes `{"box": [west, south, east, north]}`; gives `{"outlines": [{"shape", "area_m2", "method", "quality"}]}`.
    """
    house = services()
    with house.session() as db:
        source = tiles.source_of(db, current_actor(), public_id, AFTER, house.clock.now())
    box = _box(parse_document(request.get_data()).get("box"))
    if box is None:
        raise _malformed("box")
    with open_picture(Shelf(house.data_dir).derivatives.get(source.sha256), source.roles) as picture:
        found = everything_in(picture, box, sam_for(house))
    return jsonify(outlines=[_told(one) for one in found])


def _told(grown: Grown) -> dict[str, Any]:
    plain = {"area_m2": grown.area_m2, "method": grown.method, "quality": grown.quality}
    return plain | {"shape": mapping(grown.shape)}


def _clicks(said: object) -> list[Click]:
    clicks = said if isinstance(said, list) else []
    read = [_click(one) for one in clicks]
    if not read:
        raise _malformed("clicks")
    return read


def _click(one: object) -> Click:
    if not isinstance(one, dict) or not isinstance(one.get("inside"), bool):
        raise _malformed("clicks")
    return Click(_number(one.get("lon"), "lon"), _number(one.get("lat"), "lat"), one["inside"])


def _box(said: object) -> Bounds4326 | None:
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != len(Bounds4326._fields):
        raise _malformed("box")
    return Bounds4326(*(_number(value, "box") for value in said))


def _number(value: Any, name: str) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _malformed(name)
    return float(value)


def _malformed(name: str) -> Exception:
    return invalid("query.unknown", "web.query_unknown", name=name, measured="", required="JSON")
