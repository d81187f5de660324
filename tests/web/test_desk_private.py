"""The page of a legal reviewer: findings that a later privacy zone shuts, and their release (GD-43)."""

from __future__ import annotations

import html
import json

import pytest
from click.testing import CliRunner

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import make_findings
from tests.web.test_desk_zones import add_zone
from web.cli.common import State
from web.cli.finding import finding as command

PAGE = "/review/private"
FORM = {**HTML, **SAME_ORIGIN}


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def shut(services, tmp_path, admin):
    (found,) = make_findings(services, tmp_path, count=1)
    add_zone(admin)
    return found


def shown(client, lang="en"):
    return html.unescape(client.get(f"{PAGE}?lang={lang}", headers=HTML).text)


def send(client, subject, **fields):
    return client.post(f"{PAGE}/{subject}", data=fields, headers=FORM)


def test_GD_43__reviewer__sees_what_shuts_it_and_no_outline(signed_in, shut):
    page = shown(signed_in("L1"))
    assert "1 finding is shut because its ground became private" in page
    for told in (shut, "Dormitory", "PZ-LATE", "Possible excavation", "O1"):
        assert told in page
    for hidden in ("113.26", "<img", "coordinates", "/tiles/"):
        assert hidden not in page


def test_GD_43__waits_for_the_reviewer__at_the_top_of_the_desk(signed_in, shut):
    reviewer = signed_in("L1")
    page = html.unescape(reviewer.get("/reviews", headers=HTML).text)
    assert "1 shut finding to decide on" in page
    assert f'href="{PAGE}"' in page
    assert send(reviewer, shut, decision="release", reason="danger to a well").status_code == 303
    assert "shut finding to decide on" not in reviewer.get("/reviews", headers=HTML).text


def test_GD_43__released_and_shut_again__officer_sees_it_in_between(signed_in, shut):
    reviewer, officer = signed_in("L1"), signed_in("O1")
    assert officer.get(f"/review/{shut}").status_code == 409
    assert send(reviewer, shut, decision="release", reason="danger to a well").status_code == 303
    # The pictures wait for their mask, the outline and the facts do not.
    assert officer.get(f"/review/{shut}").status_code == 200
    assert officer.get(f"/review/{shut}/after.png").status_code == 409
    page = shown(reviewer)
    assert "danger to a well" in page
    release = page[page.index("/review/private/RL-") :].split('"')[0].rsplit("/", 1)[1]
    assert send(reviewer, release, decision="withdraw", reason="enough").status_code == 303
    assert "Shut again" in shown(reviewer)
    assert officer.get(f"/review/{shut}").status_code == 409


def test_GD_43__no_reason__refused_with_the_form_as_it_was(signed_in, shut):
    answer = send(signed_in("L1"), shut, decision="release", reason=" ")
    assert answer.status_code == 409
    assert "Nothing was recorded" in answer.text


@pytest.mark.parametrize("subject", ["DT-NONE", "RL-NONE"])
def test_GD_43__unknown_or_of_another_authority__404(signed_in, shut, subject):
    decision = "release" if subject.startswith("DT") else "withdraw"
    assert send(signed_in("L1"), subject, decision=decision, reason="x").status_code == 404


def test_GD_43__supervisor__reads_and_releases_nothing(signed_in, shut):
    supervisor = signed_in("S1")
    page = shown(supervisor)
    assert shut in page
    assert "<form" not in page[page.index("<main") :]
    assert send(supervisor, shut, decision="release", reason="x").status_code == 403


def test_GD_43__nothing_shut__says_what_will_appear(reading_as):
    assert "Findings appear here when a zone comes into force" in shown(reading_as("L1"))


def test_GD_43__command_line__listed_released_and_shut_again(services, shut):
    def run(*words):
        state = State("en")
        state._services = services
        result = CliRunner().invoke(command, [*words, "--as", "L1", "--json"], obj=state)
        return json.loads(result.output)

    assert [one["id"] for one in run("private")["findings"]] == [shut]
    released = run("release", shut, "--reason", "danger to a well")
    assert released["state"] == "granted"
    assert run("private")["findings"] == []
    assert run("shut", released["release"], "--reason", "enough")["state"] == "withdrawn"
    assert [one["id"] for one in run("private")["findings"]] == [shut]
