"""Public answers are packed when they ask for it: once, never beside a session, never what comes in pieces."""

import gzip

import pytest
from flask import Response

from tests.web.conftest import HTML
from web.packing import LEAST_BYTES, takes_gzip

ASKED = {"Accept-Encoding": "gzip, deflate, br"}
PAGES = [
    "/",
    "/list",
    "/rules",
    "/device/DV-DV1",
    "/embed/map",
    "/openapi.json",
    "/feeds/changes.atom",
    "/ogc/collections?f=json",
]


@pytest.mark.parametrize("path", PAGES)
def test_public_page__gzip_asked__is_packed_and_says_so(reader, path):
    plain = reader.get(path, headers=HTML)
    packed = reader.get(path, headers=HTML | ASKED)
    assert plain.status_code == packed.status_code == 200
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"].split(", ")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("*", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0", False),
        ("*, gzip;q=0", False),
        ("gzip;q=0.2, identity", False),
        ("br, deflate", False),
        ("identity", False),
        ("", False),
        ("gzip;q=none", False),
        (";;;,,\x7f", False),
    ],
)
def test_gzip__asked_with_qualities__is_sent_where_it_is_wanted_at_least_as_much(accepted, packed):
    assert takes_gzip(accepted) is packed


@pytest.mark.parametrize("path", ["/openapi.json", "/feeds/changes.atom", "/ogc/collections/devices/items"])
def test_tag__packed_and_plain__is_weak_and_spares_the_next_answer(reader, path):
    packed = reader.get(path, headers=ASKED)
    assert packed.status_code == 200
    tag = packed.headers["ETag"]
    assert tag.startswith('W/"')
    assert reader.get(path).headers["ETag"] == tag
    spared = reader.get(path, headers=ASKED | {"If-None-Match": tag})
    assert spared.status_code == 304
    assert spared.headers["ETag"] == tag
    assert spared.data == b""
    assert "Content-Encoding" not in spared.headers
    assert "Accept-Encoding" in spared.headers["Vary"]


def test_head__gzip_asked__says_what_the_answer_would(reader):
    asked, told = reader.get("/rules", headers=ASKED), reader.head("/rules", headers=ASKED)
    assert told.data == b""
    for name in ("Content-Encoding", "Content-Length", "Vary"):
        assert told.headers[name] == asked.headers[name]


def test_session__whoever_has_one__gets_nothing_packed(reading_as, reader):
    for path in ("/", "/list", "/account", "/review"):
        assert "Content-Encoding" not in reading_as("O1").get(path, headers=HTML | ASKED).headers
    # Nor whoever has none and names one: what an answer weighs tells nothing of whose it is.
    reader.set_cookie("sid", "of nobody")
    assert "Content-Encoding" not in reader.get("/", headers=HTML | ASKED).headers


def test_language__remembered__is_no_secret_and_is_packed(reader):
    answer = reader.get("/list?lang=zh", headers=HTML | ASKED)
    assert "lang=zh" in answer.headers["Set-Cookie"]
    assert answer.headers["Content-Encoding"] == "gzip"


def test_sign_in__is_not_public__is_not_packed(reader):
    assert "Content-Encoding" not in reader.get("/account/sign-in", headers=HTML | ASKED).headers


@pytest.mark.parametrize("kind", ["geojson", "csv"])
def test_download__in_pieces__stays_as_it_is(reader, kind):
    answer = reader.get(f"/data/devices.{kind}", headers=ASKED)
    assert "Content-Encoding" not in answer.headers
    assert not answer.headers["ETag"].startswith("W/")
    assert reader.get(f"/data/devices.{kind}", headers=ASKED | {"Range": "bytes=0-9"}).status_code == 206


def test_packed_already__tiles_and_bundles__are_packed_once(reader):
    for path in ("/static/dist/app.js", "/static/dist/app.css"):
        answer = reader.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"].split(", ").count("Accept-Encoding") == 1
        assert gzip.decompress(answer.data)[:2] != b"\x1f\x8b"


@pytest.mark.parametrize("kind", ["text/html", "application/problem+json"])
def test_small_answer__stays_as_it_is(app, kind):
    @app.after_request
    def small(_response):
        return Response(b"x" * (LEAST_BYTES - 1), mimetype=kind)

    answer = app.test_client().get("/rules", headers=ASKED)
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_page__the_same_for_everybody__is_packed_once(reader, monkeypatch):
    reader.get("/privacy", headers=HTML | ASKED)
    monkeypatch.setattr("web.packing.compress", None)
    assert reader.get("/privacy", headers=HTML | ASKED).headers["Content-Encoding"] == "gzip"
