"""Sessions, logins and the throttle (promise P22; reliability.md rows 65, 73, 74)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from schemas.limits import limit
from schemas.tables import LoginAttempt, Person, WebSession
from tests.web.conftest import HTML, PASSWORD, SAME_ORIGIN
from web.identity import sessions
from web.identity.request_identity import EXPIRY
from web.identity.throttle import network_of


def sign_in(client, code="O1", password=PASSWORD, **more):
    data = {"name": code, "password": password, **more}
    return client.post("/account/sign-in", data=data, headers={**SAME_ORIGIN, **HTML})


def cookie_of(client):
    found = client.get_cookie("sid")
    return found.value if found else None


def test_sign_in__right_password__starts_a_session(client, with_password):
    with_password("O1")
    answer = sign_in(client)
    assert answer.status_code == 303
    set_cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert client.get("/account", headers=HTML).status_code == 200


def test_sign_in__table__holds_only_the_hash_of_the_cookie(client, with_password, services):
    with_password("O1")
    sign_in(client)
    with Session(services.engine) as db:
        stored = db.query(WebSession.id_hash).scalar()
    assert cookie_of(client) not in stored
    assert len(stored) == 64


@pytest.mark.parametrize("code", ["O1", "nobody", "", "O1' OR '1'='1", "x" * 300, "O_"])
def test_sign_in__wrong__one_answer_for_all(client, with_password, code):
    with_password("O1")
    answer = sign_in(client, code, "not the password")
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert cookie_of(client) is None


def test_sign_in__wrong__is_a_problem_document_for_a_program(client):
    answer = client.post("/account/sign-in", data={"name": "O1", "password": "x"}, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


def test_sign_in__person_without_a_password__refused(client):
    assert sign_in(client, "O2", "").status_code == 401


def test_sign_in__disabled_person__refused_and_existing_session_ends(client, with_password, admin):
    with_password("O1")
    sign_in(client)
    admin.execute("UPDATE core.person SET disabled_at = now() WHERE code = 'O1'")
    assert client.get("/account").status_code == 401
    assert sign_in(client).status_code == 401


def test_sign_in__replaces_the_session_id(client, with_password):
    with_password("O1")
    client.set_cookie("sid", "a-value-that-somebody-planted")
    sign_in(client)
    first = cookie_of(client)
    assert first != "a-value-that-somebody-planted"
    sign_in(client)
    assert cookie_of(client) != first
    client.set_cookie("sid", first)
    assert client.get("/account").status_code == 401


def test_sign_out__is_final(client, with_password):
    with_password("O1")
    sign_in(client)
    token = cookie_of(client)
    assert client.post("/account/sign-out", headers=SAME_ORIGIN).status_code == 303
    client.set_cookie("sid", token)
    assert client.get("/account").status_code == 401


@pytest.mark.parametrize(("wait", "status"), [(timedelta(minutes=29), 200), (timedelta(minutes=30), 401)])
def test_session__idle__ends(client, with_password, clock, wait, status):
    with_password("O1")
    sign_in(client)
    clock.advance(wait)
    assert client.get("/account").status_code == status


def test_session__absolute__ends_however_busy(client, with_password, clock):
    with_password("O1")
    sign_in(client)
    for _ in range(12 * 3 - 1):
        clock.advance(timedelta(minutes=20))
        assert client.get("/account").status_code == 200
    clock.advance(timedelta(minutes=20))
    assert client.get("/account").status_code == 401


def test_session__signed_out_while_it_is_looked_up__is_no_failure(services, clock):
    class Racing(Session):
        """Somebody signs out between the look and the note that the session was seen."""

        def scalar(self, *args, **kwargs):
            row = super().scalar(*args, **kwargs)
            with Session(services.engine) as other:
                sessions.end(other, token)
                other.commit()
            return row

    with Session(services.engine) as db:
        token = sessions.start(db, db.query(Person.id).limit(1).scalar(), clock.now(), EXPIRY)
        db.commit()
    clock.advance(timedelta(minutes=5))
    with Racing(services.engine) as db:
        sessions.find(db, token, clock.now(), EXPIRY)
        db.commit()
    with Session(services.engine) as db:
        assert sessions.find(db, token, clock.now(), EXPIRY) is None


def test_role_taken_away__counts_at_the_next_request(client, with_password, admin):
    with_password("O1")
    sign_in(client)
    assert client.get("/review", headers=HTML).status_code == 200
    admin.execute(
        "UPDATE core.role_assignment SET valid_to = '2025-06-30' "
        "WHERE person_id = (SELECT id FROM core.person WHERE code = 'O1')"
    )
    assert client.get("/review", headers=HTML).status_code == 403


@pytest.mark.parametrize(("hour_utc", "status"), [(15, 200), (16, 403)])
def test_role__ends_with_the_local_day(client, with_password, admin, clock, hour_utc, status):
    with_password("O1")
    clock.at = datetime(2025, 7, 2, hour_utc, 59, tzinfo=UTC)
    admin.execute(
        "UPDATE core.role_assignment SET valid_to = '2025-07-02' "
        "WHERE person_id = (SELECT id FROM core.person WHERE code = 'O1')"
    )
    sign_in(client)
    assert client.get("/review", headers=HTML).status_code == status


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil"]
)
def test_sign_in__next_elsewhere__stays_here(client, with_password, target):
    with_password("O1")
    assert sign_in(client, next=target).headers["Location"] == "/review"


def test_sign_in__next_here__goes_there(client, with_password):
    with_password("O1")
    assert sign_in(client, next="/review/DT-1?x=1").headers["Location"] == "/review/DT-1?x=1"


def test_login_throttle__account__429_with_retry_after(client, with_password):
    with_password("O1")
    for _ in range(limit("login.per_account")):
        assert sign_in(client, password="wrong").status_code == 401
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= limit("login.window")


def test_login_throttle__account_in_another_case__is_the_same_account(client, with_password):
    with_password("O1")
    for code in ["o1", "O1"] * (limit("login.per_account") // 2):
        sign_in(client, code, "wrong")
    assert sign_in(client).status_code == 429


def test_login_throttle__account_with_spaces__is_the_same_account(client, with_password):
    with_password("O1")
    for count in range(limit("login.per_account")):
        assert sign_in(client, " " * count + "O1" + "\u3000" * count, "wrong").status_code == 401
    assert sign_in(client, "O1 ").status_code == 429


def test_login_throttle__window_over__admitted(client, with_password, clock):
    with_password("O1")
    for _ in range(limit("login.per_account") + 1):
        sign_in(client, password="wrong")
    clock.advance(timedelta(seconds=limit("login.window")))
    assert sign_in(client).status_code == 303


def test_login_throttle__network__429_for_any_account(client, services, clock):
    with Session(services.engine) as db:
        sign_in(client, "nobody-0", "wrong")
        network = db.query(LoginAttempt.bucket).filter(LoginAttempt.bucket.like("network:%")).scalar()
        db.add_all(
            LoginAttempt(bucket=network, attempted_at=clock.now()) for _ in range(limit("login.per_network") - 1)
        )
        db.commit()
    assert sign_in(client, "nobody-1", "wrong").status_code == 429


def test_login_throttle__right_password__forgives_the_account(client, with_password):
    with_password("O1")
    for _ in range(limit("login.per_account") - 1):
        sign_in(client, password="wrong")
    assert sign_in(client).status_code == 303
    assert sign_in(client, password="wrong").status_code == 401


def test_login_throttle__parallel_guesses__cannot_pass_together(app, with_password):
    with_password("O1")
    size = limit("login.per_account")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sign_in(app.test_client(), password="wrong").status_code, range(size + 8)))
    assert answers.count(401) == size
    assert answers.count(429) == 8


def test_login_throttle__stores_no_address_and_no_name(client, services):
    sign_in(client, "somebody", "wrong")
    with Session(services.engine) as db:
        names = [name for (name,) in db.query(LoginAttempt.bucket)]
    assert len(names) == 2
    assert not any("127.0.0.1" in name or "somebody" in name for name in names)


def test_password__above_the_cap__413(client):
    assert sign_in(client, password="x" * (limit("password.bytes") + 1)).status_code == 413


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.1.2.3", "10.1.2.0/24"), ("2001:db8::1:2", "2001:db8::/64"), ("", "unknown"), ("x", "unknown")],
)
def test_network_of__groups_neighbours(address, network):
    assert network_of(address) == network
