"""What engines and the law's layers say about an area: kept as keys and numbers, told in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from schemas.refusals import LANGUAGES

# Parameters whose values are kinds, layers, kinds of permits and bands, and not what somebody called a place. A value
# that is itself a text in every language stands for the one of the reader.
_NAMED = ("kind", "kinds", "layer", "layers", "bands")
_BETWEEN, _LAST = {"en": ", ", "zh": "、"}, {"en": " and ", "zh": "、"}


@cache
def _texts() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("sensing").joinpath("words.toml").read_text(encoding="utf-8"))


def name(word: str, lang: str) -> str:
    """A kind, layer or kind of permit in a language; a word that only its pack knows stays as it is."""
    return str(_texts()["names"].get(word, {}).get(lang, word))


@dataclass(frozen=True)
class Sentence:
    """One sentence by its key in `sensing/words.toml`, with the numbers and words in it."""

    key: str
    params: Mapping[str, Any]

    def render(self, lang: str) -> str:
        """The sentence in a language."""
        area, text = self.key.split(".")
        values = {key: _told(key, value, lang) for key, value in self.params.items()}
        return str(_texts()[area][text][lang]).format(**values)

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"key": self.key, "params": dict(self.params)}


def say(key: str, **params: str | float | list[str] | dict[str, str]) -> Sentence:
    """A sentence; raises KeyError when there is no such text, or when the text asks for another parameter."""
    sentence = Sentence(key, params)
    for lang in LANGUAGES:
        sentence.render(lang)
    return sentence


def in_words(plain: object) -> dict[str, str]:
    """What `Sentence.dump` gave, in every language; what was kept as plain text stays as it was written."""
    if not isinstance(plain, dict):
        return dict.fromkeys(LANGUAGES, str(plain))
    sentence = Sentence(plain["key"], plain["params"])
    return {lang: sentence.render(lang) for lang in LANGUAGES}


def _told(key: str, value: Any, lang: str) -> Any:  # noqa: ANN401 - whatever a sentence holds
    if isinstance(value, dict):
        return value[lang]
    if key not in _NAMED:
        return value
    words = [name(word, lang) for word in (value if isinstance(value, list) else [value])]
    return _LAST[lang].join(part for part in (_BETWEEN[lang].join(words[:-1]), *words[-1:]) if part)
