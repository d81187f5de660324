"""How far a command has come, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from sensing.quarantine import Progress


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A bar on standard error, unless nobody is looking."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=1000, file=sys.stderr) as bar:
        yield lambda share: bar.update(int(share * 1000) - bar.pos)
