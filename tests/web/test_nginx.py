"""The cache in front of the tiles as docs/nginx.conf sets it up: kept, asked for news, and nothing personal in it."""

import http.client
import shutil
import subprocess
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving import served
from tests.simulated import free_port
from tests.web.test_tiles import tile_address
from web.public import tiles

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "nginx.conf"
TILE = "/tiles/devices/{}/{}/{}.mvt".format(*tile_address(113.27, 23.13, 12))
AROUND = """
{user}
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {documented}
}}
"""


def set_up(home: Path, port: int, behind: int) -> Path:
    """The documented configuration with addresses of this test and without certificates."""
    text = DOCUMENTED.read_text(encoding="utf-8")
    for theirs, ours in (
        ("/var/cache/nginx/skywarden", f"{home}/cache"),
        ("server 127.0.0.1:8600;", f"server 127.0.0.1:{behind};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        ("server_name map.example.org;", "server_name localhost;"),
        ("ssl_certificate /etc/ssl/map.example.org.pem;", ""),
        ("ssl_certificate_key /etc/ssl/private/map.example.org.key;", ""),
    ):
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    # Its own account could not enter the folder of a test that runs as root.
    user = "user root;" if home.owner() == "root" else ""
    written = home / "nginx.conf"
    written.write_text(AROUND.format(user=user, home=home, documented=text), encoding="utf-8")
    return written


@pytest.fixture
def front(services, tmp_path):
    """The port of nginx in front of our pages."""
    port = free_port()
    with served(services) as behind:
        command = [NGINX, "-e", f"{tmp_path}/error.log", "-p", str(tmp_path), "-c", str(set_up(tmp_path, port, behind))]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                ends = time.monotonic() + 30
                while not answers(port):
                    assert process.poll() is None, (tmp_path / "error.log").read_text()
                    assert time.monotonic() < ends
                    time.sleep(0.02)
                yield port
            finally:
                process.terminate()
                process.wait(30)


def answers(port):
    try:
        return get(port, "/privacy").status == 200
    except OSError:
        return False


def get(port, path, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        answer.body = answer.read()
        return answer


def kept(answer):
    return answer.headers["X-Cache"]


def test_tile__asked_for_again__comes_from_the_cache(front):
    first, again = get(front, TILE), get(front, TILE)
    assert (kept(first), kept(again)) == ("MISS", "HIT")
    assert again.body == first.body != b""
    assert again.headers["ETag"] == first.headers["ETag"]
    held = get(front, TILE, If_None_Match=first.headers["ETag"])
    assert (held.status, held.body) == (304, b"")


def test_tile__packed_and_plain__are_kept_apart(front):
    plain = get(front, TILE)
    packed = get(front, TILE, Accept_Encoding="br;q=1.0, gzip;q=0.8, *;q=0.1")
    assert kept(packed) == "MISS"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert kept(get(front, TILE, Accept_Encoding="gzip, deflate")) == "HIT"
    assert get(front, TILE, Accept_Encoding="gzip").body == packed.body != plain.body


def test_tile__when_its_minute_is_over__is_asked_for_news(front, admin, monkeypatch):
    monkeypatch.setattr(tiles, "FRESH_S", 1)
    first = get(front, TILE)
    time.sleep(2.1)
    same = get(front, TILE)
    assert (kept(same), same.body) == ("REVALIDATED", first.body)
    admin.execute("UPDATE core.device SET state = 'maintenance' WHERE public_id = 'DV-DR1'")
    time.sleep(2.1)
    anew = get(front, TILE)
    assert kept(anew) == "EXPIRED"
    assert anew.body != first.body
    assert b"maintenance" in anew.body


def test_tile__asked_for_by_many_at_once__is_drawn_for_one(front):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(front, TILE))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.body for answer in found}) == 1
    assert Counter(map(kept, found)) == {"MISS": 1, "HIT": 19}


def test_cookie__of_a_reader__reaches_no_tile_and_none_is_kept(front):
    get(front, TILE)
    answer = get(front, TILE, Cookie="sid=secret; lang=zh")
    assert kept(answer) == "HIT"
    assert "Set-Cookie" not in get(front, f"{TILE}?lang=zh").headers


def test_page__is_never_kept(front):
    for path in ("/", "/list", "/account/sign-in", "/privacy", "/privacy"):
        answer = get(front, path)
        assert answer.status == 200
        assert "X-Cache" not in answer.headers


def test_refusal__is_not_kept(front):
    for _ in range(2):
        answer = get(front, "/tiles/devices/40/0/0.mvt")
        assert (answer.status, kept(answer)) == (422, "MISS")
