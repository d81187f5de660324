"""`skywarden plan` as people type it, on a real database."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from flights.canonical import mission_digest
from flights.formats import read_plan, write_plan
from flights.model import Frame
from tests.situations import R1, R2, R3, R4, drawn
from web.cli.common import State
from web.cli.plan import plan

AT = "2025-07-02T10:00+08:00"


@pytest.fixture
def run(services, ground):
    def call(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(plan, [str(a) for a in arguments], obj=state, catch_exceptions=True)

    return call


@pytest.fixture
def file(tmp_path):
    def write(line=R1, alt_m=100.0, suffix=".plan", name="route") -> Path:
        frame = Frame.GLOBAL_TERRAIN_ALT if suffix == ".geojson" else Frame.GLOBAL_RELATIVE_ALT
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(write_plan(drawn(line, alt_m, frame), suffix))
        return path

    return write


def body(result):
    return json.loads(result.stdout)


def test_check__R1_in_three_formats__ok_with_one_published_mission(run, file):
    for suffix in (".plan", ".waypoints", ".geojson"):
        result = run("check", file(suffix=suffix), "--at", AT, "--json")
        answer = body(result)
        assert (result.exit_code, answer["ok"], answer["refusals"]) == (0, True, [])
        assert answer["route"] == "RT-R1"
        assert answer["length_m"] == pytest.approx(3073, abs=1)
        assert {"hfov_deg", "drone"} <= {a["name"] for a in answer["assumed"]}


def test_check__fixtures__refused_by_the_rule_that_is_written(run, file):
    for line, at, rule in (
        (R2, AT, "GD-16.5"),
        (R3, AT, "GD-16.5"),
        (R4, AT, "GD-16.3"),
        (R1, "2025-06-30T10:00+08:00", "GD-14.2"),
        (R1, "2025-07-02T23:00+08:00", "GD-16.5"),
    ):
        result = run("check", file(line), "--at", at, "--json")
        refusals = body(result)["refusals"]
        assert result.exit_code == 1
        assert rule in [r["rule"] for r in refusals]
        assert all(r["place"] and r["fix"] for r in refusals)
        if rule == "GD-14.2":
            assert refusals[0]["earliest"] == "2025-07-01"


def test_check__height_missing__refused_until_the_option_gives_it(run, file):
    bare = file(alt_m=None, suffix=".geojson")
    result = run("check", bare, "--at", AT, "--json")
    assert [r["rule"] for r in body(result)["refusals"]] == ["plan.height_missing"]
    assert run("check", bare, "--at", AT, "--alt-agl-m", "100", "--hfov-deg", "70").exit_code == 0


def test_check__text__says_everything_in_both_languages(run, file):
    passed = run("check", file(), "--at", AT)
    assert "May be flown." in passed.stdout
    assert "field of view, degrees = 70.0 (aircraft DV-DR1)" in passed.stdout
    assert re.search(r"keeps +zone \S+: line [\d,]+ m, camera [\d,]+ m", passed.stdout)
    assert re.search(r"keeps +above ground 100 m, on the way to home", passed.stdout)
    refused = run("check", file(R3), "--at", AT, lang="zh")
    assert refused.exit_code == 1
    assert "不得飞行" in refused.stdout
    assert "GD-16.5" in refused.stdout


def test_check__no_plan__same_shape_of_answer(run, tmp_path):
    path = tmp_path / "x.gpx"
    path.write_text("<gpx/>", encoding="utf-8")
    result = run("check", path, "--json")
    assert result.exit_code == 1
    assert body(result)["refusals"][0]["rule"] == "plan.format"
    assert body(result).keys() >= {"ok", "refusals", "digest", "items", "length_m", "assumed"}


@pytest.mark.parametrize(
    ("options", "rule"),
    [(("--drone", "NOPE"), "store.unknown"), (("--at", "9999-12-31T23:59:59+00:00"), "plan.time")],
)
def test_check__nothing_to_judge_by__same_shape_of_answer(run, file, options, rule):
    result = run("check", file(), "--json", *options)
    assert result.exit_code == 1
    assert [r["rule"] for r in body(result)["refusals"]] == [rule]
    assert body(result).keys() >= {"ok", "refusals", "digest", "items", "length_m", "assumed"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "/nowhere"],
        ["check", "{file}", "--at", "2025-07-02"],
        ["check", "{file}", "--alt-agl-m", "nan"],
        ["check", "{file}", "--hfov-deg", "nan"],
        ["nothing"],
    ],
)
def test_wrong_usage__exit_2(run, file, arguments):
    assert run(*(a.format(file=file()) for a in arguments)).exit_code == 2


def test_file__pilot_files_and_the_system_judges(run, file):
    window = ("--start", AT, "--end", "2025-07-02T10:40+08:00")
    named = ("--route", "R1", "--inspection-plan", "IP-2025-1", "--drone", "DR1", "--as", "F1", "--json")
    result = run("file", file(), *window, *named)
    assert (result.exit_code, body(result)["state"]) == (0, "precheck_passed")
    assert body(result)["digest"] != body(result)["published_digest"]
    failed = run("file", file(R4), *window, *named)
    assert (failed.exit_code, body(failed)["state"]) == (1, "precheck_failed")
    assert {r["rule"] for r in body(failed)["refusals"]} == {"DC-2", "GD-16.3"}


def test_P2__file_with_a_key__sent_again__the_same_flight(run, file):
    window = ("--start", AT, "--end", "2025-07-02T10:40+08:00")
    named = ("--route", "R1", "--inspection-plan", "IP-2025-1", "--drone", "DR1", "--as", "F1", "--json", "--key", "k")
    first, again = (body(run("file", file(), *window, *named)) for _ in range(2))
    assert first == again
    other = run("file", file(alt_m=101.0), *window, *named)
    assert (other.exception.status, other.exception.refusals[0].rule) == (422, "idempotency.mismatch")


def test_file__nobody_acts__refused(run, file):
    result = run(
        "file", file(), "--route", "R1", "--inspection-plan", "IP-1", "--drone", "DR1", "--start", AT, "--end", AT
    )
    assert result.exception is not None
    assert result.exception.status == 403


def test_export__published_mission__passes_its_own_check_in_every_format(run, tmp_path):
    for suffix in (".plan", ".waypoints", ".geojson"):
        out = tmp_path / f"r1{suffix}"
        exported = run("export", "R1", out)
        assert exported.exit_code == 0, exported.output
        answer = body(run("check", out, "--at", AT, "--json"))
        assert answer["ok"], answer
        if suffix != ".geojson":
            assert answer["digest"] == answer["published_digest"] == mission_digest(read_plan(out.read_bytes()).items)
    assert read_plan((tmp_path / "r1.plan").read_bytes()).fence.polygons[0].inclusion
    assert run("export", "R1", out).exit_code == 2
    assert run("export", "R1", out, "--force").exit_code == 0


def test_export__draft_route__refused(run, tmp_path):
    result = run("export", "R2", tmp_path / "r2.plan")
    assert result.exception.refusals[0].rule == "DC-2"
