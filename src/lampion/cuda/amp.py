"""`torch.cuda.amp`: the older names of `torch.amp`, for device "cuda"."""

import functools

from lampion import amp

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

autocast = amp.without_device(amp.autocast)
GradScaler = amp.without_device(amp.GradScaler)
custom_fwd = functools.partial(amp.custom_fwd, device_type="cuda")
custom_bwd = functools.partial(amp.custom_bwd, device_type="cuda")
