"""Writes the figures of a bench run to docs/bench.md; nobody writes them by hand."""

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

| Row | Peer | Ours, s | Peer, s | Ratio | Spread | Target | Met | Machine |
|---|---|---|---|---|---|---|---|---|
"""
_COLUMNS = HEAD.splitlines()[-2]
Key = tuple[str, str]


def write_report(results: Iterable[Result], *, is_whole: bool) -> None:
    """Puts the rows of this run into docs/bench.md: a whole run makes it anew, another keeps the rows of the rest."""
    rows = {} if is_whole else _written()
    rows |= {(result.name, result.peer_name): _line(result) for result in results}
    PAGE.write_text(HEAD + "\n".join(rows.values()) + "\n", encoding="utf-8")


def _written() -> dict[Key, str]:
    """The rows that stand in the page, by what they measure; none where it has other columns or is not there."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    if _COLUMNS not in lines:
        return {}
    rows = lines[lines.index(_COLUMNS) + 2 :]
    return {_key(row): row for row in rows if row.startswith("| ")}


def _key(row: str) -> Key:
    name, peer = row.removeprefix("| ").split(" | ")[:2]
    return name, peer


def _line(result: Result) -> str:
    met = result.met if isinstance(result.met, str) else "yes" if result.met else "no"
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    unit = "" if result.unit == "s" else f" {result.unit}"
    figures = (*(_cell(one, unit) for one in (result.ours, result.peer)), _cell(result.ratio), _cell(result.spread))
    cells = (result.name, result.peer_name, *figures, f"{result.target:g}", met, machine)
    return f"| {' | '.join(cells)} |"


def _cell(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:.3g}{unit}"
