"""Word of what changes in a place: feeds for everybody, and mails for who confirms them, each change once (GD-14)."""

import re
import threading
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from xml.dom import minidom

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select, text

from geo import commands
from schemas.tables import Device, Mail, Subscription
from tests.classified import make_secret
from tests.mailbox import mail_server
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.test_asking import words
from web.app import create_app
from web.settings import Settings
from web.smtp import forget_what_is_over, send_due
from web.wiring import Services

FORM = HTML | SAME_ORIGIN
# Around DV1, and around nothing.
HERE, ELSEWHERE = {"place": "113.2600, 23.1250", "radius": "2000"}, {"place": "113.3500, 23.2000", "radius": "500"}


@pytest.fixture(scope="module")
def smtp():
    with mail_server() as box:
        yield box


@pytest.fixture
def mailbox(smtp):
    smtp.taken, smtp.refuse = [], ""
    return smtp


@pytest.fixture
def mailing(database, clock, tmp_path, mailbox):
    """The services of an installation that sends mail."""
    settings = Settings(
        data_dir=tmp_path / "mail-data",
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
        mail_from="watch@example.org",
        public_url="https://watch.example.org",
    )
    settings.data_dir.mkdir()
    made = Services(settings, database, clock)
    yield made
    made.close()


@pytest.fixture
def client(mailing):
    return create_app(mailing).test_client()


def subscribe(client, where=HERE, address="me@example.org"):
    return client.post("/subscribe", data=where | {"address": address}, headers=FORM)


def sent(services):
    return [one.outcome for one in send_due(services)]


def link(mail, purpose):
    return re.search(rf"https://watch\.example\.org(/subscribe/{purpose}/\S+)", mail[1].get_content())[1]


@pytest.fixture
def confirmed(client, mailing, mailbox):
    """A subscription to what changes around DV1, confirmed."""
    assert subscribe(client).status_code == 303
    assert sent(mailing) == ["sent"]
    assert client.post(link(mailbox.taken.pop(), "confirm"), headers=FORM).status_code == 200


def pause(work):
    with work("O1") as doing:
        commands.pause_device(doing, doing.get(Device, "DV-DR1"), reason="lens", ends_on=date(2025, 7, 6))
        doing.commit()


def activate(work):
    """DV1 on the day after its notice period."""
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def feed(client, query=""):
    answer = client.get(f"/feeds/changes.atom?lang=en{query}")
    assert answer.status_code == 200, answer.text
    return answer, minidom.parseString(answer.data).documentElement


def told(root):
    titles = [entry.getElementsByTagName("title")[0] for entry in root.getElementsByTagName("entry")]
    return [title.firstChild.data for title in titles]


# -- mails ---------------------------------------------------------------------------------------------


def test_subscribe__asked__nothing_but_a_question_is_sent(client, mailing, mailbox, work, session):
    answer = subscribe(client)
    assert answer.status_code == 303
    assert "Now look into your mailbox" in words(client.get(answer.location, headers=HTML))
    assert sent(mailing) == ["sent"]
    activate(work)
    assert sent(mailing) == []
    ((to, mail),) = mailbox.taken
    assert (to, mail["To"], mail["From"]) == (["me@example.org"], "me@example.org", "Skywarden <watch@example.org>")
    assert "2000 m around 113.26000, 23.12500" in mail.get_content()
    assert session.scalars(select(Subscription)).one().confirmed_at is None


def test_subscribe__link_opened__confirms_nothing_until_the_button_is_pressed(client, mailing, mailbox, session):
    subscribe(client)
    sent(mailing)
    path = link(mailbox.taken[0], "confirm")
    assert "Yes, tell me" in words(client.get(path, headers=HTML))
    assert session.scalars(select(Subscription.confirmed_at)).one() is None
    assert "From now on you are told" in words(client.post(path, headers=FORM))
    session.expire_all()
    assert session.scalars(select(Subscription)).one().confirmed_at is not None


def test_GD_14_2__device_put_into_use_after_its_thirty_days__one_mail(confirmed, mailing, mailbox, work):
    activate(work)
    assert sent(mailing) == ["sent"]
    assert sent(mailing) == []
    ((_, mail),) = mailbox.taken
    text = mail.get_content()
    assert "(DV-DV1): in use, 2025-07-02" in text
    assert "https://watch.example.org/device/DV-DV1" in text
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<https://watch.example.org/subscribe/end/SB-")


def test_change_elsewhere__no_mail(client, mailing, mailbox, work):
    subscribe(client, ELSEWHERE)
    sent(mailing)
    client.post(link(mailbox.taken.pop(), "confirm"), headers=FORM)
    activate(work)
    assert sent(mailing) == []


def test_what_changed_before_it_was_confirmed__not_told(client, mailing, mailbox, work):
    subscribe(client)
    sent(mailing)
    activate(work)
    client.post(link(mailbox.taken.pop(), "confirm"), headers=FORM)
    assert sent(mailing) == []


