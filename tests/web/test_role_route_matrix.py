"""Every route and method against every role: who gets in is written down here, and nowhere else decides (P12, P32)."""

import pytest

from schemas.roles import Role
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.world import PEOPLE

EVERYONE = "everyone"
SIGNED_IN = "signed in"
CHECKERS = {Role.PILOT, Role.PLANNER, Role.OFFICER, Role.UNIT_HEAD}
WATCHERS = {Role.PILOT, Role.UNIT_HEAD, Role.COMMAND_CENTRE}
LABELLERS = {Role.OFFICER, Role.TECHNICAL_REVIEWER}
TEACHING = {*LABELLERS, Role.UNIT_HEAD, Role.SUPERVISOR, Role.DATA_ADMIN}
MATRIX = {
    ("/", "GET"): EVERYONE,
    ("/list", "GET"): EVERYONE,
    ("/search", "GET"): EVERYONE,
    ("/print", "GET"): EVERYONE,
    ("/embed/map", "GET"): EVERYONE,
    ("/embed/<any(device, area, point, route, zone):branch>/<public_id>", "GET"): EVERYONE,
    ("/changes/days.json", "GET"): EVERYONE,
    ("/basemap/tiles.pmtiles", "GET"): EVERYONE,
    ("/rules", "GET"): EVERYONE,
    ("/privacy", "GET"): EVERYONE,
    ("/data", "GET"): EVERYONE,
    ("/flights", "GET"): EVERYONE,
    ("/data/<name>.<kind>", "GET"): EVERYONE,
    ("/<any(device, area, point, route, zone):branch>/<public_id>", "GET"): EVERYONE,
    ("/tiles/<layer>/<z>/<x>/<y>.mvt", "GET"): EVERYONE,
    ("/static/<path:name>", "GET"): EVERYONE,
    ("/account/sign-in", "GET"): EVERYONE,
    ("/account/sign-in", "POST"): EVERYONE,
    ("/account/sign-out", "POST"): SIGNED_IN,
    ("/account", "GET"): SIGNED_IN,
    ("/pilot", "GET"): CHECKERS,
    ("/pilot/check", "POST"): CHECKERS,
    ("/pilot/file", "POST"): {Role.PILOT},
    ("/pilot/survey", "GET"): CHECKERS,
    ("/pilot/survey", "POST"): CHECKERS,
    ("/pilot/survey/draw", "POST"): CHECKERS,
    ("/pilot/survey/file", "POST"): CHECKERS,
    ("/pilot/survey/check", "POST"): CHECKERS,
    ("/pilot/flight/<public_id>", "GET"): {Role.PILOT},
    ("/pilot/air", "GET"): WATCHERS,
    ("/pilot/air.json", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/watch", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/track.json", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/events", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/package.zip", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/order", "POST"): WATCHERS,
    ("/pilot/flight/<public_id>/approval.json", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/approval.html", "GET"): WATCHERS,
    ("/pilot/flight/<public_id>/clear", "POST"): {Role.UNIT_HEAD},
    ("/review", "GET"): {Role.OFFICER},
    ("/review", "POST"): {Role.OFFICER},
    ("/review/<public_id>", "GET"): {Role.OFFICER},
    ("/review/<public_id>", "POST"): {Role.OFFICER},
    ("/review/<public_id>/<any(before, after):side>.png", "GET"): {Role.OFFICER},
    ("/review/<public_id>/tiles/<any(before, after):side>/<drawn>/<int:z>/<int:x>/<int:y>.png", "GET"): {Role.OFFICER},
    ("/review/<public_id>/grow", "POST"): {Role.OFFICER},
    ("/review/<public_id>/everything", "POST"): {Role.OFFICER},
    ("/review/<public_id>/sheet.html", "GET"): {Role.OFFICER},
    ("/review/export", "GET"): {Role.OFFICER},
    ("/review/quarantine", "GET"): {Role.OFFICER},
    ("/review/private", "GET"): {Role.LEGAL_REVIEWER, Role.SUPERVISOR},
    ("/review/private/<public_id>", "POST"): {Role.LEGAL_REVIEWER},
}
MATRIX |= {
    (rule, "GET"): EVERYONE
    for rule in (
        *("/ogc", "/ogc/", "/ogc/conformance", "/ogc/openapi", "/ogc/collections", "/ogc/collections/<name>"),
        "/ogc/collections/<name>/<any(queryables, schema):kind>",
        "/ogc/collections/<name>/items",
        "/ogc/collections/<name>/items/<public_id>",
        "/openapi.json",
        "/tiles/<layer>.json",
    )
}
MATRIX |= {
    ("/models", "GET"): TEACHING,
    ("/models/jobs.json", "GET"): TEACHING,
    ("/models/train", "POST"): {Role.OFFICER, Role.TECHNICAL_REVIEWER, Role.DATA_ADMIN},
    ("/models/<public_id>", "GET"): TEACHING,
    ("/models/<public_id>", "POST"): {Role.UNIT_HEAD, Role.TECHNICAL_REVIEWER, Role.SUPERVISOR},
    ("/models/<public_id>/card.html", "GET"): TEACHING,
    ("/models/label/<scene>", "GET"): LABELLERS,
    ("/models/label/<scene>", "POST"): LABELLERS,
    ("/models/label/<scene>/tiles/<int:z>/<int:x>/<int:y>.png", "GET"): LABELLERS,
    ("/models/ask/<scene>", "GET"): LABELLERS,
    ("/models/ask/<scene>", "POST"): LABELLERS,
    ("/models/ask/<scene>/<job>/<int:number>/<any(near, far):view>.png", "GET"): LABELLERS,
    ("/models/ask/<scene>/changed/<proposal>/<any(before, after):side>.png", "GET"): LABELLERS,
}
MATRIX |= {
    ("/sta/v1.1", "GET"): {Role.OFFICER},
    ("/sta/v1.1/<path:path>", "GET"): {Role.OFFICER},
    ("/sta/v1.1/<path:path>", "POST"): set(),
    ("/sta/heartbeat", "POST"): set(),
    ("/sta/health", "GET"): {Role.COMMAND_CENTRE, Role.OFFICER, Role.UNIT_HEAD},
}
PUBLISHERS = {Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD}
ACTING = {*PUBLISHERS, Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER, Role.COMMAND_CENTRE}
LOOKING = {*ACTING, Role.PROVINCIAL_APPROVER, Role.SUPERVISOR, Role.DATA_ADMIN}
MATRIX |= {
    ("/registry", "GET"): LOOKING,
    ("/registry/devices.csv", "GET"): LOOKING,
    ("/registry/device/<public_id>", "GET"): LOOKING,
    ("/registry/device/<public_id>", "POST"): ACTING,
    ("/registry/device/<public_id>/file/<sha256>", "GET"): LOOKING,
    ("/registry/publication", "GET"): PUBLISHERS,
    ("/registry/publication/<public_id>", "GET"): PUBLISHERS,
    ("/registry/publication/<public_id>", "POST"): PUBLISHERS,
    ("/registry/due", "GET"): LOOKING,
    ("/registry/due.csv", "GET"): LOOKING,
    ("/registry/report", "GET"): LOOKING,
    ("/registry/report", "POST"): PUBLISHERS,
    ("/registry/report.<any(csv, json):form>", "GET"): LOOKING,
    ("/registry/rules", "GET"): LOOKING,
    ("/registry/uses", "GET"): LOOKING,
    ("/registry/contact", "GET"): LOOKING,
    ("/registry/contact", "POST"): {Role.OFFICER, Role.UNIT_HEAD},
    ("/zones", "GET"): LOOKING - {Role.DATA_ADMIN},
    ("/zones/zone/<public_id>", "GET"): {Role.UNIT_HEAD},
    ("/zones/zone/<public_id>", "POST"): {Role.UNIT_HEAD},
    ("/zones/request/<public_id>", "GET"): {Role.UNIT_HEAD},
    ("/zones/request/<public_id>", "POST"): {Role.UNIT_HEAD},
    ("/zone-requests", "GET"): EVERYONE,
    ("/registry/rules", "POST"): {Role.UNIT_HEAD, Role.LEGAL_REVIEWER, Role.PROVINCIAL_APPROVER},
}
ANSWERING = {Role.OFFICER, Role.UNIT_HEAD}
MATRIX |= {
    ("/ask", "GET"): EVERYONE,
    ("/ask", "POST"): EVERYONE,
    ("/ask/status", "GET"): EVERYONE,
    ("/ask/status", "POST"): EVERYONE,
    ("/ask/register", "GET"): EVERYONE,
    ("/zone-requests/new", "GET"): EVERYONE,
    ("/zone-requests/new", "POST"): EVERYONE,
    ("/subscribe", "GET"): EVERYONE,
    ("/subscribe", "POST"): EVERYONE,
    ("/subscribe/confirm/<name>/<token>", "GET"): EVERYONE,
    ("/subscribe/confirm/<name>/<token>", "POST"): EVERYONE,
    ("/subscribe/end/<name>/<token>", "GET"): EVERYONE,
    ("/subscribe/end/<name>/<token>", "POST"): EVERYONE,
    ("/feeds/changes.atom", "GET"): EVERYONE,
    ("/figures", "GET"): EVERYONE,
    ("/ledger", "GET"): EVERYONE,
    ("/ledger/checkpoint", "GET"): EVERYONE,
    ("/ledger/seals.jsonl", "GET"): EVERYONE,
    ("/ledger/verify_proof.py", "GET"): EVERYONE,
    ("/<any(device, area, point, route):branch>/<public_id>/proof.json", "GET"): EVERYONE,
    ("/complaints", "GET"): {*ANSWERING, Role.SUPERVISOR},
    ("/complaints/<public_id>", "GET"): {*ANSWERING, Role.SUPERVISOR},
    ("/complaints/<public_id>", "POST"): ANSWERING,
    ("/complaints/correction", "POST"): ANSWERING,
}
DRAFTERS = {Role.PLANNER, Role.OFFICER}
REVIEWERS = {Role.LEGAL_REVIEWER, Role.TECHNICAL_REVIEWER}
DECIDERS = {*REVIEWERS, Role.UNIT_HEAD, Role.PROVINCIAL_APPROVER}
FILE_READERS = {*DECIDERS, Role.SUPERVISOR}
MATRIX |= {
    (f"/planner{path}", method): DRAFTERS
    for path, methods in {
        "": ("GET",),
        "/attachments/<public_id>": ("GET",),
        "/plans/new": ("GET", "POST"),
        "/plans/import": ("GET", "POST"),
        "/plans/<public_id>": ("GET",),
        "/plans/<public_id>/justify": ("POST",),
        "/plans/<public_id>/hand-over": ("POST",),
        "/plans/<public_id>/change": ("GET", "POST"),
        "/devices/new": ("GET", "POST"),
        "/devices/import": ("GET", "POST"),
        "/devices/<public_id>": ("GET", "POST"),
        "/coverage/compare": ("GET",),
        "/coverage/<public_id>/siting": ("GET", "POST"),
        "/siting": ("GET",),
        "/siting/<public_id>": ("GET",),
        "/siting/<public_id>/progress": ("GET",),
        "/siting/<public_id>/plan": ("POST",),
        "/siting/<public_id>/stop": ("POST",),
        "/siting/<public_id>/again": ("POST",),
        "/siting/<public_id>/remove": ("POST",),
        "/coverage/<public_id>/report": ("GET",),
        "/coverage/<public_id>/report.pdf": ("GET",),
        "/coverage": ("GET",),
        "/coverage/new": ("GET", "POST"),
        "/coverage/<public_id>": ("GET",),
        "/coverage/<public_id>/progress": ("GET",),
        "/coverage/<public_id>/devices.json": ("GET",),
        "/coverage/<public_id>/export/<form>": ("GET",),
        "/coverage/<public_id>/tiles/<layer>/<z>/<x>/<y>.mvt": ("GET",),
        **{
            f"/coverage/<public_id>/{step}": ("POST",)
            for step in ("what-if", "keep", "rename", "copy", "again", "remove")
        },
        "/uses": ("GET",),
        "/uses/<public_id>": ("GET", "POST"),
        "/<any(areas, points):kind>/new": ("GET", "POST"),
        "/<any(areas, points):kind>/import": ("GET", "POST"),
        "/<any(areas, points):kind>/<public_id>": ("GET", "POST"),
        "/<any(areas, points):kind>/<public_id>/check": ("POST",),
    }.items()
    for method in methods
}
COORDINATING = {*DRAFTERS, Role.UNIT_HEAD, Role.COMMAND_CENTRE, Role.PROVINCIAL_APPROVER, Role.SUPERVISOR}
MATRIX |= {
    ("/planner/coordinated", "GET"): COORDINATING,
    ("/planner/coordinated/report.<any(html, pdf, csv):form>", "GET"): COORDINATING,
}
MATRIX |= {
    ("/reviews", "GET"): FILE_READERS,
    ("/reviews/attachments/<public_id>", "GET"): FILE_READERS,
    ("/reviews/plans/<public_id>", "GET"): FILE_READERS,
    ("/reviews/plans/<public_id>/submit", "POST"): {Role.UNIT_HEAD},
    ("/reviews/plans/<public_id>/return", "POST"): DECIDERS,
    ("/reviews/plans/<public_id>/decide", "POST"): {Role.PROVINCIAL_APPROVER},
    ("/reviews/plans/<public_id>/revoke", "POST"): {Role.PROVINCIAL_APPROVER, Role.SUPERVISOR},
    ("/reviews/sites/<public_id>/<any(legal, technical):kind>", "GET"): REVIEWERS,
    ("/reviews/sites/<public_id>/<any(legal, technical):kind>", "POST"): REVIEWERS,
    ("/reviews/devices/<public_id>/<any(legal, technical):kind>", "GET"): REVIEWERS,
    ("/reviews/devices/<public_id>/<any(legal, technical):kind>", "POST"): REVIEWERS,
    ("/reviews/<any(areas, points):kind>/<public_id>", "GET"): FILE_READERS,
    ("/reviews/<any(areas, points):kind>/<public_id>", "POST"): {Role.UNIT_HEAD},
}
SAMPLES = {
    "devices/<public_id>/<any(legal, technical):kind>": "devices/DV-NONE/legal",
    "<any(legal, technical):kind>": "legal",
    "<any(areas, points):kind>": "areas",
    "<sha256>": "0" * 64,
    "<any(csv, json):form>": "csv",
    "<any(html, pdf, csv):form>": "csv",
    "<path:path>": "Things",
    "<scene>": "SC-NONE",
    "<job>": "LJ-NONE",
    "<int:number>": "0",
    "<any(near, far):view>": "near",
    "<int:z>/<int:x>/<int:y>.png": "1/1/1.png",
    "<name>.<kind>": "devices.geojson",
    "/ogc/collections/<name>": "/ogc/collections/devices",
    "<any(queryables, schema):kind>": "schema",
    "/tiles/<layer>.json": "/tiles/devices.json",
    "<any(device, area, point, route, zone):branch>": "device",
    "<any(device, area, point, route):branch>": "device",
    "<public_id>": "DV-DV1",
    "<layer>/<z>/<x>/<y>.mvt": "clusters/1/1/1.mvt",
    "<path:name>": "mark.svg",
    "<any(before, after):side>": "after",
    "<drawn>/<int:z>/<int:x>/<int:y>.png": "true_colour/1/1/1.png",
}
PERSON_OF = {Role(role): code for code, role in reversed(PEOPLE.items())} | {Role.PROVINCIAL_APPROVER: "P1"}
# Signing out ends the session that the other cells of this table use.
LEFT_OUT = {("/account/sign-out", "POST")}
# What says nothing is refused for that, and for no want of a permission: a form without a field, a link without a name.
SAYS_NOTHING = {
    *((path, "POST") for path in ("/account/sign-in", "/ask", "/ask/status", "/zone-requests/new", "/subscribe")),
    # What is not sealed yet has no proof.
    ("/ledger/checkpoint", "GET"),
    # A file of the operator's own, where one is configured.
    ("/basemap/tiles.pmtiles", "GET"),
    ("/<any(device, area, point, route):branch>/<public_id>/proof.json", "GET"),
    *((f"/subscribe/{step}/<name>/<token>", way) for step in ("confirm", "end") for way in ("GET", "POST")),
}


def path_of(rule):
    for placeholder, sample in SAMPLES.items():
        rule = rule.replace(placeholder, sample)
    return rule


def test_matrix__covers_every_route_and_method(shared_app):
    declared = {(rule, method) for (rule, _), needs in shared_app.needs.items() for method in needs.methods}
    assert declared == set(MATRIX)


@pytest.mark.parametrize("cell", sorted(MATRIX.keys() - LEFT_OUT), ids=str)
def test_route__for_nobody__is_open_or_asks_to_sign_in(reader, cell):
    rule, method = cell
    status = reader.open(path_of(rule), method=method, headers={**SAME_ORIGIN, **HTML}).status_code
    if MATRIX[cell] == EVERYONE:
        # A browser at an address for programs is shown the way to the page.
        assert (status in (200, 303, 304)) or cell in SAYS_NOTHING
    else:
        assert status == 401


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.PUBLIC])
def test_routes__for_a_role__exactly_what_is_written(reading_as, role):
    client = reading_as(PERSON_OF[role])
    for (rule, method), allowed in MATRIX.items():
        if (rule, method) in LEFT_OUT or rule == "/account/sign-in":
            continue
        status = client.open(path_of(rule), method=method, headers={**SAME_ORIGIN, **HTML}).status_code
        forbidden = allowed not in (EVERYONE, SIGNED_IN) and role not in allowed
        assert (status == 403) == forbidden, (rule, method, status)
        assert status != 401
        assert status < 500
