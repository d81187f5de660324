"""Peers: one that cannot run is missing, never met; what tiles show is counted the same for both sides."""

import subprocess
import sys

import pytest

from bench import environments
from bench.environments import PeerMissing, Worker, running
from bench.load import ServerFailed, free_port, unpacked, wait_for
from bench.mvt import shown

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def piped(script):
    return running([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_worker__answers_line_by_line():
    with piped(ECHO) as process:
        peer = Worker(process)
        assert [peer.call("a"), peer.call(["b", 1])] == ["a", ["b", 1]]


def test_worker__that_ended__is_missing():
    with piped("") as process:
        process.wait()
        with pytest.raises(PeerMissing, match="ended"):
            Worker(process).call("a")


def test_running__at_the_end__is_ended():
    with piped(ECHO) as process:
        assert process.poll() is None
    assert process.poll() is not None


def test_environment__that_cannot_be_made__is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "PEERS", tmp_path)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    (tmp_path / "none.txt").write_text("./there/is/no/such.whl\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(PeerMissing, match="no-python"):
        environments.environment("none")


def test_server__that_ends_at_once__failed():
    with piped("") as process:
        process.wait()
        with pytest.raises(ServerFailed, match="no answer"):
            wait_for(process, free_port(), "/")


def test_unpacked__plain_body__as_it_is():
    assert unpacked(b"plain") == b"plain"


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def zigzag(value):
    return (value << 1) ^ (value >> 31)


def feature(name_index, corners):
    steps = [(x - px, y - py) for (px, py), (x, y) in zip([(0, 0), *corners], corners, strict=False)]
    numbers = [9, *map(zigzag, steps[0])]
    if len(steps) > 1:
        numbers += [(len(steps) - 1) << 3 | 2, *(zigzag(n) for step in steps[1:] for n in step), 15]
    geometry = b"".join(map(varint, numbers))
    return field(2, field(2, varint(0) + varint(name_index)) + varint(3 << 3) + varint(1) + field(4, geometry))


def tile(features):
    named = b"".join(feature(index, corners) for index, (_, corners) in enumerate(features))
    values = b"".join(field(4, field(1, name.encode())) for name, _ in features)
    return field(3, field(1, b"layer") + named + field(3, b"public_id") + values)


@pytest.mark.parametrize(
    ("corners", "counted"),
    [
        ([(10, 10)], 1),
        ([(4096, 0)], 1),
        ([(-1, 10)], 0),
        ([(4200, 4200)], 0),
        ([(-50, -50), (20, -50), (20, 20), (-50, 20)], 1),
        ([(-50, -50), (-20, -50), (-20, 20), (-50, 20)], 0),
    ],
)
def test_shown__margin_of_a_tile__is_left_out(corners, counted):
    assert shown(tile([("A", corners)]), "public_id", 4096).total() == counted


def test_shown__features__are_counted_by_id():
    made = tile([("A", [(1, 1)]), ("B", [(300, 400)]), ("A", [(2, 2)])])
    assert shown(made, "public_id", 4096) == {"A": 2, "B": 1}


def test_shown__empty_tile__nothing():
    assert not shown(b"", "public_id", 4096)
