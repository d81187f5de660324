"""Outlines of the symbols, in a 20 x 20 box: one source for the legend of the page and the pictures of the map."""

from __future__ import annotations

OUTLINES = {
    "video": "M10 2.6a7.4 7.4 0 1 1 0 14.8a7.4 7.4 0 1 1 0-14.8z",
    "radar": "M10 2 18.4 16.8H1.6z",
    "water_quality": "M10 1.2c3.7 4.6 5.9 7.6 5.9 10.7a5.9 5.9 0 0 1-11.8 0c0-3.1 2.2-6.1 5.9-10.7z",
    "air": "M10 1.2 18.8 10 10 18.8 1.2 10z",
    "noise": "M3 3h14v14H3z",
    "satellite_ref": "M10 1.4 17.4 5.7v8.6L10 18.6 2.6 14.3V5.7z",
    "deployment_point": "M2.6 1.2h2.6v1.6h13l-3.4 5.4 3.4 5.4h-13v5.2H2.6z",
    "drone": "M7 1.6h6V7h5.4v6H13v5.4H7V13H1.6V7H7z",
}
