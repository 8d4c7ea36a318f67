"""A template being filled: the tensors and constants to choose from.

A tensor is a variable, a view of one, or a new constant. Numbers are multiples of a quarter, so
that sums are exact in any order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .choices import Choices
from .observe import Raised, attempt, tensors_in
from .program import names_in

NUMBERS = ("1.0", "0.5", "2.0", "-1.0", "0.25", "-0.75", "1.5", "3.0", "-2.5", "0.0", "4.0", "-3.0",
           "2.25", "-0.25", "1.75", "-1.5")
SPECIAL = ("nan", "inf", "-inf", "300.0", "-0.0")
INTEGERS = ("1", "0", "2", "3", "-1", "-2", "5", "7", "-4", "10")
INTEGER_DTYPES = ("int64", "int32", "uint8", "int8", "int16")
FLOAT_DTYPES = ("float32", "float32", "float64", "float64", "float16", "bfloat16")
DTYPES = ("float32", "float64", "int64", "int32", "bool", "uint8", "int8", "int16", "float16",
          "bfloat16")
DTYPE_ENDS = tuple(itertools.accumulate((8, 5, 6, 3, 4, 2, 1, 1, 1, 1)))
SIZES = (2, 3, 1, 4, 0)
SIZE_ENDS = tuple(itertools.accumulate((6, 6, 3, 2, 1)))
RANKS = (1, 2, 3, 0, 4)
RANK_ENDS = tuple(itertools.accumulate((5, 6, 3, 2, 1)))
# A view of a variable may stand wherever a tensor is wanted.
VIEWS = ("{}[0]", "{}[1:]", "{}.t()", "{}[:, 0]", "{}[-1]", "{}[::2]", "{}.transpose(0, -1)",
         "{}.unsqueeze(0)", "{}.view(-1)", "{}.reshape(-1)", "{}[None]", "{}[..., 0]",
         "{}.detach()", "{}.data", "{}.squeeze()", "{}.diagonal()", "{}.select(0, 0)", "{}[:1]",
         "{}.narrow(0, 0, 1)", "{}.flatten()", "{}.unsqueeze(-1)", "{}.T", "{}.mT", "{}.clone()",
         "{}.unbind(0)[0]", "{}.split(1)[0]", "{}.chunk(2, -1)[0]", "{}.permute(1, 0)",
         "{}[..., None, :]", "{}[[0]]", "{}.movedim(0, -1)", "{}.expand(2, -1)",
         "{}.swapaxes(0, 1)")
WILD_PERCENT = 3


@dataclass
class Operand:
    """A tensor that can stand in a statement: how it is written and its value on PyTorch."""

    source: str
    value: Any


class Filling:
    """One template being filled.

    Args:
        choices: where decisions come from.
        namespace: PyTorch's side of the program so far.
        shapes: shapes to use more often than others.
    """

    def __init__(
        self, choices: Choices, namespace: dict[str, Any],
        shapes: tuple[tuple[int, ...], ...] = (),
    ):
        self.choices, self.namespace, self.shapes = choices, namespace, shapes
        self.torch = namespace["torch"]
        self.operands: list[Operand] = []
        self.axis: int | None = None
        self.text = ""

    @property
    def primary(self) -> Any:
        """The value of the first tensor blank."""
        if not self.operands:
            self.operands.append(Operand("", self.torch.zeros(2, 3)))
        return self.operands[0].value

    def wild(self) -> bool:
        """Return True now and then: the blank is filled without care."""
        return self.choices.chance(WILD_PERCENT)

    def pool(self) -> list[Operand]:
        """Return all tensors alive, the youngest first; items of sequences count."""
        found = []
        for name in reversed(list(self.namespace)):
            value = self.namespace[name]
            if isinstance(value, self.torch.Tensor):
                found.append(Operand(name, value))
            elif isinstance(value, (tuple, list)) and names_in(name):
                tensors = [t for t in value if isinstance(t, self.torch.Tensor)]
                found += [Operand(f"{name}[{i}]", t) for i, t in enumerate(tensors)
                          if len(tensors) == len(value)]
        return found

    def evaluate(self, source: str) -> Any:
        """Return an expression's value on PyTorch, or what it raised."""
        return attempt(eval, source, self.namespace)

    def shape(self) -> tuple[int, ...]:
        """Return a random small shape, most often one the program has used."""
        if self.shapes and self.choices.chance(70):
            return self.choices.pick(self.shapes)
        rank = self.choices.weighted(RANKS, RANK_ENDS)
        return tuple(self.choices.weighted(SIZES, SIZE_ENDS) for _ in range(rank))

    def literal(self, shape: tuple[int, ...], dtype: str) -> str:
        """Write nested lists of such a shape."""
        if not shape:
            return self.number(dtype)
        return "[" + ", ".join(self.literal(shape[1:], dtype) for _ in range(shape[0])) + "]"

    def number(self, dtype: str) -> str:
        """Write a number of such a type."""
        if dtype == "bool":
            return self.choices.pick(("True", "False"))
        if "int" in dtype:
            return self.choices.pick(INTEGERS).lstrip("-" if dtype == "uint8" else "")
        return self.choices.pick(SPECIAL if self.choices.chance(2) else NUMBERS)

    def constant(self, shape: tuple[int, ...], dtype: str = "float32") -> Operand:
        """Write a new tensor of such a shape and type."""
        suffix = "" if dtype in ("float32", "int64", "bool") else f", dtype=torch.{dtype}"
        if 0 in shape:
            source = f"torch.zeros({shape}, dtype=torch.{dtype})"
        else:
            source = f"torch.tensor({self.literal(shape, dtype)}{suffix})"
        value = self.evaluate(source)
        if isinstance(value, Raised):  # PyTorch has made a tensor with a negative size before
            value = self.torch.zeros([max(n, 0) for n in shape])
        return Operand(source, value)

    def view_of(self, operand: Operand) -> Operand:
        """Return a view of the operand, if the one thought of is possible."""
        source = self.choices.pick(VIEWS).format(operand.source)
        value = self.evaluate(source)
        tensors = tensors_in(value, self.torch)
        return Operand(source, tensors[0]) if tensors else operand

    def tensor(
        self, fits: Callable[[Any], bool], otherwise: Callable[[], Operand], views: int = 15,
        fresh: int = 6,
    ) -> str:
        """Choose a tensor and remember it.

        Args:
            fits: what the tensor must be like; not asked in a wild moment.
            otherwise: makes one where none alive fits.
            views: percent of views.
            fresh: percent of new constants although some fit.
        """
        pool = self.pool()
        if not self.wild():
            pool = [operand for operand in pool if attempt(fits, operand.value) is True]
        if not pool or self.choices.chance(fresh):
            chosen = otherwise()
        else:
            # two draws, the smaller: young tensors are used more, so chains grow long
            chosen = pool[min(self.choices.below(len(pool)), self.choices.below(len(pool)))]
            if self.choices.chance(views):
                view = self.view_of(chosen)
                chosen = view if attempt(fits, view.value) is True else chosen
        self.operands.append(chosen)
        return chosen.source


def is_float(tensor: Any) -> bool:
    return tensor.dtype.is_floating_point


def is_integer(tensor: Any) -> bool:
    return not tensor.dtype.is_floating_point and str(tensor.dtype) != "torch.bool"


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).rsplit(".", 1)[-1]


def broadcasts(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    """Return whether two shapes broadcast together."""
    return all(a == b or 1 in (a, b) for a, b in zip(reversed(one), reversed(two), strict=False))


def broadcasts_to(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    """Return whether a shape broadcasts to another."""
    return len(one) <= len(two) and all(
        a in (b, 1) for a, b in zip(reversed(one), reversed(two), strict=False)
    )
