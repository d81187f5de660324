"""What a vehicle says in words: a STATUSTEXT has fifty letters, and what is longer comes in several."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Any


def add_text(texts: MutableSequence[str], message: Any) -> None:  # noqa: ANN401
    """Adds a STATUSTEXT to what was said before: as a text of its own, or as the rest of the last one."""
    if message.id and message.chunk_seq and texts:
        texts[-1] += message.text
    else:
        texts.append(message.text)
