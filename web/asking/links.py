"""What only the right people know: secret words of receipts and links in mails, made from one key of the installation.

Nothing of it stands in the database, so a copy of the database opens no receipt and ends no subscription. Touches the
disk: the key is made when it is first needed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from schemas.ids import ALPHABET

_KEY_BYTES = 32
_WORD_LENGTH = 8
_TOKEN_LENGTH = 32


def word(data_dir: Path, number: str) -> str:
    """The secret word of the receipt with that number, such as `7K3Q-2M9X`."""
    digest = int.from_bytes(_digest(data_dir, "receipt", number))
    letters = ""
    for _ in range(_WORD_LENGTH):
        digest, place = divmod(digest, len(ALPHABET))
        letters += ALPHABET[place]
    return f"{letters[:4]}-{letters[4:]}"


def is_word(data_dir: Path, number: str, typed: str) -> bool:
    """Whether that is the secret word; large and small letters, spaces and dashes make no difference."""
    bare = "".join(typed.split()).replace("-", "").upper()
    return hmac.compare_digest(bare.encode("utf-8", "surrogatepass"), word(data_dir, number).replace("-", "").encode())


def token(data_dir: Path, purpose: str, name: str) -> str:
    """What stands in a link that does `purpose` for the subscription of that name."""
    return _digest(data_dir, purpose, name).hex()[:_TOKEN_LENGTH]


def is_token(data_dir: Path, purpose: str, name: str, given: str) -> bool:
    """Whether a link is one that we made."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token(data_dir, purpose, name).encode())


def _digest(data_dir: Path, purpose: str, name: str) -> bytes:
    message = f"{purpose}|{name}".encode("utf-8", "surrogatepass")
    return hmac.digest(_key(data_dir), message, hashlib.sha256)


def _key(data_dir: Path) -> bytes:
    path = data_dir / "keys" / "links.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"links.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        # Whoever links first has made the key; all others take that one.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()
