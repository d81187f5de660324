"""The guards of inspection plans and flights: the names that their tables list, and their checks.

Guards that judge a place ask for the ground in the parameter `ground`; without it they cannot run, and a
guard that cannot run refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from flights import queries
from flights.air import traffic
from flights.canonical import fence_digest
from flights.check.air import air_refusals
from flights.check.aircraft import mark_refusals
from flights.check.precheck import Verdict
from flights.papers import queries as papers
from flights.papers.filing_sheet import APPROVAL, first_day
from geo.periods import months_after
from schemas.machine import Context, Guard, label
from schemas.refusals import Refusal, refuse
from schemas.tables import (
    Flight,
    InspectionPlan,
    PatrolArea,
    PatrolRoute,
    Qualification,
    SupervisedEntity,
    TelemetryPoint,
)

LICENCE = "uas_licence"
LONGEST_WINDOW = timedelta(hours=12)
_READY = timedelta(minutes=1)  # from the last look at the rules until the aircraft climbs
_PUBLIC_STATES = ("published", "effective")

# Refusals of the verdict that have a guard of their own, so that each is told once.
_AIRSPACE = frozenset({"flight.controlled_height", "flight.airspace", "flight.way_airspace", "flight.way_high"})
_OF_AIR = frozenset({"flight.air_taken"})
_OF_AIRCRAFT = frozenset({"flight.not_marked", "flight.mark_old", "flight.aircraft_state"})


# -- inspection plans ---------------------------------------------------------------------------------


def object_named(context: Context) -> Iterable[Refusal]:
    """GD-31.2: the plan says what is inspected: areas or entities that exist."""
    plan: InspectionPlan = context.subject
    named = [*plan.area_ids, *plan.entity_ids]
    found = sum(
        context.session.get(kind, UUID(text)) is not None
        for kind, texts in ((PatrolArea, plan.area_ids), (SupervisedEntity, plan.entity_ids))
        for text in texts
    )
    if not named or found < len(named):
        yield refuse("GD-31.2", "inspection.no_object", measured=found, required=max(len(named), 1))


def period_within_a_year(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the plan begins before it ends and is no longer than the pack allows."""
    plan: InspectionPlan = context.subject
    months = context.pack["inspection_plan.max_months"]
    if not plan.valid_from <= plan.valid_to < months_after(plan.valid_from, months):
        measured = f"{plan.valid_from.isoformat()} - {plan.valid_to.isoformat()}"
        yield refuse("GD-16.1", "inspection.period", measured=measured, required=months)


def period_over(context: Context) -> Iterable[Refusal]:
    """GD-16.1: a plan expires after its last day, not before."""
    plan: InspectionPlan = context.subject
    if context.today <= plan.valid_to:
        yield refuse("GD-16.1", "inspection.not_over", measured=plan.valid_to.isoformat())


# -- flights: who, with what, when --------------------------------------------------------------------


