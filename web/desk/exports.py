"""Findings to hand on, as a file, from the review desk; only those of the actor's own authorities."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Response, request

from schemas.machine import state_tables
from schemas.refusals import invalid
from sensing.export import FORMATS, GEOPACKAGE, GRIDS, SHAPEFILE, Asked, export
from web.desk.queries import authorities_of
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section

section = Section("desk_exports", __name__, Audience.DESK)

_SUFFIX = {GEOPACKAGE: "gpkg", SHAPEFILE: "zip"}
_TYPE = {GEOPACKAGE: "application/geopackage+sqlite3", SHAPEFILE: "application/zip"}


@section.page("/review/export", GET=Permission.READ_DETECTIONS)
def exported() -> Response:
    """`?format=gpkg|shp&crs=4326|4490&since=DATE&kind=&state=` as a file; what it does not carry is told inside."""
    house = services()
    form, epsg = _one_of("format", FORMATS, GEOPACKAGE), int(_one_of("crs", tuple(map(str, GRIDS)), str(GRIDS[0])))
    states = state_tables()["detection"].states
    asked = Asked(
        authorities=authorities_of(current_actor()),
        since=_since(),
        kind=request.args.get("kind") or None,
        state=_one_of("state", ("", *states), "") or None,
    )
    with TemporaryDirectory(prefix="skywarden-") as scratch, house.session() as db:
        out = Path(scratch) / f"findings.{_SUFFIX[form]}"
        export(db, asked, out, form, epsg=epsg, now=house.clock.now())
        response = Response(out.read_bytes(), mimetype=_TYPE[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{out.name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _one_of(name: str, known: tuple[str, ...], usual: str) -> str:
    value = request.args.get(name, usual)
    if value not in known:
        raise invalid("query.unknown", "web.query_unknown", name=name, measured=value[:40], required=", ".join(known))
    return value


def _since() -> datetime | None:
    value = request.args.get("since", "")
    if not value:
        return None
    try:
        return datetime.combine(date.fromisoformat(value), time(), services().zone)
    except ValueError:
        wanted = "2025-07-02"
        raise invalid(
            "query.unknown", "web.query_unknown", name="since", measured=value[:40], required=wanted
        ) from None
