"""The JSON Schemas of documents that leave the house accept what the house writes, and little else."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from schemas.refusals import Kind, RuleViolation, refuse
from schemas.rules import Rulebook, RulePack
from tests.properties.test_ledger_tamper import make_export

EXCHANGE = Path(__file__).resolve().parents[3] / "schemas" / "exchange"


def read(name):
    return json.loads((EXCHANGE / f"{name}.json").read_text(encoding="utf-8"))


def validator(name):
    jsonschema.Draft202012Validator.check_schema(read(name))
    return jsonschema.Draft202012Validator(read(name))


DRAFT = "https://json-schema.org/draft/2020-12/schema"


def problem(*refusals):
    violation = RuleViolation(Kind.CONFLICT, refusals)
    return {"type": "about:blank", "title": "Refused", "status": violation.status, "refusals": violation.render()}


FULL = refuse(
    "GD-14.2",
    "rules.no_pack",
    earliest=date(2025, 7, 1),
    measured=29,
    required="30 days",
    place={"type": "Point", "coordinates": [113.26, 23.13]},
)


def test_refusals__what_the_house_writes__accepted():
    validator("refusals").validate(problem(FULL, refuse("geometry.not_finite", "rules.no_pack", measured="x")))


@pytest.mark.parametrize(
    "change",
    [
        {"refusals": []},
        {"status": 200},
        {"detail": "SELECT"},
        {"refusals": [{"rule": "GD-14.2", "message": "m"}]},
        {"refusals": [{"rule": "Traceback", "message": "m", "fix": "f"}]},
        {"refusals": [{"rule": "GD-14.2", "message": "m", "fix": "f", "sql": "x"}]},
    ],
)
def test_refusals__anything_else__refused(change):
    with pytest.raises(jsonschema.ValidationError):
        validator("refusals").validate(problem(FULL) | change)


def test_rule_pack__schema_is_that_of_the_models():
    """After a change of the models, the file becomes what `json.dumps(expected, indent=2)` gives here."""
    expected = {"$schema": DRAFT, **RulePack.model_json_schema(by_alias=True)}
    assert read("rule_pack") == expected


@pytest.mark.parametrize("name", ["cn-gd-2025", "demo-neutral"])
def test_rule_pack__packs_of_the_house__accepted(name):
    validator("rule_pack").validate(Rulebook.load()[name].document())


@pytest.mark.parametrize("change", [{"surprise": 1}, {"legal_basis": []}, {"version": "1"}, {"values": {}}])
def test_rule_pack__anything_else__refused(change):
    with pytest.raises(jsonschema.ValidationError):
        validator("rule_pack").validate(Rulebook.load()["demo-neutral"].document() | change)


def test_ledger_export__every_line__accepted():
    for line in make_export([2, 1]):
        validator("ledger_export").validate(json.loads(line))


@pytest.mark.parametrize("line", [{}, {"format": "x"}, {"checkpoint": "1:zz"}, {"seal": "1"}])
def test_ledger_export__anything_else__refused(line):
    with pytest.raises(jsonschema.ValidationError):
        validator("ledger_export").validate(line)
