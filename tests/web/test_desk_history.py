"""The same thing at several dates, on the page of a finding; what another authority found is no more than a date."""

import html

import pytest
from sqlalchemy import select, text

from schemas import tables as t
from tests.web.conftest import HTML
from tests.web.findings import make_findings


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
