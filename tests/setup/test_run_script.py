"""The run script: what it lists, what it says when it cannot go on, what it leaves alone when all is done."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.setup.accounts import ROOT, Account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run_script(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "run"), *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def program(directory: Path, name: str, body: str) -> None:
    """Put a shell program of the test's own into `directory`, readable by everyone."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{body}\n")
    (directory / name).chmod(0o755)


def loading(checkout: Path, steps: Path) -> str:
    local = f"{checkout}/.local"
    return f"set -euo pipefail; ROOT='{checkout}' LOCAL='{local}' VENV='{local}/venv'; . '{steps}'"


def setup_copy(directory: Path) -> str:
    """Shell line that loads a copy of the set-up steps, for a checkout at `directory`."""
    shutil.copy(ROOT / "scripts/setup.sh", directory / "setup.sh")
    (directory / "setup.sh").chmod(0o644)
    return loading(directory, directory / "setup.sh")


def test_run__alone__lists_every_command() -> None:
    listed = run_script().stdout
    commands = re.findall(r"^command_(\w+)\(\)", (ROOT / "run").read_text(), flags=re.MULTILINE)
    assert len(commands) >= 10
    for name in commands:
        assert re.search(rf"^  {name}\b", listed, flags=re.MULTILINE), name


def test_run__unknown_command__one_line_and_failure() -> None:
    done = run_script("nonsense")
    assert done.returncode == 1
    assert done.stderr == "skywarden: no such command: nonsense; get it with: ./run\n"


def test_run__called_from_elsewhere__finds_its_checkout(tmp_path: Path) -> None:
    done = run_script("db", "status", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.split()[0] in ("running", "stopped")


def test_ci__calls_run_test() -> None:
    assert re.search(r"^exec .*/run\" test$", (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_setup__not_root_and_no_sudo__one_line_with_the_command(account: Account, open_dir: Path) -> None:
    for name in ("apt-get", "env", "id"):
        program(open_dir / "bin", name, "exit 1")
    line = f"{setup_copy(open_dir)}; need 'Node.js with npm' nodejs npm"
    done = account.run("/bin/bash", "-c", line, cwd=open_dir, path=str(open_dir / "bin"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "skywarden: Node.js with npm is missing; get it with: sudo apt-get update && "
        "sudo apt-get install -y --no-install-recommends nodejs npm\n"
    )


@as_root
def test_setup__root_without_sudo__installs_by_itself(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    program(tmp_path / "bin", "apt-get", f'echo "$@" >> {tmp_path}/asked')
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    line = f"{setup_copy(tmp_path)}; need 'Node.js with npm' nodejs npm"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == "== installing Node.js with npm (apt: nodejs npm)\n"
    assert (tmp_path / "asked").read_text().strip().endswith("install --no-install-recommends nodejs npm")


@as_root
def test_setup__apt_fails__one_line_with_the_command(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    program(tmp_path / "bin", "apt-get", "exit 100")
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    line = f"{setup_copy(tmp_path)}; need 'A font' fonts-x"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 2  # what it began, and the one line that ends it
    assert done.stderr.endswith("get it with: apt-get update && apt-get install -y --no-install-recommends fonts-x\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "\ncreate_main_cluster = false\n"),
        ("#create_main_cluster = true\n", "#create_main_cluster = true\n\ncreate_main_cluster = false\n"),
        ("create_main_cluster = true\n", "create_main_cluster = true\n"),
    ],
)
def test_setup__postgresql_installed__debian_makes_no_cluster_unless_asked_to(
    tmp_path: Path, before: str, after: str
) -> None:
    defaults = tmp_path / "createcluster.conf"
    defaults.write_text(before)
    line = (
        f"{setup_copy(tmp_path)}; CLUSTER_DEFAULTS={defaults}; need() {{ :; }}; has_postgis() {{ :; }}; install_postgis"
    )
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    assert defaults.read_text() == after


def test_setup__checkout_of_someone_else__one_line_with_the_command(account: Account, open_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to own what the account may not write")
    (open_dir / ".local").mkdir()
    line = f"{setup_copy(open_dir)}; set_up demo"
    done = account.run("/bin/bash", "-c", line, cwd=open_dir)
    assert done.returncode == 1
    name = account.entry.pw_name
    assert done.stderr == (
        f"skywarden: {open_dir}/.local cannot be written by {name}; "
        f"get it with: sudo chown -R {name} '{open_dir}/.local'\n"
    )


def test_setup__chromium_named_does_not_run__one_line(tmp_path: Path) -> None:
    line = f"{setup_copy(tmp_path)}; find_chromium || install_chromium"
    environment = {"PATH": str(tmp_path), "SKYWARDEN_CHROMIUM": "/nowhere/chrome"}
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "skywarden: SKYWARDEN_CHROMIUM=/nowhere/chrome does not run; get it with: unset SKYWARDEN_CHROMIUM\n"
    )


def test_setup__all_done__second_time_calls_nobody(tmp_path: Path) -> None:
    if not (ROOT / ".local/stamps/frontend").exists():
        pytest.skip("this checkout was not set up by ./run")
    load = loading(ROOT, ROOT / "scripts/setup.sh")
    subprocess.run(["bash", "-c", f"{load}; set_up demo"], check=True, capture_output=True)
    for name in ("apt-get", "npm", "sudo", "pip"):
        program(tmp_path, name, f"echo {name} >> {tmp_path}/called; exit 1")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    line = f"{load}; pip_install() {{ echo pip >> called; }}; set_up demo"
    begin = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 60
    assert not (tmp_path / "called").exists()


def test_setup__only_an_old_python__is_not_taken(tmp_path: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        program(tmp_path, name, "exit 1")
    line = f"{setup_copy(tmp_path)}; find_python"
    done = subprocess.run(["/bin/bash", "-c", line], cwd=tmp_path, env={"PATH": str(tmp_path)}, check=False)
    assert done.returncode == 1
