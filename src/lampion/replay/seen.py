"""Tensors from outside that a call met the last time: most often it meets the same ones again.

What replay found out about a tensor is its *mark*, kept by its storage: (the tensor, held weakly;
its type; its shape; its steps). Whatever changes a tensor's type takes the mark away.
"""

from __future__ import annotations

from operator import attrgetter, is_
from weakref import ref

PROMISE, MARK = attrgetter("_promise"), attrgetter("_storage.mark")
ARRAY = attrgetter("_storage.value.data")


class Seen:
    """Tensors from outside that a call met together, as they were the last time.

    Args:
        kinds: their types.

    Attributes:
        marks: the marks of their storages, which a change of any of them removes; None where
            there are no such tensors.
        types: the tensors' classes.
        references: the tensors, held weakly.
        memory: of the memory of each, its slot.
        differentiable: slots of those that collect gradients.
    """

    __slots__ = ("kinds", "types", "marks", "references", "memory", "differentiable")

    def __init__(self, kinds: list[tuple]):
        self.kinds, self.types = kinds, [kind[0] for kind in kinds]
        self.marks: list[tuple] | None = None

    def are_same(self, tensors: tuple) -> bool:
        """Whether these are the tensors that were learnt."""
        return ([*map(type, tensors)] == self.types and not any(map(PROMISE, tensors))
                and all(map(is_, map(ref, tensors), self.references)))

    def learn(self, tensors: tuple, first: int) -> None:
        """Keep what is needed to know these tensors again."""
        self.marks = None
        if any(map(PROMISE, tensors)):
            return
        marks = [*map(MARK, tensors)]
        if all(mark is not None and mark[0]() is tensor
               for mark, tensor in zip(marks, tensors, strict=True)):
            self.references = [*map(ref, tensors)]
            self.memory = {id(tensor._storage): slot for slot, tensor in enumerate(tensors, first)}
            self.differentiable = [slot for slot, kind in enumerate(self.kinds, first)
                                   if kind[4] == "leaf"]
            if len(self.memory) == len(tensors):
                self.marks = marks
