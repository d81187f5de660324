"""Who runs what in these tests."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess, run

ROOT = Path(__file__).resolve().parents[2]
CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Account:
    """Someone who is not root: `nobody` where the tests run as root, otherwise whoever runs them."""

    entry: pwd.struct_passwd
    python: str

    def run(self, *command: str, cwd: Path, path: str = CLEAN_PATH) -> CompletedProcess[str]:
        switch = os.geteuid() == 0
        return run(
            command,
            cwd=cwd,
            env={"PATH": path, "LANG": "C.UTF-8"},
            user=self.entry.pw_uid if switch else None,
            group=self.entry.pw_gid if switch else None,
            extra_groups=[] if switch else None,
            capture_output=True,
            text=True,
            check=False,
        )
