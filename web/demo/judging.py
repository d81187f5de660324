"""How good the detectors are: districts of other seeds, made, loaded, read, and compared with their ground truth."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, text

from sample_data.make import make
from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.migrate import migrate
from sensing.evaluate import Evaluation
from sensing.intake import Told
from sensing.segment.spectral import Parameters, Spectral
from web.demo.looking import compare, look
from web.demo.story import Say, Story
from web.intake import ingest
from web.settings import ROOT, Settings
from web.wiring import Services

SATELLITE, DRONE = "satellite pair", "drone orthophoto"
HEAT, SMOKE, FLAMES = "satellite with fires", "the same without shortwave", "drone with fires"
_SIX_BANDS = ("red", "green", "blue", "nir", "swir1", "swir2")
# Each picture of a district: its file, the earlier one, its truth, and its bands where the file does not say them.
PICTURES = (
    (SATELLITE, "satellite_after.tif", "satellite_before.tif", "truth_satellite.geojson", ()),
    (DRONE, "drone_orthophoto.tif", None, "truth_drone.geojson", ()),
    (HEAT, "satellite_burning.tif", None, "truth_satellite_burning.geojson", _SIX_BANDS),
    (SMOKE, "satellite_smoke.tif", None, "truth_satellite_smoke.geojson", ()),
    (FLAMES, "drone_burning.tif", None, "truth_drone_burning.geojson", ()),
)
REQUIRED_IOU = 0.6
_ABOUT = """\
All imagery is made, by a generator that knows nothing of the detectors; real imagery is harder. The satellite pair is
two dates in four bands at 10 m, the orthophoto one date in plain colour at 0.25 m. On a day of their own things burn:
in six bands with the shortwave infrared, where flames show by their heat; in four of them, where only smoke shows; and
from the air, in a camera's colours. The smoke of flames that were found is told with them and counts as no finding of
its own. Dark smoke over bright ground and smoke across a town are what is missed for the most part. Where a picture
lacks the bands for a kind, nothing is said of it, and the reason is told.
"""


@dataclass
class Judgement:
    """What was seen over all seeds, by kind of imagery and kind of finding."""

    ious: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    silent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    misses: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    false_alarms: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, seed: int, imagery: str, result: Evaluation, silent: int) -> None:
        """Enters the outcome of one scene."""
        for match in result.matches:
            self.ious[imagery, match.truth.kind].append(match.iou)
        self.silent[imagery] += silent
        self.misses += [f"seed {seed}, {imagery}: {thing.kind} missed" for thing in result.misses]
        self.mistakes += [
            f"seed {seed}, {imagery}: {found.kind} reported on a lawful {quiet.kind} ({quiet.reason})"
            for found, quiet in result.hits
        ]
        self.false_alarms[imagery] += Counter(found.kind for found in result.false_alarms)

    @property
    def is_good(self) -> bool:
        """Whether every kind reaches the required overlap and no look-alike was reported."""
        return not self.mistakes and all(median(values) >= REQUIRED_IOU for values in self.ious.values())

    def page(self, seeds: Iterable[int]) -> str:
        """The figures as a page of documentation."""
        lines = [
            "# What the detectors find, and what they miss",
            "",
            f"Written by `./run skywarden sample judge`; seeds {', '.join(map(str, seeds))}, none of them used",
            "while the detectors were made. A miss counts as an overlap of zero; it is listed below, not hidden.",
            "",
            _ABOUT,
            f"Engine: {Spectral.name} {Spectral.version}, parameters {Parameters.load().sha256[:12]}.",
            "",
            "| Imagery | Kind | Things | Found | Median IoU | Lowest |",
            "|---|---|---|---|---|---|",
        ]
        for (imagery, kind), values in sorted(self.ious.items()):
            found = sum(value > 0 for value in values)
            lines.append(f"| {imagery} | {kind} | {len(values)} | {found} | {median(values):.2f} | {min(values):.2f} |")
        lines += ["", "| Imagery | Lawful look-alikes | Reported by mistake | Other false alarms |"]
        lines += ["|---|---|---|---|"]
        for imagery, count in sorted(self.silent.items()):
            wrong = sum(f", {imagery}: " in mistake for mistake in self.mistakes)
            alarms = self.false_alarms[imagery]
            told = ", ".join(f"{alarms[kind]} {kind}" for kind in sorted(alarms))
            lines.append(f"| {imagery} | {count} | {wrong} | {told or 0} |")
        failed = [*self.misses, *self.mistakes] or ["None."]
        return "\n".join([*lines, "", "## Misses and mistakes", "", *(f"- {line}" for line in failed), ""])


def judge_seeds(seeds: Iterable[int], today: date, say: Say) -> Judgement:
    """Makes, loads and reads the districts of `seeds`, each in a database of its own, and compares."""
    judgement = Judgement()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="skywarden-judge-") as folder:
            _judge(judgement, seed, Path(folder), (today, say))
    return judgement


def _judge(judgement: Judgement, seed: int, folder: Path, how: tuple[date, Say]) -> None:
    from web.cli.sample import load_sample

    today, say = how
    sample = folder / "sample"
    make(seed, sample, today=today)
    cluster = Cluster.for_checkout(ROOT)
    name = f"skywarden_judge_{seed}"
    services = Services(Settings(data_dir=folder / "data"), Database.of_cluster(cluster, name))
    with cluster.in_use():
        _drop(cluster, name)
        migrate(services.database)
        try:
            load_sample(services, sample)
            for imagery, file, earlier, truth, bands in PICTURES:
                story = Story(say)
                before = sample / earlier if earlier else None
                if bands:
                    ingest(services, [sample / file], told=Told(bands=bands))
                scene = look(services, story, imagery, [sample / file], before=before)
                result, silent = compare(services, story, scene, sample / truth)
                judgement.add(seed, imagery, result, silent)
                say(f"seed {seed}\n{story.table()}")
        finally:
            services.close()
            _drop(cluster, name)
            shutil.rmtree(sample, ignore_errors=True)


def _drop(cluster: Cluster, name: str) -> None:
    engine = create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    engine.dispose()
