"""The registry of rule ids explains every id that anything in the house cites."""

import re
from pathlib import Path

import pytest

from schemas.machine import state_tables
from schemas.rules import Rulebook, registry

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("schemas", "geo", "flights", "sensing", "enforcement", "web", "sample_data")
CITED = re.compile(r"""["'](?:rule__)?((?:GD|LF|LX|JN|IR|DC)-\d+(?:\.\d+)?)(?:["':]|__)""")
RULE_ID = re.compile(r"^(GD|LF|LX|JN|IR|DC)-\d+(\.\d+)?$")


@pytest.mark.parametrize("rule", sorted(registry()))
def test_registry__entry_is_whole(rule):
    info = registry()[rule]
    assert RULE_ID.match(rule)
    assert info.article
    assert info.title["en"]
    assert info.title["zh"]
    assert info.document["zh"]


def test_registry__anchor():
    assert registry()["GD-14.2"].anchor == "gd-14-2"
    anchors = [info.anchor for info in registry().values()]
    assert len(set(anchors)) == len(anchors)


def test_registry__knows_every_rule_of_the_state_tables():
    cited = {
        guard.split(":")[0]
        for table in state_tables().values()
        for transition in table.transitions
        for guard in transition.guards
    }
    assert {rule for rule in cited if not rule.startswith("state.")} <= registry().keys()


def test_registry__knows_every_plain_rule_source_of_the_packs():
    sources = {s for pack in Rulebook.load().packs for s in pack.sources.values()}
    assert {"GD-14.2", "GD-15"} <= {s for s in sources if RULE_ID.match(s)}


def test_registry__knows_every_rule_that_the_code_cites():
    unknown = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.suffix in {".py", ".toml", ".sql"} and path.name != "registry.toml":
                for rule in CITED.findall(path.read_text(encoding="utf-8")):
                    if rule not in registry():
                        unknown.setdefault(rule, []).append(str(path.relative_to(ROOT)))
    assert unknown == {}
