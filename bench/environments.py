"""Pinned environments of the peers under `.local/peers/NAME`, made on first use; never in ours.

A peer's versions stand in `bench/peers/NAME.txt`. Whatever keeps a peer from running is `PeerMissing`, and its
rows then say `not measured`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
INSTALL_TIMEOUT_S = 900
STOP_TIMEOUT_S = 10


class PeerMissing(Exception):
    """The peer cannot run here; the text says why."""


def environment(name: str) -> Path:
    """The Python of the peer `name`, whose pinned packages are installed where they are not yet."""
    pins = PEERS / f"{name}.txt"
    home = ROOT / ".local" / "peers" / name
    python = home / "bin" / "python"
    stamp = home / "pins.sha256"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    print(f"making the environment of {name} in {home}", file=sys.stderr)
    _run(sys.executable, "-m", "venv", str(home))
    _refuse_gigabytes(python, pins)
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary", ":all:"]
    _run(str(python), "-m", "pip", "install", *options, "-r", str(pins))
    stamp.write_text(wanted)
    return python


def _refuse_gigabytes(python: Path, pins: Path) -> None:
    """What an index offers as torch may be a CPU build, or one with gigabytes for a GPU beside it: that is no peer."""
    torch = next((pin for pin in pins.read_text().split() if pin.startswith("torch==")), None)
    if torch is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        _run(*pip, "--dry-run", "--ignore-installed", "--report", str(plan), torch)
        judged = [sys.executable, str(ROOT / "scripts" / "torch_plan.py"), str(plan)]
        verdict = subprocess.run(judged, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    if verdict.returncode:
        raise PeerMissing(verdict.stdout.strip())


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise PeerMissing(said[-1] if said else f"{command[0]} failed")


class Worker:
    """A peer that stays alive between rounds: one JSON line in, one JSON line out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, request: Any) -> Any:  # noqa: ANN401 - JSON
        """What the peer answers; raises PeerMissing where it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerMissing("the peer ended") from error
        line = self._process.stdout.readline()
        if not line:
            raise PeerMissing(f"the peer ended with status {self._process.wait()}")
        return json.loads(line)


@contextmanager
def worker(name: str, script: str, *arguments: str) -> Iterator[Worker]:
    """`bench/peers/SCRIPT` running in the environment of the peer `name`."""
    command = [str(environment(name)), str(PEERS / script), *arguments]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Worker(process)


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:  # noqa: ANN401
    """A process that is ended when the block ends."""
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            process.kill()
            if process.stdin:
                with suppress(BrokenPipeError):
                    process.stdin.close()
