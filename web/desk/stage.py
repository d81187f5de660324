"""What the script of the review desk needs to draw a finding: its images, outlines, neighbours, and its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry import mapping, shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo.measure import area_m2
from schemas.tables import Detection
from sensing import preview
from sensing.bands import Role
from sensing.derived import outline_of
from sensing.intake import Shelf
from sensing.shut import is_shut
from web.desk.amounts import area_words
from web.desk.queries import OPEN_STATES, Finding
from web.desk.sides import Side
from web.i18n import gettext
from web.identity.request_identity import services
from web.public.database import public_connection
from web.public.overview import desk_map

MOST_NEIGHBOURS = 30
# Which tools make sense for a finding in a state: what was decided may be measured, and an accepted outline mended.
_ALWAYS = ("measure",)
_TOOLS = {
    "new": ("redraw", "grow", "everything", "split", "merge"),
    "assigned": ("redraw", "grow", "everything", "split", "merge"),
    "confirmed": ("redraw", "grow", "everything"),
}


def config(db: Session, data_dir: Path, found: Finding, row: Detection, *, may_decide: bool) -> dict[str, Any]:
    """Everything that is drawn for a finding; shapes are GeoJSON in EPSG:4326."""
    with public_connection() as public:
        base = desk_map(public)
    outline = outline_of(db, row)
    veiled = row.run.coverage_sha256 is not None
    sides = {
        side.name: _side(data_dir, found.public_id, side) | {"veil": veiled and side.compared}
        for side in (found.before, found.after)
        if side
    }
    return base | {
        "id": found.public_id,
        "version": found.version,
        "shape": mapping(outline),
        "area": area_m2(outline),
        "bounds": outline.bounds,
        "sides": sides,
        "veil": veiled,
        "alternatives": _alternatives(row, outline),
        "neighbours": [_neighbour(one, db) for one in neighbours(db, row)] if may_decide else [],
        "sam": services().settings.sam_checkpoint is not None,
        "tools": [*(_TOOLS.get(found.state, ()) if may_decide else ()), *_ALWAYS],
        "said": said(),
    }


def _side(data_dir: Path, public_id: str, side: Side) -> dict[str, Any]:
    roles = tuple(Role(role) for role in side.roles)
    reach = preview.reach(Shelf(data_dir).derivatives.get(side.sha256))
    return {
        "tiles": f"/review/{public_id}/tiles/{side.name}/",
        "mark": side.sha256[:12],
        "bounds": [reach.box.west, reach.box.south, reach.box.east, reach.box.north],
        "zoom": reach.zoom,
        "combinations": list(preview.combinations(roles)),
    }


def _alternatives(row: Detection, outline: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Other outlines of the same thing: SAM's, and the machine's own where an officer drew another one since."""
    made = []
    sam = row.context.get("alternative")
    if sam is not None:
        made.append(_alternative("sam", gettext("Outline by SAM"), shape(sam)))
    machine = to_shape(row.geom)
    if not machine.equals_exact(outline, 0):
        made.append(_alternative("machine", gettext("Outline by the machine"), machine))
    return made


def _alternative(name: str, label: str, outline: Any) -> dict[str, Any]:  # noqa: ANN401
    area = area_m2(outline)
    return {"name": name, "label": label, "shape": mapping(outline), "area": area, "told": area_words(area)}


def neighbours(db: Session, row: Detection) -> list[Detection]:
    """Findings that wait and may be the same thing: of the same kind in the same scene, the nearest first."""
    alike = select(Detection).where(
        Detection.scene_id == row.scene_id,
        Detection.kind == row.kind,
        Detection.authority_id == row.authority_id,
        Detection.state.in_(OPEN_STATES),
        Detection.id != row.id,
        ~is_shut(),
    )
    near = func.ST_Distance(Detection.geom, row.geom)
    return list(db.scalars(alike.order_by(near, Detection.public_id).limit(MOST_NEIGHBOURS)))


def _neighbour(one: Detection, db: Session) -> dict[str, Any]:
    outline = outline_of(db, one)
    return {"id": one.public_id, "shape": mapping(outline), "area": area_words(area_m2(outline))}


def combination_words() -> dict[str, str]:
    """What each combination of bands is called on its button."""
    return {
        preview.Combination.TRUE_COLOUR: gettext("True colour"),
        preview.Combination.FALSE_COLOUR: gettext("Infrared"),
        preview.Combination.NDVI: gettext("Vegetation"),
        preview.Combination.SWIR: gettext("Short-wave infrared"),
        preview.Combination.GREY: gettext("Grey"),
    }


def said() -> dict[str, str]:
    """The words of the script, in the reader's language; `{name}` stands for a value."""
    return {
        "ha": gettext("%(n)s ha", n="{n}"),
        "m2": gettext("%(n)s m²", n="{n}"),
        "km": gettext("%(n)s km", n="{n}"),
        "m": gettext("%(n)s m", n="{n}"),
        "same": gettext("unchanged"),
        "together": gettext("%(n)s findings, %(area)s together", n="{n}", area="{area}"),
        "ownOutline": gettext(
            "Your outline, not yet recorded: %(area)s (on record %(was)s)", area="{area}", was="{was}"
        ),
        "redraw": gettext("Drag corners; drag the small points between two to add one; right-click removes one."),
        "drawAnew": gettext("Click corner after corner; click the first one again to close the outline."),
        "redrawAgain": gettext("Draw anew"),
        "redrawDone": gettext("Keep this outline"),
        "split": gettext("Click where the cut begins and ends; it must cross the outline."),
        "splitDone": gettext("Cut along the line"),
        "merge": gettext("Click the findings that belong to this one."),
        "mergeNone": gettext("No other open finding of this kind lies in this image."),
        "mergeDone": gettext("Join them"),
        "everything": gettext("Drag a box around what is to be drawn; SAM draws all that it sees inside."),
        "everythingBusy": gettext("SAM is looking …"),
        "everythingPick": gettext("%(n)s outlines; click the one that is meant.", n="{n}"),
        "everythingNone": gettext("SAM is sure of nothing in this box. Drag another one, or click to grow."),
        "everythingDone": gettext("Keep this outline"),
        "grow": gettext("Click inside the thing; Shift and click where it must not reach."),
        "growOutside": gettext("Now click where it must not reach."),
        "growing": gettext("The outline is growing …"),
        "growAgain": gettext("Clicks mean outside"),
        "growDone": gettext("Keep this outline"),
        "measure": gettext("Click along a line; from three points on its area is told as well."),
        "measureDone": gettext("Done measuring"),
        "offline": gettext(
            "The server did not answer. Nothing was recorded, and nothing that you typed is lost. Try again."
        ),
    }
