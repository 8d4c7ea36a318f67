"""Windows: weights that let a piece of a signal begin and end softly.

Computed in float64 and rounded once. A symmetric window of M numbers reads the same from both
ends; a periodic one is the first M of a symmetric window of M + 1.

Source: Harris, On the Use of Windows for Harmonic Analysis with the Discrete Fourier Transform,
1978.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import dtypes, ir
from ..errors import ArgumentError, ArgumentTypeError, StateError
from . import creation


def _checked_type(name: str, M: int, dtype: Any, layout: Any) -> dtypes.dtype:
    if M < 0:
        raise ArgumentError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, "torch.strided"):
        raise ArgumentError(f"{name} is implemented for strided tensors only, got: {layout}")
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    if kind not in (dtypes.float32, dtypes.float64):
        raise ArgumentError(f"{name} expects float32 or float64 dtypes, got: {kind}",
                            fix="window.to(dtype)")
    return kind


def _made(name: str, M: int, rule: Callable[[np.ndarray], np.ndarray], dtype: Any, layout: Any,
          device: Any, requires_grad: bool) -> Any:
    """The window `rule(0 ... M - 1)`."""
    kind = _checked_type(name, M, dtype, layout)
    with np.errstate(all="ignore"):
        weights = rule(np.arange(M, dtype=np.float64)) if M else np.zeros(0)
    return creation.finish(ir.leaf(weights.astype(kind.array), kind), requires_grad, device)


def _length(M: int, sym: bool) -> int:
    """How many steps a window goes from its first to its last number."""
    return M - 1 if sym else M


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True,
                dtype: Any = None, layout: Any = None, device: Any = None,
                requires_grad: bool = False) -> Any:
    """The exponential window: exp(-|n - center| / tau).

    Shape: -> (M).

    Args:
        M: how many numbers, 0 or more.
        center: where the peak is; None: in the middle.
        tau: how fast the window falls, above 0.
        sym: symmetric, or periodic.
        dtype: float32 or float64.

    Raises:
        ArgumentError: an argument outside its range, or a center of a symmetric window.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.exponential(3)
        tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ArgumentError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ArgumentError("Center must be None for symmetric windows", fix="sym=False")
    middle = (M if not sym and M > 1 else M - 1) / 2 if center is None else center
    return _made("exponential", M, lambda n: np.exp(-np.abs(n - middle) / tau), dtype, layout,
                 device, requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False) -> Any:
    """The cosine window, half a wave: sin(pi (n + 1/2) / M).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.cosine(3)
        tensor([0.5000, 1.0000, 0.5000])
    """
    size = M + 1 if not sym and M > 1 else M
    return _made("cosine", M, lambda n: np.sin(math.pi / size * (n + 0.5)), dtype, layout, device,
                 requires_grad)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False) -> Any:
    """The Gaussian window: exp(-(n - middle)^2 / (2 std^2)).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.
        std: the standard deviation in samples, above 0.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.gaussian(3)
        tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ArgumentError(f"Standard deviation must be positive, got: {std} instead.")
    middle = (M if not sym and M > 1 else M - 1) / 2
    return _made("gaussian", M, lambda n: np.exp(-((n - middle) / std) ** 2 / 2), dtype, layout,
                 device, requires_grad)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = None,
           device: Any = None, requires_grad: bool = False) -> Any:
    """The Kaiser window: i0(beta sqrt(1 - x^2)) / i0(beta), with x from -1 to 1.

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.
        beta: 0 or more; the larger, the smaller the side lobes and the wider the main one.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.kaiser(3, beta=2.)
        tensor([0.4387, 1.0000, 0.4387])

    Source: Kaiser and Schafer, On the Use of the I0-Sinh Window for Spectrum Analysis, 1980.
    """
    if beta < 0:
        raise ArgumentError(f"beta must be non-negative, got: {beta} instead.")

    def rule(n: np.ndarray) -> np.ndarray:
        if M == 1:
            return np.ones(1)
        x = 2 * n / _length(M, sym) - 1
        return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)

    return _made("kaiser", M, rule, dtype, layout, device, requires_grad)


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False) -> Any:
    """The Bartlett window, a triangle: 1 - |2 n / (M - 1) - 1|.

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.bartlett(5)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    def rule(n: np.ndarray) -> np.ndarray:
        return np.ones(1) if M == 1 else 1 - np.abs(2 * n / _length(M, sym) - 1)

    return _made("bartlett", M, rule, dtype, layout, device, requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, dtype: Any = None,
                   layout: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """A sum of cosines: sum over i of (-1)^i a_i cos(2 pi i n / (M - 1)).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.
        a: the weights of the cosines.

    Raises:
        ArgumentTypeError, ArgumentError: a is no sequence, or an empty one.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.general_cosine(3, a=[0.5, 0.5])
        tensor([0., 1., 0.])
    """
    return _cosines("general_cosine", M, a, sym, dtype, layout, device, requires_grad)


def _cosines(name: str, M: int, a: Any, sym: bool, dtype: Any, layout: Any, device: Any,
             requires_grad: bool) -> Any:
    if not isinstance(a, Iterable):
        raise ArgumentTypeError("Coefficients must be a list/tuple")
    weights = [float(w) for w in a]
    if not weights:
        raise ArgumentError("Coefficients cannot be empty")

    def rule(n: np.ndarray) -> np.ndarray:
        if M == 1:
            return np.ones(1)
        angle = 2 * math.pi * n / _length(M, sym)
        terms = [(-1) ** i * w * np.cos(i * angle) for i, w in enumerate(weights)]
        return np.sum(terms, axis=0)

    return _made(name, M, rule, dtype, layout, device, requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None,
                    layout: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """The general Hamming window: alpha - (1 - alpha) cos(2 pi n / (M - 1)).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.
        alpha: the constant part.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.general_hamming(3, alpha=0.75)
        tensor([0.5000, 1.0000, 0.5000])
    """
    return _cosines("general_hamming", M, (alpha, 1 - alpha), sym, dtype, layout, device,
                    requires_grad)


def hamming(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Any:
    """The Hamming window: 0.54 - 0.46 cos(2 pi n / (M - 1)).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.hamming(3)
        tensor([0.0800, 1.0000, 0.0800])
    """
    return _cosines("hamming", M, (0.54, 0.46), sym, dtype, layout, device, requires_grad)


def hann(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False) -> Any:
    """The Hann window: (1 - cos(2 pi n / (M - 1))) / 2.

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.hann(5)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return _cosines("hann", M, (0.5, 0.5), sym, dtype, layout, device, requires_grad)


def blackman(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False) -> Any:
    """The Blackman window: 0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)).

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.blackman(3).round(decimals=4)
        tensor([-0.,  1., -0.])
    """
    return _cosines("blackman", M, (0.42, 0.5, 0.08), sym, dtype, layout, device, requires_grad)


def nuttall(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
            requires_grad: bool = False) -> Any:
    """Nuttall's minimum four-term window, a sum of cosines with low side lobes.

    Shape: -> (M).

    Args:
        M, sym, dtype: as those of `exponential`.

    Example:
        >>> import lampion as torch
        >>> torch.signal.windows.nuttall(3)
        tensor([3.6280e-04, 1.0000e+00, 3.6280e-04])

    Source: Nuttall, Some Windows with Very Good Sidelobe Behavior, 1981.
    """
    return _cosines("nuttall", M, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym, dtype, layout,
                    device, requires_grad)


# --- the old names, periodic by default -----------------------------------------------------------


def _old(name: str, window_length: int, dtype: Any) -> None:
    if window_length < 0:
        raise StateError(f"{name} requires non-negative window_length, got window_length="
                         f"{window_length}")
    kind = dtypes.chosen(dtype)
    if kind is not None and not kind.is_floating_point:
        raise StateError(f"{name} expects floating point dtypes, got: {kind}")


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                layout: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """The Hann window; see `signal.windows.hann`.

    Args:
        window_length: how many numbers.
        periodic: the first numbers of a window that is one longer, as spectra want it.

    Example:
        >>> import lampion as torch
        >>> torch.hann_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    _old("hann_window", window_length, dtype)
    return hann(window_length, sym=not periodic, dtype=dtype, layout=layout, device=device,
                requires_grad=requires_grad)


def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54,
                   beta: float = 0.46, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, requires_grad: bool = False) -> Any:
    """The Hamming window: alpha - beta cos(2 pi n / (M - 1)).

    Args:
        window_length, periodic: as those of `hann_window`.
        alpha, beta: the constant part and the cosine's.

    Example:
        >>> import lampion as torch
        >>> torch.hamming_window(4)
        tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    _old("hamming_window", window_length, dtype)
    return _cosines("hamming_window", window_length, (alpha, beta), not periodic, dtype, layout,
                    device, requires_grad)


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """The Bartlett window; see `signal.windows.bartlett`.

    Args:
        window_length, periodic: as those of `hann_window`.
    """
    _old("bartlett_window", window_length, dtype)
    return bartlett(window_length, sym=not periodic, dtype=dtype, layout=layout, device=device,
                    requires_grad=requires_grad)


def blackman_window(window_length: int, periodic: bool = True, *, dtype: Any = None,
                    layout: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """The Blackman window; see `signal.windows.blackman`.

    Args:
        window_length, periodic: as those of `hann_window`.
    """
    _old("blackman_window", window_length, dtype)
    return blackman(window_length, sym=not periodic, dtype=dtype, layout=layout, device=device,
                    requires_grad=requires_grad)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *,
                  dtype: Any = None, layout: Any = None, device: Any = None,
                  requires_grad: bool = False) -> Any:
    """The Kaiser window; see `signal.windows.kaiser`.

    Args:
        window_length, periodic: as those of `hann_window`.
        beta: as that of `signal.windows.kaiser`.
    """
    _old("kaiser_window", window_length, dtype)
    return kaiser(window_length, beta=beta, sym=not periodic, dtype=dtype, layout=layout,
                  device=device, requires_grad=requires_grad)
