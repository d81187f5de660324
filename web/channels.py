"""Touches disk and network: the channels that publish for us, by files in a folder or by a service over HTTP."""

from __future__ import annotations

import http.client
import os
import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from geo.channels import Channel, ChannelFailed
from schemas.clock import Clock
from schemas.limits import limit
from sensing.originals import flush_directory
from web.http_signatures import content_digest, sign
from web.security import is_loopback

_NAME = re.compile(r"[A-Z]{2}-[0-9A-Z]{6,12}")
# Answers that another try may change; every other 4xx will be the same again.
_LATER = frozenset({408, 423, 425, 429})
_LONGEST_WAIT_S = 86_400.0
_SHORTEST_SECRET = 32


class ChannelsUnreadable(Exception):
    """The file that says how channels are reached cannot be used; the message is the line that start-up prints."""


class FolderChannel:
    """Files for an official platform that fetches and answers by files: `out/ID.json`, `in/ID.json`, `taken/ID.json`.

    A file appears whole or not at all.
    """

    def __init__(self, root: Path) -> None:
        self._out, self._in, self._taken = (root / name for name in ("out", "in", "taken"))

    def send(self, dispatch: str, document: bytes) -> None:
        """Write a document to be fetched; the same dispatch twice is one file."""
        _refuse_other_names(dispatch)
        try:
            for folder in (self._out, self._in, self._taken):
                folder.mkdir(parents=True, exist_ok=True)
            arriving = self._out / f".{dispatch}.part"
            with arriving.open("wb") as writer:
                writer.write(document)
                writer.flush()
                os.fsync(writer.fileno())
            arriving.replace(self._out / f"{dispatch}.json")
            flush_directory(self._out)
        except OSError as error:
            raise ChannelFailed("folder", type(error).__name__) from error

    def ask(self, dispatch: str) -> bytes | None:
        """The answer that lies there for a dispatch, or None."""
        path = self._in / f"{dispatch}.json"
        return _head_of(path) if path.is_file() and not path.is_symlink() else None

    def answers(self) -> Iterator[tuple[str, bytes]]:
        """The answers that lie there, by name; what is too large to be one comes as its first bytes."""
        for path in sorted(self._in.glob("*.json")):
            if path.is_file() and not path.is_symlink():
                yield path.name, _head_of(path)

    def put_away(self, dispatch: str) -> None:
        """Move an answer to those that were taken."""
        self._taken.mkdir(parents=True, exist_ok=True)
        name = f"{dispatch.removesuffix('.json')}.json"
        (self._in / name).replace(self._taken / name)


def _head_of(path: Path) -> bytes:
    with path.open("rb") as reader:
        return reader.read(limit("json.bytes") + 1)


def _refuse_other_names(dispatch: str) -> None:
    if not _NAME.fullmatch(dispatch):
        raise ValueError(f"no dispatch is called {dispatch!r}")


class HttpChannel:
    """A service that takes notices by POST and answers with a receipt, at once (200) or when it is asked later (202).

    Every request is signed (RFC 9421); a POST carries the dispatch as its `Idempotency-Key`, so that one whose
    answer was lost may be sent again. Later answers are fetched from the same address, a slash and the dispatch.
    """

    def __init__(self, about: HttpAccess, secret: bytes, clock: Clock) -> None:
        self._about, self._secret, self._clock = about, secret, clock

    def send(self, dispatch: str, document: bytes) -> bytes | None:
        """Hand a document over; gives the receipt where the service answers at once."""
        _refuse_other_names(dispatch)
        headers = {
            "content-type": "application/json",
            "content-digest": content_digest(document),
            "idempotency-key": f'"{dispatch}"',
        }
        status, body = self._request("POST", self._about.url, headers, document)
        return body if status in (200, 201) else None

    def ask(self, dispatch: str) -> bytes | None:
        """Ask for the receipt of what was handed over; None while the service has none."""
        _refuse_other_names(dispatch)
        status, body = self._request("GET", f"{self._about.url.rstrip('/')}/{dispatch}", {}, None)
        return body if status == 200 else None

    def put_away(self, dispatch: str) -> None:
        """Nothing lies about: what was answered is in the database."""

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        about = self._about
        created = self._clock.now()
        signed = sign(method, url, headers, key_id=about.key_id, secret=self._secret, created=created)
        until = time.monotonic() + about.timeout_s
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=about.timeout_s)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path or "/", body, {"Accept": "application/json", **headers, **signed})
            answer = connection.getresponse()
            return answer.status, _judged(answer, _read(connection, answer, until))
        except TimeoutError as error:
            raise ChannelFailed("timeout", f"{about.timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise ChannelFailed("unreachable", type(error).__name__) from error
        finally:
            connection.close()


def _read(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, until: float) -> bytes:
    """The body, or the first bytes of one that is too large; nobody keeps us waiting byte by byte."""
    most, found = limit("json.bytes") + 1, bytearray()
    while len(found) < most:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        part = answer.read1(min(65_536, most - len(found)))
        if not part:
            break
        found += part
    return bytes(found)


def _judged(answer: http.client.HTTPResponse, body: bytes) -> bytes:
    """The body of an answer that is one; raises ChannelFailed for every other."""
    if answer.status in (200, 201, 202, 204):
        return body
    lasting = not (answer.status >= 500 or answer.status in _LATER)
    raise ChannelFailed("status", str(answer.status), lasting=lasting, wait_s=_asked_to_wait(answer))


def _asked_to_wait(answer: http.client.HTTPResponse) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_WAIT_S) if said.isascii() and said.isdigit() and len(said) < 10 else 0.0


# -- how they are reached ------------------------------------------------------------------------------


class _Access(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FolderAccess(_Access):
    """A folder that both sides read and write."""

    kind: Literal["folder"]
    path: Path


class HttpAccess(_Access):
    """A service: its address, our name with it, the file of the shared secret, and how long a request may take."""

    kind: Literal["http"]
    url: str
    key_id: Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,80}$")]
    secret_file: Path
    timeout_s: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 10.0

    @field_validator("url")
    @classmethod
    def _private(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or parts.username:
            raise ValueError("it is no https:// address")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("plain http goes to this machine only")
        return url


Access = Annotated[FolderAccess | HttpAccess, Field(discriminator="kind")]
_FILE: TypeAdapter[dict[str, Access]] = TypeAdapter(dict[str, Access])


def read_channels(path: Path | None, clock: Clock) -> dict[str, Channel]:
    """The channels of an installation by their code in the rule pack; raises ChannelsUnreadable."""
    if path is None:
        return {}
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        found = _FILE.validate_python(document)
        return {code: _opened(access, clock) for code, access in found.items()}
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ChannelsUnreadable(f"{path} does not say how channels are reached: {told}") from None
    except (OSError, ValueError) as error:
        raise ChannelsUnreadable(f"{path} does not say how channels are reached: {error}") from error


def _opened(access: FolderAccess | HttpAccess, clock: Clock) -> Channel:
    if isinstance(access, FolderAccess):
        return FolderChannel(access.path)
    secret = access.secret_file.read_bytes().strip()
    if len(secret) < _SHORTEST_SECRET:
        raise ValueError(f"{access.secret_file} holds fewer than {_SHORTEST_SECRET} bytes")
    return HttpChannel(access, secret, clock)
