"""The words of planning: what forms ask for, what a state means, and who goes on next."""

from __future__ import annotations

from collections.abc import Mapping

from web.i18n import gettext
from web.words import N_

KINDS: Mapping[str, str] = {
    "plan": N_("Siting plan"),
    "device": N_("Device"),
    "area": N_("Patrol area"),
    "point": N_("Deployment point"),
}
STATES: Mapping[str, str] = {
    "draft": N_("Draft"),
    "justified": N_("Justified"),
    "in_review": N_("Under review"),
    "submitted": N_("With the approver"),
    "returned": N_("Returned"),
    "approved": N_("Approved"),
    "rejected": N_("Refused"),
    "amended": N_("Replaced by a newer version"),
    "revoked": N_("Revoked"),
    "registered": N_("Registered"),
    "reviewed": N_("Reviewed"),
    "checked": N_("Checked"),
    "published": N_("Announced, not yet in use"),
    "active": N_("In use"),
    "maintenance": N_("Paused for maintenance"),
    "blocked": N_("Stopped by a check"),
    "discontinued": N_("Out of use"),
    "effective": N_("In force"),
    "suspended": N_("Suspended"),
    "retired": N_("Removed"),
}
LOOKS: Mapping[str, str] = {
    "draft": "off",
    "justified": "soon",
    "in_review": "soon",
    "submitted": "soon",
    "registered": "soon",
    "checked": "soon",
    "reviewed": "on",
    "approved": "on",
    "returned": "stop",
    "rejected": "stop",
    "revoked": "stop",
    "published": "soon",
    "active": "on",
    "effective": "on",
    "maintenance": "pause",
    "blocked": "stop",
    "suspended": "stop",
}
# What happens next, by kind and state; the planner goes on where the word stands in MINE.
NEXT: Mapping[tuple[str, str], str] = {
    ("plan", "draft"): N_("Say why these devices are needed"),
    ("plan", "justified"): N_("Choose its two reviewers"),
    ("plan", "in_review"): N_("With the two reviewers and the unit head"),
    ("plan", "submitted"): N_("With the provincial approver"),
    ("plan", "returned"): N_("Read what the reviewers say, and draft it anew"),
    ("plan", "approved"): N_("Register the devices at its sites"),
    ("device", "registered"): N_("With the two reviewers"),
    ("device", "returned"): N_("A review failed: make a new version"),
    ("device", "reviewed"): N_("To be published"),
    ("area", "draft"): N_("Check it against the rules"),
    ("area", "returned"): N_("Read what the unit head says, and draft it anew"),
    ("area", "checked"): N_("With the unit head"),
    ("area", "approved"): N_("To be published"),
    ("point", "draft"): N_("Check it against the rules"),
    ("point", "returned"): N_("Read what the unit head says, and draft it anew"),
    ("point", "checked"): N_("With the unit head"),
    ("point", "approved"): N_("To be published"),
}
MINE = frozenset(
    {
        *(("plan", state) for state in ("draft", "justified", "returned")),
        ("device", "returned"),
        *((kind, state) for kind in ("area", "point") for state in ("draft", "returned")),
    }
)
REASONS: Mapping[str, tuple[str, str]] = {
    "legal_basis": (N_("Legal basis"), N_("Which law or regulation lets you supervise this, with its article.")),
    "publication_plan": (N_("How it will be published"), N_("On which channels people will learn of it, and when.")),
    "technical_rationale": (
        N_("Why here, and why such a device"),
        N_("What it sees from there, and why this kind and number of devices is sound."),
    ),
    "alternatives": (N_("What else was considered"), N_("Milder means, fewer devices, other places; why they fail.")),
    "necessity": (N_("Why it is necessary"), N_("What goes wrong without it.")),
}
NEEDS: Mapping[str, tuple[str, str]] = {
    "risk_evidence": (N_("Evidence of the risk"), N_("Findings, complaints, measurements.")),
    "incidents": (N_("Incidents so far"), N_("How many, since when.")),
    "coverage_gap": (N_("What is not covered today"), N_("The area or the hours that nothing sees.")),
}
ITEMS: Mapping[str, tuple[str, str]] = {
    "necessary_and_not_prohibited": (
        N_("It is necessary, and no prohibition stands against it"),
        N_("The need is shown by facts; no privacy zone and no prohibited place is watched."),
    ),
    "place_lawful_and_marking_clear": (
        N_("The place is lawful and reasonable, the marking clear"),
        N_("Attach a photo or the design of the sign."),
    ),
    "sole_evidence_basis": (
        N_("It was examined whether its evidence may stand alone"),
        N_("Only a law or an administrative regulation may say so; without one, corroboration is required."),
    ),
    "other_legal_matters": (N_("Other matters of law are in order"), N_("Whatever else laws and rules ask for.")),
    "quality_certificate": (
        N_("The product has its quality certificate"),
        N_("Attach the certificate of inspection of the model."),
    ),
    "reliable_and_complete": (
        N_("It is reliable and its functions are complete"),
        N_("Attach the record of the test."),
    ),
    "meets_standards": (N_("It meets the standards"), N_("Name below at least one standard that it meets.")),
}
PLATFORMS: Mapping[str, str] = {
    "fixed": N_("Fixed"),
    "uav": N_("Drone"),
    "ugv": N_("Unmanned vehicle"),
    "usv": N_("Unmanned boat"),
}
PLACE_TYPES: Mapping[str, str] = {
    "open_air": N_("In the open"),
    "building": N_("On or in a building"),
    "hotel_room": N_("Hotel rooms"),
    "dormitory": N_("Dormitory"),
    "public_bathhouse": N_("Public bathhouse"),
    "changing_room": N_("Changing rooms"),
    "toilet": N_("Toilets"),
    "mother_baby_room": N_("Mother-and-baby room"),
    "other": N_("Other private place"),
}
STEPS: Mapping[str, str] = {
    "draft": N_("drafted"),
    "justify": N_("the case for it was given"),
    "start_review": N_("handed to its two reviewers"),
    "record_review": N_("reviewed"),
    "submit": N_("submitted to the approver"),
    "return": N_("returned"),
    "send_back": N_("returned by the unit head"),
    "redraft": N_("drafted anew"),
    "approve": N_("approved"),
    "reject": N_("refused"),
    "replace": N_("replaced by the next version"),
    "revoke": N_("approval taken back"),
    "register": N_("registered"),
    "revise": N_("a new version was made"),
    "review": N_("all its proofs are there"),
    "check": N_("checked against the rules"),
    "publish": N_("published"),
    "take_effect": N_("came into force"),
}


def said(table: Mapping[str, str], code: str) -> str:
    """A code in words; one that has none is told as it is."""
    known = table.get(code)
    return gettext(known) if known else code.replace("_", " ")


def title_and_hint(table: Mapping[str, tuple[str, str]], code: str) -> tuple[str, str]:
    """What a code of the rule pack asks for, and a sentence that explains it; a pack may have codes of its own."""
    known = table.get(code)
    return (gettext(known[0]), gettext(known[1])) if known else (code.replace("_", " "), "")


def asked(table: Mapping[str, tuple[str, str]], codes: list[str]) -> list[tuple[str, str, str]]:
    """The codes of a rule pack with their titles and hints."""
    return [(code, *title_and_hint(table, code)) for code in codes]
