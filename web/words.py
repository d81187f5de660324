"""The words for the codes that the database holds: kinds, states, roles, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.refusals import LANGUAGES
from web.i18n import catalogue, gettext


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


DEVICE_TYPES: Mapping[str, str] = {
    "video": N_("Camera"),
    "radar": N_("Radar"),
    "water_quality": N_("Water quality sensor"),
    "air": N_("Air quality sensor"),
    "noise": N_("Noise meter"),
    "satellite_ref": N_("Satellite reference point"),
    "drone": N_("Drone"),
}
LAYERS: Mapping[str, str] = {
    "devices": N_("Monitoring devices"),
    "patrol_areas": N_("Patrol areas"),
    "deployment_points": N_("Deployment points"),
    "patrol_routes": N_("Patrol routes"),
    "privacy_zones": N_("Privacy zones"),
}
STATES: Mapping[str, str] = {
    "active": N_("In use"),
    "effective": N_("In force"),
    "in_notice_period": N_("Announced, not yet in use"),
    "published": N_("Announced, not yet in use"),
    "out_of_use": N_("Stopped by a check"),
    "maintenance": N_("Paused for maintenance"),
    "suspended": N_("Suspended"),
    "discontinued": N_("Out of use"),
    "retired": N_("Removed"),
    "filed": N_("Filed"),
    "precheck_failed": N_("Refused by the check"),
    "precheck_passed": N_("Passed the check"),
    "airspace_pending": N_("Waits for airspace clearance"),
    "cleared": N_("Cleared to fly"),
    "uploaded": N_("Mission on the aircraft"),
    "airborne": N_("Flying"),
    "landed": N_("Landed"),
    "ingested": N_("Imagery taken in"),
    "closed": N_("Closed"),
    "aborted": N_("Aborted"),
    "cancelled": N_("Cancelled"),
    "new": N_("New"),
    "assigned": N_("Waits for review"),
    "confirmed": N_("Accepted as a lead"),
    "false_alarm": N_("Rejected"),
    "inconclusive": N_("Left undecided"),
    "split": N_("Cut into parts"),
    "merged": N_("Joined to one"),
    "withdrawn": N_("Taken back"),
}
MODEL_STATES: Mapping[str, str] = {
    "trained": N_("Trained, waits for approval"),
    "approved": N_("Approved"),
    "refused": N_("Refused"),
    "withdrawn": N_("Taken out of use"),
}
# How a state looks: the class of its mark (symbols.css), the same on page and map.
LOOKS: Mapping[str, str] = {
    "active": "on",
    "effective": "on",
    "cleared": "on",
    "closed": "on",
    "confirmed": "on",
    "in_notice_period": "soon",
    "published": "soon",
    "filed": "soon",
    "precheck_passed": "soon",
    "airspace_pending": "soon",
    "assigned": "soon",
    "maintenance": "pause",
    "uploaded": "pause",
    "airborne": "pause",
    "landed": "pause",
    "ingested": "pause",
    "inconclusive": "pause",
    "trained": "soon",
    "approved": "on",
    "refused": "stop",
    "out_of_use": "stop",
    "suspended": "stop",
    "precheck_failed": "stop",
    "aborted": "stop",
}
ZONE_KINDS: Mapping[str, str] = {
    "hotel_room": N_("Hotel rooms"),
    "dormitory": N_("Dormitory"),
    "public_bathhouse": N_("Public bathhouse"),
    "changing_room": N_("Changing rooms"),
    "toilet": N_("Toilets"),
    "mother_baby_room": N_("Mother-and-baby room"),
    "requested": N_("Requested by residents"),
    "other": N_("Other private place"),
}
FINDINGS: Mapping[str, str] = {
    "excavation": N_("Possible excavation"),
    "building": N_("Possible new building"),
    "burn_scar": N_("Possible open burning"),
    "open_flame": N_("Possible open fire"),
    "smoke_plume": N_("Possible smoke of a fire"),
    "discoloured_water": N_("Possible discoloured discharge"),
    "vegetation_loss": N_("Possible loss of vegetation"),
    "bare_soil": N_("Possible bare soil"),
    "solid_waste": N_("Possible dumping"),
    "air_exceedance": N_("Air beyond a limit"),
    "water_exceedance": N_("Water beyond a limit"),
    "noise_exceedance": N_("Noise beyond a limit"),
    "land_conversion": N_("Possible conversion of farmland"),
    "algal_bloom": N_("Possible bloom of algae"),
    "black_water": N_("Possible black water"),
}
ROLES: Mapping[str, str] = {
    "pilot": N_("Drone pilot"),
    "unit_head": N_("Unit head"),
    "legal_reviewer": N_("Legal reviewer"),
    "technical_reviewer": N_("Technical reviewer"),
    "provincial_approver": N_("Provincial approver"),
    "officer": N_("Enforcement officer"),
    "party": N_("Party"),
    "public": N_("Public"),
    "planner": N_("Planner"),
    "command_centre": N_("Command centre"),
    "data_admin": N_("Data administrator"),
    "supervisor": N_("Supervisor"),
}
CHANNELS: Mapping[str, str] = {
    "official_disclosure": N_("Official disclosure platform"),
    "platform_map": N_("This map"),
    "feed": N_("News feed"),
    "notice_board": N_("Notice board"),
    "media": N_("Local media"),
}
REVIEWS: Mapping[str, str] = {"legal": N_("Legal review"), "technical": N_("Technical review")}
QUALITIES: Mapping[str, str] = {
    "valid": N_("Valid"),
    "suspect": N_("Suspect"),
    "invalid": N_("Invalid"),
}
SENSORS: Mapping[str, str] = {
    "uav": N_("Drone"),
    "satellite": N_("Satellite"),
    "aerial": N_("Aerial survey"),
    "station": N_("Measuring station"),
}


def device_type(code: str) -> str:
    """What kind of device it is."""
    return _said(DEVICE_TYPES, code)


def layer(code: str) -> str:
    """The name of a public layer."""
    return _said(LAYERS, code)


# ASTM F3548-21 names the states; here they are said for whoever watches a flight.
CONFORMANCE: Mapping[str, str] = {
    "accepted": N_("Not yet flying"),
    "activated": N_("As published"),
    "nonconforming": N_("Off its route"),
    "contingent": N_("Not coming back to its route"),
    "ended": N_("Ended"),
}
FLIGHT_EVENTS: Mapping[str, str] = {
    "step": N_("Step"),
    "position": N_("Position"),
    "conformance": N_("Route"),
    "gap": N_("Gap"),
    "order": N_("Order"),
    "ack": N_("Answer"),
    "text": N_("Aircraft"),
    "link": N_("Link"),
    "override": N_("Pilot"),
    "remote_id": N_("Remote ID"),
    "photo": N_("Photo"),
}
FLIGHT_STEPS: Mapping[str, str] = {
    "permitted": N_("every rule allows it"),
    "connected": N_("connected"),
    "prepared": N_("mission and fence are on board and read back"),
    "ready": N_("the aircraft is ready"),
    "airborne": N_("armed; the mission starts"),
    "resumed": N_("taken up again; nobody followed it meanwhile"),
    "ended": N_("ended"),
}
# What the watching policy did (flights/contingency.py), and why.
LADDER: Mapping[str, str] = {
    "notify": N_("Told"),
    "pause": N_("Stopped in the air"),
    "return": N_("Called home"),
    "land": N_("Ordered down where it is"),
}
CAUSES: Mapping[str, str] = {
    "operator": N_("by order"),
    "nonconforming": N_("off its route"),
    "zone": N_("near a privacy zone"),
    "fence": N_("through its fence"),
    "link": N_("no word from it"),
    "battery": N_("battery"),
    "overdue": N_("takes too long"),
    "held": N_("held too long"),
    "unheard": N_("does not obey"),
    "pilot": N_("the pilot flies it"),
    "mission": N_("another mission on board"),
}
ORDER_OUTCOMES: Mapping[str, str] = {
    "taken": N_("taken"),
    "waits": N_("waits for the line"),
    "done": N_("done"),
    "refused": N_("refused"),
    "expired": N_("came too late"),
    "unreachable": N_("not reached"),
    "lost": N_("lost"),
}
HANDS: Mapping[str, str] = {
    "true": N_("The pilot has taken over"),
    "false": N_("The pilot has given it back"),
}
LINES: Mapping[str, str] = {
    "stale": N_("Reports are late: %(n)s s"),
    "loss": N_("No report for %(n)s s"),
    "lost": N_("Nothing heard for %(n)s s"),
    "back": N_("Heard again after %(n)s s"),
    "needs_person": N_("It should be down by now: somebody has to look"),
    "unreachable": N_("Cannot be reached yet"),
    "alarm": N_("Frames that are not its own, or forged: %(n)s"),
    "implausible": N_("Places that cannot be, not used: %(n)s"),
    "clock": N_("Its clock is not believed: %(n)s s off"),
}
# How what an aircraft says of itself stands to what the register and its telemetry say (flights/remote_id/register.py).
REMOTE_ID_STATES: Mapping[str, str] = {
    "absent": N_("Nothing heard"),
    "unknown": N_("Heard, nothing to compare it with"),
    "match": N_("Is the registered aircraft"),
    "mismatch": N_("Does not fit this aircraft"),
    "silent": N_("Has fallen silent"),
}
REMOTE_ID_DETAILS: Mapping[str, str] = {
    "absent": N_("No Remote ID has been heard. None of the rules that apply here asks for one."),
    "unknown": N_("Neither a serial number nor a mark that the register knows of this aircraft."),
    "silent": N_("Nothing has come for a while, though the aircraft itself is heard."),
}
REMOTE_ID_REASONS: Mapping[str, str] = {
    "serial_number": N_("another serial number"),
    "registration": N_("another registration mark"),
    "position": N_("another place"),
    "time": N_("another time"),
}
REMOTE_ID_KINDS: Mapping[str, str] = {
    "serial_number": N_("Serial number"),
    "registration": N_("Registration mark"),
    "utm_uuid": N_("Number of the flight"),
    "session": N_("Number of the session"),
    "none": N_("Kind not told"),
}
REMOTE_ID_STATUSES: Mapping[str, str] = {
    "undeclared": N_("not told"),
    "ground": N_("on the ground"),
    "airborne": N_("in the air"),
    "emergency": N_("emergency"),
    "identification_failed": N_("identification failed"),
}
ORDERS: Mapping[str, str] = {
    "fly": N_("Take off"),
    "pause": N_("Pause"),
    "continue": N_("Go on"),
    "return": N_("Return home"),
    "land": N_("Land here"),
    "abort": N_("Abort"),
}


def state(code: str) -> str:
    """A state in plain words."""
    return _said(STATES, code)


def model_state(code: str) -> str:
    """Whether a model may be used, in plain words."""
    return _said(MODEL_STATES, code)


def look(code: str) -> str:
    """The class of the mark that goes with a state: on, soon, pause, stop or off."""
    return LOOKS.get(code, "off")


def zone_kind(code: str) -> str:
    """What a privacy zone protects."""
    return _said(ZONE_KINDS, code)


def finding(code: str) -> str:
    """What the machine proposes; always "possible" until an officer has decided."""
    return _said(FINDINGS, code)


def role(code: str) -> str:
    """A role in plain words."""
    return _said(ROLES, code)


def sensor(code: str) -> str:
    """What took an image."""
    return _said(SENSORS, code)


def quality(code: str) -> str:
    """How far a reading is trusted."""
    return _said(QUALITIES, code)


def channel(code: str) -> str:
    """A way of publishing."""
    return _said(CHANNELS, code)


def conformance(code: str) -> str:
    """Whether a flight keeps to its route (ASTM F3548), in plain words."""
    return _said(CONFORMANCE, code)


def flight_event(code: str) -> str:
    """What kind of thing happened during a flight."""
    return _said(FLIGHT_EVENTS, code)


def remote_id_state(code: str) -> str:
    """How the Remote ID of an aircraft stands, in plain words."""
    return _said(REMOTE_ID_STATES, code)


def order(code: str) -> str:
    """What somebody wants of a flight in progress."""
    return _said(ORDERS, code)


def _said(table: Mapping[str, str], code: str) -> str:
    known = table.get(code)
    return gettext(known) if known else code.replace("_", " ")


def in_both(table: Mapping[str, str], code: str) -> dict[str, str]:
    """A word in both languages at once, for data that leaves the house."""
    english = table.get(code, code.replace("_", " "))
    return {lang: catalogue(lang).gettext(english) for lang in LANGUAGES}
