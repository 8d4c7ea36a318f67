"""Sums over time of what a body computes at each step, taken over into one operation.

    sum over t of A_t B_t        = [A_1 A_2 ...] times [B_1 B_2 ...] stacked: one product
    sum over t of sum(x_t)       = one sum over the stacked x, time included
    sum over t of move(x_t)      = move(sum over t of x_t)
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Value, registry
from .contraction import transpose

# Where rows over time are found: a kind, and a number.
Source = tuple[str, int]
# What adds up a step's share over time, given how to find rows over time.
Term = Callable[[Callable[[Source], Value]], Value]


def peel(share: Value, request: Callable[[Value], Source]) -> Term | None:
    """Return what adds up a step's share over all steps, None where no operation does it.

    Args:
        share: a value of the body.
        request: says where a value of the body will be found, stacked over time.
    """
    if share.op is None:
        return None
    name = share.op.name
    if name in ("reshape", "permute", "neg"):
        inner = peel(share.inputs[0], request)
        if inner is None:
            return None
        return lambda stacked: share.op(inner(stacked), **share.settings)
    if name == "sum":
        source = request(share.inputs[0])
        axes = (0, *(k + 1 for k in share.settings["axes"]))
        return lambda stacked: registry["reshape"](
            registry["sum"](stacked(source), axes=axes), shape=share.shape)
    if name == "matmul" and share.ndim == 2:
        return _product(share, request)
    return None


def _product(share: Value, request: Callable[[Value], Source]) -> Term:
    left, right = (_rows(v) for v in share.inputs)
    sources = (request(left[0]), request(right[0]))

    def term(stacked: Callable[[Source], Value]) -> Value:
        a, b = stacked(sources[0]), stacked(sources[1])
        return registry["matmul"](transpose(_joined(a, 1 - left[1])), _joined(b, right[1]))

    return term


def _rows(operand: Value) -> tuple[Value, int]:
    """Return an operand, or what it is the transpose of, and its axis that the product sums."""
    if operand.op is not None and operand.op.name == "permute" and (
            operand.settings["order"] == (1, 0)):
        return operand.inputs[0], 1
    return operand, 0


def _joined(rows: Value, axis: int) -> Value:
    """(T, M, K) with the axis to sum over at `axis` of M, K -> (T * size of it, the other)."""
    if axis == 1:
        rows = registry["permute"](rows, order=(0, 2, 1))
    length, size, other = rows.shape
    return registry["reshape"](rows, shape=(length * size, other))
