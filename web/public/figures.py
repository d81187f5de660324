"""The public figures: how much watches, since when, what was flown, reported and evaluated; nobody is countable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template
from sqlalchemy import Connection, text

from web.i18n import gettext
from web.permissions import Audience, Permission, Section
from web.public.kept import kept
from web.registry.words import OUTCOMES

section = Section("figures", __name__, Audience.PUBLIC)
Rows = Sequence[Mapping[str, Any]]
# Each reads a view of the public map and nothing else. What people asked or complained of stands in the register of
# /ask, which tells no number below five; nothing here counts people.
_SUMMARY = """
SELECT (SELECT count(*) FROM public_map.devices WHERE status = 'active') AS in_use,
       (SELECT count(*) FROM public_map.devices WHERE status = 'in_notice_period') AS announced,
       (SELECT coalesce(sum(ST_Area(geom::geography)), 0) / 1e6 FROM public_map.coverage) AS reached_km2,
       (SELECT coalesce(sum(ST_Area(geom::geography)), 0) / 1e6 FROM public_map.patrol_areas
        WHERE status = 'effective') AS patrolled_km2
"""
_BY_AUTHORITY = """
SELECT authority_en, authority_zh, count(*) FILTER (WHERE status = 'active') AS in_use,
       count(*) FILTER (WHERE status = 'in_notice_period') AS announced,
       count(*) FILTER (WHERE status IN ('discontinued', 'retired')) AS ended
FROM public_map.devices GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""
_BY_YEAR = """
SELECT extract(year FROM activated_on)::integer AS year, count(*) AS begun,
       count(*) FILTER (WHERE origin <> 'live') AS asserted
FROM public_map.devices WHERE activated_on IS NOT NULL GROUP BY 1 ORDER BY 1 DESC LIMIT 30
"""
_BY_PURPOSE = """
SELECT item_name_en, item_name_zh, basis_title_en, basis_title_zh, count(*) AS in_use
FROM public_map.devices WHERE status = 'active' GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1 LIMIT 30
"""
_FLOWN = """
SELECT extract(year FROM flown_on)::integer AS year, count(*) AS flights,
       count(*) FILTER (WHERE flown = 'as_published') AS as_published
FROM public_map.flight_log GROUP BY 1 ORDER BY 1 DESC LIMIT 30
"""
_REPORTS = """
SELECT authority_en, authority_zh, year, part, due_on, submitted_on
FROM public_map.annual_reports ORDER BY year DESC, authority_en, part LIMIT 200
"""
_EVALUATED = """
SELECT extract(year FROM evaluated_on)::integer AS year, outcome, count(*) AS devices
FROM public_map.evaluations GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 90
"""


@dataclass(frozen=True)
class Figures:
    """All figures, read at one moment."""

    summary: Mapping[str, Any]
    by_authority: Rows
    by_year: Rows
    by_purpose: Rows
    flown: Rows
    reports: Rows
    evaluated: Rows


def figures_of(public: Connection) -> Figures:
    """The figures, from the views of the public map."""
    statements = (_BY_AUTHORITY, _BY_YEAR, _BY_PURPOSE, _FLOWN, _REPORTS, _EVALUATED)
    (summary,) = _rows(public, _SUMMARY)
    return Figures(summary, *(_rows(public, statement) for statement in statements))


def _rows(public: Connection, statement: str) -> Rows:
    return [dict(row) for row in public.execute(text(statement)).mappings()]


@section.page("/figures", GET=Permission.BROWSE)
def figures() -> str:
    """How much watches, in numbers."""
    outcomes = {code: gettext(word) for code, word in OUTCOMES.items()}
    return render_template("public/figures.html", figures=kept("figures", figures_of), outcomes=outcomes)
