"""Hand-made kernels: for each `kernel="name"` of an opaque op, a function that plans it.

    provider(operands, result, settings, target) -> Plan, or None

The operands say where the inputs lie; the result is contiguous. The plan's operands are the inputs'
memory in order, then the result's. None means "not for this": the program then copies operands that
do not lie in order and asks again, and at last computes the op by its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...ir import Type
from ..steps import Operand, Plan
from ..target import Target
from . import (
    convolution,
    copies,
    cumulative,
    extremes,
    indexing,
    matmul,
    pooling,
    random_bits,
    sort,
    statistics,
    topk,
    windows,
)

Provider = Callable[[tuple[Operand, ...], Type, Mapping[str, Any], Target], Plan | None]

PROVIDERS: dict[str, Provider] = {
    "argmax": extremes.argmax,
    "argmin": extremes.argmin,
    "checked_index": indexing.checked_index,
    "concat": copies.concat,
    "convolution": convolution.provide_forward,
    "convolution_input": convolution.provide_input,
    "convolution_weight": convolution.provide_weight,
    "cummax_index": cumulative.cummax_index,
    "cumprod": cumulative.cumprod,
    "cumsum": cumulative.cumsum,
    "gather": indexing.gather,
    "matmul": matmul.provide,
    "max_pool": pooling.max_pool,
    "max_pool_input": pooling.max_pool_input,
    "pad": copies.pad,
    "pool_argmax": pooling.pool_argmax,
    "pool_spread": pooling.pool_spread,
    "pool_sum": pooling.pool_sum,
    "put": indexing.put,
    "put_add": indexing.put_add,
    "random_below": random_bits.below,
    "random_bits": random_bits.bits,
    "random_uniform": random_bits.uniform,
    "scatter": indexing.scatter,
    "scatter_add": indexing.scatter_add,
    "slice_put": copies.slice_put,
    "sort": sort.argsort,
    "statistics": statistics.statistics,
    "take": indexing.take,
    "topk": topk.topk,
    "windows_add": windows.windows_add,
}
