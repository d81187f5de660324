"""The mails of subscriptions: whether somebody wants them, and what changed; plain text in the reader's language."""

from __future__ import annotations

import email.policy
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from web.asking import links
from web.asking.changes import Change, tell
from web.settings import Settings
from web.words import N_

CONFIRM, END = "confirm", "end"
_LANG = {"en": "en", "zh": "zh-CN"}


@dataclass(frozen=True)
class Recipient:
    """Whom a mail goes to: the subscription's public id, the address, the language, the place in words."""

    name: str
    address: str
    lang: str
    place: str


class Writer:
    """Writes the mails of one installation at one moment."""

    def __init__(self, settings: Settings, data_dir: Path, now: datetime) -> None:
        self._home = (settings.public_url or "").rstrip("/")
        self._from = settings.mail_from or ""
        self._data_dir = data_dir
        self._now = now

    def link(self, purpose: str, to: Recipient) -> str:
        """The address in a mail that confirms or ends its subscription."""
        return f"{self._home}/subscribe/{purpose}/{to.name}/{links.token(self._data_dir, purpose, to.name)}"

    def question(self, to: Recipient, mail_id: uuid.UUID) -> EmailMessage:
        """Asks whether the address is to be told what changes in a place."""
        said = [
            tell(to.lang, N_("Somebody, probably you, wants this address to be told what changes on the public map:")),
            to.place,
            tell(to.lang, N_("If you want that, open this page within two days and press the button:")),
            self.link(CONFIRM, to),
            tell(to.lang, N_("If not, do nothing: this address is deleted after two days, and nothing more is sent.")),
        ]
        return self._message(to, mail_id, tell(to.lang, N_("Shall we tell you what changes here?")), said)

    def news(self, to: Recipient, mail_id: uuid.UUID, found: Sequence[Change], *, more: bool) -> EmailMessage:
        """Tells what changed in a place, each change with its page."""
        subject = tell(to.lang, N_("Public map: %(n)s changes in your place"), n=len(found))
        if len(found) == 1:
            subject = tell(to.lang, N_("Public map: a change in your place"))
        said = [to.place, *(f"{one.sentence(to.lang)}\n{self._home}{one.path}" for one in found)]
        if more:
            said.append(tell(to.lang, N_("There are more changes; the map shows all of them.")))
        said += [tell(to.lang, N_("To get no more of these and have your address deleted:")), self.link(END, to)]
        message = self._message(to, mail_id, subject, said)
        message["List-Unsubscribe"] = f"<{self.link(END, to)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return message

    def _message(self, to: Recipient, mail_id: uuid.UUID, subject: str, said: Sequence[str]) -> EmailMessage:
        host = urlsplit(self._home).hostname or "localhost"
        message = EmailMessage(policy=email.policy.SMTP)
        # Headers of this kind refuse line ends, so that nothing that was typed makes another header.
        message["From"] = Address("Skywarden", addr_spec=self._from)
        message["To"] = Address(addr_spec=to.address)
        message["Subject"] = subject
        message["Date"] = format_datetime(self._now)
        message["Message-ID"] = f"<{mail_id}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = _LANG[to.lang]
        message.set_content("\n\n".join(said) + "\n")
        return message
