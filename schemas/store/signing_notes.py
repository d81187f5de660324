"""Checkpoints as signed notes (C2SP signed-note): what a seal was, in a text that anybody can keep and compare.

The text of a note is three lines: the name of the installation, the number of the seal, and its digest in base64. The
name ends with the first half of the key's own hash, so that no two installations share one.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

KEY_FILE = Path("keys") / "checkpoint.key"
# The kind of a signature in a signed note: Ed25519.
ED25519 = b"\x01"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Signer:
    """The key of an installation; it signs what the sealer sealed, and nothing else."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @property
    def name(self) -> str:
        """The name under which it signs."""
        return f"skywarden/{hashlib.sha256(self.public).hexdigest()[:16]}"

    @property
    def verifier_key(self) -> str:
        """What others verify with, as the signed-note specification writes it: name, hash, key."""
        return f"{self.name}+{_key_hash(self.name, self.public).hex()}+{_base64(ED25519 + self.public)}"

    def note(self, number: int, digest: bytes) -> str:
        """The signed note over one seal."""
        said = f"{self.name}\n{number}\n{_base64(digest)}\n"
        signature = _key_hash(self.name, self.public) + self.private.sign(said.encode())
        return f"{said}\n— {self.name} {_base64(signature)}\n"


def signer_of(data_dir: Path) -> Signer:
    """The key of the installation whose files lie there; made when it is first needed, for its owner's eyes alone.

    Raises ValueError where the file holds something else.
    """
    path = data_dir / KEY_FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raw = _made(path)
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"{path} holds no key: {_KEY_BYTES} bytes were expected, and {len(raw)} were found")
    return Signer(Ed25519PrivateKey.from_private_bytes(raw))


def _made(path: Path) -> bytes:
    """A new key, in one step: two workers that start at once share the one that came first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    return path.read_bytes()


_LATEST = text("SELECT n, digest FROM ledger.seal ORDER BY n DESC LIMIT 1")
_THAT = text("SELECT n, digest FROM ledger.seal WHERE n = :n")
_KEPT = text(
    "INSERT INTO core.checkpoint (n, signer, note) VALUES (:n, :signer, :note) ON CONFLICT (n, signer) DO NOTHING"
)


def sign_seal(engine: Engine, signer: Signer, number: int | None = None) -> int | None:
    """Signs the seal of that number, or the latest, once; gives its number, None while nothing is sealed."""
    with engine.begin() as connection:
        seal = connection.execute(_LATEST if number is None else _THAT, {"n": number}).one_or_none()
        if seal is None:
            return None
        note = signer.note(seal.n, bytes(seal.digest))
        connection.execute(_KEPT, {"n": seal.n, "signer": signer.verifier_key, "note": note})
    return int(seal.n)


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
