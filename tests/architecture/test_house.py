"""The shape of the house: where packages come from, what may import what, and that documents keep up."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "geo", "flights", "sensing", "enforcement", "web", "sample_data")


def sources(*packages: str):
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_top_level_package_comes_from_this_checkout(package) -> None:
    found = Path(import_module(package).__file__).resolve()
    assert found.is_relative_to(ROOT)


def test_the_floors_hold() -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:]


def test_the_process_that_opens_strangers_files_compiles_nothing() -> None:
    # It may write no byte while it looks, so a compiler's cache could not be kept, and each file would pay for it.
    looked = (
        "import sensing.opening, sys; print([name for name in ('numba', 'torch', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", looked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_pages__start_without_what_few_of_them_need() -> None:
    # Each of them is slow to load and large in memory; what trains, exports and converts loads it when it is asked to.
    needless = ("pandas", "pyarrow", "geopandas", "sklearn", "leafmap", "torch", "pygeoapi")
    looked = f"import web.app, sys; print([name for name in {needless} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", looked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_generator_and_detectors_share_no_module_but_geo_and_schemas() -> None:
    shared = ours_imported_by("sample_data") & ours_imported_by("sensing")
    assert all(name.split(".")[0] in {"geo", "schemas"} for name in shared), shared
    assert not {n for n in ours_imported_by("sample_data") if n.startswith("sensing")}
    assert not {n for n in ours_imported_by("sensing") if n.startswith("sample_data")}


def ours_imported_by(package: str) -> set[str]:
    names: set[str] = set()
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {n for n in names if n.split(".")[0] in PACKAGES and n.split(".")[0] != package}


def test_nothing_but_the_clock_asks_the_machine_for_the_time() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        if re.search(r"datetime\.(now|utcnow|today)\(|date\.today\(", path.read_text(encoding="utf-8"))
        and path != ROOT / "schemas" / "clock.py"
    ]
    assert wrong == []


def test_no_state_is_written_outside_the_machine_and_the_imports() -> None:
    """Only the machine assigns `.state`; the sample loader inserts rows, it never changes one."""
    writes = re.compile(r"^\s*\w+(\.\w+)*\.state\s*=[^=]", re.MULTILINE)
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        if writes.search(path.read_text(encoding="utf-8")) and path != ROOT / "schemas" / "machine.py"
    ]
    assert wrong == []


def test_every_setting_is_documented() -> None:
    from web.settings import Settings

    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"SKYWARDEN_{name.upper()}" not in page]
    assert missing == []


def test_every_command_is_documented() -> None:
    from web.cli.main import COMMANDS

    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"skywarden {name}" not in page] == []


def test_every_file_named_in_the_documents_exists() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "SECURITY.md"]
    named = re.compile(r"`((?:schemas|geo|flights|sensing|web|sample_data|bench|tests|docs|scripts)/[\w./-]+)`")
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages
        for name in named.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]


def test_every_package_is_listed_explicitly() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    inits = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in inits}
    assert there <= listed
