"""Files of whole layers: made once for all readers whenever something public changed, and kept beside the other data.

The GeoJSON is streamed from the database, the other formats are made from it, so all formats of a moment hold the same
records. One reader makes a file; whoever comes meanwhile is given the one before it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from schemas.refusals import Kind, RuleViolation, refuse
from web.opendata import stamps
from web.opendata.features import write_features
from web.opendata.layers import OpenLayer
from web.settings import ROOT
from web.wiring import Services

log = structlog.get_logger(__name__)

FORMATS = ("geojson", "csv", "gpkg", "parquet")
FOLDER = "public"
# Another way of writing files gives them other names: what was kept is then handed out no more.
_EDITION = "as published"
KEPT = 2
# A first reader waits so long for a file that another one makes.
PATIENCE_S = 20.0
RETRY_AFTER_S = 5
# Making files takes at most a twentieth of the time, however often something changes.
MOST_OF_THE_TIME = 20
ABANDONED_S = 3_600
_making: dict[Path, Lock] = {}
_took_s: dict[Path, float] = {}


def current(services: Services, layer: OpenLayer, kind: str, notice: dict[str, str] | None) -> Path:
    """The file of the layer in one of FORMATS as things are now; made when there is none yet.

    While another reader makes it, the file before it; raises RuleViolation 503 where there is none, or no disk.
    """
    folder = services.data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = folder / f"{layer.name}-{_stamp(services, layer, notice)}.{kind}"
    if wanted.exists():
        return wanted
    before = _newest(folder, layer, kind)
    if before is not None and time.time() - before.stat().st_mtime < MOST_OF_THE_TIME * _took_s.get(before, 0.0):
        return before
    with _alone(wanted, 0.0 if before else PATIENCE_S) as is_mine:
        if is_mine and not wanted.exists():
            _make(services, layer, wanted, notice)
    if wanted.exists():
        return wanted
    if before is None:
        raise _pause()
    return before


def _pause() -> RuleViolation:
    return RuleViolation(Kind.UNAVAILABLE, [refuse("service.pause", "web.service_pause", retry_after_s=RETRY_AFTER_S)])


def _stamp(services: Services, layer: OpenLayer, notice: dict[str, str] | None) -> str:
    with services.public() as public:
        return stamps.current(public).tag(_EDITION, layer, notice)


def _newest(folder: Path, layer: OpenLayer, kind: str) -> Path | None:
    return next(iter(_latest_first(folder.glob(f"{layer.name}-*.{kind}"))), None)


def _latest_first(paths: Iterator[Path]) -> list[Path]:
    dated = []
    for path in paths:
        # Another process may clear away what is too old.
        with suppress(FileNotFoundError):
            dated.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(dated, reverse=True)]


@contextmanager
def _alone(wanted: Path, patience_s: float) -> Iterator[bool]:
    """Whether this reader is the one who makes the file, of all threads and processes, after waiting so long for it."""
    until = time.monotonic() + patience_s
    mine = _making.setdefault(wanted, Lock())
    if not mine.acquire(timeout=patience_s):
        yield False
        return
    try:
        with wanted.with_suffix(f"{wanted.suffix}.lock").open("w") as handle:
            yield _locked(handle.fileno(), until)
    finally:
        mine.release()


def _locked(handle: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        else:
            return True


def _make(services: Services, layer: OpenLayer, wanted: Path, notice: dict[str, str] | None) -> None:
    began = time.monotonic()
    if wanted.suffix == ".geojson":
        _written(wanted, partial(_stream, services, layer, notice))
    else:
        source = wanted.with_suffix(".geojson")
        if not source.exists():
            with _alone(source, PATIENCE_S) as is_mine:
                if is_mine and not source.exists():
                    _make(services, layer, source, notice)
        _written(wanted, partial(_convert, layer, source))
    _took_s[wanted] = time.monotonic() - began
    _clear_away(wanted.parent, layer, wanted.suffix)


def _written(wanted: Path, write: Callable[[Path], None]) -> None:
    """Has the file written under another name, and gives it its own when it is whole."""
    # The formats go by the suffix.
    partly = wanted.with_name(f"part-{os.getpid()}-{wanted.name}")
    try:
        write(partly)
        partly.replace(wanted)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            log.error("disk_full", path=str(wanted))
            raise _pause() from error
        raise
    finally:
        partly.unlink(missing_ok=True)


def _stream(services: Services, layer: OpenLayer, notice: dict[str, str] | None, target: Path) -> None:
    with services.public() as public, target.open("wb") as file:
        driver = public.connection.driver_connection
        assert driver is not None
        write_features(driver, layer, file, notice)


def _convert(layer: OpenLayer, source: Path, target: Path) -> None:
    command = [sys.executable, "-m", "web.opendata.convert", target.suffix[1:], layer.name, str(source), str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        log.error("file_not_made", layer=layer.name, kind=target.suffix, said=done.stderr[-2000:])
        raise _pause()


def _clear_away(folder: Path, layer: OpenLayer, suffix: str) -> None:
    for old in _latest_first(folder.glob(f"{layer.name}-*{suffix}"))[KEPT:]:
        old.unlink(missing_ok=True)
        old.with_suffix(f"{suffix}.lock").unlink(missing_ok=True)
        _making.pop(old, None)
        _took_s.pop(old, None)
    for left in folder.glob("part-*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                left.unlink()
