"""Recurrent layers over whole sequences: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from lampion import errors
from lampion.errors import shape_text
from lampion.functions import creation, shape
from lampion.functions.recurrent import GATES, project, recurrent_layer
from lampion.ir import mode
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.nn.utils.packed import PackedSequence, PaddedRows, mask_of, padded
from lampion.tensor import Tensor


class RNNBase(Module):
    """What RNN, LSTM and GRU share: the weights of layers and directions, and the run over them.

    Args:
        mode: RNN_TANH, RNN_RELU, LSTM or GRU.
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers on top of each other; each reads the states of the one below.
        bias: False leaves both biases out.
        batch_first: input and output are (N, T, features) instead of (T, N, features).
        dropout: probability of zeroing what goes from a layer to the next, in [0, 1].
        bidirectional: another run from the last step to the first beside it.
        proj_size: project the states of an LSTM to that many features; 0 for not at all.
        device, dtype: of the parameters.

    All weights and biases start evenly distributed in [-k, k] with k = 1 / sqrt(hidden_size).
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_settings(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout,
                        proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}", stacklevel=3)
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                self._add_weights(layer, suffix, device, dtype)
        self.reset_parameters()

    def _add_weights(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        gates = GATES[self.mode] * self.hidden_size
        features = self._state_size
        below = self.input_size if layer == 0 else features * self._directions
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (gates, below), "weight_hh": (gates, features)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = []
        for name, sizes in shapes.items():
            names.append(f"{name}_l{layer}{suffix}")
            setattr(self, names[-1], empty_parameter(sizes, device, dtype))
        self._all_weights.append(names)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _state_size(self) -> int:
        """Features of the state that is given out."""
        return self.proj_size or self.hidden_size

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def flatten_parameters(self) -> None:
        """Do nothing: the parameters need not lie side by side here."""

    def reset_parameters(self) -> None:
        """Draw new first values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    # --- checks ------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise where the input's type, axes or features do not fit."""
        weight = self._flat_weights[0]
        name = type(self).__name__
        if input.dtype != weight.dtype and mode.autocast is None:
            raise errors.ArgumentError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype})",
                why="one product takes numbers of one type",
                fix=f"input.to({weight.dtype}), or model.to({input.dtype})")
        axes = 2 if batch_sizes is not None else 3
        if input.dim() != axes:
            raise errors.ShapeError(
                f"{name}: input must have {axes} dimensions, got {input.dim()}: "
                f"{shape_text(input.shape)}")
        if self.input_size != input.size(-1):
            raise errors.ShapeError(
                f"{name}: input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.size(-1)}: input is {shape_text(input.shape)}",
                why="the last axis of the input holds the features of a step",
                fix=f"nn.{name}({input.size(-1)}, {self.hidden_size})")

    def _expected(self, batch: int, features: int) -> tuple[int, int, int]:
        return (self.num_layers * self._directions, batch, features)

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise where an initial state has another shape than layers and input ask for."""
        if tuple(hx.shape) != expected_hidden_size:
            raise errors.ShapeError(
                msg.format(expected_hidden_size, list(hx.shape)),
                why="a state is (num_layers * directions, batch, features)")

    def _check_states(self, states: tuple[Tensor, ...], batch: int) -> None:
        if len(states) == 1:
            self.check_hidden_size(states[0], self._expected(batch, self._state_size))
            return
        for k, (state, features) in enumerate(
                zip(states, (self._state_size, self.hidden_size), strict=True)):
            self.check_hidden_size(state, self._expected(batch, features),
                                   f"Expected hidden[{k}] size {{}}, got {{}}")

    # --- the run -----------------------------------------------------------------------------

    def _zeros(self, batch: int, like: Tensor) -> tuple[Tensor, ...]:
        sizes = [self._state_size, self.hidden_size][: 2 if self.mode == "LSTM" else 1]
        return tuple(creation.zeros(self._expected(batch, size), dtype=like.dtype)
                     for size in sizes)

    def _check_axes(self, input: Tensor, states: tuple[Tensor, ...] | None) -> bool:
        """Return whether the input is a batch; raises where a state does not go with it."""
        name = type(self).__name__
        if input.dim() not in (2, 3):
            raise errors.ShapeArgumentError(
                f"{name}: Expected input to be 2D or 3D, got {input.dim()}D tensor instead",
                why="the input is (T, N, features), (N, T, features) with batch_first, or "
                "(T, features) for one sequence")
        axes = input.dim()
        what = "hx" if self.mode != "LSTM" else "hx and cx"
        for state in states or ():
            if state.dim() != axes:
                raise errors.ShapeError(
                    f"For {'batched 3-D' if axes == 3 else 'unbatched 2-D'} input, {what} should "
                    f"also be {axes}-D but got {state.dim()}-D tensor")
        return axes == 3

    def _run(self, input: Any, states: tuple[Tensor, ...] | None
             ) -> tuple[Any, tuple[Tensor, ...]]:
        """Return the output and the last states, for tensors and packed sequences."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, states)
        batched = self._check_axes(input, states)
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
            states = None if states is None else tuple(s.unsqueeze(1) for s in states)
        batch = input.size(0 if self.batch_first else 1)
        self.check_input(input, None)
        if states is None:
            states = self._zeros(batch, input)
        self._check_states(states, batch)
        x = input.transpose(0, 1) if self.batch_first else input
        if x.size(0) == 0:
            raise errors.ShapeError(
                f"{type(self).__name__}: Expected sequence length to be larger than 0 in RNN, "
                f"input is {shape_text(input.shape)}")
        output, last = self._layers(x, states, None)
        if self.batch_first:
            output = output.transpose(0, 1)
        if not batched:
            output = output.squeeze(0 if self.batch_first else 1)
            last = tuple(s.squeeze(1) for s in last)
        return output, last

    def _run_packed(self, packed: PackedSequence, states: tuple[Tensor, ...] | None
                    ) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        rows = packed.rows
        if rows is None or not self._fits(rows.steps):
            sizes = packed.batch_sizes.tolist()
            self.check_input(packed.data, packed.batch_sizes)
            rows = PaddedRows(padded(packed.data, sizes), sizes, mask_of(sizes))
        batch = rows.steps.size(1)
        _, batch_sizes, sorted_indices, unsorted_indices = packed.fields
        if states is None:
            states = self._zeros(batch, rows.steps)
        else:
            states = tuple(_permuted(s, sorted_indices) for s in states)
        self._check_states(states, batch)
        output, last = self._layers(rows.steps, states, rows.mask)
        last = tuple(_permuted(s, unsorted_indices) for s in last)
        return PackedSequence.of_rows(rows._replace(steps=output), batch_sizes, sorted_indices,
                                      unsorted_indices), last

    def _fits(self, x: Tensor) -> bool:
        return (x.dim() == 3 and x.size(2) == self.input_size
                and x.dtype == self._flat_weights[0].dtype)

    def _layers(self, x: Tensor, states: tuple[Tensor, ...], mask: Tensor | None
                ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run all layers over (T, N, features); where the mask is False, states stay."""
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(self._directions):
                number = layer * self._directions + direction
                given = tuple(s[number] for s in states)
                output, ends = self._direction(x, number, given, mask)
                outputs.append(output)
                last.append(ends)
            x = outputs[0] if len(outputs) == 1 else shape.cat(outputs, -1)
        return x, tuple(shape.stack(list(ends)) for ends in zip(*last, strict=True))

    def _direction(self, x: Tensor, number: int, states: tuple[Tensor, ...], mask: Tensor | None
                   ) -> tuple[Tensor, tuple[Tensor, ...]]:
        weights = {name.split("_l")[0]: getattr(self, name) for name in self._all_weights[number]}
        bias, recurrent_bias = weights.get("bias_ih"), weights.get("bias_hh")
        projected = project(self.mode, x, weights["weight_ih"], bias, recurrent_bias)
        extra = recurrent_bias if self.mode == "GRU" else weights.get("weight_hr")
        return recurrent_layer(
            self.mode, projected, states, (weights["weight_hh"], extra), mask,
            reverse=number % self._directions == 1)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False,
                    "dropout": 0, "bidirectional": False}
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


def _permuted(state: Tensor, permutation: Tensor | None) -> Tensor:
    return state if permutation is None else state.index_select(1, permutation)


def _check_settings(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout,
                    proj_size) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Number) or not (
            0 <= dropout <= 1):  # type: ignore[operator]
        raise errors.ArgumentError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            f"element being zeroed, got {dropout!r}", fix="dropout=0.1")
    for name, value, kind in (("bias", bias, bool), ("batch_first", batch_first, bool),
                              ("input_size", input_size, int), ("hidden_size", hidden_size, int)):
        if not isinstance(value, kind):
            raise errors.ArgumentTypeError(
                f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size),
                        ("num_layers", num_layers)):
        if value <= 0:
            raise errors.ArgumentError(f"{name} must be greater than zero, got {value}")
    if proj_size < 0:
        raise errors.ArgumentError(
            "proj_size should be a positive integer or zero to disable projections, got "
            f"{proj_size}")
    if proj_size >= hidden_size:
        raise errors.ArgumentError(
            f"proj_size has to be smaller than hidden_size, got {proj_size} and {hidden_size}")
    if mode not in GATES:
        raise errors.ArgumentError(f"Unrecognized RNN mode: {mode}",
                                   fix=" or ".join(GATES))


def _refuse_projection(settings: dict[str, Any]) -> None:
    if "proj_size" in settings:
        raise errors.ArgumentError("proj_size argument is only supported for LSTM, not RNN or GRU",
                                   fix="nn.LSTM(..., proj_size=...)")


class RNN(RNNBase):
    """Elman layers: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or ReLU instead of tanh.

    Shape:
        input (T, N, input_size), state (layers * directions, N, hidden_size)
        -> (T, N, directions * hidden_size) and the last state; without N for one sequence;
        or a PackedSequence -> a PackedSequence.

    Args:
        input_size, hidden_size, num_layers: see `RNNBase`.
        nonlinearity: "tanh" or "relu".
        bias, batch_first, dropout, bidirectional, device, dtype: see `RNNBase`.

    Raises:
        ShapeError: input or state do not fit the layer.

    Example:
        >>> import lampion as torch
        >>> output, state = torch.nn.RNN(10, 20, 2)(torch.zeros(5, 3, 10))
        >>> output.shape, state.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise errors.ArgumentError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.",
                fix="nonlinearity='tanh'")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last


