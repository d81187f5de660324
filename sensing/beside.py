"""Touches the disk: what lies beside an image under its name, to be read with it or to be refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from schemas.refusals import unsupported
from sensing.quarantine import readable
from sensing.rpc import is_rpc_name

_MASK, _AUXILIARY = ".msk", ".aux.xml"
_MOST_BYTES = 4 << 20
# What an auxiliary file may say that changes pixels or their place; statistics and histograms change neither.
_TELLING = re.compile(rb"<(NoDataValue|GeoTransform|SRS|GCPList|MaskBand|VRTDataset|VRTRasterBand)\b")


def model_beside(file: Path) -> Path | None:
    """The sensor model that lies beside an image, under its name."""
    return next((one for one in _near(file) if is_rpc_name(one.name, file.stem)), None)


def metadata_beside(file: Path) -> Path | None:
    """The metadata that lie beside an image, under its name."""
    return next((one for one in _near(file) if one.name.lower() == f"{file.stem.lower()}.xml"), None)


def refuse_side_files(file: Path) -> None:
    """Raise RuleViolation `raster.sidecar` (415) where a file beside an image says which of its pixels count, or where.

    Such a file is opened by no reader here: without it, pixels would count that their owner has masked.
    """
    for one in _near(file):
        ending = one.name[len(file.name) :].lower() if one.name.startswith(file.name) else ""
        if ending == _MASK or (ending == _AUXILIARY and _is_telling(one)):
            raise unsupported("raster.sidecar", "raster.sidecar", name=readable(file.name), measured=readable(one.name))


def _near(file: Path) -> Iterator[Path]:
    """The files in the folder of an image."""
    try:
        yield from sorted(one for one in file.parent.iterdir() if one != file and one.is_file())
    except OSError:
        return


def _is_telling(file: Path) -> bool:
    try:
        with file.open("rb") as reader:
            text = reader.read(_MOST_BYTES + 1)
    except OSError:
        return True
    return len(text) > _MOST_BYTES or _TELLING.search(text) is not None
