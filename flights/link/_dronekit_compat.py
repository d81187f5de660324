"""Makes dronekit 2.9.2 importable on Python 3.10 and newer; import dronekit only from here.

dronekit was last released in 2019. It needs `past.builtins.basestring`, which pymavlink stopped bringing
along, and `collections.MutableMapping`, which Python 3.10 removed. It must also find pymavlink set to
MAVLink 2: otherwise it names messages and modes by the wrong dialect.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import logging
import os
import sys
import threading
import types
from typing import Any

DIALECT = "ardupilotmega"
_ONE_AT_A_TIME = threading.Lock()


def _choose_mavlink_2() -> None:
    """Fixes the dialect; pymavlink reads it from the environment and has no other switch."""
    os.environ["MAVLINK20"] = "1"  # noqa: TID251
    os.environ["MAVLINK_DIALECT"] = DIALECT  # noqa: TID251


def _past() -> types.ModuleType:
    past, builtins = types.ModuleType("past"), types.ModuleType("past.builtins")
    builtins.basestring = str  # type: ignore[attr-defined]
    past.builtins = builtins  # type: ignore[attr-defined]
    return past


def load() -> Any:  # noqa: ANN401
    """The module `dronekit`, imported once, with nothing of the shim left behind in `collections`."""
    # Links are opened by several threads at once, and a module stands in `sys.modules` before it can be used.
    with _ONE_AT_A_TIME:
        return sys.modules["dronekit"] if "dronekit" in sys.modules else _load()


def _load() -> Any:  # noqa: ANN401
    _choose_mavlink_2()
    from pymavlink import mavutil

    if mavutil.mavlink.WIRE_PROTOCOL_VERSION != "2.0":
        # Somebody imported pymavlink before us, for MAVLink 1.
        mavutil.set_dialect(DIALECT)
    past = _past()
    sys.modules.setdefault("past", past)
    sys.modules.setdefault("past.builtins", past.builtins)
    missing = not hasattr(collections, "MutableMapping")
    if missing:
        collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined]
    # It logs an error for every parameter that it has to send again; set_parameter reads them all back.
    logging.getLogger("dronekit").setLevel(logging.CRITICAL)
    try:
        return importlib.import_module("dronekit")
    finally:
        if missing:
            del collections.MutableMapping  # type: ignore[attr-defined]
