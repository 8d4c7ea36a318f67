"""Fourier transforms against NumPy's and PyTorch's, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

NAMES = [name for name in lampion.fft.__all__ if "freq" not in name and "shift" not in name]
REAL_INPUT = ("rfft", "ihfft")


def signal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    array = random.normal(size=shape)
    return array if name.startswith(REAL_INPUT) else array + 1j * random.normal(size=shape)


def arguments(name: str, n: int | None) -> dict:
    if n is None:
        return {}
    if name[-1] in "2n":
        return {"s": (n,) * (2 if name[-1] == "2" else 1), "dim": (-2, -1)[-2 if name[-1] == "2"
                                                                          else -1:]}
    return {"n": n}


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(np.fft, n)])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_values_agree_with_numpy(name, norm):
    for shape in ((3, 6), (2, 5), (2, 3, 4)):
        array = signal(name, shape)
        axes = {"axes": tuple(range(len(shape)))} if name[-1] == "n" else {}
        got = getattr(lampion.fft, name)(lampion.tensor(array), norm=norm)
        expected = getattr(np.fft, name)(array, norm=norm, **axes)
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [None, 3, 9])
def test_values_and_gradients_agree_with_pytorch(name, n):
    torch = pytest.importorskip("torch")
    for norm in (None, "ortho", "forward"):
        array = signal(name, (3, 5))
        found = []
        for library in (torch, lampion):
            x = library.tensor(array, requires_grad=True)
            y = getattr(library.fft, name)(x, norm=norm, **arguments(name, n))
            weight = library.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)))
            total = (y * weight).sum()
            (total.real + 2 * total.imag if total.is_complex() else total).backward()
            found.append((y.detach().resolve_conj().numpy(), x.grad.resolve_conj().numpy()))
        for expected, got in zip(*found, strict=True):
            assert got.dtype == expected.dtype
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_single_precision_stays_single():
    assert lampion.fft.fft(lampion.ones(4)).dtype is lampion.complex64
    assert lampion.fft.irfft(lampion.ones(3)).dtype is lampion.float32
    assert lampion.fft.fft(lampion.ones(4, dtype=lampion.int64)).dtype is lampion.complex64


@pytest.mark.parametrize("call, error", [
    (lambda x: lampion.fft.fft(x, n=0), "Invalid number of data points"),
    (lambda x: lampion.fft.fft(x, norm="none"), "Invalid normalization mode"),
    (lambda x: lampion.fft.rfft(x + 0j), "real input"),
    (lambda x: lampion.fft.fftn(x, s=(2, 2)), "Got shape with 2 values"),
    (lambda x: lampion.fft.fftn(x, dim=(0, 0)), "unique"),
    (lambda x: lampion.fft.fft(x.half()), "float16"),
])
def test_wrong_input_is_refused(call, error):
    with pytest.raises(lampion.errors.LampionError, match=error):
        call(lampion.ones(4))


def test_frequencies_agree_with_numpy():
    for n in (1, 4, 5):
        np.testing.assert_allclose(lampion.fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5))
        np.testing.assert_allclose(lampion.fft.rfftfreq(n, 0.5).numpy(), np.fft.rfftfreq(n, 0.5))
