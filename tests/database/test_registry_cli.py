"""The registry as people type it: a site asked for, granted, a device there reviewed, announced by files, and used."""

import json
from datetime import timedelta

import geopandas
import pytest
from click.testing import CliRunner
from shapely.geometry import Point
from sqlalchemy import func, select, text

from geo.channels import read_receipt
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import Attachment, Device, Dispatch, Publication, SitingPlan
from tests.database.acting import witnessed_when_published
from web.cli.common import State
from web.cli.main import skywarden

PDF = b"%PDF-1.7\n" + b"x" * 100 + b"\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100


@pytest.fixture
def run(services):
    """`run("L1", "device", "review", ...)` types a command as that person, and it ends well."""

    def call(person, *arguments, ends=0, lang="en"):
        state = State(lang)
        state._services = services
        group, *rest = map(str, arguments)
        command = skywarden.get_command(skywarden.make_context("skywarden", ["--lang", lang, group]), group)
        options = ["--as", person] if person else []
        result = CliRunner().invoke(command, [*rest, *options], obj=state)
        if isinstance(result.exception, RuleViolation):
            assert ends == 1, result.exception
            return {refusal.rule for refusal in result.exception.refusals}
        assert result.exit_code == ends, result.output + repr(result.exception)
        return result.output

    return call


@pytest.fixture
def paper(tmp_path):
    path = tmp_path / "paper.pdf"
    path.write_bytes(PDF)
    return path


@pytest.fixture
def sites(tmp_path):
    properties = {"place_text": "Bridge (fictional)", "purpose_en": "Outfall", "purpose_zh": "排污口"}
    properties["device_type"] = "video"
    geometry = {"type": "Point", "coordinates": [113.263, 23.132]}
    features = [{"type": "Feature", "geometry": geometry, "properties": properties}]
    path = tmp_path / "sites.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def answered(paper, kind):
    asked = {"legal": ["place_lawful_and_marking_clear"], "technical": ["quality_certificate", "reliable_and_complete"]}
    files = [part for item in asked[kind] for part in ("--file", f"{item}={paper}")]
    return ["--kind", kind, "--passed", "all", *files, "--standard", "GB/T 28181-2022"]


@pytest.fixture
def granted(run, sites, paper):
    """The ids of an approved plan and of its site."""
    titles = ["--title-en", "Plan (fictional)", "--title-zh", "方案（虚构）"]
    drafted = run("N1", "siting", "draft", sites, "--authority", "A1", "--item", "ECO-01", *titles, "--json")
    plan = json.loads(drafted)["id"]
    reasons = ["legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity"]
    needs = ["risk_evidence", "incidents", "coverage_gap"]
    given = [part for name in reasons for part in ("--reason", f"{name}=said")]
    given += [part for name in needs for part in ("--need", f"{name}=shown")]
    run("N1", "siting", "justify", plan, *given)
    run("N1", "siting", "hand-over", plan, "--legal", "L1", "--technical", "T1")
    (site,) = [entry["id"] for entry in json.loads(run(None, "siting", "show", plan))["sites"]]
    run("L1", "siting", "review", site, *answered(paper, "legal"))
    run("T1", "siting", "review", site, *answered(paper, "technical"))
    run("H1", "siting", "submit", plan)
    assert "approved" in run("P1", "siting", "approve", plan, "--number", "GD-7", "--document", paper)
    return plan, site


