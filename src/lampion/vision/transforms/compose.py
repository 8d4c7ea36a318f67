"""Transforms made of other transforms: in a row, by chance, one of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.nn import Module, ModuleList
from lampion.vision import chance


class Compose:
    """Calls transforms one after the other.

    Args:
        transforms: callables, each gets what the one before returned.

    Example:
        >>> import numpy
        >>> from lampion.vision import transforms
        >>> prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
        >>> prepare(numpy.array([[0, 255]], dtype=numpy.uint8))
        tensor([[[-1.,  1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class Lambda:
    """Calls a function of one's own.

    Args:
        lambd: the function.
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise ArgumentTypeError(f"Lambda: got a {type(lambd).__name__}",
                                    why="Argument lambd should be callable")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomTransforms:
    """What transforms that hold a list of others have in common."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(f"{type(self).__name__}: got a {type(transforms).__name__}",
                                    why="Argument transforms should be a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class RandomOrder(RandomTransforms):
    """Calls all transforms, in random order."""

    def __call__(self, img: Any) -> Any:
        for number in chance.order(len(self.transforms)):
            img = self.transforms[number](img)
        return img


class RandomChoice(RandomTransforms):
    """Calls one of the transforms.

    Args:
        transforms: to choose from.
        p: how likely each is; all alike when not given. Need not add up to 1.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]],
                 p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise ArgumentTypeError(f"RandomChoice: p={p!r}",
                                    why="Argument p should be a sequence")
        if p is not None and len(p) != len(transforms):
            raise ArgumentError(f"RandomChoice: {len(transforms)} transforms, {len(p)} in p",
                                why="each transform has one probability")
        self.p = p

    def __call__(self, img: Any) -> Any:
        weights = self.p or [1.0] * len(self.transforms)
        return self.transforms[chance.chosen(weights)](img)


class RandomApply(Module):
    """Calls all transforms with a probability, else none.

    Args:
        transforms: in a row.
        p: probability, 0 to 1.
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        """Return the picture, transformed or not."""
        if self.p < chance.fraction():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        inner = self.transforms if isinstance(self.transforms, ModuleList) else [*self.transforms]
        lines = "".join(f"\n    {transform}" for transform in inner)
        return f"{type(self).__name__}(\n    p={self.p}{lines}\n)"
