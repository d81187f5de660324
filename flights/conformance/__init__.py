"""Whether a flight kept to its route: one pure engine, for the live track and for the record afterwards."""

from flights.conformance.fixes import MAX_SPEED_M_S, Fix, Fixes, Plausibility, implausible
from flights.conformance.judge import ENGINE, Judge, Judged, Thread
from flights.conformance.monitor import Monitor, Standing
from flights.conformance.plane import Course, Plane, Progress
from flights.conformance.reasons import Reason
from flights.conformance.report import Excursion, Interval, Leg, Report, Worst
from flights.conformance.route import RouteShape, Timetable
from flights.conformance.states import STATES, State
from flights.conformance.thresholds import Thresholds

__all__ = [
    "ENGINE",
    "MAX_SPEED_M_S",
    "STATES",
    "Course",
    "Excursion",
    "Fix",
    "Fixes",
    "Interval",
    "Judge",
    "Judged",
    "Leg",
    "Monitor",
    "Plane",
    "Plausibility",
    "Progress",
    "Reason",
    "Report",
    "RouteShape",
    "Standing",
    "State",
    "Thread",
    "Thresholds",
    "Timetable",
    "Worst",
    "implausible",
]
