"""How the demo talks: a line for each step while it runs, and one table of what happened at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

Say = Callable[[str], None]
STEPS = 6


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, how it ended, and the number that shows it."""

    what: str
    outcome: str
    number: str = ""


@dataclass
class Story:
    """What the demo did so far, kept on disk so that a second start can tell it again."""

    say: Say
    rows: list[Row] = field(default_factory=list)
    step_no: int = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announces a step and says how long it took."""
        self.step_no += 1
        self.say(f"[{self.step_no}/{STEPS}] {title}")
        started = time.monotonic()
        yield
        self.say(f"      done in {time.monotonic() - started:.0f} s")

    def tell(self, what: str, outcome: str, number: str = "") -> None:
        """Adds a row to the table."""
        self.rows.append(Row(what, outcome, number))

    def table(self) -> str:
        """The table as text."""
        wide = [max(len(getattr(r, name)) for r in self.rows) for name in ("what", "outcome")]
        lines = [f"  {r.what:<{wide[0]}}  {r.outcome:<{wide[1]}}  {r.number}".rstrip() for r in self.rows]
        return "\n".join(lines)

    def keep(self, path: Path, of: str) -> None:
        """Writes the rows for a later start; `of` names the database in which all this happened."""
        kept = {"of": of, "rows": [asdict(row) for row in self.rows]}
        path.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

    def recall(self, path: Path, of: str) -> bool:
        """Reads the rows of an earlier start; False where there was none, or none in the database `of`."""
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            rows = [Row(**row) for row in kept["rows"]] if kept["of"] == of else []
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            # A start that was cut off while it wrote, or one of an older version: it is told anew.
            return False
        self.rows = rows
        return bool(rows)
