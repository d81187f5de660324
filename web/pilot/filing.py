"""Filing from the desk: checked first, then filed by the pilot and judged by the system like any other filing."""

from __future__ import annotations

from flights.filing import FilingRequest, file_and_judge
from flights.formats import read_plan
from flights.ground import open_ground
from flights.queries import drone_named
from schemas.refusals import Kind, RuleViolation, invalid
from web.identity.request_identity import current_actor, services
from web.pilot.checking import Form, Upload, judged


def file_from_desk(upload: Upload, form: Form) -> str:
    """Files the flight and has the system judge it; gives its public id, or raises RuleViolation with every reason."""
    house = services()
    if not form.inspection:
        raise invalid("inspection.missing", "web.inspection_missing")
    if not form.drone:
        raise invalid("drone.missing", "web.drone_missing")
    with open_ground(house.data_dir) as ground:
        with house.session() as db:
            verdict = judged(db, ground, read_plan(upload.data, upload.name), form, drone_named(db, form.drone))
        # A plan that fails its check is not worth a record; everything that stands against it is told at once.
        if verdict.refusals:
            raise RuleViolation(Kind.CONFLICT, verdict.refusals)
        request = FilingRequest(
            data=upload.data,
            name=upload.name,
            route=verdict.route or form.route,
            inspection=form.inspection,
            drone=form.drone,
            start=form.start,
            end=form.end,
            key=form.key or None,
        )
        return file_and_judge(house.work, current_actor(), request, ground).flight
