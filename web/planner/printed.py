"""Touches the machine: pages that stand by themselves, closed to everything outside, and the same on paper as PDF."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
import time

from flask import Response

from schemas.refusals import Kind, RuleViolation, refuse
from web.server import SLOWEST_REQUEST_S
from web.settings import ROOT

# Setting a report is seconds of computing: a process of the server has one set after the other, and nobody waits long.
_ONE_AT_A_TIME = threading.Lock()
_PATIENCE_S = 10.0
# A connection is cut when its answer takes too long: what waits and is set ends well before, with a word.
ON_A_PAGE_S = SLOWEST_REQUEST_S - 8
BY_COMMAND_S = 600.0


def as_page(document: str, name: str) -> Response:
    """A document for a browser, which may fetch nothing for it; its one style is told by its hash."""
    response = Response(document, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy(document)
    return _kept_private(response, f"{name}.html", "inline")


def as_pdf(document: str, name: str) -> Response:
    """The same document on paper."""
    return _kept_private(
        Response(pdf_of(document, ON_A_PAGE_S), mimetype="application/pdf"), f"{name}.pdf", "attachment"
    )


def as_file(content: str, media_type: str, name: str) -> Response:
    """A file to take away."""
    return _kept_private(Response(content, mimetype=media_type), name, "attachment")


def policy(document: str) -> str:
    """Nothing but the document itself: the style that stands in it, and no script."""
    style = document[document.index("<style>") + len("<style>") : document.index("</style>")]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{told}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class NotSet(Exception):
    """A document could not be set on paper; why stands in the message."""


def pdf_of(document: str, longest_s: float = BY_COMMAND_S) -> bytes:
    """A document as PDF, whole, with its fonts inside; whatever it would fetch is refused (web.planner.paper).

    Raises NotSet where something in it would be asked of anybody else, or the setting ends without a PDF, and
    RuleViolation where others wait for theirs already (`report.busy`) or waiting and setting take longer than
    `longest_s` seconds (`report.too_long`).
    """
    ends_at = time.monotonic() + longest_s
    if not _ONE_AT_A_TIME.acquire(timeout=min(_PATIENCE_S, longest_s)):
        raise RuleViolation(Kind.UNAVAILABLE, [refuse("report.busy", "report.busy")])
    try:
        command = [sys.executable, "-m", "web.planner.paper"]
        left_s = ends_at - time.monotonic()
        done = subprocess.run(command, input=document.encode(), cwd=ROOT, capture_output=True, timeout=left_s)
    except subprocess.TimeoutExpired as error:
        told = refuse("report.too_long", "report.too_long", required=round(longest_s), longest=round(BY_COMMAND_S))
        raise RuleViolation(Kind.UNAVAILABLE, [told]) from error
    finally:
        _ONE_AT_A_TIME.release()
    if done.returncode:
        raise NotSet(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout


def _kept_private(response: Response, name: str, disposition: str) -> Response:
    response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