def test_changes_of_one_day__gathered_in_one_mail_a_day(confirmed, mailing, mailbox, work, clock):
    activate(work)
    assert sent(mailing) == ["sent"]
    pause(work)
    assert sent(mailing) == []
    clock.advance(timedelta(days=1, seconds=1))
    assert sent(mailing) == ["sent"]
    first, second = (mail.get_content() for _, mail in mailbox.taken)
    assert ("DV-DV1" in first, "DV-DR1" in first, "DV-DV1" in second, "DV-DR1" in second) == (True, False, False, True)


def test_two_workers_at_once__each_change_is_told_once(confirmed, mailing, mailbox, work):
    activate(work)
    pause(work)
    start, outcomes = threading.Barrier(4), []

    def run():
        start.wait()
        outcomes.extend(sent(mailing))

    workers = [threading.Thread(target=run) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert outcomes == ["sent"]
    assert len(mailbox.taken) == 1


def test_server_away__tried_again_later_and_sent_once(confirmed, mailing, mailbox, work, clock, session):
    activate(work)
    mailbox.refuse = "451 try again"
    assert sent(mailing) == ["failed"]
    assert sent(mailing) == []
    failed = session.scalars(select(Mail).where(Mail.kind == "changes")).one()
    assert (failed.failure, failed.sent_at, failed.tries) == ("recipient 451", None, 1)
    mailbox.refuse = ""
    clock.advance(timedelta(minutes=11))
    assert sent(mailing) == ["sent"]
    clock.advance(timedelta(days=3))
    assert sent(mailing) == []


def test_GD_43__no_such_address__forgotten(client, mailing, mailbox, session):
    subscribe(client)
    mailbox.refuse = "550 no such user"
    assert sent(mailing) == ["no_such_address"]
    assert session.scalars(select(Subscription)).all() == []


def test_what_was_taken_off_the_map__is_in_no_mail(confirmed, mailing, mailbox, work, admin):
    activate(work)
    make_secret(admin, "DV-DV1")
    assert "sent" not in sent(mailing)
    assert mailbox.taken == []


def test_GD_43__one_click__ends_it_and_leaves_nothing(confirmed, client, mailing, mailbox, work, session):
    activate(work)
    sent(mailing)
    path = link(mailbox.taken[0], "end")
    # As a mail program does it: one POST, without a cookie, an origin or a page before it (RFC 8058).
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert session.scalars(select(Subscription)).all() == []
    assert session.scalars(select(Mail)).all() == []
    assert client.post(path, headers=FORM).status_code == 200
    assert "Ended, and your address is deleted" in words(client.get(path, headers=HTML))


def test_GD_43__not_confirmed_in_two_days__deleted(client, mailing, mailbox, clock, session):
    subscribe(client)
    sent(mailing)
    path = link(mailbox.taken[0], "confirm")
    clock.advance(timedelta(hours=47))
    assert forget_what_is_over(mailing) == 0
    clock.advance(timedelta(hours=1))
    assert forget_what_is_over(mailing) == 1
    assert session.scalars(select(Subscription)).all() == []
    assert client.post(path, headers=FORM).status_code == 404


@pytest.mark.parametrize("token", ["0" * 32, "x", "é"])
def test_link_of_somebody_else__404(confirmed, client, session, token):
    name = session.scalars(select(Subscription.public_id)).one()
    for step in ("confirm", "end"):
        assert client.post(f"/subscribe/{step}/{name}/{token}", headers=FORM).status_code == 404
    assert session.scalars(select(Subscription)).one()


def test_address_that_asks_again_and_again__gets_three_mails_and_nobody_is_told(client, mailing, mailbox):
    answers = {subscribe(client).location for _ in range(5)}
    assert answers == {"/subscribe?done=asked"}
    assert sent(mailing) == ["sent"] * 3


def test_ledger_and_log__know_nothing_of_a_subscriber(confirmed, mailing, mailbox, work, admin, capfd):
    activate(work)
    mailbox.refuse = "451 me@example.org is busy"
    told = [str(one) for one in send_due(mailing)]
    lines = admin.execute("SELECT * FROM ledger.event").fetchall()
    said = "".join(map(str, [*told, *lines, *capfd.readouterr()]))
    assert "me@example" not in said


def test_without_a_mail_server__page_offers_the_feed_alone(services):
    plain = create_app(services).test_client()
    page = words(plain.get("/subscribe?place=113.26,23.125&radius=500", headers=HTML))
    assert "This installation sends no e-mail; the feed tells the same." in page
    assert subscribe(plain).status_code == 422
    assert list(send_due(services)) == []


def test_server_beyond_this_machine_without_tls__nothing_is_sent(client, mailing, mailbox):
    subscribe(client)
    # The same server under an address that is not one of this machine's own: what it offers is no STARTTLS.
    far = f"smtp://name:secret@[::ffff:127.0.0.1]:{mailbox.port}"
    settings = mailing.settings.model_copy(update={"smtp_url": SecretStr(far)})
    with closing(replace(mailing, settings=settings)) as beyond:
        outcomes = list(send_due(beyond))
    assert [(one.outcome, one.failure) for one in outcomes] == [("failed", "SMTPNotSupportedError")]
    assert mailbox.taken == []


def test_worker_that_dies_with_a_mail__leaves_it_to_another_under_the_same_name(
    confirmed, mailing, mailbox, work, clock, monkeypatch
):
    activate(work)
    with monkeypatch.context() as patched:
        # It was sent, and the power went before that was written down.
        patched.setattr("web.smtp._note", lambda *_args, **_changed: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            list(send_due(mailing))
    assert sent(mailing) == []
    clock.advance(timedelta(minutes=11))
    assert sent(mailing) == ["sent"]
    assert len({mail["Message-ID"] for _, mail in mailbox.taken}) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_url": "http://name:canary@host"},
        {"smtp_url": "smtp://name:canary@host\r\nRCPT TO:<x>"},
        {"smtp_url": "smtp://"},
        {"mail_from": "canary\r\nBcc: x@example.org"},
        {"public_url": "http://watch.example.org"},
        {"public_url": "javascript:alert(1)//canary"},
    ],
)
def test_setting_that_is_none__refused_without_a_word_of_it(wrong):
    with pytest.raises(ValidationError) as caught:
        Settings(**wrong)
    # What is said at the start is the message alone (web/cli/main.py), since a setting may hold a password.
    assert not [error for error in caught.value.errors() if "canary" in error["msg"]]


