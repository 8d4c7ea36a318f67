"""`torch.cuda.amp`: the older names of `torch.amp`, for device "cuda"."""

from lampion import amp

__all__ = ["GradScaler", "autocast"]

autocast = amp.without_device(amp.autocast)
GradScaler = amp.without_device(amp.GradScaler)
