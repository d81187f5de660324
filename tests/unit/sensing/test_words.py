"""Sentences of findings: kept as keys and numbers, told in the language of the reader."""

from __future__ import annotations

import json
import string
import tomllib
from pathlib import Path

import pytest

from schemas.refusals import LANGUAGES
from schemas.rules import Rulebook
from sensing.segment.detectors import KINDS
from sensing.segment.looks import LAYERS
from sensing.words import in_words, name, say

FILE = tomllib.loads((Path(__file__).parents[3] / "sensing" / "words.toml").read_text(encoding="utf-8"))
SENTENCES = {f"{area}.{key}": text for area in FILE if area != "names" for key, text in FILE[area].items()}


def asked(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("key", SENTENCES)
def test_sentence__every_language__the_same_parameters(key):
    assert set(SENTENCES[key]) == set(LANGUAGES)
    assert asked(SENTENCES[key]["en"]) == asked(SENTENCES[key]["zh"])


def test_names__kinds_layers_and_permits_of_all_packs__in_every_language():
    used = {*KINDS, *LAYERS}
    for pack in ("cn-gd-2025", "demo-neutral"):
        for entry in Rulebook.load()[pack].violation_catalogue:
            used |= {*entry.kinds, *entry.only_within, *entry.never_within}
            used |= {*entry.unless_permitted, *entry.only_permitted}
            used |= {band for way in entry.observed for band in way.bands}
    assert used <= set(FILE["names"])
    assert all(set(FILE["names"][word]) == set(LANGUAGES) for word in used)


def test_sentence__stored_and_read_back__in_both_languages():
    stored = json.loads(json.dumps(say("law.outside", layers=["protected", "water"]).dump()))
    assert in_words(stored) == {
        "en": "lies outside protected zones and water, where the rule applies",
        "zh": "位于保护区、水体之外，该规则仅在其内适用",
    }


def test_sentence__name_of_a_place__is_nobodys_to_translate():
    assert "water" in say("law.within", share=0.5, layer="protected", places="water").render("zh")


def test_say__unknown_key_or_parameter__raises():
    with pytest.raises(KeyError, match="nothing"):
        say("law.nothing")
    with pytest.raises(KeyError, match="kind"):
        say("law.no_rule")


def test_in_words__plain_text__as_it_was_written():
    assert in_words("seen by hand") == {"en": "seen by hand", "zh": "seen by hand"}


def test_name__word_of_another_pack__stays():
    assert name("salt_pan", "zh") == "salt_pan"
