"""pygeoapi as a library: its functions on our configuration, for requests that were checked, and nothing of its pages.

Its own Flask application is not used: that one reads files at import and registers routes that write.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Protocol

from werkzeug.datastructures import Headers, MultiDict

from schemas.refusals import Kind, not_found, violation
from web.opendata.bounds import WHOLE_WORLD
from web.opendata.layers import OPEN_LAYERS, OpenLayer
from web.opendata.ogc_terms import CRS84, DEFAULT_ITEMS, EPSG_3857, EPSG_4326, MOST_ITEMS

Body = dict[str, Any]
Answer = tuple[dict[str, str], int, str]
# Links of pygeoapi to what is not served here.
_NOT_OURS = ("application/ld+json",)
_starting = Lock()


class Function(Protocol):
    """One of pygeoapi's functions."""

    def __call__(self, api: Any, request: Any, *named: str | None) -> Answer:  # noqa: ANN401
        """Headers, status and body of the answer."""


def ask(
    function: str,
    base_url: str,
    bounds: tuple[float, ...],
    asked: MultiDict[str, str],
    *named: str | None,
    titles: Callable[[OpenLayer], tuple[str, str]],
) -> tuple[Mapping[str, str], Body]:
    """Calls pygeoapi's function of that name; raises RuleViolation where it finds nothing or takes offence."""
    from pygeoapi.api import APIRequest, describe_collections, get_collection_schema, itemtypes

    functions: dict[str, Function] = {
        "collections": describe_collections,
        "schema": get_collection_schema,
        "queryables": itemtypes.get_collection_queryables,
        "items": itemtypes.get_collection_items,
        "item": itemtypes.get_collection_item,
    }
    api = copy.copy(_api())
    api.base_url = base_url
    api.config = _config(base_url, bounds, titles)
    request = APIRequest(_Checked(asked), api.locales)
    headers, status, body = functions[function](api, request, *named)
    if status == Kind.NOT_FOUND:
        raise not_found("record.unknown", "web.object_unknown", measured=str(named[-1])[:40])
    if status == Kind.SYNTAX:
        raise violation(Kind.SYNTAX, "request.malformed", "web.request_malformed")
    if status != 200:
        raise RuntimeError(f"pygeoapi answers {status} to {function}")
    return headers, _pruned(json.loads(body))


class _Checked:
    """A request of which pygeoapi sees what was checked, and neither headers nor a body."""

    def __init__(self, asked: MultiDict[str, str]) -> None:
        self.args = asked
        self.headers = Headers()
        self.path_info = ""


@cache
def _made() -> Any:  # noqa: ANN401
    from pygeoapi.api import API

    with _logging_untouched():
        return API(_config("", WHOLE_WORLD, lambda layer: (layer.title, layer.about)), {})


def _api() -> Any:  # noqa: ANN401
    with _starting:
        return _made()


@contextmanager
def _logging_untouched() -> Any:  # noqa: ANN401
    """Puts back what pygeoapi does to the log of the whole process; its own words about refusals are ours already."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in root.handlers[:]:
            if handler not in handlers:
                root.removeHandler(handler)
        logging.getLogger("pygeoapi").setLevel(logging.CRITICAL)


def _config(base_url: str, bounds: tuple[float, ...], titles: Callable[[OpenLayer], tuple[str, str]]) -> dict[str, Any]:
    return {
        "server": {
            "url": base_url,
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": DEFAULT_ITEMS, "max_items": MOST_ITEMS},
        },
        "logging": {"level": "CRITICAL"},
        "metadata": {"identification": {"title": "Skywarden", "description": "", "url": base_url}},
        "resources": {layer.name: _resource(layer, bounds, *titles(layer)) for layer in OPEN_LAYERS.values()},
    }


def _resource(layer: OpenLayer, bounds: tuple[float, ...], title: str, about: str) -> dict[str, Any]:
    return {
        "type": "collection",
        "title": title,
        "description": about,
        "keywords": ["skywarden", *layer.name.split("_")],
        "links": [],
        "extents": {"spatial": {"bbox": list(bounds), "crs": CRS84}},
        "providers": [
            {
                "type": "feature",
                "name": "web.opendata.ogc_provider.PublicView",
                "data": layer.name,
                "id_field": "public_id",
                "time_field": layer.time,
                "crs": [CRS84, EPSG_4326, EPSG_3857],
                "storage_crs": CRS84,
            }
        ],
    }


def _pruned(body: Any) -> Any:  # noqa: ANN401
    """The answer without links to formats that are not served."""
    if isinstance(body, dict):
        kept = {name: _pruned(value) for name, value in body.items() if name not in ("features", "geometry")}
        if isinstance(kept.get("links"), list):
            kept["links"] = [link for link in kept["links"] if link.get("type") not in _NOT_OURS]
        return {name: kept.get(name, value) for name, value in body.items()}
    return [_pruned(value) for value in body] if isinstance(body, list) else body
