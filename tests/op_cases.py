"""On what the ops of the registry are tried: input shapes, settings, element types, operands."""

from __future__ import annotations

import numpy as np

from lampion import dtypes, ir
from lampion.ir import registry

FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
INTEGERS = (dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
ALL_OPS = sorted(registry.values(), key=lambda op: op.name)

# Inputs that are positions, by op: their exclusive upper bound is the length of that axis.
POSITIONS = {"take": 1, "put": 1, "put_add": 1, "gather": 1, "scatter": 1, "scatter_add": 1,
             "scatter_reduce": 1,
             "checked_index": 0}
ONLY_BOOLEAN_OR_INTEGER = {"gcd", "bit_and", "bit_or", "bit_xor", "bit_not", "shift_left",
                           "shift_right"}
NO_BOOLEAN = {"gcd", "neg", "sub", "shift_left", "shift_right", "floor_divide", "trunc_divide",
              "remainder", "fmod", "pow", "relu", "clamp", "clamp_low", "clamp_high", "abs",
              "sign", "floor", "ceil", "trunc", "round", "norm2", "convolution",
              "convolution_input", "convolution_weight", "argsort", "topk_index",
              "cummax_index", "sum", "prod",
              "cumsum", "cumprod", "matmul", "pool_argmax", "max_pool", "max_pool_input",
              "pool_sum", "pool_spread", "windows_add", "put_add", "scatter_add",
              "scatter_reduce"}

# These read one triangle and mean a symmetric matrix; tests/functions/test_decomposition.py holds
# their gradients against central differences along symmetric changes.
ONE_TRIANGLE = {"cholesky", "eigh"}
# Of complex numbers: tests/ops/test_complex_numbers.py holds them against slow truths.
OF_COMPLEX = {"complex", "real", "imag", "conj", "magnitude", "fourier", "eig"}
# These have a derivative by their last argument only, as in PyTorch.
ONE_ARGUMENT = {"igamma", "igammac", "zeta"}
# The gradient of a random number is taken at a fixed share of its distribution, not at fixed bits;
# tests/distributions holds it against PyTorch's and against means that are known.
IMPLICIT = {"standard_gamma", "dirichlet"}


def arity(op) -> int:
    code = op.meaning.__code__
    names = code.co_varnames[1:code.co_argcount]
    if code.co_flags & 0x04:
        return 3
    return len([n for n in names if n not in (
        "axes", "axis", "exclusive", "reverse", "descending", "location", "dtype", "shape")])


def cases(op):
    """Input shapes and settings on which an op is tried."""
    if op.name == "cast":
        return [(((2, 3),), {"dtype": d}) for d in dtypes.ALL]
    if op.name == "fourier":
        return [(((2, 3),), {"axis": 1, "inverse": False}),
                (((0, 2),), {"axis": 0, "inverse": True})]
    if op.samples:
        return list(op.samples)
    return [((shape,) * arity(op), {}) for shape in ((2, 3), (), (1,), (0, 3), (4, 1, 2))]


def claimed(op):
    """The element types an op accepts."""
    if op.name == "scan":  # its samples' bodies are of one type
        return (dtypes.float64,)
    if op.name == "random_below":
        return (dtypes.float32,)
    if op.name in ("complex", "eig"):
        return (dtypes.float32, dtypes.float64)
    if op.name in OF_COMPLEX:
        return (dtypes.complex64, dtypes.complex128)
    if op.name in ("random_bits", "random_uniform"):
        return (dtypes.int64,)
    if op.lower.get("floating") or op.name == "norm2":
        return FLOATS
    if op.name in ONLY_BOOLEAN_OR_INTEGER:
        return INTEGERS if op.name in NO_BOOLEAN else (dtypes.bool_, *INTEGERS)
    if op.name in POSITIONS and POSITIONS[op.name] == 0:
        return (dtypes.int64,)
    return (*(() if op.name in NO_BOOLEAN else (dtypes.bool_,)), *INTEGERS, *FLOATS)


def operands(op, shapes, settings, dtype, seed=0):
    """Random operands inside the op's domain."""
    random = np.random.default_rng(seed)
    domain = op.domain or ((-3.0, 3.0),)
    found = []
    for place, shape in enumerate(shapes):
        low, high = domain[min(place, len(domain) - 1)]
        if POSITIONS.get(op.name) == place:
            axis = settings.get("axis", 0)
            length = settings.get("size") or shapes[0][axis]
            # Without repeats along the axis, so that replacing has one meaning.
            if op.name in ("put", "scatter"):
                array = np.argsort(random.random(shape), axis=axis if op.name == "scatter" else 0)
            else:
                array = random.integers(0, length, shape)
            found.append(ir.leaf(array.astype(np.int64), dtypes.int64))
            continue
        if op.name == "where" and place == 0:
            found.append(ir.leaf(random.random(shape) < 0.5, dtypes.bool_))
            continue
        array = random.uniform(low, high, shape)
        if op.name in ONE_TRIANGLE:  # defined for symmetric matrices, here positive ones
            array = array @ np.swapaxes(array, -1, -2) + shape[-1] * np.eye(shape[-1])
        if dtype.category == dtypes.INTEGER:
            array = np.maximum(np.round(np.abs(array)), 1 if low > 0 or not dtype.is_signed else 0)
        if dtype is dtypes.bool_:
            array = array > 0
        array = dtypes.round_to(dtype, np.asarray(array).astype(dtype.array))
        found.append(ir.leaf(array, dtype))
    return found
