"""What jobs of every table have in common: who takes which, what is told, what a stopped or killed worker leaves."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from shapely.geometry import MultiPolygon, box
from sqlalchemy import delete, func, text, update
from sqlalchemy.exc import OperationalError

from geo.coverage.jobs import STUDIES
from geo.siting.jobs import RUNS
from schemas.ids import public_id
from schemas.refusals import conflict
from schemas.store import jobs
from schemas.store.jobs import DONE, FAILED, WAITING, WORKING, Interrupted
from schemas.tables import CoverageStudy, LearningJob, SitingRun
from sensing.learn.jobs import JOBS
from tests.world import wkb

GROUND = wkb(MultiPolygon([box(113.26, 23.12, 113.27, 23.13)]))
OWN = {
    CoverageStudy: lambda: {"authority_id": uuid.uuid4(), "title": "T", "ground": GROUND, "question": {}},
    SitingRun: lambda: {"study_id": uuid.uuid4(), "question": {}},
    LearningJob: lambda: {"authority_id": uuid.uuid4(), "scene_id": uuid.uuid4(), "kind": "questions", "wish": {}},
}


@pytest.fixture(scope="module")
def database(server, empty_template):
    """One database for all tests here: each begins without a job."""
    name = server.clone(empty_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture(params=[STUDIES, RUNS, JOBS], ids=["study", "siting", "learning"])
def queue(request, past_the_judge):
    with past_the_judge() as session:
        session.execute(text("TRUNCATE core.coverage_study, core.siting_run, core.learning_job CASCADE"))
    return request.param


@pytest.fixture
def ask(queue, past_the_judge):
    """The id of a job that waits since so many seconds; what it is about is not there, as nobody looks."""

    def make(ago_s=0):
        job_id, at = uuid.uuid4(), datetime.now(UTC) - timedelta(seconds=ago_s)
        common = {"id": job_id, "public_id": public_id("XX"), "person_id": uuid.uuid4(), "recorded_at": at}
        with past_the_judge() as session:
            session.add(queue.table(**common, **OWN[queue.table]()))
        return job_id

    return make


@pytest.fixture
def row(queue, services):
    def read(job_id):
        with services.session() as session:
            return session.get_one(queue.table, job_id)

    return read


@pytest.fixture
def finish(queue, services):
    """Carries a job out: it is done at once."""

    def carry_out(taken, _progress):
        with services.housekeeping() as session:
            queue.end(session, taken).result = {"said": "done"}

    return carry_out


@pytest.fixture
def take(queue, services):
    """The id of the next job that a worker takes on, with an id that one; None where there is none."""

    def next_of(job_id=None):
        taken = queue.take_next(services.housekeeping, job_id)
        return taken and taken.job_id

    return next_of


@pytest.fixture
def silent(queue, services):
    """Whoever works on a job said so the last time so many seconds ago."""

    def make(job_id, for_s):
        with services.housekeeping() as session:
            ago = func.clock_timestamp() - timedelta(seconds=for_s)
            session.execute(update(queue.table).where(queue.table.id == job_id).values(beat_at=ago))

    return make


def hear(_share):
    """Goes on."""


# -- who takes which ------------------------------------------------------------------------------


def test_jobs__several_wait__the_oldest_first_and_then_none(ask, take):
    newer, older = ask(), ask(ago_s=60)
    taken = [take() for _ in range(3)]
    assert taken == [older, newer, None]


def test_job__named__that_one_is_taken_before_older_ones_or_none(ask, take):
    ask(ago_s=60)
    named = ask()
    assert take(named) == named
    assert take(named) is None


def test_jobs__two_workers_at_once__take_two_and_a_third_none(queue, services, ask, take):
    newer, older = ask(), ask(ago_s=60)
    others = []

    @contextmanager
    def slowly():
        with services.housekeeping() as session:
            yield session
            session.flush()
            # This worker chose, and has not committed yet.
            others.extend(take() for _ in range(2))

    assert queue.take_next(slowly).job_id == older
    assert others == [newer, None]


def test_job__worker_is_silent__taken_up_by_another_when_that_lasts(queue, ask, take, silent):
    job_id = ask()
    assert take() == job_id
    silent(job_id, queue.silent_s - 10)
    assert take() is None
    silent(job_id, queue.silent_s + 1)
    assert take() == job_id


def test_job__whose_worker_speaks__is_its_own_however_long_it_takes(queue, services, ask, silent):
    job_id = ask()
    taken = queue.take_next(services.housekeeping)
    silent(job_id, queue.silent_s + 1)
    assert queue.tell(services.housekeeping, taken, 0.5)
    assert queue.take_next(services.housekeeping) is None


# -- what is told ---------------------------------------------------------------------------------


def test_job__on_its_way__its_share_is_kept_within_bounds_and_seldom(queue, services, ask, row, monkeypatch):
    job_id, heard, kept = ask(), [], []

    def carry_out(taken, progress):
        for share in (0.4, 7.0, -1.0):
            progress(share)
            kept.append(row(taken.job_id).share)
        monkeypatch.setattr(jobs, "_TELL_EVERY_S", 3600.0)
        progress(0.9)
        kept.append(row(taken.job_id).share)
        raise Interrupted

    monkeypatch.setattr(jobs, "_TELL_EVERY_S", 0.0)
    with pytest.raises(Interrupted):
        queue.do_next(services.housekeeping, carry_out, heard.append)
    assert heard == [0.4, 7.0, -1.0, 0.9]
    assert kept == [0.4, 1.0, 0.0, 0.0]
    assert row(job_id).stage == WAITING


def test_job__done__says_when_and_what_came_out(queue, services, ask, row, finish):
    job_id = ask()
    assert queue.do_next(services.housekeeping, finish, hear) == job_id
    done = row(job_id)
    assert (done.stage, done.share, done.result) == (DONE, 1.0, {"said": "done"})
    assert done.ended_at >= done.beat_at
    assert queue.do_next(services.housekeeping, finish, hear) is None


# -- what goes wrong ------------------------------------------------------------------------------


def test_job__refused__tells_why_in_both_languages_and_the_next_one_is_done(queue, services, ask, row, finish):
    later, refused = ask(), ask(ago_s=60)

    def refuse_it(_taken, _progress):
        raise conflict("model.under_way", measured="LJ-1")

    assert queue.do_next(services.housekeeping, refuse_it, hear) == refused
    ended = row(refused)
    assert (ended.stage, ended.share) == (FAILED, 1.0)
    assert ended.ended_at is not None
    assert [ended.result[lang][0]["rule"] for lang in ("en", "zh")] == ["model.under_way"] * 2
    assert ended.result["en"][0]["message"] != ended.result["zh"][0]["message"]
    assert queue.do_next(services.housekeeping, finish, hear) == later
    assert row(later).stage == DONE


def test_job__breaks__told_as_an_incident_that_the_log_knows_and_the_worker_goes_on(queue, services, ask, row, finish):
    later, broken = ask(), ask(ago_s=60)
    with structlog.testing.capture_logs() as logged:
        assert queue.do_next(services.housekeeping, lambda *_: 1 / 0, hear) == broken
    (said,) = logged
    assert said["event"] == f"{queue.table.__tablename__}_failed"
    assert (said["job"], said["error"]) == (str(broken), "ZeroDivisionError")
    (refusal,) = row(broken).result["en"]
    assert refusal["rule"] == "service.incident"
    assert str(broken)[:8] in refusal["message"]
    assert queue.do_next(services.housekeeping, finish, hear) == later


@pytest.mark.parametrize("stop", [Interrupted(), KeyboardInterrupt(), OperationalError("", {}, Exception())])
def test_job__stopped_half_way__given_back_for_the_next_worker(queue, services, ask, row, finish, stop):
    job_id = ask()

    def go_on(_share):
        raise stop

    with pytest.raises(type(stop)):
        queue.do_next(services.housekeeping, lambda _, progress: progress(0.5), go_on)
    left = row(job_id)
    assert (left.stage, left.share, left.beat_at) == (WAITING, 0.0, None)
    assert queue.do_next(services.housekeeping, finish, hear) == job_id
    assert row(job_id).stage == DONE


@pytest.mark.parametrize("ended", ["stopped", "removed"])
def test_job__nobody_waits_for_it_any_more__its_worker_leaves_it_and_goes_on(
    queue, services, ask, row, finish, past_the_judge, monkeypatch, ended
):
    monkeypatch.setattr(jobs, "_TELL_EVERY_S", 0.0)
    later, left, went_on = ask(), ask(ago_s=60), []

    def carry_out(taken, progress):
        if ended == "stopped":
            queue.fail(services.housekeeping, taken, conflict("model.under_way", measured="LJ-1").refusals)
        else:
            with past_the_judge() as session:
                session.execute(delete(queue.table).where(queue.table.id == taken.job_id))
        progress(0.5)
        went_on.append(taken)

    with structlog.testing.capture_logs() as logged:
        assert queue.do_next(services.housekeeping, carry_out, hear) == left
    assert went_on == []
    assert [said["event"] for said in logged] == [f"{queue.table.__tablename__}_left"]
    if ended == "stopped":
        assert (row(left).stage, row(left).result["en"][0]["rule"]) == (FAILED, "model.under_way")
    assert queue.do_next(services.housekeeping, finish, hear) == later


def test_job__worker_killed__stays_its_own_until_it_was_silent_and_is_done_by_another(
    queue, services, ask, row, finish, silent
):
    job_id = ask()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Connections of the parent are not the child's to use.
        services.engine.dispose(close=False)
        queue.do_next(services.housekeeping, lambda *_: os.write(writer, b".") and time.sleep(60), hear)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"."
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert row(job_id).stage == WORKING
    assert queue.do_next(services.housekeeping, finish, hear) is None
    silent(job_id, queue.silent_s + 1)
    assert queue.do_next(services.housekeeping, finish, hear) == job_id
    assert row(job_id).stage == DONE


def test_job__its_first_worker_comes_back_when_another_has_ended_it__changes_nothing(
    queue, services, ask, row, finish, silent
):
    job_id = ask()
    first = queue.take_next(services.housekeeping)
    silent(job_id, queue.silent_s + 1)
    assert queue.do_next(services.housekeeping, finish, hear) == job_id
    ended = kept(row(job_id))
    come_back(queue, services, first)
    assert kept(row(job_id)) == ended


def test_job__its_first_worker_comes_back_while_another_works_on_it__it_stays_the_others(
    queue, services, ask, row, silent
):
    job_id = ask()
    first = queue.take_next(services.housekeeping)
    silent(job_id, queue.silent_s + 1)
    second = queue.take_next(services.housekeeping)
    assert queue.tell(services.housekeeping, second, 0.25)
    theirs = kept(row(job_id))
    come_back(queue, services, first)
    assert kept(row(job_id)) == theirs
    with services.housekeeping() as session:
        queue.end(session, second).result = {"said": "by the second"}
    assert (row(job_id).stage, row(job_id).result) == (DONE, {"said": "by the second"})


@pytest.mark.parametrize("_once_more", range(5))
def test_job__two_workers_end_it_at_once__only_whoever_took_it_last_does(queue, services, ask, row, silent, _once_more):
    # Both hold the job at a time, as after a machine that slept: each works in its own thread, on its own connection.
    job_id, both, said = ask(), threading.Barrier(2, timeout=30), {}
    second_has_it = threading.Event()

    def work(name, before):
        def carry_out(taken, _progress):
            before()
            both.wait()
            with services.housekeeping() as session:
                ended = queue.end(session, taken)
                said[name] = ended is not None
                if ended is not None:
                    ended.result = {"by": name}

        assert queue.do_next(services.housekeeping, carry_out, hear, job_id) == job_id

    second = threading.Thread(target=work, args=["second", second_has_it.set])

    def fall_silent():
        silent(job_id, queue.silent_s + 1)
        second.start()
        assert second_has_it.wait(30)

    work("first", fall_silent)
    second.join(30)
    assert said == {"first": False, "second": True}
    assert (row(job_id).stage, row(job_id).result) == (DONE, {"by": "second"})


def kept(job):
    """What a job's row says of how it stands."""
    return {name: getattr(job, name) for name in ("stage", "share", "attempt", "beat_at", "ended_at", "result")}


def come_back(queue, services, taken):
    """A worker that fell silent says all that it could say of the job that it once took."""
    assert not queue.tell(services.housekeeping, taken, 0.5)
    queue.give_back(services.housekeeping, taken)
    queue.fail(services.housekeeping, taken, conflict("model.under_way", measured="LJ-1").refusals)
    with services.housekeeping() as session:
        assert queue.end(session, taken) is None
