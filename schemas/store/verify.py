"""Verifies an exported ledger offline: a single file that needs Python's standard library alone.

    python verify.py ledger.jsonl [--checkpoint N:HEX]...

An export is a text of JSON lines: a first line that names the format, the events of each seal followed
by that seal, and a last line with the checkpoint `number:digest` of the last seal. An event line is
hashed as it stands (SHA-256 with the leaf prefix of RFC 9162); a seal names the Merkle root over the
events before it and the digest of the seal before it. So no byte can change, and no line can move or
vanish, without a mismatch here. Somebody who rewrites everything is found by a checkpoint that was
written down earlier: give it with `--checkpoint`.

Ends with 0 when everything fits, 1 when something does not, 2 on wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = b'{"format":"skywarden-ledger-1"}'
NO_SEAL = "00" * 32
EVENT_KEYS = {
    "action",
    "actor",
    "body",
    "effective_at",
    "id",
    "origin",
    "pack",
    "recorded_at",
    "subject_id",
    "subject_kind",
}
# What it means when a seal does not fit, in the order in which it is looked at.
MISFITS = {
    "seal": "a seal before this one is missing, or seals stand in another order",
    "prev": "seal {before} is not the one that this seal was put on",
    "count": "events were added or taken away among lines {first} to {last}",
    "first": "events were moved or exchanged among lines {first} to {last}",
    "last": "events were moved or exchanged among lines {first} to {last}",
    "root": "an event was changed, moved or exchanged among lines {first} to {last}",
}
SEAL_KEYS = {"count", "first", "last", "prev", "root", "seal", "sealed_at"}


class LedgerBroken(Exception):
    """The ledger does not fit together; the text says where and why."""


@dataclass(frozen=True)
class Report:
    """What was verified: how many events and seals, and the checkpoint to write down."""

    events: int
    seals: int
    checkpoint: str


def verify_lines(lines: Iterable[bytes], checkpoints: Mapping[int, str] | None = None) -> Report:
    """Verifies an export, line by line without line ends; raises LedgerBroken at the first misfit.

    `checkpoints` are digests (hex) of seals, by number, that were written down earlier.
    """
    wanted = dict(checkpoints or {})
    numbered = _numbered(lines)
    _check_first(next(numbered, (0, b""))[1])
    digest, seals, events, closed = NO_SEAL, 0, 0, False
    batch: list[tuple[str, bytes]] = []
    for number, line in numbered:
        if closed:
            raise LedgerBroken(f"line {number}: something follows the checkpoint")
        entry = _parse(number, line)
        if entry.keys() == EVENT_KEYS:
            batch.append((entry["id"], hashlib.sha256(b"\x00" + line).digest()))
        elif entry.keys() == SEAL_KEYS:
            _check_seal(number, entry, line=line, batch=batch, expected=seals + 1, before=digest)
            digest, seals, events, batch = (
                hashlib.sha256(line).hexdigest(),
                seals + 1,
                events + len(batch),
                [],
            )
            _check_checkpoint(seals, digest, wanted)
        else:
            closed = _check_end(number, entry, line=line, checkpoint=f"{seals}:{digest}", batch=batch)
    if not closed:
        raise LedgerBroken("the export ends without its checkpoint: lines are missing at the end")
    if wanted:
        raise LedgerBroken(f"there is no seal {min(wanted)}, of which a checkpoint exists: seals are missing")
    return Report(events, seals, f"{seals}:{digest}")


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root of RFC 9162 section 2.1.1 over leaf hashes in order."""
    level = list(leaves)
    while len(level) > 1:
        odd = [level.pop()] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0] if level else hashlib.sha256().digest()


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1))


def _check_first(line: bytes) -> None:
    if line == FORMAT + b"\r":
        raise LedgerBroken("line 1: the line ends were converted; take the file as it was exported, byte for byte")
    if line != FORMAT:
        raise LedgerBroken("line 1: this is no ledger export of a format that is known here")


