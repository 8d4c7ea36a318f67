"""Blanks that stand between brackets, and values to write there."""

from __future__ import annotations

from .filling import Filling, broadcasts_to, dtype_name
from .slots_numbers import number


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


INDEX_SLOTS = {"index": index, "value": value_for_index}
