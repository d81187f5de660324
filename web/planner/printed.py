"""Touches the machine: pages that stand by themselves, closed to everything outside, and the same on paper as PDF."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading

from flask import Response

from schemas.refusals import Kind, RuleViolation, refuse
from web.settings import ROOT

# Setting a report is seconds of computing: a process of the server has one set after the other, and nobody waits long.
_ONE_AT_A_TIME = threading.Lock()
_PATIENCE_S = 10.0
_LONGEST_S = 120.0


def as_page(document: str, name: str) -> Response:
    """A document for a browser, which may fetch nothing for it; its one style is told by its hash."""
    response = Response(document, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy(document)
    return _kept_private(response, f"{name}.html", "inline")


def as_pdf(document: str, name: str) -> Response:
    """The same document on paper."""
    return _kept_private(Response(pdf_of(document), mimetype="application/pdf"), f"{name}.pdf", "attachment")


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


def pdf_of(document: str) -> bytes:
    """A document as PDF, with its fonts inside; whatever it would fetch is refused (web.planner.paper).

    Raises NotSet where something in it would be asked of anybody else, or the setting ends without a PDF, and
    RuleViolation (`report.busy`) where others wait for theirs already.
    """
    if not _ONE_AT_A_TIME.acquire(timeout=_PATIENCE_S):
        raise RuleViolation(Kind.UNAVAILABLE, [refuse("report.busy", "report.busy")])
    try:
        command = [sys.executable, "-m", "web.planner.paper"]
        done = subprocess.run(command, input=document.encode(), cwd=ROOT, capture_output=True, timeout=_LONGEST_S)
    finally:
        _ONE_AT_A_TIME.release()
    if done.returncode:
        raise NotSet(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout


def _kept_private(response: Response, name: str, disposition: str) -> Response:
    response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