def test_GD_09_1__siting_justify__texts_of_the_draft_stay_where_nobody_gives_others(run, services, sites):
    titles = ["--title-en", "Plan (fictional)", "--title-zh", "方案（虚构）"]
    drafted = run("N1", "siting", "draft", sites, "--authority", "A1", "--item", "ECO-01", *titles, "--json")
    name = json.loads(drafted)["id"]
    reasons = ("legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity")
    prepared = dict.fromkeys(reasons, "prepared")
    need = dict.fromkeys(("risk_evidence", "incidents", "coverage_gap"), "shown")
    with services.work() as work:
        plan = find(work.session, SitingPlan, name)
        plan.justification, plan.need, plan.duplicates_answer = prepared, need, "They look elsewhere."
        work.session.commit()
    assert run("N1", "siting", "justify", name, "--reason", "necessity= ", ends=1) == {"GD-09.1"}
    assert "justified" in run("N1", "siting", "justify", name, "--reason", "necessity=read and needed")
    told = json.loads(run(None, "siting", "show", name))
    assert told["justification"] == prepared | {"necessity": "read and needed"}
    assert (told["need"], told["duplicates_answer"]) == (need, "They look elsewhere.")


def about_a_device(site):
    about = ["--name", "Camera", "--at", 113.263, 23.132, "--place-text", "Bridge (fictional)", "--type", "video"]
    about += ["--purpose-en", "Outfall", "--purpose-zh", "排污口", "--authority", "A1", "--item", "ECO-01"]
    return [*about, "--planned-site", site, "--certificate", "QC-1"]


@pytest.fixture
def reviewed(run, granted, paper):
    about = about_a_device(granted[1])
    device = json.loads(run("N1", "device", "register", *about, "--json"))["id"]
    run("L1", "device", "review", device, *answered(paper, "legal"))
    assert "reviewed" in run("T1", "device", "review", device, *answered(paper, "technical"))
    return device


def test_GD_14_6__secret_device__by_command_in_use_and_never_shown(run, services, granted, paper):
    about = about_a_device(granted[1])
    half = ["--secret-document", "2025-3", "--secret-level", "secret"]
    assert run("N1", "device", "register", *about, *half, ends=1) == {"GD-14.6"}
    whole = [*half, "--secret-authority", "P0", "--secret-until", "2030-01-01"]
    device = json.loads(run("N1", "device", "register", *about, *whole, "--json"))["id"]
    run("L1", "device", "review", device, *answered(paper, "legal"))
    run("T1", "device", "review", device, *answered(paper, "technical"))
    assert run("O1", "notice", "record", device, "--channel", "platform_map", ends=1) == {"GD-14.6"}
    assert "in use" in run("H1", "device", "activate", device)
    with services.public() as public:
        seen = "SELECT public_id FROM public_map.devices WHERE public_id = :name"
        assert public.execute(text(seen), {"name": device}).all() == []


def answer(folder, dispatch, **fields):
    sent = json.loads((folder / "out" / f"{dispatch}.json").read_bytes())
    document = {"dispatch": dispatch, "content_sha256": sent["content_sha256"]} | fields
    (folder / "in" / f"{dispatch}.json").write_text(json.dumps(document), encoding="utf-8")


def send(run, services, device, folder):
    run("O1", "notice", "send", device, "--channel", "official_disclosure", "--folder", folder)
    with services.session() as session:
        return session.scalars(select(Dispatch).order_by(Dispatch.recorded_at.desc())).first().public_id


def test_4_1__asked_for_granted_reviewed_announced_by_files_and_used(
    run, services, clock, reviewed, tmp_path, past_the_judge
):
    photo = tmp_path / "sign.jpg"
    photo.write_bytes(JPEG)
    run("O1", "device", "sign", reviewed, "--text", "QH-1, A1", "--photo", photo)
    folder = tmp_path / "channel"
    dispatch = send(run, services, reviewed, folder)
    answer(folder, dispatch, rejected_because="the purpose is unclear")
    assert "rejected: the purpose is unclear" in run("O1", "notice", "receive", "--folder", folder)
    dispatch = send(run, services, reviewed, folder)
    answer(folder, dispatch, receipt_id="GD-2025-9", published_at=clock.now().isoformat())
    assert "published, receipt GD-2025-9" in run("O1", "notice", "receive", "--folder", folder)
    assert "No answer" in run("O1", "notice", "receive", "--folder", folder)
    assert run("O1", "notice", "begin", reviewed, ends=1) == {"GD-14.3"}
    run("O1", "notice", "record", reviewed, "--channel", "platform_map")
    run("O1", "notice", "begin", reviewed)
    witnessed_when_published(past_the_judge)
    clock.advance(timedelta(days=29))
    assert run("H1", "device", "activate", reviewed, ends=1) == {"GD-14.2"}
    clock.advance(timedelta(days=1))
    with past_the_judge() as session:  # the database counts by its own clock, in which all this was today
        find(session, Device, reviewed).origin = "sample"
        for row in session.scalars(select(Publication).where(Publication.receipt_id != "")):
            row.origin = "sample"
    assert "in use" in run("H1", "device", "activate", reviewed)
    with services.session() as session:
        kept = session.scalars(select(Attachment.sha256)).all()
    assert all((services.data_dir / "attachments" / sha[:2] / sha).is_file() for sha in kept)


