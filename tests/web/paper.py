"""The text of a PDF, read by the maps from glyphs to letters that its fonts carry."""

from __future__ import annotations

import re
import zlib

# The content ends where the one newline before its end begins: a carriage return there is part of the content.
_OBJECT = re.compile(rb"(\d+) 0 obj\s*(<<.*?>>)\s*(?:stream\r?\n(.*?)\nendstream)?", re.S)
_SHOWN = re.compile(rb"/(\S+) [\d.]+ Tf|((?:<[0-9a-f]+>[-\d.\s]*)+)\]? ?T[jJ]")


def text_of(pdf: bytes) -> str:
    """All letters of a document, in the order in which they are set; `?` for a glyph without a letter."""
    parts = _parts(pdf)
    letters = {number: _letters(parts, head) for number, (head, _) in parts.items() if b"/ToUnicode" in head}
    named = (pair for head, _ in parts.values() for pair in re.findall(rb"/(\S+) (\d+) 0 R", head))
    fonts = {name: letters[ref] for name, ref in named if ref in letters}
    return "".join(_said(body, fonts) for _, body in parts.values() if b"BT" in body)


def _parts(pdf: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """The head and the content of every object, those inside of other objects included."""
    parts = {}
    for number, head, body in _OBJECT.findall(pdf):
        parts[number] = (head, zlib.decompress(body) if body and b"FlateDecode" in head else body)
    for head, body in list(parts.values()):
        if b"/ObjStm" in head:
            first = int(re.findall(rb"/First (\d+)", head)[0])
            places = body[:first].split()
            starts = [*map(int, places[1::2]), len(body)]
            for number, start, end in zip(places[::2], starts, starts[1:], strict=False):
                parts[number] = (body[first + start : first + end], b"")
    return parts


def _letters(parts: dict[bytes, tuple[bytes, bytes]], head: bytes) -> dict[bytes, str]:
    told = parts[re.findall(rb"/ToUnicode (\d+) 0 R", head)[0]][1]
    pairs = re.findall(rb"<([0-9a-f]{4})> <([0-9a-f]+)>", told)
    return {code: bytes.fromhex(to.decode()).decode("utf-16-be") for code, to in pairs}


def _said(body: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    said, told = [], {}
    for font, glyphs in _SHOWN.findall(body):
        if font:
            told = fonts.get(font, {})
        codes = re.findall(rb"[0-9a-f]{4}", b"".join(re.findall(rb"<([0-9a-f]+)>", glyphs)))
        said += [told.get(code, "?") for code in codes]
    return "".join(said)
