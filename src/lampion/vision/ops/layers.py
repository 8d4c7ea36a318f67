"""Layers that networks for pictures are made of, under torchvision's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lampion.errors import ArgumentError
from lampion.functions.creation import empty, ones, zeros
from lampion.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    BatchNorm3d,
    Conv2d,
    Conv3d,
    Dropout,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
)
from lampion.nn import functional as F
from lampion.tensor import Tensor

Layer = Callable[..., Module]


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Set all of the batch, or some of its rows, to 0; divide the rest by 1 - p.

    Shape:
        (N, ...) -> the same

    Args:
        input: what a residual branch adds.
        p: probability of 0, in [0, 1].
        mode: "batch" or "row".
        training: False changes nothing.

    Raises:
        ArgumentError: p or mode outside of its range.

    Source: Huang et al. 2016, Deep networks with stochastic depth, section 3.
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"stochastic_depth: p={p}",
                            why="drop probability has to be between 0 and 1")
    if mode not in ("batch", "row"):
        raise ArgumentError(f"stochastic_depth: mode={mode!r}",
                            why="mode has to be either 'batch' or 'row'")
    if not training or p == 0.0:
        return input
    rows = input.shape[0] if mode == "row" else 1
    noise = empty((rows, *[1] * (input.dim() - 1)), dtype=input.dtype).bernoulli_(1.0 - p)
    return input * (noise / (1.0 - p) if p < 1.0 else noise)


class StochasticDepth(Module):
    """`stochastic_depth` as a layer; the same arguments."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, or 0 in its place."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


def drop_block2d(
    input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6,
    training: bool = True,
) -> Tensor:
    """Set square blocks to 0, and scale the rest so that the mean stays.

    Shape:
        (N, C, H, W) -> the same

    Args:
        p: part of the places that becomes 0, in [0, 1].
        block_size: odd number of places along each side.
        inplace: write into the input.
        eps: added below the fraction line.
        training: False changes nothing.

    Raises:
        ArgumentError: an argument outside of its range.

    Source: Ghiasi, Lin, Le 2018, DropBlock, algorithm 1.
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"drop_block2d: p={p}",
                            why="drop probability has to be between 0 and 1")
    if input.dim() != 4:
        raise ArgumentError(f"drop_block2d: input has {input.dim()} axes",
                            why="input should be 4 dimensional")
    if not training or p == 0.0:
        return input
    count, channels, height, width = input.shape
    size = min(block_size, width, height)
    if size % 2 == 0:
        raise ArgumentError(f"drop_block2d: block_size={size}", why="block size should be odd")
    inner = (height - size + 1, width - size + 1)
    likely = p * height * width / (size ** 2 * inner[0] * inner[1])
    middles = empty((count, channels, *inner), dtype=input.dtype).bernoulli_(likely)
    blocks = F.max_pool2d(F.pad(middles, [size // 2] * 4), size, stride=1, padding=size // 2)
    kept: Any = 1 - blocks  # type: ignore[operator]
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


class DropBlock2d(Module):
    """`drop_block2d` as a layer; the same arguments."""

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6,
                 ) -> None:
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with holes."""
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, "
                f"inplace={self.inplace})")


