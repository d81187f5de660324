"""geoai's `predict_geotiff` as its user would call it, with a convolution of 1 x 1. Runs in the peer's own environment.

Each line of standard input is a JSON object: source, output, bands, classes, and whether labels are wanted in place of
the scores that it writes by itself; or counted, a file whose pixels of another label than the first are to be counted.
The module that holds the function is loaded from its file, and with it the one that chooses a device, without the
package around them and without what that imports for other purposes.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import rasterio
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


def labels(scores: Any) -> Any:  # noqa: ANN401 - classes x height x width
    """The greatest score's number."""
    return scores.argmax(axis=0)[None]


# Labels are whole numbers, and take the place of the scores of all classes.
LABELS = {"postprocess_fn": labels, "output_dtype": "uint8", "output_nodata": 255}


def marked(path: str) -> int:
    """How many pixels of an output have another label than the first."""
    count = 0
    with rasterio.open(path) as written:
        for _, window in written.block_windows(1):
            planes = written.read(window=window)
            count += int(((labels(planes) if written.count > 1 else planes) > 0).sum())
    return count


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
        if "counted" in asked:
            print(json.dumps(marked(asked["counted"])), flush=True)
            continue
        Path(asked["output"]).unlink(missing_ok=True)
        predict(
            model=unmoved(asked["bands"], asked["classes"]),
            input_raster=asked["source"],
            output_raster=asked["output"],
            num_classes=asked["classes"],
            device="cpu",
            verbose=False,
            **(LABELS if asked["labels"] else {}),
        )
        print(json.dumps(peak_bytes()), flush=True)


if __name__ == "__main__":
    main()
