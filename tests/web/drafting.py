"""What planners, reviewers and approvers send, as their browsers send it."""

from __future__ import annotations

import io
import re

from tests.web.conftest import HTML, SAME_ORIGIN

REASONS = ("legal_basis", "publication_plan", "technical_rationale", "alternatives", "necessity")
NEEDS = ("risk_evidence", "incidents", "coverage_gap")
LEGAL = (
    "necessary_and_not_prohibited",
    "place_lawful_and_marking_clear",
    "sole_evidence_basis",
    "other_legal_matters",
)
TECHNICAL = ("quality_certificate", "reliable_and_complete", "meets_standards", "other_legal_matters")
ITEMS = {"legal": LEGAL, "technical": TECHNICAL}
WITH_FILE = ("place_lawful_and_marking_clear", "quality_certificate", "reliable_and_complete")
PDF = b"%PDF-1.4 a record of the tests\n%%EOF\n"


def post(client, path, data=None, **more):
    return client.post(path, data=data or {}, headers={**SAME_ORIGIN, **HTML}, **more)


def get(client, path, **query):
    return client.get(path, query_string=query, headers=HTML)


def site(number="1", **changes):
    fields = {
        "lon": "113.2630",
        "lat": "23.1320",
        "place_text": "Bridge (fictional)",
        "purpose_en": "Outfall",
        "purpose_zh": "排污口",
        "device_type": "video",
        "platform": "fixed",
        "place_type": "open_air",
        "indoor": "",
        "sector_azimuth_deg": "",
        "hfov_deg": "",
        "range_m": "",
    }
    return {"sites": number} | {f"s{number}.{name}": value for name, value in (fields | changes).items()}


def plan(*sites, **changes):
    fields = {"title_en": "Plan (fictional)", "title_zh": "方案（虚构）", "authority": "A1", "item": "ECO-01"}
    given = sites or (site(),)
    merged = {name: value for one in given for name, value in one.items() if name != "sites"}
    return fields | changes | merged | {"sites": [one["sites"] for one in given]}


def made(answer):
    """The public id of what a step made, by the page to which it led."""
    assert answer.status_code == 303, told(answer)
    return answer.location.partition("?")[0].rpartition("/")[2]


def told(answer):
    """What a page refuses, as text."""
    found = re.findall(r'<p class="message">(.*?)</p>|<p class="fault"[^>]*>(.*?)</p>', answer.text)
    return answer.status_code, [one or two for one, two in found]


def drafted(client, *sites, **changes):
    return made(post(client, "/planner/plans/new", plan(*sites, **changes)))


def case(**changes):
    texts = {f"reason.{name}": "Said." for name in REASONS} | {f"need.{name}": "Shown." for name in NEEDS}
    return texts | changes


def justify(client, name, **changes):
    return post(client, f"/planner/plans/{name}/justify", case(**changes))


def hand_over(client, name, legal="L1", technical="T1"):
    return post(client, f"/planner/plans/{name}/hand-over", {"legal": legal, "technical": technical})


def in_review(acting_as, *sites):
    name = drafted(acting_as("N1"), *sites)
    assert justify(acting_as("N1"), name).status_code == 303
    assert hand_over(acting_as("N1"), name).status_code == 303
    return name


def sites_of(client, name, branch="/reviews"):
    """The public ids of the sites of a plan, in their order."""
    return list(dict.fromkeys(re.findall(r"PS-[A-Z0-9]+", get(client, f"{branch}/plans/{name}").text)))


def answers(kind, *, fails=(), text="It is not so.", files=True):
    """The check-list as sent: all pass but those that fail."""
    data = {f"item.{item}": "fail" if item in fails else "pass" for item in ITEMS[kind]}
    data |= {f"text.{item}": text for item in fails}
    if files:
        data |= {f"file.{item}": (io.BytesIO(PDF), f"{item}.pdf") for item in ITEMS[kind] if item in WITH_FILE}
    return data | ({"standard": ["GB 42590-2023"]} if kind == "technical" else {})


def review(client, site_id, kind, **changes):
    return post(client, f"/reviews/sites/{site_id}/{kind}", answers(kind, **changes))


def reviewed(acting_as, name):
    for site_id in sites_of(acting_as("L1"), name):
        assert review(acting_as("L1"), site_id, "legal").status_code == 303
        assert review(acting_as("T1"), site_id, "technical").status_code == 303


def submitted(acting_as, *sites):
    name = in_review(acting_as, *sites)
    reviewed(acting_as, name)
    assert post(acting_as("H1"), f"/reviews/plans/{name}/submit").status_code == 303
    return name
