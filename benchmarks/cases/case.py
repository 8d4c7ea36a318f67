"""What a case is: a program that makes one step and reads its loss."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Setting:
    """How a case is built.

    Attributes:
        exact: no random numbers of the library's own (dropout, noise), so that the losses of two
            libraries can be compared.
        tiny: sizes that make a step quick, for tests.
    """

    exact: bool = False
    tiny: bool = False

    def size(self, full: int, tiny: int) -> int:
        """Return a size that only speed depends on."""
        return tiny if self.tiny else full

    def dropout(self, probability: float) -> float:
        """Return the probability of dropping, none where losses are compared."""
        return 0.0 if self.exact else probability

    def noise(self, torch: Any, *shape: int) -> Callable[[], Any]:
        """Return a function that draws normal noise: `torch.randn`, or prepared numbers."""
        if not self.exact:
            return lambda: torch.randn(*shape)
        rows = cycle(torch, lambda random: normal(random, *shape))
        return lambda: next(rows)[0]


@dataclass
class Program:
    """A built case.

    Attributes:
        modules: everything that has weights; they get the same ones in every library.
        step: makes one step and returns its loss, or one number of a prediction.
    """

    modules: list[Any]
    step: Callable[[], float]


@dataclass(frozen=True)
class Case:
    """A named case.

    Attributes:
        name: as it is chosen on the command line.
        text: what it is, in a few words.
        training: a training step, or a prediction.
        build: makes the program for a library.
        reference: milliseconds that PyTorch took elsewhere (two cores), None for unknown.
    """

    name: str
    text: str
    training: bool
    build: Callable[[Any, Setting], Program]
    reference: float | None = None


CASES: dict[str, Case] = {}


def case(name: str, text: str, training: bool = True, reference: float | None = None
         ) -> Callable[[Callable[[Any, Setting], Program]], Callable[[Any, Setting], Program]]:
    """Enter a function that builds a program into the list of cases."""
    def enter(build: Callable[[Any, Setting], Program]) -> Callable[[Any, Setting], Program]:
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, text, training, build, reference)
        return build

    return enter


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Return normal numbers in float32."""
    return random.standard_normal(shape, dtype=np.float32)


def cycle(torch: Any, *makers: Callable[[np.random.Generator], np.ndarray], count: int = 4
          ) -> Iterator[tuple[Any, ...]]:
    """Return an endless iterator over a few prepared batches, each a tuple of tensors."""
    random = np.random.default_rng(0)
    rows = [tuple(torch.tensor(make(random)) for make in makers) for _ in range(count)]
    return itertools.cycle(rows)


def set_weights(torch: Any, modules: list[Any]) -> None:
    """Give every parameter numbers that depend on its name and shape alone.

    Matrices and kernels are evenly distributed in [-k, k] with k = 1 / sqrt(inputs), biases are
    zero, the scales of norms stay one.
    """
    with torch.no_grad():
        for module in modules:
            for name, parameter in module.named_parameters():
                if "bias" in name:
                    parameter.zero_()
                elif parameter.dim() > 1:
                    shape = tuple(parameter.shape)
                    bound = 1 / math.sqrt(math.prod(shape[1:]))
                    seed = np.frombuffer(name.encode(), np.uint8).astype(int).tolist()
                    random = np.random.default_rng([*seed, *shape])
                    array = random.uniform(-bound, bound, shape).astype(np.float32)
                    parameter.copy_(torch.tensor(array))


def learn(optimizer: Any, loss: Any) -> float:
    """Make the step that every training loop makes, and read the loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
