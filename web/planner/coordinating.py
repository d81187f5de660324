"""The coordinated-siting report of a government: page, paper and table (GD-17, LF-6).

It tells every authority's devices, which others see what they see, what is shared and could be, and what nobody sees.
Where devices look stays restricted: shares and areas are told, no directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import shapely
from flask import Response, render_template, request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.coverage.coordinated import Coordination, Standing, coordinate
from geo.coverage.government import Government, devices_of, government_of, heads_over, standing_of
from geo.coverage.wanted import zones_on
from schemas.actors import Actor, ActorKind
from schemas.limits import limit
from schemas.refusals import invalid, not_found, too_large
from schemas.tables import Authority
from web.i18n import current_language, gettext
from web.identity.request_identity import current_actor, services
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.planner import coverage_words as words
from web.planner import pictures, printed, scope, study_sheet
from web.planner.coverage_report import vocabulary
from web.planner.pictures import Frame
from web.planner.show import show
from web.registry.listing import csv_line

section = Section("planner_coordinating", __name__, Audience.PLANNER)

_READ = Permission.READ_COORDINATION
_FIRST_YEAR = 2000
_MOST_MARKS = 2_000
# Where all devices stand in less than this part of the ground's width and height, a second map shows that part.
_SMALL_PART = 0.4
_LEAST_SIDE_DEG = 0.02
_ROOM = 0.15
_LONGEST_CODE = 40
TABLES = ("authorities", "duplicates", "sites", "gaps")


@dataclass(frozen=True)
class Report:
    """A report with the rows that it rests on, on a day; `past` where its year is over."""

    government: Government
    day: date
    past: bool
    ratio: float
    standing: Sequence[Standing]
    found: Coordination

    @property
    def names(self) -> Mapping[str, Mapping[str, str]]:
        """What the authorities are called, by code."""
        return {one.code: {"en": one.name_en, "zh": one.name_zh} for one in self.government.authorities}

    @property
    def planned(self) -> list[Standing]:
        """The sites of plans that no device stands at yet."""
        return [one for one in self.standing if one.status == "planned"]


@section.page("/planner/coordinated", GET=_READ)
def page() -> Response:
    """The report on the desk, with the ways to take it along."""
    with services().session() as db:
        heads = heads_of(db, current_actor())
        made = _asked_for(db, heads, page_only=True)
        drawn = _pictures(db, made)
    context = drawn | _context(made)
    return show("planner/coordinated.html", heads=heads, years=_years(), **context)


@section.page("/planner/coordinated/report.<any(html, pdf, csv):form>", GET=_READ)
def file(form: str) -> Response:
    """The same as a page that stands by itself, on paper, or as a table (`table=`) for spreadsheets."""
    table = request.args.get("table", TABLES[0])
    if table not in TABLES:
        raise invalid("form.field", "planner.choice", field="table", measured=table[:40])
    with services().session() as db:
        made = _asked_for(db, heads_of(db, current_actor()), page_only=True)
        name = f"coordinated-siting-{made.government.head.code}-{made.day.year}"
        if form == "csv":
            return printed.as_file("\ufeff" + as_csv(made, table), "text/csv", f"{name}-{table}.csv")
        document = as_document(db, made)
    return printed.as_pdf(document, name) if form == "pdf" else printed.as_page(document, name)


def heads_of(db: Session, actor: Actor) -> list[Authority]:
    """The governments whose report somebody may read: those over the own authorities; the host's all."""
    if actor.kind is not ActorKind.PERSON:
        return heads_over(db, db.scalars(select(Authority)).all())
    return heads_over(db, scope.authorities(db, actor, _READ))


def _asked_for(db: Session, heads: Sequence[Authority], *, page_only: bool) -> Report:
    return made(db, heads, request.args.get("government", ""), request.args.get("year", ""), page_only=page_only)


