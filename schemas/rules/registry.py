"""The registry of rule ids: what each id cited in refusals, tests and pages stands for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from schemas.refusals import LANGUAGES


@dataclass(frozen=True)
class RuleInfo:
    """One rule id with its document, its article or item, and a short title in both languages."""

    id: str
    document: Mapping[str, str]
    article: str
    title: Mapping[str, str]

    @property
    def anchor(self) -> str:
        """The fragment under which pages explain the rule: `gd-14-2` for GD-14.2."""
        return self.id.lower().replace(".", "-")


@cache
def registry() -> Mapping[str, RuleInfo]:
    """All registered rules by id, in the order of the registry file."""
    text = resources.files("schemas.rules").joinpath("registry.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    documents = data["documents"]

    def info(rule: str, entry: Mapping[str, str]) -> RuleInfo:
        title = {language: entry[language] for language in LANGUAGES}
        return RuleInfo(rule, documents[rule.split("-")[0]], entry["article"], title)

    return {rule: info(rule, entry) for rule, entry in data["rules"].items()}
