"""No byte of an export changes, no line moves or vanishes unseen (P5)."""

import hashlib
import re
import subprocess
import sys

import pytest
import rfc8785
from hypothesis import assume, example, given
from hypothesis import strategies as st

from schemas.store import merkle, verify
from schemas.store.verify import LedgerBroken, verify_lines


def make_export(batches):
    """An export as the store writes it, of events with the given numbers of them per seal."""
    lines, prev, number = [verify.FORMAT], "00" * 32, 0
    for n, count in enumerate(batches, start=1):
        events = []
        for _ in range(count):
            number += 1
            events.append(event_line(number))
        seal = {
            "seal": str(n),
            "count": str(count),
            "first": str(number - count + 1),
            "last": str(number),
            "prev": prev,
            "root": merkle.root([merkle.leaf_hash(e) for e in events]).hex(),
            "sealed_at": "2025-06-01T02:00:00.000000Z",
        }
        line = rfc8785.dumps(seal)
        prev = hashlib.sha256(line).hexdigest()
        lines += [*events, line]
    return [*lines, b'{"checkpoint":"%d:%s"}' % (len(batches), prev.encode())]


def event_line(number):
    return rfc8785.dumps(
        {
            "action": "device.publish",
            "actor": "system",
            "body": {"n": number, "清河": "区"},
            "effective_at": None,
            "id": str(number),
            "origin": "live",
            "pack": "cn-gd-2025@0",
            "recorded_at": "2025-06-01T02:00:00.000000Z",
            "subject_id": "x",
            "subject_kind": "device",
        }
    )


BATCHES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def file_of(lines):
    return b"".join(line + b"\n" for line in lines)


def verify_file(data):
    return verify_lines(verify.file_lines(data.splitlines(keepends=True)))


def verify_bytes(data):
    """As the script reads a file: split at line feeds alone."""
    parts = data.split(b"\n")
    raw = [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    return verify_lines(verify.file_lines(raw))


@given(BATCHES)
def test_export__as_written__verifies(batches):
    report = verify_bytes(file_of(make_export(batches)))
    assert (report.events, report.seals) == (sum(batches), len(batches))


@given(BATCHES, st.data())
def test_P5__any_byte_changed__found(batches, data):
    content = bytearray(file_of(make_export(batches)))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LedgerBroken):
        verify_bytes(bytes(content))


@given(BATCHES, st.data())
def test_P5__any_byte_removed_or_inserted__found(batches, data):
    content = file_of(make_export(batches))
    place = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(LedgerBroken):
        verify_bytes(content[:place] + content[place + 1 :])
    with pytest.raises(LedgerBroken):
        verify_bytes(content[:place] + data.draw(st.binary(min_size=1, max_size=3)) + content[place:])


@given(BATCHES, st.data())
def test_P5__any_line_removed__found(batches, data):
    lines = make_export(batches)
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    with pytest.raises(LedgerBroken):
        verify_lines(lines)


@given(BATCHES, st.data())
def test_P5__any_line_repeated__found(batches, data):
    lines = make_export(batches)
    place = data.draw(st.integers(0, len(lines) - 1))
    lines.insert(data.draw(st.integers(0, len(lines))), lines[place])
    with pytest.raises(LedgerBroken):
        verify_lines(lines)


@given(BATCHES, st.randoms(use_true_random=False))
def test_P5__any_other_order__found(batches, random):
    lines = make_export(batches)
    shuffled = lines[:]
    random.shuffle(shuffled)
    assume(shuffled != lines)
    with pytest.raises(LedgerBroken):
        verify_lines(shuffled)


