"""The answer of a study as files for other programs. Touches the disk: each is written for who asks, and then gone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from flask import Response, make_response

from geo.coverage.exports import FORMS, export_of, write
from schemas.refusals import not_found
from web.identity.request_identity import current_actor, services
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.planner import coverage_scope
from web.words import N_

section = Section("planner_coverage_exports", __name__, Audience.PLANNER)

SUFFIXES: Mapping[str, str] = {"gpkg": "gpkg", "geojson": "geojson", "cog": "tif", "csv": "csv"}
_TYPES: Mapping[str, str] = {
    "gpkg": "application/geopackage+sqlite3",
    "geojson": "application/geo+json",
    "cog": "image/tiff; application=geotiff; profile=cloud-optimized",
    "csv": "text/csv; charset=utf-8",
}
NAMES: Mapping[str, str] = {
    "gpkg": N_("GeoPackage"),
    "geojson": N_("GeoJSON"),
    "cog": N_("Raster (GeoTIFF)"),
    "csv": N_("Table (CSV)"),
}


@section.page("/planner/coverage/<public_id>/export/<form>", GET=Permission.DRAFT_PLACES)
def export(public_id: str, form: str) -> Response:
    """The answer as a file; 409 while there is none, 404 for a form that nobody writes."""
    if form not in FORMS:
        raise not_found("coverage.format", "coverage.format", measured=form[:40], required=", ".join(FORMS))
    with services().session() as db:
        study = coverage_scope.opened(db, current_actor(), public_id)
        found = export_of(db, study, is_sample=sample_data())
    name = f"{public_id}.{SUFFIXES[form]}"
    with tempfile.TemporaryDirectory(dir=services().data_dir) as folder:
        body = write(found, Path(folder, name), form).read_bytes()
    response = make_response(body)
    response.headers["Content-Type"] = _TYPES[form]
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
