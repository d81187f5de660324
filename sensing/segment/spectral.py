"""Touches the disk: the default engine. Needs no weights, no GPU and no training; works on day one.

A scene is surveyed once; its bands are then looked at one by one, in whole numbers, so that neither the size of a
window nor who does the work changes anything; connected areas are examined one by one; what remains becomes candidates.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import rfc8785
import yaml

from sensing.segment.bands_run import band_sha256, run_band
from sensing.segment.detectors import PAIR, SINGLE, choose
from sensing.segment.finds import candidate, finds, join
from sensing.segment.manifest import Manifest, work_through
from sensing.segment.model import Job, Progress, Segmentation
from sensing.segment.painting import content_sha256, paint_shapes
from sensing.segment.scenery import caching, opened, prepare, recall, remember

# Share of the work that looking at bands is, as far as progress tells.
_BANDS_SHARE = 0.8
WAYS = (PAIR, SINGLE)


@dataclass(frozen=True)
class Parameters:
    """The numbers of the engine, from `sensing/rules/spectral.yaml`."""

    values: Mapping[str, Any]

    @classmethod
    def load(cls) -> Parameters:
        """Read the file that comes with the engine."""
        text = resources.files("sensing").joinpath("rules", "spectral.yaml").read_text(encoding="utf-8")
        return cls(yaml.safe_load(text))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the numbers in canonical JSON."""
        return hashlib.sha256(rfc8785.dumps(dict(self.values))).hexdigest()


def _sha256(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


class Spectral:
    """Indices, brightness, colour, texture and change, relative to the scene (implements `Segmenter`)."""

    name = "spectral"
    version = "1"

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters.load()

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the numbers of the engine; implements `Segmenter.parameters_sha256`."""
        return self.parameters.sha256

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """Look for every kind that the scene allows to be judged; implements `Segmenter.segment`."""
        setting = self._setting(job)
        learned = {"learned": job.learned.dump()} if job.learned else {}
        parameters = {**self.parameters.values, **learned}
        manifest = Manifest(
            key=job.key,
            folder=job.workdir,
            rows=job.after.grid.height,
            band_px=job.band_px,
            shared={"setting": setting, "parameters": parameters, "tile_px": job.tile_px},
            sha256_of=band_sha256,
        )
        outcomes = work_through(manifest, run_band, job.hands, job.memory, lambda done: progress(done * _BANDS_SHARE))
        with caching(setting), opened(setting) as scene:
            detectors, refused = choose(scene.facts, parameters)
            joined = join(manifest, outcomes, scene, detectors, job.workdir)
            found = finds(joined, manifest, outcomes, job.hands)
            numbers = {detector.kind: number for number, detector in reversed([*enumerate(detectors, start=1)])}
            labels = job.workdir / "labels.tif"
            paint_shapes(labels, scene.after.grid, [[(one.rim, numbers[one.kind]) for one in found]])
            progress(1.0)
            return Segmentation(
                candidates=tuple(candidate(one, scene) for one in found),
                refused=refused,
                labels=labels,
                labels_sha256=content_sha256(labels),
                coverage=joined.coverage,
                tally=joined.tally,
                parameters_sha256=self.parameters.sha256,
                bands=len(manifest),
                failed={one.number: one.reason for one in outcomes.values() if one.reason is not None},
                shift_px=tuple(setting["shift_px"]),
                fit=setting["fit"],
                clouds=setting["clouds"],
                stretch_sha256=_sha256(setting["facts"]["survey"]),
            )

    def _setting(self, job: Job) -> dict[str, Any]:
        """What all bands share; that of an earlier attempt, where its files are still what they were."""
        kept = recall(job.workdir, job.key)
        if kept is not None:
            return kept
        colours = {way: {**self.parameters.values["surface"], **self.parameters.values[way]["colours"]} for way in WAYS}
        setting = prepare(job, colours)
        remember(job.workdir, job.key, setting)
        return setting
