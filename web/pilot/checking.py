"""From an uploaded file to what the pilot desk says: one sentence, every refusal, and each place on the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request
from shapely.geometry import LineString, mapping
from sqlalchemy.orm import Session

from flights.check.precheck import Verdict
from flights.check.situation import Options
from flights.check.surroundings import Asked
from flights.formats import read_plan
from flights.ground import open_ground
from flights.model import Plan
from flights.path.profile import profile
from flights.path.track import Ground
from flights.queries import drone_named, judge, rules_for
from geo.footprint import Camera
from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid
from schemas.tables import Drone
from web.checks import YEARS
from web.i18n import current_language, gettext, local_zone, moment, ngettext
from web.identity.request_identity import services
from web.pilot.keeping import Keeps, kept
from web.pilot.queries import route_label

LONGEST_NAME = 120
_FIELDS = ("at", "minutes", "route", "drone", "inspection", "key")
_NOTHING: Mapping[str, Any] = {"type": "FeatureCollection", "features": []}


@dataclass(frozen=True)
class Form:
    """What the form says, kept when the page comes back."""

    at: str
    minutes: str = "20"
    route: str = ""
    drone: str = ""
    inspection: str = ""
    key: str = ""

    @property
    def start(self) -> datetime:
        """Take-off as an instant; raises RuleViolation 422 when the field holds no time."""
        try:
            local = datetime.fromisoformat(self.at)
            if local.year not in YEARS:
                raise ValueError(local.year)
        except ValueError:
            raise _unreadable("at", self.at, "2026-11-21T10:00") from None
        return (local if local.tzinfo else local.replace(tzinfo=local_zone())).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """Landing as an instant; raises RuleViolation 422 for no sensible number of minutes."""
        if not (self.minutes.isascii() and self.minutes.isdigit() and 1 <= int(self.minutes) <= 240):
            raise _unreadable("minutes", self.minutes, "1-240")
        return self.start + timedelta(minutes=int(self.minutes))


@dataclass(frozen=True)
class Upload:
    """A plan file as it came."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Result:
    """What the page shows of a verdict."""

    ok: bool
    sentence: str
    advice: str
    refusals: list[dict[str, Any]]
    name: str = ""
    digest: str = ""
    route: str = ""
    count: int = 0
    length: str = ""
    assumed: list[tuple[str, Any, str]] = field(default_factory=list)
    keeps: list[Keeps] = field(default_factory=list)
    geo: Mapping[str, Any] = field(default_factory=lambda: {"plan": _NOTHING, "places": _NOTHING})


def _unreadable(name: str, value: str, required: str) -> RuleViolation:
    return invalid("query.unknown", "web.query_unknown", name=name, measured=value[:40], required=required)


def read_form(now: datetime) -> Form:
    """The form of this request; by default a take-off tomorrow at ten."""
    tomorrow = (now + timedelta(days=1)).astimezone(local_zone())
    default = tomorrow.strftime("%Y-%m-%dT10:00")
    said = {name: request.form.get(name, "").strip()[:80] for name in _FIELDS}
    said["at"], said["minutes"] = said["at"] or default, said["minutes"] or "20"
    return Form(**said)


def read_upload() -> Upload:
    """The file of this request; raises RuleViolation 422 when none was chosen, 413 when it is too large."""
    given = request.files.get("plan")
    if given is None or not given.filename:
        raise invalid("upload.missing", "web.upload_missing")
    # One byte more than allowed is enough to know; the reader of plans says the rest.
    name = "".join(letter for letter in given.filename if letter.isprintable())[-LONGEST_NAME:]
    return Upload(name, given.stream.read(limit("plan.bytes") + 1))


def check(upload: Upload, form: Form) -> Result:
    """The verdict on an uploaded plan; what cannot be read at all is a refusal like any other."""
    house = services()
    try:
        plan = read_plan(upload.data, upload.name)
        with house.session() as db, open_ground(house.data_dir) as ground:
            drone = drone_named(db, form.drone) if form.drone else None
            verdict = judged(db, ground, plan, form, drone)
            drawn = _drawn(plan, ground, drone)
            route = route_label(db, verdict.route)
    except RuleViolation as refused:
        return refusal_result(refused, upload.name)
    return _result(verdict, upload.name, route, drawn)


