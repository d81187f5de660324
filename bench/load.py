"""Asks a web server on loopback for many paths over several connections that stay open. Touches the network.

The client is bare, because it runs on the processors of the server: a line, the head, and as many bytes as it says.
"""

from __future__ import annotations

import gzip
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

HOST = "127.0.0.1"
TIMEOUT_S = 60
START_TIMEOUT_S = 60
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)


class ServerFailed(Exception):
    """The server does not start, or answers other than it should; the text says which."""


@dataclass(frozen=True)
class Answer:
    """What came over the wire: the status, the ETag if there is one, and the body as it was sent."""

    status: int
    tag: str
    body: bytes


class Line:
    """One connection that stays open from question to question."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, path: str, tag: str = "") -> Answer:
        """The answer to a GET; with a tag only what is newer than that. Raises ServerFailed where the line breaks."""
        condition = f"If-None-Match: {tag}\r\n" if tag else ""
        asked = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n{condition}\r\n"
        self._socket.sendall(asked.encode())
        while (end := self._left.find(b"\r\n\r\n")) < 0:
            self._left += self._received(path)
        head, self._left = self._left[: end + 2], self._left[end + 4 :]
        status, length, named = int(head[9:12]), _LENGTH.search(head), _TAG.search(head)
        if length is None and status != 304:
            raise ServerFailed(f"{path}: {status} of no stated length")
        size = int(length[1]) if length and status != 304 else 0
        parts, missing = [self._left], size - len(self._left)
        while missing > 0:
            parts.append(self._received(path))
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._left = whole[size:]
        return Answer(status, named[1].decode() if named else "", whole[:size])

    def _received(self, path: str) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ServerFailed(f"{path}: the connection was closed")
        return data


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(process: subprocess.Popen[str], port: int, path: str) -> None:
    """Returns when the server answers `path` with 200; raises ServerFailed where it ended or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with Line(port) as line:
                if line.ask(path).status == 200:
                    return
        except (OSError, ServerFailed):
            pass
        time.sleep(0.2)
    raise ServerFailed(f"no answer to {path}")


def fetch(port: int, paths: Sequence[str], connections: int) -> list[bytes]:
    """The body of every path as it came over the wire, in the order of the paths."""
    return [answer.body for answer in answers(port, paths, connections)]


def answers(
    port: int, paths: Sequence[str], connections: int, tags: Mapping[str, str] | None = None, status: int = 200
) -> list[Answer]:
    """The answer to every path, in the order of the paths; raises ServerFailed for one of another status.

    Each connection takes the next path as soon as it has its answer. With a share for each beforehand a turn would last
    as long as that process of the server which happened to take most of the connections.
    """
    left = iter(range(len(paths)))

    def asked(_connection: int) -> list[tuple[int, Answer]]:
        with Line(port) as line:
            found = [(number, line.ask(paths[number], tags[paths[number]] if tags else "")) for number in left]
        for number, answer in found:
            if answer.status != status:
                raise ServerFailed(f"{paths[number]}: {answer.status}")
        return found

    with ThreadPoolExecutor(connections) as pool:
        numbered = dict(pair for share in pool.map(asked, range(connections)) for pair in share)
    return [numbered[number] for number in range(len(paths))]


def unpacked(body: bytes) -> bytes:
    """A body without its gzip, where it has one."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
