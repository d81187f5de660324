"""A finding prints as exactly one A4 page, however much there is to say of it, in both languages."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import text

from sensing.decisions import reject_detection
from web.desk.sheet import sheet

PERMIT = {
    "key": "law.permit_elsewhere",
    "params": {
        "number": "GD-2025-000123",
        "kind": "quarry",
        "holder": "Qinghe Sand and Gravel Company Limited (fictional)",
        "until": "2026-01-01",
        "share": 0.21,
    },
}
PERMITS = [
    {"id": f"CF-{n}", "number": f"GD-2025-00012{n}", "allows": "quarry", "until": "2026-01-01", "share": 0.21}
    for n in range(6)
]
RISK = [{"key": "risk.place", "params": {"risk": 74, "days": 7, "due": "2025-07-08"}}]
FIT = {
    "shift_columns_px": -0.26,
    "shift_rows_px": 0.68,
    "residual_px": 0.31,
    "windows": 16,
    "agreeing": 15,
    "gsd_m": 0.6,
}
CHAIN = {"models": {"pixel": "a" * 64, "object": "b" * 64}, "window": [12345, 12345, 1234, 1234]}


@pytest.fixture(scope="module")
def talkative(site):
    """A finding of which more is on record than fits on a page."""
    values = {"trace": [PERMIT] * 14, "context": {"permits": PERMITS}, "risk": RISK, "chain": CHAIN}
    engine = site.services.database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text(
                "UPDATE core.detection SET rule_trace = :trace, context = :context, risk_trace = :risk, risk = 74,"
                " provenance = :chain WHERE public_id = :id"
            ),
            {name: json.dumps(value) for name, value in values.items()} | {"id": site.findings[0]},
        )
        connection.execute(
            text(
                "UPDATE core.segmentation_run SET stretch_sha256 = :sha, features_sha256 = :sha, coregistration = :fit"
            ),
            {"sha": "c" * 64, "fit": json.dumps(FIT)},
        )
    engine.dispose()
    with site.services.work(site.services.actor("O1")) as unit:
        reject_detection(unit, site.findings[0], "said at length " * 30, seen=1, code="ploughed_field")
        unit.commit()
    return site.findings[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_sheet__printed__one_page_of_a4(site, browser, talkative, lang):
    for finding in (talkative, site.findings[1]):
        with site.services.session() as db:
            html = sheet(site.services, db, site.services.actor("O1"), finding, lang)
        page = browser.new_page()
        page.set_content(html)
        printed = page.pdf(prefer_css_page_size=True, print_background=True)
        page.close()
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
        width, height = map(float, re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)", printed).groups())
        assert (width / 72 * 25.4, height / 72 * 25.4) == (pytest.approx(210, abs=1), pytest.approx(297, abs=1))
