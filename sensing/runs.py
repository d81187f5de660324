"""Touches the disk: where a run works, so that it can be taken up again, and where its rasters stay."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio import shutil as copying

from schemas.refusals import conflict
from sensing.grid import BLOCK
from sensing.originals import ContentStore
from sensing.scratch import sweep

_LOCK, _SOURCES = "lock", "sources"
# Whoever means to go on with a run does so within a month; a file of a band is younger than its run.
_KEPT_S = 30 * 86_400.0


def rasters(root: Path) -> ContentStore:
    """Label and coverage rasters of the runs of an installation."""
    return ContentStore(root / "runs")


@contextmanager
def workplace(root: Path, key: str, sources: Collection[str] = ()) -> Iterator[Path]:
    """The directory (mode 0700) of the run with a key, with whatever an earlier attempt left in it.

    `sources` are the hashes of the masked copies that it works on.

    Raises RuleViolation `segment.busy` while another process works there.
    """
    folder = _folder(root, key)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            # The kernel lets go of it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise conflict("segment.busy", "segment.busy") from taken
        folder.touch()
        (folder / _SOURCES).write_text("\n".join(sources), encoding="ascii")
        sweep(folder.parent, "", folder, stale_s=_KEPT_S)
        yield folder


def clear(root: Path, key: str) -> None:
    """Remove what a run that is written down worked with."""
    shutil.rmtree(_folder(root, key), ignore_errors=True)


def clear_made_from(root: Path, sources: Collection[str]) -> int:
    """Remove what unfinished runs made from masked copies that are no more; how many went. Nobody is disturbed."""
    gone = 0
    for folder in _running(root).glob("*"):
        try:
            with (folder / _LOCK).open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if set((folder / _SOURCES).read_text(encoding="ascii").split()) & set(sources):
                    shutil.rmtree(folder)
                    gone += 1
        except (BlockingIOError, FileNotFoundError):
            continue
    return gone


def _running(root: Path) -> Path:
    return root / "running"


def _folder(root: Path, key: str) -> Path:
    return _running(root) / key[:32]


def cog(source: Path, target: Path) -> Path:
    """A raster of codes as a cloud-optimised GeoTIFF, its overviews showing the commonest code."""
    options = {"compress": "deflate", "blocksize": BLOCK, "overview_resampling": "mode", "bigtiff": "if_safer"}
    copying.copy(source, target, driver="COG", **options)
    return target
