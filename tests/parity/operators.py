"""One entry of op_db on both libraries."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from unittest import mock

import torch

import lampion

from . import compare, convert, scope
from .outcome import ABSENT, OUTSIDE, Outcome, Tally, one_line, shortened

DTYPES = (torch.float32, torch.float64, torch.int64, torch.bool)
# What memory happens to hold is nobody's result, and draws may be equal twice by chance.
UNDEFINED = {"multinomial", "bernoulli", "empty", "empty_like", "empty_permuted", "new_empty",
             "empty_strided", "new_empty_strided"}


def counterpart(entry: Any) -> Callable | None:
    """The function of lampion that the entry is about, None where there is none."""
    op = entry.op
    if isinstance(op, types.FunctionType) and "torch/testing" in op.__code__.co_filename:
        return convert.function(op)
    found = convert.find(entry.name)
    if found is None and "." not in entry.name:
        found = getattr(lampion.Tensor, entry.name, None)
    return found


def examine(name: str, entry: Any, limit: int = 60) -> Outcome:
    """Run an entry's samples and error inputs on both libraries.

    Args:
        limit: how many samples of each element type are tried, spread evenly over all.
    """
    why = scope.reason(entry, name)
    if why:
        return Outcome(name, OUTSIDE, why)
    function = counterpart(entry)
    if function is None:
        return Outcome(name, ABSENT, f"lampion has no {entry.name}")
    tally = Tally(name)
    for dtype in DTYPES:
        if dtype in entry.supported_dtypes("cpu"):
            _samples(tally, entry, function, dtype, limit)
    _errors(tally, entry, function)
    return tally.outcome()


def _spread(samples: list[Any], limit: int) -> list[Any]:
    step = max(1, -(-len(samples) // limit))
    return samples[::step]


def _samples(tally: Tally, entry: Any, function: Callable, dtype: torch.dtype, limit: int) -> None:
    wanted = dtype.is_floating_point and entry.supports_autograd
    torch.manual_seed(0)
    samples = list(entry.sample_inputs("cpu", dtype, requires_grad=wanted))
    for number, sample in enumerate(_spread(samples, limit)):
        try:
            given = convert.value((sample.input, sample.args, sample.kwargs))
        except convert.NoCounterpart:
            continue
        where = f"{dtype} sample {number} {shortened((sample.input, sample.args, sample.kwargs))}"
        difference = _one(entry, function, sample, given)
        if difference is not None:
            tally.count(difference, where.replace("torch.", ""))


def _copied(given: Any) -> Any:
    if not isinstance(given, torch.Tensor):
        return given
    return given.detach().clone().requires_grad_(given.requires_grad)


def _call(function: Callable, given: tuple) -> Any:
    first, args, keywords = given
    return function(first, *args, **keywords)


def _one(entry: Any, function: Callable, sample: Any, given: tuple) -> str | None:
    """The difference between two results of one sample; None where there is no comparison."""
    theirs = (sample.input, sample.args, sample.kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # A function may write into its arguments, so the second call gets its own.
            copy = sample.transform(_copied)
            expected = _call(entry.op, theirs)
            with mock.patch.object(torch, "manual_seed"):  # some entries seed the generator
                again = _call(entry.op, (copy.input, copy.args, copy.kwargs))
        except Exception:
            return None  # a sample that PyTorch itself refuses
        if any(isinstance(t, torch.Tensor) and (
                t.dtype not in convert.TYPES or t.layout is not torch.strided)
                for t in compare.flat(expected)):
            return None  # complex or sparse results
        fixed = entry.name not in UNDEFINED and compare.repeats(expected, again)
        try:
            got = _call(function, given)
            expected, got = _processed(sample, expected, got)
            difference = compare.results(expected, got, numbers=fixed)
            if not difference and fixed:
                difference = compare.gradients(
                    expected, got, convert.leaves(theirs), convert.leaves(given))
            if "elements differ" in difference and _nearer(entry, sample, expected, got, given):
                return ""
            return difference
        except convert.NoCounterpart:
            return None
        except Exception as error:
            return one_line(error)


def _nearer(entry: Any, sample: Any, expected: Any, got: Any, given: tuple) -> bool:
    """Whether a difference of float32 is PyTorch's rounding, as its own float64 shows."""
    theirs = (sample.input, sample.args, sample.kwargs)
    if any(t.dtype != torch.float32 for t in convert.leaves(theirs)):
        return False
    wide = sample.transform(_widened)
    try:
        exact = _call(entry.op, (wide.input, wide.args, wide.kwargs))
        leaves = convert.leaves((wide.input, wide.args, wide.kwargs))
        if not compare.nearer(compare.flat(exact), compare.flat(expected), compare.flat(got)):
            return False
        return not leaves or compare.nearer(
            compare.their_gradients(exact, leaves),
            compare.their_gradients(expected, convert.leaves(theirs)),
            compare.our_gradients(got, convert.leaves(given)))
    except Exception:
        return False


def _widened(given: Any) -> Any:
    if not isinstance(given, torch.Tensor) or given.dtype != torch.float32:
        return given
    return given.detach().double().requires_grad_(given.requires_grad)


def _processed(sample: Any, expected: Any, got: Any) -> tuple[Any, Any]:
    """Both results after what the entry does to its own before gradients are taken.

    A decomposition leaves signs free, for instance; the entry then takes absolute values.
    """
    process = sample.output_process_fn_grad
    if not isinstance(process, types.FunctionType):
        return expected, got
    return process(expected), convert.function(process)(got)


def _error_inputs(entry: Any) -> Iterator[Any]:
    if entry.error_inputs_func is not None:
        yield from islice(entry.error_inputs("cpu"), 200)


def _errors(tally: Tally, entry: Any, function: Callable) -> None:
    try:
        inputs = list(_error_inputs(entry))
    except Exception:
        return  # made for a device that this machine does not have
    for number, error in enumerate(inputs):
        sample = error.sample_input
        try:
            given = convert.value((sample.input, sample.args, sample.kwargs))
        except convert.NoCounterpart:
            continue
        # Said first: a call that fails may leave its tensors in no state to be looked at.
        where = f"error {number} {shortened((sample.input, sample.args, sample.kwargs))}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                _call(entry.op, (sample.input, sample.args, sample.kwargs))
                continue  # PyTorch does not refuse it through this function
            except Exception as raised:
                expected = raised
            tally.count(_refusal(function, given, expected), where)


def _refusal(function: Callable, given: tuple, expected: Exception) -> str:
    try:
        got = _call(function, given)
        for part in compare.flat(got):
            if isinstance(part, lampion.Tensor):
                part.detach().numpy()
    except Exception as error:
        if isinstance(error, type(expected)):
            return ""
        return f"raised {one_line(error)} instead of {one_line(expected)}"
    return f"did not raise {one_line(expected)}"
