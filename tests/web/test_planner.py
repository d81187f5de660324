"""The planner's desk: drafts on their way, refusals at their fields, what came back, files told row by row."""

from __future__ import annotations

import pytest

from tests.web.conftest import HTML


@pytest.mark.parametrize(
    "path",
    [
        "/planner",
        "/planner/plans/new",
        "/planner/plans/import",
        "/planner/devices/new",
        "/planner/devices/import",
        "/planner/areas/new",
        "/planner/points/new",
        "/planner/areas/PA1",
    ],
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page__for_a_planner__is_there(reading_as, path, lang):
    answer = reading_as("N1").get(path, query_string={"lang": lang}, headers=HTML)
    assert answer.status_code == 200, answer.text[-600:]
