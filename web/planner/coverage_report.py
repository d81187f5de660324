"""The report of a study: every answer on one page that stands by itself, with its maps, in a browser and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo import shapes
from schemas.refusals import conflict
from schemas.tables import CoverageStudy, SitingRun
from web.i18n import current_language, gettext
from web.identity.request_identity import current_actor, services
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.planner import coverage_words as words
from web.planner import pictures, printed, scope, study_sheet
from web.planner.study_sheet import DONE, StudySheet, base_map, gap_map, opened_study, sheet_of, sites_map, times_map
from web.planner.words import said
from web.words import N_

section = Section("planner_coverage_report", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
MOST_RUNS = 3
# Each takes a hundredth of a second of setting on paper, and nobody reads more of them in a row.
MOST_SITES = 100
MOST_OWN = 200
KEYS: Mapping[str, str] = {
    "seen1": N_("Seen"),
    "seen2": N_("Seen by two"),
    "seen3": N_("Seen by three and more"),
    "gap": N_("Seen by nobody"),
    "zone": N_("Privacy zone: never asked for"),
    "ground": N_("The ground that was asked about"),
    "active": N_("In use"),
    "published": N_("Announced, not yet in use"),
    "planned": N_("Planned, or added by the study"),
    "blocked": N_("Stopped by a check"),
    "gone": N_("Taken away by the study"),
    "route": N_("Patrol route"),
    "place": N_("Site that was found, by its number"),
    "view": N_("What it would look at"),
    "candidate": N_("Place that was considered"),
    "won": N_("Seen only then"),
    "lost": N_("Not seen any more"),
}


@section.page("/planner/coverage/<public_id>/report", GET=_DRAFT)
def page(public_id: str) -> Response:
    """The report in the browser, to print or to keep."""
    return printed.as_page(_asked_for(public_id), f"{public_id}-report")


@section.page("/planner/coverage/<public_id>/report.pdf", GET=_DRAFT)
def paper(public_id: str) -> Response:
    """The same as PDF."""
    return printed.as_pdf(_asked_for(public_id), f"{public_id}-report")


def _asked_for(public_id: str) -> str:
    with services().session() as db:
        return report(db, opened_study(db, current_actor(), public_id))


def report(db: Session, study: CoverageStudy) -> str:
    """The report of a study in the language of the request; raises RuleViolation 409 where it has no answer."""
    if study.stage != DONE:
        raise conflict("report.not_done", "report.not_done", measured=study.public_id)
    frame, items = study_sheet.frame_of(study), scope.item_names(db)
    sheet, base = sheet_of(db, study, frame), base_map(db, frame)
    answered = (SitingRun.study_id == study.id, SitingRun.stage == DONE)
    latest = select(SitingRun).where(*answered).order_by(SitingRun.recorded_at.desc()).limit(MOST_RUNS)
    runs = db.scalars(latest).all()
    return render_template(
        "planner/coverage_report.html",
        sheet=sheet,
        result=sheet.result,
        sentences=told(sheet.result),
        rows=_rows(sheet.result, items),
        own=_own(study),
        own_count=len(study.devices),
        blind=[(one["label"], _said_why(one["reason"])) for one in sheet.result.get("left_out") or ()],
        headline=words.headline(sheet.result["share"], sheet.result["gap_m2"]),
        asked=asked_in_words(sheet.asked, items),
        gap_map=gap_map(sheet, base),
        times_map=times_map(sheet, base),
        runs=[(run, run_map(sheet, base, run)) for run in runs],
        run_count=db.scalar(select(func.count()).select_from(SitingRun).where(*answered)),
        most_sites=MOST_SITES,
        made_at=services().clock.now(),
        sample=sample_data(),
        **vocabulary(),
    )


def _rows(result: Mapping[str, Any], items: Mapping[str, str]) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    """The rows of each break-down with what each is called."""
    return {
        "by_item": [
            (items.get(row["item"], row["item"]) if row["item"] else gettext("No item"), row)
            for row in result.get("by_item", ())
        ],
        "by_status": [(said(words.STATUSES, row["status"]), row) for row in result.get("by_status", ())],
        "by_kind": [(words.kind(row["kind"]), row) for row in result.get("by_kind", ())],
    }


# Why a device sees nothing, by the words of geo.coverage.seen.
_BLIND: Mapping[str, str] = {
    "hidden": N_("From there it sees nothing: the ground hides all of it."),
    "no_height": N_("The elevation model has no height there, so it is not known what it would see."),
    "no_water": N_("There is no water within its reach on the map."),
    "unusable": N_("Such a view cannot be."),
}


def _said_why(reason: str) -> str:
    return said(_BLIND, reason)


@dataclass(frozen=True)
class Own:
    """A device that a study adds, or a registered one that it changes or takes away."""

    label: str
    kind: str
    what: str
    at: tuple[float, float]
    looks: str


def _own(study: CoverageStudy) -> list[Own]:
    """What a study adds and changes, the first of them."""
    told = []
    for row in study.devices[:MOST_OWN]:
        what = gettext("taken away") if row.gone else gettext("changed") if row.device_id else gettext("added")
        narrow = row.sector_azimuth_deg is not None and row.hfov_deg is not None
        turned = {"azimuth": f"{row.sector_azimuth_deg or 0:.0f}", "width": f"{row.hfov_deg or 0:.0f}"}
        looks = (
            gettext("Looks towards %(azimuth)s° over %(width)s°", **turned) if narrow else gettext("Looks all round")
        )
        far = gettext("sees %(m)s m far", m=f"{row.range_m:.0f}")
        high = gettext("mast of %(m)s m", m=f"{row.mast_m:.1f}")
        name = row.label or (row.device.name if row.device else "") or str(row.ordinal)
        at = shapes.lon_lat(row.geom)
        told.append(Own(name, words.kind(row.device_type), what, (at.lon, at.lat), f"{looks} · {far} · {high}"))
    return told


SITE_KINDS: Mapping[str, str] = {
    "new": N_("New device"),
    "existing": N_("Device that stands already"),
    "shared": N_("Device of another authority, to be shared"),
    "patrol": N_("Patrol along a published route"),
}


def run_map(sheet: StudySheet, base: study_sheet.BaseMap, run: SitingRun) -> str:
    """The map of one answer of siting."""
    return sites_map(sheet, base, (run.result or {}).get("sites", ()))


def vocabulary() -> dict[str, Any]:
    """What templates of reports and comparisons say things with."""
    return {
        "area": words.area,
        "share": words.share,
        "amount": words.amount,
        "hour_words": words.hour,
        "kind_words": words.kind,
        "said": said,
        "statuses": words.STATUSES,
        "demands": words.DEMANDS,
        "demands_short": words.DEMANDS_SHORT,
        "key": pictures.key,
        "keys": {look: gettext(text) for look, text in KEYS.items()},
        "site_kinds": {code: gettext(text) for code, text in SITE_KINDS.items()},
        "most_numbers": study_sheet.MOST_NUMBERS,
        "told": told,
    }


def told(result: Mapping[str, Any]) -> Sequence[str]:
    """The sentences of a result in the reader's language."""
    found: Sequence[str] = (result.get("sentences") or {}).get(current_language(), ())
    return found


