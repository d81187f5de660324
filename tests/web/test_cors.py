"""Pages of other sites read what programs may read, without cookies; no page, form or desk is theirs to read."""

import pytest

from tests.web.conftest import HTML
from web.opendata.cors import PUBLIC_READS, is_public_read
from web.permissions import Audience

ELSEWHERE = {"Origin": "https://elsewhere.example"}
READS = [
    "/data/devices.geojson",
    "/data/devices.csv",
    "/tiles/devices/11/1668/887.mvt",
    "/tiles/devices.json",
    "/ogc",
    "/ogc/collections/devices/items",
    "/openapi.json",
]
PAGES = ["/", "/list", "/data", "/rules", "/device/DV-DV1", "/account/sign-in", "/review", "/registry", "/sta/v1.1"]


@pytest.mark.parametrize("path", [*READS, "/tiles/devices/99/0/0.mvt", "/ogc/collections/nothing", "/data/person.csv"])
def test_cors__public_read__is_open_to_any_site_and_lends_no_session(reader, path):
    answer = reader.get(path, headers=ELSEWHERE)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", READS)
def test_cors__language_in_the_address_of_a_public_read__sets_no_cookie(reader, path):
    assert "Set-Cookie" not in reader.get(f"{path}?lang=zh", headers=ELSEWHERE).headers


@pytest.mark.parametrize("path", PAGES)
def test_cors__page_or_desk__is_for_its_own_site_alone(reader, path):
    answer = reader.get(path, headers={**ELSEWHERE, **HTML})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("path", READS)
def test_cors__preflight_of_a_read__says_what_may_be_asked(reader, path):
    asked = {**ELSEWHERE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    answer = reader.options(path, headers=asked)
    assert (answer.status_code, answer.data) == (204, b"")
    assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/account/sign-in", "POST"), ("/data/devices.csv", "POST"), ("/tiles/devices/1/1/1.mvt", "PUT")],
)
def test_cors__preflight_of_anything_else__405(reader, path, method):
    answer = reader.options(path, headers={**ELSEWHERE, "Access-Control-Request-Method": method})
    assert answer.status_code == 405
    assert "Access-Control-Allow-Methods" not in answer.headers


@pytest.mark.parametrize("path", READS)
def test_cors__writing_to_a_read__405(reader, path):
    assert reader.post(path, headers=ELSEWHERE).status_code in (403, 405)


def test_cors__every_route_below__is_public_and_only_read(app):
    for (rule, _), needs in app.needs.items():
        if is_public_read(rule):
            assert needs.audience is Audience.PUBLIC, rule
            assert set(needs.methods) == {"GET"}, rule
    assert all(prefix.startswith("/") for prefix in PUBLIC_READS)
