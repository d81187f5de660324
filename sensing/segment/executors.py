"""Touches other processes and machines: who does the jobs of a manifest. Plain JSON goes out and comes back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol

from schemas.refusals import invalid

Job = Mapping[str, Any]
Done = Mapping[str, Any]
Run = Callable[[dict[str, Any]], dict[str, Any]]
Answer = tuple[Job, Done | Exception]

SERIAL, THREADS, PROCESSES, DASK = "serial", "threads", "processes", "dask"
NAMES = (SERIAL, THREADS, PROCESSES, DASK)


class Hands(Protocol):
    """Whoever does jobs."""

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """Do all jobs; each is answered once, in any order, by its result or by what kept it from being done."""
        ...


class Serial:
    """One job after the other, here."""

    def map(self, run: Run, jobs: Iterable[Job]) -> Iterator[Answer]:
        """As `Hands.map`, in order."""
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
        """As `Hands.map`. No more jobs are given out than there are workers, so no more are ever lost."""
        waiting = deque(jobs)
        running: dict[Future[dict[str, Any]], Job] = {}
        while waiting or running:
            while waiting and len(running) < self._workers:
                job = waiting.popleft()
                running[self._submit(run, job)] = job
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                job = running.pop(future)
                error = future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                yield job, error or future.result()

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
    return lambda: ThreadPoolExecutor(workers)


def _processes(workers: int) -> Callable[[], Executor]:
    return lambda: ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_settle)


def _settle() -> None:
    """In a worker: leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(parent: int) -> None:
    wait_for([parent])
    # Nobody is left whom an orderly end would tell anything, and half a band is never taken for a whole one.
    os._exit(1)


@contextmanager
def _client(workers: int, scheduler: str | None, patience_s: float) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as missing:
        raise invalid("segment.engine", "segment.no_dask") from missing
    with ExitStack() as stack:
        if scheduler is None:
            # No dashboard: nothing listens that was not asked for.
            local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
            scheduler = stack.enter_context(LocalCluster(**local, host="127.0.0.1"))  # type: ignore[no-untyped-call]
        try:
            client = stack.enter_context(Client(scheduler, timeout=patience_s))  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise invalid("segment.engine", "segment.no_scheduler", measured=scheduler) from error
        yield client
