"""May this plan be flown, there and then? One pure function; every failed rule at once.

`check_plan` judges a plan before the flight, and judges again at clearance, upload and take-off, because
the rules or the places may have changed since. A check that cannot be carried out is a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from shapely.geometry import MultiPoint

from flights.canonical import mission_digest
from flights.check import air as checks_air
from flights.check import aircraft as checks_aircraft
from flights.check import place as checks_place
from flights.check import publication as checks_publication
from flights.check import zones as checks_zones
from flights.check.case import SLOWEST_MPS, Case, place_of
from flights.check.margins import Margin, margins
from flights.check.situation import Aircraft, Options, Situation
from flights.model import Frame, Plan, PlanItem
from flights.path.assumed import Assumed
from flights.path.profile import CLIMB_MPS, profile
from flights.path.track import Profile
from flights.path.ways import RTL_ALT_M
from geo.footprint import Camera
from schemas.refusals import Refusal, RuleViolation, invalid, refuse
from schemas.words import found

log = structlog.get_logger(__name__)

Check = Callable[[Case], Iterable[Refusal]]

# Checks in the order in which their refusals are shown, with the rule that each one holds.
_ANYWHERE: tuple[tuple[str, Check], ...] = (
    ("GD-02.1", checks_publication.rules_in_force),
    ("plan.height_missing", checks_place.heights_are_given),
    ("GD-16.2", checks_place.ground_is_known),
    ("GD-16.3", checks_place.inside_published_area),
    ("GD-16.5", checks_aircraft.camera_is_allowed),
)
_UNDER_RULES: tuple[tuple[str, Check], ...] = (
    ("plan.height_missing", checks_place.heights_are_given),
    ("DC-2", checks_publication.flies_published_route),
    ("DC-2", checks_air.air_is_free),
    ("GD-14.2", checks_publication.notice_periods_over),
    ("GD-14.2", checks_aircraft.aircraft_is_usable),
    ("GD-16.1", checks_publication.inspection_plan_in_force),
    ("GD-16.1", checks_aircraft.pilot_is_licensed),
    ("GD-16.2", checks_place.ground_is_known),
    ("GD-16.2", checks_air.airspace_is_cleared),
    ("GD-16.3", checks_place.inside_published_area),
    ("GD-16.4", checks_aircraft.aircraft_is_marked),
    ("GD-16.5", checks_zones.clear_of_private_places),
    ("GD-16.5", checks_aircraft.camera_is_allowed),
    ("GD-16.5", checks_air.outside_quiet_hours),
    ("GD-16.5", checks_place.high_over_homes),
    ("GD-16.5", checks_place.clear_of_terrain),
    ("GD-16.5", checks_aircraft.endurance_suffices),
)

LONGEST_FLIGHT = timedelta(hours=24)
"""What takes longer is refused unchecked: what is in force is looked up for this time and no longer."""

_MAX_HFOV_DEG = 150.0


@dataclass(frozen=True)
class Verdict:
    """The answer to a plan: may it be flown, and if not, every rule that stands against it.

    `digest` is the canonical digest of the plan, `published_digest` that of the mission that would fly,
    `length_m` the length of the route and `flown_m` that with the way there and back, and `clearances` the
    distances that prove how far it keeps from zones, edges, listed places, homes, other flights and the ground.
    """

    refusals: tuple[Refusal, ...]
    digest: str
    items: int
    length_m: float
    flown_m: float
    assumed: tuple[Assumed, ...]
    start: datetime
    end: datetime
    route: str | None = None
    published_digest: str | None = None
    clearances: tuple[Margin, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the plan."""
        return not self.refusals

    def render(self, lang: str = "en") -> dict[str, Any]:
        """The verdict as a JSON object."""
        return {
            "ok": self.ok,
            "refusals": [refusal.render(lang) for refusal in self.refusals],
            "digest": self.digest,
            "items": self.items,
            "length_m": round(self.length_m, 1),
            "flown_m": round(self.flown_m, 1),
            "assumed": [assumed.render(lang) for assumed in self.assumed],
            "route": self.route,
            "published_digest": self.published_digest,
            "from": self.start.isoformat(),
            "until": self.end.isoformat(),
            "clearances": [clearance.render() for clearance in self.clearances],
        }


def check_plan(plan: Plan, situation: Situation, *, at: datetime, options: Options) -> Verdict:
    """The verdict on `plan`, taking off at `at` (aware); raises nothing for anything a plan can say."""
    plan, assumed = _filled(plan, options)
    digest = _digest(plan)
    try:
        known = situation.looked_at
        path = known[1] if known and known[0] is plan else profile(plan, situation.ground)
        camera, more = _camera(plan, situation, options)
        end, timed = _landing(path, situation, at, options)
    except RuleViolation as violation:
        refusals = tuple(_placed(refusal, plan) for refusal in violation.refusals)
        return Verdict(refusals, digest, len(plan.items), 0.0, 0.0, assumed, at, at)
    assumed = (*path.assumed, *assumed, *more, *timed, *_own_fence(plan), *_flown_by(situation))
    case = Case(plan, digest, path, situation, options, at, end, camera)
    refusals = tuple(_judged(case))
    route = case.route if situation.pack else None
    return Verdict(
        refusals,
        digest,
        len(plan.items),
        path.route_m,
        path.flown_m,
        assumed,
        at,
        end,
        route.public_id if route else None,
        route.digest if route else None,
        _proof(case),
    )


