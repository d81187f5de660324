"""Who may carry an aircraft's frames: issued by the host, for one aircraft, until a day, and revoked at once."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from flights import queries
from flights.relay import credentials
from flights.relay.certificates import Authority
from schemas.actors import HOST
from schemas.ids import new_id
from schemas.refusals import RuleViolation
from schemas.tables import RelayCredential


@pytest.fixture
def authority(services):
    return Authority.of(services.data_dir, services.clock.now())


def drone_id(services):
    with services.session() as session:
        return queries.drone_named(session, "DR1").device_id


def issued(services, authority, days=30):
    """A relay for DR1: its name and its certificate (DER)."""
    with services.work(HOST) as work:
        made = credentials.issue(work, queries.drone_named(work.session, "DR1"), authority, days=days)
        work.commit()
    certificate = made.pem.decode().split("-----END PRIVATE KEY-----\n")[1]
    first = certificate[: certificate.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")]
    return made.public_id, ssl.PEM_cert_to_DER_cert(first)


def test_relay__issued__carries_for_its_aircraft_alone(services, authority):
    _, certificate = issued(services, authority)
    assert credentials.admits(services, drone_id(services), certificate)
    assert not credentials.admits(services, new_id(), certificate)
    assert not credentials.admits(services, drone_id(services), certificate + b"x")


def test_relay__admitted__is_noted(services, authority):
    _, certificate = issued(services, authority)
    credentials.admits(services, drone_id(services), certificate)
    with services.session() as session:
        row = session.query(RelayCredential).one()
    assert abs(datetime.now(UTC) - row.last_seen_at) < timedelta(minutes=1)
    assert row.certificate_sha256 == hashlib.sha256(certificate).hexdigest()


def test_relay__revoked__carries_no_more(services, authority):
    name, certificate = issued(services, authority)
    with services.work(HOST) as work:
        credentials.revoke(work, name, "laptop lost")
        work.commit()
    assert not credentials.admits(services, drone_id(services), certificate)


@pytest.mark.parametrize(
    "aged",
    ["expires_at = clock_timestamp() - interval '1 second'", "issued_at = clock_timestamp() + interval '1 hour'"],
)
def test_relay__expired_or_not_yet_issued__carries_no_more(services, authority, admin, aged):
    _, certificate = issued(services, authority, days=1)
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.relay_credential SET issued_at = issued_at - interval '2 days'")
    assert credentials.admits(services, drone_id(services), certificate)
    admin.execute(f"UPDATE core.relay_credential SET {aged}")
    assert not credentials.admits(services, drone_id(services), certificate)


def test_relay__issued_under_a_clock_of_the_past__is_good_by_the_clock_on_the_wall(services, authority):
    """The demonstration and the tests fly in another year; the two ends of a TLS line do not."""
    assert services.clock.now().year == 2025
    issued(services, authority, days=1)
    with services.session() as session:
        row = session.query(RelayCredential).one()
    assert abs(datetime.now(UTC) + timedelta(days=1) - row.expires_at) < timedelta(minutes=1)


def test_relay__database_away__whoever_was_let_in_stays_and_nobody_else(services, authority, monkeypatch):
    (_, known), (_, other) = issued(services, authority), issued(services, authority)
    admission = credentials.Admission(services, drone_id(services))
    assert admission(known)
    with monkeypatch.context() as away:
        # The port of nobody: a database that does not answer.
        nowhere = create_engine("postgresql+psycopg://skywarden_app@127.0.0.1:1/none", poolclass=NullPool)
        away.setitem(services.__dict__, "engine", nowhere)
        assert admission(known)
        assert not admission(other)
    assert admission(other)


def test_relay__revoked_before_the_database_went_away__stays_out(services, authority, monkeypatch):
    name, certificate = issued(services, authority)
    admission = credentials.Admission(services, drone_id(services))
    assert admission(certificate)
    with services.work(HOST) as work:
        credentials.revoke(work, name, "laptop lost")
        work.commit()
    assert not admission(certificate)
    nowhere = create_engine("postgresql+psycopg://skywarden_app@127.0.0.1:1/none", poolclass=NullPool)
    with monkeypatch.context() as away:
        away.setitem(services.__dict__, "engine", nowhere)
        assert not admission(certificate)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_relay__for_too_long__refused(services, authority, days):
    with pytest.raises(RuleViolation) as caught:
        issued(services, authority, days)
    assert {refusal.rule for refusal in caught.value.refusals} == {"relay.days"}


def test_relay__unknown__cannot_be_revoked(services):
    with pytest.raises(RuleViolation) as caught, services.work(HOST) as work:
        credentials.revoke(work, "RL-NOBODY", "x")
    assert caught.value.status == 404


def test_relay__issue_and_revoke__stand_in_the_ledger(services, authority, admin):
    name, _ = issued(services, authority)
    with services.work(HOST) as work:
        credentials.revoke(work, name, "laptop lost")
        work.commit()
    actions = admin.execute("SELECT action FROM ledger.event WHERE action LIKE 'relay.%' ORDER BY id").fetchall()
    assert actions == [("relay.issue",), ("relay.revoke",)]


@pytest.mark.parametrize(
    "change",
    ["revoked_at = NULL", "expires_at = expires_at + interval '1 year'", "certificate_sha256 = repeat('0', 64)"],
)
def test_relay__plain_sql__cannot_bring_it_back(services, authority, change):
    name, _ = issued(services, authority)
    with services.work(HOST) as work:
        credentials.revoke(work, name, "laptop lost")
        work.commit()
    with services.engine.connect() as connection:
        raw = connection.connection.driver_connection
        with pytest.raises(psycopg.errors.CheckViolation, match="is refused"):
            raw.execute(f"UPDATE core.relay_credential SET {change}")
