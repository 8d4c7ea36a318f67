"""Discrete Fourier transforms, along one axis or several.

    X[k] = sum over n of x[n] exp(-2 pi i k n / N)

Each takes a length for every transformed axis (cut, or filled up with zeros), the axes, and `norm`:
what the sums are divided by.

    norm        forward transforms   inverse transforms
    "backward"  1                    N                    (also None)
    "ortho"     sqrt(N)              sqrt(N)
    "forward"   N                    1

Source: Cooley and Tukey 1965, as NumPy computes it (pocketfft).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import base, dtypes, ir, ops
from ..base import TensorBase, call
from ..errors import DTypeError, IndexRangeError, StateError
from ..replay.recorded import record_module
from . import elementwise as e
from . import shape as s
from .complex_numbers import conj, real
from .operands import normalize_dim, write_out

c = ops.complex_numbers
NORMS = (None, "backward", "ortho", "forward")


def _complex(name: str, input: TensorBase) -> TensorBase:
    """The input as a complex tensor."""
    dtype = base.require_tensor(input, name)._dtype
    if dtype in (dtypes.float16, dtypes.bfloat16):
        raise DTypeError(f"{name}: Unsupported dtype {dtype.name}", fix="x.float() first")
    if dtype.is_complex:
        return input
    known = dtype if dtype.is_floating_point else dtypes.get_default_dtype()
    return input.to(known.to_complex())


def _real(name: str, input: TensorBase) -> TensorBase:
    if base.require_tensor(input, name)._dtype.is_complex:
        raise DTypeError(f"{name}: expects a real input tensor, but got {input._dtype.name}",
                         why="the transform of a real signal is half as long",
                         fix=f"torch.fft.{name.replace('rfft', 'fft').replace('ihfft', 'ifft')}(x)")
    return input


def _resized(name: str, x: Any, axis: int, length: int) -> Any:
    """Cut an axis, or fill it up with zeros."""
    if length < 1:
        raise StateError(f"{name}: Invalid number of data points ({length}) specified",
                         why="a transform has at least one point", fix="n of 1 or more")
    have = x._shape[axis]
    if have >= length:
        return x if have == length else s.narrow(x, axis, 0, length)
    low = [0] * len(x._shape)
    high = [length - have if k == axis else 0 for k in range(len(x._shape))]
    return call(ops.movement.pad, (x,), {"low": tuple(low), "high": tuple(high)})


def _scale(name: str, norm: str | None, count: int, inverse: bool) -> float:
    if norm not in NORMS:
        raise StateError(f'Invalid normalization mode: "{norm}" ({name})',
                         fix='norm="backward", "ortho" or "forward"')
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if inverse == (norm != "forward") else 1.0


def _along(name: str, x: Any, axes: Sequence[int], inverse: bool, norm: str | None) -> Any:
    """The transform along each of the axes, scaled."""
    count = math.prod(x._shape[k] for k in axes)
    for axis in axes:
        x = call(c.fourier, (x,), {"axis": axis, "inverse": inverse}, label=name)
    scale = _scale(name, norm, count, inverse) if count else 1.0
    return x if scale == 1.0 else e.times("mul", x, scale, x._dtype)


def _axes(name: str, x: TensorBase, lengths: Any, dim: Any) -> tuple[list[int], list[int]]:
    """Return the axes of a transform and the lengths there."""
    rank = len(x._shape)
    lengths = None if lengths is None else [int(n) for n in (
        lengths if isinstance(lengths, (tuple, list)) else (lengths,))]
    if dim is None:
        if lengths is not None and len(lengths) > rank:
            raise StateError(f"{name}: Got shape with {len(lengths)} values but input tensor only "
                             f"has {rank} dimensions.")
        axes = list(range(rank)) if lengths is None else list(range(rank - len(lengths), rank))
    else:
        given = dim if isinstance(dim, (tuple, list)) else (dim,)
        axes = [normalize_dim(d, rank, name) for d in given]
    if not rank:
        raise IndexRangeError(f"{name}: Dimension specified but tensor has no dimensions",
                              fix="x.reshape(1)")
    if len(set(axes)) != len(axes):
        raise StateError(f"{name}: FFT dims must be unique", fix="each axis once")
    if lengths is None:
        lengths = [x._shape[k] for k in axes]
    if len(lengths) != len(axes):
        raise StateError(f"{name}: When given, dim and shape arguments must have the same length")
    return axes, [x._shape[k] if n == -1 else n for k, n in zip(axes, lengths, strict=True)]


def _many(name: str, input: TensorBase, lengths: Any, dim: Any, norm: str | None,
          inverse: bool) -> Any:
    x = _complex(name, input)
    axes, sizes = _axes(name, x, lengths, dim)
    for axis, n in zip(axes, sizes, strict=True):
        x = _resized(name, x, axis, n)
    return _along(name, x, axes, inverse, norm)


def _finish(result: Any, out: TensorBase | None) -> Any:
    return result if out is None else write_out(out, result)


def fft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
        out: TensorBase | None = None) -> Any:
    """The discrete Fourier transform: X[k] = sum of x[n] exp(-2 pi i k n / N).

    Shape: (*, N, *) -> (*, n, *), complex.

    Args:
        n: length of the axis; the input is cut, or filled up with zeros.
        dim: the axis.
        norm: "backward" (undivided), "ortho" (by sqrt(n)) or "forward" (by n).

    Raises:
        StateError: n below 1, or an unknown norm.

    Example:
        >>> import lampion as torch
        >>> torch.fft.fft(torch.tensor([1., 0., 0., 0.]))
        tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])

    Source: Cooley and Tukey 1965.
    """
    return _finish(_many("fft", input, n, dim, norm, False), out)


def ifft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
         out: TensorBase | None = None) -> Any:
    """The inverse of `fft`: x[n] = 1/N sum of X[k] exp(2 pi i k n / N).

    Shape: (*, N, *) -> (*, n, *), complex.

    Args:
        n, dim, norm: as for `fft`; "backward" divides by n.

    Example:
        >>> import lampion as torch
        >>> torch.fft.ifft(torch.tensor([1., 1., 1., 1.])).real
        tensor([1., 0., 0., 0.])
    """
    return _finish(_many("ifft", input, n, dim, norm, True), out)


def fftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
         out: TensorBase | None = None) -> Any:
    """`fft` along several axes (all, unless told otherwise).

    Shape: (*) -> (*), the transformed axes of lengths s, complex.
    """
    return _finish(_many("fftn", input, s, dim, norm, False), out)


def ifftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """The inverse of `fftn`."""
    return _finish(_many("ifftn", input, s, dim, norm, True), out)


def fft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
         out: TensorBase | None = None) -> Any:
    """`fft` along the last two axes.

    Shape: (*, H, W) -> (*, s[0], s[1]), complex.
    """
    return _finish(_many("fft2", input, s, dim, norm, False), out)


def ifft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """The inverse of `fft2`."""
    return _finish(_many("ifft2", input, s, dim, norm, True), out)


# --- real signals: half the transform says all, since X[N - k] = conj(X[k]) -----------------


def _half(name: str, input: TensorBase, lengths: Any, dim: Any, norm: str | None) -> Any:
    x = _many(name, _real(name, input), lengths, dim, norm, False)
    last = _last(x, dim)
    return base.own(s.narrow(x, last, 0, x._shape[last] // 2 + 1))


def _whole(name: str, input: TensorBase, lengths: Any, dim: Any, norm: str | None) -> Any:
    """A real signal from half of its transform."""
    x = _complex(name, input)
    axes, sizes = _axes(name, x, lengths, dim)
    last = axes[-1]
    if lengths is None or (isinstance(lengths, (tuple, list)) and lengths[-1] == -1):
        sizes[-1] = 2 * (x._shape[last] - 1)
    if sizes[-1] < 1:
        raise StateError(f"{name}: Invalid number of data points ({sizes[-1]}) specified",
                         why="half a transform of one point is that of no signal",
                         fix=f"torch.fft.{name}(x, n=1)")
    for axis, n in zip(axes, sizes, strict=True):
        x = _resized(name, x, axis, n // 2 + 1 if axis == last else n)
    count, inverse = math.prod(sizes), name.startswith("i")
    x = _along(name, x, axes[:-1], inverse, "forward" if inverse else "backward")  # undivided
    mirrored = conj(s.flip(s.narrow(x, last, 1, (sizes[-1] + 1) // 2 - 1), [last]))
    full = s.cat([x, mirrored], last)
    made = call(c.fourier, (full,), {"axis": last, "inverse": inverse}, label=name)
    scale = _scale(name, norm, count, inverse)
    made = real(made)
    return made if scale == 1.0 else e.times("mul", made, scale, made._dtype)


def _last(x: TensorBase, dim: Any) -> int:
    """The axis that is transformed last, of which half is kept."""
    if dim is None:
        return len(x._shape) - 1
    return normalize_dim(dim[-1] if isinstance(dim, (tuple, list)) else dim, len(x._shape), "fft")


def rfft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
         out: TensorBase | None = None) -> Any:
    """The first half of the transform of a real signal; the other half is its conjugate.

    Shape: (*, N, *) -> (*, n // 2 + 1, *), complex.

    Args:
        n, dim, norm: as for `fft`.

    Raises:
        DTypeError: a complex input.

    Example:
        >>> import lampion as torch
        >>> torch.fft.rfft(torch.tensor([1., 2., 3., 4.]))
        tensor([10.+0.j, -2.+2.j, -2.+0.j])
    """
    return _finish(_half("rfft", input, n, dim, norm), out)


def irfft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """The real signal of which `rfft` gave the transform.

    Shape: (*, N, *) -> (*, n, *), real.

    Args:
        n: length of the signal; 2 (N - 1) if not given, so an odd length must be given.
        dim, norm: as for `fft`.

    Example:
        >>> import lampion as torch
        >>> torch.fft.irfft(torch.fft.rfft(torch.tensor([1., 2., 3.])), n=3)
        tensor([1., 2., 3.])
    """
    return _finish(_whole("irfft", input, n, dim, norm), out)


def rfftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """`fftn` of a real signal; of the last transformed axis the first half.

    Shape: (*) -> (*), complex.
    """
    return _finish(_half("rfftn", input, s, dim, norm), out)


def irfftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
           out: TensorBase | None = None) -> Any:
    """The real signal of which `rfftn` gave the transform."""
    return _finish(_whole("irfftn", input, s, dim, norm), out)


def rfft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """`rfft` along the last axis and `fft` along the one before.

    Shape: (*, H, W) -> (*, H, W // 2 + 1), complex.
    """
    return _finish(_half("rfft2", input, s, dim, norm), out)


def irfft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
           out: TensorBase | None = None) -> Any:
    """The inverse of `rfft2`."""
    return _finish(_whole("irfft2", input, s, dim, norm), out)


# --- the same with time and frequency exchanged: real spectra -------------------------------


def hfft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
         out: TensorBase | None = None) -> Any:
    """The real spectrum of a signal whose second half is the conjugate of its first.

    Shape: (*, N, *) -> (*, n, *), real; n is 2 (N - 1) if not given.
    """
    return _finish(_whole("hfft", input, n, dim, norm), out)


def ihfft(input: TensorBase, n: int | None = None, dim: int = -1, norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """The first half of the signal that has a real spectrum: the inverse of `hfft`.

    Shape: (*, N, *) -> (*, n // 2 + 1, *), complex.
    """
    return _finish(_inverse_half("ihfft", input, n, dim, norm), out)


def hfftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """`hfft` along the last of several axes, `fft` along the others."""
    return _finish(_whole("hfftn", input, s, dim, norm), out)


def ihfftn(input: TensorBase, s: Any = None, dim: Any = None, norm: str | None = None, *,
           out: TensorBase | None = None) -> Any:
    """The inverse of `hfftn`."""
    return _finish(_inverse_half("ihfftn", input, s, dim, norm), out)


def hfft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
          out: TensorBase | None = None) -> Any:
    """`hfftn` along the last two axes."""
    return _finish(_whole("hfft2", input, s, dim, norm), out)


def ihfft2(input: TensorBase, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
           out: TensorBase | None = None) -> Any:
    """The inverse of `hfft2`."""
    return _finish(_inverse_half("ihfft2", input, s, dim, norm), out)


def _inverse_half(name: str, input: TensorBase, lengths: Any, dim: Any, norm: str | None) -> Any:
    x = _many(name, _real(name, input), lengths, dim, norm, True)
    last = _last(x, dim)
    return base.own(s.narrow(x, last, 0, x._shape[last] // 2 + 1))


# --- frequencies -----------------------------------------------------------------------------


def _frequencies(numbers: np.ndarray, n: int, d: float, dtype: Any, requires_grad: bool) -> Any:
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    made = base.wrap(ir.leaf((numbers / (n * d)).astype(kind.array), kind))
    return made.requires_grad_(True) if requires_grad else made


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, layout: Any = None,
            requires_grad: bool = False, out: TensorBase | None = None) -> Any:
    """The frequencies that `fft` of n points gives: 0, 1, ..., -2, -1, over (n d).

    Args:
        n: number of points.
        d: time between two points.

    Example:
        >>> import lampion as torch
        >>> torch.fft.fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    dtypes.check_device(device)
    numbers = np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)]).astype(float)
    return _finish(_frequencies(numbers, n, d, dtype, requires_grad), out)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, layout: Any = None,
             requires_grad: bool = False, out: TensorBase | None = None) -> Any:
    """The frequencies that `rfft` of n points gives: 0, 1, ..., n // 2, over (n d).

    Example:
        >>> import lampion as torch
        >>> torch.fft.rfftfreq(4)
        tensor([0.0000, 0.2500, 0.5000])
    """
    dtypes.check_device(device)
    return _finish(_frequencies(np.arange(n // 2 + 1).astype(float), n, d, dtype,
                                requires_grad), out)


record_module(globals(), but=("fftfreq", "rfftfreq"))