def _placed(refusal: Refusal, plan: Plan) -> Refusal:
    """A refusal with the places of the plan, where it has none of its own: there is no path yet that could tell."""
    places = [item.at for item in plan.items if item.at]
    if refusal.place or not places:
        return refusal
    return replace(refusal, place=place_of(MultiPoint(places)))


def _judged(case: Case) -> Iterable[Refusal]:
    for rule, check in _ANYWHERE if case.situation.pack is None else _UNDER_RULES:
        try:
            yield from check(case)
        except Exception:  # A check that fails to run is a refusal (design.md 4.2).
            log.exception("check failed", check=check.__name__)
            yield refuse(
                rule, "flight.check_failed", name=check.__name__, **found("unknown", "known"), place=place_of(case.line)
            )


def _proof(case: Case) -> tuple[Margin, ...]:
    try:
        return margins(case)
    except Exception:  # The same fault stands among the refusals already; the proof is then empty.
        log.exception("clearances failed")
        return ()


def plan_digest(plan: Plan, alt_agl_m: float | None = None) -> str:
    """The plan's canonical digest with `alt_agl_m` where the file gives no height; none at all counts as 0."""
    return _digest(_filled(plan, Options(alt_agl_m=alt_agl_m))[0])


def _digest(plan: Plan) -> str:
    return mission_digest(replace(i, alt_m=0.0) if _is_open(i) else i for i in plan.items)


def _is_open(item: PlanItem) -> bool:
    return item.command.is_located and item.alt_m is None


def _filled(plan: Plan, options: Options) -> tuple[Plan, tuple[Assumed, ...]]:
    """The plan with the option's height where the file gives none."""
    if options.alt_agl_m is None:
        return plan, ()
    if not any(map(_is_open, plan.items)):
        return plan, (Assumed("alt_agl_m", "as in the file", "heights_in_file"),)
    items = tuple(
        replace(item, alt_m=options.alt_agl_m, frame=Frame.GLOBAL_TERRAIN_ALT) if _is_open(item) else item
        for item in plan.items
    )
    return replace(plan, items=items), ()


def _own_fence(plan: Plan) -> Iterator[Assumed]:
    """Says that a fence in the file is not the one that will be on board."""
    areas = len(plan.fence.polygons) + len(plan.fence.circles)
    if areas:
        yield Assumed("fence", areas, "own_fence")


def _flown_by(situation: Situation) -> Iterator[Assumed]:
    """Says that nobody knows how long the aircraft stays in the air, and how its autopilot goes home."""
    aircraft = situation.aircraft
    if aircraft is not None and aircraft.endurance_min is None:
        yield Assumed("endurance_min", "not known", "no_endurance", {"aircraft": aircraft.public_id})
    yield Assumed("rtl_alt_m", RTL_ALT_M, "autopilot_default")


def _camera(plan: Plan, situation: Situation, options: Options) -> tuple[Camera | None, tuple[Assumed, ...]]:
    aircraft, pack = situation.aircraft, situation.pack
    margin_deg = pack["uav.camera"].roll_margin_deg if pack else 0.0
    hfov_deg = options.hfov_deg or plan.hfov_deg
    if hfov_deg is None and aircraft is not None:
        hfov_deg = aircraft.hfov_deg
        said = Assumed("hfov_deg", hfov_deg, "aircraft", {"aircraft": aircraft.public_id})
        return aircraft.camera(hfov_deg, margin_deg), (said,)
    if hfov_deg is None:
        return None, ()
    if not 0 < hfov_deg <= _MAX_HFOV_DEG:
        raise invalid("flight.camera_angle", measured=f"{hfov_deg:g}°", required=f"{_MAX_HFOV_DEG:g}°")
    assumed = tuple(_other_cameras(plan, aircraft, hfov_deg))
    bare = Camera(hfov_deg, roll_margin_deg=margin_deg)
    return (aircraft.camera(hfov_deg, margin_deg) if aircraft else bare), assumed


def _other_cameras(plan: Plan, aircraft: Aircraft | None, hfov_deg: float) -> Iterator[Assumed]:
    """Says where the file or the aircraft has another camera than the one that was asked about."""
    if plan.hfov_deg not in (None, hfov_deg):
        yield Assumed("hfov_deg", hfov_deg, "option_over_file", {"said": plan.hfov_deg})
    if aircraft is not None and aircraft.hfov_deg != hfov_deg:
        other = {"aircraft": aircraft.public_id, "said": aircraft.hfov_deg}
        yield Assumed("hfov_deg", hfov_deg, "not_the_aircraft", other)


def _landing(
    path: Profile, situation: Situation, at: datetime, options: Options
) -> tuple[datetime, tuple[Assumed, ...]]:
    """When the aircraft is down again, and the speed that was assumed for that."""
    aircraft = situation.aircraft
    speed = Assumed("speed_mps", SLOWEST_MPS, "slowest")
    if aircraft:
        speed = Assumed("speed_mps", aircraft.cruise_speed_mps, "aircraft", {"aircraft": aircraft.public_id})
    highest_m = max((float(t.alt_agl_m.max()) for t in path.tracks if path.heights_known), default=0.0)
    flown_s = path.duration_s(float(speed.value)) + 2 * max(highest_m, 0.0) / CLIMB_MPS
    longest_s = LONGEST_FLIGHT.total_seconds()
    if flown_s > longest_s:
        raise invalid("plan.too_slow", measured=f"{flown_s / 3600:,.0f} h", required=f"{longest_s / 3600:.0f} h")
    unsaid = any(mps is None for mps, _metres in path.timed_m)
    return max(options.until or at, at + timedelta(seconds=flown_s)), (speed,) if unsaid else ()
