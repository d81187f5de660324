"""Pages of planners and reviewers share one vocabulary; this hands it to their templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template

from geo.commands.words import DEVICE_TYPES
from web import words as house_words
from web.identity.request_identity import current_actor
from web.planner.forms import Faults
from web.planner.words import KINDS, LOOKS, PLACE_TYPES, PLATFORMS, STATES, said
from web.words import REVIEWS


def show(template: str, status: int = 200, **context: Any) -> Response:  # noqa: ANN401
    """A page with the words of planning, and no fault where none is given."""
    common = {
        "said": said,
        "looks": LOOKS,
        "states_words": STATES,
        "kinds_words": KINDS,
        "reviews_words": REVIEWS,
        "prefixed": prefixed,
        "device_types": {code: house_words.device_type(code) for code in DEVICE_TYPES},
        "platforms": {code: said(PLATFORMS, code) for code in PLATFORMS},
        "place_types": {code: said(PLACE_TYPES, code) for code in PLACE_TYPES},
        "faults": Faults(),
        "reader": current_actor().code,
    }
    return make_response(render_template(template, **common | context), status)


def prefixed(prefix: str, fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed into a fieldset, by the names that its fields have in the form."""
    return {prefix + name: value for name, value in fields.items()}