@given(BATCHES, st.integers(1, 5))
def test_P5__shortened_and_closed_anew__found_by_a_checkpoint(batches, keep):
    assume(keep < len(batches))
    whole = verify_lines(make_export(batches))
    known = dict([verify.parse_checkpoint(whole.checkpoint)])
    shorter = make_export(batches[:keep])
    verify_lines(shorter)
    with pytest.raises(LedgerBroken, match="missing"):
        verify_lines(shorter, known)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"1", b"{}", b'{"action":1}', b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"NaN", b'"x"', b"{" * 9],
)
def test_P5__line_that_is_no_entry__found_without_a_crash(line):
    lines = make_export([2, 1])
    with pytest.raises(LedgerBroken):
        verify_lines([*lines[:2], line, *lines[2:]])


def edited(change):
    lines = make_export([3, 2, 2])
    change(lines)
    return lines


def swap(lines, one, other):
    lines[one], lines[other] = lines[other], lines[one]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.__setitem__(2, x[2].replace(b"publish", b"discard")), "an event was changed.* lines 2 to 4"),
        (lambda x: swap(x, 1, 2), "events were moved or exchanged among lines 2 to 4"),
        (lambda x: x.pop(2), "added or taken away among lines 2 to 3"),
        (lambda x: x.insert(2, x[2]), "added or taken away among lines 2 to 5"),
        (lambda x: x.pop(4), "a seal before this one is missing"),
        (lambda x: x.__setitem__(4, x[4].replace(b"T02", b"T03")), "seal 1 is not the one that this seal was put on"),
        (lambda x: x.__setitem__(0, x[0] + b"\r"), "line ends were converted"),
        (lambda x: x.pop(), "lines are missing at the end"),
    ],
)
def test_P5__misfit__said_so_that_it_can_be_found(change, said):
    with pytest.raises(LedgerBroken, match=said):
        verify_lines(edited(change))


def test_script__needs_nothing_but_the_standard_library(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for lines, status in ((make_export([2]), 0), (make_export([2])[:-1], 1)):
        path.write_bytes(file_of(lines))
        # Isolated and without site-packages: nothing that is installed here can be reached.
        done = subprocess.run([sys.executable, "-I", "-S", verify.__file__, path], capture_output=True, text=True)
        assert (done.returncode, "Verified 2 events" in done.stdout, "NOT VERIFIED" in done.stderr) == (
            status,
            status == 0,
            status == 1,
        )


@pytest.mark.parametrize("wrong", ["abc", "1:zz", "0:" + "a" * 64, "1:" + "z" * 64])
def test_script__no_checkpoint__said_in_words(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        verify.main(["x", "--checkpoint", wrong])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "is no checkpoint" in said
    assert "parse" not in said


def test_P5__two_checkpoints_of_one_seal__contradict_each_other():
    with pytest.raises(LedgerBroken, match="differ"):
        verify.by_seal([(1, "a" * 64), (1, "b" * 64)])
    assert verify.by_seal([(1, "a" * 64), (1, "a" * 64)]) == {1: "a" * 64}


@pytest.mark.parametrize("lines", [[], [b"{}"], [verify.FORMAT], [b'{"format":"skywarden-ledger-2"}']])
def test_export__of_nothing_or_of_another_format__refused(lines):
    with pytest.raises(LedgerBroken):
        verify_lines(lines)


nearly_hexadecimal = st.text("0123456789abcdefABCDEF", min_size=62, max_size=64)


@given(
    st.text(max_size=80)
    | st.tuples(st.integers(-1, 20), nearly_hexadecimal, st.text(" \t\n\u0660g", max_size=2)).map("%d:%s%s".__mod__)
    | st.tuples(
        st.integers(1, 20), st.lists(st.sampled_from(["0a", "F1", "  "]), min_size=32, max_size=32).map("".join)
    ).map("%d:%s".__mod__)
)
@example("7:" + "aB" * 32)
@example("7:ab" + "  " + "cd" * 30)
def test_checkpoint__anything__number_and_digest_or_value_error(text):
    try:
        number, digest = verify.parse_checkpoint(text)
    except ValueError:
        return
    assert number >= 1
    assert re.fullmatch("[0-9a-f]{64}", digest)
