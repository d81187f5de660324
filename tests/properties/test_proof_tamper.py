"""No byte of a proof can change without the verifier telling; its signatures are those of RFC 8032."""

import json
from datetime import UTC, datetime

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.store import merkle
from schemas.store.signing_notes import Signer
from schemas.store.verify_proof import FORMAT, ProofBroken, canonical, ed25519_verify, main, tell, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AT = datetime(2025, 6, 1, 2, 0, 1, tzinfo=UTC)


def statement(**changes):
    said = {
        "what": "publication",
        "subject": "DV-7K3Q",
        "kind": "device",
        "round": 1,
        "origin": "live",
        "utc_offset_min": 480,
        "channel": "platform_map",
        "official": False,
        "needs": {"official": 1, "further": 1},
        "published_on": "2025-06-01",
        "recorded_on": "2025-06-01",
        "receipt": "PB-1",
        "content_sha256": "ab" * 32,
    }
    return said | changes


USE = {
    "what": "use",
    "subject": "DV-7K3Q",
    "kind": "device",
    "round": 1,
    "origin": "live",
    "utc_offset_min": 480,
    "from": "2025-07-12",
}
BOTH = (statement(), statement(channel="official_disclosure", official=True), USE)


def made(statements=BOTH, others=5, signer=None):
    """A proof as the platform makes it, by code that shares nothing with the verifier but the format."""
    signer = signer or Signer(KEY)
    lines = [rfc8785.dumps(one) for one in statements]
    leaves = [merkle.leaf_hash(line) for line in lines]
    event = {
        "action": "publication.witness",
        "actor": "system",
        "body": {"rows": len(lines), "rows_root": merkle.root(leaves).hex()},
        "effective_at": None,
        "id": "4",
        "origin": "live",
        "pack": None,
        "recorded_at": AT.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "subject_id": "x",
        "subject_kind": "publication",
    }
    event_line = rfc8785.dumps(event)
    under = [merkle.leaf_hash(bytes([n])) for n in range(others)] + [merkle.leaf_hash(event_line)]
    seals, prev = [], "00" * 32
    for number in range(1, 4):
        facts = {
            "count": str(len(under)),
            "first": "1",
            "last": "6",
            "prev": prev,
            "root": merkle.root(under).hex() if number == 1 else "cd" * 32,
            "seal": str(number),
            "sealed_at": "2025-06-01T02:00:02.000000Z",
        }
        seals.append(rfc8785.dumps(facts))
        prev = merkle.hashlib.sha256(seals[-1]).hexdigest()
    notes = [signer.note(n, merkle.hashlib.sha256(line).digest()) for n, line in enumerate(seals, start=1)]
    document = {
        "format": FORMAT,
        "subject": statements[0]["subject"],
        "kind": "device",
        "statements": [
            {
                "statement": line.decode(),
                "row": _place(leaves, index),
                "event": event_line.decode(),
                "leaf": _place(under, others),
                "seal": seals[0].decode(),
                "checkpoint": notes[0],
            }
            for index, line in enumerate(lines)
        ],
        "content": None,
        "seals": [line.decode() for line in seals],
        "checkpoint": notes[-1],
        "key": signer.verifier_key,
    }
    return canonical(document)


def _place(leaves, index):
    return {"index": index, "of": len(leaves), "path": [one.hex() for one in merkle.inclusion_proof(leaves, index)]}


WHOLE = made()


def test_proof__as_it_is_made__holds():
    assert tell(verify(WHOLE))[0] == "DV-7K3Q: published on 2025-06-01, 41 days before use (2025-07-12)."


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_proof__any_byte_changed__fails(place, change):
    changed = bytearray(WHOLE)
    changed[place] ^= change
    with pytest.raises(ProofBroken):
        tell(verify(bytes(changed)))


def test_proof__every_byte_of_it_flipped_in_turn__fails():
    for place in range(0, len(WHOLE), 7):
        changed = bytearray(WHOLE)
        changed[place] ^= 1
        with pytest.raises(ProofBroken):
            tell(verify(bytes(changed)))


@settings(max_examples=60)
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3))
def test_proof__bytes_left_out_or_put_in__fails(place, more):
    for changed in (WHOLE[:place] + WHOLE[place + 1 :], WHOLE[:place] + b" " + more + WHOLE[place:]):
        with pytest.raises(ProofBroken):
            tell(verify(changed))


@settings(max_examples=80)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(canonical))
def test_proof__anything_else__is_refused_in_words(data):
    with pytest.raises(ProofBroken):
        verify(data)