def test_GD_14_2__receipt_of_another_content_or_twice_or_none__not_taken_and_left_there(
    run, services, clock, reviewed, tmp_path
):
    folder = tmp_path / "channel"
    dispatch = send(run, services, reviewed, folder)
    receipt = {"receipt_id": "R", "published_at": clock.now().isoformat()}
    answer(folder, dispatch, **receipt, content_sha256="0" * 64)
    assert "another content" in run("O1", "notice", "receive", "--folder", folder)
    answer(folder, dispatch, **receipt)
    (folder / "in" / "x.json").write_text('{"dispatch": "DC-ZZZZZZ", "surprise": 1}', encoding="utf-8")
    told = run("O1", "notice", "receive", "--folder", folder)
    assert "x.json is not taken" in told
    assert "receipt R" in told
    answer(folder, dispatch, **receipt)
    assert "answered already" in run("O1", "notice", "receive", "--folder", folder)
    assert {path.name for path in (folder / "in").iterdir()} == {"x.json", f"{dispatch}.json"}


def test_GD_14_3__device_revised_since_it_was_sent__its_receipt_does_not_count(
    run, services, clock, reviewed, tmp_path
):
    folder = tmp_path / "channel"
    dispatch = send(run, services, reviewed, folder)
    run("N1", "device", "revise", reviewed, "--reason", "another purpose", "--purpose-en", "Weir", "--purpose-zh", "堰")
    answer(folder, dispatch, receipt_id="R", published_at=clock.now().isoformat())
    assert "GD-14.4" in run("O1", "notice", "receive", "--folder", folder)


def test_GD_14_2__receipt__exactly_its_members():
    at = "2025-07-02T10:00+08:00"
    good = {"dispatch": "DC-1", "content_sha256": "0" * 64, "receipt_id": "R", "published_at": at}
    assert read_receipt(json.dumps(good).encode()).receipt_id == "R"
    for change in (
        {"receipt_id": " "},
        {"receipt_id": 7},
        {"more": "x"},
        {"content_sha256": "x"},
        {"published_at": "?"},
    ):
        with pytest.raises(RuleViolation, match=r"GD-14\.2: "):
            read_receipt(json.dumps(good | change).encode())


def test_attachment__neither_pdf_nor_picture__refused_before_it_is_kept(run, services, tmp_path):
    page = tmp_path / "sign.jpg"
    page.write_bytes(b"<html>")
    assert run("O1", "device", "sign", "DV-DV1", "--text", "x", "--photo", page, ends=1) == {"attachment.type"}
    assert not (services.data_dir / "attachments").exists()


def test_GD_20_1__tampered__stopped_by_the_same_command(run):
    run("H1", "device", "activate", "DV-DV1")
    told = run("C1", "device", "incident", "DV-DV1", "--kind", "tamper", "--text", "lens painted over")
    assert "DV-DV1 is out of use" in told
    assert run("H1", "device", "unblock", "DV-DV1", "--reason", "cleaned", ends=1) == {"GD-20.1"}
    run("T1", "device", "upkeep", "DV-DV1", "--kind", "repair", "--text", "lens cleaned", "--by", "A1")
    assert "in use" in run("H1", "device", "unblock", "DV-DV1", "--reason", "cleaned")


