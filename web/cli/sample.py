"""`skywarden sample`: the fictional district, made from a seed and loaded as an import."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from shapely.geometry import LineString, Point

from flights.ground import TERRAIN_FILE
from flights.mission import RouteSpec, compile_route
from geo.terrain import Terrain
from geo.types import LonLat
from sample_data.fixtures import PATROL_AREA_1
from sample_data.load import Account, CompileRoute, load
from sample_data.make import MANIFEST, make
from schemas.clock import SystemClock
from schemas.rules import Rulebook, RulePack
from web.cli.common import pass_services
from web.demo.planning import work_on_drafts
from web.identity.passwords import Passwords
from web.wiring import Services

DEFAULT_SEED = 7
SEED = click.IntRange(0, 2**32 - 1)


def directory_of(services: Services, seed: int) -> Path:
    """Where the made district of a seed lies."""
    return services.data_dir / "sample" / str(seed)


def rules_of_district(rulebook: Rulebook, at: datetime) -> RulePack:
    """The rule pack under which the fictional district lies; its zone says which day it is there."""
    return rulebook.at_place(PATROL_AREA_1, at)


def compiler(dem: Path) -> CompileRoute:
    """Compiles routes over the district's own terrain."""

    def compile_over(
        line: LineString, alt_agl_m: float, home: Point, speed_m_s: float, trigger_m: float
    ) -> tuple[dict[str, Any], str, float]:
        spec = RouteSpec(line, alt_agl_m, LonLat(home.x, home.y), speed_m_s, trigger_m)
        with Terrain.open(dem) as ground:
            mission = compile_route(spec, ground)
        home_m = mission.home.alt_amsl_m
        if home_m is None:
            raise ValueError("a compiled mission knows the height of its home")
        return mission.document(), mission.digest, home_m

    return compile_over


def load_sample(services: Services, directory: Path) -> list[Account]:
    """Loads a made district; gives the accounts, or none where the sample is loaded already."""
    return load(
        directory,
        services.work,
        compile_route=compiler(directory / "dem.tif"),
        hash_password=Passwords().hash,
        terrain=services.data_dir / TERRAIN_FILE,
    )


@click.group()
def sample() -> None:
    """The fictional Qinghe District."""


@sample.command("make")
@click.option("--seed", type=SEED, default=DEFAULT_SEED, show_default=True)
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="The day it is made for; today without it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write into.")
@pass_services
def make_command(services: Services, seed: int, today: datetime | None, out: Path | None) -> None:
    """Makes the district of a seed: registers, maps, terrain, imagery with ground truth."""
    target = out or directory_of(services, seed)
    now = services.clock.now()
    day = today.date() if today else rules_of_district(services.rulebook, now).local_date(now)
    manifest = make(seed, target, today=day, progress=click.echo)
    click.echo(f"{len(manifest['files'])} files in {target}")


@sample.command("load")
@click.option("--seed", type=SEED, default=DEFAULT_SEED, show_default=True)
@pass_services
def load_command(services: Services, seed: int) -> None:
    """Loads a made district into the database and prints its accounts, once."""
    directory = directory_of(services, seed)
    if not (directory / MANIFEST).exists():
        raise click.UsageError(f"There is no district of seed {seed} yet: skywarden sample make --seed {seed}")
    accounts = load_sample(services, directory)
    if accounts:
        work_on_drafts(services)
    else:
        click.echo("The sample data is loaded already.")
    for account in accounts:
        click.echo(f"{account.code:<4}{account.role:<22}{account.password}")


@sample.command("judge")
@click.option("--first", type=SEED, default=101, show_default=True, help="First of the seeds.")
@click.option("--count", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this page.")
def judge_command(first: int, count: int, out: Path | None) -> None:
    """Judges the detectors on districts of seeds that they were not made on; ends with 1 where they fall short."""
    from web.demo.judging import judge_seeds

    seeds = range(first, first + count)
    now = SystemClock().now()
    judgement = judge_seeds(seeds, rules_of_district(Rulebook.load(), now).local_date(now), click.echo)
    page = judgement.page(seeds)
    click.echo(page)
    if out:
        out.write_text(page, encoding="utf-8")
    if not judgement.is_good:
        raise SystemExit(1)
