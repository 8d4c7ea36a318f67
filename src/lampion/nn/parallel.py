"""`torch.nn.parallel`: the module itself, since there is one process and one device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lampion import distributed
from lampion.errors import StateError
from lampion.nn.data_parallel import DataParallel
from lampion.nn.module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


def data_parallel(module: Any, inputs: Any, device_ids: Any = None, output_device: Any = None,
                  dim: int = 0, module_kwargs: dict[str, Any] | None = None) -> Any:
    """Call a module; there is one device, so the batch is not split.

    Args:
        module: what is called.
        inputs: its argument, or a tuple of them.
        device_ids, output_device, dim: PyTorch's: accepted, not used.
        module_kwargs: its named arguments.

    Example:
        >>> import lampion as torch
        >>> torch.nn.parallel.data_parallel(torch.nn.ReLU(), torch.tensor([-1., 2.]))
        tensor([0., 2.])
    """
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))


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
