"""140 small networks whose inputs, weights and outputs were written by PyTorch itself.

They are cases of ONNX's own tests, in data/onnx_pytorch_cases. No PyTorch is needed here: its
answers are on disk. Of the 140, six compute with texts, and three lack their inputs.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

import lampion as torch

from . import messages
from .operators import OPERATORS

ARCHIVE = Path(__file__).resolve().parents[2] / "data" / "onnx_pytorch_cases" / "cases.tar.xz"


def read_all(path: Path) -> dict[str, dict[str, bytes]]:
    """Return the files of each case by the case's name."""
    cases: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = Path(member.name).parts
            places = [n for n, part in enumerate(parts) if part.startswith("test_")]
            if member.isfile() and places:
                name = "/".join(parts[places[0] - 1 : places[0] + 1])
                cases.setdefault(name, {})[parts[-1]] = archive.extractfile(member).read()
    return dict(sorted(cases.items()))


CASES = read_all(ARCHIVE)
MODELS = {name: messages.model(files["model.onnx"]) for name, files in CASES.items()}


def can_run(name: str) -> bool:
    """Say whether a case computes with tensors and has all its inputs and outputs."""
    model = MODELS[name]
    needed = {f"input_{n}.pb" for n in range(len(model.inputs))}
    needed |= {f"output_{n}.pb" for n in range(len(model.outputs))}
    texts = any(node.kind == "StringNormalizer" for node in model.nodes)
    return not texts and needed <= CASES[name].keys()


RUN = [name for name in CASES if can_run(name)]


def run(model: messages.Model, inputs: list) -> list:
    """Compute a graph node by node."""
    values = {name: torch.tensor(weight) for name, weight in model.weights.items()}
    values.update(zip((name for name, _ in model.inputs), inputs))
    for node in model.nodes:
        if node.kind == "Gradient":
            for name in node.attributes["xs"]:
                values[name].requires_grad_()
    for node in model.nodes:
        if node.kind == "Gradient":
            names = node.attributes["xs"]
            results = torch.autograd.grad(
                values[node.attributes["y"]], [values[name] for name in names])
        else:
            results = OPERATORS[node.kind](
                *(values[name] if name else None for name in node.inputs), **node.attributes)
        if not isinstance(results, tuple):
            results = (results,)
        values.update(zip(node.outputs, results))
    return [values[name] for name, _ in model.outputs]


def as_tensor(value):
    return [torch.tensor(item) for item in value] if isinstance(value, list) else (
        torch.tensor(value))


@pytest.mark.parametrize("name", RUN)
def test_pytorchs_own_answer(name):
    files, model = CASES[name], MODELS[name]

    def read(kind, infos):
        return [(messages.sequence if is_sequence else messages.tensor)(files[f"{kind}_{n}.pb"])
                for n, (_, is_sequence) in enumerate(infos)]

    results = run(model, [as_tensor(value) for value in read("input", model.inputs)])
    for result, expected in zip(results, read("output", model.outputs), strict=True):
        pairs = [(result, expected)] if not isinstance(expected, list) else list(
            zip(result, expected, strict=True))
        for ours, theirs in pairs:
            ours = ours.detach().numpy()
            assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
            assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_the_cases_are_there():
    assert len(CASES) == 140 and len(RUN) == 131
