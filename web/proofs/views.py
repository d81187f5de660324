"""Proofs, the checkpoint, the chain of seals and the verifier: what anybody needs to hold the platform to its word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Response, render_template, request
from sqlalchemy import text

from schemas.refusals import invalid, not_found
from schemas.store import verify_proof
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.proofs.documents import Checkpoint, latest_checkpoint, proof_of
from web.public import records
from web.public.database import public_connection
from web.public.layers import BY_BRANCH

section = Section("proofs", __name__, Audience.PUBLIC)
# What the database calls the subjects of a branch of pages.
KINDS = {"device": "device", "area": "patrol_area", "point": "deployment_point", "route": "patrol_route"}
LONGEST_ID = 64
LAST_SEAL = 2**62
_SEALS = text("SELECT line FROM public_map.seals WHERE n BETWEEN :first AND :last ORDER BY n")
SEALS_AT_ONCE = 1_000


@section.page("/<any(device, area, point, route):branch>/<public_id>/proof.json", rate="data", GET=Permission.BROWSE)
def proof(branch: str, public_id: str) -> Response:
    """The proof that a record was published, as a file; 404 while its publication is not sealed."""
    if len(public_id) > LONGEST_ID:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    with public_connection() as public:
        records.one(public, BY_BRANCH[branch], public_id)
        document = proof_of(public, KINDS[branch], public_id)
    if document is None:
        raise not_found("proof.not_yet", "proofs.not_yet", measured=public_id)
    response = Response(document, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{public_id}.proof.json"'
    return _kept(response)


@section.page("/ledger", GET=Permission.BROWSE)
def ledger() -> str:
    """The latest checkpoint, and how to hold the platform to it."""
    with public_connection() as public:
        checkpoint = latest_checkpoint(public)
    return render_template("public/proof_page.html", checkpoint=checkpoint)


@section.page("/ledger/checkpoint", rate="data", GET=Permission.BROWSE)
def checkpoint_note() -> Response:
    """The latest checkpoint as a signed note."""
    with public_connection() as public:
        checkpoint = latest_checkpoint(public)
    if checkpoint is None:
        raise not_found("proof.not_yet", "proofs.not_yet", measured="/ledger")
    return _kept(Response(checkpoint.note, mimetype="text/plain"))


@section.page("/ledger/seals.jsonl", rate="data", GET=Permission.BROWSE)
def seals() -> Response:
    """The chain of seals, one a line, from and to the numbers that are asked for."""
    for key in request.args:
        if key not in ("from", "to"):
            raise invalid("query.unknown", "web.query_unknown", name=key[:40], measured="", required="from, to")
    first, last = _number("from", 1), _number("to", LAST_SEAL)
    response = Response(_seal_lines(first, last), mimetype="application/x-ndjson")
    response.headers["Content-Disposition"] = 'attachment; filename="seals.jsonl"'
    response.headers["Cache-Control"] = "public, no-cache"
    return response


@section.page("/ledger/verify_proof.py", rate="data", GET=Permission.BROWSE)
def verifier() -> Response:
    """The verifier, which needs Python and nothing else."""
    response = Response(Path(verify_proof.__file__).read_bytes(), mimetype="text/x-python")
    response.headers["Content-Disposition"] = 'attachment; filename="verify_proof.py"'
    return _kept(response)


@section.app_context_processor
def helpers() -> dict[str, Any]:
    """What the front page asks for: `last_checkpoint()`."""
    return {"last_checkpoint": _last_checkpoint}


def _last_checkpoint() -> Checkpoint | None:
    with public_connection() as public:
        return latest_checkpoint(public)


def _seal_lines(first: int, last: int) -> Iterator[bytes]:
    """The lines, a thousand at a time, so that no reader keeps a connection for long."""
    engine = services().public_engine

    def read() -> Iterator[bytes]:
        start = first
        while start <= last:
            until = min(start + SEALS_AT_ONCE - 1, last)
            with engine.connect() as public:
                lines = list(public.execute(_SEALS, {"first": start, "last": until}).scalars())
            if not lines:
                return
            yield "".join(f"{line}\n" for line in lines).encode()
            start = until + 1

    return read()


def _number(key: str, otherwise: int) -> int:
    value = request.args.get(key, str(otherwise))
    if value.isascii() and value.isdigit() and len(value) <= len(str(LAST_SEAL)) and 1 <= int(value) <= LAST_SEAL:
        return int(value)
    raise invalid("query.unknown", "web.query_unknown", name=key, measured=value[:40], required="1-")


def _kept(response: Response) -> Response:
    """Held by readers, who ask whether it is still so."""
    response.headers["Cache-Control"] = "public, no-cache"
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]
