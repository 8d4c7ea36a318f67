"""How each blank of a template is filled.

A template is a line such as `{t}.sum({dim}, keepdim={flag})`. The first tensor blank becomes the
*primary*; later blanks are chosen to fit it: `{dim}` is one of its axes, `{o}` broadcasts with it.
Each function takes the Filling in progress and returns source text. `SLOTS` is the list of blanks.
"""

from __future__ import annotations

from collections.abc import Callable

from .filling import (
    DTYPE_ENDS,
    DTYPES,
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    Filling,
    Operand,
    broadcasts,
    broadcasts_to,
    dtype_name,
    is_float,
    is_integer,
)

Slot = Callable[[Filling], str]
EQUATIONS = {
    1: ("i->", "i,i->", "i,j->ij", "i->i", "i,i->i"),
    2: ("ij->ji", "ij,jk->ik", "ij->", "ij,ij->i", "ii->i", "ij,j->i", "...j->...", "ij,kj->ik",
        "ij,jk", "ii->", "ij->j"),
    3: ("bij,bjk->bik", "bij->bji", "bij,bij->b", "bij,jk->bik", "...ij->...ji", "bij->ij"),
}
WRONG_AXIS_PERCENT = 4
SIZE_OF_LETTER = {"i": 2, "j": 3, "k": 2, "b": 2}


# Tensors ------------------------------------------------------------------------------------------

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


# Numbers and settings -----------------------------------------------------------------------------

def number(f: Filling) -> str:
    """A Python number: an integer, a float, or a bool; sometimes one computed before."""
    known = [name for name, value in f.namespace.items()
             if name.startswith("x") and isinstance(value, (int, float))]
    if known and f.choices.chance(20):
        return f.choices.pick(known)
    return f.number(("float32", "int64", "float32", "int64", "bool")[f.choices.below(5)])


def float_number(f: Filling) -> str:
    return f.number("float32")


def integer_number(f: Filling) -> str:
    return f.number("int64")


def count(f: Filling) -> str:
    return str(f.choices.pick((2, 3, 1, 4, 0)))


def flag(f: Filling) -> str:
    return f.choices.pick(("True", "False"))


def dtype(f: Filling) -> str:
    return "torch." + f.choices.weighted(DTYPES, DTYPE_ENDS)


def float_dtype(f: Filling) -> str:
    return "torch." + f.choices.pick(FLOAT_DTYPES)


def new_shape(f: Filling) -> str:
    return str(f.shape())


def nested(f: Filling) -> str:
    """Nested lists of numbers, of any one type."""
    return f.literal(f.shape(), f.choices.pick(("float32", "float32", "int64", "bool")))


def row(f: Filling) -> str:
    return f.literal((f.choices.between(0, 3),), "float32")


def nested_floats(f: Filling) -> str:
    return f.literal(f.shape(), "float32")


def dim(f: Filling) -> str:
    """An axis of the primary, counted from either end; remembered for the blanks after it."""
    rank = f.primary.ndim
    if f.choices.chance(WRONG_AXIS_PERCENT):
        f.axis = None
        return str(f.choices.pick((rank, -rank - 1, rank + 1, -rank - 2)))
    f.axis = f.choices.below(max(rank, 1))
    return str(f.axis - (max(rank, 1) if f.choices.chance(40) else 0))


def dims(f: Filling) -> str:
    """Several axes of the primary."""
    axes = [axis for axis in range(f.primary.ndim) if f.choices.chance(50)]
    axes = [axis - f.primary.ndim if f.choices.chance(40) else axis for axis in axes]
    return str(tuple(axes)) if axes else dim(f)


def new_dim(f: Filling) -> str:
    return str(f.choices.between(-f.primary.ndim - 1, f.primary.ndim))


def permutation(f: Filling) -> str:
    axes = list(range(f.primary.ndim))
    for i in range(len(axes) - 1, 0, -1):
        j = f.choices.below(i + 1)
        axes[i], axes[j] = axes[j], axes[i]
    negative = f.choices.chance(20)
    return str(tuple(axis - len(axes) if negative else axis for axis in axes))


