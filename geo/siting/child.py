"""Touches the machine: solves a question in a process of its own, which can be stopped, and whose memory goes with it.

HiGHS cannot be asked to stop while it searches; a worker that waited for it could not seal the ledger meanwhile.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from geo.siting.found import Found
from geo.siting.inputs import Inputs
from geo.siting.patrols import PatrolInputs, fly
from geo.siting.solve import solve
from schemas.refusals import Kind, Refusal, RuleViolation, refuse

Progress = Callable[[float], None]

_LOOK_EVERY_S = 0.2
# How long the rest takes beside the solver, about: more does not show as progress.
_REST_S = 10.0
_STOP_S = 5.0


def solve_apart(given: Inputs | PatrolInputs, progress: Progress) -> Found:
    """`solve` or `fly` in another process; `progress` hears every fifth of a second how far it may be, and may raise.

    Raises RuleViolation as they do, and (`siting.run_interrupted`) where the process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    limit_s = given.limit_s if isinstance(given, PatrolInputs) else given.asked.limit_s
    try:
        ours.send(given)
        looks = 0
        while not ours.poll(_LOOK_EVERY_S):
            looks += 1
            progress(min(looks * _LOOK_EVERY_S / (limit_s + _REST_S), 0.99))
        kind, answer = ours.recv()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise RuleViolation(Kind.UNAVAILABLE, [refuse("siting.run_interrupted", "siting.run_interrupted")]) from None
    finally:
        _end(process)
        ours.close()
    if kind is not None:
        raise RuleViolation(kind, answer)
    found: Found = answer
    return found


def _answer(theirs: Connection) -> None:
    """In the process: leave Ctrl-C to the parent, answer one question, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = theirs.recv()
    told: tuple[Kind | None, Found | tuple[Refusal, ...]]
    try:
        told = None, fly(given) if isinstance(given, PatrolInputs) else solve(given)
    except RuleViolation as refused:
        told = refused.kind, refused.refusals
    theirs.send(told)


def _end(process: multiprocessing.process.BaseProcess) -> None:
    process.join(_STOP_S if process.exitcode is not None else 0.1)
    if process.is_alive():
        process.terminate()
        process.join(_STOP_S)
    if process.is_alive():
        process.kill()
        process.join()
