"""Every function of the array API namespace against NumPy, which follows the same standard."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import lampion
import lampion.array_api as xp
from lampion.array_api.promotion import KINDS, TYPES

NAMES = {d: name for name, d in TYPES.items()}


def numbers(shape, name, seed=0, low=-4.0, high=4.0):
    """An array of that type with ordinary numbers."""
    random = np.random.default_rng(seed)
    kind = np.dtype(name)
    array = random.uniform(low, high, shape)
    if kind.kind == "b":
        return array > 0
    if kind.kind == "u":
        return np.abs(array).round().astype(kind)
    if kind.kind == "i":
        return array.round().astype(kind)
    if kind.kind == "c":
        array = array + 1j * random.uniform(low, high, shape)
    return array.astype(kind)


def unwrapped(x):
    """Arrays as NumPy arrays, inside tuples too."""
    if isinstance(x, xp.Array):
        return np.asarray(x)
    if isinstance(x, (tuple, list)):
        return tuple(unwrapped(part) for part in x)
    return x


def check_same(got, expected, rtol=None):
    if isinstance(expected, (tuple, list)):
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            check_same(a, b, rtol)
        return
    got = unwrapped(got)
    expected = np.asarray(expected)
    assert got.dtype == expected.dtype, (got.dtype, expected.dtype)
    assert got.shape == expected.shape
    if rtol is None:
        rtol = 2e-5 if got.dtype.name in ("float32", "complex64") else 1e-11
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def kinds_of(name):
    return [NAMES[d] for d in KINDS[name]]


UNARY = {
    "abs": "numeric", "acos": "floating", "acosh": "floating", "asin": "floating",
    "asinh": "floating", "atan": "floating", "atanh": "floating",
    "bitwise_invert": "integral or bool", "ceil": "real numeric", "conj": "numeric",
    "cos": "floating", "cosh": "floating", "exp": "floating", "expm1": "floating",
    "floor": "real numeric", "imag": "complex floating", "isfinite": "numeric",
    "isinf": "numeric", "isnan": "numeric", "log": "floating", "log10": "floating",
    "log1p": "floating", "log2": "floating", "logical_not": "bool", "negative": "numeric",
    "positive": "numeric", "real": "numeric", "reciprocal": "floating", "round": "numeric",
    "sign": "numeric", "signbit": "real floating", "sin": "floating", "sinh": "floating",
    "sqrt": "floating", "square": "numeric", "tan": "floating", "tanh": "floating",
    "trunc": "real numeric",
}
# Real numbers outside these bounds have no (finite) value.
BOUNDS = {"acos": (-0.9, 0.9), "asin": (-0.9, 0.9), "atanh": (-0.9, 0.9), "acosh": (1.1, 5.0),
          "log": (0.1, 5.0), "log2": (0.1, 5.0), "log10": (0.1, 5.0), "log1p": (-0.8, 5.0),
          "sqrt": (0.1, 5.0)}
BINARY = {
    "add": "numeric", "atan2": "real floating", "bitwise_and": "integral or bool",
    "bitwise_left_shift": "integral", "bitwise_or": "integral or bool",
    "bitwise_right_shift": "integral", "bitwise_xor": "integral or bool",
    "copysign": "real floating", "divide": "floating", "equal": "any",
    "floor_divide": "real numeric", "greater": "real numeric", "greater_equal": "real numeric",
    "hypot": "real floating", "less": "real numeric", "less_equal": "real numeric",
    "logaddexp": "real floating", "logical_and": "bool", "logical_or": "bool",
    "logical_xor": "bool", "maximum": "real numeric", "minimum": "real numeric",
    "multiply": "numeric", "nextafter": "real floating", "not_equal": "any", "pow": "numeric",
    "remainder": "real numeric", "subtract": "numeric",
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name):
    for kind in kinds_of(UNARY[name]):
        array = numbers((3, 4), kind, 0, *BOUNDS.get(name, (-4.0, 4.0)))
        check_same(getattr(xp, name)(xp.asarray(array)), getattr(np, name)(array))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays(name):
    kinds = kinds_of(BINARY[name])
    for one, other in itertools.product(kinds, kinds):
        try:
            together = xp.result_type(TYPES[one], TYPES[other])
        except TypeError:
            continue
        a, b = numbers((2, 1, 4), one), numbers((3, 1), other, 1)
        if name in ("floor_divide", "remainder", "divide"):
            b = np.where(b == 0, np.ones((), b.dtype), b)
        if "shift" in name or (name == "pow" and together.category == 1):
            b = np.abs(b) % np.array(5, b.dtype)
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(a, b)
        if name not in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
            expected = expected.astype(
                np.bool_ if expected.dtype == bool else together.array)
        check_same(getattr(xp, name)(xp.asarray(a), xp.asarray(b)), expected)


@pytest.mark.parametrize("name", sorted(set(UNARY) | set(BINARY)))
def test_other_kinds_are_refused(name):
    kind = UNARY.get(name) or BINARY[name]
    count = 1 if name in UNARY else 2
    for outside in set(kinds_of("any")) - set(kinds_of(kind)):
        with pytest.raises(TypeError):
            getattr(xp, name)(*[xp.ones(2, dtype=TYPES[outside])] * count)


REDUCTIONS = [
    (name, kind, options)
    for name, kind in (("sum", "numeric"), ("prod", "numeric"), ("mean", "floating"),
                       ("var", "real floating"), ("std", "real floating"),
                       ("max", "real numeric"), ("min", "real numeric"), ("all", "any"),
                       ("any", "any"), ("count_nonzero", "any"))
    for options in ({}, {"axis": 1}, {"axis": (0, -1)}, {"axis": -1, "keepdims": True},
                    {"keepdims": True}, {"axis": ()})
]


@pytest.mark.parametrize("name, kind, options", REDUCTIONS)
def test_reductions(name, kind, options):
    for type_ in kinds_of(kind):
        array = numbers((2, 3, 4), type_)
        expected = np.asarray(getattr(np, name)(array, **options))
        if name == "count_nonzero":
            expected = expected.astype(np.int64)
        check_same(getattr(xp, name)(xp.asarray(array), **options), expected,
                   rtol=1e-4 if type_ in ("float32", "complex64") else None)


CASES = [
    ("cumulative_sum", (3, 4), {"axis": 1}), ("cumulative_sum", (4,), {"include_initial": True}),
    ("cumulative_prod", (3, 4), {"axis": 0, "include_initial": True}),
    ("diff", (3, 5), {}), ("diff", (3, 5), {"axis": 0, "n": 2}), ("diff", (5,), {"n": 7}),
    ("flip", (3, 4), {}), ("flip", (3, 4), {"axis": -1}), ("roll", (3, 4), {"shift": 2}),
    ("roll", (3, 4), {"shift": (1, -1), "axis": (0, 1)}), ("expand_dims", (3, 4), {"axis": 1}),
    ("expand_dims", (3, 4), {"axis": (0, -1)}), ("squeeze", (3, 1, 1), {"axis": (1, -1)}),
    ("repeat", (3, 4), {"repeats": 2}), ("repeat", (3, 4), {"repeats": 2, "axis": 0}),
    ("tile", (3, 4), {"repetitions": (2, 1, 2)}), ("matrix_transpose", (2, 3, 4), {}),
    ("permute_dims", (2, 3, 4), {"axes": (2, 0, -2)}), ("reshape", (3, 4), {"shape": (2, -1)}),
    ("broadcast_to", (3, 1), {"shape": (2, 3, 4)}), ("tril", (3, 4), {"k": 1}),
    ("triu", (2, 3, 3), {"k": -1}),
]
NUMPYS = {"repetitions": "reps", "axes": "axes", "shape": "shape"}


@pytest.mark.parametrize("name, shape, options", CASES)
def test_functions_that_give_another_shape(name, shape, options):
    for kind in ("bool", "uint8", "int64", "uint64", "float32", "complex128"):
        if kind == "bool" and name.startswith(("cumulative", "diff")):
            continue
        array = numbers(shape, kind)
        options_there = {NUMPYS.get(k, k): v for k, v in options.items()}
        if name == "permute_dims":
            expected = np.permute_dims(array, options["axes"])
        else:
            expected = getattr(np, name)(array, **options_there)
        if name == "repeat":
            rest = {k: v for k, v in options.items() if k != "repeats"}
            got = xp.repeat(xp.asarray(array), options["repeats"], **rest)
        elif name == "tile":
            got = xp.tile(xp.asarray(array), options["repetitions"])
        else:
            got = getattr(xp, name)(xp.asarray(array), **options)
        check_same(got, expected)


@pytest.mark.parametrize("kind", kinds_of("real numeric"))
def test_sorting_and_searching(kind):
    array = numbers((3, 7), kind)
    x = xp.asarray(array)
    for axis, descending in itertools.product((0, -1), (False, True)):
        got = xp.sort(x, axis=axis, descending=descending)
        expected = np.sort(array, axis=axis)
        check_same(got, np.flip(expected, axis) if descending else expected)
        order = xp.argsort(x, axis=axis, descending=descending)
        check_same(xp.take_along_axis(x, order, axis=axis), unwrapped(got))
    check_same(xp.argsort(x), np.argsort(array, stable=True))
    for name in ("argmax", "argmin"):
        for options in ({}, {"axis": 1}, {"axis": 0, "keepdims": True}, {"keepdims": True}):
            check_same(getattr(xp, name)(x, **options), getattr(np, name)(array, **options))
    line = np.sort(array.reshape(-1))
    for side in ("left", "right"):
        check_same(xp.searchsorted(xp.asarray(line), x, side=side),
                   np.searchsorted(line, array, side=side))
    check_same(xp.nonzero(x), np.nonzero(array))
    check_same(xp.isin(x, xp.asarray(array[0])), np.isin(array, array[0]))
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        check_same(tuple(getattr(xp, name)(x)), tuple(getattr(np, name)(array)))
    check_same(xp.take(x, xp.asarray([1, -1]), axis=1), np.take(array, [1, -1], axis=1))


def test_every_nan_is_its_own():
    assert xp.unique_values(xp.asarray([xp.nan, 1.0, xp.nan])).shape == (3,)


@pytest.mark.parametrize("kind", kinds_of("floating"))
def test_linear_algebra(kind):
    array = numbers((2, 3, 3), kind) + 3 * np.eye(3).astype(kind)
    symmetric = array @ np.conj(np.matrix_transpose(array))
    x, y = xp.asarray(array), xp.asarray(symmetric)
    rtol = 3e-4 if kind in ("float32", "complex64") else 1e-9
    here, there = xp.linalg, np.linalg
    for name in ("det", "inv", "svdvals"):
        check_same(getattr(here, name)(x), getattr(there, name)(array), rtol)
    check_same(here.cholesky(y), there.cholesky(symmetric), rtol)
    check_same(here.eigvalsh(y), there.eigvalsh(symmetric), rtol * 10)
    check_same(here.pinv(x), there.pinv(array), rtol * 10)
    check_same(here.matrix_rank(x), there.matrix_rank(array))
    check_same(here.solve(x, y), there.solve(array, symmetric), rtol * 10)
    check_same(here.solve(x, y[0, 0, :]), there.solve(array, symmetric[0, 0]), rtol * 10)
    sign, size = here.slogdet(x)
    check_same((sign, size), tuple(there.slogdet(array)), rtol)
    for full in (True, False):
        u, s, v = here.svd(x[:, :2, :], full_matrices=full)
        made = (u[..., :2] * xp.astype(s, x.dtype)[:, None, :]) @ v[:, :2, :]
        check_same(made, array[:, :2, :], rtol)
    q, r = here.qr(x)
    check_same(q @ r, array, rtol)
    values, vectors = here.eigh(y)
    check_same(vectors * xp.astype(values, y.dtype)[:, None, :], unwrapped(y @ vectors), rtol * 100)
    values, vectors = here.eig(x)
    wide = xp.astype(x, vectors.dtype)
    check_same(wide @ vectors, unwrapped(vectors * values[:, None, :]), rtol * 10)
    check_same(xp.sort(xp.abs(here.eigvals(x))), np.sort(np.abs(there.eigvals(array))), rtol)
    for order in ("fro", "nuc", 1, -1, 2, -2, xp.inf, -xp.inf):
        check_same(here.matrix_norm(x, ord=order), there.matrix_norm(array, ord=order), rtol)
    for order, axis in itertools.product((0, 1, 2, 3, xp.inf, -xp.inf), (None, 1, (0, 2))):
        check_same(here.vector_norm(x, ord=order, axis=axis, keepdims=True),
                   there.vector_norm(array, ord=order, axis=axis, keepdims=True), rtol)
    for n in (0, 1, 3, -2):
        check_same(here.matrix_power(x, n), there.matrix_power(array, n), rtol * 10)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "float32", "complex128"])
def test_products(kind):
    a, b = numbers((2, 3, 4), kind), numbers((2, 4, 3), kind, 1)
    x, y = xp.asarray(a), xp.asarray(b)
    check_same(x @ y, a @ b)
    check_same(xp.matmul(x, y[0, :, 0]), a @ b[0, :, 0])
    check_same(xp.tensordot(x, y, axes=((2, 0), (1, 0))), np.tensordot(a, b, ((2, 0), (1, 0))))
    check_same(xp.tensordot(x[0, ...], y[0, ...], axes=0), np.tensordot(a[0], b[0], 0))
    check_same(xp.vecdot(x, x), np.vecdot(a, a))
    check_same(xp.linalg.cross(x[..., :3], x[..., 1:]), np.linalg.cross(a[..., :3], a[..., 1:]))
    check_same(xp.linalg.outer(x[0, 0, :], y[0, :, 0]), np.linalg.outer(a[0, 0], b[0, :, 0]))
    check_same(xp.linalg.diagonal(x, offset=1), np.linalg.diagonal(a, offset=1))
    expected = np.asarray(np.linalg.trace(a))
    check_same(xp.linalg.trace(x), expected)


def test_fourier_transforms():
    for kind in ("float32", "float64", "complex64", "complex128"):
        array = numbers((3, 6), kind)
        x = xp.asarray(array)
        names = ["fft", "ifft", "fftn", "ifftn", "irfft", "irfftn", "hfft"]
        if kind.startswith("float"):
            names += ["rfft", "rfftn", "ihfft"]
        for name, norm in itertools.product(names, ("backward", "ortho", "forward")):
            options = {"axes": (0, 1)} if name.endswith("n") else {}
            check_same(getattr(xp.fft, name)(x, norm=norm, **options),
                       getattr(np.fft, name)(array, norm=norm, **options), 2e-4)
        check_same(xp.fft.fftshift(x, axes=1), np.fft.fftshift(array, axes=1))
    check_same(xp.fft.fftfreq(5, d=2.0, dtype=xp.float64), np.fft.fftfreq(5, 2.0))


def test_creation():
    for name in ("zeros", "ones", "empty"):
        assert getattr(xp, name)((2, 0)).shape == (2, 0)
        assert getattr(xp, name)(3, dtype=xp.uint32).dtype == xp.uint32
    check_same(xp.full((2,), 3, dtype=xp.int8), np.full(2, 3, np.int8))
    check_same(xp.full_like(xp.ones(2), 3), np.full(2, 3, np.float32))
    check_same(xp.eye(3, 4, k=1, dtype=xp.int32), np.eye(3, 4, 1, np.int32))
    check_same(xp.arange(5), np.arange(5))
    check_same(xp.arange(5, 1), np.arange(5, 1))
    check_same(xp.arange(1.0, 2.0, 0.25, dtype=xp.float64), np.arange(1, 2, 0.25))
    check_same(xp.linspace(0, 1, 5, dtype=xp.float64), np.linspace(0, 1, 5))
    check_same(xp.linspace(0, 1j, 5, dtype=xp.complex128, endpoint=False),
               np.linspace(0, 1j, 5, endpoint=False))
    for indexing in ("xy", "ij"):
        check_same(xp.meshgrid(xp.arange(3), xp.arange(4), xp.arange(2), indexing=indexing),
                   np.meshgrid(np.arange(3), np.arange(4), np.arange(2), indexing=indexing))


def test_joining():
    a, b = numbers((2, 3), "int8"), numbers((2, 3), "int32", 1)
    x, y = xp.asarray(a), xp.asarray(b)
    check_same(xp.concat([x, y], axis=1), np.concat([a, b], axis=1))
    check_same(xp.concat([x, y], axis=None), np.concat([a, b], axis=None))
    check_same(xp.stack([x, y], axis=-1), np.stack([a, b], axis=-1))
    check_same(xp.unstack(x, axis=1), np.unstack(a, axis=1))
    check_same(xp.moveaxis(xp.ones((2, 3, 4)), (0, 1), (-1, 0)),
               np.moveaxis(np.ones((2, 3, 4), np.float32), (0, 1), (-1, 0)))
    check_same(xp.broadcast_arrays(x, y[:1, :]), np.broadcast_arrays(a, b[:1]))
    assert xp.broadcast_shapes((2, 1), (1, 3), (3,)) == (2, 3)
    with pytest.raises(ValueError):
        xp.broadcast_shapes((2,), (3,))


def test_clip_and_where():
    for kind in kinds_of("real numeric"):
        array = numbers((3, 4), kind)
        check_same(xp.clip(xp.asarray(array), 1, 3), np.clip(array, np.array(1, kind),
                                                             np.array(3, kind)))
        check_same(xp.where(xp.asarray(array) > 1, xp.asarray(array), 0),
                   np.where(array > 1, array, np.zeros((), kind)))
    assert unwrapped(xp.clip(xp.asarray([1, 5]), max=3)).tolist() == [1, 3]


def test_types():
    for a, b in itertools.product(TYPES.values(), TYPES.values()):
        try:
            found = xp.result_type(a, b)
        except TypeError:
            same_kind = a.category == b.category or (a.is_inexact and b.is_inexact)
            assert not same_kind or {a, b} & {xp.uint64}
            continue
        assert np.dtype(found.array) == np.result_type(a.array, b.array)
        assert xp.can_cast(a, b) == (found is b)
    assert xp.result_type(xp.int8, 3) is xp.int8
    assert xp.result_type(xp.float32, 1j) is xp.complex64
    with pytest.raises(TypeError):
        xp.result_type(xp.int8, 1.5)
    assert xp.isdtype(xp.uint8, ("integral", "bool")) and not xp.isdtype(xp.bool, "numeric")
    assert xp.finfo(xp.complex64).dtype is xp.float32
    assert xp.iinfo(xp.ones(1, dtype=xp.int8)).max == 127
    with pytest.raises(TypeError):
        xp.astype(xp.ones(1, dtype=xp.complex64), xp.float32)
    information = xp.__array_namespace_info__()
    assert set(information.dtypes()) == set(TYPES)
    assert information.default_dtypes()["real floating"] is xp.float32
    assert information.devices() == [information.default_device()]


def test_signatures_agree_with_the_reference_implementation():
    strict = pytest.importorskip("array_api_strict")
    missing = []
    for module, reference in ((xp, strict), (xp.linalg, strict.linalg), (xp.fft, strict.fft)):
        for name in dir(reference):
            function = getattr(reference, name)
            if not inspect.isfunction(function) or name.startswith(("_", "requires")):
                continue
            if "strict_flags" in name or name in (
                    "NamedTuple", "normalize_axis_tuple", "device_supports_dtype"):
                continue  # its own
            if reference is not strict and hasattr(strict, name) and not hasattr(module, name):
                continue  # imported there, not of it
            ours = getattr(module, name, None)
            if ours is None:
                missing.append(name)
                continue
            want = [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]
            have = [(p.name, p.kind) for p in inspect.signature(ours).parameters.values()]
            assert have == want, name
    assert not missing
    assert xp.__array_api_version__ == strict.__array_api_version__


def test_a_tensor_names_the_namespace():
    x = lampion.ones(3)
    assert x.__array_namespace__() is xp
    assert isinstance(xp.sum(x), xp.Array) and float(xp.sum(x)) == 3
    with pytest.raises(ValueError):
        xp.ones(1).__array_namespace__(api_version="1999.12")


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 2.5, -3.0, 1e-40, 1e30, -1e30,
                    np.inf, -np.inf, np.nan])


def check_special(got, expected, name):
    got = np.asarray(got)
    assert got.dtype == expected.dtype and got.shape == expected.shape, name
    for a, b in ((got.real, expected.real), (got.imag, expected.imag)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-300, err_msg=name)
        if a.dtype.kind == "f":
            known = ~np.isnan(b)
            np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known], name)


@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_one_array(name):
    for kind in set(kinds_of(UNARY[name])) & {"float32", "float64"}:
        array = SPECIAL.astype(kind)
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(array)
        check_special(getattr(xp, name)(xp.asarray(array)), expected, name)


@pytest.mark.parametrize("name", BINARY)
def test_special_values_of_two_arrays(name):
    for kind in set(kinds_of(BINARY[name])) & {"float32", "float64"}:
        a, b = np.meshgrid(SPECIAL.astype(kind), SPECIAL.astype(kind))
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(a, b)
        check_special(getattr(xp, name)(xp.asarray(a), xp.asarray(b)), expected, name)
