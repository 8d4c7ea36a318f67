"""Layers that only move elements, or compute new ones between them."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn.module import Module
from lampion.tensor import Tensor


class Flatten(Module):
    """Make one axis of the axes from `start_dim` to `end_dim`.

    Shape:
        (N, *) -> (N, product of *)

    Example:
        >>> import lampion as torch
        >>> torch.nn.Flatten()(torch.zeros(32, 1, 5, 5)).shape
        torch.Size([32, 25])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Make several axes of one.

    Args:
        dim: the axis.
        unflattened_size: sizes of the new axes; one may be -1.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Unflatten(1, (2, 5, 5))(torch.zeros(2, 50)).shape
        torch.Size([2, 2, 5, 5])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise errors.UnsupportedError(f"axes have numbers, not names: dim={dim!r}")
        sizes_fit = isinstance(unflattened_size, (tuple, list)) and all(
            isinstance(size, int) for size in unflattened_size)
        if not sizes_fit:
            raise errors.ArgumentTypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}",
                fix="nn.Unflatten(1, (2, -1)): the axis, and the sizes that it becomes")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Unfold(Module):
    """Lay out every window of an image as a column.

    Shape:
        (N, C, *) -> (N, C * kernel elements, number of windows)

    Args:
        kernel_size: size of the window, one number or one per axis.
        dilation: distance between the window's elements.
        padding: zeros put at both ends.
        stride: step of the window.
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, dilation={self.dilation}, "
                f"padding={self.padding}, stride={self.stride}")


class Fold(Module):
    """Add columns of windows up to an image: the opposite of `Unfold`.

    Shape:
        (N, C * kernel elements, number of windows) -> (N, C, *output_size)

    Args:
        output_size: size of the image.
        kernel_size, dilation, padding, stride: as for `Unfold`.
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
                f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}")


class PixelShuffle(Module):
    """Make a larger image of more channels.

    Shape:
        (*, C r^2, H, W) -> (*, C, H r, W r) with r = upscale_factor

    Example:
        >>> import lampion as torch
        >>> torch.nn.PixelShuffle(2)(torch.ones(1, 8, 3, 3)).shape
        torch.Size([1, 2, 6, 6])

    Source: Shi et al., "Real-time single image and video super-resolution" (2016), equation 4.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Make more channels of a larger image: the opposite of `PixelShuffle`.

    Shape:
        (*, C, H r, W r) -> (*, C r^2, H, W) with r = downscale_factor
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Deal the channels of `groups` groups out in turn.

    Shape:
        (N, C, *) -> the same
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Upsample(Module):
    """Compute an image (or signal, or volume) of another size.

    Shape:
        (N, C, *) -> (N, C, *size)

    Args:
        size: of the output, one number or one per axis.
        scale_factor: of the sizes, instead of `size`.
        mode: "nearest", "linear", "bilinear", "bicubic", "trilinear" or "area".
        align_corners: the corner pixels' centres keep their place.
        recompute_scale_factor: use the rounded size to compute the factor.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Upsample(scale_factor=2)(torch.tensor([[[1., 2.]]]))
        tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor)

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Enlarge an image by repeating pixels."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Enlarge an image by interpolating between pixels; the corners keep their place."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
