"""Changing the element type and the device of everything in a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lampion import dtypes, errors
from lampion.autograd import no_grad
from lampion.nn.parameter import Parameter, is_lazy
from lampion.tensor import Tensor

if TYPE_CHECKING:
    from typing import Self


class ConversionMethods:
    """The part of `Module` that replaces the values of its parameters and buffers."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    children: Callable[[], Iterator[Any]]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the values of every parameter, gradient and buffer by `fn` of them."""
        for module in self.children() if recurse else ():
            module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            gradient = parameter.grad
            with no_grad():
                # The Parameter object stays: an optimizer that holds it goes on working.
                parameter.grad = None
                parameter.data = fn(parameter.data)
                if gradient is not None:
                    parameter.grad = fn(gradient)
        for name, buffer in self._buffers.items():
            if buffer is None:
                continue
            if is_lazy(buffer):
                buffer.data = fn(buffer.data)
            else:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Change the element type (of floating-point parts) and the device.

        Args:
            args, kwargs: `to(dtype)`, `to(device)`, `to(device, dtype)` or `to(tensor)`.

        Raises:
            ArgumentTypeError: the element type is an integer type.
        """
        device, dtype = _device_and_dtype(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise errors.ArgumentTypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}",
                why="gradients need numbers that change continuously",
                fix="model.to(torch.float32), or .float(), .double(), .half()")

        def convert(tensor: Tensor) -> Tensor:
            if device is not None:
                tensor = tensor.to(device)
            changes = dtype is not None and (tensor.is_floating_point() or tensor.is_complex())
            return tensor.to(dtype) if changes else tensor

        return self._apply(convert)

    def type(self, dst_type: Any) -> Self:
        """Change the element type of every parameter and buffer, integers too."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Self:
        """Change every floating-point parameter and buffer to float32."""
        return self._to_floating(dtypes.float32)

    def double(self) -> Self:
        """Change every floating-point parameter and buffer to float64."""
        return self._to_floating(dtypes.float64)

    def half(self) -> Self:
        """Change every floating-point parameter and buffer to float16."""
        return self._to_floating(dtypes.float16)

    def bfloat16(self) -> Self:
        """Change every floating-point parameter and buffer to bfloat16."""
        return self._to_floating(dtypes.bfloat16)

    def _to_floating(self, dtype: Any) -> Self:
        return self._apply(
            lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def cpu(self) -> Self:
        """Stay where everything is: on the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Raise: there is no CUDA device here."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Give every parameter and buffer new, unset memory on `device`."""
        return self._apply(
            lambda tensor: tensor.new_empty(tensor.shape, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Return the module; its memory is not moved."""
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: every training step is compiled anyway."""


def _device_and_dtype(args: tuple, kwargs: dict) -> tuple[Any, Any]:
    """Sort the arguments of `Module.to` by their kind."""
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    for value in (*args, kwargs.get("tensor")):
        if isinstance(value, Tensor):
            device, dtype = value.device, value.dtype
        elif isinstance(value, dtypes.dtype):
            dtype = value
        elif value is not None and not isinstance(value, bool):
            device = value
    return device, dtype
