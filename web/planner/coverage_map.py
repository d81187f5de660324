"""What the map of a study is drawn from: tiles of its shapes, and its devices with their views.

Directions and ranges are restricted (requirements.md 5.3): whoever may not open the study gets neither (404).
"""

from __future__ import annotations

from typing import Any

from flask import Response, json, make_response, request
from sqlalchemy import text

from schemas.refusals import invalid, not_found
from schemas.tables import CoverageStudy
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import coverage_scope
from web.planner.coverage_standing import standing_of
from web.public.tiles import MEDIA_TYPE

section = Section("planner_coverage_map", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
LAYERS = ("gap", "seen")
LAST_ZOOM = 22
# A piece of less than a fifth of a pixel in both ways says nothing, and from afar there are hundred thousands.
_TILE = text("""
    SELECT ST_AsMVT(drawn, :layer, 4096, 'geom') FROM (
        SELECT s.times, s.area_m2, ST_AsMVTGeom(s.geom_3857, cell.exact, 4096, 64, true) AS geom
        FROM core.study_shape s,
             (SELECT ST_TileEnvelope(:z, :x, :y) AS exact, ST_TileEnvelope(:z, :x, :y, margin => 0.02) AS wide,
                     40075016.685578488 / 512 / power(2, :z) AS pixel_m) AS cell
        WHERE s.study_id = :study AND s.kind = :layer AND s.geom_3857 && cell.wide
          AND greatest(ST_XMax(s.geom_3857) - ST_XMin(s.geom_3857), ST_YMax(s.geom_3857) - ST_YMin(s.geom_3857))
              > cell.pixel_m / 5
    ) AS drawn WHERE drawn.geom IS NOT NULL
""")


@section.page("/planner/coverage/<public_id>/tiles/<layer>/<z>/<x>/<y>.mvt", GET=_DRAFT)
def tile(public_id: str, layer: str, z: str, x: str, y: str) -> Response:
    """A tile of what nobody sees (`gap`), or of what is seen once and more often (`seen`)."""
    if layer not in LAYERS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=layer[:40], required=", ".join(LAYERS))
    address = _address(z, x, y)
    with services().session() as db:
        study = coverage_scope.opened(db, current_actor(), public_id)
        tag = f"{layer}-{coverage_scope.tag_of(study)}"
        if request.if_none_match.contains_weak(tag):
            return _kept(Response(status=304), tag)
        drawn = db.execute(_TILE, address | {"study": study.id, "layer": layer}).scalar_one()
    return _kept(Response(bytes(drawn), mimetype=MEDIA_TYPE), tag)


def _address(z: str, x: str, y: str) -> dict[str, int]:
    if all(part.isascii() and part.isdigit() and len(part) <= 7 for part in (z, x, y)):
        zoom, column, row = int(z), int(x), int(y)
        if zoom <= LAST_ZOOM and max(column, row) < 2**zoom:
            return {"z": zoom, "x": column, "y": row}
    raise invalid("tile.range", "web.tile_range", measured=f"{z}/{x}/{y}"[:40], required=LAST_ZOOM, first=0)


def _kept(response: Response, tag: str) -> Response:
    """Asked for again each time: who is signed out meanwhile gets none of it."""
    response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@section.page("/planner/coverage/<public_id>/devices.json", GET=_DRAFT)
def devices(public_id: str) -> Response:
    """The devices that the study looks at, each with its view, and whether the study may change it."""
    with services().session() as db:
        study = coverage_scope.opened(db, current_actor(), public_id)
        coverage_scope.require_answer(study)
        standing = standing_of(db, study)
    response = make_response(json.dumps({"devices": standing.listed()}, ensure_ascii=False))
    response.mimetype = "application/json"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def tiles_url(study: CoverageStudy) -> str:
    """Where the tiles of a study are; `{layer}` stands for one of LAYERS."""
    at = f"/planner/coverage/{study.public_id}"
    return f"{at}/tiles/{{layer}}/{{z}}/{{x}}/{{y}}.mvt?v={coverage_scope.tag_of(study)}"


def config_of(study: CoverageStudy, ground: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """What the script of a study's page needs besides the base map."""
    at = f"/planner/coverage/{study.public_id}"
    return {
        "answered": study.stage == "done",
        "ground": ground,
        "tiles": tiles_url(study),
        "devicesUrl": f"{at}/devices.json",
        "whatIfUrl": f"{at}/what-if",
        "said": words,
    }
