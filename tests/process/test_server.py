"""The server itself, on a real socket: what no test client sends (promises P19, P21)."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import free_port
from tests.process.flying import until
from web import server as module
from web.public.basemap import ARCHIVE, MAGIC

ROOT = Path(__file__).resolve().parents[2]
SAME_ORIGIN = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded"
# Read by the process that serves: a slow client is ended after three seconds instead of half a minute, and goes on when
# it takes 256 kB a second.
SLOWEST_S = 3.0
LARGE_BYTES = 24 << 20
SERVE = (
    "import web.cli, web.server as s; s.SLOWEST_HEAD_S = s.SLOWEST_REQUEST_S = 3.0; "
    "s.SLOWEST_READER_BYTES_PER_S = 256 << 10; web.cli.main()"
)


class Live:
    """A server process and the ways to speak with it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def status(self, request: str) -> int:
        """The status of the answer to a request as it is written, byte by byte."""
        with self.connect() as talk:
            talk.sendall(request.encode("latin-1"))
            answer = b""
            while b"\r\n" not in answer and (piece := talk.recv(4096)):
                answer += piece
        return int(answer.split()[1]) if answer else 0

    def answers(self) -> float:
        """How long an honest request takes, in seconds."""
        began = time.monotonic()
        talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        talk.request("GET", "/privacy")
        assert talk.getresponse().status == 200
        talk.close()
        return time.monotonic() - began


@pytest.fixture(scope="module")
def environment(server, world_template, tmp_path_factory) -> Iterator[dict[str, str]]:
    name = server.clone(world_template)
    folder = tmp_path_factory.mktemp("data")
    settings = {
        "DATABASE_URL": server.database(name).admin_url,
        "DATA_DIR": str(folder),
        "BASEMAP": str(large_archive(folder)),
    }
    yield os.environ | {f"SKYWARDEN_{key}": value for key, value in settings.items()}
    server.drop(name)


def large_archive(folder: Path) -> Path:
    """The settings of a base map whose one file is larger than what lies between two sockets."""
    archive, settings = folder / "large.pmtiles", folder / "basemap.toml"
    archive.write_bytes(MAGIC + bytes(LARGE_BYTES - len(MAGIC)))
    words = 'attribution_en = "Map"\nattribution_zh = "地图"\n'
    settings.write_text(f'kind = "pmtiles"\npath = "{archive}"\n{words}', encoding="utf-8")
    return settings


@pytest.fixture(scope="module")
def live(environment) -> Iterator[Live]:
    port = free_port()
    command = [sys.executable, "-c", SERVE, "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        made = Live(port)
        until(lambda: comes_up(made))
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)


def comes_up(live: Live) -> bool:
    with contextlib.suppress(ConnectionError):
        return live.answers() >= 0
    return False


def form(body: str, *headers: str, path: str = "/account/sign-in") -> str:
    lines = "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", SAME_ORIGIN, *headers])
    return f"{lines}\r\n\r\n{body}"


def test_server__odd_requests__stated_and_never_5xx(live):
    chunked = "Transfer-Encoding: chunked"
    for request, status in (
        (form("name=a", "Content-Length: 6", path="/account/sign-out"), 401),
        (form("", "Content-Length: 0", path="/account/sign-out"), 401),
        (form("", path="/account/sign-out"), 401),
        (form("6\r\nname=a\r\n0\r\n\r\n", chunked), 411),
        (form("zz\r\nname=\r\n0\r\n\r\n", chunked), 411),
        (form("name=", "Content-Length: -1"), 400),
        (form("0\r\n\r\n", chunked, "Content-Length: 5"), 400),
        (form("name=", "Content-Length: 99999999999999999999"), 413),
        # Only a proxy that the operator named may speak for somebody else, and none was.
        ("GET /privacy HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /evil\r\n\r\n", 200),
        ("GET /privacy HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\r\n", 200),
    ):
        assert live.status(request) == status, request[:200]


