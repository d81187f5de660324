"""The worker's part of proofs: what was published is written down, sealed and signed; the latest seal is signed too."""

from __future__ import annotations

from collections.abc import Iterator

from geo.witnessing import prove_where_sealed, witness_where_due
from schemas.store.sealer import seal_pending
from schemas.store.signing_notes import sign_seal, signer_of
from web.wiring import Services


def witness(services: Services) -> Iterator[str]:
    """Prove what was sealed, then write down what was published since; yields the public ids of the latter."""
    prove_where_sealed(services.engine, signer_of(services.data_dir))
    yield from witness_where_due(services.work)


def sign_latest(services: Services) -> int | None:
    """Sign the latest seal, so that the front page can show it; its number, None while nothing is sealed."""
    return sign_seal(services.engine, signer_of(services.data_dir))


def prove_now(services: Services) -> None:
    """All of it at once, where nobody waits for a worker: sealed, written down, sealed, proven, signed."""
    seal_pending(services.engine)
    for _subject in witness(services):
        pass
    seal_pending(services.engine)
    prove_where_sealed(services.engine, signer_of(services.data_dir))
    sign_latest(services)
