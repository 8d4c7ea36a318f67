"""The multilayer perceptron, trained by backpropagation.

Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323, 1986
(equations 1 and 2 are a layer, 4 to 8 the gradient).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError


class MLP(nn.Sequential):
    """Linear layers with a nonlinearity between them: x -> W_k f(... f(W_1 x + b_1)) + b_k.

    Shape:
        (*, in_channels) -> (*, hidden_channels[-1])

    Args:
        in_channels: number of input features.
        hidden_channels: features after each layer; the last is the output, which has no
            nonlinearity.
        norm_layer: a layer made for each hidden width and put before its nonlinearity, or None.
        activation_layer: makes the nonlinearity.
        bias: False leaves the biases out.
        dropout: probability of zeroing a hidden feature, in [0, 1].

    Raises:
        ArgumentError: no layer.

    Source: Rumelhart, Hinton, Williams 1986, equations 1 and 2; the arguments are torchvision's.

    Example:
        >>> import lampion as torch
        >>> MLP(784, [256, 10])(torch.zeros(32, 784)).shape
        torch.Size([32, 10])
    """

    def __init__(
        self, in_channels: int, hidden_channels: Sequence[int],
        norm_layer: Callable[[int], nn.Module] | None = None,
        activation_layer: Callable[[], nn.Module] = nn.ReLU, bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        if len(hidden_channels) == 0:
            raise ArgumentError("MLP: hidden_channels is empty",
                                why="its last number is the number of outputs",
                                fix="MLP(784, [256, 10])")
        layers: list[nn.Module] = []
        features = in_channels
        for width in hidden_channels[:-1]:
            layers.append(nn.Linear(features, width, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(width))
            layers.append(activation_layer())
            if dropout:
                layers.append(nn.Dropout(dropout))
            features = width
        layers.append(nn.Linear(features, hidden_channels[-1], bias=bias))
        super().__init__(*layers)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input)
