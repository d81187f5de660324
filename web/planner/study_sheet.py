"""A study as it is drawn and told away from its own page: on paper, beside others, and under a run of siting.

Only for those who may open it: views of devices are restricted (requirements.md 5.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from geoalchemy2.shape import to_shape
from markupsafe import Markup
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo import shapes
from geo.commands import studies
from geo.coverage.asked import Asked
from geo.coverage.views import Seer, views_of
from geo.coverage.wanted import zones_on
from geo.footprint import sector
from geo.types import LonLat
from schemas.actors import Actor, ActorKind
from schemas.refusals import not_found
from schemas.tables import Authority, CoverageStudy, SitingRun
from web.i18n import current_language, gettext, in_words
from web.permissions import Permission
from web.planner import pictures, scope
from web.planner.pictures import Frame

DONE = "done"
# More marks than this hide what they stand on.
MOST_MARKS = 1_500
MOST_NUMBERS = 12
_MOST_PIECES, _MOST_GROUND = 40_000, 4_000
_FULL_TURN_DEG = 360.0

# Pieces that nobody would see at the size of the picture are left out; the figures count them all the same.
_PIECES = text(
    "SELECT kind, times, ST_AsEWKB(geom) FROM core.study_shape WHERE study_id = :study AND area_m2 >= :least_m2"
    " ORDER BY area_m2 DESC LIMIT :most"
)
_GROUND = text(
    "SELECT kind, name_en, name_zh, ST_AsEWKB(ST_Simplify(geom, :bend_deg)) FROM core.base_feature"
    " WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) AND kind = ANY(:kinds)"
    " ORDER BY rank, public_id LIMIT :most"
)
_AREAS, _LINES = ("land", "green", "water", "building"), {"river": "river", "water": "river", "road": "road"}


@dataclass(frozen=True)
class StudySheet:
    """A study with its shapes in EPSG:4326; `pieces` by kind and number of views, `base` by kind."""

    public_id: str
    title: str
    stage: str
    authority: Mapping[str, str]
    who: Mapping[str, str]
    recorded_at: datetime
    ended_at: datetime | None
    based_on: str | None
    asked: Mapping[str, Any]
    result: Mapping[str, Any]
    ground: BaseGeometry
    pieces: Mapping[tuple[str, int], Sequence[BaseGeometry]]
    zones: BaseGeometry
    seers: tuple[Seer, ...]
    gone: tuple[tuple[float, float], ...]

    @property
    def is_done(self) -> bool:
        """Whether there is an answer."""
        return self.stage == DONE

    @property
    def frame(self) -> Frame:
        """What its maps show."""
        return Frame.around(self.ground.bounds)


def opened_study(db: Session, actor: Actor, public_id: str) -> CoverageStudy:
    """The study, where the actor may open it; raises RuleViolation 404 for any other."""
    own = [one.id for one in scope.authorities(db, actor, Permission.DRAFT_PLACES)]
    # PostgreSQL has no text with a NUL in it, so nothing is called so.
    return studies.opened(db, actor, public_id.replace("\0", ""), own)


def opened_by(db: Session, actor: Actor, public_id: str) -> CoverageStudy:
    """The study for the command line: the administration of the host opens those of all authorities."""
    if actor.kind is ActorKind.PERSON:
        return opened_study(db, actor, public_id)
    everybody = db.scalars(select(Authority.id)).all()
    return studies.opened(db, actor, public_id.replace("\0", ""), everybody)


def may_open(actor: Actor, study: CoverageStudy) -> bool:
    """Whether somebody who may see a study's authority may see the study too (GD-14.6)."""
    return not study.question.get("secret") or studies.is_cleared(actor)


def opened_run(db: Session, actor: Actor, public_id: str) -> SitingRun:
    """The run of siting, where the actor may open its study; raises RuleViolation 404 for any other."""
    found = None
    if "\0" not in public_id:
        found = db.scalars(select(SitingRun).where(SitingRun.public_id == public_id)).one_or_none()
    if found is None:
        raise not_found("store.unknown", "web.object_unknown", measured=public_id[:40])
    opened_study(db, actor, found.study.public_id)
    return found


