"""A real SMTP server on this machine, and what it took in."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from aiosmtpd.controller import Controller

from tests.simulated import free_port


class Mailbox:
    """What the server took in, each with its recipients; where `refuse` says something, it answers that instead."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refuse = ""

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):
        self.taken.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A server that runs while tests use it."""
    box = Mailbox(free_port())
    server = Controller(box, hostname="127.0.0.1", port=box.port, ready_timeout=60)
    server.start()
    try:
        yield box
    finally:
        server.stop()
