"""Why officers decide as they do: a closed list from data, beside which they may say more in their own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from schemas.refusals import LANGUAGES, invalid

OTHER = "other"


@dataclass(frozen=True)
class Reason:
    """One reason of the list, told in every language, and the decisions that it can be given for."""

    code: str
    text: Mapping[str, str]
    decisions: frozenset[str]


@dataclass(frozen=True)
class Why:
    """What somebody gave as a reason: a code of the list, and their own words, which may be none."""

    code: str
    words: str

    @property
    def told(self) -> str:
        """The words, or the code where there are none; empty where no reason was given at all."""
        return self.words or ("" if self.code == OTHER else self.code)

    @property
    def taught(self) -> str:
        """What learning counts by: the code, and the words where the list has no name for it."""
        return self.words if self.code == OTHER else self.code


@cache
def _all() -> Mapping[str, Reason]:
    text = resources.files("sensing").joinpath("rules", "reasons.yaml").read_text(encoding="utf-8")
    return {
        code: Reason(code, {lang: entry[lang] for lang in LANGUAGES}, frozenset(entry["for"]))
        for code, entry in yaml.safe_load(text).items()
    }


def reasons(decision: str) -> tuple[Reason, ...]:
    """The reasons that can be given for a decision, in the order of the list; the last one is `other`."""
    return tuple(one for one in _all().values() if decision in one.decisions)


def in_languages(code: str, words: str) -> dict[str, str]:
    """A reason as it was given, in every language; what somebody said in words stays as they said it."""
    listed = _all().get(code)
    if listed is None or code == OTHER:
        return dict.fromkeys(LANGUAGES, words)
    spoken = words if words != code else ""
    between = {"en": ": ", "zh": "："}
    return {lang: listed.text[lang] + (between[lang] + spoken if spoken else "") for lang in LANGUAGES}


def why(decision: str, code: str | None, words: str) -> Why:
    """A reason as given. Raises RuleViolation (422) where the list has no such reason for the decision."""
    chosen = code or OTHER
    if chosen not in _all() or decision not in _all()[chosen].decisions:
        known = ", ".join(one.code for one in reasons(decision))
        raise invalid("detection.reason_unknown", measured=chosen[:40], required=known)
    return Why(chosen, words.strip())
