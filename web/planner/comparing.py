"""Two to four studies beside each other: their maps at one scale, their figures with differences, what they asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from flask import Response, request
from geoalchemy2.shape import to_shape
from markupsafe import Markup
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from schemas.refusals import RuleViolation, invalid
from schemas.tables import CoverageStudy
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import coverage_words as words
from web.planner import pictures, scope, study_sheet
from web.planner.coverage_report import asked_in_words, vocabulary
from web.planner.forms import Faults, faults_of
from web.planner.pictures import Frame
from web.planner.show import show
from web.planner.study_sheet import DONE, StudySheet, base_map, gap_map, opened_study, sheet_of
from web.planner.words import said

section = Section("planner_comparing", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
LEAST, MOST = 2, 4
_MOST_LISTED = 100
_LONGEST_NAME = 40
# Beyond so many pieces a map of differences would take longer than anybody waits for a page.
_MOST_PIECES = 6_000
# Places of two studies that lie nearer to each other than a tenth of a metre are one.
_GRID_DEG = 1e-6


@dataclass(frozen=True)
class Cell:
    """A figure of one study: what it is, how it differs from the first, and whether that is for the better."""

    told: str
    part: float | None
    change: str
    look: str


@dataclass(frozen=True)
class Row:
    """One figure of all studies; `title` says what it is."""

    title: str
    cells: tuple[Cell, ...]


@section.page("/planner/coverage/compare", GET=_DRAFT)
def page() -> Response:
    """The studies that the address names beside each other; without any, which there are to choose from."""
    names = _names()
    if not names:
        return _choice()
    try:
        return _compared(names)
    except RuleViolation as error:
        if error.status != invalid("report.compare_number").status:
            raise
        return _choice(faults_of(error, "ids"), names)


def _names() -> list[str]:
    said_of = ",".join(request.args.getlist("ids"))
    found = [one.strip()[:_LONGEST_NAME] for one in said_of.split(",") if one.strip()]
    return list(dict.fromkeys(found))


def _choice(faults: Faults | None = None, chosen: Sequence[str] = ()) -> Response:
    with services().session() as db:
        own = [one.id for one in scope.authorities(db, current_actor(), _DRAFT)]
        rows = db.scalars(
            select(CoverageStudy)
            .where(CoverageStudy.authority_id.in_(own), CoverageStudy.stage == DONE)
            .order_by(CoverageStudy.recorded_at.desc())
            .limit(_MOST_LISTED)
        ).all()
        visible = [row for row in rows if study_sheet.may_open(current_actor(), row)]
    return show(
        "planner/compare_choose.html",
        422 if faults else 200,
        studies=visible,
        chosen=chosen,
        most=MOST,
        **({"faults": faults} if faults else {}),
        **vocabulary(),
    )


def _compared(names: Sequence[str]) -> Response:
    with services().session() as db:
        found = [opened_study(db, current_actor(), name) for name in names]
        if not LEAST <= len(found) <= MOST or any(one.stage != DONE for one in found):
            done = sum(one.stage == DONE for one in found)
            raise invalid("report.compare_number", measured=done, required=f"{LEAST}–{MOST}")
        frame = _frame(found)
        sheets = [sheet_of(db, one, frame) for one in found]
        base, items = base_map(db, frame), scope.item_names(db)
        maps = [gap_map(sheet, base, frame, numbered=False) for sheet in sheets]
        changes = [_change_map(before, base, frame) for before in _pairs(sheets)]
    return show(
        "planner/compare.html",
        sheets=sheets,
        maps=maps,
        changes=changes,
        rows=_rows([sheet.result for sheet in sheets]),
        headline=_headline(sheets),
        asked_apart=_asked_apart(sheets, items),
        grounds_differ=any(not sheet.ground.equals(sheets[0].ground) for sheet in sheets[1:]),
        hours=_hours([sheet.result for sheet in sheets]),
        first_again=[[sheet.public_id, *(s.public_id for s in sheets if s is not sheet)] for sheet in sheets],
        **vocabulary(),
    )


def _frame(found: Sequence[CoverageStudy]) -> Frame:
    boxes = [to_shape(one.ground).bounds for one in found]
    west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
    east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return Frame.around((west, south, east, north), 560.0, 520.0)


def _pairs(sheets: Sequence[StudySheet]) -> list[tuple[StudySheet, StudySheet]]:
    return [(sheets[0], sheet) for sheet in sheets[1:]]


def _headline(sheets: Sequence[StudySheet]) -> str:
    """How the gap of the last study stands to that of the first, in square kilometres (LF-6)."""
    before, after = sheets[0].result["gap_m2"], sheets[-1].result["gap_m2"]
    told = {"before": words.area(before), "after": words.area(after), "title": sheets[-1].title}
    if after < before:
        less = words.area(before - after)
        return gettext("%(title)s closes %(less)s of gaps: %(before)s before, %(after)s after", less=less, **told)
    if after > before:
        more = words.area(after - before)
        return gettext("%(title)s opens %(more)s of gaps: %(before)s before, %(after)s after", more=more, **told)
    return gettext("%(title)s leaves the gaps as large as they were: %(after)s", **told)


# -- figures ---------------------------------------------------------------------------------------------------

_BETTER, _WORSE = "better", "worse"


def _rows(results: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Every figure that all of the studies have."""
    ground = [result["ground_m2"] for result in results]
    rows = [
        _areas(gettext("Ground that was asked about"), ground, None, more=None),
        _areas(gettext("Seen by nobody"), [result["gap_m2"] for result in results], ground, more=_WORSE),
    ]
    for times in range(min(len(result["seen_m2"]) for result in results)):
        title = ngettext("Seen by %(num)d or more", "Seen by %(num)d or more", times + 1)
        more = _BETTER if times == 0 else None
        rows.append(_areas(title, [result["seen_m2"][times] for result in results], ground, more=more))
    rows.append(_counts(gettext("Devices that count"), [result["devices"] for result in results], None))
    rows += _of_demand(results)
    homes = [sum(row["seen_homes_m2"] for row in result.get("burden", ())) for result in results]
    if any(result.get("burden") for result in results):
        rows.append(_areas(gettext("Ground of homes that is looked at"), homes, None, more=_WORSE))
    short = [len(result.get("entities", ())) for result in results]
    if any(short):
        rows.append(_counts(gettext("Entities with fewer views than they must give"), short, _WORSE))
    return rows