def _parse(number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8", "strict"))
    except (ValueError, RecursionError) as error:
        raise LedgerBroken(f"line {number}: not a line of JSON") from error
    if not isinstance(entry, dict):
        raise LedgerBroken(f"line {number}: not a JSON object")
    return entry


def _check_seal(
    number: int,
    seal: Mapping[str, Any],
    *,
    line: bytes,
    batch: list[tuple[str, bytes]],
    expected: int,
    before: str,
) -> None:
    if not batch:
        raise LedgerBroken(f"line {number}: a seal without events")
    facts = {
        "seal": str(expected),
        "count": str(len(batch)),
        "first": batch[0][0],
        "last": batch[-1][0],
        "prev": before,
        "root": merkle_root(leaf for _, leaf in batch).hex(),
        "sealed_at": seal["sealed_at"],
    }
    for key, meaning in MISFITS.items():
        if seal[key] != facts[key]:
            what = meaning.format(before=expected - 1, first=number - len(batch), last=number - 1)
            said, found = seal[key], facts[key]
            raise LedgerBroken(f"line {number}: seal {expected}: {what}: {key} is {said!r}, but found is {found!r}")
    if line != json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode():
        raise LedgerBroken(f"line {number}: seal {expected} is not written as seals are")


def _check_checkpoint(number: int, digest: str, wanted: dict[int, str]) -> None:
    if wanted.pop(number, digest) != digest:
        raise LedgerBroken(f"seal {number} is not the one of which the checkpoint was written down")


def _check_end(
    number: int, entry: Mapping[str, Any], *, line: bytes, checkpoint: str, batch: list[tuple[str, bytes]]
) -> bool:
    if entry.keys() != {"checkpoint"}:
        raise LedgerBroken(f"line {number}: neither an event, nor a seal, nor the checkpoint")
    if batch:
        raise LedgerBroken(f"line {number}: {len(batch)} events before it belong to no seal")
    if line != json.dumps({"checkpoint": checkpoint}, separators=(",", ":")).encode():
        raise LedgerBroken(f"line {number}: the checkpoint is not that of the last seal, {checkpoint}")
    return True


def file_lines(raw: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a binary file without their line ends; LedgerBroken when the last one has none."""
    for line in raw:
        if not line.endswith(b"\n"):
            raise LedgerBroken("the last line is cut off")
        yield line[:-1]


def parse_checkpoint(text: str) -> tuple[int, str]:
    """The number and digest of a checkpoint `N:HEX`; ValueError when it is none."""
    number, _, digest = text.strip().partition(":")
    if len(digest) != len(NO_SEAL) or not number.isdecimal() or int(number) < 1:
        raise ValueError(f"{text!r} is no checkpoint; one looks like 12:9f86d0, with 64 digits after the colon")
    # bytes.fromhex would pass over blanks, and no seal has a digest with any.
    if not set(digest) <= set("0123456789abcdefABCDEF"):
        raise ValueError(f"{text!r} is no checkpoint; after the colon stand hexadecimal digits")
    return int(number), digest.lower()


def by_seal(checkpoints: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Digests by number of seal; raises LedgerBroken where two checkpoints of one seal differ."""
    known: dict[int, str] = {}
    for number, digest in checkpoints:
        if known.setdefault(number, digest) != digest:
            raise LedgerBroken(f"two checkpoints of seal {number} were given, and they differ")
    return known


def _checkpoint_argument(text: str) -> tuple[int, str]:
    try:
        return parse_checkpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Verifies an exported Skywarden ledger offline.")
    parser.add_argument("export", help="the exported file (JSON lines)")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=_checkpoint_argument,
        metavar="N:HEX",
        help="a checkpoint written down earlier; may be given several times",
    )
    asked = parser.parse_args(arguments)
    try:
        with open(asked.export, "rb") as file:
            report = verify_lines(file_lines(file), by_seal(asked.checkpoint))
    except OSError as error:
        sys.stderr.write(f"{asked.export}: {error.strerror}\n")
        return 2
    except LedgerBroken as error:
        sys.stderr.write(f"NOT VERIFIED: {error}\n")
        return 1
    sys.stdout.write(f"Verified {report.events} events under {report.seals} seals.\n")
    sys.stdout.write(f"Checkpoint {report.checkpoint}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
