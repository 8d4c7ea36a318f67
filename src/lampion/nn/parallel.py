"""`torch.nn.parallel`: the module itself, since there is one process and one device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lampion import distributed
from lampion.errors import StateError
from lampion.nn.data_parallel import DataParallel
from lampion.nn.module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Call the wrapped module; in a group of one process there is nothing to average.

    Args:
        module: what is called.
        device_ids, output_device, dim, broadcast_buffers, options: PyTorch's: accepted, not used.

    Raises:
        StateError: `torch.distributed.init_process_group` was not called, as in PyTorch.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None,
                 dim: int = 0, broadcast_buffers: bool = True, **options: Any) -> None:
        super().__init__()
        if not distributed.is_initialized():
            raise StateError("Default process group has not been initialized, please make sure to "
                             "call init_process_group.",
                             fix='torch.distributed.init_process_group("gloo", world_size=1)')
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Accumulate gradients without averaging them: nothing is averaged anyway."""
        yield