def other_shape(f: Filling) -> str:
    """A shape with as many elements as the primary, or nearly always so."""
    shape, total = tuple(f.primary.shape), f.primary.numel()
    options = [(-1,), (total,), shape[::-1], (1, *shape), (*shape, 1), (1, -1), (total, 1)]
    if len(shape) > 1:
        options += [(shape[0] * shape[1], *shape[2:]), (*shape[:-2], -1), (-1, *shape[2:])]
    for factor in (2, 3, 4):
        if total and total % factor == 0:
            options += [(factor, -1), (total // factor, factor), (-1, factor)]
    return str(f.choices.pick(options) if not f.wild() else f.shape())


def expansion(f: Filling) -> str:
    """A shape that the primary expands to."""
    sizes = [f.choices.pick((3, 2, 1, 4, 0)) if n == 1 else f.choices.pick((n, -1))
             for n in f.primary.shape]
    front = [f.choices.between(1, 3) for _ in range(f.choices.pick((0, 0, 1, 2)))]
    return str(tuple(front + sizes))


def repeats(f: Filling) -> str:
    return str(tuple(f.choices.pick((2, 1, 1, 3, 0)) for _ in range(max(f.primary.ndim, 1))))


def flips(f: Filling) -> str:
    return str(tuple(axis for axis in range(f.primary.ndim) if f.choices.chance(60)))


def _size(f: Filling) -> int:
    """Return the size of the axis that the last `{dim}` chose."""
    rank = f.primary.ndim
    return f.primary.shape[f.axis] if rank and f.axis is not None and f.axis < rank else 1


def position(f: Filling) -> str:
    """An index along the chosen axis, counted from either end."""
    size = _size(f)
    return str(f.choices.between(-size - 1, size) if f.wild() or not size else
               f.choices.between(-size, size - 1))


def start_length(f: Filling) -> str:
    size = _size(f)
    start = f.choices.between(0, size)
    return f"{start}, {f.choices.between(0, size - start) + (1 if f.wild() else 0)}"


def window(f: Filling) -> str:
    """Size and step of unfold along the chosen axis."""
    return f"{f.choices.between(1, max(_size(f), 1))}, {f.choices.between(1, 3)}"


def sections(f: Filling) -> str:
    """Sizes that add up to the chosen axis."""
    size = _size(f)
    first = f.choices.between(0, size)
    return str([first, size - first])


def positions(f: Filling) -> str:
    """A 1-D tensor of indexes along the chosen axis."""
    size = _size(f)
    amount = f.choices.between(0, 3) if size else 0
    listed = [f.choices.below(size) for _ in range(amount)]
    if f.wild():
        listed = [*listed, size]
    kind = ", dtype=torch.int64" if not listed else ""
    return f"torch.tensor({listed}{kind})"


def slab(f: Filling) -> str:
    """A tensor for index_add and index_copy: two slabs of the primary along the chosen axis."""
    shape = list(f.primary.shape)
    if shape and f.axis is not None and f.axis < len(shape):
        shape[f.axis] = 2
    return f.constant(tuple(shape), dtype_name(f.primary)).source


def two_positions(f: Filling) -> str:
    size = _size(f)
    listed = [f.choices.below(max(size, 1)), f.choices.below(max(size, 1))]
    if size > 1 and listed[0] == listed[1] and not f.choices.chance(30):
        listed[1] = (listed[0] + 1) % size
    return f"torch.tensor({listed})"


def _index_grid(f: Filling, distinct: bool) -> list:
    """Nested lists of indexes along the chosen axis, in a shape that fits in the primary's."""
    shape = [f.choices.between(min(1, n), n) for n in f.primary.shape]
    size, axis = _size(f), f.axis or 0
    if not size or 0 in shape:
        return []
    if distinct and axis < len(shape):
        shape[axis] = 1

    def fill(sizes: list[int]):
        if not sizes:
            return f.choices.below(size)
        return [fill(sizes[1:]) for _ in range(sizes[0])]

    return fill(shape)


def gather_index(f: Filling) -> str:
    grid = _index_grid(f, distinct=False)
    return f"torch.tensor({grid})" if grid != [] else "torch.zeros((0,), dtype=torch.int64)"


def scatter_index(f: Filling) -> str:
    """Indexes that meet no element twice: which of two writes wins is undefined."""
    grid = _index_grid(f, distinct=True)
    return f"torch.tensor({grid})" if grid != [] else "torch.zeros((0,), dtype=torch.int64)"


def flat_positions(f: Filling) -> str:
    total = f.primary.numel()
    listed = [f.choices.between(-total, total - 1) for _ in range(f.choices.between(1, 4))]
    return f"torch.tensor({listed if total else [0]})"


def window_of_values(f: Filling) -> str:
    """Bounds of a clamp."""
    low, high = f.choices.pick(("0.5", "-1", "None")), f.choices.pick(("2", "1.5", "None"))
    return f.choices.pick((f"{low}, {high}", f"min={low}", f"max={high}"))


def order_of_norm(f: Filling) -> str:
    return f.choices.pick(("2", "1", "inf", "-inf", "3", "0", "0.5", "'fro'"))


def rounding(f: Filling) -> str:
    return f.choices.pick(("'floor'", "'trunc'", "None"))


# Indexing -----------------------------------------------------------------------------------------

def index(f: Filling) -> str:
    """What stands between the brackets of `primary[...]`: any mixture that NumPy knows."""
    left = list(f.primary.shape)
    items: list[str] = []
    while True:
        if f.choices.chance(8):
            items.append("None")
        if f.choices.chance(6) and "..." not in items:
            items.append("...")
            left = left[f.choices.below(len(left) + 1):]
        if not left or (items and f.choices.chance(35)):
            break
        items.append(_index_item(f, left))
    if f.wild():
        items.append(f.choices.pick(("0", "9", "::-1", "None", "1.5", "...", "True")))
    return ", ".join(items) or f.choices.pick(("...", "None", "()"))


def _index_item(f: Filling, left: list[int]) -> str:
    """Take one or more axes off `left` and write what indexes them."""
    size, style = left[0], f.choices.below(14)
    if style >= 12 and len(left) > 1 or style == 11:
        axes = len(left) if style == 13 else 1
        shape = tuple(left[:axes])
        del left[:axes]
        return f.constant(shape, "bool").source
    del left[0]
    low = f.choices.between(-size, max(size - 1, 0)) if size else 0
    if style < 3 and size:
        return str(low)
    if style < 7:
        start = f.choices.pick(("", "1", "0", "-2", "2"))
        stop = f.choices.pick(("", "-1", "2", "3", "9"))
        step = f.choices.pick(("", "", ":2", ":1", ":3"))
        return f"{start}:{stop}{step}"
    if style == 7 or not size:
        return ":"
    listed = [f.choices.between(-size, size - 1) for _ in range(f.choices.between(1, 3))]
    if style == 8:
        return str(listed)
    if style == 9:
        return f"torch.tensor({[[i] for i in listed]})"
    return f"torch.tensor({listed})" if style == 10 else f"torch.tensor({listed[0]})"


def value_for_index(f: Filling) -> str:
    """What to write at the index just chosen."""
    if f.choices.chance(45):
        return number(f)
    region = f.evaluate(f.text.rpartition("]")[0] + "]")
    if not isinstance(region, f.torch.Tensor):
        return number(f)
    shape = tuple(region.shape)
    kind = dtype_name(f.primary)
    return f.tensor(
        lambda t: broadcasts_to(tuple(t.shape), shape) and dtype_name(t) == kind,
        lambda: f.constant(shape if f.choices.chance(60) else shape[1:], kind))



SLOTS: dict[str, Slot] = {
    "t": any_tensor, "f": float_tensor, "i": integer_tensor, "b": bool_tensor,
    "v": ranked(1), "m": ranked(2), "m3": ranked(3), "g": tracked_tensor,
    "graded": tensor_with_gradient, "one": scalar_tensor,
    "loss": loss, "var": variable, "w": target, "wf": float_target,
    "o": other, "ot": other_tensor, "of": other_float, "src": source_of_write,
    "srct": source_tensor, "same": same_shape, "mask": mask, "rhs": multiplier,
    "batch": batch_multiplier, "stack": tensor_list, "cat": cat_list, "einsum": einsum,
    "number": number, "float": float_number, "int": integer_number, "count": count, "flag": flag,
    "dtype": dtype, "fdtype": float_dtype, "shape": new_shape, "nested": nested, "row": row,
    "floats": nested_floats, "dim": dim, "dims": dims, "newdim": new_dim, "perm": permutation,
    "reshape": other_shape, "expand": expansion, "repeats": repeats, "flips": flips,
    "at": position, "span": start_length, "window": window, "sections": sections,
    "positions": positions, "two": two_positions, "slab": slab, "gather": gather_index,
    "scatter": scatter_index, "flat": flat_positions, "bounds": window_of_values,
    "ord": order_of_norm, "rounding": rounding, "index": index, "value": value_for_index,
}
