"""What is kept is made once for all who ask, right at its revision, and forgotten where there is no more room."""

import threading
import time
from dataclasses import replace

import pytest

from web.public.kept import Keeper


def test_kept__of_the_same_revision__is_not_made_again():
    keeper, made = Keeper(10), []
    for now in ("r1", "r1", "r2", "r2"):
        keeper.current("a", now, lambda _: made.append(1) or len(made), 0.0)
    assert len(made) == 2


def test_kept__younger_than_it_may_be__is_handed_out_at_a_new_revision():
    keeper = Keeper(10)
    assert keeper.current("a", "r1", lambda _: "old", 60.0) == "old"
    assert keeper.current("a", "r2", lambda _: "new", 60.0) == "old"
    assert keeper.current("a", "r2", lambda _: "new", 0.0) == "new"


def test_kept__without_a_revision__counts_by_its_age_alone():
    keeper = Keeper(10)
    assert keeper.current("a", None, lambda _: "old", 60.0) == "old"
    assert keeper.current("a", None, lambda _: "new", 60.0) == "old"
    assert keeper.current("a", None, lambda _: "new", 0.0) == "new"


def test_kept__asked_by_many_at_once__is_made_by_one():
    keeper, made, begun = Keeper(10), [], threading.Barrier(20)

    def slow(_last):
        made.append(1)
        time.sleep(0.05)
        return "value"

    def ask():
        begun.wait()
        found.append(keeper.current("a", "r1", slow, 0.0))

    found = []
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["value"] * 20
    assert made == [1]


def test_kept__while_one_makes_it_anew__the_others_get_the_last():
    keeper, making, enough = Keeper(10), threading.Event(), threading.Event()
    keeper.current("a", "r1", lambda _: "old", 0.0)

    def slow(_last):
        making.set()
        assert enough.wait(60)
        return "new"

    maker = threading.Thread(target=lambda: keeper.current("a", "r2", slow, 0.0))
    maker.start()
    assert making.wait(60)
    assert keeper.current("a", "r2", lambda _: "mine", 0.0) == "old"
    enough.set()
    maker.join()
    assert keeper.current("a", "r2", lambda _: "mine", 0.0) == "new"


def test_kept__that_cannot_be_made__is_asked_for_again():
    keeper = Keeper(10)

    def broken(_last):
        raise OSError

    for _ in range(2):
        try:
            keeper.current("a", "r1", broken, 0.0)
        except OSError:
            continue
        raise AssertionError
    assert keeper.current("a", "r1", lambda last: last or "made", 0.0) == "made"


def test_kept__above_its_room__forgets_what_was_not_asked_for_the_longest():
    keeper, made = Keeper(10, len), []

    def ask(key):
        keeper.current(key, "r1", lambda _: made.append(key) or key * 4, 60.0)

    for key in "abacab":
        ask(key)
    # There is room for two: `c` takes the place of `b`, and `b` that of `c`.
    assert made == ["a", "b", "c", "b"]


def test_kept__larger_than_all_room__is_handed_out_once():
    keeper = Keeper(10, len)
    assert keeper.current("a", "r1", lambda _: "x" * 100, 0.0) == "x" * 100
    assert keeper.current("b", "r1", lambda _: "y", 0.0) == "y"
    assert keeper.current("a", "r1", lambda _: "z", 60.0) == "z"


def test_kept__about_to_be_too_old__is_renewed_behind_the_reader():
    keeper, later = Keeper(10), []
    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 50.0)
    for _ in range(3):
        assert keeper.current("a", "r2", lambda _: "new", 60.0, later.append) == "old"
    # One of them has it done.
    (work,) = later
    work()
    assert keeper.current("a", "r2", lambda _: "newer", 0.0) == "new"


def test_kept__young_or_right_or_asked_for_without_another_thread__is_not_renewed_behind():
    keeper, later = Keeper(10), []
    keeper.current("a", "r1", lambda _: "old", 60.0)
    assert keeper.current("a", "r2", lambda _: "new", 60.0, later.append) == "old"
    _age(keeper, "a", 50.0)
    assert keeper.current("a", "r1", lambda _: "new", 60.0, later.append) == "old"
    assert keeper.current("a", "r2", lambda _: "new", 60.0) == "old"
    assert later == []


