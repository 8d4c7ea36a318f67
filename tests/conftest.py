"""Fixtures that every test may use."""

import importlib

import pytest


@pytest.fixture(params=["lampion", "torch"], ids=["lampion", "pytorch"])
def torch(request):
    """The library under test: lampion, and PyTorch itself, which shows that the test is right."""
    if request.param == "torch":
        pytest.importorskip("torch")
    return importlib.import_module(request.param)