def test_due__what_a_year_brings__earliest_first(run, clock):
    run("H1", "device", "activate", "DV-DV1")
    assert run(None, "device", "due", "--authority", "A1", "--days", "30") == "Nothing is due.\n"
    clock.advance(timedelta(days=340))
    found = json.loads(run(None, "device", "due", "--authority", "A1", "--days", "30", "--json"))
    of_it = [(entry["what"], entry["due_on"], entry["overdue"]) for entry in found if entry["public_id"] == "DV-DV1"]
    assert of_it == [("maintenance", "2026-01-02", True), ("evaluation", "2026-07-02", False)]
    assert ("mark", "2026-06-20") in [(e["what"], e["due_on"]) for e in found if e["public_id"] == "DV-DR1"]
    assert [entry["due_on"] for entry in found] == sorted(entry["due_on"] for entry in found)


def test_GD_10_2__sign_to_be_adjusted__due_until_one_is_seen_again(run, tmp_path):
    run("H1", "device", "activate", "DV-DV1")
    run("O1", "device", "evaluate", "DV-DV1", "--outcome", "adjust_signage", "--text", "The sign is hidden by a tree.")
    look = ["device", "due", "--authority", "A1", "--days", "40", "--json"]
    assert [e["what"] for e in json.loads(run(None, *look)) if e["public_id"] == "DV-DV1"] == ["sign"]
    photo = tmp_path / "sign.jpg"
    photo.write_bytes(JPEG)
    run("O1", "device", "sign", "DV-DV1", "--text", "DV1", "--photo", photo)
    assert json.loads(run(None, *look)) == []


SITES = "lon,lat,place_text,device_type,purpose_en,purpose_zh,remark\n"
SITE = "113.2630,23.1320,Bridge (fictional),video,Outfall,排污口,x\n"
DRAFT = ("--authority", "A1", "--item", "ECO-01", "--title-en", "Plan", "--title-zh", "方案")


def table(path, *rows, encoding="utf-8"):
    path.write_text(SITES + "".join(rows), encoding=encoding)
    return path


def test_GD_09_1__siting_plan_from_a_table__drafted(run, tmp_path):
    path = table(tmp_path / "sites.csv", SITE, SITE.replace("Bridge", "堰"), encoding="gbk")
    out = run("N1", "siting", "draft", path, *DRAFT, "--crs", "EPSG:4490", "--encoding", "GBK")
    assert "left aside: remark" in out
    assert "draft" in out


def test_GD_09_1__siting_plan_from_a_geopackage__drafted(run, tmp_path):
    words = {
        "place_text": ["桥（虚构）"],
        "device_type": ["video"],
        "purpose_en": ["Outfall"],
        "purpose_zh": ["排污口"],
    }
    frame = geopandas.GeoDataFrame(words, geometry=[Point(113.263, 23.132)], crs="EPSG:4490")
    frame.to_file(tmp_path / "sites.gpkg", driver="GPKG")
    plan = json.loads(run("N1", "siting", "draft", tmp_path / "sites.gpkg", *DRAFT, "--json"))["id"]
    assert [site["place"] for site in json.loads(run(None, "siting", "show", plan))["sites"]] == ["桥（虚构）"]


