"""`skywarden demo`: the whole line on the fictional district, and then its pages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Connection, text

from flights.ground import TERRAIN_FILE
from sample_data.load import Account, is_loaded
from sample_data.make import MANIFEST, OF_DEMO, make
from sample_data.registers import KEY as SAMPLE
from schemas.store import ledger, verify_proof
from schemas.store.work import find
from schemas.tables import DeploymentPoint, Installation
from web.cli.common import pass_services
from web.cli.sample import DEFAULT_SEED, SEED, directory_of, load_sample, rules_of_district
from web.cli.serve import ensure_servable, serve_pages
from web.demo.daylight import latest_daylight
from web.demo.flying import check_plans, end_leftovers, file_flight, fly
from web.demo.looking import assign_all, compare, look
from web.demo.planning import WITNESSED, work_on_drafts
from web.demo.speaking import speak
from web.demo.story import Story
from web.proofs.documents import proof_of
from web.settings import ROOT
from web.wiring import Services
from web.witnessing import prove_now

STOP_TIMEOUT_S = 20.0
SHOWN_ACCOUNTS = ("F1", "O1", "H1", "N1", "L1", "T1", "P1")


@click.command()
@click.option("--once", is_flag=True, help="End after the table instead of serving the pages.")
@click.option("--seed", type=SEED, help=f"Seed of the district; {DEFAULT_SEED}, or the one that is loaded.")
@pass_services
def demo(services: Services, once: bool, seed: int | None) -> None:
    """Makes the district, flies R1, reads its imagery, tells what happened, and serves the result on loopback."""
    if not once:
        # Said now rather than after everything was done.
        ensure_servable(services, services.settings.host, services.settings.port)
    seed = _seed(services, seed)
    kept = services.data_dir / "demo.json"
    story = Story(click.echo)
    if not story.recall(kept, _name_of(services)) and _run(services, story, seed):
        story.keep(kept, _name_of(services))
    click.echo("\nWhat happened (fictional Qinghe District):\n")
    click.echo(story.table())
    _print_accounts(services.data_dir)
    if once:
        return
    click.echo()
    with _worker():
        serve_pages(services, services.settings.host, services.settings.port)


def _name_of(services: Services) -> str:
    """What no other database shares: the hash of the first event in its ledger; empty before there is one."""
    with services.session() as session:
        return session.scalar(text("SELECT encode(leaf, 'hex') FROM ledger.event ORDER BY id LIMIT 1")) or ""


def _seed(services: Services, wanted: int | None) -> int:
    with services.session() as session:
        loaded = session.get(Installation, SAMPLE)
    if loaded is None:
        return DEFAULT_SEED if wanted is None else wanted
    if wanted not in (None, int(loaded.value)):
        raise click.UsageError(
            f"This installation holds the district of seed {loaded.value}. For another one name another database and "
            "another folder: SKYWARDEN_DATABASE_NAME, SKYWARDEN_DATA_DIR."
        )
    return int(loaded.value)


@contextmanager
def _worker() -> Iterator[None]:
    """The worker beside the pages, so that what people do in the demo is sealed as well."""
    command = [sys.executable, "-m", "web.cli", "worker"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=STOP_TIMEOUT_S)


def _run(services: Services, story: Story, seed: int) -> bool:
    """Does all steps; False when the flight was refused, so that the next start tries again."""
    sample, now = directory_of(services, seed), services.clock.now()
    rules = rules_of_district(services.rulebook, now)
    with story.step("The fictional Qinghe District is made from its seed"):
        if not (sample / MANIFEST).exists():
            today = rules.local_date(now)
            make(seed, sample, today=today, parts=OF_DEMO, progress=lambda what: click.echo(f"      {what}"))
    with story.step("It is loaded into PostGIS as an import: asserted, not witnessed"):
        _load(services, story, sample)
    at = latest_daylight(services.clock.now(), rules.zone)
    with story.step("Plans are checked"):
        check_plans(services, story, sample / "plans", at)
    with story.step("R1 is filed, cleared and flown; meanwhile the satellite pair is read"):
        end_leftovers(services)
        filed = file_flight(services, sample / "plans", at)
        if filed.refusals:
            for refusal in filed.refusals:
                story.tell(f"flight {filed.flight}", f"refused by {refusal.rule}", refusal.message())
            return False
        aside = Story(click.echo)
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(_read_satellite, services, aside, sample)
            flew = fly(services, story, filed, sample, at)
            reading.result()
    with story.step("The photos of the flight are read"):
        photos = sorted(flew.frames.glob("*.jpg"))
        scene = look(services, story, "photos of the flight", photos, flight=flew.flight)
        compare(services, story, scene, sample / "truth_drone.geojson")
        story.rows += aside.rows
    with story.step("Findings wait for an officer; the record is sealed"):
        story.tell("findings laid before officer O1", "assigned", str(assign_all(services)))
        prove_now(services)
        _tell_proof(services, story)
        _tell_ledger(services, story)
    return True


def _read_satellite(services: Services, story: Story, sample: Path) -> None:
    pair = [sample / "satellite_after.tif"]
    scene = look(services, story, "satellite pair", pair, before=sample / "satellite_before.tif")
    compare(services, story, scene, sample / "truth_satellite.geojson")


def _load(services: Services, story: Story, sample: Path) -> None:
    with services.session() as session:
        loaded = is_loaded(session)
    terrain = services.data_dir / TERRAIN_FILE
    if loaded and not terrain.is_file():
        # The database outlived its folder.
        terrain.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample / "dem.tif", terrain)
    if not loaded:
        accounts = load_sample(services, sample)
        _keep_accounts(services.data_dir, accounts)
        work_on_drafts(services)
        speak(services)
    with services.public() as public:
        for view, what in (
            ("devices", "devices on the public map"),
            ("patrol_areas", "published patrol areas"),
            ("deployment_points", "published deployment points"),
            ("patrol_routes", "published routes"),
            ("privacy_zones", "privacy zones"),
        ):
            story.tell(what, "shown to everyone", str(_count(public, view)))


def _count(public: Connection, view: str) -> int:
    return int(public.execute(text(f"SELECT count(*) FROM public_map.{view}")).scalar_one())


def _tell_ledger(services: Services, story: Story) -> None:
    sealed = ledger.verify(services.engine).sealed
    story.tell("ledger verified", "every hash, seal and link fits", f"{sealed.events} events in {sealed.seals} seals")


def _tell_proof(services: Services, story: Story) -> None:
    """What the standalone verifier says of the place that was published while the demo ran."""
    with services.session() as session:
        name = find(session, DeploymentPoint, WITNESSED).public_id
    with services.public() as public:
        proof = proof_of(public, "deployment_point", name)
    if proof is not None:
        said, *_ = verify_proof.tell(verify_proof.verify(proof))
        story.tell(f"publication of {name}", "proven, without trusting this platform", said)


def _keep_accounts(data_dir: Path, accounts: list[Account]) -> None:
    """Keeps the made-up passwords of fictional people for the next start, readable by the owner only."""
    path = data_dir / "demo-accounts.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps([[a.code, a.role, a.password] for a in accounts]), encoding="utf-8")


def _print_accounts(data_dir: Path) -> None:
    path = data_dir / "demo-accounts.json"
    if not path.is_file():
        click.echo(f"\nThe accounts were told at the first start; {path} is gone.")
        return
    click.echo("\nAccounts of fictional people, for /account/sign-in:\n")
    for code, role, password in json.loads(path.read_text(encoding="utf-8")):
        if code in SHOWN_ACCOUNTS:
            click.echo(f"  {code:<4}{role:<22}{password}")
