"""Who does jobs, and what stays open from one job to the next."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from sensing.segment.executors import SERIAL, THREADS, hands, kept

SEEN: list[tuple[str, str, int]] = []


@contextmanager
def opening(name):
    SEEN.append(("open", name, threading.get_ident()))
    try:
        yield name
    finally:
        SEEN.append(("close", name, threading.get_ident()))


def look(job):
    with kept(job["scene"], lambda: opening(job["scene"])) as scene:
        if job.get("fails"):
            raise OSError("gone")
        return {"scene": scene, "number": job["number"], "worker": threading.get_ident()}


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


def jobs(count, scene="a", **more):
    return [{"number": number, "scene": scene, **more} for number in range(count)]


def test_alone__opened_for_each_job():
    for job in jobs(2):
        look(job)
    assert [what for what, _, _ in SEEN] == ["open", "close"] * 2


def test_serial__opened_once_and_closed_at_the_end():
    with hands(SERIAL) as crew:
        assert len(list(crew.map(look, jobs(3)))) == 3
    assert [what for what, _, _ in SEEN] == ["open", "close"]


def test_serial__another_scene__the_last_one_is_closed_first():
    with hands(SERIAL) as crew:
        list(crew.map(look, [*jobs(2), *jobs(2, "b")]))
    assert [(what, name) for what, name, _ in SEEN] == [("open", "a"), ("close", "a"), ("open", "b"), ("close", "b")]


def test_job_fails__what_was_open_is_closed():
    with hands(SERIAL) as crew:
        answers = {job["number"]: answer for job, answer in crew.map(look, jobs(1, fails=True))}
    assert isinstance(answers[0], OSError)
    assert [what for what, _, _ in SEEN] == ["open", "close"]


@pytest.mark.parametrize(("count", "workers"), [(0, 2), (1, 2), (7, 2), (9, 3), (2, 4)])
def test_pool__every_job_once(count, workers):
    with hands(THREADS, workers=workers) as crew:
        done = list(crew.map(look, jobs(count)))
    assert sorted(answer["number"] for _, answer in done) == list(range(count))


def test_pool__begins_in_lanes_of_neighbours():
    both = threading.Barrier(2)

    def slow(job):
        both.wait(60)
        return look(job)

    with hands(THREADS, workers=2) as crew:
        done = [answer for _, answer in crew.map(slow, jobs(6))]
    assert {answer["number"] for answer in done[:2]} == {0, 3}
    assert {answer["number"] for answer in done[-2:]} == {2, 5}
