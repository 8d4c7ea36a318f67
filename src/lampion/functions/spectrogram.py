"""Short-time Fourier transforms: the spectrum of a signal, window by window, and back.

    X[f, m] = sum over k of window[k] x[m hop + k] exp(-2 pi i f k / n_fft)

Source: Allen and Rabiner 1977; the inverse is the least-squares one of Griffin and Lim 1984.
"""

from __future__ import annotations

import math
from typing import Any

from .. import base, ir, ops
from ..base import TensorBase, call
from ..errors import DTypeError, ShapeError, StateError, shape_text
from . import elementwise as e
from . import fourier
from . import shape as s
from .complex_numbers import view_as_real
from .padding import pad


def _window(name: str, x: TensorBase, window: TensorBase | None, n_fft: int, length: int) -> Any:
    """The window in the middle of n_fft points."""
    real = x._dtype.to_real()
    if window is None:
        window = base.wrap(ir.full((length,), 1, real))
    elif tuple(window._shape) != (length,):
        raise ShapeError(f"{name}: the window has shape {shape_text(window._shape)}",
                         why=f"win_length is {length}", fix=f"torch.hann_window({length})")
    if length == n_fft:
        return window
    left = (n_fft - length) // 2
    return pad(window, (left, n_fft - length - left))  # type: ignore[arg-type]


def _settings(name: str, n_fft: int, hop_length: int | None,
              win_length: int | None) -> tuple[int, int]:
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if hop < 1:
        raise StateError(f"{name}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise StateError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={length}",
                         why=f"n_fft is {n_fft}")
    return hop, length


def stft(input: TensorBase, n_fft: int, hop_length: int | None = None,
         win_length: int | None = None, window: TensorBase | None = None, center: bool = True,
         pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
         return_complex: bool | None = None) -> Any:
    """The spectrum of a signal, window by window.

    Shape: (L,) or (B, L) -> (F, T) or (B, F, T), complex; F is n_fft // 2 + 1 if onesided, else
        n_fft; T counts windows.

    Args:
        n_fft: points of each transform.
        hop_length: points from one window to the next; n_fft // 4 if not given.
        win_length: points of the window, in the middle of n_fft; n_fft if not given.
        window: the weights of the points, such as `torch.hann_window(win_length)`; ones if not
            given.
        center: window number t has point t hop_length in its middle; the signal is continued on
            both sides by pad_mode.
        normalized: divide by sqrt(n_fft).
        onesided: only half of the frequencies, which is all for real signals (the default there).
        return_complex: must be True for real signals; False gives the parts along a last axis.

    Raises:
        StateError: return_complex is missing, or a length does not fit.

    Example:
        >>> import lampion as torch
        >>> x = torch.sin(torch.arange(64) * 2 * torch.pi / 8)
        >>> spectrum = torch.stft(x, 16, window=torch.hann_window(16), return_complex=True)
        >>> spectrum.shape, int(spectrum.abs().mean(1).argmax())
        (torch.Size([9, 17]), 2)

    Source: Allen and Rabiner 1977.
    """
    base.require_tensor(input, "stft")
    if not input._dtype.is_inexact:
        raise DTypeError(f"stft: expected a tensor of floating point or complex values, got "
                         f"{input._dtype.name}", fix="x.float()")
    complex_input = input._dtype.is_complex or (window is not None and window._dtype.is_complex)
    if return_complex is None and not complex_input:
        raise StateError("stft requires the return_complex parameter be given for real inputs, and "
                         "will further require that return_complex=True in a future PyTorch "
                         "release.", fix="torch.stft(..., return_complex=True)")
    if len(input._shape) not in (1, 2):
        raise ShapeError(f"stft: expected a 1D or 2D tensor, got {shape_text(input._shape)}")
    one = not complex_input if onesided is None else onesided
    if one and complex_input:
        raise StateError("Cannot have onesided output if window or input is complex",
                         fix="onesided=False")
    hop, length = _settings("stft", n_fft, hop_length, win_length)
    weights = _window("stft", input, window, n_fft, length)
    x: Any = input if len(input._shape) == 2 else s.unsqueeze(input, 0)
    if center:
        half = n_fft // 2
        if pad_mode == "reflect" and half >= x._shape[-1]:
            raise StateError(f"stft: a signal of {x._shape[-1]} points cannot be reflected by "
                             f"{half}", fix='pad_mode="constant", or a smaller n_fft')
        x = s.squeeze(pad(s.unsqueeze(x, 1), (half, half), pad_mode), 1)  # type: ignore[arg-type]
    if not 0 < n_fft <= x._shape[-1]:
        raise StateError(f"stft: expected 0 < n_fft <= {x._shape[-1]}, but got n_fft={n_fft}")
    frames = e.mul(s.unfold(x, -1, n_fft, hop), weights)
    norm = "ortho" if normalized else "backward"
    transform = fourier.rfft if one else fourier.fft
    made = s.transpose(transform(frames, norm=norm), 1, 2)
    made = made if len(input._shape) == 2 else s.squeeze(made, 0)
    return made if return_complex is not False else view_as_real(made)


