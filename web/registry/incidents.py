"""Incidents at the page of a device: one is reported, and those of a device in use are answered (GD-20.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shapely.geometry import Point

from geo import commands
from geo.commands.incidents import INCIDENTS, OTHER_PLACE, OTHER_VIEW, open_incidents
from schemas.store.work import Work
from schemas.tables import Device, Incident
from web.i18n import gettext, weekday
from web.registry import words
from web.registry.steps import Field, Step, moment_of, number_of, one_of, text_of, unreadable
from web.words import N_

# What a device that moved says of itself.
_OF_ITSELF: Mapping[str, str] = {
    OTHER_VIEW: N_("Its picture shows another view than before."),
    OTHER_PLACE: N_("It tells of another place than its own."),
}


def told(row: Incident) -> str:
    """What was seen: a person's words as they are, those of a device in the reader's language."""
    return row.text if row.reported_by else gettext(_OF_ITSELF.get(row.text, row.text))


def steps_of(work: Work, device: Device, mine: bool) -> list[Step]:
    """Answers to what is open, and a new incident."""
    return [*(_answer(row, mine) for row in open_incidents(work.session, device)), _report(mine)]


def _answer(row: Incident, mine: bool) -> Step:
    kind = words.told(words.INCIDENTS, row.kind)
    return Step(
        name="answer",
        title=gettext("Answer the incident: %(what)s, %(day)s", what=kind, day=weekday(row.observed_at)),
        button=gettext("Record what was found"),
        mine=mine,
        fields=(Field("text", gettext("What was found"), "area", most=1_000, hint=told(row)),),
        follows=gettext(
            "It is then no longer open, and the next picture is what later ones are compared with. Where somebody"
            " tampered with the device, report that instead."
        ),
        hidden={"kind": row.public_id},
    )


def _report(mine: bool) -> Step:
    kinds = tuple((code, words.told(words.INCIDENTS, code)) for code in INCIDENTS)
    return Step(
        name="incident",
        title=gettext("Something happened to it"),
        button=gettext("Report it"),
        mine=mine,
        fields=(
            Field("kind", gettext("What happened"), "select", options=kinds),
            Field("text", gettext("What was seen"), "area", most=1_000),
            Field(
                "at", gettext("When it was seen"), "moment", required=False, hint=gettext("now, where nothing is given")
            ),
            Field("lon", gettext("Found at longitude"), "number", required=False, hint="113.26000"),
            Field("lat", gettext("Found at latitude"), "number", required=False, hint="23.13000"),
        ),
        follows=gettext("Tampering, damage, jamming or too great a shift stop the device within a minute."),
    )


def _do_report(work: Work, device: Device) -> None:
    lon, lat = number_of("lon", -180, 180), number_of("lat", -90, 90)
    if (lon is None) != (lat is None):
        raise unreadable("lon, lat", "—", "113.26000, 23.13000")
    commands.report_incident(
        work,
        device,
        kind=one_of("kind", INCIDENTS),
        text=text_of("text"),
        observed_at=moment_of("at") if text_of("at") else None,
        seen_at=None if lon is None or lat is None else Point(lon, lat),
    )


def _do_answer(work: Work, device: Device) -> None:
    commands.answer_incident(work, device, text_of("kind", 40), text_of("text"))


COMMANDS: Mapping[str, Callable[[Work, Device], None]] = {"incident": _do_report, "answer": _do_answer}
