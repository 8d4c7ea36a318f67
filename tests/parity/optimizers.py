"""One entry of optim_db on both libraries."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

import lampion

from . import compare, convert
from .outcome import ABSENT, OUTSIDE, Outcome, Tally, one_line, shortened

STEPS = 6
SHAPES = ((3, 4), (4,), ())
MATRICES = ((3, 4), (1, 4), (1, 1))  # what Muon takes


def examine(name: str, entry: Any) -> Outcome:
    """Minimise the same function with every configuration of an optimizer, and compare."""
    if entry.only_supports_sparse_grads:
        return Outcome(name, OUTSIDE, "works on sparse gradients only")
    made = convert.find(f"optim.{name}")
    if made is None:
        return Outcome(name, ABSENT, f"lampion has no optim.{name}")
    tally = Tally(name)
    for dtype in (torch.float32, torch.float64):
        for given in entry.optim_inputs_func("cpu", dtype):
            where = f"{dtype} {given.desc} {given.kwargs}"
            try:
                keywords = convert.value(given.kwargs)
                shapes = MATRICES if name == "Muon" else SHAPES
                loss = _bowl if name == "LBFGS" else _valleys
                expected = _trained(torch, entry.optim_cls, given.kwargs, dtype, shapes, loss)
                got = _trained(lampion, made, keywords, convert.TYPES[dtype], shapes, loss)
                tally.count(_difference(expected, got, name != "Muon"), where)
            except convert.NoCounterpart:
                continue
            except Exception as error:
                tally.count(one_line(error), where)
    _errors(tally, entry, made)
    return tally.outcome()


def _difference(expected: list[Any], got: list[Any], wide: bool) -> str:
    """Steps amplify rounding: float32 is compared loosely, float64 exactly.

    Args:
        wide: whether the optimizer computes in the parameters' type; Muon uses bfloat16.
    """
    for a, b in zip(expected, got, strict=True):
        exact = wide and a.dtype is torch.float64
        found = compare.close(compare.array(a), compare.array(b),
                              (1e-6, 1e-7) if exact else (5e-3, 5e-3))
        if found:
            return found
    return ""


def _valleys(made: Any) -> Any:
    """A loss with curvature of both signs."""
    return (made.sin() + 0.1 * made * made).sum()


def _bowl(made: Any) -> Any:
    """A loss with one valley.

    A step of L-BFGS divides by differences of gradients: elsewhere it may be thrown far away, and
    rounding decides where to.
    """
    return (0.3 * made.sin() + 0.5 * made * made).sum()


def _trained(library: Any, optimizer_class: Any, keywords: dict, dtype: Any, shapes: Any,
             loss_of: Any) -> list[Any]:
    """The parameters after some steps."""
    draw = np.random.default_rng(0)
    parameters = [library.nn.Parameter(library.tensor(draw.standard_normal(shape).tolist(),
                                                      dtype=dtype)) for shape in shapes]
    matrix = library.tensor(draw.standard_normal((4, 3)).tolist(), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = optimizer_class(parameters, **keywords)

        def closure() -> Any:
            optimizer.zero_grad()
            made = (matrix @ parameters[0]).sum(0) * parameters[1] + parameters[2]
            loss = loss_of(made)
            loss.backward()
            return loss

        # A step of L-BFGS is up to 20 of its own.
        for _ in range(2 if optimizer_class.__name__ == "LBFGS" else STEPS):
            optimizer.step(closure)
    return [p.detach() for p in parameters]


def _errors(tally: Tally, entry: Any, made: Any) -> None:
    for error in entry.optim_error_inputs_func("cpu", torch.float32):
        given = error.optimizer_error_input
        try:
            parameters = given.params
            if parameters is None:
                parameters = [torch.nn.Parameter(torch.randn(2, 3))]
            parameters = convert.value(
                parameters if isinstance(parameters, (list, torch.Tensor)) else list(parameters))
            keywords = convert.value(given.kwargs)
        except convert.NoCounterpart:
            continue
        where = f"error {given.desc} {shortened(given.kwargs)}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Where PyTorch warns, so must lampion.
                if issubclass(error.error_type, Warning):
                    warnings.simplefilter("error", error.error_type)
                optimizer = made(parameters, **keywords)
                optimizer.step()
        except Exception as raised:
            right = isinstance(raised, error.error_type)
            tally.count("" if right else f"raised {one_line(raised)} instead of "
                        f"{error.error_type.__name__}", where)
            continue
        tally.count(f"did not raise {error.error_type.__name__}", where)
