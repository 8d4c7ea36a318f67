"""Short-time Fourier transforms against PyTorch, and back to the signal."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

SETTINGS = [
    {"n_fft": 16}, {"n_fft": 16, "hop_length": 5}, {"n_fft": 16, "win_length": 10},
    {"n_fft": 15, "hop_length": 4, "normalized": True}, {"n_fft": 16, "center": False},
    {"n_fft": 16, "onesided": False}, {"n_fft": 16, "pad_mode": "constant"},
]


def signal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", [(50,), (2, 50)])
def test_spectra_and_gradients_agree_with_pytorch(settings, shape):
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, lampion):
        x = library.tensor(signal(*shape), requires_grad=True)
        length = settings.get("win_length", settings["n_fft"])
        window = library.hann_window(length, dtype=library.float64)
        y = library.stft(x, window=window, return_complex=True, **settings)
        (y.real.pow(2) + y.imag).sum().backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    for expected, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("settings", [s for s in SETTINGS if "pad_mode" not in s])
def test_signals_come_back_as_in_pytorch(settings):
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, lampion):
        length = settings.get("win_length", settings["n_fft"])
        # Without a window around its first point the signal cannot come back from a Hann window.
        window = library.ones(length, dtype=library.float64) if not settings.get(
            "center", True) else library.hann_window(length, dtype=library.float64)
        x = library.tensor(signal(2, 60))
        y = library.stft(x, window=window, return_complex=True, **settings)
        found.append(library.istft(y, window=window, length=52, **settings).numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1], signal(2, 60)[:, :52], rtol=1e-9, atol=1e-9)


def test_a_window_that_leaves_points_out_is_refused():
    spectrum = lampion.stft(lampion.ones(40), 8, hop_length=8, window=lampion.hann_window(8),
                            return_complex=True, center=False)
    with pytest.raises(RuntimeError, match="window overlap add"):
        lampion.istft(spectrum, 8, hop_length=8, window=lampion.hann_window(8), center=False)


@pytest.mark.parametrize("call", [
    lambda x: lampion.stft(x, 8),
    lambda x: lampion.stft(x, 200, return_complex=True),
    lambda x: lampion.stft(x, 8, win_length=9, return_complex=True),
    lambda x: lampion.stft(x, 8, hop_length=0, return_complex=True),
    lambda x: lampion.stft(x.long(), 8, return_complex=True),
    lambda x: lampion.istft(x.reshape(5, 8), 8),
])
def test_wrong_input_is_refused(call):
    with pytest.raises(RuntimeError):
        call(lampion.ones(40))
