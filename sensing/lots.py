"""Touches the disk: which of the files and folders that somebody names make one scene each, and which are no images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.refusals import Refusal, RuleViolation, invalid
from sensing.gaofen import is_side_file
from sensing.header import Driver, driver_of
from sensing.quarantine import readable
from sensing.rpc import is_rpc_name
from sensing.sentinel import is_product, read_product

_HEAD = 64
_WIDE_ZIP = ".zip"


@dataclass(frozen=True)
class Lot:
    """The files that make one scene: an image, a product, or photos that become one picture."""

    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """How it is called when it is spoken of."""
        first = readable(self.files[0].name)
        return first if len(self.files) == 1 else f"{first} + {len(self.files) - 1}"


@dataclass(frozen=True)
class Skipped:
    """A file in a named folder that is no image, and why."""

    path: Path
    refusal: Refusal


def sort_out(named: Sequence[Path]) -> tuple[list[Lot], list[Skipped]]:
    """What makes one scene each of what was named, in its order, and what of the folders is skipped.

    A file that was named by itself is never skipped: it is refused when it is taken in. Photos that were named
    together, or lie in one folder, make one picture; a sensor model belongs to the image beside it.
    """
    lots, skipped, photos = list[Lot](), list[Skipped](), list[Path]()
    for path in named:
        if path.is_dir() and not is_product(path):
            found, passed = _folder(path)
            lots += found
            skipped += passed
        elif _belongs_to_another(path):
            continue
        elif not path.is_dir() and _driver(path) == "JPEG":
            photos.append(path)
        else:
            lots.append(Lot((path,)))
    return ([Lot(tuple(photos))] if photos else []) + lots, skipped


def _folder(root: Path) -> tuple[list[Lot], list[Skipped]]:
    lots, skipped, photos = list[Lot](), list[Skipped](), list[Path]()
    for path in _sorted(root):
        if path.is_dir() and is_product(path):
            lots.append(Lot((path,)))
        elif path.is_dir():
            found, passed = _folder(path)
            lots += found
            skipped += passed
        elif _belongs_to_another(path):
            continue
        elif refusal := _why_not(path):
            skipped.append(Skipped(path, refusal))
        elif _driver(path) == "JPEG":
            photos.append(path)
        else:
            lots.append(Lot((path,)))
    return ([Lot(tuple(photos))] if photos else []) + lots, skipped


def _sorted(root: Path) -> Iterator[Path]:
    """What lies in a folder, links to other folders left out: they may lead back to it."""
    yield from sorted(path for path in root.iterdir() if not (path.is_symlink() and path.is_dir()))


def _why_not(path: Path) -> Refusal | None:
    """Why a file is no image; None where it is one, by its first bytes."""
    name = readable(path.name)
    try:
        if path.suffix.lower() == _WIDE_ZIP:
            read_product(path, name)
        else:
            driver_of(_head(path), name)
    except RuleViolation as refused:
        return refused.refusals[0]
    return None


def _driver(path: Path) -> Driver | None:
    try:
        return driver_of(_head(path), path.name)
    except RuleViolation:
        return None


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise invalid("file.reference", "file.reference", name=readable(path.name))
    try:
        with path.open("rb") as reader:
            return reader.read(_HEAD)
    except OSError as error:
        raise invalid("file.reference", "file.unreadable", name=readable(path.name)) from error


def _belongs_to_another(path: Path) -> bool:
    """Whether a file is the sensor model, the metadata or the quick look of an image beside it."""
    if path.suffix.lower() not in (".rpb", ".txt", ".xml", ".jpg") or not path.is_file():
        return False
    images = (other for other in path.parent.iterdir() if other.suffix.lower() in (".tif", ".tiff"))
    return any(is_rpc_name(path.name, image.stem) or is_side_file(path.name, image.stem) for image in images)
