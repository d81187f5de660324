"""Merkle trees as RFC 9162 section 2.1 defines them, over SHA-256. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

# The prefixes keep a leaf from ever being taken for an inner node (RFC 9162 section 2.1.1).
LEAF, NODE = b"\x00", b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf (32 bytes)."""
    return hashlib.sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children (32 bytes each)."""
    return hashlib.sha256(NODE + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes in order; the hash of nothing for no leaves."""
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from leaf `index` up to the root, nearest first; IndexError out of range."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _parents(level), index // 2
    return path


def is_included(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` of the `size` leaves below `root_hash`."""
    if not 0 <= index < size:
        return False
    node, last, path = leaf, size - 1, list(proof)
    while last > 0:
        if index % 2 == 1 or index < last:
            if not path:
                return False
            sibling = path.pop(0)
            node = node_hash(sibling, node) if index % 2 == 1 else node_hash(node, sibling)
        index, last = index // 2, last // 2
    return not path and node == root_hash


def rows_digest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the single ledger event of a bulk command holds about its rows: their number and Merkle root."""
    leaves = [leaf_hash(rfc8785.dumps(dict(row))) for row in rows]
    return {"rows": len(leaves), "rows_root": root(leaves).hex()}


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """The next level up: neighbours are paired, and an odd last one moves up as it is."""
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + list(level[-1:]) if len(level) % 2 else pairs
