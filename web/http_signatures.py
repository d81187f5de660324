"""Signatures of requests to a channel: HTTP Message Signatures (RFC 9421) with a shared secret, over the body's digest.

Pure. The receiver proves with the same secret that we asked, for what, when, and with which body (RFC 9530).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

LABEL = "skywarden"
# What is signed; "@method" and "@target-uri" are derived, the others are header fields by their lower-case names.
COVERED = ("@method", "@target-uri", "content-type", "content-digest", "idempotency-key")
COVERED_WITHOUT_BODY = ("@method", "@target-uri")


def content_digest(body: bytes) -> str:
    """The value of `Content-Digest` for a body (RFC 9530)."""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def signature_base(components: Sequence[tuple[str, str]], parameters: str) -> str:
    """What is signed: each component on a line of its own, the parameters last (RFC 9421, 2.5)."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}'])


def signed(base: str, secret: bytes) -> str:
    """HMAC-SHA256 of a signature base, as base64 (RFC 9421, 3.3.3)."""
    return _base64(hmac.new(secret, base.encode("ascii"), hashlib.sha256).digest())


def sign(
    method: str, url: str, headers: Mapping[str, str], *, key_id: str, secret: bytes, created: datetime
) -> dict[str, str]:
    """The two header fields that sign a request; `headers` by lower-case names, ASCII."""
    covered = COVERED if "content-digest" in headers else COVERED_WITHOUT_BODY
    derived = {"@method": method, "@target-uri": url}
    components = [(name, derived.get(name) or headers[name]) for name in covered]
    named = " ".join(f'"{name}"' for name in covered)
    parameters = f'({named});created={int(created.timestamp())};keyid="{key_id}";alg="hmac-sha256"'
    return {
        "Signature-Input": f"{LABEL}={parameters}",
        "Signature": f"{LABEL}=:{signed(signature_base(components, parameters), secret)}:",
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
