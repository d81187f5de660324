"""The re-ranker of finds: what officers accepted and rejected, as a forest of arrays that numpy walks through.

The trees are fitted by scikit-learn and kept as plain arrays, without pickle; walking through them here gives the
very numbers that scikit-learn gives.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import minimize
from shapely.geometry.base import BaseGeometry
from threadpoolctl import threadpool_limits

from geo.crs import to_metric, to_wgs84, utm_epsg_of
from schemas.refusals import invalid
from sensing.learn.calibration import PLAIN, better
from sensing.learn.fit import FOLDS, Numbers, Progress, folds_of
from sensing.learn.pixel import corrupt, pack, unpack
from sensing.learn.sampling import Ground
from sensing.segment.areas import elongation, rectangularity, solidity

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

FORMAT = "skywarden-object-model-1"
SHAPE = ("size", "rectangularity", "elongation", "solidity", "roundness", "holes", "engine_score")

_TREES, _LEAF, _SEED = 200, 2, 20_250_702
_MOST_PIXELS = 1_000
# The surroundings of a find reach as far as half of its width, and at least so many pixels.
_RING_PX = 3.0
_LONGEST = 50.0
_DIGITS = 4
_SLOPES = (0.05, 20.0)
PLATT = "platt"


@dataclass(frozen=True)
class Find:
    """A find as the re-ranker sees it: kind, shape (EPSG:4326), and the score that the engine gave it."""

    kind: str
    geom: shapely.Polygon
    score: float


@dataclass(frozen=True)
class Thresholds:
    """A find with a neighbour within `near_m` needs `together` to stay, an isolated one `alone`."""

    alone: float = 0.6
    together: float = 0.4
    near_m: float = 300.0


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees one after another: `left` and `right` are the next nodes, -1 at a leaf; `value` the share of accepted."""

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats

    def scores(self, features: Singles) -> Floats:
        """The share of trees' votes for `accepted`; `features` is finds x features, float32 as the trees split it."""
        total = np.zeros(len(features))
        rows = np.arange(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            inside = self.left[node] >= 0
            while inside.any():
                at = node[inside]
                goes_left = features[rows[inside], self.feature[at]] <= self.threshold[at]
                node[inside] = np.where(goes_left, self.left[at], self.right[at])
                inside = self.left[node] >= 0
            total += self.value[node]
        return total / len(self.roots)


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """A trained re-ranker: how likely an officer accepts a find of one of its kinds.

    `features` are the names of the pixel features that finds are described by; `slope` and `bias` calibrate.
    """

    features: tuple[str, ...]
    kinds: tuple[str, ...]
    forest: Forest
    slope: float = 1.0
    bias: float = 0.0
    thresholds: Thresholds = Thresholds()

    def scores(self, described: Singles) -> Floats:
        """Calibrated scores in [0, 1] of finds (finds x numbers, as `describe` gives them), to four digits."""
        raw = _logit(self.forest.scores(described), len(self.forest.roots))
        return np.round(1.0 / (1.0 + np.exp(-(self.slope * raw + self.bias))), _DIGITS)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The model as an npz file without pickle; the same model gives the same bytes."""
        about = {
            "format": FORMAT,
            "features": list(self.features),
            "kinds": list(self.kinds),
            "slope": self.slope,
            "bias": self.bias,
            "thresholds": vars(self.thresholds),
        }
        return pack(about, vars(self.forest))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model of a file; raises RuleViolation `model.corrupt` for anything that is not a sound model."""
        about, arrays = unpack(data, FORMAT)
        try:
            model = cls(
                features=tuple(map(str, about["features"])),
                kinds=tuple(map(str, about["kinds"])),
                forest=Forest(**arrays),
                slope=float(about["slope"]),
                bias=float(about["bias"]),
                thresholds=Thresholds(**{name: float(value) for name, value in about["thresholds"].items()}),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise corrupt("its parts") from error
        _check(model)
        return model


def columns(features: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """The names of the numbers that describe a find."""
    looks = (f"{what}_{name}" for what in ("mean", "spread", "against") for name in features)
    return (*looks, *SHAPE, *(f"is_{kind}" for kind in kinds))


def describe(ground: Ground, finds: Sequence[Find], features: Sequence[str], kinds: Sequence[str]) -> Singles:
    """Finds in numbers (finds x columns): colour and texture inside, against the surroundings, form, kind."""
    rows = [_row(ground, find, features, kinds) for find in finds]
    width = len(columns(features, kinds))
    return np.array(rows, dtype=np.float32).reshape(len(finds), width)


def _row(ground: Ground, find: Find, features: Sequence[str], kinds: Sequence[str]) -> list[float]:
    epsg = utm_epsg_of(find.geom)
    placed = to_metric(find.geom, epsg)
    inside = ground.features(ground.pixels(find.geom, most=_MOST_PIXELS), features).astype(np.float64)
    around = ground.features(ground.pixels(_ring(find.geom, ground), most=_MOST_PIXELS), features).astype(np.float64)
    mean, outside = _mean(inside), _mean(around)
    spread = inside.std(axis=1) if inside.shape[1] else np.zeros(len(features))
    roundness = 4 * math.pi * placed.area / max(placed.length, 1e-9) ** 2
    form = [
        math.log(max(placed.area, 1.0)),
        rectangularity(placed),
        min(elongation(placed), _LONGEST),
        solidity(placed),
        roundness,
        float(len(placed.interiors)),
        find.score,
    ]
    return [*mean, *spread, *(mean - outside), *form, *(float(find.kind == kind) for kind in kinds)]


def _mean(planes: Floats) -> Floats:
    return planes.mean(axis=1) if planes.shape[1] else np.zeros(len(planes))


def _ring(geom: shapely.Polygon, ground: Ground) -> BaseGeometry:
    epsg = utm_epsg_of(geom)
    placed = to_metric(geom, epsg)
    reach_m = max(0.5 * math.sqrt(placed.area), _RING_PX * ground.picture.gsd_m)
    return to_wgs84(shapely.difference(placed.buffer(reach_m), placed.buffer(ground.picture.gsd_m)), epsg)


# -- fitting --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Decisions:
    """Finds that officers decided: described, accepted or not, with the area and the district of each."""

    features: tuple[str, ...]
    kinds: tuple[str, ...]
    described: Singles
    accepted: NDArray[np.bool_]
    of_area: Numbers
    of_district: Numbers
    districts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ranked:
    """A re-ranker and what models that did not see its area said of each find; NaN where none could be made.

    `way` says how its scores were calibrated, if that made them better.
    """

    model: ObjectModel
    raw: Floats
    calibrated: Floats
    way: str = PLAIN


def fit_objects(decisions: Decisions, *, progress: Progress = lambda _: None) -> Ranked:
    """A re-ranker of all decisions, calibrated on areas that were held out.

    Raises RuleViolation `model.one_answer` where officers accepted everything or nothing.
    """
    if len(set(decisions.accepted.tolist())) < 2:
        raise invalid("model.one_answer", measured="accept" if decisions.accepted.all() else "reject")
    fold = folds_of(decisions.of_area, decisions.accepted.astype(np.int64))
    raw = np.full(len(fold), np.nan)
    for number in range(FOLDS):
        inside = fold == number
        if inside.any() and len(set(decisions.accepted[~inside].tolist())) == 2:
            forest = _grow(decisions.described[~inside], decisions.accepted[~inside])
            raw[inside] = _logit(forest.scores(decisions.described[inside]), len(forest.roots))
        progress((number + 1) / (FOLDS + 1))
    known = ~np.isnan(raw)
    calibrated = np.full(len(fold), np.nan)
    for number in np.unique(fold[known]):
        # Each fold by what the others call for; the same finds must not praise themselves.
        others = known & (fold != number)
        slope, bias = platt(raw[others], decisions.accepted[others])
        mine = known & (fold == number)
        calibrated[mine] = _sigmoid(slope * raw[mine] + bias)
    model = ObjectModel(decisions.features, decisions.kinds, _grow(decisions.described, decisions.accepted))
    plain, right = _sigmoid(raw), decisions.accepted[known]
    way = better({PLAIN: plain[known], PLATT: calibrated[known]}, right)
    if way == PLATT:
        slope, bias = platt(raw[known], right)
        model = replace(model, slope=slope, bias=bias)
    progress(1.0)
    return Ranked(model, plain, calibrated if way == PLATT else plain, way)


def _grow(described: Singles, accepted: NDArray[np.bool_]) -> Forest:
    # Loaded when it is needed: pandas and pyarrow come along, and most processes fit nothing.
    from sklearn.ensemble import ExtraTreesClassifier

    trees = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=_SEED)
    with threadpool_limits(1):
        trees.fit(described, accepted)
    return exported(trees)


def exported(trees: ExtraTreesClassifier) -> Forest:
    """The arrays of fitted trees that tell two classes apart; the second one is `accepted`."""
    parts = [tree.tree_ for tree in trees.estimators_]
    sizes = np.array([part.node_count for part in parts])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)

    def moved(name: str) -> NDArray[np.int32]:
        ways = [
            np.where(getattr(p, name) < 0, -1, getattr(p, name) + root) for p, root in zip(parts, roots, strict=True)
        ]
        return np.concatenate(ways).astype(np.int32)

    return Forest(
        roots=roots,
        feature=np.maximum(np.concatenate([part.feature for part in parts]), 0).astype(np.int32),
        threshold=np.concatenate([part.threshold for part in parts]).astype(np.float64),
        left=moved("children_left"),
        right=moved("children_right"),
        value=np.concatenate([part.value[:, 0, 1] for part in parts]).astype(np.float64),
    )


def platt(logits: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and bias that make the outcomes most likely; a flat or falling line is refused for a gentle one."""
    if len(set(right.tolist())) < 2:
        return 1.0, 0.0

    def surprise(line: Floats) -> float:
        z = np.where(right, 1.0, -1.0) * (line[0] * logits + line[1])
        # A pinch of doubt keeps few decisions from being taken for certainty.
        return float(np.logaddexp(0.0, -z).sum() + 0.05 * (math.log(line[0]) ** 2 + line[1] ** 2))

    found = minimize(surprise, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[_SLOPES, (-20.0, 20.0)])
    return float(found.x[0]), float(found.x[1])


def _logit(share: Floats, trees: int) -> Floats:
    """The log odds of a share of votes; none or all of the trees are as good as half a tree off."""
    least = 0.5 / trees
    held = np.clip(share, least, 1 - least)
    return np.log(held / (1 - held))


def _sigmoid(logits: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logits))


# -- use ------------------------------------------------------------------------------------------


def needed(scores: Sequence[float] | Floats, shapes: Sequence[BaseGeometry], limits: Thresholds) -> Floats:
    """The score that each find needs to stay: more where it is isolated than with a likely one near it (EPSG:4326)."""
    given = np.asarray(scores, dtype=np.float64)
    least = np.full(len(given), limits.alone)
    likely = np.flatnonzero(given >= limits.together)
    if not len(likely) or len(given) < 2:
        return least
    epsg = utm_epsg_of(shapely.union_all([shape.centroid for shape in shapes]))
    placed = [to_metric(shape, epsg) for shape in shapes]
    tree = shapely.STRtree([placed[n] for n in likely])
    one, other = tree.query(placed, predicate="dwithin", distance=limits.near_m)
    least[one[one != likely[other]]] = limits.together
    return least


def kept(scores: Sequence[float] | Floats, shapes: Sequence[BaseGeometry], limits: Thresholds) -> NDArray[np.bool_]:
    """Which finds stay."""
    stays: NDArray[np.bool_] = np.asarray(scores, dtype=np.float64) >= needed(scores, shapes, limits)
    return stays


def _check(model: ObjectModel) -> None:
    """Raise RuleViolation `model.corrupt` where a walk could leave the forest or never end."""
    forest = model.forest
    size = len(forest.left)
    kinds: Mapping[str, Any] = {"roots": np.int32, "feature": np.int32, "left": np.int32, "right": np.int32}
    for name, array in vars(forest).items():
        if array.ndim != 1 or array.dtype != kinds.get(name, np.float64):
            raise corrupt("its trees")
        if name != "roots" and len(array) != size:
            raise corrupt("its trees")
    node = np.arange(size)
    leaf = forest.left < 0
    # Children come after their parents, so every walk ends.
    ways = [(way > node) & (way < size) for way in (forest.left, forest.right)]
    sound = (leaf & (forest.right < 0)) | (~leaf & ways[0] & ways[1])
    width = len(columns(model.features, model.kinds))
    inside = (forest.feature >= 0) & (forest.feature < width)
    shares = (forest.value >= 0) & (forest.value <= 1)
    roots = len(forest.roots) > 0 and ((forest.roots >= 0) & (forest.roots < size)).all()
    if not (roots and sound.all() and inside.all() and shares.all() and np.isfinite(forest.threshold).all()):
        raise corrupt("its trees")
    limits = model.thresholds
    if not (0 <= limits.together <= limits.alone <= 1 and 0 <= limits.near_m < 1e5):
        raise corrupt("its thresholds")
    if not (math.isfinite(model.slope) and math.isfinite(model.bias)):
        raise corrupt("its calibration")
