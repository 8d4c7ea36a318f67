"""Ops on complex numbers: gradients against central differences, values against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import lampion
from lampion import dtypes, interpret, ir
from lampion.errors import DTypeOperationError, GradientError
from lampion.grad import backpropagate
from lampion.ir import Graph, registry

SQUARE = (2, 3, 3)
# Operand shapes and settings by op; one operand of shape (2, 3) otherwise.
CASES: dict[str, tuple] = {
    **{name: (((2, 3), (2, 3)), {}) for name in ("add", "sub", "mul", "div", "pow", "overwrite")},
    "reshape": (((2, 3),), {"shape": (3, 2)}), "permute": (((2, 3),), {"order": (1, 0)}),
    "expand": (((1, 3),), {"shape": (2, 3)}),
    "slice": (((4, 3),), {"start": (1, 0), "stop": (4, 3), "step": (2, 1)}),
    "flip": (((2, 3),), {"axes": (1,)}), "pad": (((2, 3),), {"low": (0, 1), "high": (1, 0)}),
    "windows": (((2, 5),), {"axis": 1, "size": 3, "step": 2, "dilation": 1}),
    "windows_add": (((2, 2, 3),), {"axis": 1, "length": 5, "step": 2, "dilation": 1}),
    "section": (((6,),), {"start": 1, "shape": (2, 2)}),
    "sum": (((2, 3),), {"axes": (1,)}), "prod": (((2, 3),), {"axes": (1,)}),
    "cumsum": (((2, 3),), {"axis": 1, "exclusive": False, "reverse": False}),
    "cumprod": (((2, 3),), {"axis": 1, "exclusive": False, "reverse": False}),
    "slice_put": (((4, 3), (2, 3)), {"start": (1, 0), "stop": (4, 3), "step": (2, 1)}),
    "concat": (((2, 3), (2, 3)), {"axis": 1}), "matmul": (((2, 3, 4), (2, 4, 2)), {}),
    "triangle": ((SQUARE,), {"offset": 0, "upper": True}), "diagonal_vector": ((SQUARE,), {}),
    "inverse": ((SQUARE,), {}), "solve": ((SQUARE, (2, 3, 2)), {}),
    "triangular_solve": ((SQUARE, (2, 3, 2)), {"upper": True, "unit": False}),
    "determinant": ((SQUARE,), {}), "cofactor": ((SQUARE,), {}),
    "matrix_exponential": ((SQUARE,), {}),
    "fourier": (((2, 3),), {"axis": 1, "inverse": False}),
    "cast": (((2, 3),), {"dtype": dtypes.complex128}),
    "complex": (((2, 3), (2, 3)), {}),
}
INDEXED = {"take", "put", "put_add", "gather", "scatter", "scatter_add"}
DIFFERENTIABLE = sorted(
    op.name for op in registry.values() if op.complex in ("own", "holomorphic")
    and op.grad is not ir.zero and op.name not in ("where", "eig", *INDEXED))


def operands(name, shapes, seed=0):
    random = np.random.default_rng(seed)
    found = []
    for shape in shapes:
        array = random.uniform(0.4, 1.4, shape) + 1j * random.uniform(0.3, 1.2, shape)
        if len(shape) == 3 and shape[-1] == shape[-2]:
            array = array + 2 * np.eye(shape[-1])
        if name == "complex":
            array = array.real
        found.append(ir.leaf(array, dtypes.from_numpy(array.dtype)))
    return found


def run(*outputs):
    graph = Graph(outputs)
    graph.verify()
    return interpret.run(graph)


def loss(result):
    """A real number that depends on every part of the result in its own way."""
    weight = np.cos(np.arange(np.prod(result.shape)) + 1.0).reshape(result.shape)
    if result.dtype.is_complex:
        real, imaginary = registry["real"](result), registry["imag"](result)
        result = real * ir.leaf(weight, dtypes.float64) + imaginary * ir.leaf(
            weight[..., ::-1].copy() if weight.ndim else weight, dtypes.float64)
        weight = np.ones(result.shape)
    return registry["sum"](result * ir.leaf(weight, dtypes.float64),
                           axes=tuple(range(result.ndim)))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_agrees_with_central_differences(name):
    op = registry[name]
    shapes, settings = CASES.get(name, (((2, 3),), {}))
    values = operands(name, shapes)
    for value in values:
        value.tracked = True
    total = loss(op(*values, **settings))
    found = backpropagate([(total, ir.full(total.shape, 1, total.dtype))], wanted=values)
    for place, value in enumerate(values):
        (got,) = run(found[value.order]) if value.order in found else (np.zeros(value.shape),)
        assert got.dtype == value.dtype.array or value.order not in found
        for index in np.ndindex(value.shape):
            for direction in (1, 1j) if value.dtype.is_complex else (1,):
                ends = []
                for sign in (1, -1):
                    moved = value.data.copy()
                    moved[index] += sign * 1e-6 * direction
                    changed = list(values)
                    changed[place] = ir.leaf(moved, value.dtype)
                    ends.append(run(loss(op(*changed, **settings)))[0].item())
                slope = (ends[0] - ends[1]) / 2e-6
                part = got[index].imag if direction == 1j else got[index].real
                assert abs(part - slope) < 1e-5 * max(1, abs(slope)), (name, place, index)


def test_every_differentiable_op_has_a_fitting_case():
    for name in DIFFERENTIABLE:
        shapes, settings = CASES.get(name, (((2, 3),), {}))
        assert registry[name](*operands(name, shapes), **settings).shape is not None


def test_an_op_of_real_numbers_refuses_complex_ones():
    z = lampion.tensor([1 + 2j])
    for function in (lampion.floor, lampion.erf, lampion.relu, lambda x: lampion.maximum(x, x),
                     lambda x: x < x, lampion.sign, lambda x: x.max()):
        with pytest.raises(DTypeOperationError, match="complex64"):
            function(z)


def test_a_decomposition_of_complex_matrices_has_no_gradient():
    z = (lampion.eye(2) + 0j).requires_grad_()
    with pytest.raises(GradientError, match="complex"):
        lampion.linalg.cholesky(z).abs().sum().backward()


def test_a_real_leaf_gets_a_real_gradient():
    x = lampion.tensor([1., 2.], requires_grad=True)
    (x * (3 + 4j)).abs().sum().backward()
    assert x.grad.dtype is lampion.float32
    np.testing.assert_allclose(x.grad.numpy(), [5, 5], rtol=1e-6)


def test_the_gradient_of_eigenvalues_and_vectors_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    for kind in (np.float64, np.complex128):
        (value,) = operands("eig", [SQUARE])
        array = value.data.astype(kind) if kind is np.complex128 else value.data.real.copy()
        found = []
        for library in (torch, lampion):
            x = library.tensor(array, requires_grad=True)
            values, vectors = library.linalg.eig(x)
            # Vectors may be turned by any angle: only their sizes mean something.
            total = ((values.real ** 2 + values.imag).sum(-1) * vectors.abs().pow(3).sum((-1, -2)))
            total.sum().backward()
            found.append(x.grad.resolve_conj().numpy())
        np.testing.assert_allclose(found[1], found[0], rtol=1e-8, atol=1e-10)


UNARY = [name for name in DIFFERENTIABLE if name not in CASES and hasattr(lampion, name)]


@pytest.mark.parametrize("name", UNARY)
def test_values_and_gradients_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(1)
    array = random.normal(size=20) + 1j * random.normal(size=20)
    found = []
    for library in (torch, lampion):
        z = library.tensor(array, requires_grad=True)
        y = getattr(library, name)(z)
        part = y if not y.is_complex() else y.real + 2 * y.imag
        part.sum().backward()
        found.append((y.detach().resolve_conj().numpy(), z.grad.resolve_conj().numpy()))
    for expected, got in zip(*found, strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_printing_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    for data in ([1 + 2j, 0.5 - 1j], [[1 + 0j], [-2.25 - 1e-3j]], [complex("nan"), 1j], 3 + 1j):
        for kind in ("complex64", "complex128"):
            ours = lampion.tensor(data, dtype=getattr(lampion, kind))
            theirs = torch.tensor(data, dtype=getattr(torch, kind))
            assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_unsigned_integers_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    kinds = getattr(lampion, name), getattr(torch, name)
    ours, theirs = (lib.tensor([1, 2, 3], dtype=kind) for lib, kind in zip(
        (lampion, torch), kinds, strict=True))
    assert repr(ours) == repr(theirs)
    assert (ours * 7).tolist() == (theirs * 7).tolist()
    assert lampion.iinfo(kinds[0]).max == torch.iinfo(kinds[1]).max
    assert ours.to(lampion.float32).dtype is lampion.float32


def test_the_largest_unsigned_number_survives():
    x = lampion.tensor([2**64 - 1], dtype=lampion.uint64)
    assert x.tolist() == [2**64 - 1] and (x - 1).tolist() == [2**64 - 2]
