"""The private PostgreSQL cluster: whose it is, where it listens, what survives."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.store import cluster as cluster_module
from schemas.store.cluster import Cluster, ClusterError, find_programs
from tests.setup.accounts import ROOT, Account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def make_cluster() -> Iterator[Callable[[Path], Cluster]]:
    made: list[Cluster] = []

    def make(checkout: Path) -> Cluster:
        checkout.mkdir(parents=True, exist_ok=True)
        made.append(Cluster.for_checkout(checkout))
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


@pytest.fixture
def cluster(make_cluster: Callable[[Path], Cluster], tmp_path: Path) -> Cluster:
    return make_cluster(tmp_path / "checkout")


def ask(cluster: Cluster, sql: str) -> str:
    command = [*cluster.psql(), "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def long_checkout(parent: Path) -> Path:
    """A checkout whose path has 150 characters, a space among them."""
    rest = 150 - len(str(parent)) - 1
    checkout = parent / ("a checkout ".ljust(rest, "x"))
    assert len(str(checkout)) == 150
    return checkout


def socket_path_bytes(cluster: Cluster) -> int:
    return len(os.fsencode(cluster.socket_dir / ".s.PGSQL.5432"))


def test_cluster__started__listens_on_its_socket_alone(cluster: Cluster) -> None:
    assert not cluster.running
    assert cluster.start()
    assert cluster.running
    assert ask(cluster, "SHOW listen_addresses") == ""
    assert ask(cluster, "SELECT inet_server_addr() IS NULL") == "t"
    assert cluster.socket_dir.stat().st_mode & 0o777 == 0o700
    assert cluster.data_dir.stat().st_mode & 0o777 == 0o700


def test_cluster__started__is_set_up_for_evidence(cluster: Cluster) -> None:
    cluster.start()
    shown = {
        name: ask(cluster, f"SHOW {name}")
        for name in ("data_checksums", "server_encoding", "timezone", "fsync", "max_connections")
    }
    assert shown == {
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "fsync": "on",
        "max_connections": "100",
    }
    assert ask(cluster, "SELECT datcollate FROM pg_database WHERE datname = 'template1'") == "C.UTF-8"


def test_cluster__for_throw_away_databases__waits_for_no_disk(cluster: Cluster) -> None:
    hasty = replace(cluster, durable=False)
    hasty.start()
    assert ask(hasty, "SHOW fsync") == "off"
    assert hasty.stop()
    cluster.start()
    assert ask(cluster, "SHOW fsync") == "on"


def test_cluster__started_twice__second_changes_nothing(cluster: Cluster) -> None:
    assert cluster.start()
    assert not cluster.start()


def test_cluster__stopped_and_started__keeps_its_data(cluster: Cluster) -> None:
    cluster.start()
    ask(cluster, "CREATE TABLE kept AS SELECT 42 AS value")
    assert cluster.stop()
    assert not cluster.running
    assert not cluster.stop()
    cluster.start()
    assert ask(cluster, "SELECT value FROM kept") == "42"
    assert "was not properly shut down" not in cluster.log_file.read_text()


def test_cluster__server_killed__starts_again_with_its_data(cluster: Cluster) -> None:
    cluster.start()
    ask(cluster, "CREATE TABLE kept AS SELECT 42 AS value")
    pid = int((cluster.data_dir / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while cluster.running:
        time.sleep(0.05)
    assert cluster.start()
    assert ask(cluster, "SELECT value FROM kept") == "42"


def test_cluster__pid_file_names_another_program__is_forgotten(cluster: Cluster) -> None:
    cluster.start()
    pid_file = cluster.data_dir / "postmaster.pid"
    text = pid_file.read_text()
    cluster.stop()
    pid_file.write_text(text.replace(text.split()[0], str(os.getpid()), 1))
    assert not cluster.stop()
    assert cluster.start()


def test_cluster__half_initialised__begins_anew(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    cluster.data_dir.rename(cluster.home / "data.new")
    assert cluster.start()


@as_root
def test_cluster__of_root__belongs_to_an_unprivileged_account(cluster: Cluster) -> None:
    cluster.start()
    pid = int((cluster.data_dir / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{pid}").stat().st_uid == cluster.data_dir.stat().st_uid != 0
    assert cluster.home.parent == Path("/var/lib/skywarden")


@as_root
def test_cluster__of_root_with_a_strict_umask__starts(
    open_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "SYSTEM_STATE", open_dir / "state")
    before = os.umask(0o077)
    try:
        cluster = Cluster.for_checkout(tmp_path / "checkout")
        assert cluster.start()
        assert ask(cluster, "SELECT 1") == "1"
    finally:
        os.umask(before)
        cluster.remove()


def test_cluster__checkout_in_0700_directory__starts(make_cluster: Callable[[Path], Cluster], tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    cluster = make_cluster(tmp_path / "private" / "checkout")
    assert cluster.start()
    assert ask(cluster, "SELECT 1") == "1"


def test_cluster__checkout_path_of_150_characters__starts(
    make_cluster: Callable[[Path], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(long_checkout(tmp_path))
    assert socket_path_bytes(cluster) < 100
    assert cluster.start()
    assert ask(cluster, "SELECT 1") == "1"


@pytest.mark.parametrize("where", ["short", "150 characters"])
def test_cluster__of_an_unprivileged_account__serves_it(account: Account, home_of_account: Path, where: str) -> None:
    checkout = home_of_account / "checkout" if where == "short" else long_checkout(home_of_account)
    module = home_of_account.parent / "cluster.py"
    shutil.copy(ROOT / "schemas/store/cluster.py", module)
    module.chmod(0o644)

    def do(*arguments: str) -> str:
        done = account.run(account.python, str(module), "--root", str(checkout), *arguments, cwd=home_of_account.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        assert do("start").startswith(f"Started the database in {checkout}/.local/postgres")
        socket_dir = Path(do("status").removeprefix("running ").strip())
        assert len(os.fsencode(socket_dir / ".s.PGSQL.5432")) < 100
        assert do("psql", "--", "-At", "-c", "SELECT 1") == "1\n"
        assert do("stop").startswith("Stopped")
        assert do("status").startswith("stopped")
    finally:
        do("remove")
    assert not socket_dir.exists()


def test_cluster__socket_directory_prepared_by_someone_else__refused(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    cluster.socket_dir.chmod(0o777)
    with pytest.raises(ClusterError, match="not a private directory"):
        cluster.start()


def test_cluster__settings_of_another_server_in_the_environment__do_not_reach_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    cluster.start()
    assert ask(cluster, "SHOW port") == "5432"


def test_cluster__no_programs_installed__says_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cluster_module, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"are missing: apt-get install postgresql postgresql-postgis$"):
        find_programs()


def test_cluster__data_of_a_version_not_installed__says_which_is_needed(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    (cluster.data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(ClusterError, match=r"PostgreSQL 9, which .*: apt-get install postgresql-9 "):
        cluster.start()


def test_cluster__in_use_twice__the_last_to_end_stops_it(cluster: Cluster) -> None:
    with cluster.in_use():
        with cluster.in_use():
            assert cluster.running
        assert cluster.running
    assert not cluster.running


def test_cluster__started_by_hand__outlives_its_users(cluster: Cluster) -> None:
    cluster.start()
    with cluster.in_use():
        pass
    assert cluster.running


def test_cluster__run_is_told_to_end__command_ends_and_server_stops(cluster: Cluster, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "schemas.store.cluster",
        "--root",
        str(tmp_path / "checkout"),
        "run",
        "--",
    ]
    told = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    with subprocess.Popen([*command, "--", *told], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert cluster.running
        process.terminate()
        assert process.wait(timeout=120) == 128 + signal.SIGTERM
    assert not cluster.running


def test_cluster__run__hands_on_the_exit_status(cluster: Cluster, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "schemas.store.cluster",
        "--root",
        str(tmp_path / "checkout"),
        "run",
        "--",
    ]
    done = subprocess.run([*command, "--", "sh", "-c", "exit 7"], cwd=ROOT, check=False)
    assert done.returncode == 7
    assert not cluster.running


def test_cluster__url__names_the_socket(cluster: Cluster) -> None:
    assert cluster.url("sky warden", "skywarden_app").startswith(
        "postgresql+psycopg://skywarden_app@/sky%20warden?host="
    )
    assert cluster.url("x").endswith("&port=5432")


def test_cluster__server_that_still_recovers__is_not_running(cluster: Cluster) -> None:
    cluster.start()
    file = cluster.data_dir / "postmaster.pid"
    told = file.read_text()
    file.write_text(told.replace("ready", "starting"))
    assert not cluster.running
    file.write_text(told)
    assert cluster.running


def test_cluster__killed_and_started_by_many_at_once__serves_each(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever comes while another starts the server waits, instead of meeting one that does not serve yet."""
    cluster.start()
    ask(cluster, "CREATE TABLE t AS SELECT repeat('x', 500) AS x FROM generate_series(1, 100000)")
    os.kill(int((cluster.data_dir / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)
    start = [sys.executable, "-m", "schemas.store.cluster", "--root", str(tmp_path / "checkout")]
    starting = [subprocess.Popen([*start, "start"], cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(4)]
    for process in starting:
        assert process.wait(timeout=250) == 0
        assert ask(cluster, "SELECT count(*) FROM t") == "100000"


def test_cluster__socket_left_by_a_dead_server__is_not_running(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(cluster.socket_dir / ".s.PGSQL.5432"))
    assert not cluster.running
    assert cluster.start()
