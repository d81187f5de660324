"""Places outside pytest's own private directories, and an unprivileged account to work in them."""

import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.setup.accounts import CLEAN_PATH, Account


@pytest.fixture
def account() -> Account:
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()), sys.executable)
    # An interpreter below root's home is out of another account's reach; the system's own is not.
    python = shutil.which("python3", path=CLEAN_PATH)
    if python is None:
        pytest.skip("no python3 that an unprivileged account could run")
    return Account(pwd.getpwnam("nobody"), python)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A new directory that everyone can enter."""
    directory = Path(tempfile.mkdtemp(prefix="skywarden-test-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def home_of_account(open_dir: Path, account: Account) -> Path:
    """A private directory of the unprivileged account."""
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(home, account.entry.pw_uid, account.entry.pw_gid)
    return home
