"""One entry of module_db on both libraries."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch

import lampion

from . import compare, convert
from .outcome import ABSENT, Outcome, Tally, one_line, shortened

DTYPES = (torch.float32, torch.float64)


def examine(name: str, entry: Any) -> Outcome:
    """Build an entry's modules, give them the same parameters and inputs, and compare."""
    made = convert.find(name)
    if made is None:
        return Outcome(name, ABSENT, f"lampion has no {name}")
    tally = Tally(name)
    for dtype in DTYPES:
        for training in (True, False) if entry.train_and_eval_differ else (True,):
            torch.manual_seed(0)
            inputs = entry.module_inputs_func(
                entry, device="cpu", dtype=dtype, requires_grad=True, training=training)
            for given in inputs:
                where = f"{dtype}{'' if training else ' eval'} {given.desc}"
                difference = _one(entry, made, given, dtype, training)
                if difference is not None:
                    tally.count(difference, where.replace("torch.", ""))
    _errors(tally, entry, made)
    return tally.outcome()


def argument(given: Any) -> Any:
    """The counterpart of an argument, which may be a module."""
    if isinstance(given, (torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)):
        attention = given.self_attn
        built = getattr(lampion.nn, type(given).__name__)(
            attention.embed_dim, attention.num_heads, given.linear1.out_features,
            given.dropout.p, given.activation if isinstance(given.activation, str) else (
                "relu" if given.activation is torch.nn.functional.relu else "gelu"),
            batch_first=attention.batch_first, norm_first=given.norm_first,
            layer_norm_eps=given.norm1.eps, bias=given.linear1.bias is not None,
            dtype=convert.TYPES[given.linear1.weight.dtype])
        built.load_state_dict(convert.value(dict(given.state_dict())))
        return built
    if isinstance(given, torch.nn.Module):
        made = convert.find(f"nn.{type(given).__name__}")
        if made is None or list(given.parameters()):
            raise convert.NoCounterpart(f"{given}")
        return made()
    if isinstance(given, (list, tuple)) and any(isinstance(x, torch.nn.Module) for x in given):
        return [argument(x) for x in given]
    return convert.value(given)


def _call(function: Any, given: Any, convert_: Any) -> Any:
    return function(*map(convert_, given.args),
                    **{key: convert_(v) for key, v in given.kwargs.items()})


def _same(given: Any) -> Any:
    return given


def _one(entry: Any, made: Any, given: Any, dtype: torch.dtype, training: bool) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = _call(entry.module_cls, given.constructor_input, _same).to(dtype)
            theirs.train(training)
        except Exception:
            return None
        try:
            ours = _call(made, given.constructor_input, argument).to(convert.TYPES[dtype])
            ours.train(training)
            return _forward(theirs, ours, given.forward_input, entry.is_lazy)
        except convert.NoCounterpart:
            return None
        except Exception as error:
            return one_line(error)


def _forward(theirs: Any, ours: Any, given: Any, lazy: bool) -> str:
    if given is None:  # containers have no forward
        return ""
    inputs = convert.value((given.args, given.kwargs))
    if lazy:  # the first call gives the parameters their shapes
        with torch.no_grad(), lampion.no_grad():
            theirs(*given.args, **given.kwargs)
            ours(*inputs[0], **inputs[1])
    ours.load_state_dict(convert.value(dict(theirs.state_dict())))
    state = {key: v.clone() for key, v in theirs.state_dict().items()}
    torch.manual_seed(1)
    first = theirs(*given.args, **given.kwargs)
    theirs.load_state_dict(state)
    torch.manual_seed(2)
    expected = theirs(*given.args, **given.kwargs)
    fixed = compare.repeats(first, expected)
    got = ours(*inputs[0], **inputs[1])
    difference = compare.results(expected, got, numbers=fixed)
    if difference or not fixed:
        return difference
    names = [key for key, _ in theirs.named_parameters()]
    own = dict(ours.named_parameters())
    left = convert.leaves((given.args, given.kwargs)) + list(theirs.parameters())
    right = convert.leaves(inputs) + [own[key] for key in names]
    difference = compare.gradients(expected, got, left, right)
    if "elements differ" in difference and _nearer(theirs, given, expected, got, left, right):
        difference = ""
    return difference or compare.results(list(theirs.buffers()), list(ours.buffers()))


def _nearer(theirs: Any, given: Any, expected: Any, got: Any, left: Any, right: Any) -> bool:
    """Whether a difference of float32 is PyTorch's rounding, as its own float64 shows."""
    if any(t.dtype != torch.float32 for t in left):
        return False
    wide = copy.deepcopy(theirs).double()
    inputs = [x.detach().double().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor)
              and x.dtype == torch.float32 else x for x in given.args]
    try:
        exact = wide(*inputs, **given.kwargs)
        return compare.nearer(
            compare.their_gradients(exact, convert.leaves(inputs) + list(wide.parameters())),
            compare.their_gradients(expected, left), compare.our_gradients(got, right))
    except Exception:
        return False


def _has_tensors(given: Any) -> bool:
    return any(isinstance(x, torch.Tensor) for x in (*given.args, *given.kwargs.values()))


def _errors(tally: Tally, entry: Any, made: Any) -> None:
    if entry.module_error_inputs_func is None:
        return
    inputs = entry.module_error_inputs_func(
        entry, device="cpu", dtype=torch.float64, requires_grad=False, training=False)
    for error in inputs:
        given = error.module_error_input
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ours = _call(made, given.constructor_input, argument)
                if not _has_tensors(given.constructor_input):  # whose types may be the error
                    ours = ours.to(lampion.float64)
                _call(ours, given.forward_input, convert.value)
            except convert.NoCounterpart:
                continue
            except Exception as raised:
                right = isinstance(raised, error.error_type)
                tally.count("" if right else f"raised {one_line(raised)} instead of "
                            f"{error.error_type.__name__}", f"error {error.error_regex}")
                continue
        tally.count(f"did not raise {error.error_type.__name__}",
                    f"error {shortened(given.constructor_input.args)} {error.error_regex}")
