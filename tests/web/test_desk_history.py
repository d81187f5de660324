"""The same thing at several dates, on the page of a finding; what another authority found is no more than a date."""

import html
import json

import pytest
from sqlalchemy import select, text

from schemas import tables as t
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import PIT, make_findings


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def grown(services, tmp_path):
    """An earlier and a later finding of one thing."""
    earlier, later, *_ = make_findings(services, tmp_path)
    with services.housekeeping() as db:
        ids = {
            name: db.scalar(select(t.Detection.id).where(t.Detection.public_id == name)) for name in (earlier, later)
        }
        run = db.scalar(select(t.Detection.run_id).limit(1))
        figures = {"iou": 0.5, "earlier_share": 1.0, "later_share": 0.5, "area_ratio": 2.0}
        db.add(t.Sighting(run_id=run, detection_id=ids[later], earlier_id=ids[earlier], relation="grown", **figures))
    return earlier, later


def page(client, finding, lang="en"):
    return html.unescape(client.get(f"/review/{finding}?lang={lang}", headers=HTML).text)


def test_finding__seen_at_an_earlier_date__history_with_a_way_there(signed_in, grown):
    earlier, later = grown
    shown = page(signed_in("O1"), later)
    part = shown[shown.index("This place over time") :]
    assert "grown to 200%" in part
    assert f'href="/review/{earlier}"' in part


def test_finding__seen_once__no_history(signed_in, services, tmp_path):
    alone = make_findings(services, tmp_path)[0]
    assert "This place over time" not in page(signed_in("O1"), alone)


def test_finding__earlier_one_of_another_authority__a_date_without_a_way_there(signed_in, grown, services, admin):
    earlier, later = grown
    with services.session() as db:
        other = db.scalar(
            text("SELECT id FROM core.authority WHERE id NOT IN (SELECT authority_id FROM core.detection)")
        )
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.detection SET authority_id = %s WHERE public_id = %s", (other, earlier))
    admin.execute("SET session_replication_role = origin")
    shown = page(signed_in("O1"), later)
    part = shown[shown.index("This place over time") :]
    assert "grown to 200%" in part
    assert earlier not in part[: part.index("</ol>")]


@pytest.fixture
def cut(signed_in, services, tmp_path, grown):
    """The later finding, cut by O1, and the public ids of its parts."""
    whole = grown[1]
    client = signed_in("O1")
    west, south, east, north = PIT.bounds
    middle = (west + east) / 2 + 0.004
    line = {"type": "LineString", "coordinates": [[middle, south - 0.001], [middle, north + 0.001]]}
    sent = {"decision": "split", "version": "1", "code": "several_things", "reason": "", "line": json.dumps(line)}
    assert client.post(f"/review/{whole}", data=sent, headers={**HTML, **SAME_ORIGIN}).status_code == 303
    with services.session() as db:
        parts = select(t.Detection.public_id).where(t.Detection.public_id.like("DT-%"), t.Detection.ordinal > 2)
        return client, whole, sorted(db.scalars(parts))


def test_part__page__where_it_comes_from_what_was_decided_there_and_the_dates_before(cut, grown):
    client, whole, (part, _) = cut
    shown = page(client, part)
    origin = shown[shown.index('id="made-from"') :]
    assert f'href="/review/{whole}"' in origin[: origin.index("</section>")]
    acts = shown[shown.index('id="acts"') :]
    assert "These are several things" in acts
    assert whole in acts[: acts.index("</section>")]
    dates = shown[shown.index("This place over time") :]
    dates = dates[: dates.index("</ol>")]
    # First seen, grown, then cut: the part goes on where its whole was cut.
    assert dates.index("found,") < dates.index("grown to 200%") < dates.index(f"cut from {whole}")
    assert f'href="/review/{grown[0]}"' in dates


def test_whole__page__its_parts_with_their_states(cut):
    client, whole, parts = cut
    shown = page(client, whole)
    section = shown[shown.index('id="made-of-it"') :]
    section = section[: section.index("</section>")]
    assert all(f'href="/review/{part}"' in section for part in parts)
    assert section.count("Waits for review") == 2


def test_whole__cut_taken_back__both_acts_told_and_the_parts_as_taken_back(cut):
    client, whole, (part, _) = cut
    sent = {"decision": "undo", "version": "1", "code": "mistake", "reason": ""}
    assert client.post(f"/review/{part}", data=sent, headers={**HTML, **SAME_ORIGIN}).status_code == 303
    shown = page(client, whole)
    acts = shown[shown.index('id="acts"') :]
    acts = acts[: acts.index("</section>")]
    assert acts.count("<li") == 2
    assert acts.count("· taken back") == 1
    assert shown[shown.index('id="made-of-it"') :].count("Taken back") == 2
