"""Matrix products: how a product of given sizes and strides is computed.

    plan = matmul_plan(1, 64, 256, 784, (0, 784, 1), (0, 256, 1), dtypes.float32)
    calls = steps.bind(plan, [a, b, c], scratch)

C is contiguous, rows one after another. A and B have any strides; fast are rows or columns that lie
one number after another. Sums run in an order that depends on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dtypes import bfloat16, float16, float32
from ...dtypes import dtype as DType
from ...ir import Type
from ..steps import Operand, Place, Plan
from ..target import Target, host
from . import numbers
from .matmul_blocks import Product, Strides, plan_of, simplified
from .matmul_halves import dense, in_halves, moved

ELEMENTS = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64"}


def matmul_plan(
    batch: int, m: int, n: int, k: int, strides_a: tuple[int, ...], strides_b: tuple[int, ...],
    dtype: DType, bias: bool = False, target: Target | None = None, inner: int = 1,
) -> Plan:
    """Return how to compute C[i] = A[i] @ B[i] (+ bias) for i below batch.

    Args:
        batch, m, n, k: C is batch x m x n, k is summed over.
        strides_a, strides_b: of A (batch x m x k) and B (batch x k x n), in elements.
        dtype: float32, float64, int32 or int64, of all three.
        bias: whether there is a fourth operand: n numbers added to each row.
        target: the instruction set, the host's if not given.
        inner: length of a second batch axis inside the first: C is batch x inner x m x n, and the
            strides have four numbers.

    The operands of the plan are A, B, C (and the bias).
    """
    if 0 in (batch, inner, m, n):
        return Plan((), 0)
    product = Product((batch, inner), m, n, k, _four(strides_a), _four(strides_b),
                      ELEMENTS[dtype.name])
    return plan_of(simplified(product, bias), bias, target or host())


def provide(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `matmul`; None for types and for memory that it does not know."""
    a, b = operands
    dtype = float32 if result.dtype in (float16, bfloat16) else result.dtype
    if dtype.name not in ELEMENTS or not numbers.supported(result.dtype, target):
        return None
    if result.dtype is float16 and not (dense(a) and dense(b)):
        return None
    batch = _batch(result.shape[:-2], a.strides[:-2], b.strides[:-2])
    if batch is None:
        return None
    (outer, inner), axes_a, axes_b = batch
    m, n = result.shape[-2:]
    plan = matmul_plan(outer, m, n, a.shape[-1], axes_a + a.strides[-2:],
                       axes_b + b.strides[-2:], dtype, target=target, inner=inner)
    if dtype is not result.dtype and plan.steps:
        plan = in_halves(plan, operands, result, target)
    size = result.dtype.array.itemsize
    return moved(plan, {k: Place(k, x.offset * size) for k, x in enumerate(operands)})


def _four(strides: Sequence[int]) -> Strides:
    """Return strides of an outer and an inner batch axis, of rows and of columns."""
    batch, inner, row, column = strides if len(strides) == 4 else (strides[0], 0, *strides[1:])
    return batch, inner, row, column


def _batch(
    lengths: tuple[int, ...], strides_a: tuple[int, ...], strides_b: tuple[int, ...],
) -> tuple[tuple[int, ...], ...] | None:
    """Fold batch axes into two: return their lengths and the strides of A and B, or None."""
    axes: list[tuple[int, int, int]] = []
    for axis in zip(lengths, strides_a, strides_b):
        if axis[0] == 1:
            continue
        last = axes[-1] if axes else None
        if last and all(last[s] == axis[s] * axis[0] for s in (1, 2)):
            axes[-1] = (last[0] * axis[0], axis[1], axis[2])
        else:
            axes.append(axis)
    if len(axes) > 2:
        return None
    axes += [(1, 0, 0)] * (2 - len(axes))
    return tuple(zip(*axes))
