"""Sealing: below the horizon, by one sealer, computed by the database, verified and exported (P5)."""

import shutil
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.orm import Session

from schemas.store import ledger, sealer, verify
from schemas.store.engine import APP
from schemas.store.merkle import leaf_hash
from schemas.store.merkle import root as merkle_root
from schemas.store.sealer import seal_pending
from tests.database.plain import connect, seal_all

VERIFIER = Path(verify.__file__)


@pytest.fixture
def engine(blank):
    made = blank.engine(APP)
    yield made
    made.dispose()


def add(session, name="x"):
    return ledger.append(
        session,
        ledger.Entry(
            action=f"test.{name}",
            actor="system",
            subject_kind="t",
            subject_id=uuid.uuid4(),
            body={"名": name, "n": 1.5},
        ),
    )


def add_committed(engine, count=1, name="x"):
    with Session(engine) as session:
        for _ in range(count):
            add(session, name)
        session.commit()


def tamper(root, statement, *values):
    root.execute("SET session_replication_role = replica")
    root.execute(statement, values or None)
    root.execute("SET session_replication_role = origin")


# -- sealing -----------------------------------------------------------------------------------


def test_seal__nothing_to_seal__no_seal(engine):
    assert seal_pending(engine) == 0
    assert ledger.verify(engine).sealed == verify.Report(0, 0, "0:" + "00" * 32)


def test_seal__links_batches(engine):
    add_committed(engine, 3)
    assert seal_all(engine) == 3
    add_committed(engine, 2)
    assert seal_all(engine) == 2
    state = ledger.verify(engine)
    assert (state.sealed.events, state.sealed.seals, state.unsealed) == (5, 2, 0)


def test_seal__late_committer__not_passed_by(engine, root):
    """Event 1 is uncommitted while event 2 commits: a sealer that goes by id would lose event 1 for ever."""
    with Session(engine) as slow:
        add(slow, "early")
        add_committed(engine, 1, "later")
        assert seal_pending(engine) == 0
        slow.commit()
    assert seal_all(engine) == 2
    assert root.execute("SELECT first_id, last_id, count FROM ledger.seal").fetchall() == [(1, 2, 2)]


def test_seal__events_of_a_running_transaction__wait(engine):
    add_committed(engine, 2)
    with Session(engine) as running:
        add(running)  # seen by no other session, so that it is not counted as waiting
        assert seal_all(engine) == 2
        running.rollback()
    assert seal_all(engine) == 0


def test_seal__transaction_in_another_database__only_delays(engine, root):
    """The horizon is the whole server's: tests that run side by side hold each other's seals back."""
    elsewhere = psycopg.connect(root.info.dsn, password=root.info.password, dbname="postgres")
    elsewhere.execute("SELECT pg_current_xact_id()")
    add_committed(engine, 3)
    assert seal_pending(engine) == 0
    ending = threading.Timer(0.3, elsewhere.close)
    ending.start()
    assert seal_all(engine) == 3
    ending.join()


def test_seal__batches_are_bounded(engine, root, monkeypatch):
    monkeypatch.setattr(sealer, "BATCH_EVENTS", 4)
    add_committed(engine, 10)
    assert seal_all(engine) == 10
    assert [row[0] for row in root.execute("SELECT count FROM ledger.seal ORDER BY n")] == [4, 4, 2]
    assert ledger.verify(engine).sealed.events == 10


def test_seal__second_sealer__steps_back(engine, blank):
    add_committed(engine)
    with connect(blank) as one, one.transaction():
        one.execute("SELECT ledger.seal_batch(10)")
        assert seal_pending(engine) == 0
    assert seal_all(engine) <= 1
    assert ledger.verify(engine).sealed.events == 1


