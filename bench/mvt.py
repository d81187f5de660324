"""Counts what a Mapbox vector tile shows: the ids of the features that meet the tile itself, its margin left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

MOVE, LINE = 1, 2


def shown(tile: bytes, key: str, extent: int) -> Counter[str]:
    """How often each value of `key` occurs among the features whose bounding box meets the tile, in all layers."""
    found: Counter[str] = Counter()
    for _, layer in _fields(tile):
        parts = list(_fields(_bytes(layer)))
        keys = [_bytes(value).decode() for number, value in parts if number == 3]
        values = [next(_fields(_bytes(value)))[1] for number, value in parts if number == 4]
        for feature in (dict(_fields(_bytes(value))) for number, value in parts if number == 2):
            if not _meets(list(_numbers(_bytes(feature[4]))), extent):
                continue
            tags = list(_numbers(_bytes(feature[2])))
            named = {keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)}
            found[_bytes(named[key]).decode()] += 1
    return found


def _meets(commands: list[int], extent: int) -> bool:
    """Whether the bounding box of a geometry meets the square from 0 to `extent`; touching counts."""
    xs, ys = zip(*_corners(commands), strict=True)
    meets: bool = min(xs) <= extent and max(xs) >= 0 and min(ys) <= extent and max(ys) >= 0
    return meets


def _corners(commands: list[int]) -> Iterator[tuple[int, int]]:
    at = x = y = 0
    while at < len(commands):
        command, count = commands[at] & 7, commands[at] >> 3
        at += 1
        if command not in (MOVE, LINE):
            continue
        for _ in range(count):
            x, y = x + _signed(commands[at]), y + _signed(commands[at + 1])
            at += 2
            yield x, y


def _signed(zigzag: int) -> int:
    return (zigzag >> 1) ^ -(zigzag & 1)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value, as far as vector tiles have such."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        size, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
        yield tag >> 3, data[at : at + size]
        at += size


def _numbers(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        number, at = _varint(data, at)
        yield number


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TypeError("a vector tile has a message where a number was found")
    return value
