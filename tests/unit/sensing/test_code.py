"""The hash of the code that looks at pixels: nothing that decides what is found is left out of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sensing.segment import code

SENSING = Path(code.__file__).parent.parent
# What detectors import and what changes nothing of a find: how files are opened and placed, kept, and put in words.
BESIDE = {
    *("georeference.py", "header.py", "originals.py", "positions.py", "relief.py", "rpc.py", "scratch.py", "words.py")
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sensing"):
            yield from (node.module or "", *(f"{node.module}.{name.name}" for name in node.names))


def reached() -> set[Path]:
    found = set((SENSING / "segment").glob("*.py"))
    left = list(found)
    while left:
        for module in imported(left.pop()):
            path = SENSING.parent / f"{module.replace('.', '/')}.py"
            if path.is_file() and path not in found:
                found.add(path)
                left.append(path)
    return found


def test_code__every_module_that_detectors_reach__is_hashed_or_decides_nothing():
    beside_engines = {str(path.relative_to(SENSING)) for path in reached() if path.parent.name != "segment"}
    assert beside_engines <= {*code.DECIDING} | BESIDE


def test_code__no_module_both_decides_and_does_not():
    assert not {*code.DECIDING} & BESIDE
    assert len(code.code_sha256()) == 64
