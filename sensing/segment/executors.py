"""Touches other processes and machines: who does the jobs of a manifest. Plain JSON goes out and comes back."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, TypeVar

from schemas.refusals import invalid

Job = Mapping[str, Any]
Done = Mapping[str, Any]
Run = Callable[[dict[str, Any]], dict[str, Any]]
Answer = tuple[Job, Done | Exception]
T = TypeVar("T")

SERIAL, THREADS, PROCESSES, DASK = "serial", "threads", "processes", "dask"
NAMES = (SERIAL, THREADS, PROCESSES, DASK)


class Hands(Protocol):
    """Whoever does jobs."""

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """Do all jobs; each is answered once, in any order, by its result or by what kept it from being done."""
        ...


class _Kept(threading.local):
    """What a worker keeps open from one job to the next: a thing under a name, where jobs follow each other."""

    name: str | None = None
    thing: Any = None
    stack: ExitStack | None = None

    def close(self) -> None:
        self.name = self.thing = None
        if self.stack is not None:
            self.stack.pop_all().close()


_KEPT = _Kept()


@contextmanager
def keeping() -> Iterator[None]:
    """While jobs of one run follow each other in this thread: what `kept` opens stays open for the next one."""
    if _KEPT.stack is not None:
        yield
        return
    _KEPT.stack = ExitStack()
    try:
        yield
    finally:
        _KEPT.close()
        _KEPT.stack = None


@contextmanager
def kept(name: str, opening: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What `opening` opens, or what a job before opened under the same name: neighbours share what was decoded."""
    if _KEPT.stack is None:
        with opening() as thing:
            yield thing
        return
    if _KEPT.name != name:
        _KEPT.close()
        _KEPT.thing = _KEPT.stack.enter_context(opening())
        _KEPT.name = name
    try:
        yield _KEPT.thing
    except BaseException:
        _KEPT.close()
        raise


class Serial:
    """One job after the other, here."""

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """As `Hands.map`, in order."""
        with keeping():
            for job in jobs:
                yield job, _attempt(run, job)


def _attempt(run: Run, job: Job) -> Done | Exception:
    try:
        return run(dict(job))
    except Exception as error:
        return error


def all_done(hands: Hands, run: Run, jobs: Iterable[Job]) -> Iterator[tuple[Job, Done]]:
    """As `Hands.map` for jobs of which none may be missing: what others could not do is tried here, and may raise."""
    for job, answer in hands.map(run, jobs):
        yield job, run(dict(job)) if isinstance(answer, Exception) else answer


class Pool:
    """Workers of this machine. A worker that dies takes with it only the jobs that were being done."""

    def __init__(self, make: Callable[[], Executor], workers: int) -> None:
        self._make = make
        self._workers = workers
        self._pool = make()

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """As `Hands.map`. No more jobs are given out than there are workers, so no more are ever lost.

        Each worker has a lane of jobs that lie beside each other, and helps in the longest one when its own is done.
        """
        lanes = _lanes(list(jobs), self._workers)
        running: dict[Future[dict[str, Any]], tuple[Job, int]] = {}
        free, answers = list(range(len(lanes))), list[Answer]()
        while running or any(lanes):
            for number in free:
                lane = lanes[number] or max(lanes, key=len)
                if lane:
                    job = lane.popleft() if lane is lanes[number] else lane.pop()
                    running[self._submit(run, job)] = job, number
            yield from answers
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            free = [running[future][1] for future in ready]
            answers = [_answer(running.pop(future)[0], future) for future in ready]
        yield from answers

    def _submit(self, run: Run, job: Job) -> Future[dict[str, Any]]:
        try:
            return self._pool.submit(run, dict(job))
        except BrokenProcessPool:
            self._pool.shutdown(wait=False)
            self._pool = self._make()
            return self._pool.submit(run, dict(job))

    def close(self) -> None:
        """End the workers once what they are at is done."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _answer(job: Job, future: Future[dict[str, Any]]) -> Answer:
    error = future.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return job, error or future.result()


def _lanes(jobs: Sequence[Job], workers: int) -> list[deque[Job]]:
    """Jobs parted among workers, each of whom has neighbours."""
    long, more = divmod(len(jobs), workers)
    starts = [number * long + min(number, more) for number in range(workers + 1)]
    return [deque(jobs[start:end]) for start, end in pairwise(starts)]


class Cluster:
    """Workers of a Dask cluster, which see the same files under the same paths."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - distributed.Client, which may not be installed
        self._client = client

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """As `Hands.map`."""
        from distributed import as_completed

        futures = {self._client.submit(run, dict(job), pure=False): job for job in jobs}
        try:
            for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
                job = futures.pop(future)
                error = future.exception() if future.status == "error" else None
                yield job, error if error is not None else future.result()
        finally:
            self._client.cancel(list(futures))


