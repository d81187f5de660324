"""A reader without an account who opens everything: follows every link, unpacks every format, keeps every header."""

from __future__ import annotations

import gzip
import html
import io
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow.parquet
from flask.testing import FlaskClient

from tests.web.addresses import ADDRESSES, NOT_CRAWLED
from tests.web.conftest import HTML
from tests.web.mvt import decode
from web.permissions import OPEN, GuardedFlask

MOST_ANSWERS = 1_500
# So many links of one form are followed (one route, asked with the same words): more of them say nothing else.
OF_ONE_FORM = 4
HOST = "localhost"
OK = 200
# Links of pages, and of documents that name addresses in JSON or XML.
_LINKS = re.compile(
    r"""(?:href|src|action|hx-get|data-[a-z-]+|"(?:href|url|self|next|first)")\s*[=:]\s*["']([^"'\s<>]+)"""
)


@dataclass(frozen=True)
class Answer:
    """One answer to somebody who is nobody: everything that it says, unpacked to text, and its headers."""

    method: str
    path: str
    status: int
    said: str
    body: str = ""
    links: tuple[str, ...] = ()


def public_rules(app: GuardedFlask) -> list[str]:
    """The rules of all routes that anybody may read."""
    needed = {rule: needs for (rule, _endpoint), needs in app.needs.items()}
    return sorted(
        rule for rule, needs in needed.items() if needs.methods.get("GET") in OPEN and rule not in NOT_CRAWLED
    )


def crawled(client: FlaskClient, *more: str) -> Iterator[tuple[str, str]]:
    """Every public page, tile and download, as (path, what it says but for its headers)."""
    return ((answer.path, answer.body) for answer in answers(client, *more))


def answers(client: FlaskClient, *more: str) -> Iterator[Answer]:
    """The answers to GET on all addresses that are given, known for a route, or linked from another answer."""
    seen: set[str] = set()
    forms: Counter[tuple[str, ...]] = Counter()
    waiting = [*more, "/account/sign-in", *(path for paths in ADDRESSES.values() for path in paths)]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        assert len(seen) < MOST_ANSWERS, "the crawl does not end: some page links to ever new addresses"
        answer = ask(client, path)
        yield answer
        for link in answer.links:
            form = _form(client, link)
            if link not in seen and link not in waiting and forms[form] < OF_ONE_FORM:
                forms[form] += 1
                waiting.append(link)


def _form(client: FlaskClient, path: str) -> tuple[str, ...]:
    """The rule that a path leads to, its branch, and the words of its query."""
    parts = urlsplit(path)
    adapter = client.application.url_map.bind(HOST)
    known = adapter.match(parts.path, return_rule=True)[0].rule if adapter.test(parts.path, "GET") else parts.path
    return known, parts.path.split("/")[1], *sorted({name for name, _ in parse_qsl(parts.query, True)})


def ask(client: FlaskClient, path: str, method: str = "GET") -> Answer:
    """One answer, unpacked."""
    response = client.open(path, method=method, headers=HTML)
    body = unpacked(response.data, response.mimetype)
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers)
    text = html.unescape(body)
    # A page of a refusal repeats what it was asked, so that its links lead to ever new addresses.
    links = tuple(_links(text)) if response.status_code == OK else ()
    return Answer(method, path, response.status_code, f"{headers}\n\n{text}\n{unquote(text)}", text, links)


def reached(app: GuardedFlask, paths: set[str]) -> set[str]:
    """The rules to which paths lead."""
    adapter = app.url_map.bind(HOST)
    return {
        adapter.match(urlsplit(path).path, return_rule=True)[0].rule
        for path in paths
        if adapter.test(urlsplit(path).path, "GET")
    }


def unpacked(data: bytes, mimetype: str) -> str:
    """What bytes say, whatever they are packed in."""
    if data[:2] == b"\x1f\x8b":
        return unpacked(gzip.decompress(data), mimetype)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "\n".join(f"{name}\n{unpacked(archive.read(name), '')}" for name in archive.namelist())
    if data[:6] == b"SQLite":
        return _rows(data)
    if data[:4] == b"PAR1":
        return str(pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist())
    if mimetype == "application/vnd.mapbox-vector-tile":
        return str(decode(data))
    return data.decode("utf-8", "ignore")


def _rows(data: bytes) -> str:
    database = sqlite3.connect(":memory:")
    database.deserialize(data)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    # What is in free pages of the file is given away with it.
    kept = str([(name, database.execute(f'SELECT * FROM "{name}"').fetchall()) for name in names])
    database.close()
    return kept + data.decode("utf-8", "ignore")


def _links(said: str) -> Iterator[str]:
    for found in _LINKS.findall(said):
        parts = urlsplit(found)
        ours = parts.netloc in ("", HOST) and parts.path.startswith("/") and not parts.path.startswith("/static/")
        if ours and "{" not in parts.path and "%7B" not in parts.path:
            yield parts.path + (f"?{parts.query}" if parts.query else "")