def judged(db: Session, ground: Ground, plan: Plan, form: Form, drone: Drone | None) -> Verdict:
    """The verdict on a plan for the time, route and aircraft of the form."""
    options = Options(route=form.route or None, until=form.end)
    pack = rules_for(services().rulebook, plan, form.start)
    return judge(db, pack, ground, plan, Asked(form.start, options, drone))


def refusal_result(refused: RuleViolation, name: str = "") -> Result:
    """A result for something that was refused before it could be judged."""
    rendered = refused.render(current_language())
    return Result(
        ok=False,
        sentence=ngettext(
            "Refused: %(num)d rule stands against it", "Refused: %(num)d rules stand against it", len(rendered)
        ),
        advice=gettext("Each rule below says what would make it pass."),
        refusals=rendered,
        name=name,
        geo={"plan": _NOTHING, "places": _places(rendered)},
    )


def _result(verdict: Verdict, name: str, route: str, drawn: list[dict[str, Any]]) -> Result:
    language = current_language()
    rendered = [refusal.render(language) for refusal in verdict.refusals]
    return Result(
        ok=verdict.ok,
        sentence=_sentence(verdict, route, rendered),
        advice=_advice(verdict),
        refusals=rendered,
        name=name,
        digest=verdict.digest,
        route=route,
        count=verdict.items,
        length=gettext(
            "%(km)s km along the route, %(flown)s km in all",
            km=f"{verdict.length_m / 1000:.2f}",
            flown=f"{verdict.flown_m / 1000:.2f}",
        ),
        keeps=kept(verdict.clearances),
        assumed=[(a.title(language), a.shown(language), a.source(language)) for a in verdict.assumed],
        geo={"plan": {"type": "FeatureCollection", "features": drawn}, "places": _places(rendered)},
    )


def _sentence(verdict: Verdict, route: str, rendered: list[dict[str, Any]]) -> str:
    if verdict.ok:
        window = f"{moment(verdict.start)} – {moment(verdict.end)[-5:]}"
        return gettext("%(route)s may be flown, %(window)s", route=route or gettext("This plan"), window=window)
    if len(rendered) == 1:
        return gettext("This plan cannot be flown: %(reason)s", reason=rendered[0]["message"])
    return gettext("This plan cannot be flown: %(num)d rules stand against it", num=len(rendered))


def _advice(verdict: Verdict) -> str:
    earliest = max((refusal.earliest for refusal in verdict.refusals if refusal.earliest), default=None)
    if verdict.ok:
        return gettext("File it, and the unit head is asked to clear it. What flies is the published mission.")
    if earliest:
        return gettext(
            "Not before %(date)s; each rule below says what else would make it pass.", date=earliest.isoformat()
        )
    return gettext("Each rule below says what would make it pass.")


def _drawn(plan: Plan, ground: Ground, drone: Drone | None) -> list[dict[str, Any]]:
    """The line of the plan and, where its heights are known, what the camera sees; GeoJSON features."""
    features: list[dict[str, Any]] = []
    places = [(item.at.lon, item.at.lat) for item in plan.items if item.at]
    hfov_deg = plan.hfov_deg or (drone.camera_hfov_deg if drone else None)
    try:
        path = profile(plan, ground)
        if hfov_deg and path.heights_known:
            features.append(_feature(path.footprint(Camera(hfov_deg)), part="footprint"))
    except RuleViolation:
        # Whatever is wrong with the heights is among the refusals; the line can still be shown.
        pass
    if len(places) > 1:
        features.append(_feature(LineString(places), part="line"))
    return features


def _feature(shape: Any, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "Feature", "geometry": mapping(shape), "properties": properties}


def _places(rendered: list[dict[str, Any]]) -> dict[str, Any]:
    """Where each refusal applies, for the map; `index` is its number in the list."""
    features = [
        {"type": "Feature", "geometry": refusal["place"], "properties": {"index": number, "rule": refusal["rule"]}}
        for number, refusal in enumerate(rendered)
        if refusal.get("place")
    ]
    return {"type": "FeatureCollection", "features": features}
