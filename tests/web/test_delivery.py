"""Notices handed to channels by the worker: a real service on a real socket, files in a folder, and all that fails."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from geo import commands
from schemas.refusals import RuleViolation
from schemas.tables import Device, Dispatch, Publication
from web.channels import ChannelsUnreadable, read_channels
from web.cli.common import State
from web.cli.worker import worker
from web.delivery import PAUSES, deliver

SECRET = b"a secret that both sides know and nobody else"
KEY = "qinghe"
OFFICIAL = "official_disclosure"


class Service:
    """An official platform: takes notices by POST, tells what came, and answers as a test wants it to."""

    def __init__(self):
        self.came, self.answers = [], []
        self.answering = threading.Event()
        self.answering.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(body)

            def do_GET(self):
                self._answer(b"")

            def _answer(self, body):
                outer.came.append(
                    (self.command, self.path, {name.title(): value for name, value in self.headers.items()}, body)
                )
                outer.answering.wait()
                status, document, headers = outer.answers.pop(0) if outer.answers else (503, {}, {})
                if callable(document):
                    document = document(json.loads(body or b"{}"))
                sent = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/notices"

    def will(self, status, document=b"", **headers):
        self.answers.append((status, document, headers))


@pytest.fixture
def platform():
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.answering.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def configured(platform, tmp_path, clock):
    """`configured(timeout_s)` are the channels of an installation that waits so long for an answer."""
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    access = f'kind = "http"\nurl = "{platform.url}"\nkey_id = "{KEY}"\nsecret_file = "{tmp_path}/secret"\n'
    board = f'[notice_board]\nkind = "folder"\npath = "{tmp_path}/board"\n'

    def configure(timeout_s):
        path = tmp_path / "channels.toml"
        path.write_text(f"[{OFFICIAL}]\n{access}timeout_s = {timeout_s}\n{board}", encoding="utf-8")
        return read_channels(path, clock)

    return configure


@pytest.fixture
def channels(configured):
    return configured(60)


@pytest.fixture
def fresh(services, past_notices):
    """DV1 before any channel carried it."""
    return "DV-DV1"


@pytest.fixture
def past_notices(admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("DELETE FROM core.publication WHERE subject_kind = 'device'")
    admin.execute("UPDATE core.device SET state = 'reviewed' WHERE public_id = 'DV-DV1'")
    admin.execute("SET session_replication_role = origin")


@pytest.fixture
def send(work, fresh):
    def go(channel=OFFICIAL, code="O1"):
        with work(code) as doing:
            made = commands.send_notice(doing, doing.get(Device, fresh), channel=channel)
            doing.commit()
        return made.public_id

    return go


def receipt(clock, number="GD-9"):
    def answer(sent):
        return {
            "dispatch": sent["dispatch"],
            "content_sha256": sent["content_sha256"],
            "receipt_id": number,
            "published_at": clock.now().isoformat(),
        }

    return answer


def outcomes(services, channels):
    return [done.outcome for done in deliver(services, channels)]


def row(services, name):
    with services.session() as db:
        return db.scalars(select(Dispatch).where(Dispatch.public_id == name)).one()


def publications(services):
    with services.session() as db:
        return db.scalars(select(Publication).where(Publication.subject_kind == "device")).all()


def proven(method, path, headers, body, url):
    """Whether the signature is the one that a receiver makes itself."""
    named = re.fullmatch(
        r"skywarden=(\((.*)\);created=\d+;keyid=\"qinghe\";alg=\"hmac-sha256\")", headers["Signature-Input"]
    )
    known = {"@method": method, "@target-uri": url} | {name.lower(): value for name, value in headers.items()}
    lines = [f'"{name}": {known[name]}' for name in re.findall(r'"([^"]+)"', named[2])]
    base = "\n".join([*lines, f'"@signature-params": {named[1]}'])
    made = base64.b64encode(hmac.new(SECRET, base.encode(), hashlib.sha256).digest()).decode()
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert headers["Content-Digest"] == f"sha-256=:{digest}:"
    return headers["Signature"] == f"skywarden=:{made}:"


def test_GD_14_2__a_service_that_answers_at_once__its_receipt_is_a_publication(
    services, channels, platform, send, clock
):
    name = send()
    platform.will(200, receipt(clock))
    assert outcomes(services, channels) == ["published"]
    assert [(made.channel, made.receipt_id) for made in publications(services)][-1:] == [(OFFICIAL, "GD-9")]
    assert row(services, name).answered_at is not None
    assert outcomes(services, channels) == []


def test_request__is_signed_and_carries_its_idempotency_key_and_both_languages(
    services, channels, platform, send, clock
):
    name = send()
    platform.will(200, receipt(clock))
    assert outcomes(services, channels) == ["published"]
    ((method, path, headers, body),) = platform.came
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/notices", f'"{name}"')
    assert proven(method, path, headers, body, platform.url)
    sent = json.loads(body)
    assert sent["dispatch"] == name
    assert "Pollution patrol" in sent["text"]["en"]
    assert "污染巡查" in sent["text"]["zh"]


def test_service_that_answers_later__is_asked__and_only_once_handed_over(services, channels, platform, send, clock):
    name = send()
    platform.will(202)
    assert outcomes(services, channels) == ["handed_over"]
    clock.at += PAUSES[0]
    platform.will(204)
    assert outcomes(services, channels) == ["no_answer"]
    clock.at += timedelta(minutes=5)
    document = {"dispatch": name, "content_sha256": row(services, name).content_sha256}
    platform.will(200, document | {"receipt_id": "GD-10", "published_at": clock.now().isoformat()})
    assert outcomes(services, channels) == ["published"]
    assert [came[0] for came in platform.came] == ["POST", "GET", "GET"]
    assert platform.came[1][1] == f"/notices/{name}"
    assert proven("GET", "", platform.came[2][2], b"", f"{platform.url}/{name}")


def test_service_that_is_away__tried_again_with_the_same_key__until_it_is_there(
    services, channels, platform, send, clock
):
    name = send()
    platform.will(503)
    assert outcomes(services, channels) == ["failed"]
    assert (row(services, name).failure, row(services, name).tries) == ("status 503", 1)
    assert outcomes(services, channels) == []
    clock.at += PAUSES[0]
    platform.will(200, receipt(clock))
    assert outcomes(services, channels) == ["published"]
    assert {came[2]["Idempotency-Key"] for came in platform.came} == {f'"{name}"'}
    assert row(services, name).failure is None


def test_service_that_says_when__is_asked_then(services, channels, platform, send, clock):
    name = send()
    platform.will(429, b"", **{"Retry-After": "3600"})
    assert outcomes(services, channels) == ["failed"]
    assert row(services, name).next_try_at - clock.now() == timedelta(hours=1)


def test_service_that_never_answers__times_out(services, configured, platform, send):
    name = send()
    platform.answering.clear()
    assert outcomes(services, configured(0.5)) == ["failed"]
    assert row(services, name).failure == "timeout 0.5 s"


def test_nobody_listens__told_as_unreachable(services, channels, platform, send):
    platform.server.server_close()
    name = send()
    assert outcomes(services, channels) == ["failed"]
    assert row(services, name).failure.startswith("unreachable")


def test_refused_for_good__given_up_and_sent_again_by_a_person(services, channels, platform, send, work, clock):
    name = send()
    platform.will(401)
    assert outcomes(services, channels) == ["given_up"]
    assert (row(services, name).next_try_at, row(services, name).failure) == (None, "status 401")
    clock.at += timedelta(days=3)
    assert outcomes(services, channels) == []
    with work("O2") as doing:
        commands.send_again(doing, doing.session.scalars(select(Dispatch)).one())
        doing.commit()
    platform.will(200, receipt(clock))
    assert outcomes(services, channels) == ["published"]


def test_away_for_days__given_up_after_the_last_try(services, channels, send, clock):
    name = send()
    seen = []
    for _ in range(len(PAUSES) + 2):
        seen += outcomes(services, channels)
        clock.at += timedelta(days=2)
    assert seen == ["failed"] * (len(PAUSES) - 1) + ["given_up"]
    assert row(services, name).tries == len(PAUSES)


@pytest.mark.parametrize(
    ("document", "failure"),
    [
        (b"<html>", "receipt"),
        ({"dispatch": "DC-ZZZZZZ", "content_sha256": "0" * 64, "rejected_because": "no"}, "receipt_of_other DC-ZZZZZZ"),
        (
            lambda sent: {"dispatch": sent["dispatch"], "content_sha256": "0" * 64, "rejected_because": "no"},
            "receipt GD-14.2",
        ),
    ],
    ids=["no receipt", "of another dispatch", "of other content"],
)
def test_receipt_that_is_none__waits_for_a_person_and_publishes_nothing(
    services, channels, platform, send, document, failure
):
    before = len(publications(services))
    name = send()
    platform.will(200, document)
    assert outcomes(services, channels) == ["given_up"]
    assert row(services, name).failure.startswith(failure)
    assert len(publications(services)) == before


def test_rejection__is_kept_with_its_reason(services, channels, platform, send):
    name = send()
    platform.will(
        200, lambda sent: {"dispatch": name, "content_sha256": sent["content_sha256"], "rejected_because": "用途不明"}
    )
    assert outcomes(services, channels) == ["rejected"]
    assert row(services, name).rejected_because == "用途不明"


def test_folder__is_served_by_the_same_worker(services, channels, send, clock, tmp_path):
    name = send("notice_board")
    assert outcomes(services, channels) == ["handed_over"]
    sent = json.loads((tmp_path / "board" / "out" / f"{name}.json").read_bytes())
    (tmp_path / "board" / "in" / f"{name}.json").write_text(json.dumps(receipt(clock, "B-1")(sent)), encoding="utf-8")
    clock.at += PAUSES[0]
    assert outcomes(services, channels) == ["published"]
    assert not list((tmp_path / "board" / "in").iterdir())


def test_worker__hands_over_what_waits_and_says_so(services, channels, platform, send, clock):
    name = send()
    platform.will(200, receipt(clock))
    services.__dict__["channels"] = channels
    state = State("en")
    state._services = services
    result = CliRunner().invoke(worker, ["--once"], obj=state)
    assert result.exit_code == 0, result.output
    assert f"{name} to official_disclosure: published" in result.output


def test_channel_without_an_adapter__is_left_to_people(services, channels, send):
    send("media")
    assert outcomes(services, channels) == []


def test_receipt__of_somebody_who_lost_the_role__is_not_taken(services, channels, platform, send, clock, admin):
    send()
    admin.execute("UPDATE core.role_assignment SET valid_to = '2025-07-01' WHERE public_id = 'RA-O1'")
    platform.will(200, receipt(clock))
    assert outcomes(services, channels) == ["given_up"]


def test_send_again__of_what_is_no_longer_so__refused(services, channels, platform, send, work, admin):
    send()
    platform.will(401)
    assert outcomes(services, channels) == ["given_up"]
    admin.execute("UPDATE core.device SET purpose_en = 'Something else' WHERE public_id = 'DV-DV1'")
    with pytest.raises(RuleViolation) as caught, work("O1") as doing:
        commands.send_again(doing, doing.session.scalars(select(Dispatch)).one())
    assert {refusal.text for refusal in caught.value.refusals} == {"notice.sent_otherwise"}


def test_send_again__by_somebody_else__403(services, channels, platform, send, work):
    send()
    with pytest.raises(RuleViolation) as caught, work("L1") as doing:
        commands.send_again(doing, doing.session.scalars(select(Dispatch)).one())
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nkind = 'post'",
        "[a]\nkind = 'http'\nurl = 'http://elsewhere.example/'\nkey_id = 'k'\nsecret_file = '{secret}'",
        "[a]\nkind = 'http'\nurl = 'ftp://127.0.0.1/'\nkey_id = 'k'\nsecret_file = '{secret}'",
        "[a]\nkind = 'http'\nurl = 'https://x.example/'\nkey_id = 'k\"'\nsecret_file = '{secret}'",
        "[a]\nkind = 'http'\nurl = 'https://x.example/'\nkey_id = 'k'\nsecret_file = '{short}'",
        "[a]\nkind = 'http'\nurl = 'https://x.example/'\nkey_id = 'k'\nsecret_file = '/nowhere'",
        "[a]\nkind = 'folder'\npath = '/x'\nsurprise = 1",
        "= 1",
    ],
)
def test_channels_file__that_says_something_else__refused(tmp_path, clock, text):
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "short").write_bytes(b"short")
    path = tmp_path / "channels.toml"
    path.write_text(text.format(secret=tmp_path / "secret", short=tmp_path / "short"), encoding="utf-8")
    with pytest.raises(ChannelsUnreadable):
        read_channels(path, clock)