class FrozenBatchNorm2d(Module):
    """Batch normalisation whose statistics and weights are buffers: it never changes.

    Shape:
        (N, C, H, W) -> the same

    Args:
        num_features: C.
        eps: added to the variance.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", ones(num_features))
        self.register_buffer("bias", zeros(num_features))
        self.register_buffer("running_mean", zeros(num_features))
        self.register_buffer("running_var", ones(num_features))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *arguments: Any) -> None:
        state_dict.pop(prefix + "num_batches_tracked", None)  # of the layer that it stands for
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / sqrt(var + eps) * weight + bias."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


class _ConvNormActivation(Sequential):
    """A convolution, a normalisation, an activation."""

    def __init__(self, convolution: Layer, in_channels: int, out_channels: int, kernel_size: Any,
                 stride: Any, padding: Any, groups: int, norm_layer: Layer | None,
                 activation_layer: Layer | None, dilation: Any, inplace: bool | None,
                 bias: bool | None) -> None:
        if padding is None:
            axes = next((len(value) for value in (kernel_size, dilation)
                         if isinstance(value, Sequence)), 1)
            sizes, steps = ([value] * axes if isinstance(value, int) else list(value)
                            for value in (kernel_size, dilation))
            around = tuple((size - 1) // 2 * step for size, step in zip(sizes, steps))
            padding = around[0] if axes == 1 else around
        layers = [convolution(in_channels, out_channels, kernel_size, stride, padding,
                              dilation=dilation, groups=groups,
                              bias=norm_layer is None if bias is None else bias)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


class Conv2dNormActivation(_ConvNormActivation):
    """A convolution, a normalisation, an activation, in a row.

    Args:
        in_channels, out_channels, kernel_size, stride, groups, dilation: as for `Conv2d`.
        padding: keeps the size (divided by the stride) when not given.
        norm_layer: called with the number of channels; None for none.
        activation_layer: called with `inplace`; None for none.
        inplace: for the activation; None gives no such argument.
        bias: of the convolution; by default only without normalisation.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any = 3, stride: Any = 1,
                 padding: Any = None, groups: int = 1, norm_layer: Layer | None = BatchNorm2d,
                 activation_layer: Layer | None = ReLU, dilation: Any = 1,
                 inplace: bool | None = True, bias: bool | None = None) -> None:
        super().__init__(Conv2d, in_channels, out_channels, kernel_size, stride, padding, groups,
                         norm_layer, activation_layer, dilation, inplace, bias)


class Conv3dNormActivation(_ConvNormActivation):
    """`Conv2dNormActivation` for three axes; the same arguments."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any = 3, stride: Any = 1,
                 padding: Any = None, groups: int = 1, norm_layer: Layer | None = BatchNorm3d,
                 activation_layer: Layer | None = ReLU, dilation: Any = 1,
                 inplace: bool | None = True, bias: bool | None = None) -> None:
        super().__init__(Conv3d, in_channels, out_channels, kernel_size, stride, padding, groups,
                         norm_layer, activation_layer, dilation, inplace, bias)


class SqueezeExcitation(Module):
    """Weighs channels by what all places together say.

    Shape:
        (N, C, H, W) -> the same

    Args:
        input_channels: C.
        squeeze_channels: how many in between.
        activation, scale_activation: of the two layers.

    Source: Hu, Shen, Sun 2018, Squeeze-and-excitation networks, equation 3.
    """

    def __init__(self, input_channels: int, squeeze_channels: int, activation: Layer = ReLU,
                 scale_activation: Layer = Sigmoid) -> None:
        super().__init__()
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        """Return the weighted input."""
        scale = self.fc2(self.activation(self.fc1(self.avgpool(input))))
        return self.scale_activation(scale) * input


class MLP(Sequential):
    """Linear layers with an activation and dropout between them.

    Args:
        in_channels: features of the input.
        hidden_channels: features after each layer.
        norm_layer: called with the number of features, after each layer but the last.
        activation_layer: after each layer but the last.
        inplace: for activation and dropout; None gives no such argument.
        bias: of the linear layers.
        dropout: probability, in [0, 1].
    """

    def __init__(self, in_channels: int, hidden_channels: Sequence[int],
                 norm_layer: Layer | None = None, activation_layer: Layer | None = ReLU,
                 inplace: bool | None = None, bias: bool = True, dropout: float = 0.0) -> None:
        settings = {} if inplace is None else {"inplace": inplace}
        layers: list[Module] = []
        features = in_channels
        for number, width in enumerate(hidden_channels):
            layers.append(Linear(features, width, bias=bias))
            if number < len(hidden_channels) - 1:
                if norm_layer is not None:
                    layers.append(norm_layer(width))
                if activation_layer is not None:
                    layers.append(activation_layer(**settings))
            layers.append(Dropout(dropout, **settings))
            features = width
        super().__init__(*layers)


class Permute(Module):
    """Puts the axes into another order.

    Args:
        dims: the order.
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """Return the tensor with its axes in the order."""
        return x.permute(*self.dims)
