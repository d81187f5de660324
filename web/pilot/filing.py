"""Filing from the desk: checked first, filed by the pilot, then judged by the system; three separate commands."""

from __future__ import annotations

from flights.commands import Filing, file_flight, precheck
from flights.formats import read_plan
from flights.ground import open_ground
from flights.queries import drone_named
from schemas.actors import SYSTEM
from schemas.refusals import Kind, RuleViolation, invalid
from schemas.tables import Flight, InspectionPlan, PatrolRoute
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
        with house.work(current_actor()) as work:
            flight = file_flight(
                work,
                Filing(
                    data=upload.data,
                    name=upload.name,
                    route=work.get(PatrolRoute, verdict.route or form.route),
                    inspection=work.get(InspectionPlan, form.inspection),
                    drone=drone_named(work.session, form.drone),
                    start=form.start,
                    end=form.end,
                ),
            )
            public_id = flight.public_id
            work.commit()
        with house.work(SYSTEM) as work:
            precheck(work, work.get(Flight, public_id), ground)
            work.commit()
    return public_id