def istft(input: TensorBase, n_fft: int, hop_length: int | None = None,
          win_length: int | None = None, window: TensorBase | None = None, center: bool = True,
          normalized: bool = False, onesided: bool | None = None, length: int | None = None,
          return_complex: bool = False) -> Any:
    """The signal whose `stft` is nearest to a spectrum (least squares).

    Shape: (F, T) or (B, F, T), complex -> (L,) or (B, L).

    Args:
        n_fft, hop_length, win_length, window, center, normalized, onesided: as given to `stft`.
        length: points of the signal; cut, or filled up with zeros.
        return_complex: for signals that are complex.

    Raises:
        StateError: the windows leave a point without weight.

    Example:
        >>> import lampion as torch
        >>> x, w = torch.arange(32.0), torch.hann_window(8)
        >>> y = torch.istft(torch.stft(x, 8, window=w, return_complex=True), 8, window=w, length=32)
        >>> bool((x - y).abs().max() < 1e-4)
        True

    Source: Griffin and Lim 1984, equation 6.
    """
    base.require_tensor(input, "istft")
    if not input._dtype.is_complex:
        raise DTypeError("istft requires a complex-valued input tensor matching the output from "
                         "stft with return_complex=True.", fix="torch.view_as_complex(x)")
    rank = len(input._shape)
    if rank not in (2, 3) or not math.prod(input._shape):
        raise ShapeError(f"istft: expected a tensor with 2 or 3 axes and elements, got "
                         f"{shape_text(input._shape)}")
    hop, wide = _settings("istft", n_fft, hop_length, win_length)
    bins = input._shape[-2]
    one = bins != n_fft if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if one else n_fft):
        raise StateError(f"istft: expected the frequency dimension (3rd to the last) of the input "
                         f"tensor to match n_fft={n_fft}, but got {bins}")
    weights = _window("istft", input, window, n_fft, wide)
    x: Any = input if rank == 3 else s.unsqueeze(input, 0)
    frames = s.transpose(x, 1, 2)
    norm = "ortho" if normalized else "backward"
    if return_complex:
        parts = fourier.ifft(frames, norm=norm)
    elif one:
        parts = fourier.irfft(frames, n_fft, norm=norm)
    else:
        parts = fourier.ifft(frames, norm=norm).real
    count = x._shape[-1]
    total = n_fft + hop * (count - 1)
    place = {"length": total, "step": hop, "dilation": 1}
    signal = call(ops.movement.windows_add, (e.mul(parts, weights),), {"axis": 1, **place})
    squares = e.mul(weights, weights)
    envelope = call(ops.movement.windows_add, (s.expand(squares, count, n_fft),),
                    {"axis": 0, **place})
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else (total - n_fft // 2 if center else total)
    stop = min(end, total)
    signal, envelope = s.narrow(signal, 1, start, stop - start), s.narrow(
        envelope, 0, start, stop - start)
    if not bool(e.gt(e.abs(envelope), 1e-11).all()):
        raise StateError("window overlap add min: 1", why="some point is in no window, or where "
                         "all windows are 0", fix="a smaller hop_length, or another window")
    signal = e.div(signal, envelope)
    if end > total:
        signal = pad(signal, (0, end - total))
    return signal if rank == 3 else s.squeeze(signal, 0)


