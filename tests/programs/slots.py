"""How each blank of a template is filled.

A template is a line such as `{t}.sum({dim}, keepdim={flag})`. The first tensor blank becomes the
*primary*; later blanks are chosen to fit it: `{dim}` is one of its axes, `{o}` broadcasts with it.
Each function takes the Filling in progress and returns source text. `SLOTS` lists all blanks.
"""

from __future__ import annotations

from collections.abc import Callable

from .filling import (
    DTYPES,
    INTEGER_DTYPES,
    Filling,
    Operand,
    broadcasts,
    broadcasts_to,
    dtype_name,
    is_float,
    is_integer,
)
from .slots_indexing import INDEX_SLOTS
from .slots_numbers import NUMBER_SLOTS, number

Slot = Callable[[Filling], str]
EQUATIONS = {
    1: ("i->", "i,i->", "i,j->ij", "i->i", "i,i->i"),
    2: ("ij->ji", "ij,jk->ik", "ij->", "ij,ij->i", "ii->i", "ij,j->i", "...j->...", "ij,kj->ik",
        "ij,jk", "ii->", "ij->j"),
    3: ("bij,bjk->bik", "bij->bji", "bij,bij->b", "bij,jk->bik", "...ij->...ji", "bij->ij"),
}
SIZE_OF_LETTER = {"i": 2, "j": 3, "k": 2, "b": 2}


def any_tensor(f: Filling) -> str:
    return f.tensor(lambda t: True, lambda: f.constant(f.shape(), f.choices.pick(DTYPES)))


def float_tensor(f: Filling) -> str:
    return f.tensor(is_float, lambda: f.constant(f.shape()))


def integer_tensor(f: Filling) -> str:
    return f.tensor(is_integer, lambda: f.constant(f.shape(), f.choices.pick(INTEGER_DTYPES)))


def bool_tensor(f: Filling) -> str:
    return f.tensor(
        lambda t: dtype_name(t) == "bool", lambda: f.constant(f.shape(), "bool"))


def ranked(rank: int) -> Slot:
    """Make the slot of floating tensors with so many axes."""
    shape = (2, 3, 2)[:rank]
    return lambda f: f.tensor(lambda t: is_float(t) and t.ndim == rank, lambda: f.constant(shape))


def tracked_tensor(f: Filling) -> str:
    return f.tensor(lambda t: t.requires_grad, lambda: Operand(
        leaf := f.constant(f.shape()).source[:-1] + ", requires_grad=True)", f.evaluate(leaf)))


def tensor_with_gradient(f: Filling) -> str:
    """A tensor that a backward call has reached, if there is one."""
    reached = any(operand.value.grad is not None for operand in f.pool())
    return f.tensor(lambda t: t.grad is not None, lambda: f.pool()[-1], views=0, fresh=0) if (
        reached) else tracked_tensor(f)


def scalar_tensor(f: Filling) -> str:
    """A tensor of one element."""
    return f.tensor(lambda t: t.numel() == 1, lambda: f.constant((), f.choices.pick(DTYPES)))


def loss(f: Filling) -> str:
    """A floating scalar that carries a gradient, if any tensor does."""
    if f.choices.chance(40):
        return f.tensor(lambda t: t.requires_grad and t.ndim == 0, lambda: f.constant(()), views=0)
    end = f.choices.pick((".sum()", ".mean()", ".pow(2).sum()", ".square().mean()", ".exp().sum()",
                          ".norm()", ".max()", "[0].sum()", ".tanh().sum()"))
    return tracked_tensor(f) + end


def variable(f: Filling) -> str:
    """A plain variable that holds a tensor."""
    f.tensor(lambda t: True, lambda: f.constant(f.shape()), views=0, fresh=0)
    return f.operands[-1].source


def _writable(f: Filling, floating: bool) -> str:
    """A tensor to write into: a variable, or rather often a view of one."""
    tracking = f.torch.is_grad_enabled()

    def fits(t) -> bool:
        return (is_float(t) or not floating) and not (tracking and t.requires_grad and t.is_leaf)

    pool = f.pool()
    return f.tensor(fits, lambda: pool[-1] if pool else f.constant(f.shape()), views=35, fresh=0)


def target(f: Filling) -> str:
    return _writable(f, floating=False)


def float_target(f: Filling) -> str:
    return _writable(f, floating=True)


def other(f: Filling) -> str:
    """Something to combine with the primary: a number, or a tensor that broadcasts with it."""
    if f.choices.chance(25):
        return number(f)
    shape = tuple(f.primary.shape)
    return f.tensor(lambda t: broadcasts(tuple(t.shape), shape), lambda: _smaller(f))


def _smaller(f: Filling) -> Operand:
    """Make a constant that broadcasts to the primary."""
    shape = tuple(f.primary.shape)
    style = f.choices.below(4)
    shape = (shape, shape[1:], shape[:-1] + (1,) if shape else (), ())[style]
    kind = dtype_name(f.primary) if not f.choices.chance(15) else f.choices.pick(DTYPES)
    return f.constant(shape, kind)


