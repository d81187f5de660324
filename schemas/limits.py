"""All limits of the platform in one table: value, unit, reason, source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One limit that protects the platform from what is thrown at it."""

    value: int
    unit: str
    reason: str
    source: str


LIMITS: dict[str, Limit] = {
    "json.bytes": Limit(8 << 20, "bytes", "a plan of 10,000 vertices needs under 2 MB", "reliability.md 5 row 12"),
    "json.depth": Limit(32, "levels", "a deeper document is not a map", "reliability.md 4.6"),
    "json.digits": Limit(40, "digits", "no measured number has more", "reliability.md 5 row 26"),
    "geometry.vertices": Limit(10_000, "vertices", "one geometry", "ASTM F3548-21 OiMaxVertices"),
    "geometry.parts": Limit(1_000, "parts", "one multi-part geometry", "reliability.md 5 row 24"),
    "geometry.min_area": Limit(1, "m2", "smaller polygons are slivers", "reliability.md 5 row 20"),
    "plan.bytes": Limit(8 << 20, "bytes", "one plan file", "as json.bytes"),
    "plan.items": Limit(2_000, "items", "three times what an autopilot stores", "facts/flights.md 9"),
    "plan.rally": Limit(50, "points", "each is judged as a way home from everywhere; boards store fewer", "measured"),
    "xml.depth": Limit(40, "levels", "a deeper document is not a plan", "as json.depth"),
    "xml.elements": Limit(200_000, "elements", "plan.items waypoints of 100 elements each", "inferred"),
    "archive.entries": Limit(200, "entries", "a plan and its pictures", "our choice"),
    "archive.ratio": Limit(200, "times", "unpacked against packed size of one entry", "reliability.md 5 row 30"),
    "archive.small": Limit(1 << 20, "bytes", "below this no entry is a bomb", "our choice"),
    "plan.length": Limit(200_000, "m", "one flight; no patrol aircraft here goes further", "inferred"),
    "mission.items": Limit(650, "items", "what ArduCopter stores", "facts/flights.md 9"),
    "survey.area": Limit(50_000_000, "m2", "one flight of 200 km from 120 m with little overlap", "our choice"),
    "survey.corners": Limit(1_000, "corners", "of an area, and of what ways lead round", "our choice"),
    "survey.lines": Limit(300, "lines", "two items each and more do not fit into a mission", "mission.items"),
    "fence.points": Limit(70, "points", "storage of common boards", "ArduPilot polygon fence wiki"),
    "log.bytes": Limit(1 << 30, "bytes", "ten hours of a chatty autopilot", "measured on ArduCopter logs"),
    "capture.bytes": Limit(64 << 20, "bytes", "an hour of a busy radio channel, held in memory", "our choice"),
    "log.garbage": Limit(1 << 20, "bytes", "a log with more of it is no log", "our choice"),
    "log.reports": Limit(2_000_000, "records", "eleven hours at 50 a second, of one kind", "held in memory whole"),
    "raster.pixels": Limit(20_000_000_000, "pixels", "one scene; SKYWARDEN_SCENE_PIXELS sets another", "our choice"),
    "raster.block_bytes": Limit(256 << 20, "bytes", "what must be unpacked at once", "a strip of the widest image"),
    "raster.bands": Limit(16, "bands", "one scene", "reliability.md 4.3"),
    "raster.ratio": Limit(200, "times", "unpacked against packed size", "reliability.md 4.3"),
    "raster.exif_bytes": Limit(64 << 10, "bytes", "metadata of one photo", "reliability.md 5 row 47"),
    "product.entries": Limit(5_000, "files", "of a satellite product; one of Sentinel-2 has 200", "our choice"),
    "product.band_bytes": Limit(1 << 30, "bytes", "one band of a satellite product, packed", "20 bits a pixel at 10 m"),
    "frame.pixels": Limit(100_000_000, "pixels", "one photo", "the largest aerial cameras"),
    "terrain.lowest": Limit(-500, "m", "the lowest dry land is at -430 m", "the shore of the Dead Sea"),
    "terrain.highest": Limit(9_000, "m", "the highest mountain is 8,849 m", "Qomolangma"),
    "layer.bytes": Limit(256 << 20, "bytes", "one imported layer file", "a county's parcels"),
    "layer.json_bytes": Limit(64 << 20, "bytes", "one imported GeoJSON layer", "it is held in memory whole"),
    "layer.rows": Limit(200_000, "rows", "one imported layer file", "a county's parcels"),
    "coverage.devices": Limit(200_000, "devices", "twice a province of 100,000", "our choice"),
    "coverage.areas": Limit(10_000, "areas", "the plots of a county", "our choice"),
    "coverage.changes": Limit(50, "devices", "tried together on a map, before they are kept", "our choice"),
    "coverage.report_devices": Limit(5_000, "devices", "of a page; the command has no such limit", "our choice"),
    "coverage.cells": Limit(100_000_000, "cells", "a county at 5 m, 400 MB of heights", "our choice"),
    "demand.pieces": Limit(200_000, "pieces", "of demand on one ground; finer cells change no answer", "our choice"),
    "coverage.ground": Limit(2_000_000, "km2", "more than the largest province", "our choice"),
    "siting.candidates": Limit(20_000, "candidates", "of one question, a direction each; see bench", "our choice"),
    "siting.sites": Limit(1_000, "sites", "one plan; people review each of them twice", "our choice"),
    "patrol.drafts": Limit(1_000, "rows", "one file of areas or points; people check and approve each", "our choice"),
    "attachment.bytes": Limit(32 << 20, "bytes", "a scanned certificate or a photo", "our choice"),
    "upload.bytes": Limit(16 << 20, "bytes", "one body sent to a page", "twice plan.bytes"),
    "form.bytes": Limit(64 << 10, "bytes", "a form without a file", "reliability.md 4.3"),
    "form.parts": Limit(20, "parts", "one form", "reliability.md 4.3"),
    "things.bytes": Limit(8 << 20, "bytes", "a batch of 50,000 readings", "our choice"),
    "things.rows": Limit(50_000, "readings", "one batch; more is another batch", "things.bytes"),
    "things.filter": Limit(2_000, "characters", "one condition; address lines hold 4,094", "our choice"),
    "things.depth": Limit(20, "levels", "brackets and functions in one condition", "our choice"),
    "things.expand": Limit(3, "levels", "entities inside of entities", "our choice"),
    "things.page": Limit(1_000, "entities", "one page of a list", "our choice"),
    "things.ahead": Limit(600, "seconds", "how far the clock of a device may be ahead", "reliability.md 5 row 57"),
    "things.behind": Limit(1_827, "days", "how long a device may keep readings before it sends them", "our choice"),
    "snapshot.bytes": Limit(16 << 20, "bytes", "one picture of a camera", "our choice"),
    "form.long_bytes": Limit(512 << 10, "bytes", "the fields of a check-list, or of forty sites", "our choice"),
    "form.long_parts": Limit(4_000, "parts", "a decision on each site of a plan", "siting.sites"),
    "login.window": Limit(900, "seconds", "over which attempts are counted", "our choice"),
    "login.per_account": Limit(8, "attempts", "typing mistakes in one window", "our choice"),
    "login.per_network": Limit(60, "attempts", "an office behind one address in one window", "our choice"),
    "login.hashes": Limit(4, "at once", "64 MiB and four lanes each", "reliability.md 4.6"),
    "rate.pages": Limit(600, "a minute", "pages that one network reads from one process", "our choice"),
    "rate.tiles": Limit(6_000, "a minute", "a screen of the map is some 200 tiles of all layers", "our choice"),
    "rate.data": Limit(600, "a minute", "a program that pages through a layer, ten pages a second", "our choice"),
    "rate.asks": Limit(30, "a minute", "forms that one network sends", "our choice"),
    "asks.network": Limit(12, "forms", "what one network sends in one window", "our choice"),
    "asks.tries": Limit(30, "tries", "numbers and secret words from one network in one window", "our choice"),
    "asks.number": Limit(6, "tries", "at one receipt in one window; a word is one of 10^12", "our choice"),
    "ask.corners": Limit(100, "corners", "of a place; its feed's address has to hold them", "our choice"),
    "ask.watched": Limit(1_500_000_000, "m2", "a place to be told of, some 20 km around", "our choice"),
    "ask.zone": Limit(5_000_000, "m2", "a place that nobody is to watch", "our choice"),
    "ask.pending": Limit(3, "mails", "that ask one address whether it wants more, in two days", "our choice"),
    "ask.subscriptions": Limit(20, "places", "of one address", "our choice"),
    "password.bytes": Limit(4096, "bytes", "argon2 hashes no more", "reliability.md 4.6"),
}


def limit(name: str) -> int:
    """The value of the limit `name`; KeyError when there is none of that name."""
    return LIMITS[name].value
