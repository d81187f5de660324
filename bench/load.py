"""Asks a web server on loopback for many paths over several connections that stay open. Touches the network."""

from __future__ import annotations

import gzip
import http.client
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

HOST = "127.0.0.1"
TIMEOUT_S = 60
START_TIMEOUT_S = 60


class ServerFailed(Exception):
    """The server does not start, or answers other than 200; the text says which."""


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
            dict(_fetched(port, [path]))
        except (OSError, http.client.HTTPException, ServerFailed):
            time.sleep(0.2)
        else:
            return
    raise ServerFailed(f"no answer to {path}")


def fetch(port: int, paths: Sequence[str], connections: int) -> list[bytes]:
    """The body of every path as it came over the wire, in the order of the paths."""
    shares = [paths[start::connections] for start in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        bodies = dict(pair for share in pool.map(lambda part: list(_fetched(port, part)), shares) for pair in share)
    return [bodies[path] for path in paths]


def _fetched(port: int, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        for path in paths:
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise ServerFailed(f"{path}: {answer.status}")
            yield path, body
    finally:
        connection.close()


def unpacked(body: bytes) -> bytes:
    """A body without its gzip, where it has one."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
