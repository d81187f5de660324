"""Verifies the proof of a publication offline: a single file that needs Python's standard library alone.

    python verify_proof.py DV-7K3Q.proof.json [--checkpoint N:HEX]... [--key KEY] [--seals FILE] [--lang zh]

A proof is one JSON document. It leads from what the platform said about a publication (a statement) up a Merkle tree
(RFC 9162) to an event of the ledger, up another one to a seal, and to a checkpoint: a note (C2SP signed-note) that the
platform signed with Ed25519 (RFC 8032). Seals form a chain, so a checkpoint stands for everything before it. Whoever
rewrites the ledger, and seals and signs it anew, is found by a checkpoint that somebody wrote down earlier: give it
with `--checkpoint`. Where its seal is not in the proof, `--seals` names the chain of seals that the platform offers.

The times are those at which the platform's database recorded the statement, never those that a receipt asserts.

Ends with 0 when everything fits, 1 when something does not, 2 on wrong usage.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

FORMAT = "skywarden-proof-1"
KEYS = {"checkpoint", "content", "format", "key", "kind", "seals", "statements", "subject"}
PART_KEYS = {"checkpoint", "event", "leaf", "row", "seal", "statement"}
PLACE_KEYS = {"index", "of", "path"}
SEAL_KEYS = {"count", "first", "last", "prev", "root", "seal", "sealed_at"}
MOST_BYTES = 16 << 20
MOST_DEPTH_OF_TREE = 64
HASH_BYTES = 32
# Controls, marks that nobody sees or that turn the direction of writing, halves of characters, ends of lines.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class ProofBroken(Exception):
    """The proof does not hold; the text says where and why."""


WORDS = {
    "en": {
        "published": "{subject}: published on {day}, {days} days before use ({used}).",
        "late": "{subject}: published on {day}, {days} days AFTER use began ({used}).",
        "unused": "{subject}: published on {day}; this proof shows no use.",
        "incomplete": "{subject}: on {channels} since {day}, and not yet on every channel that the law asks for.",
        "asserted": "{subject}: said to be published on {day}; asserted by import on {imported}, not witnessed.",
        "seen_later": "A receipt says {said}; the ledger recorded it on {day}, and that day counts.",
        "content": "What was published: {content}",
        "checkpoint": "Checkpoint {n}:{digest}",
        "key": "Signed with {key}",
        "compare": "Compare key and checkpoint with what you, or others, wrote down earlier.",
        "older": "The checkpoint {n}:{digest} that you wrote down is part of the same ledger.",
    },
    "zh": {
        "published": "{subject}：{day} 公示，早于启用（{used}）{days} 天。",
        "late": "{subject}：{day} 公示，晚于启用（{used}）{days} 天。",
        "unused": "{subject}：{day} 公示；本证明未载明启用。",
        "incomplete": "{subject}：自 {day} 起在 {channels} 公示，尚未在法定的全部渠道公示。",
        "asserted": "{subject}：据称于 {day} 公示；由 {imported} 的导入所主张，未经本平台见证。",
        "seen_later": "回执所载为 {said}；账本记录于 {day}，以后者为准。",
        "content": "公示内容：{content}",
        "checkpoint": "检查点 {n}:{digest}",
        "key": "签名密钥 {key}",
        "compare": "请与您或他人此前记下的密钥和检查点比对。",
        "older": "您此前记下的检查点 {n}:{digest} 属于同一账本。",
    },
}


@dataclass(frozen=True)
class Seal:
    """A link of the chain."""

    number: int
    digest: str
    prev: str
    root: str
    count: int


@dataclass(frozen=True)
class Said:
    """A statement and when the ledger recorded it, as a local date of the place."""

    statement: Mapping[str, Any]
    recorded_on: date


@dataclass(frozen=True)
class Proof:
    """A proof that holds: what was said, the chain of seals that it shows, and who signed."""

    subject: str
    said: tuple[Said, ...]
    content: str | None
    seals: Mapping[int, Seal]
    checkpoint: Seal
    key: str


def verify(data: bytes, *, key: str | None = None) -> Proof:
    """Verifies a proof, whose signer must be `key` where that is given; raises ProofBroken."""
    document = _document(data)
    signer = _signer(document["key"])
    if key is not None and key != document["key"]:
        raise ProofBroken(f"it is signed with {document['key']}, and not with the key that was expected")
    chain = _chain(document["seals"])
    said = tuple(_said(part, document, signer) for part in _list(document["statements"], "statements"))
    if not said:
        raise ProofBroken("it holds no statement")
    _check_content(document["content"], said)
    seals = dict(chain)
    for part in document["statements"]:
        seal = _seal(part["seal"])
        if seals.setdefault(seal.number, seal) != seal:
            raise ProofBroken(f"seal {seal.number} stands in it twice, and differs")
    latest = _latest(document, signer, chain, seals)
    return Proof(document["subject"], said, document["content"], seals, latest, document["key"])


def check_older(proof: Proof, wanted: Iterable[tuple[int, str]], lines: Iterable[str] = ()) -> None:
    """Raises ProofBroken unless checkpoints that were written down earlier belong to the ledger of the proof."""
    known = _chain(list(lines))
    for number, seal in proof.seals.items():
        if known and known.get(number, seal) != seal:
            raise ProofBroken(f"seal {number} of the proof is another one in the chain of seals: one was rewritten")
    seals = {**proof.seals, **known}
    for number, digest in wanted:
        if number not in seals:
            raise ProofBroken(
                f"seal {number}, of which a checkpoint was written down, is not in the proof; "
                "give the chain of seals with --seals"
            )
        if seals[number].digest != digest:
            raise ProofBroken(
                f"seal {number} is not the one of which the checkpoint was written down: the ledger was rewritten"
            )
        _check_linked(seals, number, proof)


def _check_linked(seals: Mapping[int, Seal], number: int, proof: Proof) -> None:
    """A seal that somebody wrote down says something of those to which an unbroken chain leads, and no other."""
    shown = sorted(proof.seals)
    for low, high in ((min(number, one), max(number, one)) for one in shown):
        for link in range(low + 1, high + 1):
            if link not in seals or link - 1 not in seals:
                raise ProofBroken(
                    f"the chain of seals between {low} and {high} is not complete; give it whole with --seals"
                )
            if seals[link].prev != seals[link - 1].digest:
                raise ProofBroken(f"seal {link} was not put on seal {link - 1}: the ledger was rewritten")


def tell(proof: Proof, lang: str = "en") -> list[str]:
    """What the proof shows, in words."""
    words = WORDS[lang]
    try:
        lines = _told(proof, words)
    except (KeyError, TypeError, ValueError) as error:
        raise ProofBroken("a statement in it does not hold what statements hold") from error
    if proof.content is not None:
        lines.append(words["content"].format(content=proof.content))
    lines.append(words["checkpoint"].format(n=proof.checkpoint.number, digest=proof.checkpoint.digest))
    lines.append(words["key"].format(key=proof.key))
    return [_visible(line) for line in lines]


def _visible(line: str) -> str:
    """A line that stays one on any terminal: whoever signs with a key of his own writes no line of ours in it."""
    told = (char if unicodedata.category(char) not in UNSEEN else ascii(char)[1:-1] for char in line)
    return "".join(told)


def _told(proof: Proof, words: Mapping[str, str]) -> list[str]:
    newest = max(one.statement["round"] for one in proof.said)
    present = [one for one in proof.said if one.statement["round"] == newest]
    published = [one for one in present if one.statement["what"] == "publication"]
    uses = [one for one in present if one.statement["what"] == "use"]
    if not published:
        raise ProofBroken("it says nothing of a publication")
    counted = _counted(published)
    subject = proof.subject
    if counted is None:
        channels = ", ".join(sorted(one.statement["channel"] for one in published))
        return [words["incomplete"].format(subject=subject, channels=channels, day=min(map(_day, published)))]
    last = max(counted, key=_day)
    asserted = [one for one in [*counted, *uses] if one.statement["origin"] != "live"]
    if asserted:
        imported = max(str(one.statement.get("recorded_on", one.recorded_on)) for one in asserted)
        return [words["asserted"].format(subject=subject, day=_day(last), imported=imported)]
    lines = [_against_use(subject, _day(last), uses, words)]
    said = last.statement["published_on"]
    if said != _day(last).isoformat():
        lines.append(words["seen_later"].format(said=said, day=_day(last)))
    return lines


def _against_use(subject: str, day: date, uses: Sequence[Said], words: Mapping[str, str]) -> str:
    if not uses:
        return words["unused"].format(subject=subject, day=day)
    used = min(date.fromisoformat(one.statement["from"]) for one in uses)
    days = (used - day).days
    return words["published" if days >= 0 else "late"].format(subject=subject, day=day, days=abs(days), used=used)


def _counted(published: Sequence[Said]) -> list[Said] | None:
    """The channels from which the notice counts: the first of each kind that are needed; None while one is missing."""
    needs = published[0].statement["needs"]
    counted: list[Said] = []
    for official, need in ((True, needs["official"]), (False, needs["further"])):
        first: dict[str, Said] = {}
        for one in sorted(published, key=_day):
            if one.statement["official"] is official:
                first.setdefault(one.statement["channel"], one)
        if len(first) < need:
            return None
        counted += list(first.values())[:need]
    return counted or None


def _day(one: Said) -> date:
    """The day that counts: what was witnessed is not from before it was recorded, whatever a receipt says."""
    said = date.fromisoformat(one.statement["published_on"])
    return max(said, one.recorded_on) if one.statement["origin"] == "live" else said


# -- the document ------------------------------------------------------------------------------


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ProofBroken("it is too large to be a proof")
    try:
        document = json.loads(data.decode("utf-8", "strict"))
        same = canonical(document) == data
    except (ValueError, RecursionError) as error:
        raise ProofBroken("it is no JSON document") from error
    if not isinstance(document, dict) or document.keys() != KEYS or document["format"] != FORMAT:
        raise ProofBroken("it is no proof of a format that is known here")
    if not same:
        raise ProofBroken("it is not written as proofs are: take the file as it was downloaded, byte for byte")
    for name in ("subject", "kind", "key", "checkpoint"):
        _text(document[name], name)
    return document


def canonical(document: object) -> bytes:
    """The one way in which a proof is written."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _said(part: object, document: Mapping[str, Any], signer: _Signer) -> Said:
    if not isinstance(part, dict) or part.keys() != PART_KEYS:
        raise ProofBroken("a part of it is not made as parts are")
    line, event_line = (_text(part[name], name).encode() for name in ("statement", "event"))
    statement, event = _json(line), _json(event_line)
    try:
        if event["action"] != "publication.witness" or event["actor"] != "system":
            raise ProofBroken("the event is none by which the system writes down publications")
        rows, rows_root = event["body"]["rows"], bytes.fromhex(event["body"]["rows_root"])
        seal = _seal(part["seal"])
        if part["row"]["of"] != rows or not _included(line, part["row"], rows_root):
            raise ProofBroken("the statement is not among those that the event stands for")
        if part["leaf"]["of"] != seal.count or not _included(event_line, part["leaf"], bytes.fromhex(seal.root)):
            raise ProofBroken(f"the event is not among those under seal {seal.number}")
        if (statement["subject"], statement["kind"]) != (document["subject"], document["kind"]):
            raise ProofBroken("a statement in it is about something else")
        signer.check(part["checkpoint"], seal)
        return Said(statement, _local(event["recorded_at"], statement["utc_offset_min"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProofBroken("a part of it does not hold what parts hold") from error


def _check_content(content: object, said: Sequence[Said]) -> None:
    if content is None:
        return
    digest = hashlib.sha256(_text(content, "content").encode()).hexdigest()
    if digest not in {one.statement.get("content_sha256") for one in said}:
        raise ProofBroken("the content is not what was published: its hash is another one")


def _latest(document: Mapping[str, Any], signer: _Signer, chain: Mapping[int, Seal], seals: Mapping[int, Seal]) -> Seal:
    """The newest seal of the proof, signed; the chain, where there is one, links all seals of the proof to it."""
    latest = seals[max(seals)]
    signer.check(document["checkpoint"], latest)
    if chain and any(number not in chain for number in seals):
        raise ProofBroken("the chain of seals in it does not reach from the statements to the checkpoint")
    return latest


def _local(recorded_at: str, offset_min: int) -> date:
    return (datetime.strptime(recorded_at, "%Y-%m-%dT%H:%M:%S.%f%z") + timedelta(minutes=offset_min)).date()


def _json(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProofBroken("a line in it is no JSON") from error
    if not isinstance(value, dict):
        raise ProofBroken("a line in it is no JSON object")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ProofBroken(f"{name} is no text")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ProofBroken(f"{name} is no list")
    return value


# -- trees and chains --------------------------------------------------------------------------


def _included(line: bytes, place: object, root: bytes) -> bool:
    """Whether the path of a place leads from a line to the root (RFC 9162 section 2.1.3.2)."""
    if not isinstance(place, dict) or place.keys() != PLACE_KEYS:
        return False
    index, size, path = place["index"], place["of"], [bytes.fromhex(one) for one in place["path"]]
    if type(index) is not int or type(size) is not int or not 0 <= index < size or len(path) > MOST_DEPTH_OF_TREE:
        return False
    if [one.hex() for one in path] != place["path"] or any(len(one) != HASH_BYTES for one in path):
        return False
    node, last = hashlib.sha256(b"\x00" + line).digest(), size - 1
    while last > 0:
        if index % 2 == 1 or index < last:
            if not path:
                return False
            sibling = path.pop(0)
            left, right = (sibling, node) if index % 2 == 1 else (node, sibling)
            node = hashlib.sha256(b"\x01" + left + right).digest()
        index, last = index // 2, last // 2
    return not path and node == root


def _seal(given: object) -> Seal:
    line = _text(given, "seal")
    facts = _json(line.encode())
    if facts.keys() != SEAL_KEYS or not all(isinstance(value, str) for value in facts.values()):
        raise ProofBroken("a seal in it is not made as seals are")
    if line != json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False):
        raise ProofBroken("a seal in it is not written as seals are")
    digest = hashlib.sha256(line.encode()).hexdigest()
    try:
        return Seal(int(facts["seal"]), digest, facts["prev"], facts["root"], int(facts["count"]))
    except ValueError as error:
        raise ProofBroken("a seal in it has no number") from error


def _chain(lines: object) -> dict[int, Seal]:
    seals = [_seal(line) for line in _list(lines, "seals")]
    for before, after in pairwise(seals):
        if (after.number, after.prev) != (before.number + 1, before.digest):
            raise ProofBroken(f"seal {after.number} was not put on seal {before.number}: the ledger was rewritten")
    return {seal.number: seal for seal in seals}


# -- signatures --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Signer:
    name: str
    key_hash: bytes
    public: bytes

    def check(self, note: object, seal: Seal) -> None:
        """Raises ProofBroken unless `note` is this signer's over that seal."""
        digest = base64.b64encode(bytes.fromhex(seal.digest)).decode()
        said = f"{self.name}\n{seal.number}\n{digest}\n"
        head = f"{said}\n— {self.name} "
        text = _text(note, "checkpoint")
        if not (text.startswith(head) and text.endswith("\n")):
            raise ProofBroken(f"a checkpoint in it is not that of seal {seal.number}")
        signature = _unbase64(text[len(head) : -1])
        if signature[:4] != self.key_hash or not ed25519_verify(self.public, said.encode(), signature[4:]):
            raise ProofBroken(f"the signature over seal {seal.number} is not that of {self.name}")


def _signer(key: str) -> _Signer:
    name, _, rest = key.partition("+")
    key_hash, _, public = rest.partition("+")
    raw = _unbase64(public)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\x01" or len(raw) != HASH_BYTES + 1 or key_hash != expected.hex():
        raise ProofBroken("the key in it is none")
    return _Signer(name, expected, raw[1:])


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofBroken("what should be base64 in it is not") from error
    if base64.b64encode(data).decode() != text:
        raise ProofBroken("what should be base64 in it is not written as it should be")
    return data


# The curve of RFC 8032 section 5.1, in extended coordinates. Verifying knows no secret, so it need not take equal time.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` is that of the holder of `public` (32 bytes), after RFC 8032."""
    if len(public) != HASH_BYTES or len(signature) != 2 * HASH_BYTES:
        return False
    a, r = _decoded(public), _decoded(signature[:HASH_BYTES])
    s = int.from_bytes(signature[HASH_BYTES:], "little")
    if a is None or r is None or s >= L:
        return False
    hashed = hashlib.sha512(signature[:HASH_BYTES] + public + message).digest()
    k = int.from_bytes(hashed, "little") % L
    return _same(_times(s, BASE), _plus(r, _times(k, a)))


def _decoded(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _x_of(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x % 2 != sign else x


def _plus(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(factor: int, point: Point) -> Point:
    total = NEUTRAL
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point, factor = _plus(point, point), factor >> 1
    return total


def _same(one: Point, other: Point) -> bool:
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 == (one[1] * other[2] - other[1] * one[2]) % P


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x_of(_BASE_Y, 0)
assert _BASE_X is not None
BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


# -- the command line --------------------------------------------------------------------------


def _checkpoint_argument(text: str) -> tuple[int, str]:
    number, _, digest = text.strip().partition(":")
    if not number.isdecimal() or len(digest) != 2 * HASH_BYTES or set(digest.lower()) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text!r} is no checkpoint; one looks like 12:9f86d0, with 64 digits")
    return int(number), digest.lower()


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Verifies the proof of a Skywarden publication offline.")
    parser.add_argument("proof", help="the file that the page of the device, area, point or route offers")
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=_checkpoint_argument,
        metavar="N:HEX",
        help="a checkpoint written down earlier; may be given several times",
    )
    parser.add_argument("--key", help="the key that must have signed, as /ledger shows it")
    parser.add_argument("--seals", help="the chain of seals, as /ledger/seals.jsonl gives it")
    parser.add_argument("--lang", choices=sorted(WORDS), default="en")
    return parser.parse_args(given)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    asked = _arguments(arguments)
    try:
        with open(asked.proof, "rb") as file:
            proof = verify(file.read(MOST_BYTES + 1), key=asked.key)
        lines: list[str] = []
        if asked.seals:
            with open(asked.seals, encoding="utf-8") as file:
                lines = file.read().splitlines()
        check_older(proof, asked.checkpoint, lines)
        told = tell(proof, asked.lang)
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2
    except (ProofBroken, UnicodeDecodeError) as error:
        sys.stderr.write(_visible(f"NOT VERIFIED: {error}") + "\n")
        return 1
    words = WORDS[asked.lang]
    told += [words["older"].format(n=number, digest=digest) for number, digest in asked.checkpoint]
    sys.stdout.write("\n".join([*told, words["compare"]]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
