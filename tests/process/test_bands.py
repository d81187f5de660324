"""Bands done by other processes: the same bytes from all of them, and no death of one loses another's work."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest

from schemas.refusals import RuleViolation
from sensing.coverage import Cover
from sensing.segment import spectral
from sensing.segment.executors import DASK, PROCESSES, hands
from tests import banded
from tests.banded import BAND, BANDS, exactly, look, write_pair
from tests.process.conftest import free_port
from tests.process.led import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("bands"))


@pytest.fixture(scope="module")
def whole(pair, tmp_path_factory):
    return exactly(look(pair, tmp_path_factory.mktemp("whole"), band_px=2048, tile_px=2048))


@pytest.mark.parametrize("workers", [1, 2])
def test_same_bytes__processes(pair, whole, workers, tmp_path):
    with hands(PROCESSES, workers=workers) as crew:
        assert exactly(look(pair, tmp_path, band_px=BAND, tile_px=768, hands=crew)) == whole


def test_same_bytes__dask_workers_started_here(pair, whole, tmp_path):
    with hands(DASK, workers=2) as crew:
        assert exactly(look(pair, tmp_path, band_px=BAND, tile_px=512, hands=crew)) == whole


@contextlib.contextmanager
def dask_cluster(workers: int):
    """A scheduler and workers as an operator starts them; its address."""
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = ["scheduler", "--host", address, "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--death-timeout", "30"]
    with contextlib.ExitStack() as stack:
        for command in (scheduler, *[worker] * workers):
            process = subprocess.Popen([sys.executable, "-m", "dask", *command], **quiet)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        yield address


def test_same_bytes__dask_scheduler_by_its_address(pair, whole, tmp_path):
    with dask_cluster(2) as address, until_it_answers(address) as crew:
        assert exactly(look(pair, tmp_path, band_px=BAND, tile_px=1024, hands=crew)) == whole


@contextlib.contextmanager
def until_it_answers(address: str):
    with contextlib.ExitStack() as stack:
        deadline = time.monotonic() + 120
        while True:
            try:
                crew = stack.enter_context(hands(DASK, scheduler=address))
                break
            except RuleViolation:
                assert time.monotonic() < deadline
        yield crew


LISTENERS = """
import http.client, psutil
from sensing.segment.executors import DASK, hands
from tests.process.test_bands import told
from web.logs import configure_logs

def answers(port):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/sitemap.json")
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return None

if __name__ == "__main__":
    configure_logs()
    with hands(DASK, workers=1) as crew:
        assert [answer["pid"] for _, answer in crew.map(told, [{}])]
        here = psutil.Process()
        for one in [here, *here.children(recursive=True)]:
            for line in one.net_connections("tcp"):
                if line.status == psutil.CONN_LISTEN:
                    print(line.laddr.port, answers(line.laddr.port))
"""


def test_dask_workers_started_here__no_port_answers_a_stranger_and_nothing_floods_the_log(tmp_path):
    script = tmp_path / "listeners.py"
    script.write_text(LISTENERS)
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], env=given, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    # That a stranger was turned away is worth a line, the coming and going of workers is not.
    assert [line for line in done.stderr.splitlines() if "handshake failed" not in line] == []
    heard = [line.split() for line in done.stdout.splitlines()]
    assert heard
    assert [port for port, answer in heard if answer != "None"] == []


def test_dask__where_another_holds_its_usual_port__works_all_the_same():
    with socket.socket() as other:
        # Whoever else may hold it already does as well.
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 8787))
            other.listen()
        with hands(DASK, workers=1) as crew:
            assert [answer["pid"] != os.getpid() for _, answer in crew.map(told, [{}])] == [True]


def test_dask__nobody_at_the_address__refused():
    with pytest.raises(RuleViolation) as caught, hands(DASK, scheduler=f"tcp://127.0.0.1:{free_port()}", patience_s=1):
        pass
    assert caught.value.refusals[0].rule == "segment.engine"


def test_worker_dies_once__its_band_is_tried_again_and_nothing_is_lost(pair, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(spectral, "run_band", banded.killing_once)
    with hands(PROCESSES, workers=2) as crew:
        found = look(pair, tmp_path, band_px=BAND, hands=crew)
    assert found.failed == {}
    assert exactly(found) == whole


def test_band_kills_every_worker__it_alone_is_failed(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(spectral, "run_band", banded.killing_second_band)
    with hands(PROCESSES, workers=2) as crew:
        found = look(pair, tmp_path, band_px=BAND, hands=crew)
    assert list(found.failed) == [1]
    codes = banded.codes_of(found)
    assert [(codes[banded.rows_of(n)] == Cover.FAILED).all() for n in range(BANDS)] == [False, True, False]


PARENT = """
import time
from sensing.segment.executors import PROCESSES, hands
from tests.process.test_bands import told
if __name__ == "__main__":
    with hands(PROCESSES, workers=1) as crew:
        for _, answer in crew.map(told, [{}]):
            print(answer["pid"], flush=True)
        time.sleep(60)
"""


def told(job):
    """Who does the job."""
    return {"pid": os.getpid()}


def test_parent_killed__its_workers_end_too(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 120
    while is_running(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False
