"""Plan files in, plan files out: QGroundControl `.plan`, `QGC WPL 110`, KML and KMZ, DJI WPML, GeoJSON.

`read_plan` decides by content, never by the name alone. Every reader is strict: a fault is a refusal
with its place, a MAVLink command is supported or refused by name, and nothing is dropped silently.
`convert` writes a plan in another format and lists everything that format cannot carry.
"""

from __future__ import annotations

from flights.formats.losses import Loss, Written
from flights.formats.reading import read_plan
from flights.formats.writing import FORMATS, SUFFIXES, carried, convert, format_of, write_plan

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Loss",
    "Written",
    "carried",
    "convert",
    "format_of",
    "read_plan",
    "write_plan",
]
