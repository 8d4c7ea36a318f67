"""Blanks that are numbers, shapes, axes and other settings; `primary` is what they fit."""

from __future__ import annotations

from .filling import DTYPE_ENDS, DTYPES, FLOAT_DTYPES, Filling, dtype_name

WRONG_AXIS_PERCENT = 8


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


def _slab(f: Filling, thickness: int) -> str:
    shape = list(f.primary.shape)
    if shape and f.axis is not None and f.axis < len(shape):
        shape[f.axis] = thickness
    return f.constant(tuple(shape), dtype_name(f.primary)).source


def two_slabs(f: Filling) -> str:
    """A tensor for index_add: two slabs of the primary along the chosen axis."""
    return _slab(f, 2)


def one_slab(f: Filling) -> str:
    """A tensor for index_copy: one slab of the primary along the chosen axis."""
    return _slab(f, 1)


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
    return f.choices.pick(("2", "1", "inf", "-inf", "3", "0.5", "'fro'"))


def rounding(f: Filling) -> str:
    return f.choices.pick(("'floor'", "'trunc'", "None"))


NUMBER_SLOTS = {
    "number": number, "float": float_number, "int": integer_number, "count": count, "flag": flag,
    "dtype": dtype, "fdtype": float_dtype, "shape": new_shape, "nested": nested, "row": row,
    "floats": nested_floats, "dim": dim, "dims": dims, "newdim": new_dim, "perm": permutation,
    "reshape": other_shape, "expand": expansion, "repeats": repeats, "flips": flips,
    "at": position, "span": start_length, "window": window, "sections": sections,
    "positions": positions, "two": two_positions, "slab": two_slabs, "slab1": one_slab,
    "gather": gather_index, "scatter": scatter_index, "flat": flat_positions,
    "bounds": window_of_values,
    "ord": order_of_norm, "rounding": rounding,
}
