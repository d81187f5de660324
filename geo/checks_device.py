"""What must hold before a device is reviewed, used, paused and used again (GD-09 to GD-22)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.checklists import REVIEW_KINDS, reviewer
from geo.checks_common import siting_plan_refusals
from geo.content import siting_sha256
from geo.measure import distance_m
from geo.notices import appearances, stopped_at
from geo.periods import months_after
from geo.private_places import Place, private_place_refusals
from geo.queries import latest_review
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.rules import RulePack
from schemas.tables import Device, DeviceSite, Evaluation, Incident, PlannedSite, Signage, SitingPlan, Upkeep
from schemas.words import Coded


def secret_is_documented(context: Context) -> Iterable[Refusal]:
    """GD-14.6: a secret device names who classified it by which document, how highly, and until when."""
    device: Device = context.subject
    if not device.secret:
        return
    told = (device.secret_document, device.secret_authority, device.secret_level)
    if not all((text or "").strip() for text in told) or device.secret_until is None:
        yield refuse("GD-14.6", "device.secret_undocumented")
    elif device.secret_until < context.today:
        yield refuse("GD-14.6", "device.secret_over", measured=device.secret_until.isoformat())


def exempt_from_publication(context: Context) -> Iterable[Refusal]:
    """GD-14.6: only what is kept secret under law is used without publication."""
    if not context.subject.secret:
        yield refuse("GD-14.6", "device.not_secret", subject=label(context.subject))
    yield from secret_is_documented(context)


def not_secret(context: Context) -> Iterable[Refusal]:
    """GD-14.6: a state secret is never published."""
    if context.subject.secret:
        yield refuse("GD-14.6", "device.secret")


def site_approved(context: Context) -> Iterable[Refusal]:
    """GD-09.2: the site stands in the version in force of a siting plan, approved at the level that the pack names."""
    device: Device = context.subject
    site = device.site or context.session.get_one(DeviceSite, device.site_id)
    unapproved = list(siting_plan_refusals(context, "GD-09.2", site.siting_plan_id))
    yield from unapproved
    plan = context.session.get(SitingPlan, site.siting_plan_id) if site.siting_plan_id else None
    # An approval that came by import may name no sites; one that was given here names all of them.
    if unapproved or plan is None or not plan.sites:
        return
    granted = context.session.get(PlannedSite, site.planned_site_id) if site.planned_site_id else None
    listed = granted is not None and granted.plan_id == plan.id and granted.dropped_in is None
    if granted is None or not listed or granted.decision != "approved":
        yield refuse("GD-09.2", "site.not_in_plan", number=plan.approval_no, subject=label(device))
        return
    apart_m = distance_m(shapes.lon_lat(granted.geom), shapes.lon_lat(site.geom))
    most_m = context.pack["device.moved_tolerance_m"]
    if apart_m > most_m or granted.place_type != site.place_type:
        measured, required = f"{apart_m:.0f} m", f"{most_m:g} m"
        yield refuse("GD-09.2", "site.elsewhere", number=plan.approval_no, measured=measured, required=required)


def both_reviews_passed(context: Context) -> Iterable[Refusal]:
    """GD-10.3: the latest legal review and the latest technical review both passed."""
    for kind in REVIEW_KINDS:
        review = latest_review(context.session, context.subject, kind)
        if review is None or not review.passed:
            text = "device.review_missing" if review is None else "device.review_failed"
            yield refuse("GD-10.3", text, reviewer=reviewer(kind))


def reviews_recent(context: Context) -> Iterable[Refusal]:
    """GD-10.3: both reviews passed, and neither is older than the pack allows."""
    yield from both_reviews_passed(context)
    for kind in REVIEW_KINDS:
        review = latest_review(context.session, context.subject, kind)
        if review is None:
            continue
        valid_until = months_after(review.reviewed_on, context.pack["review.max_age_months"])
        if context.today > valid_until:
            yield refuse(
                "GD-10.3",
                "device.review_old",
                reviewer=reviewer(kind),
                measured=review.reviewed_on.isoformat(),
                required=context.pack["review.max_age_months"],
            )


def outside_private_places(context: Context) -> Iterable[Refusal]:
    """GD-15: neither the device nor what it looks at is in a place where nobody may be watched."""
    place = place_of_device(context.session, context.subject)
    yield from private_place_refusals(context.session, place, context.pack, context.now)


def place_of_device(session: Session, device: Device) -> Place:
    """Where a device stands and what it looks at."""
    site = device.site or session.get_one(DeviceSite, device.site_id)
    at = shapes.lon_lat(site.geom)
    return Place(at, site.place_type, device.sector_azimuth_deg, device.hfov_deg, device.range_m)


def quality_certificate(context: Context) -> Iterable[Refusal]:
    """GD-12.2: the product has its quality inspection certificate."""
    if not (context.subject.quality_certificate_no or "").strip():
        yield refuse("GD-12.2", "device.no_certificate", subject=label(context.subject))


def calibration_valid(context: Context) -> Iterable[Refusal]:
    """GD-22.2: a measuring instrument is verified and the verification has not lapsed."""
    device = context.subject
    if not device.is_measuring_instrument:
        return
    valid_to = device.calibration_valid_to
    if valid_to is None or valid_to < context.today:
        yield refuse(
            "GD-22.2",
            "device.calibration",
            subject=label(device),
            measured=valid_to.isoformat() if valid_to else "—",
            required=context.today.isoformat(),
        )


def sign_verified(context: Context) -> Iterable[Refusal]:
    """GD-14.1: the sign of a fixed device was seen on the spot; a mobile one carries a mark (GD-16.4)."""
    device = context.subject
    if device.category == "fixed" and not device.secret and _last_seen_sign(context, device) is None:
        yield refuse("GD-14.1", "device.no_sign", subject=label(device))


def aircraft_marked(context: Context) -> Iterable[Refusal]:
    """GD-16.4: a mobile unit carries a clear mark that was checked lately enough."""
    device: Device = context.subject
    if device.category != "mobile" or device.secret or not context.pack["uav.marking_required"]:
        return
    seen_on = _last_seen_sign(context, device)
    months = context.pack["uav.marking_valid_months"]
    if seen_on is None or context.today >= months_after(seen_on, months):
        measured = seen_on.isoformat() if seen_on else "—"
        yield refuse("GD-16.4", "device.no_mark", subject=label(device), measured=measured, required=months)


def not_shown(context: Context) -> Iterable[Refusal]:
    """GD-14.2: what a channel carries is not rewritten; it is withdrawn first."""
    device: Device = context.subject
    shown = appearances(context.session, device, context.pack)
    if device.state == "discontinued":  # what a channel carried before the end of use binds no more
        ended_at = stopped_at(context.session, device)
        shown = [row for row in shown if ended_at is None or row.published_at >= ended_at]
    if carried := sorted({row.channel for row in shown}):
        yield refuse("GD-14.2", "notice.still_shown", subject=label(device), channel=", ".join(carried))


def evaluation_current(context: Context) -> Iterable[Refusal]:
    """GD-10.1: what is in use was evaluated within the months that the pack allows, and its days of grace."""
    device: Device = context.subject
    due_on = evaluation_due_on(context.session, device, context.pack)
    if due_on is None:
        return
    latest = due_on + timedelta(days=context.pack["evaluation.grace_days"])
    if context.today > latest:
        measured, required = due_on.isoformat(), latest.isoformat()
        yield refuse("GD-10.1", "device.not_evaluated", subject=label(device), measured=measured, required=required)


def evaluation_due_on(session: Session, device: Device, pack: RulePack) -> date | None:
    """The day by which a device is to be evaluated again; None for one that was never in use.

    One that is in use once more counts from the first day of that, whatever was evaluated in the use before.
    """
    made = session.scalar(select(func.max(Evaluation.evaluated_on)).where(Evaluation.device_id == device.id))
    since = max((day for day in (made, device.activated_on) if day is not None), default=None)
    return None if since is None else months_after(since, pack["evaluation.interval_months"])


# What ends use at once; one that is merely offline is looked at first, and a small shift may be the wind.
STOPPING = ("tamper", "damaged", "jammed")


def undisturbed(context: Context) -> Iterable[Refusal]:
    """GD-20.1: since its state last changed nobody tampered with the device, and it stands where it stood."""
    device: Device = context.subject
    most_m = context.pack["device.moved_tolerance_m"]
    seen = select(Incident).where(Incident.device_id == device.id).order_by(Incident.observed_at)
    for incident in context.session.scalars(seen):
        if device.state_since is not None and incident.observed_at < device.state_since:
            continue
        if incident.shift_m is not None and incident.shift_m > most_m:
            measured, required = f"{incident.shift_m:.0f} m", f"{most_m:g} m"
            yield refuse("GD-20.1", "device.shifted", subject=label(device), measured=measured, required=required)
        elif incident.kind in STOPPING:
            measured = Coded("incident", [incident.kind])
            yield refuse("GD-20.1", "device.disturbed", subject=label(device), measured=measured)


def repair_proven(context: Context) -> Iterable[Refusal]:
    """GD-20.1: a technical reviewer has seen that the cause of this stop is gone; the unit head alone is not enough."""
    device: Device = context.subject
    seen = select(Upkeep.recorded_by).where(
        Upkeep.device_id == device.id, Upkeep.kind == "repair", Upkeep.stopped_since == device.state_since
    )
    if not any(person_id not in (None, context.actor.person_id) for person_id in context.session.scalars(seen)):
        yield refuse("GD-20.1", "device.repair_unproven", subject=label(device))


def end_expected(context: Context) -> Iterable[Refusal]:
    """GD-14.5: a maintenance pause has an expected end within the days that the pack allows."""
    ends_on = context.params.get("ends_on")
    most = context.pack["maintenance.max_days"]
    if not isinstance(ends_on, date) or not 0 <= (ends_on - context.today).days <= most:
        yield refuse("GD-14.5", "device.pause_end", measured=str(ends_on or "—"), required=most)


def nothing_moved(context: Context) -> Iterable[Refusal]:
    """GD-14.5: place, direction and purpose are those from before the pause."""
    device = context.subject
    if device.active_sha256 != siting_sha256(context.session, device):
        yield refuse("GD-14.5", "device.moved", subject=label(device))


def pause_not_too_long(context: Context) -> Iterable[Refusal]:
    """GD-14.5: a pause longer than the pack allows counts as discontinuation."""
    yield from _not_longer_than(context, context.pack["maintenance.max_days"])


def block_not_too_long(context: Context) -> Iterable[Refusal]:
    """GD-14.5: a block longer than the pack allows ends in discontinuation, not in use."""
    yield from _not_longer_than(context, context.pack["block.max_days"])


def _not_longer_than(context: Context, most_days: int) -> Iterable[Refusal]:
    since = context.subject.state_since
    days = None if since is None else (context.today - context.pack.local_date(since)).days
    if days is None or days > most_days:
        measured = "—" if days is None else str(days)
        yield refuse("GD-14.5", "device.out_too_long", measured=measured, required=most_days)


def _last_seen_sign(context: Context, device: Device) -> date | None:
    return context.session.scalars(
        select(Signage.verified_on)
        .where(Signage.device_id == device.id, Signage.verified_on <= context.today)
        .order_by(Signage.verified_on.desc())
        .limit(1)
    ).first()
