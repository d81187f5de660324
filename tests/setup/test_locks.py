"""The lock files: whole, hashed, and without the address of any registry; and what torch would bring."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.accounts import ROOT

PYTHON_LOCKS = ("base", "dev", "sam")


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def locked(name: str) -> dict[str, str]:
    """Package name -> its lines in a lock."""
    blocks = re.split(r"^(?=[a-z0-9])", lock_text(name), flags=re.MULTILINE)
    return {re.split(r"[=\[ ]", block, maxsplit=1)[0]: block for block in blocks if block.strip()}


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_python_lock__names_no_host_and_no_path(name: str) -> None:
    assert not re.search(r"://|--index|--extra-index|--find-links|@ |^/", lock_text(name), flags=re.MULTILINE)


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_python_lock__every_package__pinned_and_hashed(name: str) -> None:
    packages = locked(name)
    assert packages
    for package, block in packages.items():
        assert re.match(rf"{re.escape(package)}==\S+", block), package
        assert "--hash=sha256:" in block, package


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_python_lock__holds_all_that_is_declared(name: str) -> None:
    declared = (ROOT / "requirements" / f"{name}.in").read_text()
    for line in declared.splitlines():
        if line and not line.startswith(("#", "-r")):
            assert re.split(r"[\[>=]", line)[0] in locked(name), line


def test_python_locks__agree_with_each_other() -> None:
    development = locked("dev")
    for name in ("base", "sam"):
        for package, block in locked(name).items():
            if package in development:
                assert block.split(" \\")[0] == development[package].split(" \\")[0]


def test_npm_lock__names_no_registry__every_package_hashed() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert "resolved" not in package, path
        assert package["integrity"].startswith("sha512-"), path


def plan(directory: Path, *names: str) -> Path:
    """A report like pip's, of packages that weigh 1.5 GB each."""
    install = []
    for name in names:
        file = directory / f"{name}.whl"
        with file.open("wb") as sparse:
            sparse.truncate(1_500_000_000)
        install.append({"metadata": {"name": name}, "download_info": {"url": file.as_uri()}})
    report = directory / "plan.json"
    report.write_text(json.dumps({"install": install}))
    return report


def judge(report: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/torch_plan.py"), str(report)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_torch_plan__processor_build__taken_silently(tmp_path: Path) -> None:
    done = judge(plan(tmp_path, "torch", "sympy"))
    assert (done.returncode, done.stdout) == (0, "")


def test_torch_plan__gpu_packages__refused_with_the_size(tmp_path: Path) -> None:
    done = judge(plan(tmp_path, "torch", "nvidia-cublas", "triton"))
    assert done.returncode == 1
    assert done.stdout == "torch would bring 2 GPU packages (nvidia-cublas ... triton), 4.5 GB in all\n"


def test_torch_plan__size_unknown__says_at_least(tmp_path: Path) -> None:
    report = plan(tmp_path, "torch", "nvidia-cublas")
    (tmp_path / "torch.whl").unlink()
    assert judge(report).stdout.endswith("more than 1.5 GB in all\n")
