"""Proofs as anybody takes them: the file of a record, the checkpoint, the chain of seals, the verifier."""

import html
import json

import pytest

from schemas.store.verify_proof import check_older, tell, verify
from tests.proving import prove_all
from tests.web.conftest import HTML
from web.app import create_app
from web.public.layers import LAYERS


@pytest.fixture(scope="module")
def proven(shared_app):
    """A client of an installation in which everything that was published is proven."""
    prove_all(shared_app.extensions["services"])
    return shared_app.test_client()


@pytest.mark.parametrize("layer", [name for name in LAYERS if LAYERS[name].branch not in ("zone", "")])
def test_proof__of_every_layer_that_is_published__holds_and_is_linked(proven, layer):
    first = json.loads(proven.get(f"/data/{layer}.geojson").data)["features"][0]
    path = f"{LAYERS[layer].path}/{first['id']}"
    assert f'href="{path}/proof.json"' in proven.get(path, headers=HTML).text
    answer = proven.get(f"{path}/proof.json")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert first["id"] in tell(verify(answer.data))[0]


def test_proof__held_already__304(proven):
    first = proven.get("/device/DV-DV1/proof.json")
    assert proven.get("/device/DV-DV1/proof.json", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    "path", ["/device/DV-NONE/proof.json", "/area/DV-DV1/proof.json", f"/device/{'x' * 99}/proof.json"]
)
def test_proof__of_what_is_not_published__404(proven, path):
    assert proven.get(path).status_code == 404


def test_proof__not_sealed_yet__404_that_says_so(client):
    answer = client.get("/device/DV-DV1/proof.json")
    assert answer.status_code == 404
    assert "not sealed" in answer.text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_ledger__shows_the_checkpoint_that_proofs_lead_to(proven, lang):
    held = verify(proven.get("/device/DV-DV1/proof.json").data)
    text = html.unescape(proven.get(f"/ledger?lang={lang}", headers=HTML).text)
    assert f"{held.checkpoint.number}:{held.checkpoint.digest}" in text
    assert held.key in text
    note = proven.get("/ledger/checkpoint").text
    assert note.startswith(held.key.split("+")[0])
    assert f"\n{held.checkpoint.number}\n" in note


def test_front_page__shows_the_latest_checkpoint(proven):
    held = verify(proven.get("/device/DV-DV1/proof.json").data)
    assert f"{held.checkpoint.number}:{held.checkpoint.digest[:8]}" in proven.get("/", headers=HTML).text


def test_ledger__before_the_first_seal__says_what_will_stand_there(client):
    assert "Nothing is sealed yet" in client.get("/ledger", headers=HTML).text
    assert client.get("/ledger/checkpoint").status_code == 404


def test_seals__as_lines__are_the_chain(proven):
    held = verify(proven.get("/device/DV-DV1/proof.json").data)
    lines = proven.get("/ledger/seals.jsonl").text.splitlines()
    check_older(held, [(held.checkpoint.number, held.checkpoint.digest)], lines)
    assert proven.get("/ledger/seals.jsonl?from=1&to=1").text.splitlines() == lines[:1]
    assert proven.get("/ledger/seals.jsonl?from=99999").text == ""


@pytest.mark.parametrize(
    "query", ["from=0", "from=-1", "from=abc", "to=9" * 9, "from=²", "after=1", "from=1e3", "to=%00"]
)
def test_seals__asked_wrongly__422(proven, query):
    assert proven.get(f"/ledger/seals.jsonl?{query}").status_code in (400, 422)


def test_verifier__is_the_one_that_is_tested(proven):
    assert b"Verifies the proof of a publication offline" in proven.get("/ledger/verify_proof.py").data


def test_proof__where_the_chain_is_long__ends_at_its_own_checkpoint(services, work, monkeypatch):
    monkeypatch.setattr("web.proofs.documents.LONGEST_CHAIN", 0)
    prove_all(services)
    data = create_app(services).test_client().get("/device/DV-DV1/proof.json").data
    held = verify(data)
    assert json.loads(data)["seals"] == []
    assert held.said
