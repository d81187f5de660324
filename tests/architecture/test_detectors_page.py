"""The page on what the detectors find was written with the detectors that are in force."""

from __future__ import annotations

from pathlib import Path

from sensing.segment.spectral import Parameters, Spectral

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"


def test_detectors_page__written_with_the_engine_in_force():
    engine = f"Engine: {Spectral.name} {Spectral.version}, parameters {Parameters.load().sha256[:12]}."
    assert engine in PAGE.read_text(encoding="utf-8"), "run `./run skywarden sample judge --out docs/detectors.md`"
