"""samgeo's `raster_to_vector` as its user would call it. Runs in the peer's own environment.

Each line of standard input is a JSON object: source, output, tolerance. The module that holds the function is loaded
from its file, without the package around it and without torch and OpenCV, which it imports and the function never uses.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pyogrio


def raster_to_vector() -> Callable[..., None]:
    """The function as it is released."""
    package = importlib.util.find_spec("samgeo")
    assert package is not None
    assert package.origin is not None
    for unused in ("cv2", "torch"):
        sys.modules[unused] = MagicMock()
    spec = importlib.util.spec_from_file_location("samgeo_common", Path(package.origin).with_name("common.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., None] = module.raster_to_vector
    return function


def main() -> None:
    """Answers line by line until there are no more."""
    function = raster_to_vector()
    for line in sys.stdin:
        asked = json.loads(line)
        Path(asked["output"]).unlink(missing_ok=True)
        function(asked["source"], asked["output"], simplify_tolerance=asked["tolerance"])
        print(json.dumps({"polygons": pyogrio.read_info(asked["output"])["features"]}), flush=True)


if __name__ == "__main__":
    main()
