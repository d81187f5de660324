"""What officers decided so far, applied to new finds: each is scored, and one that is unlikely is no lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sensing.learn.objects import Find, Floats, ObjectModel, describe, needed
from sensing.learn.sampling import Ground
from sensing.picture import Picture
from sensing.segment.model import ENGINE, NEEDED, RANKED, Candidate
from sensing.words import say


def rank(model: ObjectModel, ground: Ground, finds: Sequence[Find]) -> tuple[Floats, Floats]:
    """The calibrated score of each find, and the one that it needs to stay.

    A find of a kind that the model does not know keeps its score and needs none.
    """
    known = np.array([find.kind in model.kinds for find in finds], dtype=np.bool_)
    scores = np.array([find.score for find in finds], dtype=np.float64)
    chosen = [find for find in finds if find.kind in model.kinds]
    if chosen:
        scores[known] = model.scores(describe(ground, chosen, model.features, model.kinds))
    least = needed(scores, [find.geom for find in finds], model.thresholds)
    return scores, np.where(known, least, 0.0)


def ranked(model: ObjectModel, name: str, picture: Picture, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates with the score of the model and its words; `name` is the public id of the model.

    None is left out here: the law calls one that needs more than it has no lead, and says so.
    """
    finds = [Find(one.kind, one.geom, one.score) for one in candidates]
    scores, least = rank(model, Ground(picture), finds)
    return tuple(
        _scored(one, name, float(score), float(need)) if one.kind in model.kinds else one
        for one, score, need in zip(candidates, scores, least, strict=True)
    )


def _scored(one: Candidate, name: str, score: float, least: float) -> Candidate:
    measures = {**one.measures, ENGINE: one.score, RANKED: score, NEEDED: least}
    words = (*one.trace, say("seen.ranked", model=name, score=score))
    return replace(one, score=score, measures=measures, trace=words)
