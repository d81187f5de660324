"""A reader of Mapbox vector tiles, as far as tests need one: layers, and the properties of their features."""

from __future__ import annotations

import struct


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _fields(data: bytes):
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        yield number, value


def _value(data: bytes):
    for number, value in _fields(data):
        if number == 1:
            return value.decode()
        if number in (2, 3):
            return struct.unpack("<f" if number == 2 else "<d", value)[0]
        return value
    return None


def _numbers(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


def decode(tile: bytes) -> dict[str, list[dict[str, object]]]:
    """The properties of every feature, by layer."""
    layers = {}
    for _, body in _fields(tile):
        parts = list(_fields(body))
        keys = [value.decode() for number, value in parts if number == 3]
        values = [_value(value) for number, value in parts if number == 4]
        features = []
        for feature in (value for number, value in parts if number == 2):
            tags = next((_numbers(value) for number, value in _fields(feature) if number == 2), [])
            features.append({keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)})
        layers[next(value.decode() for number, value in parts if number == 1)] = features
    return layers
