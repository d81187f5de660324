"""What must hold before a zone that somebody asked for is granted or refused (GD-15)."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.tables import ZoneRequest


def decided_by_another(context: Context) -> Iterable[Refusal]:
    """GD-15: whoever asked for a zone does not decide about it."""
    request: ZoneRequest = context.subject
    if request.asked_by_id is not None and request.asked_by_id == context.actor.person_id:
        yield refuse("GD-15", "zone.own_request", subject=label(request))
