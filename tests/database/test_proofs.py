"""What was published can be proven, by the standalone verifier, from the file that the page offers (GD-14)."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from geo import commands
from schemas.store import ledger, verify_proof
from schemas.store.signing_notes import KEY_FILE, signer_of
from schemas.store.verify_proof import ProofBroken, check_older, tell, verify
from schemas.tables import Device, PatrolArea, PatrolRoute
from tests.database.plain import seal_all
from tests.proving import prove_all
from web.proofs.documents import latest_checkpoint, proof_of
from web.witnessing import sign_latest, witness

LIVE_ON = date(2025, 6, 1)


def proof(services, kind="device", public_id="DV-DV1"):
    with services.public() as public:
        return proof_of(public, kind, public_id)


def words(data, lang="en"):
    return tell(verify(data), lang)[0]


@pytest.fixture
def aged(admin):
    """Lets what is unsealed have been recorded at another time, with the hash that it would have."""

    def age(at, where="true"):
        admin.execute("SET session_replication_role = replica")
        admin.execute(f"UPDATE ledger.event SET recorded_at = '{at}' WHERE {where}")
        admin.execute(
            "UPDATE ledger.event e SET leaf = sha256('\\x00'::bytea || convert_to(ledger.line(e), 'UTF8'))"
            f" WHERE {where}"
        )
        admin.execute("SET session_replication_role = origin")

    return age


@pytest.fixture
def live(admin):
    """Says of DV1 that the platform witnessed it, from its publication to its use."""

    def make(activated_on=None):
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE core.publication SET origin = 'live', recorded_at = published_at")
        state = "active" if activated_on else "published"
        admin.execute(
            "UPDATE core.device SET origin = 'live', activated_on = %s, state = %s WHERE public_id = 'DV-DV1'",
            (activated_on, state),
        )
        admin.execute("SET session_replication_role = origin")

    return make


def write_down(services, aged, at):
    """The worker at work at that time."""
    list(witness(services))
    aged(at, "action = 'publication.witness'")


def test_proof__of_an_import__asserted_and_not_witnessed(services):
    prove_all(services)
    said = words(proof(services))
    assert said.startswith("DV-DV1: said to be published on 2025-06-01; asserted by import on ")
    assert said.endswith(", not witnessed.")
    assert "主张，未经本平台见证" in words(proof(services), "zh")


def test_proof__of_what_was_witnessed__so_many_days_before_use(services, live, aged):
    live(activated_on=LIVE_ON + timedelta(days=41))
    write_down(services, aged, "2025-06-01 02:00:01Z")
    prove_all(services)
    assert words(proof(services)) == "DV-DV1: published on 2025-06-01, 41 days before use (2025-07-12)."
    assert words(proof(services), "zh") == "DV-DV1：2025-06-01 公示，早于启用（2025-07-12）41 天。"


def test_proof__recorded_later_than_a_receipt_says__the_record_counts(services, live, aged):
    live(activated_on=LIVE_ON + timedelta(days=41))
    write_down(services, aged, "2025-06-10 16:00:01Z")  # the 11th at the place
    prove_all(services)
    said = tell(verify(proof(services)))
    assert said[0] == "DV-DV1: published on 2025-06-11, 31 days before use (2025-07-12)."
    assert "A receipt says 2025-06-01" in said[1]


def test_proof__of_what_is_not_in_use__says_so(services, live, aged):
    live()
    write_down(services, aged, "2025-06-01 02:00:01Z")
    prove_all(services)
    assert words(proof(services)) == "DV-DV1: published on 2025-06-01; this proof shows no use."


def test_proof__used_before_it_was_published__tells_that_too(services, live, aged):
    live(activated_on=LIVE_ON - timedelta(days=3))
    write_down(services, aged, "2025-06-01 02:00:01Z")
    prove_all(services)
    assert "3 days AFTER use began" in words(proof(services))


def test_proof__holds_what_was_published__and_for_a_route_its_hash_alone(services):
    prove_all(services)
    assert json.loads(verify(proof(services)).content)["place"]["coordinates"] == [113.26, 23.13]
    with services.session() as session:
        route = session.query(PatrolRoute).first().public_id
        area = session.query(PatrolArea).first().public_id
    assert verify(proof(services, "patrol_area", area)).content is not None
    found = proof(services, "patrol_route", route)
    assert verify(found).content is None
    assert b"113.255" not in found


def test_proof__names_no_person(services, admin, work):
    with work("O1") as doing:
        device = doing.get(Device, "DV-DV1")
        commands.record_publication(doing, device, channel="media", receipt_id="M-1", published_at=doing.now)
        doing.commit()
    prove_all(services)
    people = {str(one) for (one,) in admin.execute("SELECT id FROM core.person")}
    data = proof(services).decode()
    assert "M-1" in data
    assert not [one for one in people if one in data]


def test_proof__before_it_is_sealed__there_is_none(services):
    assert proof(services) is None
    list(witness(services))
    assert proof(services) is None


def test_GD_14_6__proof__of_a_device_that_became_secret__there_is_none(services, admin):
    prove_all(services)
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.device SET secret = true, secret_document = 'x', secret_authority = 'x', secret_level = 'x',"
        " secret_until = '2030-01-01' WHERE public_id = 'DV-DV1'"
    )
    assert proof(services) is None


def test_witness__again__writes_nothing_twice(services, admin):
    prove_all(services)
    before = admin.execute("SELECT count(*) FROM ledger.event").fetchone()
    prove_all(services)
    assert admin.execute("SELECT count(*) FROM ledger.event").fetchone() == before


def test_witness__two_workers_at_once__once(services, admin):
    with services.work() as other:
        other.session.execute(text("SELECT pg_advisory_xact_lock('core.witnessing'::regclass::oid::bigint)"))
        assert list(witness(services)) == []
    assert list(witness(services)) != []


def test_proof__what_was_withdrawn__is_not_proven_as_standing(services, admin):
    prove_all(services)
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.publication SET withdrawn_at = now() WHERE channel <> 'official_disclosure'")
    assert "not yet on every channel" in words(proof(services))


# -- checkpoints -------------------------------------------------------------------------------


def test_checkpoint__is_signed_and_last(services):
    prove_all(services)
    with services.public() as public:
        checkpoint = latest_checkpoint(public)
    assert checkpoint.text == ledger.verify(services.engine).sealed.checkpoint
    assert checkpoint.signer == signer_of(services.data_dir).verifier_key
    assert verify(proof(services), key=checkpoint.signer).checkpoint.digest == checkpoint.digest


def test_checkpoint__key__is_made_once_and_for_its_owner_alone(services):
    made = signer_of(services.data_dir)
    assert (services.data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert signer_of(services.data_dir).verifier_key == made.verifier_key


def test_checkpoint__key_that_is_none__is_told(services):
    signer_of(services.data_dir)
    (services.data_dir / KEY_FILE).write_bytes(b"short")
    with pytest.raises(ValueError, match="holds no key"):
        sign_latest(services)


def test_checkpoint__of_another_key__fails_where_a_key_was_expected(services):
    prove_all(services)
    data = proof(services)
    (services.data_dir / KEY_FILE).unlink()
    prove_all(services)
    other = verify(proof(services)).key
    assert other != verify(data).key
    with pytest.raises(ProofBroken, match="not with the key that was expected"):
        verify(data, key=other)


def test_checkpoint__a_new_key__signs_what_was_proven_before(services):
    prove_all(services)
    (services.data_dir / KEY_FILE).unlink()
    prove_all(services)
    assert verify(proof(services)).key == signer_of(services.data_dir).verifier_key


def resealed(admin):
    """Somebody with all rights seals the whole ledger anew."""
    admin.execute("SET session_replication_role = replica")
    admin.execute("DELETE FROM core.checkpoint")
    admin.execute(
        "UPDATE core.witnessing SET seal_n = NULL, seal_line = NULL, event_line = NULL, leaf_index = NULL,"
        " leaf_count = NULL, leaf_path = NULL"
    )
    admin.execute("DELETE FROM ledger.seal")


def test_rewritten_ledger__with_new_seals_and_signatures__fails_against_an_older_checkpoint(services, admin, aged):
    prove_all(services)
    with services.public() as public:
        noted = latest_checkpoint(public)
    check_older(verify(proof(services)), [(noted.n, noted.digest)])
    resealed(admin)
    aged("2025-06-01 02:00:01Z", "action = 'publication.witness'")
    admin.execute("SET session_replication_role = origin")
    prove_all(services)
    forged = verify(proof(services))  # by itself it holds
    with pytest.raises(ProofBroken, match="the ledger was rewritten"):
        check_older(forged, [(noted.n, noted.digest)])


def test_older_checkpoint__before_the_proof__needs_the_chain_of_seals(services, work):
    for receipt in ("M-1", "M-2"):
        with work("O1") as doing:
            device = doing.get(Device, "DV-DV1" if receipt == "M-1" else "DV-DR1")
            commands.record_publication(doing, device, channel="media", receipt_id=receipt, published_at=doing.now)
            doing.commit()
        seal_all(services.engine)
    sign_latest(services)
    with services.public() as public:
        noted = latest_checkpoint(public)
    assert noted.n == 2
    prove_all(services)
    held = verify(proof(services))
    assert noted.n not in held.seals
    with pytest.raises(ProofBroken, match="--seals"):
        check_older(held, [(noted.n, noted.digest)])
    with services.public() as public:
        lines = list(public.execute(text("SELECT line FROM public_map.seals ORDER BY n")).scalars())
    check_older(held, [(noted.n, noted.digest)], lines)
    with pytest.raises(ProofBroken, match="rewritten"):
        check_older(held, [(noted.n, "00" * 32)], lines)
    with pytest.raises(ProofBroken, match="was not put on"):
        check_older(held, [(noted.n, noted.digest)], [*lines[:1], *lines[2:]])


def test_seal_lines_of_the_view__are_those_of_the_ledger(services, admin):
    prove_all(services)
    with services.public() as public:
        shown = list(public.execute(text("SELECT line FROM public_map.seals ORDER BY n")).scalars())
    assert shown == [line for (line,) in admin.execute("SELECT ledger.seal_line(s) FROM ledger.seal s ORDER BY n")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.witnessed SET statement = '{}'",
        "DELETE FROM core.witnessed",
        "UPDATE core.witnessing SET seal_n = 1",
        "UPDATE core.checkpoint SET note = 'x'",
        "TRUNCATE core.checkpoint",
    ],
)
def test_GD_20_2__what_was_written_down__is_final_even_for_the_administrator(services, admin, statement):
    prove_all(services)
    with pytest.raises(psycopg.Error, match=r"(?i)GD-20\.2|refused|fixed|final"):
        admin.execute(statement)


def test_verifier__as_a_file_by_itself__says_the_same(services, tmp_path):
    prove_all(services)
    (tmp_path / "proof.json").write_bytes(proof(services))
    script = tmp_path / "verify_proof.py"
    script.write_bytes(Path(verify_proof.__file__).read_bytes())
    command = [sys.executable, "-I", "-S", str(script), str(tmp_path / "proof.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "not witnessed" in done.stdout
    wrong = subprocess.run([*command, "--checkpoint", f"1:{'0' * 64}"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("NOT VERIFIED: ")