def test_GD_09_1__siting_plan_with_bad_rows__every_row_told_and_nothing_drafted(run, tmp_path, session):
    swapped = SITE.replace("113.2630,23.1320", "23.1320,113.2630")
    outside = SITE.replace("113.2630,23.1320", "120.1000,30.1000")
    formula = SITE.replace("Outfall", "=A1")
    path = table(tmp_path / "sites.csv", SITE, swapped, outside, formula)
    before = session.scalar(select(func.count()).select_from(SitingPlan))
    told = json.loads(run("N1", "siting", "draft", path, *DRAFT, "--crs", "EPSG:4326", "--json", ends=1))
    assert [row["outcome"] for row in told["rows"]] == ["good", "refused", "refused", "refused"]
    assert [len(row.get("refusals", ())) for row in told["rows"]] == [0, 1, 1, 1]
    assert (told["ok"], told["refused"], told["columns_left_aside"]) == (False, 3, ["remark"])
    text = run("N1", "siting", "draft", path, *DRAFT, "--crs", "EPSG:4326", ends=1)
    assert "nothing was drafted; refused 3 of 4" in text
    assert session.scalar(select(func.count()).select_from(SitingPlan)) == before


def test_GD_09_1__sites_added_to_an_approved_plan__from_a_table(run, granted, tmp_path):
    plan, _ = granted
    path = table(tmp_path / "more.csv", SITE.replace("113.2630", "113.2640"))
    change = ["--reason", "one more", "--json"]
    amended = json.loads(run("N1", "siting", "amend", plan, "--add", path, "--crs", "EPSG:4326", *change))["id"]
    assert len(json.loads(run(None, "siting", "show", amended))["sites"]) == 2


def test_GD_13_3__annual_report__devices_first_used_that_year(run):
    run("H1", "device", "activate", "DV-DV1")
    report = json.loads(run(None, "device", "report", "2025", "--authority", "A1", "--json"))
    assert [entry[0] for entry in report["devices"]] == ["DV-DR1", "DV-DV1"]
    assert (report["addressee"], report["due_on"]) == ("government_of_the_same_level", "2025-12-31")
    assert "2024 年：0 台设备" in run(None, "device", "report", "2024", "--authority", "A1", lang="zh")


def test_GD_10_3__reviewed_but_something_else_is_missing__told(run, granted, paper):
    _, site = granted
    about = ["--name", "Camera", "--at", 113.263, 23.132, "--place-text", "Bridge (fictional)", "--type", "video"]
    about += ["--purpose-en", "Outfall", "--purpose-zh", "排污口", "--authority", "A1", "--item", "ECO-01"]
    device = json.loads(run("N1", "device", "register", *about, "--planned-site", site, "--json"))["id"]
    assert "GD-10.3" in run("L1", "device", "review", device, *answered(paper, "legal"))
    told = run("T1", "device", "review", device, *answered(paper, "technical"))
    assert "GD-12.2" in told
    assert "GD-10.3" not in told


def test_G_42__overlays__listed_and_switched(run):
    assert run(None, "overlay", "list", "--authority", "A1").count("-20") == 4
    run("H1", "overlay", "off", "jn-2024", "--authority", "A1", "--reason", "not ours")
    listed = json.loads(run(None, "overlay", "list", "--authority", "A1", "--json"))
    assert [entry["id"] for entry in listed if not entry["on"]] == ["jn-2024"]


def test_GD_16_3__point_and_change__by_command(run, tmp_path):
    about = ["--code", "DP9", "--name-en", "Yard", "--name-zh", "院", "--purpose-en", "p", "--purpose-zh", "用"]
    about += ["--authority", "A1", "--item", "ECO-01", "--siting-plan", "SP-1"]
    run("N1", "patrol", "draft-point", *about, "--at", 113.2545, 23.125, "--place-text", "Yard (fictional)")
    run("N1", "patrol", "check", "point", "DP9")
    assert "approved" in run("H1", "patrol", "approve", "point", "DP9")
    ring = [[113.254, 23.12], [113.294, 23.12], [113.294, 23.14], [113.254, 23.14], [113.254, 23.12]]
    shape = tmp_path / "area.geojson"
    shape.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    assert "0.82" in run("N1", "patrol", "change", "draw", "PA1", shape, "--reason", "weir")
    run("H1", "patrol", "change", "approve", "PA1")
    assert run("H1", "patrol", "change", "apply", "PA1", ends=1) == {"GD-14.3"}
