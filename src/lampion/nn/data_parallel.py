"""`DataParallel` on a machine without accelerators: the module itself under another name."""

from __future__ import annotations

from typing import Any

from lampion.nn.module import Module


class DataParallel(Module):
    """Call the wrapped module; there is one device, so the batch is not split.

    Args:
        module: what is called.
        device_ids, output_device, dim: taken for compatibility.

    Example:
        >>> import lampion as torch
        >>> list(torch.nn.DataParallel(torch.nn.Linear(1, 1)).state_dict())
        ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)
