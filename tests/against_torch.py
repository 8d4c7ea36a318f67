"""Compare a function of lampion with PyTorch's: values, dtypes, gradients, second gradients."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # on tensors this small, threads only wait for each other

F = importlib.import_module("lampion.nn.functional")
TF = importlib.import_module("torch.nn.functional")


def numbers(*shape, seed=0, dtype="float64", low=-2.0, high=2.0):
    """Return uniformly drawn numbers."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)


def labels(*shape, classes, seed=0):
    """Return class indices."""
    return np.random.default_rng(seed).integers(0, classes, shape)


class Fixed:
    """A tensor that wants no gradient: PyTorch does not differentiate every function for it."""

    def __init__(self, array):
        self.array = np.asarray(array)


def _given(library, value, wanted):
    if isinstance(value, Fixed):
        value, wanted = value.array, False
    if not isinstance(value, np.ndarray):
        return value
    tensor = library.tensor(value.tolist(), dtype=getattr(library, str(value.dtype)))
    tensor = tensor.reshape(value.shape)
    return tensor.requires_grad_() if wanted and value.dtype.kind == "f" else tensor


def _results(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _array(tensor):
    # The sum makes numbers of PyTorch's symbolic zeros.
    plain = tensor.new_zeros(tuple(tensor.shape)) + tensor.detach()
    return np.array(plain.tolist(), dtype=np.float64)


def run(library, functions, name, args, settings, wanted, order):
    """Return results, dtypes, shapes, and gradients up to `order`."""
    function = getattr(functions, name) if isinstance(name, str) else name
    given = [_given(library, value, wanted) for value in args]
    given_settings = {key: _given(library, value, wanted) for key, value in settings.items()}
    leaves = [t for t in (*given, *given_settings.values()) if getattr(t, "requires_grad", False)]
    # A function may write into its arguments, which a leaf must not be.
    if settings.get("inplace"):
        given = [t * 1 if getattr(t, "requires_grad", False) else t for t in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = _results(function(*given, **given_settings))
    gradients = []
    if leaves and order:
        outputs = [r for r in results if r is not None and r.requires_grad]
        gradients = _gradients(library, outputs, leaves, order)
    return results, gradients, given


def _weights(library, tensor, seed):
    shape = tuple(tensor.shape)
    values = np.random.default_rng(seed).uniform(0.5, 1.5, shape)
    return library.tensor(values.tolist(), dtype=tensor.dtype).reshape(shape)


def _gradients(library, outputs, leaves, order):
    gradients = []
    for level in range(order):
        total = sum(
            (_weights(library, o, 7 * level + i) * o).sum() for i, o in enumerate(outputs))
        found = library.autograd.grad(
            total, leaves, create_graph=level + 1 < order, allow_unused=True)
        gradients.append(found)
        outputs = [g for g in found if g is not None and g.requires_grad]
        if not outputs:
            break
    return gradients


def check(name, *args, order=2, dtypes=("float64", "float32"), reference=None, rtol=1e-9,
          **settings):
    """Assert that lampion and PyTorch agree on a call, for each floating dtype.

    Args:
        name: the function's name in `nn.functional`.
        args, settings: NumPy arrays stand for tensors; floating ones want gradients.
        order: how many times to differentiate (0 for not at all); float32 once at most.
        reference: PyTorch's function where its name or place differs.
        rtol: relative tolerance for float64; PyTorch keeps some of its constants in float32.
    """
    for dtype in dtypes:
        cast = [_cast(value, dtype) for value in args]
        cast_settings = {key: _cast(value, dtype) for key, value in settings.items()}
        # Second gradients are compared where they are exact.
        depth = order if dtype == "float64" else min(order, 1)
        ours = run(lampion, F, name, cast, cast_settings, order > 0, depth)
        theirs = run(torch, TF, reference or name, cast, cast_settings, order > 0, depth)
        compare(ours, theirs, dtype, rtol)


def _cast(value, dtype):
    if isinstance(value, Fixed):
        return Fixed(_cast(value.array, dtype))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


def compare(ours, theirs, dtype, rtol):
    """Assert that two outcomes of `run` agree."""
    assert len(ours[0]) == len(theirs[0])
    for mine, other in zip(ours[0], theirs[0], strict=True):
        assert (mine is None) == (other is None)
        if mine is None:
            continue
        assert tuple(mine.shape) == tuple(other.shape)
        assert str(mine.dtype).split(".")[-1] == str(other.dtype).split(".")[-1]
        _assert_close(_array(mine), _array(other), dtype, rtol)
    for level, (mine, other) in enumerate(zip(ours[1], theirs[1], strict=False)):
        for g, h in zip(mine, other, strict=True):
            zero = np.zeros(()) if g is None or h is None else None
            a = zero if g is None else _array(g)
            b = zero if h is None else _array(h)
            what = f"gradient of order {level + 1}"
            _assert_close(*np.broadcast_arrays(a, b), dtype, rtol, what)
    for mine, other in zip(ours[2], theirs[2], strict=True):
        if hasattr(mine, "tolist"):  # written in place?
            _assert_close(_array(mine), _array(other), dtype, rtol)


def _assert_close(mine, other, dtype, rtol, what=""):
    if dtype == "float64":
        np.testing.assert_allclose(mine, other, rtol, 1e-10, err_msg=what)
    else:
        largest = np.abs(other[np.isfinite(other)]).max(initial=1.0)
        np.testing.assert_allclose(mine, other, 2e-4, 1e-5 * largest, err_msg=what)


def check_error(name, *args, expected, mention=None, reference=True, **settings):
    """Assert that lampion raises `expected` with `mention` in its text, where PyTorch raises too.

    Args:
        expected: the builtin class that `except` clauses of PyTorch programs name.
        reference: whether PyTorch must raise it as well.
    """
    given = [_given(lampion, value, False) for value in args]
    given_settings = {key: _given(lampion, value, False) for key, value in settings.items()}
    with pytest.raises(expected) as caught:
        getattr(F, name)(*given, **given_settings)
    assert isinstance(caught.value, lampion.errors.LampionError)
    if mention:
        assert mention in str(caught.value)
    if reference:
        theirs = [_given(torch, value, False) for value in args]
        their_settings = {key: _given(torch, value, False) for key, value in settings.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(expected):
                getattr(TF, name)(*theirs, **their_settings)
