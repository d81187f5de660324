"""Map tiles of the images of a finding: drawn from the masked copy that counts now, in a combination of bands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import Response, request
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.tables import Derivative, SegmentationRun
from sensing import preview, veil
from sensing.bands import Role
from sensing.copies import refuse_overdue
from sensing.intake import Shelf
from sensing.preview import Combination
from sensing.runs import rasters
from web.desk import queries
from web.desk.sides import sides_of
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section

section = Section("desk_tiles", __name__, Audience.DESK)

# Not a combination of bands: what hides ground in the picture, and why.
VEIL = "veil"


@dataclass(frozen=True)
class Source:
    """The stored files that tiles of one side are drawn from; `coverage` says what of it was looked at."""

    sha256: str
    roles: tuple[Role, ...]
    coverage: str | None

    def etag(self, drawn: str) -> str:
        """What a tile of it is a function of, its address apart."""
        return f"{self.sha256}-{drawn}-{self.coverage if drawn == VEIL else ''}"


def source_of(db: Session, actor: Actor, public_id: str, side: str, at: datetime) -> Source:
    """What the tiles of one side of a finding are drawn from.

    Raises RuleViolation 404 where the actor has no such finding or it no such image, GD-43 while the copy shows what a
    privacy zone hides.
    """
    row = queries.row_of(db, actor, public_id)
    shown = next((one for one in sides_of(db, row) if one is not None and one.name == side), None)
    if shown is None:
        raise _unknown(public_id, side)
    refuse_overdue(db, [db.get_one(Derivative, shown.copy_id)], at)
    # What the run did not look at hides nothing that its coverage tells of.
    coverage = db.get_one(SegmentationRun, row.run_id).coverage_sha256 if shown.compared else None
    return Source(shown.sha256, tuple(Role(role) for role in shown.roles), coverage)


@section.page(
    "/review/<public_id>/tiles/<any(before, after):side>/<drawn>/<int:z>/<int:x>/<int:y>.png",
    GET=Permission.READ_DETECTIONS,
)
def tile(public_id: str, side: str, drawn: str, z: int, x: int, y: int) -> Response:
    """One tile of a combination of bands, or of what hides the ground."""
    house = services()
    with house.session() as db:
        source = source_of(db, current_actor(), public_id, side, house.clock.now())
    response, etag = Response(status=304), source.etag(drawn)
    if not request.if_none_match.contains(etag):
        response = Response(_drawn(house.data_dir, source, drawn, (z, x, y)), mimetype="image/png")
    # What is private from today is asked for anew today, whatever a browser kept.
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(etag)
    return response


def _drawn(data_dir: Path, source: Source, drawn: str, place: tuple[int, int, int]) -> bytes:
    files = Shelf(data_dir).derivatives
    if drawn == VEIL and source.coverage is not None:
        return veil.tile(files.get(source.sha256), rasters(data_dir).get(source.coverage), place)
    if drawn not in {known.value for known in Combination}:
        raise _unknown(drawn, "tiles")
    return preview.tile(files.get(source.sha256), source.roles, place, Combination(drawn))


def _unknown(name: str, what: str) -> Exception:
    return not_found("picture.unknown", "web.object_unknown", measured=f"{name[:40]}/{what}")
