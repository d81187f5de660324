"""The words of cells: whatever a law pack asks for can be written in both languages."""

from geo.intake.words import PERMIT_KINDS, meanings
from schemas.rules import Rulebook


def test_permits__every_kind_that_the_packs_ask_for__has_chinese_words():
    asked = {
        kind
        for pack in Rulebook.load().packs
        for entry in pack.violation_catalogue
        for kind in (*entry.unless_permitted, *entry.only_permitted)
    }
    assert "burning" in asked
    assert {kind for kind in asked if not any(name >= "一" for name in PERMIT_KINDS.get(kind, ()))} == set()


def test_permits__one_word__means_one_kind():
    names = [name for kind, others in PERMIT_KINDS.items() for name in (kind, *others)]
    assert len(names) == len(set(names)) == len(meanings(PERMIT_KINDS))
