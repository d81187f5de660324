"""geoai's `predict_geotiff` as its user would call it, with a convolution of 1 x 1. Runs in the peer's own environment.

Each line of standard input is a JSON object: source, output, bands, classes. The module that holds the
function is loaded from its file, and with it the one that chooses a device, without the package around them and
without what that imports for other purposes.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch


def load(folder: Path, name: str, file: str) -> ModuleType:
    """A module of the package from its file."""
    spec = importlib.util.spec_from_file_location(name, folder / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Labels:
    """Makes labels of scores, and knows how many pixels have another label than the first."""

    marked = 0

    def __call__(self, scores: Any) -> Any:  # noqa: ANN401 - classes x height x width
        """The greatest score's number."""
        labels = scores.argmax(axis=0)[None]
        self.marked = int((labels > 0).sum())
        return labels


def unmoved(bands: int, classes: int) -> torch.nn.Conv2d:
    """A model that does nothing: whatever it sees, it says the first class."""
    model = torch.nn.Conv2d(bands, classes, 1)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    with torch.no_grad():
        model.bias[0] = 1.0
    return model


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Answers line by line until there are no more."""
    package = importlib.util.find_spec("geoai")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent
    sys.modules["geoai"] = ModuleType("geoai")
    load(folder, "geoai.utils", "utils/device.py")
    predict: Any = load(folder, "geoai.inference", "inference.py").predict_geotiff
    for line in sys.stdin:
        asked = json.loads(line)
        Path(asked["output"]).unlink(missing_ok=True)
        labels = Labels()
        predict(
            model=unmoved(asked["bands"], asked["classes"]),
            input_raster=asked["source"],
            output_raster=asked["output"],
            num_classes=asked["classes"],
            postprocess_fn=labels,
            output_dtype="uint8",
            output_nodata=255,
            device="cpu",
            verbose=False,
        )
        print(json.dumps({"marked": labels.marked, "peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