# -- feeds ---------------------------------------------------------------------------------------------


def test_feed__of_everything__newest_first_and_valid(client, work):
    activate(work)
    pause(work)
    answer, root = feed(client)
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    assert (root.tagName, root.namespaceURI) == ("feed", "http://www.w3.org/2005/Atom")
    assert "(DV-DR1): paused" in told(root)[0]
    assert "(DV-DV1): in use, 2025-07-02" in told(root)[1]
    for entry in root.getElementsByTagName("entry"):
        assert [len(entry.getElementsByTagName(name)) for name in ("id", "title", "updated", "link")] == [1] * 4


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("circle=113.26,23.13,100", True),
        ("bbox=113.259899999999999,23.1289999999999999147,113.260100000000008,23.1310000000000002", True),
        ("circle=113.30,23.13,100", False),
        ("bbox=113.25,23.12,113.27,23.14", True),
        ("bbox=113.30,23.12,113.31,23.14", False),
        ("polygon=113.25,23.12;113.27,23.12;113.27,23.14", True),
        ("polygon=113.30,23.12;113.31,23.12;113.31,23.14", False),
        ("kind=device", True),
        ("kind=patrol_area", False),
        ("authority=AU-A1", True),
        ("authority=AU-A2", False),
    ],
)
def test_feed__of_a_place__tells_what_changed_there(client, work, query, seen):
    activate(work)
    _, root = feed(client, f"&{query}")
    assert any("(DV-DV1): in use" in one for one in told(root)) is seen


def test_feed__not_changed__304_and_changed_elsewhere_as_well(client, work):
    here = "&circle=113.2545,23.1250,100"
    first, _ = feed(client, here)
    activate(work)
    again = client.get(f"/feeds/changes.atom?lang=en{here}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    pause(work)
    again = client.get(f"/feeds/changes.atom?lang=en{here}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200


def test_feed__older_pages__hold_what_came_before(client, work, session):
    activate(work)
    pause(work)
    newest = session.execute(text("SELECT max(seq) FROM public_map.changes")).scalar_one()
    _, root = feed(client, f"&before={newest}")
    assert "(DV-DR1): paused" not in "".join(told(root))
    assert "(DV-DV1): in use" in told(root)[0]


def test_feed__in_chinese__sets_no_cookie(client, work):
    activate(work)
    answer = client.get("/feeds/changes.atom?lang=zh")
    assert "已启用" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"].startswith("public")


@pytest.mark.parametrize(
    "query",
    [
        "x=1",
        "lang=de",
        "circle=113.26,23.13",
        "circle=113.26,23.13,1e3",
        "circle=NaN,23.13,500",
        "circle=181,23.13,500",
        "circle=113.26,90,500",
        "circle=113.26,23.13,49",
        "circle=113.26,23.13,99999",
        "polygon=113.25,23.12;113.27,23.12",
        "polygon=113.25,23.12;113.27,23.14;113.27,23.12;113.25,23.14",
        "polygon=0,0;50,0;50,50",
        "polygon=" + ";".join(["113.25,23.12"] * 101),
        "bbox=1,2,3",
        "bbox=3,2,1,4",
        "bbox=1,2,3,400",
        "circle=113.26,23.13,500&bbox=1,2,3,4",
        "circle=1,1,500&circle=2,2,500",
        "kind=person",
        "authority=%27",
        "before=-1",
        "before=99999999999999999999",
        "kind=%00",
    ],
)
def test_feed__asked_wrongly__422(reader, query):
    answer = reader.get(f"/feeds/changes.atom?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.content_type == "application/problem+json"
