"""Identifiers: UUIDs inside, short non-sequential public ids outside (requirements.md 5.1)."""

from __future__ import annotations

import secrets
import uuid

# Letters and digits that nobody confuses when reading a sign aloud.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
# Eight leave one chance in two million that 1,000 rows of an import get the same one twice.
PUBLIC_LENGTH = 8
_LETTERS = len(ALPHABET)
_FAIR = 256 - 256 % _LETTERS


def new_id() -> uuid.UUID:
    """A random (version 4) UUID."""
    return uuid.uuid4()


def public_id(prefix: str) -> str:
    """A short public id such as `DV-7K3Q2M`; not sequential, so it tells nothing about counts."""
    drawn = ""
    while len(drawn) < PUBLIC_LENGTH:
        # A byte beyond the last whole round of the alphabet would make its first letters likelier than the others.
        drawn += "".join(ALPHABET[byte % _LETTERS] for byte in secrets.token_bytes(PUBLIC_LENGTH) if byte < _FAIR)
    return f"{prefix}-{drawn[:PUBLIC_LENGTH]}"