def frame_of(study: CoverageStudy) -> Frame:
    """What the maps of a study show."""
    return Frame.around(to_shape(study.ground).bounds)


def sheet_of(db: Session, study: CoverageStudy, frame: Frame | None = None) -> StudySheet:
    """A study with what its maps show at the size of `frame`; without one, at that of its own map."""
    ground = to_shape(study.ground)
    frame = frame or Frame.around(ground.bounds)
    values = {"study": study.id, "least_m2": (frame.metres_per_px / 2) ** 2, "most": _MOST_PIECES}
    rows = db.execute(_PIECES, values).all()
    found: dict[tuple[str, int], list[BaseGeometry]] = {}
    for (kind, times, _), shape in zip(rows, shapes.from_database([row[2] for row in rows]), strict=True):
        found.setdefault((kind, times), []).append(shape)
    views = views_of(db, study, Asked.of_json(study.question))
    return StudySheet(
        public_id=study.public_id,
        title=study.title,
        stage=study.stage,
        authority={"en": study.authority.name_en, "zh": study.authority.name_zh},
        who={"en": study.person.name_en, "zh": study.person.name_zh},
        recorded_at=study.recorded_at,
        ended_at=study.ended_at,
        based_on=_title(db, study),
        asked=study.question,
        result=study.result or {},
        ground=ground,
        pieces=found,
        zones=zones_on(db, shapely.box(*frame.box)),
        seers=views.now,
        gone=tuple(shapes.lon_lat(row.geom) for row in study.devices if row.gone),
    )


def _title(db: Session, study: CoverageStudy) -> str | None:
    before = db.get(CoverageStudy, study.based_on_id) if study.based_on_id else None
    return before.title if before else None


@dataclass(frozen=True)
class BaseMap:
    """The quiet ground under a picture, already drawn, and the names that stand on it."""

    under: Markup
    over: Markup


def base_map(db: Session, frame: Frame) -> BaseMap:
    """Water, woods, roads and names of a frame, from the base map of this installation."""
    box = dict(zip(("west", "south", "east", "north"), frame.box, strict=True))
    # Buildings are too small for a picture of more than some kilometres.
    kinds = ["land", "green", "water", "river", "road", "place"] + ["building"] * (frame.metres_per_px < 8)
    values = box | {"bend_deg": frame.bend_deg, "kinds": kinds, "most": _MOST_GROUND}
    rows = db.execute(_GROUND, values).all()
    drawn = shapes.from_database([row[3] for row in rows])
    by_kind: dict[str, list[BaseGeometry]] = {}
    told = []
    for (kind, name_en, name_zh, _), shape in zip(rows, drawn, strict=True):
        if shape is None or shape.is_empty:
            continue
        by_kind.setdefault(kind, []).append(shape)
        if kind == "place" and (name := in_words({"en": name_en or "", "zh": name_zh or name_en or ""})):
            at = shape.representative_point()
            told.append((name, at.x, at.y))
    under = [pictures.areas(frame, kind, by_kind.get(kind, ())) for kind in _AREAS]
    under += [pictures.lines(frame, look, by_kind.get(kind, ())) for kind, look in _LINES.items()]
    return BaseMap(Markup("").join(under), pictures.names(frame, told))


def gap_map(sheet: StudySheet, base: BaseMap, frame: Frame | None = None, *, numbered: bool = True) -> Markup:
    """What is seen, what nobody sees (its largest pieces by number), and who sees."""
    frame = frame or sheet.frame
    gaps = list(sheet.result.get("gaps", ()))[: MOST_NUMBERS if numbered else 0]
    parts = [
        base.under,
        pictures.areas(frame, "seen1", sheet.pieces.get(("seen", 1), ())),
        pictures.areas(frame, "gap", _gaps(sheet)),
        _zones(frame, sheet),
        base.over,
        *_devices(frame, sheet),
        pictures.marks(frame, "spot", [tuple(gap["at"]) for gap in gaps], [str(gap["ordinal"]) for gap in gaps]),
    ]
    title = gettext("Map of %(title)s: what is seen, and what nobody sees", title=sheet.title)
    return _drawn(frame, parts, title)