def pilot_licensed(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the pilot holds a licence on the days of the flight."""
    flight: Flight = context.subject
    first, last = (context.pack.local_date(at) for at in queries.window(flight))
    held = context.session.scalar(
        select(func.count())
        .select_from(Qualification)
        .where(
            Qualification.person_id == flight.pilot_id,
            Qualification.kind == LICENCE,
            Qualification.valid_from <= first,
            Qualification.valid_to >= last,
        )
    )
    if not held:
        yield refuse("GD-16.1", "flight.no_licence", measured=first.isoformat())


def plan_named(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the flight belongs to an inspection plan of its own authority."""
    flight: Flight = context.subject
    plan = _inspection(context)
    if plan is None:
        yield refuse("GD-16.1", "flight.no_inspection")
    elif plan.authority_id != flight.authority_id:
        yield refuse("GD-16.1", "flight.inspection_elsewhere", number=plan.number)


def plan_in_force(context: Context) -> Iterable[Refusal]:
    """GD-16.1: that plan is approved, valid on the days of the flight, and names its patrol area."""
    flight: Flight = context.subject
    plan = _inspection(context)
    if plan is None:
        yield refuse("GD-16.1", "flight.no_inspection")
        return
    if plan.state != "approved":
        yield refuse("GD-16.1", "flight.inspection_not_approved", number=plan.number, measured=plan.state)
    first, last = (context.pack.local_date(at) for at in queries.window(flight))
    if not plan.valid_from <= first <= last <= plan.valid_to:
        required = f"{plan.valid_from.isoformat()} - {plan.valid_to.isoformat()}"
        yield refuse(
            "GD-16.1",
            "flight.inspection_period",
            number=plan.number,
            measured=first.isoformat(),
            required=required,
        )
    if str(_route(context).area_id) not in plan.area_ids:
        yield refuse("GD-16.1", "flight.inspection_area", number=plan.number, area=_route(context).area.code)


def window_is_sound(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the window lies ahead, and is no longer than a working day."""
    start, end = queries.window(context.subject)
    if not timedelta(0) < end - start <= LONGEST_WINDOW:
        hours = f"{LONGEST_WINDOW.total_seconds() / 3600:.0f} h"
        yield refuse("GD-16.1", "flight.window_length", measured=str(end - start), required=hours)
    if end <= context.now:
        yield refuse("GD-16.1", "flight.window_past", measured=_local(context, end))


def within_window(context: Context) -> Iterable[Refusal]:
    """GD-16.1: take-off lies inside the planned window, early enough to land in it.

    After a change of battery only the rest of the way is flown; the window itself then is the bound.
    """
    flight: Flight = context.subject
    start, end = queries.window(flight)
    if not start <= context.now < end:
        yield refuse(
            "GD-16.1",
            "flight.not_in_window",
            measured=_local(context, context.now),
            required=f"{_local(context, start)} - {_local(context, end)}",
        )
    elif flight.airborne_at is None:
        takes = traffic.duration_of(flight, context.params["ground"])
        # A window too short for the whole way holds the air for as long as the way takes.
        latest = max(end - takes, start)
        if context.now > latest + _READY:
            measured = _local(context, context.now + takes)
            yield refuse("GD-16.1", "flight.lands_late", measured=measured, required=_local(context, latest))


def own_flight(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the pilot who filed the flight is the one who flies it."""
    flight: Flight = context.subject
    if context.actor.person_id is None or context.actor.person_id != flight.pilot_id:
        yield refuse("GD-16.1", "flight.not_own", subject=label(flight))


def approver_is_not_pilot(context: Context) -> Iterable[Refusal]:
    """GD-16.1: nobody clears a flight of their own."""
    flight: Flight = context.subject
    if context.actor.person_id is None or context.actor.person_id == flight.pilot_id:
        yield refuse("GD-16.1", "flight.own_approval", subject=label(flight))


# -- flights: route, rules, aircraft -------------------------------------------------------------------


def route_named(context: Context) -> Iterable[Refusal]:
    """DC-2: the flight names a published route, and takes over the digest of its mission."""
    flight: Flight = context.subject
    route = context.session.get(PatrolRoute, flight.route_id) if flight.route_id else None
    if route is None or route.state not in _PUBLIC_STATES:
        yield refuse("DC-2", "flight.route_unknown", route=route.code if route else "")
    elif flight.mission_digest != route.mission_digest:
        yield refuse("DC-2", "flight.route_changed", route=route.code)


def route_version_current(context: Context) -> Iterable[Refusal]:
    """DC-2: the route is still in the version, and the state, in which the flight was filed."""
    flight: Flight = context.subject
    route = _route(context)
    same = (flight.route_version, flight.mission_digest) == (route.route_version, route.mission_digest)
    if not same or route.state not in _PUBLIC_STATES:
        yield refuse("DC-2", "flight.route_changed", route=route.code)


def plan_passes_check(context: Context) -> Iterable[Refusal]:
    """DC-2: the published mission passes every rule now, in its window and with its aircraft.

    A flight that was just filed must pass with the plan of its file as well.
    """
    flight: Flight = context.subject
    found = list(_verdict(context).refusals)
    if flight.state == "filed":
        found += queries.judge_filed(context.session, context.pack, context.params["ground"], flight).refusals
    # The mission and the file mostly fail together; each reason is told once.
    once = {(refusal.rule, refusal.text, refusal.measured): refusal for refusal in reversed(found)}
    return [refusal for refusal in reversed(once.values()) if refusal.text not in _AIRSPACE | _OF_AIRCRAFT | _OF_AIR]


def airspace_cleared(context: Context) -> Iterable[Refusal]:
    """GD-16.2: where the flight needs a filing or an approval, it is held for place, height and time."""
    return [refusal for refusal in _verdict(context).refusals if refusal.text in _AIRSPACE]


def air_is_free(context: Context) -> Iterable[Refusal]:
    """DC-2: no other flight holds any of the air that this one needs; all that do are told at once."""
    flight: Flight = context.subject
    air = traffic.air_of(flight, context.pack, context.params["ground"])
    return air_refusals(traffic.conflicts(context.session, flight, air), context.pack)


def filed_in_time(context: Context) -> Iterable[Refusal]:
    """GD-16.2: what the airspace office must be asked for is held, or can still be asked for in time."""
    flight: Flight = context.subject
    sheet = papers.sheet_of(context.session, context.pack, context.params["ground"], flight, context.now)
    if context.pack["uav.filing.late"] == "refuse" and sheet.needs == APPROVAL and sheet.too_late:
        yield refuse(
            "GD-16.2",
            "flight.filing_missed",
            measured=_local(context, context.now),
            required=_local(context, sheet.apply_by.at),
            earliest=first_day(context.pack, context.now),
        )


def mark_checked(context: Context) -> Iterable[Refusal]:
    """GD-16.4: the aircraft carries a mark that was checked lately."""
    flight: Flight = context.subject
    device = flight.drone.device
    on = context.pack.local_date(queries.window(flight)[0])
    marked_on = queries.marked_on(context.session, device, on)
    return mark_refusals(context.pack, device.public_id, marked_on, on)


def aircraft_active(context: Context) -> Iterable[Refusal]:
    """GD-14.2: the aircraft is a device in use: not blocked, paused, discontinued or still in review."""
    flight: Flight = context.subject
    device = flight.drone.device
    if device.state != "active":
        yield refuse(
            "GD-14.2",
            "flight.aircraft_state",
            name=device.public_id,
            measured=device.state,
            required="active",
        )


# -- flights: in the air and after ---------------------------------------------------------------------


def vehicle_holds_the_published_mission(context: Context) -> Iterable[Refusal]:
    """DC-1: what was read back from the vehicle is the published mission and the fence of its area.

    Parameters `vehicle_mission_digest` and `vehicle_fence_digest`, or the flight's own record of them.
    """
    flight: Flight = context.subject
    start, end = queries.window(flight)
    fence = fence_digest(queries.fence_of(context.session, _route(context), start, end, context.pack.zone).items)
    for name, expected in (
        ("vehicle_mission_digest", flight.mission_digest),
        ("vehicle_fence_digest", fence),
    ):
        read_back = context.params.get(name) or getattr(flight, name)
        if read_back != expected:
            yield refuse(
                "DC-1",
                "flight.vehicle_differs",
                name=name.split("_")[1],
                measured=str(read_back)[:12],
                required=expected[:12],
            )


def track_recorded(context: Context) -> Iterable[Refusal]:
    """DC-1: the flight left a track."""
    flight: Flight = context.subject
    count = select(func.count()).select_from(TelemetryPoint).where(TelemetryPoint.flight_id == flight.id)
    if (context.session.scalar(count) or 0) < 2:
        yield refuse("DC-1", "flight.no_track", subject=label(flight))


def log_recorded(context: Context) -> Iterable[Refusal]:
    """DC-1: a flight that is declared flown has a log that tells where it was."""
    if context.params.get("log_fixes", 0) < 2:
        yield refuse("DC-1", "flight.no_track", subject=label(context.subject))


def deviation_reported(context: Context) -> Iterable[Refusal]:
    """DC-1: how far the flight strayed from its route has been computed."""
    flight: Flight = context.subject
    known = context.params.get("deviation_lateral_m", flight.deviation_lateral_m)
    if known is None:
        yield refuse("DC-1", "flight.no_deviation", subject=label(flight))


def deviation_explained(context: Context) -> Iterable[Refusal]:
    """GD-16.3: a flight that strayed, or left its area, is closed only with an explanation (G-43)."""
    flight: Flight = context.subject
    tolerance_m = context.pack["flight.deviation_tolerance_m"]
    strayed_m = max(flight.deviation_lateral_m or 0.0, flight.deviation_vertical_m or 0.0)
    note = str(context.params.get("deviation_note") or flight.deviation_note or "").strip()
    if (strayed_m > tolerance_m or flight.stayed_inside is False) and not note:
        yield refuse(
            "GD-16.3",
            "flight.deviation_unexplained",
            measured=f"{strayed_m:.0f} m",
            required=f"{tolerance_m:g} m",
        )


def _verdict(context: Context) -> Verdict:
    return queries.judge_flight(context.session, context.pack, context.params["ground"], context.subject)


def _inspection(context: Context) -> InspectionPlan | None:
    flight: Flight = context.subject
    plan_id = flight.inspection_plan_id
    return context.session.get(InspectionPlan, plan_id) if plan_id else None


def _route(context: Context) -> PatrolRoute:
    flight: Flight = context.subject
    return flight.route or context.session.get_one(PatrolRoute, flight.route_id)


def _local(context: Context, at: datetime) -> str:
    return f"{at.astimezone(context.pack.zone):%Y-%m-%d %H:%M}"


GUARDS: dict[str, Guard] = {
    "GD-31.2:object_named": object_named,
    "GD-16.1:period_within_a_year": period_within_a_year,
    "GD-16.1:period_over": period_over,
    "GD-16.1:pilot_licensed": pilot_licensed,
    "GD-16.1:plan_named": plan_named,
    "GD-16.1:plan_in_force": plan_in_force,
    "GD-16.1:window_is_sound": window_is_sound,
    "GD-16.1:within_window": within_window,
    "GD-16.1:own_flight": own_flight,
    "GD-16.1:approver_is_not_pilot": approver_is_not_pilot,
    "DC-2:route_named": route_named,
    "DC-2:route_version_current": route_version_current,
    "DC-2:plan_passes_check": plan_passes_check,
    "GD-16.2:airspace_cleared": airspace_cleared,
    "DC-2:air_is_free": air_is_free,
    "GD-16.2:filed_in_time": filed_in_time,
    "GD-16.4:mark_checked": mark_checked,
    "GD-14.2:aircraft_active": aircraft_active,
    "DC-1:vehicle_holds_the_published_mission": vehicle_holds_the_published_mission,
    "DC-1:track_recorded": track_recorded,
    "DC-1:log_recorded": log_recorded,
    "DC-1:deviation_reported": deviation_reported,
    "GD-16.3:deviation_explained": deviation_explained,
}
