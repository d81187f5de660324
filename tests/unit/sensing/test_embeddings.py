"""Embeddings on disk: believed only where they are whole, bounded, and gone with their copy. No torch is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensing.segment.embeddings import Embedding, Embeddings, Key, copy_sha256, forget

COPY = "a" * 64
KEY = Key(COPY, (0, 512, 1024, 1024), (120.5, 3000.0), "b" * 64)


def embedding(seed: int = 1, side: int = 16) -> Embedding:
    features = np.random.default_rng(seed).normal(size=(256, side, side)).astype(np.float16)
    return Embedding(features, (1024, 900), (1024, 900))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / COPY
    path.write_bytes(b"a masked copy")
    return path


@pytest.fixture
def kept(tmp_path, source):
    cache = Embeddings(tmp_path)
    cache.put(KEY, embedding(), source)
    return cache


def test_get__what_was_put__the_same_to_the_last_bit(kept):
    found = kept.get(KEY)
    assert found.features.dtype == np.float16
    assert np.array_equal(found.features, embedding().features)
    assert (found.size, found.input_size) == ((1024, 900), (1024, 900))


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, copy_sha256="c" * 64),
        replace(KEY, window=(0, 512, 1024, 1023)),
        replace(KEY, stretch=(120.5, 3000.1)),
        replace(KEY, model_sha256="c" * 64),
    ],
)
def test_get__other_copy_window_tones_or_model__nothing(kept, other):
    assert kept.get(other) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: bytes(len(content)),
        lambda content: b"{}\n",
    ],
)
def test_get__damaged_on_disk__not_believed_and_removed(kept, damage):
    path = kept.path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert kept.get(KEY) is None
    assert not path.exists()


def test_get__whole_file_of_another_crop_under_the_name__not_believed(kept, source):
    other = replace(KEY, window=(0, 0, 1024, 1024))
    kept.put(other, embedding(2), source)
    kept.path(other).rename(kept.path(KEY))
    assert kept.get(KEY) is None


def test_put__too_much__what_was_used_longest_ago_goes(tmp_path, source):
    cache = Embeddings(tmp_path, most_bytes=5 * 140_000)
    keys = [replace(KEY, window=(n, 0, 1024, 1024)) for n in range(8)]
    for number, key in enumerate(keys):
        cache.put(key, embedding(number), source)
        os.utime(cache.path(key), (1000 + number, 1000 + number))
        # The first one is looked at again and again.
        assert cache.get(keys[0]) is not None
    total = sum(path.stat().st_size for path in (tmp_path / "embeddings").glob("*/*"))
    assert total <= 5 * 140_000
    assert cache.get(keys[1]) is None
    assert cache.get(keys[-1]) is not None


def test_put__larger_than_all_that_is_allowed__not_kept(tmp_path, source):
    cache = Embeddings(tmp_path, most_bytes=1000)
    cache.put(KEY, embedding(), source)
    assert cache.get(KEY) is None


def test_put__copy_is_no_more__nothing_is_kept(tmp_path):
    cache = Embeddings(tmp_path)
    cache.put(KEY, embedding(), tmp_path / "gone")
    assert cache.get(KEY) is None


def test_put__place_cannot_be_written__no_error(tmp_path, source):
    (tmp_path / "embeddings").write_text("in the way")
    Embeddings(tmp_path).put(KEY, embedding(), source)
    assert Embeddings(tmp_path).get(KEY) is None


def test_put__others_cannot_look(kept):
    assert (kept.path(KEY).parent.parent.stat().st_mode & 0o777) == 0o700
    assert (kept.path(KEY).stat().st_mode & 0o077) == 0


def test_forget__a_copy__its_embeddings_and_no_others(kept, tmp_path, source):
    other = replace(KEY, copy_sha256="d" * 64)
    kept.put(other, embedding(), source)
    assert forget(tmp_path, [COPY, "e" * 64, "../..", ""]) == 1
    assert kept.get(KEY) is None
    assert kept.get(other) is not None
    assert forget(tmp_path, [COPY]) == 0


def test_copy_sha256__file_of_the_store__its_name_else_its_content(tmp_path, source):
    assert copy_sha256(source) == COPY
    path = tmp_path / "a.tif"
    path.write_bytes(b"one")
    one = copy_sha256(path)
    time.sleep(0.01)
    path.write_bytes(b"two and more")
    assert len(one) == 64
    assert copy_sha256(path) != one


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from dataclasses import replace
from sensing.segment.embeddings import Embedding, Embeddings, Key
root = Path(sys.argv[1])
cache, key = Embeddings(root), Key("a" * 64, (0, 0, 1, 1), (0.0, 1.0), "b" * 64)
made = Embedding(np.ones((256, 64, 64), np.float16), (1, 1), (1, 1))
print("ready", flush=True)
number = 0
while True:
    cache.put(replace(key, window=(number % 5, 0, 1, 1)), made, root / ("a" * 64))
    number += 1
"""


def test_put__killed_in_the_middle__what_is_there_is_whole(tmp_path, source):
    cache, key = Embeddings(tmp_path), Key(COPY, (0, 0, 1, 1), (0.0, 1.0), "b" * 64)
    wanted = np.ones((256, 64, 64), np.float16)
    root = Path(__file__).parents[3]
    for wait_s in (0.002, 0.007, 0.013):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=root
        ) as writer:
            writer.stdout.readline()
            time.sleep(wait_s)
            writer.send_signal(signal.SIGKILL)
        for number in range(5):
            found = cache.get(replace(key, window=(number, 0, 1, 1)))
            assert found is None or np.array_equal(found.features, wanted)
    left = list((tmp_path / "embeddings").glob("arriving-*"))
    for path in left:
        os.utime(path, (1, 1))
    cache.put(key, Embedding(wanted, (1, 1), (1, 1)), source)
    assert not list((tmp_path / "embeddings").glob("arriving-*"))
