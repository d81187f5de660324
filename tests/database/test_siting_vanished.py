"""Questions of siting whose study is thrown away while they are answered."""

from __future__ import annotations

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import select

from geo.commands import studies
from geo.commands.studies import NewStudy
from geo.coverage.asked import Asked
from geo.siting.solve import solve
from schemas.refusals import RuleViolation
from schemas.tables import Authority, CoverageStudy, SitingRun
from tests.world import PA1
from web import planning_jobs, siting_jobs
from web.cli.common import State
from web.cli.siting import siting


@pytest.fixture
def study(work, services):
    with work("N1") as doing:
        owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        made = studies.draft_study(doing, NewStudy(title="T", authority=owner, ground=PA1, asked=Asked()))
        doing.commit()
        name = made.public_id
    assert planning_jobs.do_next(services)
    return name


@pytest.mark.parametrize("breaks", [False, True])
def test_siting_ask__its_study_vanishes_meanwhile__refused_with_what_to_do(services, work, study, monkeypatch, breaks):
    def solver(given, _progress):
        with work("N1") as doing:
            gone = doing.session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == study)).one()
            studies.remove_study(doing, gone)
            doing.commit()
        if breaks:
            raise KeyError("what was asked about")
        return solve(given)

    monkeypatch.setattr(siting_jobs.do_next, "__kwdefaults__", {"run_id": None, "solver": solver})
    state = State("en")
    state._services = services
    words = ["ask", study, "--count", "1", "--spacing-m", "250", "--range-m", "200", "--now", "--as", "N1"]
    with structlog.testing.capture_logs():
        answer = CliRunner().invoke(siting, words, obj=state)
    assert isinstance(answer.exception, RuleViolation), answer.exception
    (refused,) = answer.exception.refusals
    assert (answer.exception.status, refused.text) == (404, "siting.run_gone")
    assert "ask again" in refused.fix()
    with services.session() as session:
        assert session.scalars(select(SitingRun)).all() == []
