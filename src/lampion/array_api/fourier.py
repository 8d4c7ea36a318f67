"""The standard's `fft`: discrete Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes, fft
from ..dtypes import dtype as DType
from ..errors import ArgumentTypeError
from .array import Array, tensor_of
from .promotion import check_kind

_KIND = {"r": "real floating", "ih": "real floating"}


def _along_one(name: str, sentence: str) -> Callable[..., Array]:
    function, kind = getattr(fft, name), _kind(name)

    def transform(x: Array, /, *, n: int | None = None, axis: int = -1,
                  norm: str = "backward") -> Array:
        tensor = tensor_of(x, name)
        check_kind(name, tensor.dtype, kind)
        return Array(function(tensor, n, axis, norm))

    return _named(transform, name, sentence)


def _along_many(name: str, sentence: str) -> Callable[..., Array]:
    function, kind = getattr(fft, name), _kind(name)

    def transform(x: Array, /, *, s: Sequence[int] | None = None,
                  axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
        tensor = tensor_of(x, name)
        check_kind(name, tensor.dtype, kind)
        if not tensor.ndim:
            return Array(tensor.to(tensor.dtype.to_complex()))
        return Array(function(tensor, None if s is None else tuple(s),
                              None if axes is None else tuple(axes), norm))

    return _named(transform, name, sentence)


def _kind(name: str) -> str:
    return next((kind for start, kind in _KIND.items() if name.startswith(start)), "floating")


def _named(function: Any, name: str, sentence: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = sentence
    return function


transforms = {
    name: (_along_many if name.endswith("n") else _along_one)(name, sentence)
    for name, sentence in {
        "fft": "The discrete Fourier transform along an axis.",
        "ifft": "The inverse of `fft`.",
        "fftn": "The discrete Fourier transform along several axes.",
        "ifftn": "The inverse of `fftn`.",
        "rfft": "The first half of the transform of a real signal.",
        "irfft": "The real signal of which `rfft` gave the transform.",
        "rfftn": "`fftn` of a real signal; of the last transformed axis the first half.",
        "irfftn": "The real signal of which `rfftn` gave the transform.",
        "hfft": "The real spectrum of a signal whose second half is the conjugate of its first.",
        "ihfft": "The inverse of `hfft`.",
    }.items()
}


def _frequencies(name: str, n: int, d: float, dtype: DType | None, device: Any) -> Array:
    dtypes.check_device(device)
    if dtype is not None and not dtype.is_floating_point:
        raise ArgumentTypeError(f"{name}: dtype is {dtype.name}", fix="dtype=xp.float64")
    return Array(getattr(fft, name)(n, d, dtype=dtype))


def fftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    """The frequencies that `fft` of n points, d apart, gives."""
    return _frequencies("fftfreq", n, d, dtype, device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    """The frequencies that `rfft` of n points, d apart, gives."""
    return _frequencies("rfftfreq", n, d, dtype, device)


def fftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """Frequencies in rising order: the zero goes to the middle of each axis."""
    tensor = tensor_of(x, "fftshift")
    check_kind("fftshift", tensor.dtype, "floating")
    return Array(fft.fftshift(tensor, axes))


def ifftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
    """Undoes `fftshift`."""
    tensor = tensor_of(x, "ifftshift")
    check_kind("ifftshift", tensor.dtype, "floating")
    return Array(fft.ifftshift(tensor, axes))
