"""Zip archives from strangers, in memory: the named entries of one plain zip, or a refusal.

Programs differ in what they read from an archive that holds more than one zip, so every byte must belong to
an entry, the directory or its end, in that order. Nothing is written to disk, sizes that an archive states
are never believed, and no more is unpacked than may be read.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from schemas.limits import limit
from schemas.refusals import RuleViolation, invalid, too_large

MAGIC = b"PK\x03\x04"
_END, _END_MAGIC = struct.Struct("<4s4H2IH"), b"PK\x05\x06"
_CENTRAL, _CENTRAL_MAGIC = struct.Struct("<4s6H3I5H2I"), b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_LONGEST_NAME = 200
_WRITTEN_AT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive, as its directory describes it."""

    name: str
    start: int
    method: int
    packed: int
    size: int
    crc: int


def entries(data: bytes) -> dict[str, Entry]:
    """The files of a zip by name.

    Raises RuleViolation: 422 `archive.framing` for bytes outside one zip, `archive.corrupt`, `archive.name`;
    413 `archive.entries`, `archive.ratio`.
    """
    end_at, count, directory_at = _end(data)
    found: dict[str, Entry] = {}
    offset, expected = directory_at, 0
    for _ in range(count):
        offset, entry, expected = _entry(data, offset, end_at, expected, directory_at)
        if entry.name.casefold() in {name.casefold() for name in found}:
            raise invalid("archive.name", measured=_shown(entry.name))
        found[entry.name] = entry
    if offset != end_at or expected != directory_at:
        raise invalid("archive.framing")
    _refuse_bomb(found)
    return {name: entry for name, entry in found.items() if not name.endswith("/")}


def unpacked(data: bytes, entry: Entry, most: int) -> bytes:
    """The content of one entry, at most `most` bytes."""
    if entry.size > most:
        raise too_large("archive.bytes", measured=entry.size, required=most)
    packed = data[entry.start : entry.start + entry.packed]
    if entry.method == _STORED:
        content = packed
    else:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflate.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise invalid("archive.corrupt") from error
        if not inflate.eof and len(content) <= entry.size:
            raise invalid("archive.corrupt")
        if inflate.unused_data:
            raise invalid("archive.framing")
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise invalid("archive.corrupt")
    return content


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of `files`, the same bytes for the same files."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = ZipInfo(name, _WRITTEN_AT)
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def _end(data: bytes) -> tuple[int, int, int]:
    """Where the end record stands, how many entries there are and where their directory begins."""
    at = data.rfind(_END_MAGIC)
    if at < 0 or len(data) < at + _END.size:
        raise invalid("archive.corrupt")
    _magic, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, at)
    if at + _END.size + comment != len(data) or offset + size != at or not data.startswith((MAGIC, _END_MAGIC)):
        raise invalid("archive.framing")
    if disk or first_disk or here != count:
        raise invalid("archive.corrupt")
    if count > limit("archive.entries"):
        raise too_large("archive.entries", measured=count, required=limit("archive.entries"))
    return at, count, offset


def _entry(data: bytes, offset: int, end_at: int, expected: int, directory_at: int) -> tuple[int, Entry, int]:
    """One entry of the directory: where the next begins, the entry, and where its local bytes end."""
    if offset + _CENTRAL.size > end_at or data[offset : offset + 4] != _CENTRAL_MAGIC:
        raise invalid("archive.corrupt")
    (_m, made, _need, flags, method, _t, _d, crc, packed_size, size, name_len, extra, comment, _disk, _int, ext, at) = (
        _CENTRAL.unpack_from(data, offset)
    )
    raw_name = data[offset + _CENTRAL.size : offset + _CENTRAL.size + name_len]
    name = _name(raw_name, flags, ext >> 16 if made >> 8 == 3 else 0)
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        raise invalid("archive.corrupt")
    if at != expected:
        raise invalid("archive.framing")
    sizes = (0, 0, 0) if flags & _DESCRIPTOR else (crc, packed_size, size)
    start = _content_start(data, at, raw_name, (flags & _DESCRIPTOR, method, *sizes), directory_at)
    finish = start + packed_size
    if flags & _DESCRIPTOR:
        finish = _after_descriptor(data, finish, (crc, packed_size, size))
    if finish > directory_at:
        raise invalid("archive.corrupt")
    following = offset + _CENTRAL.size + name_len + extra + comment
    return following, Entry(name, start, method, packed_size, size, crc), finish


def _content_start(data: bytes, at: int, raw_name: bytes, said: tuple[int, ...], directory_at: int) -> int:
    """Where the content of an entry begins, behind a local header that says what the directory says."""
    if at + _LOCAL.size > directory_at or data[at : at + 4] != MAGIC:
        raise invalid("archive.corrupt")
    header: tuple[int, ...] = _LOCAL.unpack_from(data, at)
    flags, method, crc, packed_size, size, name_len, extra = (*header[2:4], *header[6:])
    # Some writers in one pass state the sizes before and behind the content.
    sizes = (0, 0, 0) if flags & _DESCRIPTOR else (crc, packed_size, size)
    name_at = at + _LOCAL.size
    if data[name_at : name_at + name_len] != raw_name or (flags & _DESCRIPTOR, method, *sizes) != said:
        raise invalid("archive.framing")
    return name_at + name_len + extra


def _after_descriptor(data: bytes, at: int, said: tuple[int, int, int]) -> int:
    """Where the sizes end that a writer in one pass puts behind an entry, with or without their own mark."""
    sizes = struct.pack("<3I", *said)
    for mark in (_DESCRIPTOR_MAGIC, b""):
        if data.startswith(mark + sizes, at):
            return at + len(mark) + len(sizes)
    raise invalid("archive.corrupt")


def _name(raw: bytes, flags: int, mode: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise invalid("archive.name", measured=_shown(repr(raw))) from error
    parts = name.rstrip("/").split("/")
    odd = any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name)
    if odd or "\\" in name or ":" in name or not 0 < len(name) <= _LONGEST_NAME or not all(parts):
        raise _bad_name(name)
    if any(part in (".", "..") for part in parts) or stat.S_ISLNK(mode):
        raise _bad_name(name)
    return name


def _bad_name(name: str) -> RuleViolation:
    return invalid("archive.name", measured=_shown(name))


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:60])


def _refuse_bomb(found: dict[str, Entry]) -> None:
    for entry in _by_ratio(found):
        ratio = entry.size // max(1, entry.packed)
        if ratio > limit("archive.ratio"):
            raise too_large("archive.ratio", measured=ratio, required=limit("archive.ratio"))


def _by_ratio(found: dict[str, Entry]) -> Iterator[Entry]:
    # What is tiny when unpacked is no bomb, however well it was packed.
    return (entry for entry in found.values() if entry.size > limit("archive.small"))
