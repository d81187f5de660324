"""The worker's part of subscriptions: mails that wait go out through an SMTP server, each once.

Touches the network. What is to be sent stands in the database without its text: that is written from what is public at
the moment of sending. A mail is put off before it is sent, so that a worker that dies with it leaves it to another; its
Message-ID stays the same, by which a receiver knows one that came twice.
"""

from __future__ import annotations

import smtplib
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import shapely
from geoalchemy2.shape import to_shape
from sqlalchemy import select, update

from enforcement.commands import forget_contacts
from schemas.tables import Mail, Subscription
from web.asking import mails, subscriptions
from web.asking.changes import Filter, between
from web.security import is_loopback
from web.wiring import Services

TIMEOUT_S = 20
# How long after the n-th try the next one is made. The first is longer than a try can take.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (10, 20, 60, 180, 360, 720, 1_440))
MOST_CHANGES = 200
_LASTING = range(500, 600)
_SURE_AFTER = 5


@dataclass(frozen=True)
class Sent:
    """What became of one try; `outcome` is sent, nothing_left, failed, given_up or no_such_address."""

    mail: str
    kind: str
    outcome: str
    failure: str = ""


@dataclass(frozen=True)
class _Errand:
    id: uuid.UUID
    kind: str
    after_seq: int
    up_to_seq: int
    tries: int
    subscription_id: uuid.UUID
    to: mails.Recipient
    shape: str


class MailFailed(Exception):
    """A mail did not get through; `str()` says why without an address, `lasting` that trying again is of no use."""

    def __init__(self, why: str, *, lasting: bool = False) -> None:
        super().__init__(why)
        self.lasting = lasting


def send_due(services: Services) -> Iterator[Sent]:
    """Queues what changed for whoever wants to know, and sends what is due; nothing where no server is configured."""
    settings = services.settings
    if not settings.sends_mail:
        return
    with services.housekeeping() as db:
        subscriptions.gather(db, services.clock.now())
    with ExitStack() as held:
        line = _Line(services, held)
        while (errand := _next(services)) is not None:
            yield _try(services, line, errand)


def _next(services: Services) -> _Errand | None:
    now = services.clock.now()
    with services.housekeeping() as db:
        due = (
            select(Mail, Subscription)
            .join(Subscription, Subscription.id == Mail.subscription_id)
            .where(Mail.sent_at.is_(None), Mail.next_try_at <= now)
            .order_by(Mail.next_try_at, Mail.id)
            .limit(1)
            .with_for_update(of=Mail, skip_locked=True)
        )
        found = db.execute(due).one_or_none()
        if found is None:
            return None
        mail, wish = found
        mail.tries += 1
        mail.next_try_at = now + PAUSES[min(mail.tries, len(PAUSES)) - 1]
        to = mails.Recipient(wish.public_id, wish.address, wish.lang, wish.place_text)
        shape = shapely.to_geojson(to_shape(wish.geom))
        return _Errand(mail.id, mail.kind, mail.after_seq, mail.up_to_seq, mail.tries, wish.id, to, shape)


def _try(services: Services, line: _Line, errand: _Errand) -> Sent:
    writer = mails.Writer(services.settings, services.data_dir, services.clock.now())
    if errand.kind == "confirm":
        message = writer.question(errand.to, errand.id)
    else:
        with services.session() as db:
            found = between(db, Filter(errand.shape), errand.after_seq, errand.up_to_seq, MOST_CHANGES + 1)
        if not found:
            # What changed has been taken off the map since.
            _note(services, errand, sent_at=services.clock.now(), next_try_at=None)
            return Sent(str(errand.id), errand.kind, "nothing_left")
        message = writer.news(errand.to, errand.id, found[:MOST_CHANGES], more=len(found) > MOST_CHANGES)
    try:
        line.send(message, errand.to.address)
    except MailFailed as failed:
        return _failed(services, errand, failed)
    _note(services, errand, sent_at=services.clock.now(), next_try_at=None, failure=None)
    return Sent(str(errand.id), errand.kind, "sent")


def _failed(services: Services, errand: _Errand, failed: MailFailed) -> Sent:
    if failed.lasting and (errand.kind == "confirm" or errand.tries >= _SURE_AFTER):
        # There is no such address, so there is no reason to keep it; a server may say so once by mistake.
        with services.housekeeping() as db:
            subscriptions.end_by_id(db, errand.subscription_id)
        return Sent(str(errand.id), errand.kind, "no_such_address", str(failed))
    over = errand.tries >= len(PAUSES)
    changed: dict[str, object] = {"failure": str(failed)} | ({"next_try_at": None} if over else {})
    _note(services, errand, **changed)
    return Sent(str(errand.id), errand.kind, "given_up" if over else "failed", str(failed))


def _note(services: Services, errand: _Errand, **changed: object) -> None:
    with services.housekeeping() as db:
        db.execute(update(Mail).where(Mail.id == errand.id, Mail.sent_at.is_(None)).values(**changed))


class _Line:
    """The connection to the mail server, opened when the first mail goes out and kept for the others."""

    def __init__(self, services: Services, held: ExitStack) -> None:
        assert services.settings.smtp_url is not None
        self._url = urlsplit(services.settings.smtp_url.get_secret_value())
        self._from = services.settings.mail_from or ""
        self._held = held
        self._client: smtplib.SMTP | None = None

    def send(self, message: object, to: str) -> None:
        """Sends one mail; raises MailFailed."""
        try:
            client = self._client or self._open()
            client.send_message(message, from_addr=self._from, to_addrs=[to])  # type: ignore[arg-type]
        except smtplib.SMTPRecipientsRefused as refused:
            code = next(iter(refused.recipients.values()))[0]
            raise MailFailed(f"recipient {code}", lasting=code in _LASTING) from None
        except smtplib.SMTPResponseException as refused:
            self._client = None
            raise MailFailed(f"server {refused.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            # The text of an error may hold an address.
            self._client = None
            raise MailFailed(type(error).__name__) from None

    def _open(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "", self._url.port
        context = ssl.create_default_context()
        if self._url.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_S, context=context)
        else:
            client = smtplib.SMTP(host, port or 587, timeout=TIMEOUT_S)
        self._held.callback(_hang_up, client)
        if self._url.scheme == "smtp" and not is_loopback(host):
            client.starttls(context=context)
        if self._url.username:
            client.login(unquote(self._url.username), unquote(self._url.password or ""))
        self._client = client
        return client


def _hang_up(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()


def forget_what_is_over(services: Services) -> int:
    """Deletes what nobody confirmed, and how to reach those who were answered long ago; how many wishes."""
    now: datetime = services.clock.now()
    with services.housekeeping() as db:
        forget_contacts(db, now)
        return subscriptions.forget(db, now)
