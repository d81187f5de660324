"""Refusals that are kept: the rule, its text and the values, told in the language of whoever reads them later."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from schemas.refusals import Refusal, refuse
from schemas.words import Coded

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def kept(refusal: Refusal) -> dict[str, Any]:
    """A refusal as JSON keeps it: codes and values, and not the place."""
    said = {name: getattr(refusal, name) for name in ("measured", "required", "earliest")}
    values = {name: _plain(value) for name, value in said.items() if value is not None}
    params = {name: _plain(value) for name, value in refusal.params.items()}
    return {"rule": refusal.rule, "text": refusal.text, "params": params} | values


def told(kept: Mapping[str, Any]) -> Refusal:
    """The refusal that was kept."""
    return refuse(
        kept["rule"],
        kept["text"],
        earliest=date.fromisoformat(kept["earliest"]) if "earliest" in kept else None,
        measured=_value(kept.get("measured")),
        required=_value(kept.get("required")),
        **{name: _value(value) for name, value in kept["params"].items()},
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A value as JSON has it: texts, finite numbers, and codes that are still to be told in words."""
    if isinstance(value, Coded):
        area, codes, rest = value.parts
        return {"area": area, "codes": list(codes), "rest": rest}
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _UNSTORABLE.sub("\ufffd", str(value))


def _value(kept: Any) -> Any:  # noqa: ANN401
    return Coded(kept["area"], kept["codes"], kept["rest"]) if isinstance(kept, dict) else kept
