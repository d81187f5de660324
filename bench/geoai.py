"""A model that does nothing, over a whole scene: ours against `predict_geotiff` of geoai, in time and in memory.

The peer runs as its own defaults have it, which write the scores of all classes, with a convolution of 1 x 1 that says
the first class everywhere, in an environment of its own; and once more told to write labels alone, which is the least
that it can be asked for. Ours is a pixel model that says the same; what the default engine looks for by itself is
switched off by its parameters. Masks, privacy, the border, labels, confidence and coverage are in ours all the same.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.environments import PeerMissing, Worker, worker
from bench.measure import FEWEST_ROUNDS, Result, compare, limited, not_measured
from bench.raster import Written, scene
from bench.segmenting import BANDS, WORKERS, from_the_beginning, memory_of
from sensing.learn.pixel import NONE, Layer, PixelModel
from sensing.segment.detectors import KINDS
from sensing.segment.executors import PROCESSES, Hands, hands
from sensing.segment.learned import Learned
from sensing.segment.spectral import Parameters, Spectral

SIDE_PX = 8192
NAME = "a model that does nothing, 8192 px square"
LABELS = "a model that does nothing, the peer told to write labels alone"
MEMORY = "memory of a model that does nothing, all processes together"
PEER = "geoai 0.40.1 predict_geotiff, 1 x 1 convolution"
NOTE = "geoai without its dependencies but torch 2.13.0, rasterio and numpy: all that predict_geotiff imports"
TARGET, LABELS_TARGET, MEMORY_TARGET = 10.0, 5.0, 8.0
CLASSES = 8


# Nine planes of eight bytes for every pixel of the scene, their copies, and what torch takes.
NEEDED_BYTES = 15 << 30


def rows(rounds: int) -> list[Result]:
    """Three rows."""
    if available_bytes() < NEEDED_BYTES:
        why = f"the peer needs {NEEDED_BYTES / 1e9:.0f} GB of memory, and {available_bytes() / 1e9:.0f} GB are left"
        return [not_measured(name, PEER, target, why) for name, target in _ROWS]
    shown = scene(SIDE_PX)
    with tempfile.TemporaryDirectory(dir=shown.path.parent) as folder:
        model = doing_nothing(Path(folder))
        try:
            with worker("geoai", "predict.py") as peer, hands(PROCESSES, workers=WORKERS) as crew:
                return _compared((shown, model), peer, crew, min(rounds, FEWEST_ROUNDS))
        except PeerMissing as missing:
            return [not_measured(name, PEER, target, str(missing)) for name, target in _ROWS]


_ROWS = ((NAME, TARGET), (LABELS, LABELS_TARGET), (MEMORY, MEMORY_TARGET))


def _compared(work: tuple[Written, Learned], peer: Worker, crew: Hands, rounds: int) -> list[Result]:
    shown, model = work
    output = shown.path.with_name("geoai.tif")
    asked = {"source": str(shown.path), "output": str(output), "bands": len(BANDS), "classes": CLASSES}
    engine = engine_off()
    peaks: list[int] = []

    def theirs(with_labels: bool) -> None:
        peaks.append(peer.call(asked | {"labels": with_labels}))

    rows = [
        compare(
            name,
            PEER,
            lambda: len(from_the_beginning(shown, crew, engine, model).candidates),
            partial(theirs, with_labels),
            # What the peer wrote is counted on nobody's clock.
            same=lambda ours, _: ours == peer.call({"counted": str(output)}) == 0,
            target=target,
            rounds=rounds,
            is_slow=True,
        )
        for name, target, with_labels in ((NAME, TARGET, False), (LABELS, LABELS_TARGET, True))
    ]
    together = memory_of(shown, engine, model).together
    rows.append(limited(MEMORY, PEER, together / 1e6, max(peaks) / 1e6, MEMORY_TARGET))
    return [replace(row, note=row.note or NOTE) for row in rows]


def available_bytes() -> int:
    """The memory that this machine can still give without swapping."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


def engine_off() -> Spectral:
    """The engine with none of its own kinds: no scene has pixels large enough."""
    usual = Parameters.load().values
    return Spectral(Parameters({**usual, "surface": {**usual["surface"], "finest_m": 1e9}}))


def doing_nothing(folder: Path) -> Learned:
    """A pixel model of as many classes on four bands, whose answer is always that there is nothing of interest."""
    kinds = KINDS[: CLASSES - 1]
    bias = np.zeros(CLASSES, np.float32)
    bias[0] = 1000.0
    model = PixelModel(
        features=tuple(role.value for role in BANDS),
        classes=(NONE, *kinds),
        codes=np.arange(CLASSES, dtype=np.uint8),
        layers=(Layer(np.zeros((CLASSES, len(BANDS)), np.float32), bias),),
        unit=100.0,
    )
    path = folder / "model.npz"
    path.write_bytes(model.to_bytes())
    return Learned("MV-1", model.sha256, path, kinds)
