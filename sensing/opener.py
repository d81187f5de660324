"""Touches the disk: the child process in which untrusted images are opened, and nothing else ever opens them.

Reads one job from standard input, locks itself in (no network, little memory, little time), answers with
JSON lines on standard output. `sensing/quarantine.py` is the parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def main() -> None:
    """Run one job; every failure becomes a line that names its rule."""
    job = json.load(sys.stdin)
    isolation = _leave_the_network()
    _limit_resources(job["limits"])
    # Only now, inside the walls, is the code loaded that parses what strangers sent.
    from sensing import opening

    try:
        for line in opening.TASKS[job["task"]](job, isolation):
            _say(line)
    except MemoryError:
        _say({"failed": "raster.cost"})
    except opening.Unreadable as error:
        _say({"failed": "raster.corrupt", "file": error.file})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _leave_the_network() -> str:
    """Move into a network namespace of our own, in which there is not even a loopback address."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    return "network namespace" if libc.unshare(flags) == 0 else "drivers only"


def _limit_resources(limits: dict[str, int]) -> None:
    for name, kind in (
        ("memory_bytes", resource.RLIMIT_AS),
        ("cpu_s", resource.RLIMIT_CPU),
        ("open_files", resource.RLIMIT_NOFILE),
        ("written_bytes", resource.RLIMIT_FSIZE),
    ):
        resource.setrlimit(kind, (limits[name], limits[name]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
