"""What must hold before one authority uses a device of another (GD-18.1, LF-7, S03)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from geo.periods import months_after
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.roles import Role
from schemas.tables import Device, DeviceGrant

FIELDS = ("live", "records", "readings")


def device_of_another(context: Context) -> Iterable[Refusal]:
    """GD-18.1: the device is another authority's, stands in the register, and may be known of."""
    grant: DeviceGrant = context.subject
    device = _device(context)
    if device.authority_id == grant.authority_id:
        yield refuse("GD-18.1", "share.own_device", subject=label(device))
    if device.secret or device.state in ("retired", "discontinued"):
        yield refuse("GD-18.1", "share.no_device", subject=label(device))


def not_asked_already(context: Context) -> Iterable[Refusal]:
    """GD-18.1: the same authority does not wait for an answer about the same device and item already."""
    grant: DeviceGrant = context.subject
    same = select(DeviceGrant.public_id).where(
        DeviceGrant.device_id == grant.device_id,
        DeviceGrant.authority_id == grant.authority_id,
        DeviceGrant.item_id == grant.item_id,
        DeviceGrant.state == "requested",
    )
    waiting = context.session.scalars(same.limit(1)).first()
    if waiting is not None:
        yield refuse("GD-18.1", "share.asked_already", measured=waiting)


def period_not_too_long(context: Context) -> Iterable[Refusal]:
    """GD-18.1: a grant has an end, and no later one than a plan of inspection may have."""
    grant: DeviceGrant = context.subject
    latest = months_after(grant.valid_from, context.pack["inspection_plan.max_months"])
    if not grant.valid_from <= grant.valid_to < latest:
        measured = f"{grant.valid_from} - {grant.valid_to}"
        yield refuse("GD-18.1", "share.period", measured=measured, required=context.pack["inspection_plan.max_months"])
    yield from period_not_over(context)


def period_not_over(context: Context) -> Iterable[Refusal]:
    """GD-18.1: what is granted is not over yet."""
    if context.subject.valid_to < context.today:
        yield refuse("GD-18.1", "share.over", subject=label(context.subject), measured=str(context.subject.valid_to))


def period_over(context: Context) -> Iterable[Refusal]:
    """GD-18.1: a grant ends by itself after its last day, and not before."""
    if context.subject.valid_to >= context.today:
        yield refuse(
            "GD-18.1", "share.not_over", subject=label(context.subject), measured=str(context.subject.valid_to)
        )


def purpose_named(context: Context) -> Iterable[Refusal]:
    """GD-18.1: it says for what, under which item and article, and only which fields."""
    grant: DeviceGrant = context.subject
    if not (grant.purpose_en.strip() and grant.purpose_zh.strip()):
        yield refuse("GD-18.1", "share.no_purpose")
    if grant.item_id is None or grant.legal_basis_id is None:
        yield refuse("GD-18.1", "share.no_basis")
    if not grant.fields or not set(grant.fields) <= set(FIELDS) or len(set(grant.fields)) < len(grant.fields):
        yield refuse(
            "GD-18.1", "share.fields", measured=", ".join(grant.fields)[:60] or "—", required=", ".join(FIELDS)
        )


def decided_by_the_owner(context: Context) -> Iterable[Refusal]:
    """GD-18.1: the unit head of the device's own authority decides, and nobody about what they asked for."""
    grant: DeviceGrant = context.subject
    device = _device(context)
    if not context.actor.has(Role.UNIT_HEAD, device.authority_id):
        yield refuse("GD-18.1", "share.not_the_owner", subject=label(device))
    if grant.asked_by_id is not None and grant.asked_by_id == context.actor.person_id:
        yield refuse("GD-18.1", "share.own_request", subject=label(grant))


def _device(context: Context) -> Device:
    grant: DeviceGrant = context.subject
    return grant.device or context.session.get_one(Device, grant.device_id)
