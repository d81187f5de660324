"""The documents for programs: OpenAPI 3.1 for everything that they may ask, and 3.0 for OGC API Features alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from flask import Response, json, redirect, request

from web.errors import PROBLEM
from web.opendata import ogc_check
from web.opendata.operations import OGC, REST, Operation, ref
from web.permissions import Audience, Permission, Section

section = Section("openapi", __name__, Audience.PUBLIC)
VERSION = "1.0"
OGC_BASE = "/ogc"
_DESCRIPTION = "Everything that watches here, as the law has it published. Read only, for anyone, without a key."
_HEADERS = {
    "ETag": {"description": "Of this very answer; sent back as If-None-Match it spares the next.", "schema": {}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
}
# A NUL in an address is no text, and the database may be away.
_ANYWHERE = (422, 503)
_REASONS: Mapping[int, str] = {
    206: "A part of the file.",
    303: "For people: the way to the page.",
    304: "The reader holds it already.",
    400: "A parameter that is unknown, or a value that it does not take.",
    404: "There is nothing of that name.",
    416: "The file has no such part.",
    422: "A value that is none.",
    429: "Too many requests from one network.",
    503: "One moment, please.",
}


@section.page("/openapi.json", rate="data", GET=Permission.BROWSE)
def openapi() -> Response:
    """What programs may ask, as OpenAPI 3.1."""
    return _sent(_whole(request.url_root.rstrip("/")), "application/json")


@section.page("/ogc/openapi", rate="data", GET=Permission.BROWSE)
def ogc_openapi() -> Response:
    """OGC API Features as OpenAPI 3.0, which the standard asks for."""
    ogc_check.known(request.args)
    if request.args.get("f") == "html":
        response = redirect("/data#standards", 303)
        assert isinstance(response, Response)
        return response
    body = _of_ogc(f"{request.url_root.rstrip('/')}{OGC_BASE}")
    return _sent(body, "application/vnd.oai.openapi+json;version=3.0")


def _sent(body: str, kind: str) -> Response:
    response = Response(body, content_type=kind)
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:20], weak=True)
    response.headers["Cache-Control"] = "public, no-cache"
    return response.make_conditional(request)  # type: ignore[return-value]


@cache
def _schemas() -> dict[str, Any]:
    text = resources.files("schemas").joinpath("exchange", "open_data.json").read_text(encoding="utf-8")
    schemas: dict[str, Any] = json.loads(text)["$defs"]
    return schemas


def _whole(root: str) -> str:
    operations = [*((op.path, op) for op in REST), *((f"{OGC_BASE}{op.path}", op) for op in OGC)]
    return json.dumps(_document("3.1.0", root, operations), ensure_ascii=False, sort_keys=False)


def _of_ogc(base: str) -> str:
    # The landing page is the root of the service, which a template of OpenAPI writes as a slash.
    operations = [(op.path, op) for op in OGC if op.path]
    return json.dumps(older(_document("3.0.3", base, operations)), ensure_ascii=False, sort_keys=False)


def _document(version: str, root: str, operations: Iterable[tuple[str, Operation]]) -> dict[str, Any]:
    return {
        "openapi": version,
        "info": {"title": "Skywarden", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": root}],
        "paths": {path: {"get": _said(operation)} for path, operation in operations},
        "components": {"schemas": _schemas()},
    }


def _said(operation: Operation) -> dict[str, Any]:
    good = {
        "description": operation.about,
        "headers": {"ETag": _HEADERS["ETag"]},
        "content": {kind: {"schema": dict(schema)} for kind, schema in operation.answers.items()},
    }
    responses: dict[str, Any] = {"200": good}
    for status in operation.others:
        responses[str(status)] = {"description": _REASONS[status]}
    for status in (*operation.refusals, *_ANYWHERE):
        responses[str(status)] = {
            "description": _REASONS[status],
            "content": {PROBLEM: {"schema": ref("Problem")}},
        }
        if status in (429, 503):
            responses[str(status)]["headers"] = {"Retry-After": _HEADERS["Retry-After"]}
    return {
        "operationId": operation.name,
        "summary": operation.about,
        "tags": [operation.tag],
        "parameters": [parameter.said() for parameter in operation.parameters],
        "responses": dict(sorted(responses.items())),
    }


def older(value: Any) -> Any:  # noqa: ANN401
    """A document of OpenAPI 3.1 in the words of 3.0, which knows neither several types nor constants."""
    if isinstance(value, list):
        return [older(one) for one in value]
    if not isinstance(value, dict):
        return value
    said = {name: older(one) for name, one in value.items() if name != "contentMediaType"}
    if isinstance(said.get("type"), list):
        kinds = [kind for kind in said["type"] if kind != "null"]
        said |= {"type": kinds[0], "nullable": True} if len(kinds) == 1 else {"type": None, "nullable": True}
        said = {name: one for name, one in said.items() if one is not None}
    if "const" in said:
        said["enum"] = [said.pop("const")]
    return said