def made(db: Session, heads: Sequence[Authority], code: str, year: str, *, page_only: bool = False) -> Report:
    """The report of a government and a year; of the first, and of this year, where none is named.

    Raises RuleViolation 404 for a government that is not among `heads`, 422 for a year that has not come, and with
    `page_only` 413 where there are more devices than a page waits for.
    """
    head = scope.authority_of(heads, code)
    if head is None:
        known = ", ".join(one.code for one in heads)
        raise not_found("report.government", measured=code[:_LONGEST_CODE] or "—", required=known or "—")
    today = services().today
    if year and not (year.isascii() and year.isdigit() and _FIRST_YEAR <= int(year[:5]) <= today.year):
        raise invalid("report.year", measured=year[:10])
    past = bool(year) and int(year) < today.year
    day = date(int(year), 12, 31) if past else today
    government = government_of(db, head)
    most, count = limit("coverage.report_devices"), devices_of(db, government)
    if page_only and count > most:
        raise too_large("report.too_many_devices", measured=count, required=most)
    ratio = _ratio(government)
    standing = standing_of(db, government, day, past=past)
    zones = zones_on(db, government.ground)
    return Report(
        government, day, past, ratio, standing, coordinate(standing, government.codes, government.ground, zones, ratio)
    )


def _ratio(government: Government) -> float:
    """From which share on a view is duplicated, by the rules of the place."""
    place = shapely.point_on_surface(government.ground)
    ratio: float = services().rulebook.at_place(place, services().clock.now())["duplicate.coverage_ratio"]
    return ratio


def _years() -> list[int]:
    this = services().today.year
    return list(range(this, this - 5, -1))


def as_document(db: Session, report: Report) -> str:
    """The report as a page that stands by itself; needs a request for its words."""
    context = _context(report) | _pictures(db, report) | {"made_at": services().clock.now()}
    return render_template("planner/coordinated_report.html", sample=sample_data(), **context)


def _context(report: Report) -> dict[str, Any]:
    found = report.found
    asking = [one for one in found.duplicates if one.of_others]
    return {
        "report": report,
        "found": found,
        "called": lambda code: report.names.get(code, {"en": code, "zh": code}),
        "headline": _headline(report),
        "sentences": _sentences(report, len(asking)),
        **vocabulary(),
    }


def _headline(report: Report) -> str:
    found = report.found
    told = {"share": words.share(found.seen_m2[0] / found.ground_m2), "gap": words.area(found.gap_m2)}
    if report.past:
        return gettext(
            "At the end of %(year)s, %(share)s of the ground was seen; nobody saw %(gap)s", year=report.day.year, **told
        )
    return gettext("Together the authorities see %(share)s of their ground; nobody sees %(gap)s", **told)


def _sentences(report: Report, asking: int) -> list[str]:
    found = report.found
    said = [
        gettext(
            "%(n)s of %(all)s devices and planned sites are duplicates: others see %(ratio)s of their view or more.",
            n=len(found.duplicates),
            all=len([one for one in report.standing if one.status != "ended"]),
            ratio=words.share(report.ratio),
        ),
    ]
    if asking:
        said.append(
            gettext(
                "For %(n)s of them another authority has such a device: ask for its use before buying one (GD-17).",
                n=asking,
            )
        )
    if not report.past:
        closed_m2 = found.gap_m2 - found.planned_gap_m2
        if closed_m2 >= 1:
            area = {"closed": closed_m2, "before": found.gap_m2, "after": found.planned_gap_m2}
            told = {name: words.area(value) for name, value in area.items()}
            said.append(
                gettext("The planned sites close %(closed)s of gaps: %(before)s before, %(after)s after.", **told)
            )
        elif report.planned:
            said.append(gettext("The planned sites close no gap."))
    else:
        said.append(gettext("Of a year that is over only what was in use is counted: plans of that day are not kept."))
    if found.assumed:
        said.append(
            gettext(
                "%(n)s devices do not say how far they see; the usual range of their kind is counted.", n=found.assumed
            )
        )
    return said


