"""The private PostgreSQL cluster of one checkout; touches the disk and runs PostgreSQL's own programs.

It listens on a Unix socket alone, in a directory that only its owner can enter, so a local connection needs
no password. PostgreSQL refuses to run as root; for root the cluster lies below /var/lib/skywarden and belongs
to an unprivileged account, because that account could not pass a 0700 directory such as root's home. The
module needs Python's standard library alone: it works before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

ACCOUNT = "skywarden"
SUPERUSER = "postgres"
PORT = 5432

# The kernel allows 107 bytes for a socket's path; PostgreSQL's own ".lock" file beside it takes five.
MAX_SOCKET_PATH_BYTES = 99
LOG_KEPT_BYTES = 8 * 2**20
STOP_TIMEOUT_S = 60
# useradd's status when another process has just created the account.
USERADD_EXISTS = 9
# After a crash the last of the old server's children may need a moment to let go of its shared memory.
START_ATTEMPTS = 5

INSTALL_COMMAND = "apt-get install postgresql postgresql-postgis"
SYSTEM_STATE = Path("/var/lib/skywarden")
INSTALLED = Path("/usr/lib/postgresql")
SHARED = Path("/usr/share/postgresql")

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "jit": "off",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C.UTF-8",
    "client_encoding": "UTF8",
}

# A checkpoint that waits for the disk holds up every database that is dropped, for a minute on a busy one.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class ClusterError(RuntimeError):
    """The private cluster cannot do what was asked; the text says what is missing and what to type."""


@dataclass(frozen=True)
class Cluster:
    """One private PostgreSQL cluster: where it keeps its data, where it listens, whose it is."""

    home: Path
    socket_dir: Path
    account: str | None
    """The unprivileged account that owns the cluster, or None where the caller owns it."""
    durable: bool = True
    """False for a cluster of throw-away databases, which a power cut may ruin."""

    @classmethod
    def for_checkout(cls, root: Path, *, durable: bool = True) -> Cluster:
        """The cluster of the checkout at `root`, for the user who asks; nothing is created yet."""
        checkout = root.resolve()
        digest = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
        if os.geteuid() == 0:
            home = SYSTEM_STATE / digest
            return cls(home, home / "s", ACCOUNT, durable)
        home = checkout / ".local" / "postgres"
        inside = home / "s"
        if len(os.fsencode(_socket_file(inside))) <= MAX_SOCKET_PATH_BYTES:
            return cls(home, inside, None, durable)
        # _check_private refuses a directory that someone else made under this name.
        return cls(home, Path(f"/tmp/skywarden-{os.geteuid()}-{digest}"), None, durable)

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "data"

    @property
    def log_file(self) -> Path:
        """What the server says, oldest first; the file before it ends in `.1`."""
        return self.home / "log"

    @property
    def running(self) -> bool:
        """True if a server answers on the socket, and neither starts, recovers nor ends."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(_socket_file(self.socket_dir)))
                # The socket takes connections long before and after the server serves them; the last line says which.
                return (self.data_dir / "postmaster.pid").read_text().rstrip().endswith("ready")
            except OSError:
                return False

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """SQLAlchemy URL (psycopg 3) of one database of this cluster."""
        query = urlencode({"host": str(self.socket_dir), "port": PORT})
        return f"postgresql+psycopg://{quote(user, safe='')}@/{quote(database, safe='')}?{query}"

    def psql(self, database: str = SUPERUSER, user: str = SUPERUSER) -> list[str]:
        """Command line of a psql session on one database."""
        program = self._programs() / "psql"
        return [str(program), "-h", str(self.socket_dir), "-p", str(PORT), "-U", user, "-d", database]

    def start(self) -> bool:
        """Create the cluster if it is not there, and start it; False if it was running already."""
        if self.running:
            return False
        programs = self._programs()
        self._make_home()
        with self._locked():
            if self.running:
                return False
            if not self.data_dir.exists():
                self._initialise(programs)
            self._forget_dead_server()
            self._keep_log_short()
            self._launch(programs)
        return True

    def stop(self) -> bool:
        """Stop the server and wait until its files are closed; False if none was running."""
        if not self.data_dir.exists():
            return False
        with self._locked():
            if self._server_pid() is None:
                return False
            arguments = ["stop", "-D", str(self.data_dir), "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S)]
            result = self._run(self._programs() / "pg_ctl", *arguments)
        if result.returncode != 0:
            raise ClusterError(f"PostgreSQL did not stop: {_last_line(result.stdout)}; see {self.log_file}")
        return True

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the server running inside the block; the last block that ends stops what one of them started.

        The kernel counts the users by their shared lock, so that one that was killed is not counted.
        """
        self._make_home()
        on_demand = self.home / "on_demand"
        with (self.home / "users").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            if self.start():
                on_demand.touch()
            try:
                yield
            finally:
                with suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if on_demand.exists():
                        on_demand.unlink()
                        self.stop()

    def remove(self) -> None:
        """Stop the server and delete the cluster with all its data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.socket_dir, ignore_errors=True)

    def _programs(self) -> Path:
        """Directory of the server programs that fit this cluster's data, or the newest with PostGIS."""
        try:
            needed = (self.data_dir / "PG_VERSION").read_text().strip()
        except OSError:
            return find_programs()
        try:
            return find_programs(needed)
        except ClusterError as missing:
            raise ClusterError(
                f"{self.data_dir} was made by PostgreSQL {needed}, which is not installed: "
                f"apt-get install postgresql-{needed} postgresql-{needed}-postgis-3"
            ) from missing

    def _owner(self) -> pwd.struct_passwd:
        return pwd.getpwnam(self.account) if self.account else pwd.getpwuid(os.geteuid())

    def _make_home(self) -> None:
        if self.account:
            _ensure_account(self.account)
            SYSTEM_STATE.mkdir(parents=True, exist_ok=True)
            # A strict umask must not keep the account from its clusters.
            SYSTEM_STATE.chmod(stat.S_IMODE(SYSTEM_STATE.stat().st_mode) | 0o711)
        owner = self._owner()
        for directory in (self.home, self.socket_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.account and directory.lstat().st_uid == os.geteuid():
                os.chown(directory, owner.pw_uid, owner.pw_gid)
            _check_private(directory, owner.pw_uid)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process at a time creates, starts or stops the cluster."""
        with (self.home / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initialise(self, programs: Path) -> None:
        """Create the data under another name first, so that half of it is never taken for the whole."""
        unfinished = self.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = [
            f"--username={SUPERUSER}",
            # The directory is the password: whoever can reach the socket is its owner or root.
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]
        result = self._run(programs / "initdb", "-D", str(unfinished), *options)
        if result.returncode != 0:
            raise ClusterError(f"initdb could not create {unfinished}: {_last_line(result.stdout)}")
        unfinished.rename(self.data_dir)

    def _options(self) -> str:
        """The server's settings as pg_ctl hands them to a shell.

        Given at every start, so that root writes no file in a directory that another account owns.
        """
        where = str(self.socket_dir).replace('"', '""')
        settings = {**SETTINGS, **({} if self.durable else HASTY), "unix_socket_directories": f'"{where}"'}
        return shlex.join(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))

    def _server_pid(self) -> int | None:
        """Process id of the live server, or None if its pid file is absent or left over from a crash."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
            process = Path("/proc", str(pid))
            ours = process.stat().st_uid == self._owner().pw_uid
            name = (process / "comm").read_text().strip()
        except (OSError, ValueError):
            return None
        return pid if ours and name == "postgres" else None

    def _forget_dead_server(self) -> None:
        """Remove a pid file whose number now belongs to another program, which PostgreSQL would believe."""
        if self._server_pid() is None:
            (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _keep_log_short(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_KEPT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".1"))

    def _launch(self, programs: Path) -> None:
        arguments = ["start", "-D", str(self.data_dir), "-l", str(self.log_file), "-w", "-t", "60"]
        arguments += ["-o", self._options()]
        for _ in range(START_ATTEMPTS):
            result = self._run(programs / "pg_ctl", *arguments)
            if result.returncode == 0 or self.running:
                return
            time.sleep(1)
        said = self.log_file.read_text(errors="replace") if self.log_file.exists() else result.stdout
        raise ClusterError(f"PostgreSQL did not start: {_last_line(said)}; see {self.log_file}")

    def _run(self, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a server program as the cluster's owner, in a directory that the owner can enter."""
        owner = self._owner()
        # Settings of another PostgreSQL (PGDATA, PGPORT ...) in the caller's environment must not reach ours.
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.home), "TZ": "UTC"}
        return subprocess.run(
            [str(program), *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=owner.pw_uid if self.account else None,
            group=owner.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )


def find_programs(version: str | None = None) -> Path:
    """Directory with PostgreSQL's server programs: of `version`, or the newest, one with PostGIS first.

    Raises ClusterError, with the command that installs them, where there are none.
    """
    found = [path.parent for path in INSTALLED.glob("*/bin/initdb") if path.with_name("pg_ctl").exists()]
    elsewhere = shutil.which("initdb")
    if elsewhere:
        found.append(Path(elsewhere).resolve().parent)
    ranked = {_rank(directory): directory for directory in reversed(found)}
    fitting = [rank for rank in ranked if version in (None, str(rank[1]))]
    if not fitting:
        raise ClusterError(f"PostgreSQL's server programs are missing: {INSTALL_COMMAND}")
    return ranked[max(fitting)]


def _rank(programs: Path) -> tuple[bool, int]:
    """Whether PostGIS is installed for these programs, and their major version (0 if unknown)."""
    name = programs.parent.name
    version = int(name) if name.isdigit() else _version_said_by(programs / "initdb")
    return (SHARED / str(version) / "extension" / "postgis.control").exists(), version


def _version_said_by(program: Path) -> int:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", said)
    return int(number.group()) if number else 0


def _socket_file(socket_dir: Path) -> Path:
    return socket_dir / f".s.PGSQL.{PORT}"


def _ensure_account(name: str) -> None:
    """Create the unprivileged system account that owns the clusters of root."""
    try:
        if pwd.getpwnam(name).pw_uid == 0:
            raise ClusterError(f"the account {name} is root itself: userdel -o {name}, then start again")
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_STATE)]
        command += ["--shell", "/usr/sbin/nologin", name]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as missing:
            raise ClusterError("useradd is missing: apt-get install passwd") from missing
        if result.returncode not in (0, USERADD_EXISTS):
            said = _last_line(result.stderr)
            raise ClusterError(f"the account {name} could not be created: {said}") from None


