"""`torch.utils.data.distributed`, as some programs import it."""

from lampion.data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
