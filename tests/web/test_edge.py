"""Headers, origins, hosts and bodies (promises P20, P21; reliability.md rows 63, 64)."""

from dataclasses import replace

import pytest

from schemas.tables import LoginAttempt
from tests.web.conftest import HTML, PASSWORD, SAME_ORIGIN
from web.app import create_app
from web.security import UnsafeBinding, is_loopback, refuse_plain_http

PAGES = ["/", "/list", "/rules", "/privacy", "/data", "/account/sign-in", "/nowhere", "/pilot", "/data/devices.geojson"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer__carries_the_security_headers(reader, path):
    headers = reader.get(path, headers=HTML).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["worker-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & set(" ".join(policy.values()).split())
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Server" not in headers or "Werkzeug" not in headers["Server"]


def test_private_pages__are_kept_by_no_cache(reading_as, reader):
    for code, path in (("F1", "/pilot"), ("O1", "/review"), ("O1", "/account"), ("O1", "/nowhere")):
        headers = reading_as(code).get(path, headers=HTML).headers
        assert headers["Cache-Control"] == "no-store"
        assert {"Cookie", "Accept-Language"} <= set(headers["Vary"].split(", "))
    assert reader.get("/list", headers=HTML).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/list", "/rules", "/account/sign-in"])
def test_pages__hold_no_inline_script_or_style(reader, path):
    body = reader.get(path, headers=HTML).text
    assert "<style" not in body
    assert " style=" not in body
    assert " onclick=" not in body
    assert all("src=" in tag for tag in body.split("<script")[1:])
    assert "//cdn" not in body
    assert "https://" not in body


@pytest.mark.parametrize(
    ("headers", "cookie", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, True, 403),
        ({"Sec-Fetch-Site": "same-site"}, True, 403),
        ({"Sec-Fetch-Site": "none"}, True, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, True, 403),
        ({"Origin": "https://evil.example"}, True, 403),
        ({"Origin": "null"}, True, 403),
        ({"Origin": "http://localhost.evil.example"}, True, 403),
        ({"Origin": "https://localhost"}, True, 403),
        ({}, True, 403),
        ({"Sec-Fetch-Site": "cross-site"}, False, 403),
        ({"Sec-Fetch-Site": "same-origin"}, True, 303),
        ({"Origin": "http://localhost"}, True, 303),
    ],
)
def test_post__from_elsewhere__refused(signed_in, client, headers, cookie, status):
    sender = signed_in("O1") if cookie else client
    answer = sender.post("/account/sign-out", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.get_json(force=True)["refusals"][0]["rule"] == "origin.foreign"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80"]
)
@pytest.mark.parametrize("path", ["/", "/list", "/nowhere", "/tiles/devices/1/1/1.mvt"])
def test_foreign_host__refused(reader, host, path):
    answer = reader.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "host.unknown"


@pytest.mark.parametrize("host", ["localhost", "localhost:8600", "127.0.0.1:8600", "[::1]:8600"])
def test_own_host__answered(reader, host):
    assert reader.get("/privacy", headers={"Host": host}).status_code == 200


@pytest.fixture
def behind_proxy(services, with_password):
    """A client as the TLS proxy in front of us would be."""
    with_password("O1")
    settings = services.settings.model_copy(update={"behind_tls_proxy": True, "trusted_hosts": "watch.example"})
    house = replace(services, settings=settings)
    yield create_app(house).test_client()
    house.close()


def through_proxy(client, *, address="192.0.2.7", password=PASSWORD, origin="https://watch.example"):
    data = {"name": "O1", "password": password}
    hops = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https", "Host": "watch.example", "Origin": origin}
    return client.post("/account/sign-in", data=data, headers={**hops, **HTML})


def test_behind_a_tls_proxy__cookie_and_transport_are_bound_to_https(behind_proxy):
    answer = through_proxy(behind_proxy)
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-sid=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    assert through_proxy(behind_proxy, origin="http://watch.example").status_code == 403


def test_behind_a_tls_proxy__throttle__counts_the_hop_that_the_proxy_saw(behind_proxy, services):
    # What a client writes into the header itself stands before what the proxy adds.
    for number in range(3):
        through_proxy(behind_proxy, address=f"10.{number}.0.1, 192.0.2.7", password="wrong")
    with services.session() as db:
        networks = db.query(LoginAttempt.bucket).filter(LoginAttempt.bucket.like("network:%")).distinct().count()
    assert networks == 1


def test_without_a_proxy__forwarded_headers__say_nothing(client):
    answer = client.get("/privacy", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


def test_body__above_the_limit__413(reader):
    answer = reader.post("/account/sign-in", data={"name": "O1", "password": "x" * (10 << 20)}, headers=SAME_ORIGIN)
    assert answer.status_code == 413
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "body.too_large"


def test_plain_http__on_a_network__refused_with_the_reason():
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org", "", "10.0.0.1"):
        with pytest.raises(UnsafeBinding, match="plain http"):
            refuse_plain_http(host, behind_tls_proxy=False)


def test_plain_http__on_loopback_or_behind_a_tls_proxy__served():
    for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"):
        refuse_plain_http(host, behind_tls_proxy=False)
        assert is_loopback(host)
    refuse_plain_http("0.0.0.0", behind_tls_proxy=True)
