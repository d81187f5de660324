"""Writes the figures of a whole bench run to docs/bench.md; nobody writes them by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from bench.measure import Result

PAGE = Path(__file__).resolve().parent.parent / "docs" / "bench.md"
HEAD = """# Figures

Written by `./run bench`; a ratio says how many times faster ours is than the peer on the same work,
alternating in one run. Seconds are of one machine and compare with nothing but their own row.

Machine: {cores} cores, {system}, Python {python}.

| Row | Peer | Ours, s | Peer, s | Ratio | Spread | Target | Met |
|---|---|---|---|---|---|---|---|
"""


def write_report(results: Iterable[Result]) -> None:
    """Replaces docs/bench.md with the rows of this run."""
    head = HEAD.format(
        cores=os.cpu_count(), system=f"{platform.system()} {platform.machine()}", python=platform.python_version()
    )
    lines = [
        f"| {r.name} | {r.peer_name} | {_cell(r.ours)} | {_cell(r.peer)} | {_cell(r.ratio)} "
        f"| {_cell(r.spread)} | {r.target:g} | {r.met if isinstance(r.met, str) else 'yes' if r.met else 'no'} |"
        for r in results
    ]
    PAGE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
