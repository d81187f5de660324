"""Errors: one table from exception to answer, as RFC 9457 for programs and as a page for people.

Views contain no `try` for this. Whatever is not in the table is an incident: a number for the reader,
the details for the log, and nothing of a path, a statement or a class name in the body.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, json, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from web.i18n import current_language, gettext
from web.opendata.cors import is_public_read

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
RETRY_AFTER_S = 5
# HTTP errors that Flask itself raises, by status: rule and text key.
_BY_STATUS: Mapping[int, str] = {
    400: "request.malformed",
    404: "page.unknown",
    405: "method.not_allowed",
    411: "body.length_missing",
    413: "body.too_large",
    415: "body.unsupported",
}
# The database is away: the answer is a pause, not a failure.
_AWAY = (OperationalError, InterfaceError, PoolTimeout)


def register(app: Flask) -> None:
    """Installs the table."""
    app.register_error_handler(RuleViolation, _refused)
    app.register_error_handler(HTTPException, _http)
    for away in _AWAY:
        app.register_error_handler(away, _away)
    app.register_error_handler(Exception, _incident)


def _refused(error: RuleViolation) -> Response:
    return answer(error.status, error.refusals, headers=_headers_of(error))


def _headers_of(error: RuleViolation) -> dict[str, str]:
    waits = [str(r.params["retry_after_s"]) for r in error.refusals if "retry_after_s" in r.params]
    return {"Retry-After": waits[0]} if waits else {}


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        response = error.get_response(request.environ)
        assert isinstance(response, Response)
        return response
    rule = _BY_STATUS.get(status, "request.malformed")
    refusal = refuse(rule, f"web.{rule.replace('.', '_')}")
    headers: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestEntityTooLarge):
        # The rest of the body is not read, so the connection cannot be used again.
        headers["Connection"] = "close"
    return answer(status, [refusal], headers=headers)


def _away(error: Exception) -> Response:
    log.warning("database_away", error=type(error).__name__)
    refusal = refuse("service.pause", "web.service_pause", retry_after_s=RETRY_AFTER_S)
    return answer(Kind.UNAVAILABLE, [refusal], headers={"Retry-After": str(RETRY_AFTER_S)})


def _incident(error: Exception) -> Response:
    incident = secrets.token_hex(4)
    log.error("incident", incident=incident, path=request.path, exc_info=error)
    return answer(500, [refuse("service.incident", "web.service_incident", incident=incident)])


def answer(
    status: int, refusals: list[Refusal] | tuple[Refusal, ...], *, headers: Mapping[str, str] | None = None
) -> Response:
    """The error as a page when a person reads in a browser, as problem+json otherwise."""
    lang = current_language()
    rendered = [refusal.render(lang) for refusal in refusals]
    if wants_page():
        body = render_template("error.html", status=status, title=_title(status), refusals=rendered)
        response = Response(body, status, mimetype="text/html")
    else:
        response = problem(status, rendered)
    response.headers.update(headers or {})
    return response


def problem(status: int, rendered: list[dict[str, Any]]) -> Response:
    """An RFC 9457 body: `{type, title, status, refusals}`."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "refusals": rendered}
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype=PROBLEM)


def wants_page() -> bool:
    """Whether the reader is a person in a browser rather than a program."""
    if "/api/" in request.path or is_public_read(request.path):
        return False
    best = request.accept_mimetypes.best_match(["application/json", PROBLEM, "text/html"], default=PROBLEM)
    return best == "text/html"


def _title(status: int) -> str:
    titles = {
        400: gettext("This request could not be read"),
        401: gettext("Please sign in"),
        403: gettext("You may not do this"),
        404: gettext("Nothing here"),
        405: gettext("This cannot be done here"),
        409: gettext("A rule stands against it"),
        413: gettext("That is too large"),
        415: gettext("This kind of file is not taken"),
        422: gettext("Something in it is not right"),
        429: gettext("Too many attempts"),
        500: gettext("Something failed on our side"),
        503: gettext("One moment, please"),
    }
    return titles.get(status, HTTPStatus(status).phrase)