def _check_private(directory: Path, owner_uid: int) -> None:
    """Refuse a directory that someone else could have prepared or can enter."""
    status = directory.lstat()
    private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700
    if not private or status.st_uid != owner_uid:
        raise ClusterError(f"{directory} is not a private directory of its owner: remove it and start again")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the cluster; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cluster", description="The private database of a checkout.")
    parser.add_argument("action", choices=["start", "stop", "status", "psql", "run", "remove"])
    parser.add_argument("command", nargs="*", help="run: what to run meanwhile; psql: its arguments")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout")
    asked = parser.parse_args(arguments)
    cluster = Cluster.for_checkout(asked.root)
    try:
        if asked.action == "run":
            with cluster.in_use():
                return _run_beside(asked.command)
        sys.stdout.write(_act(cluster, asked.action, asked.command))
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run_beside(command: Sequence[str]) -> int:
    """Run a command and wait for it, passing on the signals that ask it to end; returns its exit status."""
    with subprocess.Popen(command) as child:
        # The terminal sends Ctrl-C to both; this process must outlive the child, to stop the server after it.
        signal.signal(signal.SIGINT, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _: child.send_signal(received))
        status = child.wait()
    return status if status >= 0 else 128 - status


def _act(cluster: Cluster, action: str, command: Sequence[str]) -> str:
    if action == "psql":
        session = [*cluster.psql(), *command]
        os.execv(session[0], session)
    if action == "remove":
        cluster.remove()
        return f"Removed {cluster.home}.\n"
    if action == "start":
        started = cluster.start()
        (cluster.home / "on_demand").unlink(missing_ok=True)
        return f"Started the database in {cluster.home}.\n" if started else ""
    if action == "stop":
        return f"Stopped the database in {cluster.home}.\n" if cluster.stop() else ""
    return f"{'running' if cluster.running else 'stopped'} {cluster.socket_dir}\n"


if __name__ == "__main__":
    sys.exit(main())
