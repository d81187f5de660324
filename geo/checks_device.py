"""What must hold before a device is reviewed, used, paused and used again (GD-09 to GD-22)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from geo import queries, shapes, zones
from geo.checks_common import siting_plan_refusals
from geo.content import siting_sha256
from geo.footprint import sector
from geo.periods import months_after
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.tables import Device, DeviceReview, DeviceSite, Signage
from schemas.words import Coded

REVIEW_KINDS = ("legal", "technical")


def reviewer(kind: str) -> Coded:
    """Who makes a review of that kind, as refusals tell it."""
    return Coded("role", [f"{kind}_reviewer"])


def secret_is_documented(context: Context) -> Iterable[Refusal]:
    """GD-14.6: a secret device names the document that classifies it."""
    if context.subject.secret and not (context.subject.secret_document or "").strip():
        yield refuse("GD-14.6", "device.secret_undocumented")


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
    """GD-09.2: the site stands in a siting plan approved at the level that the pack names."""
    yield from siting_plan_refusals(context, "GD-09.2", _site(context, context.subject).siting_plan_id)


def both_reviews_passed(context: Context) -> Iterable[Refusal]:
    """GD-10.3: the latest legal review and the latest technical review both passed."""
    for kind in REVIEW_KINDS:
        review = _latest_review(context, kind)
        if review is None or not review.passed:
            text = "device.review_missing" if review is None else "device.review_failed"
            yield refuse("GD-10.3", text, reviewer=reviewer(kind))


def reviews_recent(context: Context) -> Iterable[Refusal]:
    """GD-10.3: both reviews passed, and neither is older than the pack allows."""
    yield from both_reviews_passed(context)
    for kind in REVIEW_KINDS:
        review = _latest_review(context, kind)
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
    site = _site(context, context.subject)
    if site.place_type in context.pack["privacy.prohibited_place_types"]:
        yield refuse("GD-15", "device.private_place_type", measured=Coded("place", [site.place_type]))
    buffer_m = context.pack["privacy.buffer_m"]
    for shape, text in _watched(context.subject, site):
        near = queries.zones_near(context.session, shape, context.now, extra_buffer_m=buffer_m)
        for hit in zones.hits(shape, near, extra_buffer_m=buffer_m):
            measured = f"{hit.distance_m:.0f} m"
            yield refuse("GD-15", text, zone=hit.zone.public_id, measured=measured, place=hit.place)


def _watched(device: Device, site: DeviceSite) -> Iterable[tuple[BaseGeometry, str]]:
    at = shapes.lon_lat(site.geom)
    yield Point(at), "device.in_zone"
    if device.sector_azimuth_deg is not None and device.hfov_deg and device.range_m:
        seen = sector(at, device.sector_azimuth_deg, device.hfov_deg, device.range_m)
        yield seen, "device.sees_zone"


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


def _site(context: Context, device: Device) -> DeviceSite:
    return device.site or context.session.get_one(DeviceSite, device.site_id)


def _latest_review(context: Context, kind: str) -> DeviceReview | None:
    return context.session.scalars(
        select(DeviceReview)
        .where(DeviceReview.device_id == context.subject.id, DeviceReview.kind == kind)
        .order_by(DeviceReview.reviewed_on.desc(), DeviceReview.recorded_at.desc())
        .limit(1)
    ).first()


def _last_seen_sign(context: Context, device: Device) -> date | None:
    return context.session.scalars(
        select(Signage.verified_on)
        .where(Signage.device_id == device.id, Signage.verified_on <= context.today)
        .order_by(Signage.verified_on.desc())
        .limit(1)
    ).first()
