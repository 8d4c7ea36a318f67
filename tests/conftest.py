"""Fixtures that every test may use."""

import importlib
import os

import pytest

# The tests run in several processes; threads of the linear algebra would only wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(params=["lampion", "torch"], ids=["lampion", "pytorch"])
def torch(request):
    """The library under test: lampion, and PyTorch itself, which shows that the test is right."""
    if request.param == "torch":
        pytest.importorskip("torch")
    return importlib.import_module(request.param)
