"""Rates: who asks too often is told when to go on; others, and what is not counted, go on."""

import re
from types import SimpleNamespace

import pytest

from schemas.limits import LIMITS, Limit
from tests.web.conftest import HTML
from web.app import create_app
from web.permissions import Audience
from web.rates import Rates
from web.settings import Settings
from web.wiring import Services

FEW = 3
MIDDLE_OF_A_MINUTE_S = 1_750_000_030.0


@pytest.fixture
def few(monkeypatch):
    # Counts are of minutes of the wall, and one that ends between two requests gives room for more.
    clock = SimpleNamespace(time=lambda: MIDDLE_OF_A_MINUTE_S)
    for module in ("web.rates", "limits.strategies", "limits.storage.memory"):
        monkeypatch.setattr(f"{module}.time", clock)
    for name in ("rate.pages", "rate.tiles", "rate.data"):
        monkeypatch.setitem(LIMITS, name, Limit(FEW, "a minute", "a test", "a test"))


@pytest.fixture
def counted(server, world_template, tmp_path, clock, few):
    name = server.clone(world_template)
    services = Services(Settings(data_dir=tmp_path, rate_limits=True), server.database(name), clock)
    yield create_app(services)
    services.close()
    server.drop(name)


def asked(app, path, times, address="203.0.113.7", **headers):
    client = app.test_client()
    return [client.get(path, headers=headers, environ_base={"REMOTE_ADDR": address}) for _ in range(times)]


def test_rates__one_network_too_often__429_that_says_when_to_go_on(counted):
    answers = asked(counted, "/tiles/devices/12/3336/1773.mvt", FEW + 1)
    assert [a.status_code for a in answers] == [200] * FEW + [429]
    refusal = answers[-1].get_json(force=True)["refusals"][0]
    assert answers[-1].mimetype == "application/problem+json"
    assert refusal["rule"] == "rate.exceeded"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert "no-store" in answers[-1].headers["Cache-Control"] or "no-cache" in answers[-1].headers["Cache-Control"]


def test_rates__page__is_told_as_a_page(counted):
    answer = asked(counted, "/privacy", FEW + 1, **HTML)[-1]
    assert answer.status_code == 429
    assert answer.mimetype == "text/html"
    assert re.search(r"Go on in \d+ s", answer.text)


def test_rates__neighbour_in_the_network__shares_its_count_and_another_network_does_not(counted):
    asked(counted, "/privacy", FEW, "203.0.113.7")
    assert asked(counted, "/privacy", 1, "203.0.113.250")[0].status_code == 429
    assert asked(counted, "/privacy", 1, "198.51.100.1")[0].status_code == 200
    asked(counted, "/privacy", FEW, "2001:db8:1:1::1")
    assert asked(counted, "/privacy", 1, "2001:db8:1:1:ffff::9")[0].status_code == 429
    assert asked(counted, "/privacy", 1, "2001:db8:1:2::1")[0].status_code == 200


def test_rates__one_bucket_full__others_have_room(counted):
    asked(counted, "/privacy", FEW + 1)
    assert asked(counted, "/tiles/devices/12/3336/1773.mvt", 1)[0].status_code == 200
    assert asked(counted, "/data/devices.geojson", 1)[0].status_code == 200


def test_rates__files_of_the_pages__are_not_counted(counted):
    assert {a.status_code for a in asked(counted, "/static/mark.svg", FEW + 3)} == {200}


def test_rates__switched_off__counts_nothing(services, few):
    assert not services.settings.rate_limits
    assert {a.status_code for a in asked(create_app(services), "/privacy", FEW + 3)} == {200}


def test_rates__what_is_kept__is_no_address(few):
    rates = Rates()
    rates.wait_s("pages", "203.0.113.7")
    kept = str(rates._limiter.storage.storage)
    assert "pages" in kept
    assert "203.0.113" not in kept
    assert Rates()._network("203.0.113.7") != rates._network("203.0.113.7")


def test_rates__every_public_route_and_no_desk__is_counted(app):
    for (rule, _), needs in app.needs.items():
        if rule.startswith("/static/"):
            assert needs.rate is None
        else:
            assert (needs.rate is not None) == (needs.audience is Audience.PUBLIC), rule
            assert needs.rate is None or f"rate.{needs.rate}" in LIMITS
