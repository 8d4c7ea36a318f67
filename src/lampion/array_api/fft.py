"""`lampion.array_api.fft`, by the standard's names."""

from .fourier import fftfreq, fftshift, ifftshift, rfftfreq, transforms

fft, ifft, fftn, ifftn = (transforms[name] for name in ("fft", "ifft", "fftn", "ifftn"))
rfft, irfft, rfftn, irfftn = (transforms[name] for name in ("rfft", "irfft", "rfftn", "irfftn"))
hfft, ihfft = transforms["hfft"], transforms["ihfft"]

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]
