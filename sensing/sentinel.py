"""Sentinel-2 products as they are delivered (a `.SAFE` folder or its zip): which files make the scene, what they say.

Touches the disk to list and read; images among the files are opened in quarantine alone.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO

# The types of a tree alone; every byte from outside goes through defusedxml.
from xml.etree.ElementTree import Element, ParseError  # noqa: TID251

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from schemas.limits import limit
from schemas.refusals import invalid, too_large
from sensing.bands import Role

_PRODUCT_XML = re.compile(r"(?:^|/)MTD_MSI(L1C|L2A)\.xml$")
_TILE_XML = re.compile(r"(?:^|/)GRANULE/([^/]+)/MTD_TL\.xml$")
_BAND_FILE = re.compile(r"(?:^|/)GRANULE/([^/]+)/IMG_DATA/(?:R\d\dm/)?[^/]+_(B\d\d|B8A|SCL)(?:_(\d\d)m)?\.jp2$")
_XML_BYTES = 8 << 20
# One band of a tile of 110 km at 10 m. At the rim of an orbit nearly all of it is empty, and packed to nothing.
TILE_BYTES = 2 * 10_980**2
# In the order in which the metadata numbers them.
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
_ROLES = {
    "B02": Role.BLUE,
    "B03": Role.GREEN,
    "B04": Role.RED,
    "B05": Role.RED_EDGE,
    "B08": Role.NIR,
    "B11": Role.SWIR1,
    "B12": Role.SWIR2,
}
# The scene classification of level 2A; level 1C has none.
CLASSES = "SCL"
_COARSE, _UNSTATED_M = 60, 10
# Reflectance is kept in whole ten-thousandths.
_UNIT = 10_000.0


@dataclass(frozen=True)
class Member:
    """One file of a product: its path inside, its size, and how to read it."""

    name: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class BandFile:
    """The image of one band, and how its numbers become ten-thousandths of reflectance: number x scale + offset.

    The numbers of the classification are kept as they are.
    """

    band: str
    member: Member
    scale: float
    offset: float

    @property
    def role(self) -> Role:
        """What the band measures."""
        return Role.CLASSES if self.band == CLASSES else _ROLES.get(self.band, Role.OTHER)


@dataclass(frozen=True)
class Product:
    """A product: its bands in their order, the documents that belong to it, and what they say."""

    name: str
    bands: tuple[BandFile, ...]
    documents: tuple[Member, ...]
    captured_at: datetime | None
    level: str
    baseline: str
    platform: str
    cloud_percent: float | None = None

    @property
    def about(self) -> dict[str, str]:
        """What is kept of its description."""
        bands = ",".join(band.band for band in self.bands)
        told = {"platform": self.platform, "level": self.level, "baseline": self.baseline, "bands": bands}
        return told | ({"cloud_percent": f"{self.cloud_percent:g}"} if self.cloud_percent is not None else {})


def is_product(path: Path) -> bool:
    """Whether a folder or a zip looks like a product, by its name and by what lies in it."""
    if path.is_dir():
        return path.suffix.upper() == ".SAFE" or any(path.glob("MTD_MSIL*.xml"))
    return path.is_file() and path.suffix.lower() == ".zip"


def read_product(path: Path, name: str) -> Product:
    """A product by its files. Raises RuleViolation `archive.*`, `xml.*` or `product.*` with the reason."""
    members = {member.name: member for member in (_folder(path) if path.is_dir() else _archive(path, name))}
    main = [found for member in members if (found := _PRODUCT_XML.search(member))]
    tiles = [found for member in members if (found := _TILE_XML.search(member))]
    if len(main) != 1 or len(tiles) > 1:
        raise invalid("product.kind", "product.kind", name=name, measured=f"{len(main)} MTD_MSI, {len(tiles)} MTD_TL")
    documents = tuple(members[found.string] for found in (*main, *tiles))
    about, *tile = (parsed(member, name) for member in documents)
    bands = tuple(_bands(list(members.values()), about, name))
    return Product(
        name=name,
        bands=bands,
        documents=documents,
        captured_at=_time([*tile, about]),
        level=main[0][1],
        baseline=text_of(about, "PROCESSING_BASELINE") or "",
        platform=text_of(about, "SPACECRAFT_NAME") or "Sentinel-2",
        cloud_percent=percent_of(about, "Cloud_Coverage_Assessment"),
    )


def _folder(path: Path) -> Iterator[Member]:
    inside = list(islice(path.rglob("*"), limit("product.entries") + 1))
    if len(inside) > limit("product.entries"):
        raise too_large("archive.entries", "product.entries", name=path.name, required=limit("product.entries"))
    for found in sorted(inside):
        # A link may lead out of the product: it is no part of it.
        if found.is_file() and not found.is_symlink():
            yield Member(found.relative_to(path).as_posix(), found.stat().st_size, _opener(found))


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _archive(path: Path, name: str) -> Iterator[Member]:
    """The members of a zip. Nothing is unpacked here, and only what the product needs is later."""
    try:
        # Kept open: what is read from it is read by whoever takes the product in.
        archive = zipfile.ZipFile(path)
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise invalid("archive.corrupt", "product.zip", name=name) from error
    if len(entries) > limit("product.entries"):
        raise too_large("archive.entries", "product.entries", name=name, required=limit("product.entries"))
    for entry in entries:
        if entry.is_dir():
            continue
        inner = entry.filename.split("/", 1)[-1] if ".SAFE/" in entry.filename else entry.filename
        parts = Path(entry.filename).parts
        if entry.filename.startswith("/") or "\\" in entry.filename or ".." in parts or _is_link(entry):
            raise invalid("archive.name", "product.member", name=name, measured=_readable(entry.filename))
        ratio = entry.file_size / max(entry.compress_size, 1)
        if ratio > limit("archive.ratio") and entry.file_size > limit("archive.small"):
            raise too_large(
                "archive.ratio", "product.ratio", name=name, measured=round(ratio), required=limit("archive.ratio")
            )
        if entry.flag_bits & 0x1:
            raise invalid("archive.corrupt", "product.zip", name=name)
        yield Member(inner, entry.file_size, _unpacker(archive, entry))


def _unpacker(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(entry)


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _readable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)[:80]


def parsed(member: Member, name: str) -> Element:
    """The tree of a document of a product. Raises RuleViolation `xml.*` or `product.xml` for what is none."""
    if member.size_bytes > _XML_BYTES:
        raise too_large("xml.size", "product.xml", name=name, measured=member.name)
    try:
        with member.open() as reader:
            data = reader.read(_XML_BYTES + 1)
        if len(data) > _XML_BYTES:
            raise too_large("xml.size", "product.xml", name=name, measured=member.name)
        # Every element opens and most close: what holds far more of them costs memory before it says anything.
        if data.count(b"<") > 2 * limit("xml.elements"):
            raise too_large("xml.elements", "product.xml", name=name, measured=member.name)
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, OSError, zipfile.BadZipFile, RecursionError) as error:
        raise invalid("product.xml", "product.xml", name=name, measured=member.name) from error
    return root


def _bands(members: list[Member], about: Element, name: str) -> Iterator[BandFile]:
    """The finest image of each band, the classification last.

    Raises RuleViolation where a visible or the near infrared one is missing.
    """
    finest: dict[str, tuple[int, Member]] = {}
    for member in members:
        found = _BAND_FILE.search(member.name)
        if found and found[2] in (*BANDS, CLASSES):
            resolution_m = int(found[3] or _UNSTATED_M)
            if resolution_m < finest.get(found[2], (_COARSE + 1, member))[0]:
                finest[found[2]] = resolution_m, member
    if missing := [band for band in ("B02", "B03", "B04", "B08") if band not in finest]:
        raise invalid("product.bands", "product.bands", name=name, measured=", ".join(missing))
    unit = _UNIT / _quantification(about, name)
    for number, band in enumerate(BANDS):
        if band in finest:
            yield BandFile(band, finest[band][1], unit, _offset(about, number) * unit)
    if CLASSES in finest:
        yield BandFile(CLASSES, finest[CLASSES][1], 1.0, 0.0)


def _quantification(about: Element, name: str) -> float:
    """The number that means a reflectance of one."""
    for tag in ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE"):
        told = _number(text_of(about, tag))
        if told is not None and 1 <= told <= 1e6:
            return told
    raise invalid("product.xml", "product.xml", name=name, measured="QUANTIFICATION_VALUE")


def _offset(about: Element, band_id: int) -> float:
    """What is added to the numbers of a band; products of baselines before 04.00 state none."""
    for one in about.iter():
        if _tag(one) in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET") and one.get("band_id") == str(band_id):
            return _number(one.text) or 0.0
    return 0.0


def _time(documents: list[Element]) -> datetime | None:
    """When the tile was sensed, else when the product began; UTC."""
    for document in documents:
        for tag in ("SENSING_TIME", "PRODUCT_START_TIME"):
            try:
                told = datetime.fromisoformat(text_of(document, tag) or "")
            except ValueError:
                continue
            return told if told.tzinfo else told.replace(tzinfo=UTC)
    return None


def text_of(document: Element, tag: str) -> str | None:
    """The text of the first element of a name, whatever its namespace; at most eighty characters."""
    found = next((one for one in document.iter() if _tag(one) == tag), None)
    return found.text.strip()[:80] if found is not None and found.text else None


def percent_of(document: Element, tag: str) -> float | None:
    """A share between 0 and 100 in the first element of a name; None for anything else."""
    found = _number(text_of(document, tag))
    return found if found is not None and 0 <= found <= 100 else None


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\s*[+-]?\d{1,9}(?:\.\d{1,20})?\s*", text) else None
