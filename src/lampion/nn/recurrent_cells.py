"""Recurrent cells: one step at a time, for loops written in Python."""

from __future__ import annotations

import math
from typing import Any

from lampion import errors
from lampion.errors import shape_text
from lampion.functions import creation
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter
from lampion.nn.module import Module
from lampion.tensor import Tensor


class RNNCellBase(Module):
    """What the cells share: two weights and two biases.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: False leaves both biases out.
        num_chunks: how many gates.
        device, dtype: of the parameters.

    All parameters start evenly distributed in [-k, k] with k = 1 / sqrt(hidden_size).
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = empty_parameter((rows, input_size), device, dtype)
        self.weight_hh = empty_parameter((rows, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty_parameter(rows, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        bias = "" if self.bias is True else f", bias={self.bias}"
        return f"{self.input_size}, {self.hidden_size}{bias}"

    def _check(self, input: Tensor, states: tuple[Tensor, ...] | None) -> None:
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise errors.ShapeArgumentError(
                f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead",
                why="a cell takes one step: (N, features) or (features)",
                fix=f"nn.{name.removesuffix('Cell')} for whole sequences")
        for state in states or ():
            if state.dim() not in (1, 2):
                raise errors.ShapeArgumentError(
                    f"{name}: Expected hidden to be 1D or 2D, got {state.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise errors.ShapeError(
                f"{name}: input has inconsistent input_size: got {input.shape[-1]}, expected "
                f"{self.input_size}: input is {shape_text(input.shape)}")
        for state in states or ():
            if state.shape[-1] != self.hidden_size or state.shape[:-1] != input.shape[:-1]:
                raise errors.ShapeError(
                    f"{name}: input is {shape_text(input.shape)} but hidden is "
                    f"{shape_text(state.shape)}",
                    why=f"hidden has a row of hidden_size={self.hidden_size} numbers for each row "
                    "of the input")

    def _zeros(self, input: Tensor) -> Tensor:
        return creation.zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)

    def _parts(self, input: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return W_ih x + b_ih and W_hh h + b_hh."""
        return (F.linear(input, self.weight_ih, self.bias_ih),
                F.linear(hidden, self.weight_hh, self.bias_hh))


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU instead of tanh.

    Shape:
        (N, input_size), (N, hidden_size) -> (N, hidden_size); all without N, too.

    Args:
        input_size, hidden_size, bias, device, dtype: see `RNNCellBase`.
        nonlinearity: "tanh" or "relu".

    Example:
        >>> import lampion as torch
        >>> torch.nn.RNNCell(10, 20)(torch.zeros(3, 10)).shape
        torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        self._check(input, None if hx is None else (hx,))
        if self.nonlinearity not in ("tanh", "relu"):
            raise errors.StateError(f"Unknown nonlinearity: {self.nonlinearity}",
                                    fix="nonlinearity='tanh'")
        x, h = self._parts(input, self._zeros(input) if hx is None else hx)
        return (x + h).tanh() if self.nonlinearity == "tanh" else (x + h).relu()

    def extra_repr(self) -> str:
        other = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + other


class LSTMCell(RNNCellBase):
    """c' = f c + i g, h' = o tanh(c') with gates i, f, o = sigmoid(...) and g = tanh(...).

    Shape:
        (N, input_size), two states (N, hidden_size) -> the two states; all without N, too.

    Args:
        input_size, hidden_size, bias, device, dtype: see `RNNCellBase`.

    Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735

    Example:
        >>> import lampion as torch
        >>> h, c = torch.nn.LSTMCell(10, 20)(torch.zeros(3, 10))
        >>> h.shape, c.shape
        (torch.Size([3, 20]), torch.Size([3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
                ) -> tuple[Tensor, Tensor]:
        self._check(input, None if hx is None else (hx[0], hx[1]))
        h, c = (self._zeros(input), self._zeros(input)) if hx is None else hx
        x, w = self._parts(input, h)
        i, f, g, o = (x + w).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class GRUCell(RNNCellBase):
    """h' = (1 - z) n + z h with n = tanh(W_in x + b_in + r (W_hn h + b_hn)) and gates r, z.

    Shape:
        (N, input_size), (N, hidden_size) -> (N, hidden_size); all without N, too.

    Args:
        input_size, hidden_size, bias, device, dtype: see `RNNCellBase`.

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        self._check(input, None if hx is None else (hx,))
        h = self._zeros(input) if hx is None else hx
        x, w = (part.chunk(3, -1) for part in self._parts(input, h))
        r, z = (x[0] + w[0]).sigmoid(), (x[1] + w[1]).sigmoid()
        n = (x[2] + r * w[2]).tanh()
        return (h - n) * z + n
