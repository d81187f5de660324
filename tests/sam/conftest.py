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
