"""Refusals: every failed rule at once, each with its reason, the measured and required value and the fix.

One error contract for the whole house (design.md section 6): the same objects become RFC 9457
problem bodies over HTTP, JSON on the command line and sentences on a page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

from schemas.words import Coded

LANGUAGES = ("en", "zh")


class Kind(IntEnum):
    """What went wrong, as the HTTP status that says so (reliability.md section 5)."""

    SYNTAX = 400
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    NOT_ALLOWED = 405
    CONFLICT = 409
    TOO_LARGE = 413
    UNSUPPORTED = 415
    INVALID = 422
    THROTTLED = 429
    UNAVAILABLE = 503
    NO_SPACE = 507


@cache
def texts() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """All refusal texts by key, `{key: {"message": {"en", "zh"}, "fix": {"en", "zh"}}}`."""
    found: dict[str, Mapping[str, Mapping[str, str]]] = {}
    for entry in sorted(resources.files("schemas").joinpath("texts").iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".toml"):
            continue
        for area, group in tomllib.loads(entry.read_text(encoding="utf-8")).items():
            for name, text in group.items():
                found[f"{area}.{name}"] = text
    return found


@dataclass(frozen=True)
class Refusal:
    """One failed rule: its id, the reason in words, and what would make it pass.

    `place` is a GeoJSON geometry (EPSG:4326) of where on the map the rule failed; `earliest` a local
    date; `measured` and `required` are shown as they are, with their unit inside when they are text.
    """

    rule: str
    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    earliest: date | None = None
    measured: str | float | None = None
    required: str | float | None = None
    place: Mapping[str, Any] | None = None

    def _values(self, lang: str) -> dict[str, Any]:
        own = {"rule": self.rule, "measured": self.measured, "required": self.required}
        values = own | {"earliest": self.earliest} | dict(self.params)
        return {name: value.tell(lang) if isinstance(value, Coded) else value for name, value in values.items()}

    def message(self, lang: str = "en") -> str:
        """The reason in one sentence, in `lang` (en or zh)."""
        return texts()[self.text]["message"][lang].format(**self._values(lang))

    def fix(self, lang: str = "en") -> str:
        """What would make the rule pass, in one sentence, in `lang` (en or zh)."""
        return texts()[self.text]["fix"][lang].format(**self._values(lang))

    def render(self, lang: str = "en") -> dict[str, Any]:
        """The refusal as the JSON object of schemas/exchange/refusals.json."""
        body: dict[str, Any] = {"rule": self.rule, "message": self.message(lang), "fix": self.fix(lang)}
        if self.earliest is not None:
            body["earliest"] = self.earliest.isoformat()
        for name in ("measured", "required"):
            value = getattr(self, name)
            if value is not None:
                body[name] = value
        if self.place is not None:
            body["place"] = dict(self.place)
        return body


def refuse(
    rule: str,
    text: str,
    *,
    earliest: date | None = None,
    measured: str | float | None = None,
    required: str | float | None = None,
    place: Mapping[str, Any] | None = None,
    **params: Any,  # noqa: ANN401
) -> Refusal:
    """A refusal of `rule` with the text `text`; raises KeyError when no such text exists."""
    if text not in texts():
        raise KeyError(f"no refusal text {text!r} in schemas/texts")
    return Refusal(rule, text, params, earliest, measured, required, place)


class RuleViolation(Exception):
    """A command was refused; `refusals` holds every failed rule, never only the first."""

    def __init__(self, kind: Kind, refusals: Iterable[Refusal]) -> None:
        self.kind = kind
        self.refusals = tuple(refusals)
        if not self.refusals:
            raise ValueError("a violation names at least one rule")
        super().__init__("; ".join(f"{r.rule}: {r.message()}" for r in self.refusals))

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return int(self.kind)

    def render(self, lang: str = "en") -> list[dict[str, Any]]:
        """All refusals as JSON objects, in the order in which the rules were evaluated."""
        return [refusal.render(lang) for refusal in self.refusals]


def violation(kind: Kind, rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """A violation of a single rule; the text key defaults to the rule id itself."""
    return RuleViolation(kind, [refuse(rule, text or rule, **details)])


def invalid(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """Malformed content (422)."""
    return violation(Kind.INVALID, rule, text, **details)


def conflict(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """A rule or state stands against it (409)."""
    return violation(Kind.CONFLICT, rule, text, **details)


def forbidden(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """The actor may not do this (403)."""
    return violation(Kind.FORBIDDEN, rule, text, **details)


def not_found(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """No such thing, or not for this actor (404)."""
    return violation(Kind.NOT_FOUND, rule, text, **details)


def too_large(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """More than a limit allows (413)."""
    return violation(Kind.TOO_LARGE, rule, text, **details)


def unsupported(rule: str, text: str | None = None, **details: Any) -> RuleViolation:  # noqa: ANN401
    """A type of content that is not taken (415)."""
    return violation(Kind.UNSUPPORTED, rule, text, **details)