def test_kept__too_old__is_made_by_the_reader():
    keeper, later = Keeper(10), []
    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 61.0)
    assert keeper.current("a", "r2", lambda _: "new", 60.0, later.append) == "new"
    assert later == []


def test_kept__too_old_while_it_waits_to_be_made_behind__is_made_by_the_reader():
    keeper, later = Keeper(10), []
    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 50.0)
    assert keeper.current("a", "r2", lambda _: "behind", 60.0, later.append) == "old"
    # Much else is done first; no reader gets it older than it may be for that.
    _age(keeper, "a", 11.0)
    assert keeper.current("a", "r2", lambda _: "new", 60.0, later.append) == "new"
    (work,) = later
    work()
    assert keeper.current("a", "r3", lambda _: "newer", 60.0) == "new"
    # It waits no more, and is asked for again when its time comes.
    _age(keeper, "a", 50.0)
    keeper.current("a", "r3", lambda _: "newer", 60.0, later.append)
    later[1]()
    assert keeper.current("a", "r3", lambda _: "newest", 0.0) == "newer"


def test_kept__while_it_is_made_behind__is_asked_for_no_second_time():
    keeper, later = Keeper(10), []
    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 50.0)

    def slow(_last):
        assert keeper.current("a", "r2", lambda _: "mine", 60.0, later.append) == "old"
        return "new"

    keeper.current("a", "r2", slow, 60.0, later.append)
    later.pop()()
    assert later == []
    assert keeper.current("a", "r2", lambda _: "mine", 0.0) == "new"


def test_kept__made_for_the_last_revision_while_a_reader_of_this_one_waits__is_made_again(monkeypatch):
    keeper, making, asked, found = Keeper(10), threading.Event(), threading.Event(), []

    def slow(_last):
        making.set()
        assert asked.wait(60)
        return "of r1"

    first = threading.Thread(target=lambda: keeper.current("a", "r1", slow, 0.0))
    first.start()
    assert making.wait(60)
    # Whoever asks for the lock has found nothing, and waits for it.
    lock_of = keeper._making_of
    monkeypatch.setattr(keeper, "_making_of", lambda key: (asked.set(), lock_of(key))[1])
    second = threading.Thread(
        target=lambda: found.append(keeper.current("a", "r2", lambda last: f"of r2, after {last}", 0.0))
    )
    second.start()
    first.join()
    second.join()
    assert found == ["of r2, after of r1"]


def test_kept__is_as_old_as_the_beginning_of_its_making():
    keeper = Keeper(10)

    def slow(_last):
        # What it reads it reads at the beginning; what is committed from there on is not in it.
        began_s.append(time.monotonic())
        return "value"

    began_s = []
    before_s = time.monotonic()
    keeper.current("a", None, slow, 60.0)
    assert before_s <= keeper._entries["a"].made_s <= began_s[0]


def test_kept__asked_by_many_at_once_and_long_in_the_making__is_made_by_one():
    keeper, made, begun = Keeper(10), [], threading.Barrier(8)

    def slow(_last):
        made.append(1)
        time.sleep(0.1)
        return "value"

    def ask():
        begun.wait()
        found.append(keeper.current("a", None, slow, 0.01))

    found = []
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["value"] * 8
    assert made == [1]


def test_kept__that_cannot_be_made_behind__is_made_by_the_next_reader_and_told_there():
    keeper, later = Keeper(10), []

    def broken(_last):
        raise OSError

    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 50.0)
    keeper.current("a", "r2", broken, 60.0, later.append)
    with pytest.raises(OSError):
        later.pop()()
    _age(keeper, "a", 11.0)
    with pytest.raises(OSError):
        keeper.current("a", "r2", broken, 60.0, later.append)
    assert keeper.current("a", "r2", lambda last: last + " renewed", 60.0) == "old renewed"


def test_kept__when_the_process_ends_and_takes_no_more_work__the_last_is_handed_out():
    def over(_work):
        raise RuntimeError

    keeper = Keeper(10)
    keeper.current("a", "r1", lambda _: "old", 60.0)
    _age(keeper, "a", 50.0)
    for _ in range(2):
        assert keeper.current("a", "r2", lambda _: "new", 60.0, over) == "old"


def _age(keeper, key, by_s):
    keeper._entries[key] = replace(keeper._entries[key], made_s=keeper._entries[key].made_s - by_s)
