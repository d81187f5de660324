"""Whatever is typed at the registry's desk and at the zone desk, the answer is stated: never a 5xx, never a leak."""

from __future__ import annotations

import io
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.test_fuzz import numbers, stated, values
from tests.web.test_zone_pages import asked

CALM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LISTS = (
    "/registry",
    "/registry/due",
    "/registry/report",
    "/registry/rules",
    "/registry/contact",
    "/zones",
    "/zone-requests",
)
FILES = ("/registry/devices.csv", "/registry/due.csv", "/registry/report.csv", "/registry/report.json")
ASKED = ("authority", "state", "kind", "q", "due", "after", "of", "what", "days", "year", "source", "month", "before")
PLACES = (
    "/registry/device/DV-DR1",
    "/registry/publication/PA-PA1",
    "/registry/report",
    "/registry/rules",
    "/registry/contact",
)
STEPS = (
    *(
        "activate",
        "pause",
        "resume",
        "unblock",
        "sign",
        "calibration",
        "maintenance",
        "repair",
        "evaluation",
        "incident",
    ),
    *("send", "again", "show", "receipt", "begin", "withdraw", "stop", "show_change", "receipt_change", "apply_change"),
    "submit",
)
TYPED = (
    "reason",
    "ends_on",
    "text",
    "on",
    "by",
    "agency",
    "number",
    "valid_to",
    "at",
    "lon",
    "lat",
    "receipt",
    "dispatch",
    "contact_person",
    "contact_address",
    "contact_channel",
)
CHOSEN = {
    "kind": ("verification", "tamper", "suspended", "retired"),
    "result": ("passed", "failed"),
    "outcome": ("keep", "adjust_signage", "cancel_site"),
    "channel": ("official_disclosure", "platform_map", "media"),
    "turn": ("on", "off"),
    "overlay": ("lf-2024", "xx"),
}
typed = st.one_of(values, numbers, st.dates().map(str), st.datetimes().map(lambda at: at.isoformat()))
forms = st.fixed_dictionaries(
    {"step": st.sampled_from(STEPS)},
    optional=dict.fromkeys(TYPED, typed)
    | {name: st.one_of(st.sampled_from(some), values) for name, some in CHOSEN.items()},
)


@CALM
@given(path=st.sampled_from(LISTS + FILES), query=st.dictionaries(st.sampled_from(ASKED), typed, max_size=4))
@example(path="/registry", query={"after": "\\", "of": "%"})
@example(path="/registry/due", query={"days": "3660"})
@example(path="/registry/due", query={"days": "٣"})
@example(path="/registry/report", query={"year": "2000"})
@example(path="/zone-requests", query={"month": "9999-99", "before": "ZR-1"})
@example(path="/zones", query={"after": "'; --"})
def test_lists__any_question__stated(reading_as, path, query):
    stated(reading_as("H1").get(path, query_string=query, headers=HTML))


@CALM
@given(path=st.sampled_from(PLACES), form=forms, file=st.one_of(st.none(), st.binary(max_size=40)))
@example(path=PLACES[0], form={"step": "incident", "kind": "moved", "text": "x", "lon": "180", "lat": "90"}, file=None)
@example(path=PLACES[0], form={"step": "incident", "kind": "moved", "text": "x", "at": "1970-01-01T00:00"}, file=None)
@example(
    path=PLACES[1], form={"step": "receipt", "channel": "media", "receipt": "1", "at": "2999-12-31T23:59"}, file=None
)
def test_forms__any_step__stated(reading_as, path, form, file):
    data = dict(form)
    if file is not None:
        data["photo"] = (io.BytesIO(b"\xff\xd8\xff" + file), "a.jpg")
    stated(reading_as("H1").post(path, data=data, headers={**SAME_ORIGIN, **HTML}))


@pytest.fixture(scope="module")
def waiting(shared_app):
    """A request for a privacy zone that waits for a decision."""
    return asked(shared_app.extensions["services"])


decisions = st.fixed_dictionaries(
    {"decision": st.one_of(st.sampled_from(["granted", "refused"]), typed)},
    optional=dict.fromkeys(["reasons", "told_en", "buffer_m", "valid_to", "version", "kind"], typed),
)


@CALM
@given(form=decisions)
@example(form={"decision": "granted", "reasons": "x", "version": "1", "kind": "requested", "buffer_m": "1e999"})
@example(form={"decision": "refused", "reasons": "\x00", "version": "٣"})
def test_decision__any_form__refused_and_stated(reading_as, waiting, form):
    answer = reading_as("H1").post(f"/zones/request/{waiting}", data=form, headers={**SAME_ORIGIN, **HTML})
    stated(answer)
    assert answer.status_code in {409, 413, 422}, "the form was never read"


@CALM
@given(name=values, form=decisions)
def test_decision__on_any_name__stated(reading_as, name, form):
    stated(reading_as("H1").post(f"/zones/request/{quote(name) or '-'}", data=form, headers={**SAME_ORIGIN, **HTML}))
