"""The command that switches an overlay of rules for an authority (G-42)."""

from __future__ import annotations

from geo.commands.common import role_missing
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid, not_found
from schemas.roles import Role
from schemas.store.overlays import switched_on
from schemas.store.work import Work
from schemas.tables import Authority, OverlaySwitch
from schemas.words import Coded

_DECIDE = (Role.UNIT_HEAD, Role.LEGAL_REVIEWER, Role.PROVINCIAL_APPROVER)


def switch_overlay(work: Work, authority: Authority, overlay: str, *, on: bool, reason: str) -> OverlaySwitch:
    """Puts an overlay into force for an authority, or takes it out, by the authority's own decision."""
    if not any(work.actor.has(role, authority.id) for role in _DECIDE):
        raise role_missing(Coded("subject", ["authority"], f" {authority.code}"), "switch_rules", _DECIDE)
    known = ", ".join(each.id for each in work.rulebook.overlays)
    if overlay not in {each.id for each in work.rulebook.overlays}:
        raise not_found("GD-02.1", "rules.no_overlay", measured=overlay, required=known)
    if not reason.strip():
        raise invalid("state.reason", "machine.reason")
    if (overlay in switched_on(work.session, authority.id)) is on:
        raise conflict("GD-02.1", "rules.overlay_already", measured=overlay)
    row = OverlaySwitch(
        id=new_id(),
        public_id=public_id("OS"),
        authority_id=authority.id,
        overlay=overlay,
        is_on=on,
        reason=reason,
        decided_by=work.actor.person_id,
    )
    work.session.add(row)
    work.record("rules.switch", "authority", authority.id, {"overlay": overlay, "on": on, "reason": reason})
    return row
