"""Merkle trees over random leaves, against the recursive definition of RFC 9162 section 2.1."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.store import merkle, verify

HASHES = st.binary(min_size=32, max_size=32)
TREES = st.lists(HASHES, min_size=1, max_size=70)


def by_the_book(leaves):
    """RFC 9162 section 2.1.1: split at the largest power of two smaller than the number of leaves."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(by_the_book(leaves[:split]), by_the_book(leaves[split:]))


@given(st.lists(HASHES, max_size=70))
def test_root__is_that_of_the_definition_in_both_implementations(leaves):
    assert merkle.root(leaves) == by_the_book(leaves) == verify.merkle_root(leaves)


@given(TREES, st.data())
def test_proof__of_any_leaf__verifies_and_is_short(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = merkle.inclusion_proof(leaves, index)
    assert len(proof) <= (len(leaves) - 1).bit_length()
    assert included(leaves, index, proof)


def included(leaves, index, proof, *, leaf=None, size=None, root=None):
    return merkle.is_included(
        leaf or leaves[index],
        index=index,
        size=size or len(leaves),
        proof=proof,
        root_hash=root or merkle.root(leaves),
    )


@given(TREES, st.data())
def test_proof__anything_changed__refused(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = merkle.inclusion_proof(leaves, index)
    other = hashlib.sha256(leaves[index]).digest()
    assert not included(leaves, index, proof, leaf=other)
    assert not included(leaves, index, proof, root=other)
    assert not included(leaves, index, [*proof, other])
    if proof:
        assert not included(leaves, index, proof[:-1])
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not included(leaves, index, [*proof[:place], other, *proof[place + 1 :]])


@given(TREES, st.integers(-3, 80))
def test_proof__index_out_of_range__refused(leaves, index):
    if 0 <= index < len(leaves):
        return
    with pytest.raises(IndexError):
        merkle.inclusion_proof(leaves, index)
    assert not merkle.is_included(leaves[0], index=index, size=len(leaves), proof=[], root_hash=leaves[0])


def test_leaf_and_node__cannot_be_taken_for_each_other():
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=5), max_size=4), max_size=9))
def test_rows__digest_follows_content_and_order_and_not_the_order_of_keys(rows):
    digest = merkle.rows_digest(rows)
    assert digest["rows"] == len(rows)
    assert merkle.rows_digest([dict(reversed(row.items())) for row in rows]) == digest
    if rows != rows[::-1]:
        assert merkle.rows_digest(rows[::-1]) != digest
    assert merkle.rows_digest([*rows, {"new": 1}]) != digest