@settings(max_examples=60)
@given(
    st.sampled_from(["statements", "seals", "checkpoint", "key", "content", "subject", "kind", "format"]),
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.lists(st.none() | st.dictionaries(st.text(max_size=3), st.none())),
)
def test_proof__a_part_of_another_type__is_refused_in_words(name, value):
    document = json.loads(WHOLE) | {name: value}
    if canonical(document) != WHOLE:
        try:
            tell(verify(canonical(document)))
        except ProofBroken:
            return
        assert (name, value) in (("content", None), ("seals", []))


def test_proof__signed_by_somebody_else__holds_only_until_the_key_is_compared():
    other = made(signer=Signer(Ed25519PrivateKey.from_private_bytes(bytes(32))))
    verify(other)
    with pytest.raises(ProofBroken, match="not with the key"):
        verify(other, key=Signer(KEY).verifier_key)


# -- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (BOTH[:2], "DV-7K3Q: published on 2025-06-01; this proof shows no use."),
        (BOTH[1:], "on official_disclosure since 2025-06-01, and not yet on every channel"),
        ((statement(origin="sample"), *BOTH[1:]), "asserted by import on 2025-06-01, not witnessed."),
        ((*BOTH[:2], USE | {"origin": "legacy"}), "not witnessed."),
        ((*BOTH[:2], USE | {"from": "2025-05-31"}), "published on 2025-06-01, 1 days AFTER use began (2025-05-31)."),
        ((statement(published_on="2025-06-03"), *BOTH[1:]), "published on 2025-06-03, 39 days before use"),
        ((statement(channel="media", published_on="2025-08-01"), *BOTH), "published on 2025-06-01, 41 days before"),
        ((statement(round=2), statement(round=2, official=True, channel="o"), *BOTH), "; this proof shows no use."),
    ],
)
def test_words__by_what_was_stated(statements, said):
    assert said in tell(verify(made(statements)))[0]


def test_words__use_taken_out_of_a_proof__no_use_is_denied():
    # Every part stands for itself, so that one may be taken out: what is not there says nothing.
    document = json.loads(WHOLE)
    document["statements"] = [part for part in document["statements"] if '"what":"use"' not in part["statement"]]
    (said, *_) = tell(verify(canonical(document)))
    assert said == "DV-7K3Q: published on 2025-06-01; this proof shows no use."
    assert "not in use" not in said


@pytest.mark.parametrize("mark", ["\n", "\r", "\x1b[2K", "\u202e", "\u2028", "\u200b"])
def test_words__subject_with_marks_that_nobody_sees__stay_one_line_that_shows_them(mark, tmp_path, capsys):
    forged = [one | {"subject": f"DV-7K3Q{mark}Signed with the real key"} for one in BOTH]
    said = tell(verify(made(forged)))
    assert said[0].startswith(f"DV-7K3Q{ascii(mark)[1:-1]}Signed")
    assert all(line.isprintable() for line in said)
    file = tmp_path / "forged.json"
    file.write_bytes(made(forged))
    assert main([str(file), "--key", "other\x1b[2K"]) == 1
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize("name", ["round", "what", "needs", "channel", "official", "published_on"])
def test_words__statement_that_lacks_a_part__is_refused_in_words(name):
    lacking = [{key: value for key, value in one.items() if key != name} for one in BOTH]
    with pytest.raises(ProofBroken, match="statement"):
        tell(verify(made(lacking)))


def test_words__without_a_publication__is_no_proof():
    with pytest.raises(ProofBroken, match="nothing of a publication"):
        tell(verify(made((USE,))))


def test_main__wrong_usage_and_missing_file__status_2(tmp_path, capsys):
    assert main([str(tmp_path / "none")]) == 2
    with pytest.raises(SystemExit) as ended:
        main(["x", "--checkpoint", "1:zz"])
    assert ended.value.code == 2
    assert "is no checkpoint" in capsys.readouterr().err


# -- Ed25519 -----------------------------------------------------------------------------------

# RFC 8032 section 7.1, tests 1 to 3: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_ed25519__vectors_of_the_rfc(public, message, signature):
    given_ = [bytes.fromhex(one) for one in (public, message, signature)]
    assert ed25519_verify(*given_)
    assert not ed25519_verify(given_[0], given_[1] + b"x", given_[2])


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 63), st.integers(0, 255))
def test_ed25519__says_what_cryptography_says(seed, message, place, change):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), bytearray(key.sign(message))
    signature[place] ^= change
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes(signature), message)
        held = True
    except InvalidSignature:
        held = False
    assert ed25519_verify(public, message, bytes(signature)) is held is (change == 0)
