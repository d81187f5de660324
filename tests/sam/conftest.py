"""Models that several files of tests share."""

from __future__ import annotations

import pytest

from tests.sam.models import REAL_SIZE, random_model


@pytest.fixture(scope="session")
def tiny_model():
    pytest.importorskip("torch")
    return random_model()


@pytest.fixture(scope="session")
def real_size_model():
    pytest.importorskip("torch")
    return random_model(REAL_SIZE)


@pytest.fixture(autouse=True)
def _alone():
    """Threads of torch that wait for each other while other tests use the same cores take many times as long."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
