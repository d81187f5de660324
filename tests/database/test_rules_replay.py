"""Other rules over stored scenes: what would become a lead, what would stop being one, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import func, select, text

from schemas import tables as t
from sensing.segment.detectors import KINDS, SEARCHED
from web.cli.common import State
from web.cli.scene_replay import rules

PACK = Path("schemas/rules/packs/cn-gd-2025.yaml")


@pytest.fixture
def beginning(found):
    """Both scenes of a pit, and the later one was looked at."""
    return found


@pytest.fixture
def looked_at(found):
    """The public id of the scene in which the pit was found."""
    return found.after


@pytest.fixture
def packed(tmp_path):
    """Writes the pack of the house with the entry for excavations changed; its path."""

    def write(**changes: object) -> str:
        document = yaml.safe_load(PACK.read_text(encoding="utf-8"))
        document["violation_catalogue"][0] |= changes
        path = tmp_path / "other.yaml"
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def cli(services):
    def run(*arguments: str, lang: str = "en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(rules, ["replay", *arguments], obj=state, catch_exceptions=False)

    return run


def counted(session) -> dict[str, int]:
    tables = (t.Detection, t.SegmentationRun, t.CandidateRecord, t.Sighting)
    rows = {table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in tables}
    return rows | {"event": session.scalar(text("SELECT count(*) FROM ledger.event"))}


def test_same_rules__nothing_changes(cli, looked_at):
    told = cli(str(PACK))
    assert told.exit_code == 0
    assert "illegal_excavation, A1: 0 would become a lead, 0 would stop being one, 1 stay" in told.output
    assert "no candidate would be judged otherwise" in told.output


def test_larger_smallest_area__lead_stops__told_by_type_and_authority__nothing_written(cli, looked_at, packed, session):
    before = counted(session)
    answer = json.loads(cli(packed(min_area_m2=1_000_000), "--json").output)
    (change,) = answer["changes"]
    assert (change["scene"], change["change"]) == (looked_at, "stops_being_a_lead")
    assert "below the 1,000,000 m²" in change["trace_en"][-1]
    assert answer["counts"] == [{"type": "illegal_excavation", "authority": "A1", "stops_being_a_lead": 1}]
    session.rollback()
    assert counted(session) == before


def test_map_of_changes__is_geojson_with_the_outline(cli, looked_at, packed, tmp_path):
    target = tmp_path / "changes.geojson"
    told = cli(packed(only_within=["protected"]), "--geojson", str(target), lang="zh")
    assert "不再是线索 1 处" in told.output
    (feature,) = json.loads(target.read_text(encoding="utf-8"))["features"]
    assert feature["geometry"]["type"] == "Polygon"
    assert feature["properties"]["change"] == "stops_being_a_lead"
    assert "保护区" in feature["properties"]["trace_zh"][-1]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "en",
            ("would become a lead", "because: ", "at least 300 m²", "until now: no rule names excavation", " at 113.2"),
        ),
        ("zh", ("将成为线索", "原因：", "此前：没有规则涉及采挖", "位于 113.2")),
    ],
)
def test_candidate_that_becomes_a_lead__told_where_and_why(cli, looked_at, past_the_judge, lang, words):
    with past_the_judge() as admin:
        was = json.dumps([{"key": "law.no_rule", "params": {"kind": "excavation"}}])
        change = "UPDATE core.candidate SET is_lead = false, violation = NULL, verdict = CAST(:was AS jsonb)"
        admin.execute(text(f"{change} WHERE is_lead"), {"was": was})
    told = cli(str(PACK), lang=lang).output
    assert [one for one in words if one not in told] == []
    (row,) = json.loads(cli(str(PACK), "--json").output)["changes"]
    assert (row["was_en"], row["was_zh"]) == ("no rule names excavation", "没有规则涉及采挖")
    assert (row["lon"], row["lat"]) == pytest.approx((113.27, 23.13), abs=0.01)


@pytest.mark.parametrize(("lang", "words"), [("en", "was looked for in protected zones alone"), ("zh", "仅在保护区内")])
def test_rule_for_ground_that_the_engine_leaves_out__no_all_clear(
    cli, looked_at, tmp_path, past_the_judge, lang, words
):
    """Vegetation loss is looked for in protected zones: that farmland holds no candidate says nothing of it."""
    with past_the_judge() as admin:
        admin.execute(text("UPDATE core.segmentation_run SET refused_kinds = refused_kinds - 'vegetation_loss'"))
    document = yaml.safe_load(PACK.read_text(encoding="utf-8"))
    (clearance,) = (one for one in document["violation_catalogue"] if one["code"] == "vegetation_clearance")
    clearance["only_within"] = ["farmland"]
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    told = cli(str(path), lang=lang).output
    assert words in told
    assert "no candidate would be judged otherwise" not in told
    assert "所有疑似区域的判定均不变" not in told
    assert list(json.loads(cli(str(path), "--json").output)["not_looked_for"][looked_at]) == ["vegetation_loss"]


def test_where_each_kind_is_looked_for__is_told_for_all_of_them():
    assert SEARCHED.keys() == set(KINDS)


def test_rule_that_needs_other_bands__kind_refused__lead_stops(cli, looked_at, packed):
    observed = [{"dates": 1, "bands": ["swir2"], "coarsest_m": 31}]
    answer = json.loads(cli(packed(observed=observed), "--json").output)
    assert answer["changes"][0]["change"] == "stops_being_a_lead"
    assert "shortwave infrared 2" in answer["refused_kinds"][looked_at]["excavation"]


def test_rules_of_another_place__not_applied__and_told(cli, looked_at):
    told = cli("schemas/rules/packs/demo-neutral.yaml")
    assert f"the rules do not apply to {looked_at}" in told.output


def test_one_scene_named__only_that__and_an_unknown_one_is_refused(cli, looked_at):
    assert json.loads(cli(str(PACK), "--scenes", looked_at, "--json").output)["scenes"] == 1
    from schemas.refusals import RuleViolation

    with pytest.raises(RuleViolation) as caught:
        cli(str(PACK), "--scenes", "SC-NONE")
    assert caught.value.status == 404


@pytest.mark.parametrize("content", [b"id: x", b"\xff\xfe", b"a: [", b"[]"])
def test_file_that_is_no_rule_pack__refused_in_a_line(cli, tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    told = cli(str(path))
    assert told.exit_code == 1
    assert "is not a rule pack" in told.output


def test_run_that_kept_no_inputs__told(cli, looked_at, database):
    engine = database.admin_engine()
    with engine.begin() as admin:
        admin.execute(text("SET LOCAL session_replication_role = replica"))
        admin.execute(text("UPDATE core.segmentation_run SET manifest_sha256 = NULL"))
    engine.dispose()
    assert f"nothing was kept of the last run over {looked_at}" in cli(str(PACK)).output
