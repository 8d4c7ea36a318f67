"""Recurrent layers over whole sequences: one scan for each layer and direction.

The part of a step that reads the input, W_ih x + b, is one product for all steps before the scan;
the scan's body holds only what depends on the state.

Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1; Hochreiter and Schmidhuber 1997,
https://doi.org/10.1162/neco.1997.9.8.1735; Cho et al. 2014, https://arxiv.org/abs/1406.1078
(the reset gate after the product, as in cuDNN).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import base, ops
from ..body import Body, trace
from ..dtypes import bool_
from ..dtypes import dtype as DType
from ..ir import Type, Value, expand, mode, registry
from ..ops.scan_layout import Scan, Window
from ..ops.scan_plan import saving
from ..replay.recorded import record_module
from .linear import linear

if TYPE_CHECKING:
    from lampion.tensor import Tensor

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


def recurrent_layer(
    kind: str, input: Tensor, states: Sequence[Tensor], weights: tuple[Tensor, Tensor | None],
    mask: Tensor | None = None, reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one direction of one layer over all steps.

    Args:
        kind: RNN_TANH, RNN_RELU, LSTM or GRU.
        input: the projected sequence (see `project`).
        states: initial states: (h,), for an LSTM (h, c).
        weights: W_hh, for a GRU its bias b_hh or None, for an LSTM the projection W_hr or None.
        mask: where False, a sequence has no such step and its state stays.
        reverse: from the last step to the first.

    Shape: (T, N, gates * H), states (N, H) -> (T, N, H) and the last states.
    """
    length, batch, _ = input.shape
    recurrent, extra = weights
    constants = [w for w in (recurrent, extra) if w is not None]
    tensors = [*states, input, *(() if mask is None else (mask,)), *constants]
    body = _body(kind, batch, tuple(recurrent.shape), input.dtype,
                 None if extra is None else tuple(extra.shape), mask is not None)
    steps = 1 if mask is None else 2
    kept = (True, *(False,) * (len(states) - 1))
    setup = Scan(body, len(states), steps, length, reverse, kept)
    if mode.grad:
        setup = saving(setup, tuple(t.requires_grad for t in tensors))
    flat = base.call(ops.control.scan, tuple(tensors), setup._asdict(), label=kind.lower())
    output = _window(flat, setup.after(0))
    return output, tuple(_window(flat, setup.last(k)) for k in range(len(states)))


def project(kind: str, input: Tensor, weight: Tensor, bias: Tensor | None,
            recurrent_bias: Tensor | None) -> Tensor:
    """Return the part of every step that reads the input, for all steps at once.

    A GRU multiplies part of its recurrent bias by a gate, so that this bias stays in the steps.

    Shape: (..., I), (gates * H, I), (gates * H), (gates * H) -> (..., gates * H).
    """
    if bias is not None and kind != "GRU":
        bias = bias + recurrent_bias
    return linear(input, weight, bias)


def _window(flat: Tensor, window: Window) -> Tensor:
    return base.call(ops.control.section, (flat,), window._asdict())


@functools.lru_cache(maxsize=256)
def _body(kind: str, batch: int, recurrent: tuple[int, int], dtype: DType,
          extra: tuple[int, ...] | None, masked: bool) -> Body:
    """Return one step of a layer as a body.

    Its parameters: states, projected input, mask where there is one, W_hh, the extra weight.
    """
    gates, hidden = recurrent
    cells = gates // GATES[kind]
    states = [Type((batch, hidden), dtype)]
    if kind == "LSTM":
        states.append(Type((batch, cells), dtype))
    rows = [Type((batch, gates), dtype)]
    if masked:
        rows.append(Type((batch, 1), bool_))
    constants = [Type(recurrent, dtype)]
    if extra is not None:
        constants.append(Type(extra, dtype))
    count = len(states)

    def step(*values: Value) -> list[Value]:
        old = values[:count]
        x, rest = values[count], list(values[count + 1:])
        mask = rest.pop(0) if masked else None
        new = STEPS[kind](old, x, *rest)
        if mask is not None:
            new = [registry["where"](expand(mask, n.shape), n, o)
                   for n, o in zip(new, old, strict=True)]
        return new

    return trace(step, [*states, *rows, *constants])


def _product(x: Value, weight: Value) -> Value:
    """x W^T."""
    return registry["matmul"](x, registry["permute"](weight, order=(1, 0)))


def _columns(x: Value, number: int, count: int) -> Value:
    """Return one of `count` equal groups of columns."""
    rows, width = x.shape[0], x.shape[1] // count
    return registry["slice"](x, start=(0, number * width), stop=(rows, (number + 1) * width),
                             step=(1, 1))


def _elman_step(activation: str):
    """h' = activation(x + W h)."""
    def step(states: Sequence[Value], x: Value, weight: Value) -> list[Value]:
        return [registry[activation](x + _product(states[0], weight))]

    return step


def _lstm_step(states: Sequence[Value], x: Value, weight: Value,
               projection: Value | None = None) -> list[Value]:
    """c' = f c + i g, h' = o tanh(c'), with the four gates of x + W h in the order i, f, g, o."""
    h, c = states
    w = _product(h, weight)
    i, f, g, o = (_columns(x, k, 4) + _columns(w, k, 4) for k in range(4))
    i, f, o = (registry["sigmoid"](gate) for gate in (i, f, o))
    g = registry["tanh"](g)
    c = f * c + i * g
    h = o * registry["tanh"](c)
    return [h if projection is None else _product(h, projection), c]


def _gru_step(states: Sequence[Value], x: Value, weight: Value,
              bias: Value | None = None) -> list[Value]:
    """h' = (1 - z) n + z h with n = tanh(x_n + r (W_n h + b_n))."""
    (h,) = states
    w = _product(h, weight)
    if bias is not None:
        w = w + expand(bias, w.shape)
    r, z = (registry["sigmoid"](_columns(x, k, 3) + _columns(w, k, 3)) for k in (0, 1))
    n = registry["tanh"](_columns(x, 2, 3) + r * _columns(w, 2, 3))
    return [(h - n) * z + n]


STEPS = {"RNN_TANH": _elman_step("tanh"), "RNN_RELU": _elman_step("relu"), "LSTM": _lstm_step,
         "GRU": _gru_step}


record_module(globals())
