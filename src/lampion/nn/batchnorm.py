"""Normalisation per channel: over the batch (BatchNorm) or per sample (InstanceNorm).

    y = (x - mean) / sqrt(variance + eps) * weight + bias

Running statistics are kept as running = (1 - momentum) * running + momentum * new, with the
unbiased variance.
"""

from __future__ import annotations

import warnings
from typing import Any

from lampion import dtypes, errors
from lampion.functions import creation
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter
from lampion.nn.module import Module
from lampion.tensor import Tensor


class _NormBase(Module):
    """What both share: scale, shift and running statistics per channel.

    Args:
        num_features: number of channels.
        eps: added to the variance.
        momentum: share of the new statistics; None for the plain mean over all batches.
        affine: learn a scale and a shift.
        track_running_stats: keep statistics for evaluation mode.
        device, dtype: of the parameters.
        bias: False learns a scale only.
    """

    _version = 2
    family: str
    allowed_axes: tuple[int, ...]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(
                name, empty_parameter(num_features, device, dtype) if wanted else None)
        self._register_statistics(device, dtype)
        self.reset_parameters()

    def _register_statistics(self, device: Any, dtype: Any) -> None:
        tracked = self.track_running_stats
        size = self.num_features
        self.register_buffer(
            "running_mean", creation.zeros(size, device=device, dtype=dtype) if tracked else None)
        self.register_buffer(
            "running_var", creation.ones(size, device=device, dtype=dtype) if tracked else None)
        self.register_buffer(
            "num_batches_tracked",
            creation.tensor(0, dtype=dtypes.int64, device=device) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the statistics of all batches so far."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the statistics, and set the scale to 1 and the shift to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self.allowed_axes:
            wanted = " or ".join(f"{axes}D" for axes in self.allowed_axes)
            raise errors.ArgumentError(
                f"expected {wanted} input (got {input.dim()}D input)",
                why=f"{self._get_name()} normalises channels over a fixed number of axes",
                fix=f"nn.{self.family}{min(max(input.dim() - 2, 1), 3)}d({self.num_features}), "
                f"or {wanted} input")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *rest: Any
    ) -> None:
        # Files of version 1 do not hold the number of batches; files without a version may.
        if local_metadata.get("version", 1) < 2 and self.track_running_stats:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    family = "BatchNorm"

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        # While training, statistics that are not tracked must not be updated.
        uses_running = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if uses_running else None,
            self.running_var if uses_running else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            factor,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalise every channel over the batch, and over one axis if there is one.

    Shape:
        (N, C) or (N, C, L) -> the same

    Args:
        num_features: number of channels C.
        eps: added to the variance.
        momentum: share of the new batch in the running statistics; None for their plain mean.
        affine: learn a scale and a shift.
        track_running_stats: keep statistics for evaluation mode.
        device, dtype: of the parameters.
        bias: False learns a scale only.

    Source: Ioffe, Szegedy, "Batch normalization" (2015), algorithms 1 and 2.

    Example:
        >>> import lampion as torch
        >>> torch.nn.BatchNorm1d(3)(torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])).sum().item()
        0.0
    """

    allowed_axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise every channel over the batch and two axes; arguments as `BatchNorm1d`.

    Shape:
        (N, C, H, W) -> the same

    Example:
        >>> import lampion as torch
        >>> torch.nn.BatchNorm2d(3)(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    allowed_axes = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise every channel over the batch and three axes; arguments as `BatchNorm1d`.

    Shape:
        (N, C, D, H, W) -> the same
    """

    allowed_axes = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over all processes; with one process, what `BatchNorm2d` does.

    Args:
        process_group: None; there is one process.

    Shape:
        (N, C, *) -> the same
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, process_group: Any = None,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise errors.ArgumentError(f"expected at least 2D input (got {input.dim()}D input)")


class _InstanceNorm(_NormBase):
    family = "InstanceNorm"

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = False, track_running_stats: bool = False, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        without_batch = min(self.allowed_axes)
        channel_axis = input.dim() - without_batch
        if input.size(channel_axis) != self.num_features:
            self._complain(channel_axis, input.size(channel_axis))
        if input.dim() == without_batch:
            return self._normalize(input.unsqueeze(0)).squeeze(0)
        return self._normalize(input)

    def _complain(self, axis: int, size: int) -> None:
        if self.affine:
            raise errors.ArgumentError(
                f"expected input's size at dim={axis} to match num_features"
                f" ({self.num_features}), but got: {size}.",
                why="the layer has one scale and shift per channel",
                fix=f"{self._get_name()}({size}, affine=True)")
        warnings.warn(
            f"input's size at dim={axis} does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            stacklevel=4)

    def _normalize(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Normalise every channel of every sample over one axis.

    Shape:
        (N, C, L) or (C, L) -> the same

    Args:
        num_features: number of channels C.
        eps: added to the variance.
        momentum: share of the new batch in the running statistics.
        affine: learn a scale and a shift.
        track_running_stats: keep statistics, and use them in evaluation mode.
        device, dtype: of the parameters.
        bias: False learns a scale only.

    Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization" (2016).
    """

    allowed_axes = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalise every channel of every sample over two axes; arguments as `InstanceNorm1d`.

    Shape:
        (N, C, H, W) or (C, H, W) -> the same

    Example:
        >>> import lampion as torch
        >>> torch.nn.InstanceNorm2d(3)(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    allowed_axes = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalise every channel of every sample over three axes; arguments as `InstanceNorm1d`.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> the same
    """

    allowed_axes = (4, 5)
