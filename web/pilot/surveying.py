"""From the survey form to what its page says: one sentence, the figures, every refusal, and what to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from flask import request
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from flights.ground import open_ground
from flights.queries import drone_named
from flights.survey import queries
from flights.survey.camera import CameraModel, camera_named, cameras
from flights.survey.drawn import Drawn, read_place, read_shape
from flights.survey.generate import generate
from flights.survey.spec import Around, Stats, Survey, SurveySpec
from geo import shapes
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import services

OF_DRONE = "drone:"
LONGEST_FIELD = 60_000
_WORTH_TELLING = 0.001
_NOTHING: Mapping[str, Any] = {"type": "FeatureCollection", "features": []}


@dataclass(frozen=True)
class Form:
    """What the form says, kept when the page comes back; every field is the text that was typed."""

    kind: str = "area"
    area: str = ""
    shape: str = ""
    width_m: str = "100"
    camera: str = ""
    portrait: str = ""
    by: str = "alt"
    value: str = "100"
    front: str = "75"
    side: str = "65"
    angle: str = ""
    cross: str = ""
    turnaround_m: str = "0"
    open_holes: str = ""
    home: str = ""
    speed_mps: str = "8"

    @property
    def is_corridor(self) -> bool:
        """Whether a line is surveyed rather than an area."""
        return self.kind == "corridor"

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been drawn or chosen yet."""
        return not (self.shape.strip() or (self.area and not self.is_corridor))


@dataclass(frozen=True)
class Result:
    """What the page shows of a survey, or of why there is none."""

    ok: bool
    sentence: str
    advice: str
    refusals: list[dict[str, Any]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    stats: Mapping[str, Any] = field(default_factory=dict)
    geo: Mapping[str, Any] = field(default_factory=lambda: {"plan": _NOTHING, "places": _NOTHING})


@dataclass(frozen=True)
class CameraChoice:
    """A camera that the form offers."""

    code: str
    name: str
    source: str


def read_form() -> Form:
    """The form of this request."""
    said = {part.name: request.form.get(part.name, "")[:LONGEST_FIELD] for part in fields(Form)}
    # A checkbox that is not ticked is not sent; every other field that is missing has its usual value.
    unticked = {"portrait", "cross", "open_holes"}
    return Form(**{name: text for name, text in said.items() if text or name in unticked or name in request.form})


def offered_cameras(drones: list[tuple[str, str]]) -> list[CameraChoice]:
    """The cameras of the aircraft (code, name) first, then those of the table."""
    own = [CameraChoice(OF_DRONE + code, gettext("Camera of %(name)s", name=name), "") for code, name in drones]
    return own + [CameraChoice(code, camera.name, camera.source) for code, camera in cameras().items()]


def made(form: Form) -> tuple[SurveySpec, Around, Survey]:
    """The survey that the form asks for; raises RuleViolation with everything that stands against it."""
    house = services()
    with house.session() as db, open_ground(house.data_dir) as ground:
        spec = _spec(form, db)
        around = queries.surroundings(db, house.rulebook, ground, spec, house.clock.now())
        return spec, around, generate(spec, around)


def shown(form: Form) -> Result | None:
    """What to show for the form; None while nothing is drawn."""
    if form.is_empty:
        return None
    try:
        spec, around, survey = made(form)
    except RuleViolation as refused:
        return refusal_result(refused)
    return Result(
        ok=True,
        sentence=_sentence(survey),
        advice=_advice(around),
        facts=_facts(survey),
        stats=survey.stats.render(),
        geo={"plan": {"type": "FeatureCollection", "features": _features(spec, survey)}, "places": _NOTHING},
    )


def refusal_result(refused: RuleViolation) -> Result:
    """What to show where there is no survey."""
    rendered = refused.render(current_language())
    places = [
        {"type": "Feature", "geometry": r["place"], "properties": {"index": index, "rule": r["rule"]}}
        for index, r in enumerate(rendered)
        if r.get("place")
    ]
    count = len(rendered)
    return Result(
        ok=False,
        sentence=ngettext(
            "No survey: %(num)d rule stands against it", "No survey: %(num)d rules stand against it", count
        ),
        advice=gettext("Each rule below says what would make it pass."),
        refusals=rendered,
        geo={"plan": _NOTHING, "places": {"type": "FeatureCollection", "features": places}},
    )


def _spec(form: Form, db: Session) -> SurveySpec:
    """What the form asks for; numbers that are none are all told at once."""
    refusals: list[Refusal] = []

    def number(name: str, *, needed: bool = True) -> float | None:
        text = getattr(form, name).strip()
        if not text and not needed:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            refusals.append(refuse("survey.number", "survey.number", name=name, measured=text[:40] or "-"))
        return value

    value, front, side, speed_mps, turnaround_m = map(number, ("value", "front", "side", "speed_mps", "turnaround_m"))
    angle_deg, width_m = number("angle", needed=False), number("width_m", needed=form.is_corridor)
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals)
    camera = _camera(form, db)
    return SurveySpec(
        area=_area(form, db),
        camera=camera,
        alt_agl_m=camera.alt_agl_m(value or 0.0) if form.by == "gsd" else value or 0.0,
        front=(front or 0.0) / 100,
        side=(side or 0.0) / 100,
        angle_deg=angle_deg,
        width_m=width_m if form.is_corridor else None,
        cross=bool(form.cross),
        turnaround_m=turnaround_m or 0.0,
        holes_private=not form.open_holes,
        home=read_place(form.home),
        speed_mps=speed_mps or 0.0,
    )


