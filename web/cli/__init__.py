"""The command line: `skywarden`, one group of commands for each subject."""

from __future__ import annotations

from web.cli.main import main, skywarden

__all__ = ["main", "skywarden"]
