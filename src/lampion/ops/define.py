"""The four kinds of op, and what each kind derives so that a block need not write it.

    elementwise   one result element from the elements at the same place; all shapes equal
    movement      elements change place, none is computed: reshape, permute, slice ...
    reduction     axes collapse to size 1
    opaque        everything else; a compiling backend brings a hand-made kernel for it

Broadcasting and type promotion never happen inside an op: the trace puts in explicit `expand`
and `cast` ops, so no gradient rule ever has to undo them.

An `emit` speaks to a builder and imports nothing. The builder's instructions: `add sub mul div neg
abs sqrt floor ceil trunc round maximum minimum`, the comparisons `eq ne lt le gt ge`, `where`, the
bits `bit_and bit_or bit_xor bit_not shift_left shift_right`, `cast(x, dtype)`,
`constant(number, like)`, and the functions `exp exp2 expm1 log log2 log10 log1p sin cos tan asin
acos atan sinh cosh tanh asinh acosh atanh erf erfinv pow atan2`; for division with a rest
`floor_divide trunc_divide remainder fmod`. Each has IEEE's special values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    emit: Callable | None = None, to: DType | None = None, like: int = 0,
    domain: tuple = ((-3.0, 3.0),), floating: bool = False,
) -> Op:
    """Define an elementwise op.

    Args:
        emit: `emit(b, *operands)`, how a backend's builder `b` computes one element; None means
            that the builder has an instruction of the op's name.
        to: element type of the result; None for the type of input number `like`.
        domain: ranges for test samples, one for each input (the last one repeats).
        floating: whether only floating types are accepted.
    """

    def result(*values: Value) -> Type:
        return Type(values[like].shape, to or values[like].dtype)

    lower = {"emit": emit or _instruction(name), "floating": floating}
    return register(Op(name, "elementwise", doc, meaning, result, grad, lower, domain))


def _instruction(name: str) -> Callable:
    """Emission of an op that is an instruction of every builder."""
    return lambda b, *operands: getattr(b, name)(*operands)


def movement(
    name: str, doc: str, *, meaning: Callable, result: Callable, grad: Callable, index: Callable,
    inside: Callable | None = None, kernel: str | None = None, samples: tuple = (),
) -> Op:
    """Define a movement op.

    Args:
        index: `index(i, x, **settings)`, the place in the input x that the result's place i
            shows: a fused reader follows it instead of moving anything.
        inside: `inside(i, x, **settings)`, whether that place exists; elsewhere stands a zero.
        kernel: the hand-made kernel that does it where it cannot be read through.
        samples: (input shapes, settings) for generated tests.
    """
    lower: dict[str, Any] = {"index": index, "inside": inside}
    if kernel is not None:
        lower["kernel"] = kernel
    return register(Op(name, "movement", doc, meaning, result, grad, lower, (), samples))


def reduction(
    name: str, doc: str, *, meaning: Callable, grad: Callable, start: float | str, combine: str,
    before: Callable | None = None, after: Callable | None = None,
) -> Op:
    """Define a reduction: `axes` collapse to size 1 and stay.

    Args:
        start: what the reduction of nothing is: a number, "lowest" or "highest".
        combine: the builder's instruction that joins two partial results.
        before, after: emissions applied to each element first and to the result last.
    """
    lower = {"start": start, "combine": combine, "before": before, "after": after}

    def result(x: Value, axes: tuple[int, ...]) -> Type:
        return Type(tuple(1 if k in axes else n for k, n in enumerate(x.shape)), x.dtype)

    samples = (
        (((3, 4),), {"axes": (1,)}), (((3, 4),), {"axes": (0, 1)}), (((2, 3, 2),), {"axes": (1,)}),
        (((2, 1),), {"axes": (1,)}), (((3,),), {"axes": ()}),
    )
    return register(Op(name, "reduction", doc, meaning, result, grad, lower, (), samples))


def opaque(
    name: str, doc: str, *, meaning: Callable, result: Callable, grad: Callable | NoGradient,
    kernel: str, samples: tuple = (), domain: tuple = ((-3.0, 3.0),), floating: bool = False,
) -> Op:
    """Define an op that a backend computes with the hand-made kernel of that name.

    Where a backend has no kernel of the name, it computes the op by its meaning.

    Args:
        floating: whether only floating types are accepted.
    """
    lower = {"kernel": kernel, "floating": floating}
    return register(Op(name, "opaque", doc, meaning, result, grad, lower, domain, samples))