def asked_in_words(asked: Mapping[str, Any], items: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was asked, part by part, in the reader's language; `items` are names of supervision items by code."""
    comma = "、" if current_language() == "zh" else ", "
    kinds = [words.kind(code) for code in asked.get("device_types") or ()]
    hour = asked.get("hour")
    parts = [
        (gettext("Devices that count"), comma.join(said(words.STATUSES, code) for code in asked.get("statuses", ()))),
        (gettext("Kinds"), comma.join(kinds) or gettext("All but satellites")),
        (gettext("Supervision item"), items.get(item, item) if (item := asked.get("item")) else gettext("Any")),
        (gettext("Devices of other authorities"), _yes_no(asked.get("shared"))),
        (gettext("The study's own devices alone"), _yes_no(asked.get("own_only"))),
        (gettext("Time of day"), gettext("Any") if hour is None else words.hour(hour)),
        (gettext("Hills hide what lies behind them"), _yes_no(asked.get("over_terrain"))),
        (gettext("What counts"), comma.join(said(words.DEMANDS_SHORT, code) for code in asked.get("demand", ()))),
    ]
    parts += words.finer_points(asked)
    if asked.get("secret"):
        parts.append((gettext("Secret devices count"), gettext("yes")))
    return parts


def _yes_no(value: object) -> str:
    return gettext("yes") if value else gettext("no")
