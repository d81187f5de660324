"""Refusals: complete, bilingual, and never without a text."""

from __future__ import annotations

import string
from datetime import date

import pytest

from schemas.refusals import LANGUAGES, Kind, RuleViolation, refuse, texts


def fields(template: str, lang: str) -> set[str]:
    """The values that a text tells; one that is itself in the text's language counts by what it is."""
    return {name.removesuffix(f"_{lang}") for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("key", sorted(texts()))
def test_every_text__has_reason_and_fix_in_both_languages_with_the_same_values(key) -> None:
    entry = texts()[key]
    for part in ("message", "fix"):
        assert set(entry[part]) == set(LANGUAGES)
        assert all(entry[part][lang].strip() for lang in LANGUAGES)
        assert fields(entry[part]["en"], "en") == fields(entry[part]["zh"], "zh"), part


@pytest.mark.parametrize("key", [key for key in texts() if key.startswith("layer.")])
def test_text_on_a_file__fits_a_page_and_names_no_option_of_a_command(key) -> None:
    said = [words for part in texts()[key].values() for words in part.values()]
    assert not [words for words in said if "--" in words or "skywarden" in words]


def test_unknown_text__is_an_error_not_an_empty_refusal() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.text"):
        refuse("GD-14.2", "no.such.text")


def test_a_violation_names_at_least_one_rule() -> None:
    with pytest.raises(ValueError, match="at least one"):
        RuleViolation(Kind.CONFLICT, [])


def test_rendering__holds_only_what_is_known() -> None:
    refusal = refuse("GD-14.2", "machine.reason", earliest=date(2025, 7, 1), measured=29, required=30)
    body = refusal.render("en")
    assert body["earliest"] == "2025-07-01"
    assert (body["measured"], body["required"]) == (29, 30)
    assert "place" not in body
