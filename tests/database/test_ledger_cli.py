"""`skywarden ledger` seals, verifies and exports."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from schemas.store import ledger as store
from schemas.store import verify as verifier
from schemas.store.engine import APP
from tests.database.plain import connect_admin, seal_all
from web.cli.common import State
from web.cli.ledger import ledger


class Services:
    """As much of the services as these commands use."""

    def __init__(self, engine):
        self.engine = engine


@pytest.fixture
def services(blank):
    made = Services(blank.engine(APP))
    yield made
    made.engine.dispose()


@pytest.fixture
def cli(services):
    def run(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(ledger, arguments, obj=state, catch_exceptions=False)

    return run


@pytest.fixture
def two_events(services):
    with Session(services.engine) as session:
        for name in ("one", "two"):
            entry = store.Entry(action=name, actor="host", subject_kind="x", subject_id=uuid.uuid4(), body={})
            store.append(session, entry)
        session.commit()


def test_ledger__seal_and_verify(cli, two_events, services):
    assert json.loads(cli("verify", "--json").output)["unsealed"] == 2
    assert cli("seal").output.startswith("Sealed ")
    seal_all(services.engine)
    found = json.loads(cli("verify", "--json").output)
    assert found | {"checkpoint": ""} == {"ok": True, "events": 2, "seals": 1, "unsealed": 0, "checkpoint": ""}
    assert cli("verify", "--checkpoint", found["checkpoint"]).exit_code == 0
    assert "账本完整" in cli("verify", lang="zh").output


def test_ledger__checkpoint__nonsense_is_wrong_usage(cli):
    assert cli("verify", "--checkpoint", "nonsense").exit_code == 2


def test_ledger__export__verified_by_the_script(cli, two_events, services, tmp_path):
    seal_all(services.engine)
    path = tmp_path / "ledger.jsonl"
    result = cli("export", str(path))
    assert result.exit_code == 0
    assert "2 events under 1 seals" in result.output
    command = [sys.executable, "-I", str(Path(verifier.__file__)), str(path)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_ledger__broken__said_and_status_1(cli, two_events, services, blank, tmp_path):
    seal_all(services.engine)
    with connect_admin(blank) as root:
        root.execute("SET session_replication_role = replica")
        root.execute("UPDATE ledger.event SET actor = 'nobody'")
    assert cli("verify").exit_code == 1
    assert json.loads(cli("verify", "--json").output)["ok"] is False
    assert "BROKEN" in cli("verify").output
    assert cli("export", str(tmp_path / "x")).exit_code == 1
    assert list(tmp_path.iterdir()) == []
