"""The command line as a whole: whatever goes wrong is one clear line and a stated status, and never a stack."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError

from web.cli.main import main, skywarden
from web.logs import configure_logs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _logs_as_before():
    """The streams of a test are closed after it, and nothing may go on writing to them."""
    before = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:], logging.root.level = before


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"SKYWARDEN_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "web.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("port", "abc"),
        ("port", "99999"),
        ("behind_tls_proxy", "perhaps"),
        ("database_url", "nonsense"),
        ("database_url", "mysql://u:secret-word@x/y"),
    ],
)
def test_setting__wrong__one_line_without_its_secret(setting, value):
    ended = run("person", "list", **{setting: value})
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.count("\n") == 1
    assert f"SKYWARDEN_{setting.upper()}" in ended.stderr
    assert "secret-word" not in ended.stderr


def test_database__away__one_line():
    ended = run("person", "list", database_url="postgresql://u:secret-word@127.0.0.1:1/x")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
    assert "secret-word" not in ended.stderr


@pytest.fixture
def called(monkeypatch, capsys):
    """`called("--lang", "zh", error=KeyError())` is (status, what was said) of a command that fails with that error."""

    def call(*arguments: str, error: BaseException) -> tuple[int, str]:
        def fail(**_options: object) -> None:
            raise error

        monkeypatch.setattr(skywarden, "main", fail)
        monkeypatch.setattr(sys, "argv", ["skywarden", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("lang", "words"),
    [((), "Permission denied."), (("--lang", "zh"), "："), (("--lang=zh",), "："), (("--lang=fr",), ".")],
)
def test_file__that_cannot_be_written__is_named_in_the_language_asked_for(called, lang, words):
    status, said = called(*lang, "person", error=PermissionError(13, "Permission denied", "/x/y.jsonl"))
    assert status == 3
    assert "/x/y.jsonl" in said
    assert words in said


def test_fault_of_ours__is_an_incident_and_no_stack_for_people(called):
    status, said = called("person", error=KeyError("core.person"))
    assert status == 4
    *logged, told = said.splitlines()
    assert "core.person" not in told
    assert "incident" in told
    assert all(line.startswith("{") for line in logged)


def test_logs__of_every_library__are_json_lines(capsys):
    configure_logs()
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("some.library").exception("it %s", "failed")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"]) == ("it failed", "error")
    assert "inside" in said["exception"]


def test_worker__database_away_for_a_while__goes_on(services, monkeypatch):
    tried = []

    def seal(_engine):
        tried.append(len(tried))
        if len(tried) == 1:
            raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setattr("web.cli.common.build", lambda: services)
    monkeypatch.setattr("web.cli.worker.seal_pending", seal)
    monkeypatch.setattr("web.cli.worker.AWAY_S", 0.0)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert CliRunner().invoke(skywarden, ["worker"]).exit_code == 0
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert tried == [0, 1]
