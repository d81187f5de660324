"""What is due for devices, and the annual report: lists with their deadlines, a sheet to print, files to take along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Response, json, make_response, redirect, render_template, request

from geo import commands
from geo import due as dues
from geo.commands.reports import report_document, reports_of, to_submit
from schemas.refusals import RuleViolation, not_found
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import AnnualReport, Authority
from web.errors import wants_page
from web.i18n import current_language, days_left, gettext, in_words, ngettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.registry import words
from web.registry.listing import csv_line
from web.registry.reach import Office, below, offices, own
from web.registry.rules_of import rules_of
from web.registry.steps import day_of, one_of, text_of, typed, unreadable

section = Section("registry_duties", __name__, Audience.REGISTRY)

# Within how many days; 0 shows what is overdue alone.
CHOICES = (0, 7, 30, 90, 365)
FIRST_YEAR = 2000


@dataclass(frozen=True)
class _Place:
    """Whose pages these are, and the rules that hold there."""

    office: Office
    within: list[Office]
    authority: Authority
    pack: RulePack


def _place(work: Work) -> _Place:
    actor = current_actor()
    mine = own(actor, Permission.READ_REGISTRY)
    within = offices(work.session, below(work.session, mine))
    code = request.args.get("authority", "")
    office = next((one for one in within if one.code == code), None) if code else None
    if code and office is None:
        raise not_found("record.unknown", "registry.unknown", measured=code[:40])
    office = office or next(one for one in within if one.id in mine)
    authority = work.session.get_one(Authority, office.id)
    return _Place(office, within, authority, rules_of(work, authority))


# -- what is due ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Wanted:
    what: str
    days: int


def _wanted(pack: RulePack) -> _Wanted:
    what, days = request.args.get("what", ""), request.args.get("days", "")
    if what and what not in words.DUE:
        raise unreadable("what", what, ", ".join(words.DUE))
    if days and not (days.isascii() and days.isdigit() and int(days[:6]) <= 3660):
        raise unreadable("days", days, ", ".join(map(str, CHOICES)))
    return _Wanted(what, int(days) if days else pack["due.remind_days"])


def _due(work: Work, place: _Place, wanted: _Wanted) -> tuple[list[dues.Due], bool]:
    """What is due, and whether there is more than one list tells."""
    days = wanted.days or -1  # what is due today is not overdue
    found = dues.due(work.session, place.authority.id, place.pack, today(), days=days, what=wanted.what or None)
    return found, len(found) >= dues.MOST_TOLD


@section.page("/registry/due", GET=Permission.READ_REGISTRY)
def due() -> str:
    """Calibrations, evaluations, maintenance, signs and marks, by their day."""
    with services().work(current_actor()) as work:
        place = _place(work)
        wanted = _wanted(place.pack)
        found, cut = _due(work, place, wanted)
        return render_template(
            "registry/due.html",
            headline=_due_headline(found),
            office=place.office,
            offices=place.within,
            found=found,
            cut=cut,
            what=wanted.what,
            days=wanted.days,
            choices=sorted({*CHOICES, wanted.days}),
            query=urlencode({"authority": place.office.code, "what": wanted.what, "days": wanted.days}),
            says=words,
        )


def _due_headline(found: list[dues.Due]) -> str:
    if not found:
        return gettext("Nothing is due")
    late = sum(one.overdue for one in found)
    if late:
        return ngettext("%(num)d thing is overdue", "%(num)d things are overdue", late)
    first = found[0]
    left = days_left(first.due_on, today())
    return gettext("The next is due on %(day)s, %(left)s", day=weekday(first.due_on), left=left)


@section.page("/registry/due.csv", GET=Permission.READ_REGISTRY)
def due_file() -> Response:
    """The same list as a file."""
    with services().work(current_actor()) as work:
        place = _place(work)
        found, _ = _due(work, place, _wanted(place.pack))
        name = place.office.code
    lines = [csv_line(("due_on", "what", "overdue", "id", "name", "state"))]
    lines += [csv_line((o.due_on, o.what, "yes" if o.overdue else "no", o.public_id, o.name, o.state)) for o in found]
    return _csv("".join(lines), f"due-{name}.csv")


def _csv(body: str, name: str) -> Response:
    # Spreadsheets take a file without the mark for another encoding, and show no Chinese.
    response = Response("\ufeff" + body, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# -- the annual report --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sheet:
    """One of the `parts` of the report of a year: as it was submitted, or as the devices say it now."""

    year: int
    part: int
    parts: int
    due_on: date
    row: AnnualReport | None
    document: dict[str, Any]


def _sheet(work: Work, place: _Place) -> _Sheet:
    year = _asked("year", range(FIRST_YEAR, today().year + 1), today().year)
    submitted = reports_of(work.session, place.authority, year)
    draft = to_submit(work.session, place.authority, place.pack, year)
    parts = len(submitted) + (draft is not None)
    part = _asked("part", range(1, parts + 1), parts)
    if draft is not None and part == draft.part:
        document = report_document(draft, place.authority, place.pack)
        return _Sheet(year, part, parts, draft.draft.due_on, None, document)
    row = submitted[part - 1]
    return _Sheet(year, part, parts, row.due_on, row, json.loads(row.document))


def _asked(name: str, known: range, usual: int) -> int:
    """A number that the address says; raises RuleViolation for one that means nothing."""
    asked = request.args.get(name, "")
    if not asked:
        return usual
    if asked.isascii() and asked.isdigit() and int(asked[:6]) in known:
        return int(asked[:6])
    raise unreadable(name, asked, f"{known.start}-{known.stop - 1}")


@section.page("/registry/report", GET=Permission.READ_REGISTRY, POST=Permission.REPORT_DEVICES)
def report() -> Response:
    """The report of a year: draft, submitted, received; to read, print and take along."""
    if request.method == "GET":
        return _report_page()
    try:
        step = one_of("step", ("submit", "receipt"))
        with services().work(current_actor()) as work:
            place = _place(work)
            sheet = _sheet(work, place)
            year, part = sheet.year, sheet.part
            if step == "submit":
                part = commands.submit_report(work, place.authority, place.pack, year).part
            else:
                told = {"receipt_no": text_of("receipt", 200), "received_on": day_of("on"), "part": part}
                commands.record_report_receipt(work, place.authority, place.pack, year, **told)  # type: ignore[arg-type]
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _report_page(refused)
    goal = urlencode({"authority": place.office.code, "year": year, "part": part, "done": step})
    return make_response(redirect(f"/registry/report?{goal}", 303))


def _report_page(refused: RuleViolation | None = None) -> Response:
    with services().work(current_actor()) as work:
        place = _place(work)
        sheet = _sheet(work, place)
        stands, look = _stands(sheet)
        page = render_template(
            "registry/report.html",
            headline=_report_headline(place.office, sheet),
            stands=stands,
            look=look,
            office=place.office,
            offices=place.within,
            year=sheet.year,
            part=sheet.part,
            parts=sheet.parts,
            years=range(today().year, max(today().year - 10, FIRST_YEAR), -1),
            due_on=sheet.due_on,
            row=sheet.row,
            document=sheet.document,
            submits=place.office.id in _heads(),
            records=place.office.id in own(current_actor(), Permission.REPORT_DEVICES),
            refusals=refused.render(current_language()) if refused else [],
            typed=typed() if refused else {},
        )
    return make_response(page, refused.status if refused else 200)


def _heads() -> set[Any]:
    return {grant.authority_id for grant in current_actor().grants if grant.role == "unit_head"}


def _stands(sheet: _Sheet) -> tuple[str, str]:
    if sheet.row is None:
        late = sheet.due_on < today()
        left = days_left(sheet.due_on, today())
        if late:
            return gettext("Draft; it was due on %(day)s, %(left)s", day=weekday(sheet.due_on), left=left), "stop"
        return gettext("Draft; due on %(day)s, %(left)s", day=weekday(sheet.due_on), left=left), "soon"
    if sheet.row.received_on is None:
        return gettext("Submitted on %(day)s; its receipt is awaited", day=weekday(sheet.row.submitted_on)), "pause"
    return gettext("Received on %(day)s", day=weekday(sheet.row.received_on)), "on"


def _report_headline(office: Office, sheet: _Sheet) -> str:
    if sheet.part > 1:
        return ngettext(
            "%(who)s put %(num)d more device into use in %(year)s after its report",
            "%(who)s put %(num)d more devices into use in %(year)s after its report",
            len(sheet.document["devices"]),
            who=in_words(office.name),
            year=sheet.year,
        )
    return ngettext(
        "%(who)s put %(num)d new device into use in %(year)s",
        "%(who)s put %(num)d new devices into use in %(year)s",
        len(sheet.document["devices"]),
        who=in_words(office.name),
        year=sheet.year,
    )


@section.page("/registry/report.<any(csv, json):form>", GET=Permission.READ_REGISTRY)
def report_file(form: str) -> Response:
    """The report as a file: what was submitted byte by byte, or the draft."""
    with services().work(current_actor()) as work:
        place = _place(work)
        sheet = _sheet(work, place)
        stored = sheet.row.document if sheet.row else None
    supplement = f"-{sheet.part}" if sheet.part > 1 else ""
    name = f"annual-report-{place.office.code}-{sheet.year}{supplement}.{form}"
    if form == "csv":
        lines = [csv_line(("id", "name", "first_used_on"))]
        lines += [csv_line((one["id"], one["name"], one["first_used_on"])) for one in sheet.document["devices"]]
        return _csv("".join(lines), name)
    body = stored or json.dumps(sheet.document, ensure_ascii=False)
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