@contextmanager
def hands(name: str, *, workers: int = 2, scheduler: str | None = None, patience_s: float = 10.0) -> Iterator[Hands]:
    """Hands by their name; `scheduler` is the address of a running Dask scheduler that answers within `patience_s`.

    Raises RuleViolation `segment.engine` for hands that are not installed or do not answer.
    """
    with ExitStack() as stack:
        if name == DASK:
            yield Cluster(stack.enter_context(_client(workers, scheduler, patience_s)))
        elif name == SERIAL:
            yield Serial()
        else:
            pool = Pool(_processes(workers) if name == PROCESSES else _threads(workers), workers)
            stack.callback(pool.close)
            yield pool


def _threads(workers: int) -> Callable[[], Executor]:
    return lambda: ThreadPoolExecutor(workers, initializer=_keep)


def _keep() -> None:
    """In a worker that ends with its pool: keep open what jobs open."""
    _KEPT.stack = ExitStack()


def _processes(workers: int) -> Callable[[], Executor]:
    return lambda: ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_settle)


def _settle() -> None:
    """In a worker: leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(parent: int) -> None:
    wait_for([parent])
    # Nobody is left whom an orderly end would tell anything, and half a band is never taken for a whole one.
    os._exit(1)


# What Dask tells of its own coming and going concerns whoever runs a cluster; what fails, the bands tell.
_DASK_LOG = "distributed"
_NO_PAGES: Mapping[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


def _scheduler_stops_listening(dask_scheduler: Any) -> None:  # noqa: ANN401 - distributed.Scheduler
    dask_scheduler.http_server.stop()


def _worker_stops_listening(dask_worker: Any) -> None:  # noqa: ANN401 - distributed.Worker
    dask_worker.http_server.stop()


@contextmanager
def _own_cluster(workers: int) -> Iterator[Any]:
    """A client of workers of this machine, who talk among themselves alone, over TLS with keys made for the moment.

    Dask opens HTTP servers whatever one asks for: without pages, at any free port, so that two who work side by side
    do not want the same one, and stopped as soon as they are there.
    """
    import dask
    from distributed import Client, LocalCluster

    local: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "security": True}
    local["scheduler_kwargs"] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_NO_PAGES))
        cluster = stack.enter_context(LocalCluster(**local, host="127.0.0.1"))  # type: ignore[no-untyped-call]
        client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        client.run_on_scheduler(_scheduler_stops_listening)
        client.run(_worker_stops_listening)
        yield client


@contextmanager
def _client(workers: int, scheduler: str | None, patience_s: float) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as missing:
        raise invalid("segment.engine", "segment.no_dask") from missing
    logging.getLogger(_DASK_LOG).setLevel(logging.ERROR)
    with ExitStack() as stack:
        if scheduler is None:
            yield stack.enter_context(_own_cluster(workers))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=patience_s))  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise invalid("segment.engine", "segment.no_scheduler", measured=scheduler) from error
        yield client
