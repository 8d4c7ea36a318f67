"""Transforms that convert: to tensors, to PIL images, to another type, to mean 0."""

from __future__ import annotations

from typing import Any

from lampion import dtypes
from lampion.errors import ArgumentError
from lampion.nn import Module
from lampion.tensor import Tensor
from lampion.vision.transforms import functional as F


class ToTensor:
    """Turns a PIL image or an array (uint8: 0 to 255) into a float32 tensor from 0 to 1.

    Shape:
        (height, width) or (height, width, channels) -> (channels, height, width)

    Example:
        >>> import numpy
        >>> ToTensor()(numpy.zeros((4, 6, 3), dtype=numpy.uint8)).shape
        torch.Size([3, 4, 6])
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """Turns a PIL image into a tensor of the numbers that it holds, without scaling."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToPILImage:
    """Turns a tensor (floats: 0 to 1) or an array into a PIL image.

    Args:
        mode: Pillow's mode; found by type and channels when not given.
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Module):
    """Changes a tensor's element type together with its range.

    Args:
        dtype: the new type.
    """

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        """Return the picture in the new type."""
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Module):
    """Returns (picture - mean) / std, channel by channel.

    Args:
        mean, std: one number for each channel, or one for all; std is not 0.
        inplace: write into the tensor.

    Example:
        >>> import lampion as torch
        >>> Normalize([0.5], [0.5])(torch.tensor([[[0.0, 1.0]]])).tolist()
        [[[-1.0, 1.0]]]
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the normalised picture."""
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


class LinearTransformation(Module):
    """Returns (flattened picture - mean) times a matrix, in the picture's shape: whitening.

    Args:
        transformation_matrix: (D, D) with D = channels * height * width.
        mean_vector: (D,).
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        rows, columns = transformation_matrix.shape
        if rows != columns:
            raise ArgumentError(f"LinearTransformation: the matrix is {rows}x{columns}",
                                why="transformation_matrix should be square")
        if mean_vector.shape[0] != rows:
            raise ArgumentError(
                f"LinearTransformation: mean_vector has {mean_vector.shape[0]} numbers, the "
                f"matrix {rows} rows", why="mean_vector should have the same length as any one "
                "of the dimensions of the transformation_matrix")
        self.transformation_matrix, self.mean_vector = transformation_matrix, mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the transformed picture."""
        size = tensor.shape[-3] * tensor.shape[-2] * tensor.shape[-1]
        if size != self.mean_vector.shape[0]:
            raise ArgumentError(
                f"LinearTransformation: the picture is {tuple(tensor.shape)}, {size} numbers",
                why=f"the matrix is for {self.mean_vector.shape[0]} numbers")
        flat = tensor.reshape(-1, size) - self.mean_vector
        return (flat @ self.transformation_matrix).reshape(tensor.shape)