def times_map(sheet: StudySheet, base: BaseMap, frame: Frame | None = None) -> Markup:
    """How many views there are of each place: one, two, three and more."""
    frame = frame or sheet.frame
    levels = [pictures.areas(frame, f"seen{times}", sheet.pieces.get(("seen", times), ())) for times in (1, 2, 3)]
    title = gettext("Map of %(title)s: how many devices see each place", title=sheet.title)
    return _drawn(frame, [base.under, *levels, _zones(frame, sheet), base.over, *_devices(frame, sheet)], title)


def sites_map(
    sheet: StudySheet,
    base: BaseMap,
    sites: Sequence[Mapping[str, Any]],
    places: Mapping[str, Sequence[Any]] | None = None,
) -> Markup:
    """Where a run of siting would put devices, by number, over what is a gap without them.

    `places` are those that were weighed, and by the reason those that none may stand at, by the name of their mark.
    """
    frame = sheet.frame
    chosen = [tuple(site["at"]) for site in sites]
    weighed = [pictures.marks(frame, look, [tuple(at) for at in found]) for look, found in (places or {}).items()]
    parts = [
        base.under,
        pictures.areas(frame, "seen1", sheet.pieces.get(("seen", 1), ())),
        pictures.areas(frame, "gap", _gaps(sheet)),
        _zones(frame, sheet),
        pictures.areas(frame, "view", [view for site in sites if (view := view_of(site)) is not None]),
        *weighed,
        base.over,
        *_devices(frame, sheet),
        pictures.marks(frame, "place", chosen, [str(site["ordinal"]) for site in sites]),
    ]
    return _drawn(frame, parts, gettext("Map of the sites that were found, by number"))


def view_of(site: Mapping[str, Any]) -> BaseGeometry | None:
    """What a found site would look at, as a sector of EPSG:4326 without the ground that hides some of it."""
    range_m, width = site.get("range_m"), site.get("hfov_deg")
    if not range_m:
        return None
    at = LonLat(*site["at"])
    if width is None or site.get("sector_azimuth_deg") is None:
        return sector(at, 0.0, _FULL_TURN_DEG, range_m)
    return sector(at, site["sector_azimuth_deg"], width, range_m)


def _gaps(sheet: StudySheet) -> list[BaseGeometry]:
    return [shape for (kind, _), found in sheet.pieces.items() if kind == "gap" for shape in found]


def _zones(frame: Frame, sheet: StudySheet) -> Markup:
    zones = pictures.areas(frame, "zone", [sheet.zones])
    return zones + pictures.areas_outline(frame, "ground", [sheet.ground])


def _devices(frame: Frame, sheet: StudySheet) -> list[Markup]:
    """A mark for each device, unless there are so many that they would hide the map."""
    if len(sheet.seers) > MOST_MARKS:
        return []
    by_status: dict[str, list[tuple[float, float]]] = {}
    for seer in sheet.seers:
        if not seer.path and seer.shape is None:
            by_status.setdefault(seer.status, []).append((seer.device.at.lon, seer.device.at.lat))
    paths = [shapely.LineString([place[:2] for place in seer.path]) for seer in sheet.seers if len(seer.path) > 1]
    marks = [pictures.marks(frame, status, by_status.get(status, [])) for status in pictures.STATUSES]
    return [pictures.lines(frame, "route", paths), *marks, pictures.marks(frame, "gone", list(sheet.gone))]


def _drawn(frame: Frame, parts: Sequence[Markup], title: str) -> Markup:
    return pictures.drawing(frame, parts, title=title, north=gettext("N"), lang=current_language())
