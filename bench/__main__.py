"""`./run bench [NAME] [--json]`: runs the rows and prints them; exit 0 all met, 1 missed, 2 not measured.

The figures go into docs/bench.md: a run without a name makes the page anew, another changes its own rows alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from bench.measure import FEWEST_ROUNDS, ROUNDS, Result
from bench.report import write_report

ROWS = {
    "conformance": "bench.conformance",
    "zones": "bench.zones",
    "tiles": "bench.tiles",
    "first_view": "bench.first_view",
    "downloads": "bench.downloads",
    "segmentation": "bench.segmentation",
    "vectorize": "bench.vectorize",
    "geoai": "bench.geoai",
    "sam": "bench.sam",
    "ledger": "bench.ledger",
    "gateway": "bench.gateway",
    "devices": "bench.registry",
    "things": "bench.things",
    "coverage": "bench.coverage",
}
GROUPS = {
    "flights": ("gateway", "zones", "conformance", "ledger"),
    "registry": ("devices", "things"),
    "tiles": ("tiles", "downloads", "first_view"),
    "sensing": ("segmentation", "vectorize", "geoai", "sam"),
}


def main() -> int:
    """Runs the wanted rows and tells the worst outcome by the exit status."""
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(ROWS | GROUPS), help="some of the rows; all without it")
    parser.add_argument("--json", action="store_true", help="one JSON line for each row")
    # Fewer rounds than the rule asks for are good enough to see that a row runs, and for no figure.
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("a spread needs two rounds")
    results: list[Result] = []
    wanted = _wanted(options.name)
    for number, name in enumerate(wanted, 1):
        rows: Callable[[int], list[Result]] = import_module(ROWS[name]).rows
        for result in rows(options.rounds):
            results.append(result)
            print(json.dumps(result.as_dict()) if options.json else _line(result), flush=True)
        # Whoever stops a group keeps what was measured; a whole run makes the page anew, at its end.
        if options.rounds >= FEWEST_ROUNDS and (options.name or number == len(wanted)):
            write_report(results, is_whole=options.name is None)
    if any(r.met == "not measured" for r in results):
        return 2
    return 0 if all(r.met is True for r in results) else 1


def _wanted(name: str | None) -> Sequence[str]:
    """The rows behind a name: those of a group, that one, or all."""
    if name is None:
        return sorted(ROWS)
    return GROUPS.get(name, (name,))


def _line(result: Result) -> str:
    if result.ratio is None:
        return f"{result.name:<44} not measured: {result.note}"
    verdict = result.met if isinstance(result.met, str) else "met" if result.met else "missed"
    return (
        f"{result.name:<44} {result.ratio:>7.2f} x {result.peer_name} "
        f"(spread {result.spread:.0%}, target {result.target:g} x): {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
