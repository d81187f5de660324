"""Words are legible in both looks: WCAG 2.2 SC 1.4.3, worked out here from the tokens of the style sheets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "web" / "frontend"
SHEETS = sorted([*FRONTEND.glob("styles/*.css"), *FRONTEND.glob("entries/*.css")])
LIGHT, DARK = (FRONTEND / "styles" / "tokens.css").read_text(encoding="utf-8").split("prefers-color-scheme: dark")[:2]
WORDS = ("ink", "ink-2", "stop-ink")
GROUNDS = ("paper", "surface", "sunken", "stop-soft", "soon-soft", "accent-soft")
LEAST = 4.5


def colours(sheet):
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", sheet))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_words__on_every_ground__have_contrast(look, words, ground):
    known = colours(LIGHT) | colours(look)
    darker, lighter = sorted(luminance(known[name]) for name in (words, ground))
    assert (lighter + 0.05) / (darker + 0.05) >= LEAST


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_words__are_never_in_the_colour_of_a_symbol(sheet):
    """The colours of symbols are told apart by those who see few; they are too pale for words."""
    rules = re.findall(r"[^{}]+\{[^{}]*[ {;]color: var\(--(?:state-\w+|zone|patrol)\)[^{}]*\}", sheet.read_text())
    assert [rule.strip() for rule in rules if "::before" not in rule] == []