def test_server__body_cut_short__is_not_taken_for_the_whole(live):
    with live.connect() as talk:
        talk.sendall(form("name=nobody&password=half-a-pass", "Content-Length: 40").encode())
        talk.shutdown(socket.SHUT_WR)
        assert talk.recv(100).split()[1] == b"400"


def test_server__scheme_said_by_a_stranger__not_believed(live):
    talk = http.client.HTTPConnection("127.0.0.1", live.port, timeout=60)
    talk.request("GET", "/privacy", headers={"X-Forwarded-Proto": "https"})
    assert talk.getresponse().getheader("Strict-Transport-Security") is None
    talk.close()


def test_server__connections_that_say_nothing__hold_nobody_up(live):
    with contextlib.ExitStack() as silent:
        # Were each held by a thread until it is ended, the answer would come after six times three seconds.
        for _ in range(6 * module.THREADS):
            silent.enter_context(live.connect())
        time.sleep(0.2)
        assert live.answers() < 12


@pytest.mark.parametrize("begun", ["GET / HTTP/1.1\r\nHost: loc", form("name=", "Content-Length: 1000")])
def test_server__requests_that_never_end__are_ended(live, begun):
    with contextlib.ExitStack() as slow:
        for _ in range(module.THREADS):
            slow.enter_context(live.connect()).sendall(begun.encode())
        time.sleep(0.2)
        assert live.answers() < 25


def test_serve__port_taken__said_in_a_line(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "web.cli", "serve", "--port", port]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "SKYWARDEN_PORT" in ended.stderr


def downloading(live: Live, stack: contextlib.ExitStack) -> socket.socket:
    """A connection on which a large file was asked for and nothing was read yet, with little room on the way."""
    talk = stack.enter_context(socket.socket())
    talk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    talk.settimeout(60)
    talk.connect(("127.0.0.1", live.port))
    talk.sendall(f"GET {ARCHIVE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return talk


def test_server__large_file_on_a_slow_line__comes_whole(live):
    with contextlib.ExitStack() as stack:
        talk, got, began = downloading(live, stack), bytearray(), time.monotonic()
        while piece := talk.recv(1 << 16):
            got += piece
            time.sleep(0.03)
    assert time.monotonic() - began > 2 * SLOWEST_S
    head, _, body = bytes(got).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == LARGE_BYTES


def test_server__files_that_nobody_reads__hold_nobody_up_and_are_ended(live):
    with contextlib.ExitStack() as stack:
        asked = [downloading(live, stack) for _ in range(2 * module.THREADS)]
        time.sleep(0.2)
        assert live.answers() < 25
        talk = asked[0]
        got = 0
        with contextlib.suppress(ConnectionError):
            while piece := talk.recv(1 << 20):
                got += len(piece)
        assert got < LARGE_BYTES


def test_server__many_long_downloads__leave_threads_for_everybody_else(live):
    with contextlib.ExitStack() as stack:
        asked = [downloading(live, stack) for _ in range(module.THREADS)]
        ends = time.monotonic() + 2.5 * SLOWEST_S
        while time.monotonic() < ends:
            for talk in asked:
                with contextlib.suppress(ConnectionError):
                    talk.recv(1 << 15)
            time.sleep(0.03)
        assert live.answers() < SLOWEST_S


def test_server__readers_that_never_hang_up__hold_nobody_up_and_are_let_go(live):
    with contextlib.ExitStack() as stack:
        began, talks = time.monotonic(), []
        for _ in range(module.THREADS):
            talks.append(stack.enter_context(live.connect()))
            talks[-1].sendall(b"GET /privacy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while talks[-1].recv(1 << 16):
                pass
        # Were each waited for in its turn, this would take eight times two seconds.
        assert time.monotonic() - began < module.THREADS
        # What is said into a connection that was let go is answered by its end.
        until(lambda: all(is_gone(talk) for talk in talks))


def is_gone(talk: socket.socket) -> bool:
    try:
        talk.sendall(b"x")
    except ConnectionError:
        return True
    return False
