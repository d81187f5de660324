"""The words of the registry's desk: states, papers, channels' failures, what is due; in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from geo.wording import placed
from web import words
from web.i18n import current_language, gettext, in_words
from web.words import N_

STATES: Mapping[str, str] = {
    "registered": N_("Registered, not yet reviewed"),
    "reviewed": N_("Reviewed, to be announced"),
    "blocked": N_("Stopped by a check"),
    "draft": N_("Draft"),
    "checked": N_("Checked, to be approved"),
    "approved": N_("Approved, to be announced"),
}
LOOKS: Mapping[str, str] = {"registered": "off", "reviewed": "soon", "approved": "soon", "blocked": "stop"}
KINDS: Mapping[str, str] = {
    "device": N_("Device"),
    "patrol_area": N_("Patrol area"),
    "patrol_route": N_("Patrol route"),
    "deployment_point": N_("Deployment point"),
    "planned_site": N_("Planned site"),
}
PLATFORMS: Mapping[str, str] = {
    "fixed": N_("Fixed"),
    "uav": N_("Drone"),
    "ugv": N_("Ground robot"),
    "usv": N_("Unmanned vessel"),
}
DUE: Mapping[str, str] = {
    "calibration": N_("Calibration"),
    "evaluation": N_("Evaluation"),
    "maintenance": N_("Maintenance"),
    "mark": N_("Mark of the aircraft"),
    "sign": N_("Sign"),
    "end_of_pause": N_("Expected end of the pause"),
    "end_of_stop": N_("Last day to take it back into use"),
    "review": N_("Reviews grow too old"),
}
OUTCOMES: Mapping[str, str] = {
    "keep": N_("Keep it"),
    "adjust_signage": N_("Keep it, have the sign adjusted"),
    "cancel_site": N_("Cancel the site"),
}
TESTS: Mapping[str, str] = {"verification": N_("Verification"), "calibration": N_("Calibration")}
UPKEEP: Mapping[str, str] = {"maintenance": N_("Maintenance"), "repair": N_("Repair")}
INCIDENTS: Mapping[str, str] = {
    "tamper": N_("Tampered with"),
    "moved": N_("Moved"),
    "damaged": N_("Damaged"),
    "jammed": N_("Jammed"),
    "offline": N_("Offline"),
}
REVIEWS = words.REVIEWS
STOPS: Mapping[str, str] = {
    "discontinued": N_("Out of use"),
    "suspended": N_("Suspended"),
    "retired": N_("Removed"),
}
# Why a notice did not get to its channel (web/channels.py and web/delivery.py).
FAILURES: Mapping[str, str] = {
    "timeout": N_("The service did not answer in time (%(detail)s)."),
    "unreachable": N_("The service could not be reached (%(detail)s)."),
    "status": N_("The service answered with the error %(detail)s."),
    "folder": N_("The folder of the channel could not be written (%(detail)s)."),
    "receipt": N_("What came back is no receipt for this notice (%(detail)s)."),
    "receipt_of_other": N_("The receipt belongs to another notice (%(detail)s)."),
    "nobody": N_("Nobody is on record who sent it (%(detail)s)."),
}


def state(code: str) -> str:
    """A state, as staff read it."""
    return told(STATES, code) if code in STATES else words.state(code)


def look(code: str) -> str:
    """The class of the mark that goes with a state."""
    return LOOKS.get(code) or words.look(code)


def told(table: Mapping[str, str], code: str) -> str:
    """The word for a code of one of these tables."""
    known = table.get(code)
    return gettext(known) if known else code.replace("_", " ")


def failure(text: str) -> str:
    """Why something did not get to its channel, from its code and what was said."""
    code, _, detail = text.partition(" ")
    known = FAILURES.get(code)
    return gettext(known, detail=detail or "—") if known else text


def roles(codes: Iterable[str]) -> str:
    """Roles as a list in words."""
    return _listed(words.role(code) for code in codes)


def channels(codes: Iterable[str]) -> str:
    """Channels as a list in words."""
    return _listed(words.channel(code) for code in codes)


def _listed(said: Iterable[str]) -> str:
    return ("、" if current_language() == "zh" else ", ").join(said)


def place(text: str) -> str:
    """The words for a place in the reader's language, where it has both."""
    return in_words(placed(text))


def capital(text: str) -> str:
    """A text that begins a heading."""
    return text[:1].upper() + text[1:]
