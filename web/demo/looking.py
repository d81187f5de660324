"""The imagery of the demo: taken in, masked, segmented, judged, compared with the ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from schemas.actors import SYSTEM
from schemas.tables import Derivative, Detection, Scene, SegmentationRun
from sensing.decisions import assign_detection
from sensing.evaluate import Evaluation, Outline, evaluate, read_truth
from web.demo.story import Story
from web.scenes import ingest, segment
from web.wiring import Services

OFFICER = "O1"


def look(
    services: Services,
    story: Story,
    name: str,
    files: Sequence[Path],
    *,
    before: Path | None = None,
    flight: str | None = None,
) -> str:
    """Takes a scene in (with the one before it), segments it, and lays its findings before an officer."""
    earlier = ingest(services, [before]).scene.public_id if before else None
    taken = ingest(services, files, flight_id=flight)
    scene = taken.scene.public_id
    if taken.quarantined:
        story.tell(f"scene {scene}: {name}", "quarantined", ", ".join(sorted({r.rule for r in taken.quarantined})))
        return scene
    masked = taken.derivative.masked_pixels if taken.derivative else 0
    story.tell(f"scene {scene}: {name}", "taken in, zones burnt in", f"{masked:,} pixels masked, 0 left")
    # A start that was cut off may have read it: twice would lay every finding before the officer twice.
    run = (_newest_run(services, scene) if taken.known else None) or segment(services, scene, before=earlier).run
    found = _findings(services, scene)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(k for k, _ in found).items()))
    story.tell(f"findings in {scene}", kinds or "none", f"{run.runtime_s:.0f} s, {len(found)} for review")
    return scene


def compare(services: Services, story: Story, scene: str, truth: Path) -> tuple[Evaluation, int]:
    """Tells how well findings match the ground truth, and of how many look-alikes; misses are told, not hidden."""
    wanted, silent = read_truth(truth.read_bytes(), truth.name)
    found = [Outline(kind, geom) for kind, geom in _findings(services, scene)]
    result = evaluate(found, wanted, silent)
    for kind, value in result.median_iou().items():
        of_kind = [m for m in result.matches if m.truth.kind == kind]
        hit = sum(m.iou > 0 for m in of_kind)
        story.tell(f"  {kind} against ground truth", f"{hit} of {len(of_kind)} found", f"median IoU {value:.2f}")
    story.tell(
        "  lawful look-alikes",
        "none reported" if not result.hits else f"{len(result.hits)} reported by mistake",
        f"{len(silent)} in the scene, {len(result.false_alarms)} other false alarms",
    )
    for missed in result.misses:
        story.tell(f"  missed: {missed.kind}", missed.reason)
    return result, len(silent)


def _newest_run(services: Services, scene: str) -> SegmentationRun | None:
    with services.session() as session:
        runs = (
            select(SegmentationRun)
            .join(Derivative, Derivative.id == SegmentationRun.derivative_id)
            .join(Scene, Scene.id == Derivative.scene_id)
            .where(Scene.public_id == scene)
        )
        return session.scalar(runs.order_by(SegmentationRun.recorded_at.desc()).limit(1))


def assign_all(services: Services) -> int:
    """Gives every new finding to the officer of the demo."""
    with services.session() as session:
        new = session.scalars(select(Detection.public_id).where(Detection.state == "new")).all()
    for number in new:
        with services.work(SYSTEM) as work:
            assign_detection(work, number, OFFICER)
            work.commit()
    return len(new)


def _findings(services: Services, scene: str) -> list[tuple[str, BaseGeometry]]:
    with services.session() as session:
        rows = session.scalars(select(Detection).join(Scene).where(Scene.public_id == scene))
        return [(row.kind, to_shape(row.geom)) for row in rows]