def _of_demand(results: Sequence[Mapping[str, Any]]) -> list[Row]:
    by_kind = [{row["kind"]: row for row in result.get("demand", ())} for result in results]
    rows = []
    for kind in by_kind[0]:
        if kind == "area" or not all(kind in found for found in by_kind):
            continue
        if not any(found[kind]["total"] for found in by_kind):
            continue
        parts = [found[kind]["seen"] / found[kind]["total"] if found[kind]["total"] else 0.0 for found in by_kind]
        seen = [found[kind]["seen"] for found in by_kind]
        told = [
            f"{words.share(part)} · {words.amount(found[kind]['seen'], found[kind]['unit'])}"
            for part, found in zip(parts, by_kind, strict=True)
        ]
        changes = [words.amount(abs(value - seen[0]), by_kind[0][kind]["unit"]) for value in seen]
        rows.append(
            _row(
                gettext("Seen of: %(kind)s", kind=said(words.DEMANDS_SHORT, kind)), seen, told, changes, _BETTER, parts
            )
        )
    return rows


def _areas(title: str, values: Sequence[float], whole: Sequence[float] | None, *, more: str | None) -> Row:
    parts = [value / all_of if all_of else 0.0 for value, all_of in zip(values, whole, strict=True)] if whole else None
    told = [words.area(value) for value in values]
    return _row(title, values, told, [words.area(abs(value - values[0])) for value in values], more, parts)


def _counts(title: str, values: Sequence[int], more: str | None) -> Row:
    changes = [f"{abs(value - values[0]):,}" for value in values]
    return _row(title, values, [f"{value:,}" for value in values], changes, more, None)


def _row(
    title: str,
    values: Sequence[float],
    told: Sequence[str],
    changes: Sequence[str],
    more: str | None,
    parts: Sequence[float] | None,
) -> Row:
    """`changes` are how far each value is from the first, without a sign; `more` whether more is better or worse."""
    cells = []
    for number, value in enumerate(values):
        rose = value > values[0]
        if value == values[0]:
            change, look = gettext("the same") if number else "", ""
        else:
            change = gettext("%(n)s more", n=changes[number]) if rose else gettext("%(n)s less", n=changes[number])
            look = "" if more is None else (_BETTER if rose == (more == _BETTER) else _WORSE)
        cells.append(Cell(told[number], parts[number] if parts else None, change, look))
    return Row(title, tuple(cells))


def _asked_apart(sheets: Sequence[StudySheet], items: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """What the studies asked differently, part by part."""
    by_part = [dict(asked_in_words(sheet.asked, items)) for sheet in sheets]
    parts = dict.fromkeys(name for found in by_part for name in found)
    rows = [(name, [found.get(name, "—") for found in by_part]) for name in parts]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


@dataclass(frozen=True)
class Hours:
    """How much is seen at each hour: a line for each study, in a box of 720 by 160, and the numbers themselves."""

    lines: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def _hours(results: Sequence[Mapping[str, Any]]) -> Hours | None:
    if not all(result.get("by_hour") and result["ground_m2"] for result in results):
        return None
    parts = [{row["hour"]: row["seen_m2"] / result["ground_m2"] for row in result["by_hour"]} for result in results]
    hours = sorted(set.intersection(*(set(found) for found in parts)))
    if len(hours) < LEAST:
        return None
    step = 700.0 / max(hours[-1] - hours[0], 1)
    lines = tuple(
        " ".join(f"{10 + step * (hour - hours[0]):.1f},{140 - 130 * found[hour]:.1f}" for hour in hours)
        for found in parts
    )
    told = tuple((words.hour(hour), tuple(words.share(found[hour]) for found in parts)) for hour in hours)
    return Hours(lines, told)


# -- what changed on the ground --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What one study sees that the first does not, and the other way round; no picture where it is too much."""

    title: str
    picture: Markup | None


def _change_map(pair: tuple[StudySheet, StudySheet], base: study_sheet.BaseMap, frame: Frame) -> Change:
    after = pair[1]
    pieces = [sheet.pieces.get(("seen", 1), ()) for sheet in pair]
    if sum(map(len, pieces)) > _MOST_PIECES:
        return Change(after.title, None)
    try:
        first, then = (_whole(found) for found in pieces)
        won, lost = (shapely.difference(*two, grid_size=_GRID_DEG) for two in ((then, first), (first, then)))
    except GEOSException:
        return Change(after.title, None)
    parts = [
        base.under,
        pictures.areas(frame, "won", [won]),
        pictures.areas(frame, "lost", [lost]),
        pictures.areas_outline(frame, "ground", [after.ground]),
        base.over,
    ]
    title = gettext("Map: what %(title)s sees and the first study does not, and the other way round", title=after.title)
    drawn = pictures.drawing(frame, parts, title=title, north=gettext("N"), lang=current_language())
    return Change(after.title, drawn)


def _whole(pieces: Sequence[BaseGeometry]) -> BaseGeometry:
    return shapely.union_all(pieces, grid_size=_GRID_DEG)
