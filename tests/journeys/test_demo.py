"""The whole line, as a newcomer sees it: `skywarden demo --once` on a database of its own, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from schemas.store.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 900
pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 60)]


class Installation:
    """A database and a data folder that nothing else uses."""

    def __init__(self, folder: Path) -> None:
        self.name = f"skywarden_journey_{uuid.uuid4().hex[:8]}"
        self.environment = os.environ | {
            "SKYWARDEN_DATABASE_NAME": self.name,
            "SKYWARDEN_DATA_DIR": str(folder / "data"),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "web.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("journey"))
    cluster = Cluster.for_checkout(ROOT)
    with cluster.in_use():
        yield made
        url = cluster.url("postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{made.name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def told(installation: Installation) -> str:
    result = installation.run("demo", "--once")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def row(told: str, start: str) -> str:
    found = [line.strip() for line in told.splitlines() if line.strip().startswith(start)]
    assert found, f"no line about {start!r} in\n{told}"
    return found[-1]


def test_R1_passes_and_R2_R3_R4_are_refused_by_their_rules(told) -> None:
    assert "may be flown" in row(told, "plan R1  ")
    assert "GD-14.2" in row(told, "plan R1 on 2025-06-30")
    assert "earliest 2025-07-01" in row(told, "plan R1 on 2025-06-30")
    assert "GD-16.5" in row(told, "plan R2")
    assert "GD-16.5" in row(told, "plan R3")
    assert "GD-16.3" in row(told, "plan R4")


def test_the_published_mission_flew_and_the_flight_stayed_within_its_tolerance(told) -> None:
    line = row(told, "flight FL-")
    assert "landed" in line
    strayed = float(re.search(r"strayed ([\d.]+) m", line)[1])
    assert 0 < strayed < 30
    assert "as published" in row(told, "mission read back")


def test_the_photos_of_the_flight_were_taken_in_and_read(told) -> None:
    scene = next(line for line in told.splitlines() if "photos of the flight" in line and "taken in" in line)
    assert "0 left" in scene
    findings = [line for line in told.splitlines() if line.strip().startswith("findings in")]
    assert len(findings) == 2
    assert all(" 0 for review" not in line for line in findings)


def test_no_lawful_look_alike_was_reported(told) -> None:
    lines = [line for line in told.splitlines() if "lawful look-alikes" in line]
    assert len(lines) == 2
    assert all("none reported" in line for line in lines)


@pytest.mark.parametrize("kind", ["black_water", "land_conversion"])
def test_every_black_pond_and_every_lost_field_was_found_as_that(told, kind) -> None:
    lines = [line for line in told.splitlines() if line.strip().startswith(f"{kind} against ground truth")]
    found = [re.search(r"(\d+) of (\d+) found", line).groups() for line in lines]
    assert found
    assert all(hit == there for hit, there in found)


def test_the_ledger_verifies_after_all_that(told, installation) -> None:
    assert "every hash, seal and link fits" in row(told, "ledger verified")
    assert installation.run("ledger", "verify").returncode == 0


def test_what_was_published_while_it_ran_is_proven(told) -> None:
    assert "this proof shows no use" in row(told, "publication of DP-")


def test_a_stranger_may_check_the_export_with_the_standard_library_alone(told, installation, tmp_path) -> None:
    export = tmp_path / "ledger.jsonl"
    assert installation.run("ledger", "export", str(export)).returncode == 0
    verifier = [sys.executable, "-I", "-S", str(ROOT / "schemas" / "store" / "verify.py"), str(export)]
    assert subprocess.run(verifier, capture_output=True, check=False).returncode == 0
    lines = export.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = lines[len(lines) // 2].replace(b'"', b"'", 1)
    export.write_bytes(b"".join(lines))
    assert subprocess.run(verifier, capture_output=True, check=False).returncode != 0


def test_a_second_start_tells_the_same_and_flies_nothing(told, installation) -> None:
    again = installation.run("demo", "--once")
    assert again.returncode == 0
    assert "[1/" not in again.stdout
    assert row(again.stdout, "flight FL-") == row(told, "flight FL-")


@pytest.mark.parametrize("form", ["plan", "waypoints", "geojson"])
def test_R1_drawn_by_anyone_in_any_form_passes(form, told, installation) -> None:
    sample = next((Path(installation.environment["SKYWARDEN_DATA_DIR"]) / "sample").iterdir())
    result = installation.run(
        "plan", "check", str(sample / "plans" / f"R1.{form}"), "--at", "2025-07-02T10:00+08:00", "--json"
    )
    assert result.returncode == 0, result.stdout
