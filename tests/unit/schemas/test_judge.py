"""What the database refuses is told in the words of the house, in both languages."""

import re
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError

from schemas.refusals import LANGUAGES, Kind, texts
from schemas.rules import registry
from schemas.store.judge import SOUND, translate
from schemas.store.migrate import MIGRATIONS

SQL = "".join(path.read_text(encoding="utf-8") for path in sorted((MIGRATIONS / "sql").glob("*.sql")))
NAMED = sorted(set(re.findall(r"rule__[A-Za-z0-9.-]+__[a-z0-9_]+", SQL)))


def refusal(name):
    found = translate(IntegrityError("UPDATE", {}, SimpleNamespace(diag=SimpleNamespace(constraint_name=name))))
    (only,) = found.refusals
    return found.kind, only


def test_the_migrations_name_rules():
    assert len(NAMED) > 50


@pytest.mark.parametrize("name", NAMED)
def test_every_rule_that_the_database_holds__has_its_words(name):
    kind, told = refusal(name)
    rule, _, reason = name.removeprefix("rule__").partition("__")
    assert (told.rule, kind) == (rule, Kind.INVALID if rule == SOUND else Kind.CONFLICT)
    assert rule.startswith("state.") or rule in registry()
    for lang in LANGUAGES:
        assert told.message(lang)
        assert told.fix(lang)
    if rule != SOUND:
        assert not re.search("[a-z]{3}", told.message("zh") + told.fix("zh")), reason


def test_no_words_for_what_no_migration_names():
    reasons = {name.split("__")[2] for name in NAMED if f"__{SOUND}__" not in name} | {"unsound"}
    assert {key.removeprefix("judge.") for key in texts() if key.startswith("judge.")} == reasons


def test_an_error_that_names_no_rule__stays_an_error():
    assert translate(IntegrityError("UPDATE", {}, Exception("duplicate key value violates uq_person_code"))) is None