def other_tensor(f: Filling) -> str:
    shape = tuple(f.primary.shape)
    return f.tensor(lambda t: broadcasts(tuple(t.shape), shape), lambda: _smaller(f))


def other_float(f: Filling) -> str:
    shape, kind = tuple(f.primary.shape), dtype_name(f.primary)
    return f.tensor(lambda t: broadcasts(tuple(t.shape), shape) and dtype_name(t) == kind,
                    lambda: f.constant(shape, kind))


def source_of_write(f: Filling) -> str:
    """Something that can be written into the primary: a number, or a tensor that fits in it."""
    if f.choices.chance(30):
        return number(f)
    return source_tensor(f)


def source_tensor(f: Filling) -> str:
    shape = tuple(f.primary.shape)
    return f.tensor(lambda t: broadcasts_to(tuple(t.shape), shape), lambda: _smaller(f))


def same_shape(f: Filling) -> str:
    shape, kind = tuple(f.primary.shape), dtype_name(f.primary)
    return f.tensor(lambda t: tuple(t.shape) == shape and dtype_name(t) == kind,
                    lambda: f.constant(shape, kind))


def mask(f: Filling) -> str:
    """A bool tensor that broadcasts to the primary."""
    shape = tuple(f.primary.shape)
    if f.choices.chance(30):
        return f"({f.operands[0].source} > {number(f)})"
    return f.tensor(lambda t: dtype_name(t) == "bool" and broadcasts_to(tuple(t.shape), shape),
                    lambda: f.constant(shape, "bool"))


def multiplier(f: Filling) -> str:
    """A right operand for `primary @ _`."""
    one = f.primary

    def fits(t) -> bool:
        if not t.ndim or dtype_name(t) != dtype_name(one):
            return False
        return one.ndim > 0 and t.shape[-2 if t.ndim > 1 else 0] == one.shape[-1]

    inner = one.shape[-1] if one.ndim else 1
    shape = (inner,) if f.choices.chance(30) else (inner, f.choices.between(1, 3))
    return f.tensor(fits, lambda: f.constant(shape, dtype_name(one)))


def batch_multiplier(f: Filling) -> str:
    one = f.primary
    shape = (one.shape[0], one.shape[-1], 2) if one.ndim == 3 else (2, 2, 2)
    return f.tensor(lambda t: t.ndim == 3 and t.shape[:2] == shape[:2] and is_float(t),
                    lambda: f.constant(shape, dtype_name(one)))


def tensor_list(f: Filling) -> str:
    """Tensors like the primary, for stack."""
    first = f.operands[0].source if f.operands else float_tensor(f)
    return "[" + ", ".join([first] + [same_shape(f) for _ in range(f.choices.below(3))]) + "]"


def cat_list(f: Filling) -> str:
    """Tensors that agree with the primary except along one axis."""
    first = f.operands[0].source if f.operands else float_tensor(f)
    shape = tuple(f.primary.shape)
    axis = f.choices.below(len(shape)) if shape else 0
    f.axis = axis

    def fits(t) -> bool:
        return t.ndim == len(shape) and all(
            a == b for i, (a, b) in enumerate(zip(t.shape, shape, strict=True)) if i != axis)

    def fresh() -> Operand:
        sizes = list(shape)
        if sizes:
            sizes[axis] = f.choices.between(0, 2)
        return f.constant(tuple(sizes), dtype_name(f.primary))

    others = [f.tensor(fits, fresh) for _ in range(f.choices.between(0, 2))]
    return "[" + ", ".join([first, *others]) + f"], {axis - f.choices.below(2) * len(shape)}"


def einsum(f: Filling) -> str:
    rank = f.choices.between(1, 3)
    equation = f.choices.pick(EQUATIONS[rank])
    sizes = dict(SIZE_OF_LETTER, j=2) if "ii" in equation else SIZE_OF_LETTER
    operands = []
    for term in equation.split("->")[0].split(","):
        shape = tuple(sizes[letter] for letter in term.replace("...", "i"))
        operands.append(f.tensor(
            lambda t, shape=shape: tuple(t.shape) == shape and dtype_name(t) == "float32",
            lambda shape=shape: f.constant(shape)))
    return f"{equation!r}, " + ", ".join(operands)


SLOTS: dict[str, Slot] = {
    "t": any_tensor, "f": float_tensor, "i": integer_tensor, "b": bool_tensor,
    "v": ranked(1), "m": ranked(2), "m3": ranked(3), "g": tracked_tensor,
    "graded": tensor_with_gradient, "one": scalar_tensor, "loss": loss, "var": variable,
    "w": target, "wf": float_target, "o": other, "ot": other_tensor, "of": other_float,
    "src": source_of_write, "srct": source_tensor, "same": same_shape, "mask": mask,
    "rhs": multiplier, "batch": batch_multiplier, "stack": tensor_list, "cat": cat_list,
    "einsum": einsum, **NUMBER_SLOTS, **INDEX_SLOTS,
}
