"""What must hold before readings become a finding: the device in use, its instrument calibrated, the window sound."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from schemas.machine import Context, Guard
from schemas.refusals import Refusal, refuse
from schemas.rules.readings import ReadingLimit
from schemas.tables import Device, Exceedance


def _of(context: Context) -> tuple[Exceedance, Device]:
    beyond: Exceedance = context.params["exceedance"]
    return beyond, context.session.get_one(Device, beyond.device_id)


def device_in_use(context: Context) -> Iterable[Refusal]:
    """GD-14.2: the device is in use, has been since the window began, and is shown where it must be (GD-14.6)."""
    beyond, device = _of(context)
    if device.state != "active":
        yield refuse("GD-14.2", "reading.not_in_use", measured=device.state, name=device.public_id)
        return
    since = _since(context, device)
    if since is None or since > beyond.window_from:
        told = since.isoformat(timespec="minutes") if since else "—"
        yield refuse("GD-14.2", "reading.before_use", measured=told, required=beyond.window_from.isoformat())
    if not beyond.publication_ids and not device.secret:
        yield refuse("GD-14.2", "reading.unpublished", name=device.public_id)


def _since(context: Context, device: Device) -> datetime | None:
    if device.state_since is not None or device.activated_on is None:
        return device.state_since
    return datetime.combine(device.activated_on, time(), context.pack.zone)


def instrument_calibrated(context: Context) -> Iterable[Refusal]:
    """GD-22.2: it is an instrument, and a test that it passed holds to the end of the window and today."""
    beyond, device = _of(context)
    last = context.pack.local_date(beyond.window_until - timedelta(microseconds=1))
    valid_to = device.calibration_valid_to
    if not device.is_measuring_instrument:
        yield refuse("GD-22.2", "reading.no_instrument", name=device.public_id)
    elif beyond.calibration_id is None or valid_to is None or valid_to < last:
        told = valid_to.isoformat() if valid_to else "—"
        yield refuse(
            "GD-22.2", "reading.not_calibrated", measured=told, required=last.isoformat(), name=device.public_id
        )


def window_sound(context: Context) -> Iterable[Refusal]:
    """GD-36.1: the window has ended, and enough of it was observed."""
    beyond, _ = _of(context)
    limit: ReadingLimit = context.params["limit"]
    if beyond.window_until > context.now:
        yield refuse("GD-36.1", "reading.not_ended", required=beyond.window_until.isoformat())
    if beyond.valid_share < limit.least_valid:
        measured, required = f"{beyond.valid_share:.0%}", f"{limit.least_valid:.0%}"
        yield refuse("GD-36.1", "reading.too_few", measured=measured, required=required)


GUARDS: dict[str, Guard] = {
    "GD-14.2:device_in_use": device_in_use,
    "GD-22.2:instrument_calibrated": instrument_calibrated,
    "GD-36.1:window_sound": window_sound,
}
