"""What of `torch.fft` works on real tensors: shifts of frequencies.

The transforms themselves give complex tensors, which do not exist here.
"""

from __future__ import annotations

from .functions.assembling import fftshift, ifftshift

__all__ = ["fftshift", "ifftshift"]
