"""Identifiers: UUIDs inside, short non-sequential public ids outside (requirements.md 5.1)."""

from __future__ import annotations

import secrets
import uuid

# Letters and digits that nobody confuses when reading a sign aloud.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
# Eight leave one chance in two million that 1,000 rows of an import get the same one twice.
PUBLIC_LENGTH = 8


def new_id() -> uuid.UUID:
    """A random (version 4) UUID."""
    return uuid.uuid4()


def public_id(prefix: str) -> str:
    """A short public id such as `DV-7K3Q2M`; not sequential, so it tells nothing about counts."""
    return f"{prefix}-{''.join(secrets.choice(ALPHABET) for _ in range(PUBLIC_LENGTH))}"
