"""Which device sends a request: its token in the `Authorization` header, as Bearer or as the password of Basic."""

from __future__ import annotations

from flask import g, request

from schemas.refusals import Kind, violation
from schemas.tables import DeviceToken
from sensing.sensors import tokens
from web.identity.request_identity import services


def current_token() -> DeviceToken | None:
    """The living credential of this request; None where it carries none.

    Raises RuleViolation 401 for one that is unknown, revoked or expired.
    """
    if "device_token" not in g:
        g.device_token = _identify()
    found: DeviceToken | None = g.device_token
    return found


def _identify() -> DeviceToken | None:
    sent = request.authorization
    if sent is None:
        return None
    token = sent.token if sent.type == "bearer" else sent.password
    house = services()
    with house.session() as session:
        row = tokens.find(session, token or "", house.clock.now())
    if row is None or (sent.type == "basic" and sent.username != row.public_id):
        raise violation(Kind.UNAUTHENTICATED, "token.unknown", "things.token_refused")
    return row