def _camera(form: Form, db: Session) -> CameraModel:
    if form.camera.startswith(OF_DRONE):
        camera = queries.camera_of(drone_named(db, form.camera.removeprefix(OF_DRONE)[:80]))
    else:
        camera = camera_named(form.camera)
    return camera.portrait if form.portrait else camera


def _area(form: Form, db: Session) -> Drawn:
    if form.area and not form.is_corridor:
        return shapes.polygon(queries.area_named(db, form.area[:80]).geom)
    return read_shape(form.shape, corridor=form.is_corridor)


def _sentence(survey: Survey) -> str:
    return gettext(
        "%(lines)s lines, %(photos)s photos, %(minutes)s minutes in the air",
        lines=survey.stats.lines,
        photos=f"{survey.stats.photos:,}",
        minutes=f"{survey.stats.time_s / 60:.0f}",
    )


def _advice(around: Around) -> str:
    if around.keep_in is None:
        return gettext("It lies in no published patrol area, so its check will refuse it; nothing private is seen.")
    return gettext("On no leg does the camera see a privacy zone or beyond the patrol area.")


def _facts(survey: Survey) -> list[tuple[str, str]]:
    stats = survey.stats
    direction = [] if stats.angle_deg is None else [(gettext("Direction"), f"{stats.angle_deg:.1f}°")]
    return [
        (
            gettext("Length"),
            gettext(
                "%(all)s km, %(photos)s km of it with photos",
                all=f"{stats.length_m / 1000:.2f}",
                photos=f"{stats.photo_length_m / 1000:.2f}",
            ),
        ),
        (
            gettext("Ground sampling distance"),
            gettext("%(gsd)s cm, at worst %(worst)s cm", gsd=f"{stats.gsd_cm:.2f}", worst=f"{stats.gsd_worst_cm:.2f}"),
        ),
        (gettext("Height above ground"), f"{stats.alt_agl_m:.1f} m"),
        (
            gettext("Photographed"),
            gettext(
                "%(share)s of the %(ha)s ha that may be seen",
                share=f"{math.floor(stats.covered * 1000) / 10:.1f} %",
                ha=f"{stats.area_m2 / 10_000:,.1f}",
            ),
        ),
        *_left_out(stats),
        (gettext("Line to line"), f"{stats.spacing_m:.1f} m"),
        (gettext("Photo to photo"), f"{stats.trigger_m:.1f} m"),
        *direction,
        (gettext("Mission items"), str(stats.items)),
    ]


def _left_out(stats: Stats) -> list[tuple[str, str]]:
    """What lies behind a zone as seen from take-off: a flight that is broken off there could not fly home."""
    if stats.behind < _WORTH_TELLING:
        return []
    share = f"{math.ceil(stats.behind * 1000) / 10:.1f} %"
    told = gettext("%(share)s, from where the straight way home is not free: survey it from another place", share=share)
    return [(gettext("Not flown over"), told)]


def _features(spec: SurveySpec, survey: Survey) -> list[dict[str, Any]]:
    home = survey.plan.home
    drawn = [("swath", survey.swath), ("area", spec.area), ("way", survey.ways), ("line", survey.lines)]
    return [_feature(shape, part) for part, shape in [*drawn, *([("home", Point(home.at))] if home else [])]]


def _feature(shape: BaseGeometry, part: str) -> dict[str, Any]:
    return {"type": "Feature", "geometry": mapping(shape), "properties": {"part": part}}