def _pictures(db: Session, report: Report) -> dict[str, Any]:
    """The map of the whole ground; and where devices stand close together on it, another one of that part."""
    title = gettext("Map of what the authorities see together, with their devices")
    whole = report.government.ground.bounds
    drawn: dict[str, Any] = {"picture": _picture(db, report, whole, title), "close_up": None}
    standing = [one for one in report.standing if one.status in pictures.STATUSES]
    if standing:
        part = shapely.MultiPoint([(one.device.at.lon, one.device.at.lat) for one in standing]).bounds
        wide, high = part[2] - part[0], part[3] - part[1]
        if max(wide / (whole[2] - whole[0]), high / (whole[3] - whole[1])) < _SMALL_PART:
            side = max(wide, high, _LEAST_SIDE_DEG) * _ROOM
            part = (part[0] - side, part[1] - side, part[2] + side, part[3] + side)
            drawn["close_up"] = _picture(db, report, part, gettext("Map of the part in which the devices stand"))
    return drawn


def _picture(db: Session, report: Report, box: tuple[float, float, float, float], title: str) -> Markup:
    frame = Frame.around(box)
    base = study_sheet.base_map(db, frame)
    by_status: dict[str, list[tuple[float, float]]] = {}
    for one in report.standing:
        by_status.setdefault(one.status, []).append((one.device.at.lon, one.device.at.lat))
    marks = [pictures.marks(frame, status, by_status.get(status, [])) for status in pictures.STATUSES]
    parts = [
        base.under,
        pictures.areas(frame, "seen1", [report.found.seen]),
        pictures.areas(frame, "zone", [zones_on(db, shapely.box(*frame.box))]),
        pictures.areas_outline(frame, "ground", [report.government.ground]),
        base.over,
        *(marks if len(report.standing) <= _MOST_MARKS else []),
    ]
    return pictures.drawing(frame, parts, title=title, north=gettext("N"), lang=current_language())


# -- as tables ---------------------------------------------------------------------------------------------------


def as_csv(report: Report, table: str) -> str:
    """One table of the report for spreadsheets; the names of columns are the same in every language."""
    head, rows = {"authorities": _authorities, "duplicates": _duplicates, "sites": _sites, "gaps": _gaps}[table](report)
    return "".join(csv_line(row) for row in (head, *rows))


Lines = tuple[tuple[object, ...], list[tuple[object, ...]]]
_COUNTS = ("in_use", "announced", "blocked", "planned", "added", "ended", "shared", "used", "sharable", "duplicated")


def _authorities(report: Report) -> Lines:
    rows: list[tuple[object, ...]] = []
    for one in report.found.shares:
        name = report.names[one.authority]
        counts = (getattr(one, column) for column in _COUNTS)
        rows.append((one.authority, name["en"], name["zh"], *counts, f"{one.seen_m2:.0f}", f"{one.alone_m2:.0f}"))
    return ("authority", "name_en", "name_zh", *_COUNTS, "seen_m2", "alone_m2"), rows


def _duplicates(report: Report) -> Lines:
    head = ("id", "name", "authority", "kind", "planned", "share", "seen_by", "ask_authorities")
    rows: list[tuple[object, ...]] = [
        (
            one.public_id,
            one.label,
            one.authority,
            one.kind,
            "yes" if one.is_planned else "no",
            f"{one.share:.3f}",
            " ".join(name for name, _ in one.by),
            " ".join(one.of_others),
        )
        for one in report.found.duplicates
    ]
    return head, rows


def _sites(report: Report) -> Lines:
    rows: list[tuple[object, ...]] = [
        (
            one.public_id,
            one.label,
            one.authority,
            one.kind,
            f"{one.device.at.lon:.6f}",
            f"{one.device.at.lat:.6f}",
            one.item or "",
        )
        for one in report.planned
    ]
    return ("id", "name", "authority", "kind", "lon", "lat", "item"), rows


def _gaps(report: Report) -> Lines:
    rows: list[tuple[object, ...]] = [
        (number, f"{one.area_m2:.0f}", f"{one.at.lon:.6f}", f"{one.at.lat:.6f}")
        for number, one in enumerate(report.found.largest, 1)
    ]
    return ("number", "area_m2", "lon", "lat"), rows