class GRU(RNNBase):
    """Gated recurrent units: h_t = (1 - z_t) n_t + z_t h_(t-1).

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_(t-1) + b_hr), z_t alike, and
    n_t = tanh(W_in x_t + b_in + r_t (W_hn h_(t-1) + b_hn)); weights are stacked in this order.

    Shape:
        as for `RNN`.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device,
            dtype: see `RNNBase`.

    Example:
        >>> import lampion as torch
        >>> output, state = torch.nn.GRU(10, 20, bidirectional=True)(torch.zeros(5, 3, 10))
        >>> output.shape, state.shape
        (torch.Size([5, 3, 40]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, None if hx is None else (hx,))
        return output, last


class LSTM(RNNBase):
    """Long short-term memory: c_t = f_t c_(t-1) + i_t g_t, h_t = o_t tanh(c_t).

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_(t-1) + b_hi), f_t and o_t alike, and g_t with tanh;
    weights are stacked in the order i, f, g, o. With `proj_size`, h_t is W_hr times that.

    Shape:
        input (T, N, input_size), states h (layers * directions, N, proj_size or hidden_size) and
        c (layers * directions, N, hidden_size) -> (T, N, directions * size of h) and the last
        states (h, c); without N for one sequence; or a PackedSequence -> a PackedSequence.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
            device, dtype: see `RNNBase`.

    Raises:
        ShapeError: input or states do not fit the layer.

    Example:
        >>> import lampion as torch
        >>> output, (h, c) = torch.nn.LSTM(10, 20, 2, batch_first=True)(torch.zeros(3, 5, 10))
        >>> output.shape, h.shape, c.shape
        (torch.Size([3, 5, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None
                ) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (h, c) = self._run(input, None if hx is None else (hx[0], hx[1]))
        return output, (h, c)
