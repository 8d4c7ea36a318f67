"""The four kinds of op, and what each kind derives so that a block need not write it.

    elementwise   one result element from the elements at the same place; all shapes equal
    movement      elements change place, none is computed: reshape, permute, slice ...
    reduction     axes collapse to size 1
    opaque        everything else; a compiling backend brings a hand-made kernel for it

Broadcasting and type promotion never happen inside an op: the trace puts in explicit `expand`
and `cast` ops, so no gradient rule ever has to undo them.
"""

from __future__ import annotations

from collections.abc import Callable

from ..dtypes import dtype as DType
from ..ir import NoGradient, Op, Type, Value, registry


def register(op: Op) -> Op:
    """Enter an op into the registry, once."""
    if op.name in registry:
        raise ValueError(f"op {op.name} is defined twice")
    registry[op.name] = op
    return op


def elementwise(
    name: str, doc: str, *, meaning: Callable, grad: Callable | NoGradient,
    to: DType | None = None, like: int = 0, domain: tuple = ((-3.0, 3.0),), floating: bool = False,
    **lower,
) -> Op:
    """Define an elementwise op.

    Args:
        to: element type of the result; None for the type of input number `like`.
        domain: ranges for test samples, one for each input (the last one repeats).
        floating: whether only floating types are accepted.
    """

    def result(*values: Value) -> Type:
        return Type(values[like].shape, to or values[like].dtype)

    lower["floating"] = floating
    return register(Op(name, "elementwise", doc, meaning, result, grad, lower, domain))


def movement(
    name: str, doc: str, *, meaning: Callable, result: Callable, grad: Callable,
    samples: tuple = (), **lower,
) -> Op:
    """Define a movement op; `samples` are (input shapes, settings) for generated tests."""
    return register(Op(name, "movement", doc, meaning, result, grad, lower, (), samples))


def reduction(name: str, doc: str, *, meaning: Callable, grad: Callable, **lower) -> Op:
    """Define a reduction: `axes` collapse to size 1 and stay."""

    def result(x: Value, axes: tuple[int, ...]) -> Type:
        return Type(tuple(1 if k in axes else n for k, n in enumerate(x.shape)), x.dtype)

    samples = (
        (((3, 4),), {"axes": (1,)}), (((3, 4),), {"axes": (0, 1)}), (((2, 3, 2),), {"axes": (1,)}),
        (((2, 1),), {"axes": (1,)}), (((3,),), {"axes": ()}),
    )
    return register(Op(name, "reduction", doc, meaning, result, grad, lower, (), samples))


def opaque(
    name: str, doc: str, *, meaning: Callable, result: Callable, grad: Callable | NoGradient,
    kernel: str, samples: tuple = (), domain: tuple = ((-3.0, 3.0),), **lower,
) -> Op:
    """Define an op that a backend computes with the hand-made kernel of that name."""
    lower["kernel"] = kernel
    return register(Op(name, "opaque", doc, meaning, result, grad, lower, domain, samples))
