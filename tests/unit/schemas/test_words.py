"""Codes in refusals are told in words, in the reader's language, and stay codes for programs."""

import re

import pytest
import rfc8785

from schemas.machine import ANYWHERE, NEW, state_tables
from schemas.refusals import LANGUAGES, refuse
from schemas.roles import Role
from schemas.rules import Rulebook
from schemas.words import Coded, words

TABLES = state_tables().values()
PACKS = Rulebook.load().packs
NAMED = {
    "role": {*Role} | {who.removesuffix(ANYWHERE) for table in TABLES for row in table.transitions for who in row.who},
    "subject": {table.subject for table in TABLES},
    "state": {state for table in TABLES for state in table.states} | {NEW},
    "step": {row.name for table in TABLES for row in table.transitions},
    "level": {level for pack in PACKS for level in pack.authority_levels},
    "place": {place for pack in PACKS for place in pack["privacy.prohibited_place_types"]},
}


@pytest.mark.parametrize("area", sorted(NAMED))
def test_every_code_of_the_state_tables__has_words(area):
    assert NAMED[area] <= words()[area].keys()


@pytest.mark.parametrize("area", sorted(words()))
def test_words__two_languages_and_no_english_in_chinese(area):
    for code, told in words()[area].items():
        assert set(told) == set(LANGUAGES), code
        assert not re.search("[A-Za-z]", told["zh"]), code
        assert "_" not in told["en"], code


def test_refusal__people_read_words_and_programs_codes():
    subject = Coded("subject", ["device"], " DV-7K3Q2")
    required = Coded("role", ["officer", "unit_head"])
    refusal = refuse(
        "state.role", "machine.role", subject=subject, transition=Coded("step", ["pause"]), required=required
    )
    assert "执法人员、单位负责人" in refusal.message("zh")
    assert "enforcement officer, unit head" in refusal.message("en")
    assert not re.search("[a-z]", refusal.message("zh"))
    assert refusal.render("zh")["required"] == "officer, unit_head"


def test_coded__is_its_codes_to_the_ledger():
    assert rfc8785.dumps({"subject": Coded("subject", ["device"], " DV-1")}) == b'{"subject":"device DV-1"}'


def test_coded__two_codes_of_one_word__told_once():
    assert Coded("step", ["resume", "unblock"]).tell("en") == "take back into use"


def test_coded__without_words__told_as_it_is():
    assert Coded("role", ["gardener"]).tell("zh") == "gardener"