def test_seal__eight_writers_and_two_sealers__everything_once(engine):
    done = threading.Event()

    def write():
        for _ in range(20):
            add_committed(engine, 2)

    def seal():
        while not done.is_set():
            seal_pending(engine)

    writers = [threading.Thread(target=write) for _ in range(8)]
    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in (*writers, *sealers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sealers:
        thread.join()
    seal_all(engine)
    state = ledger.verify(engine)
    assert (state.sealed.events, state.unsealed) == (320, 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 100])
def test_seal__root_of_the_database__is_that_of_rfc_9162(root, size):
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    assert root.execute("SELECT ledger.merkle_root(%s)", [leaves]).fetchone()[0] == merkle_root(leaves)


# -- verification ------------------------------------------------------------------------------


@pytest.fixture
def sealed(engine):
    for count in (3, 2, 4):
        add_committed(engine, count)
        seal_all(engine)
    return engine


TAMPERINGS = [
    "UPDATE ledger.event SET body = '{}' WHERE id = 4",
    "UPDATE ledger.event SET recorded_at = recorded_at - interval '30 days' WHERE id = 2",
    "UPDATE ledger.event SET effective_at = now() WHERE id = 2",
    "UPDATE ledger.event SET origin = 'legacy' WHERE id = 9",
    "UPDATE ledger.event SET actor = 'person:x' WHERE id = 1",
    "UPDATE ledger.event SET pack = 'p' WHERE id = 1",
    "UPDATE ledger.event SET leaf = sha256('x') WHERE id = 5",
    "UPDATE ledger.event SET xid = '3' WHERE id = 9",
    "UPDATE ledger.event SET id = 1000 WHERE id = 5",
    "DELETE FROM ledger.event WHERE id = 5",
    "DELETE FROM ledger.event WHERE id = 9",
    "INSERT INTO ledger.event SELECT 1000, xid, recorded_at, effective_at, origin, actor, action, subject_kind,"
    " subject_id, pack, body, leaf FROM ledger.event WHERE id = 2",
    "DELETE FROM ledger.seal WHERE n = 1",
    "DELETE FROM ledger.seal WHERE n = 2",
    "UPDATE ledger.seal SET root = sha256('x') WHERE n = 3",
    "UPDATE ledger.seal SET prev = sha256('x') WHERE n = 2",
    "UPDATE ledger.seal SET count = 5 WHERE n = 2",
    "UPDATE ledger.seal SET sealed_at = sealed_at - interval '1 day' WHERE n = 1",
    "UPDATE ledger.seal SET sealed_at = sealed_at - interval '1 day' WHERE n = 3",
    "UPDATE ledger.seal SET digest = sha256('x') WHERE n = 3",
    "UPDATE ledger.seal SET n = 7 WHERE n = 3",
]


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_P5__administrator_edits_past_every_wall__found(sealed, root, statement, tmp_path):
    tamper(root, statement)
    with pytest.raises(verify.LedgerBroken):
        ledger.verify(sealed)
    with pytest.raises(verify.LedgerBroken):
        ledger.export(sealed, tmp_path / "ledger.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_P5__edited_before_it_is_sealed__found_too(sealed, root):
    add_committed(sealed, 2)
    assert ledger.verify(sealed).unsealed == 2
    tamper(root, "UPDATE ledger.event SET actor = 'nobody' WHERE id = 11")
    with pytest.raises(verify.LedgerBroken, match="event 11"):
        ledger.verify(sealed)


def test_P5__everything_recomputed_from_the_edit_on__found_by_an_earlier_checkpoint(sealed, root):
    before = ledger.verify(sealed).sealed.checkpoint
    tamper(root, "UPDATE ledger.event e SET actor = 'nobody' WHERE id = 2")
    tamper(
        root,
        "UPDATE ledger.event e SET leaf = sha256('\\x00'::bytea || convert_to(ledger.line(e), 'UTF8')) WHERE id = 2",
    )
    tamper(root, "DELETE FROM ledger.seal")
    seal_all(sealed)
    assert ledger.verify(sealed).sealed.events == 9
    with pytest.raises(verify.LedgerBroken, match="checkpoint"):
        ledger.verify(sealed, dict([verify.parse_checkpoint(before)]))


def test_P5__last_seals_cut_off__found_by_an_earlier_checkpoint(sealed, root):
    before = ledger.verify(sealed).sealed.checkpoint
    tamper(root, "DELETE FROM ledger.seal WHERE n = 3")
    assert ledger.verify(sealed).unsealed == 4
    with pytest.raises(verify.LedgerBroken, match="missing"):
        ledger.verify(sealed, dict([verify.parse_checkpoint(before)]))


def test_P5__every_earlier_checkpoint_still_fits(engine):
    known = {}
    for count in (1, 3, 2):
        add_committed(engine, count)
        seal_all(engine)
        number, digest = verify.parse_checkpoint(ledger.verify(engine).sealed.checkpoint)
        known[number] = digest
    assert ledger.verify(engine, known).sealed.seals == 3


# -- export and the standalone verifier --------------------------------------------------------


@pytest.fixture
def exported(sealed, tmp_path):
    add_committed(sealed)  # not sealed, so not part of the export
    path = tmp_path / "ledger.jsonl"
    report = ledger.export(sealed, path)
    assert (report.events, report.seals) == (9, 3)
    return path


def run_verifier(tmp_path, *arguments):
    """The verifier as a stranger runs it: a copied file, in isolated mode, far from the checkout."""
    alone = shutil.copy(VERIFIER, tmp_path / "verify.py")
    command = [sys.executable, "-I", "-S", str(alone), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def test_verifier__alone__accepts_the_export(exported, sealed, tmp_path):
    result = run_verifier(tmp_path, exported)
    assert result.returncode == 0, result.stderr
    assert "Verified 9 events under 3 seals." in result.stdout
    assert ledger.verify(sealed).sealed.checkpoint in result.stdout


def test_verifier__alone__refuses_one_changed_byte(exported, tmp_path):
    data = bytearray(exported.read_bytes())
    data[data.index(b"system")] ^= 1
    exported.write_bytes(data)
    result = run_verifier(tmp_path, exported)
    assert result.returncode == 1
    assert result.stderr.startswith("NOT VERIFIED")
    assert result.stdout == ""


def test_verifier__alone__checkpoints(exported, tmp_path):
    checkpoint = run_verifier(tmp_path, exported).stdout.split()[-1]
    assert run_verifier(tmp_path, exported, "--checkpoint", checkpoint).returncode == 0
    other = "1:" + "ab" * 32
    assert run_verifier(tmp_path, exported, "--checkpoint", other).returncode == 1
    assert run_verifier(tmp_path, exported, "--checkpoint", "4:" + "ab" * 32).returncode == 1
    assert run_verifier(tmp_path, exported, "--checkpoint", "nonsense").returncode == 2
    assert run_verifier(tmp_path, tmp_path / "absent").returncode == 2


def test_export__lines_of_database_and_python_are_the_same(exported, root):
    lines = [row[0] for row in root.execute("SELECT ledger.line(e) FROM ledger.event e ORDER BY xid, id LIMIT 9")]
    seals = [row[0] for row in root.execute("SELECT ledger.seal_line(s) FROM ledger.seal s ORDER BY n")]
    text_lines = exported.read_text(encoding="utf-8").splitlines()
    assert [line for line in text_lines if '"action"' in line] == lines
    assert [line for line in text_lines if '"seal"' in line] == seals


def test_export__reads_one_moment(sealed, tmp_path, monkeypatch):
    """Events that arrive during an export belong to the next one."""
    original = ledger._lines

    def busy(connection):
        for line in original(connection):
            yield line
            if '"seal":"1"' in line.decode():
                add_committed(sealed, 2)
                seal_pending(sealed)

    monkeypatch.setattr(ledger, "_lines", busy)
    assert ledger.export(sealed, tmp_path / "x.jsonl").events == 9
