"""Errors tell a stranger nothing, and tell a reader what to do (promises P19, P30)."""

import json
import re

import pytest
from sqlalchemy.exc import OperationalError

from tests.web.conftest import HTML, SAME_ORIGIN
from web.permissions import Audience, Permission, Section

LEAKS = re.compile(r"Traceback|File \"|\.py\b|sqlalchemy|psycopg|SELECT |core\.|/home/|/root/|Exception", re.IGNORECASE)


def problem_of(answer):
    assert answer.mimetype == "application/problem+json"
    body = json.loads(answer.data)
    assert body["status"] == answer.status_code
    assert set(body) == {"type", "title", "status", "refusals"}
    for refusal in body["refusals"]:
        assert {"rule", "message", "fix"} <= set(refusal)
    assert not LEAKS.search(answer.text)
    return body


@pytest.fixture
def broken(services):
    """The application with pages that fail."""
    from web import app as module

    section = Section("broken", __name__, Audience.PUBLIC)

    @section.page("/broken", GET=Permission.BROWSE)
    def broken():
        raise ZeroDivisionError("SELECT secret FROM core.person /home/x.py")

    @section.page("/away", GET=Permission.BROWSE)
    def away():
        raise OperationalError("SELECT 1", {}, Exception("psycopg says no"))

    @section.page("/deep", GET=Permission.BROWSE)
    def deep():
        return deep()

    made = module.create_app(services)
    made.register_blueprint(section)
    return made.test_client()


def test_unknown_exception__is_an_incident_without_details(broken):
    body = problem_of(broken.get("/broken"))
    assert body["status"] == 500
    assert re.search(r"incident [0-9a-f]{8}", body["refusals"][0]["message"])


def test_unknown_exception__as_a_page__tells_no_details(broken):
    answer = broken.get("/broken", headers=HTML)
    assert answer.status_code == 500
    assert not LEAKS.search(answer.text)


def test_recursion__is_an_incident_and_not_a_crash(broken):
    assert broken.get("/deep").status_code == 500


def test_database_away__503_with_retry_after(broken):
    answer = broken.get("/away")
    assert problem_of(answer)["status"] == 503
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/list", 405),
        ("DELETE", "/list", 405),
        ("PUT", "/account/sign-in", 405),
        ("PATCH", "/", 405),
        ("TRACE", "/", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/static/" + "x" * 300 + ".js", 404),
        ("GET", "/static/mark.svg/x.js", 404),
        ("GET", "/static/dist", 404),
        ("GET", "/device/DV-0", 404),
        ("GET", "/device/%00", 404),
        ("GET", "/device/" + "x" * 5000, 404),
        ("GET", "/list?layer=nothing", 422),
        ("GET", "/list?page=-1", 422),
        ("GET", "/list?page=1e9", 422),
        ("GET", "/list?kind=name;drop", 422),
        ("GET", "/list?sort=name;drop", 422),
        ("GET", "/list?q=%00", 422),
        ("GET", "/?lon=nan&lat=1", 422),
        ("GET", "/?lon=1e999&lat=1", 422),
        ("GET", "/?lon=500&lat=1", 422),
        ("GET", "/?lon=113.27", 422),
        ("GET", "/?q=%00", 422),
        ("GET", "/data/person.geojson", 404),
        ("GET", "/data/devices.geojson.bak", 404),
    ],
)
def test_bad_request__stated_answer(reader, method, path, status):
    answer = reader.open(path, method=method, headers=SAME_ORIGIN)
    assert answer.status_code == status
    problem_of(answer)


def test_error__in_a_browser__is_a_page_in_the_readers_language(reader):
    answer = reader.get("/nowhere?lang=zh", headers=HTML)
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "该地址没有页面" in answer.text


@pytest.mark.parametrize("path", ["/privacy", "/ask", "/ask/status", "/subscribe", "/zone-requests/new"])
def test_head__answers_as_get(reader, path):
    told, asked = reader.get(path), reader.head(path)
    assert (asked.status_code, asked.headers["Content-Type"], asked.data) == (200, told.headers["Content-Type"], b"")
    assert asked.headers["Cache-Control"] == told.headers["Cache-Control"]
