"""How a module's backward hooks see the gradients of its inputs and outputs.

Each side of the call gets an identity function whose backward is ours:

    inputs -> [identity] -> forward -> [identity] -> outputs
                 |                          |
        runs the backward hooks    runs the pre-hooks, keeps grad_output

Gradients flow from right to left, so grad_output is known when the left one is reached.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from lampion import errors
from lampion.autograd import Function, is_grad_enabled
from lampion.tensor import Tensor


class _Boundary(Function):
    """Hand tensors through unchanged; on the way back, let `watch` see the gradients."""

    @staticmethod
    def forward(ctx, watch, zeros_for_none, *tensors):
        ctx.watch = watch
        ctx.set_materialize_grads(zeros_for_none)
        outputs = tuple(one.view_as(one) for one in tensors)
        ctx.mark_non_differentiable(
            *[new for new, old in zip(outputs, tensors, strict=True) if not old.requires_grad])
        return outputs

    @staticmethod
    def backward(ctx, *grads):
        return None, None, *ctx.watch(grads)


class BackwardHook:
    """Runs the backward hooks of one call of one module.

    Args:
        module: handed to the hooks.
        hooks: called with (module, grad_input, grad_output).
        pre_hooks: called with (module, grad_output).
    """

    def __init__(
        self, module: Any, hooks: Sequence[Callable], pre_hooks: Sequence[Callable]
    ) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.input_places: list[int] | None = None
        self.input_count = 0
        self.output_places: list[int] | None = None
        self.output_count = 0
        self.grad_output: tuple | None = None

    def watch_inputs(self, args: tuple) -> tuple:
        """Return the arguments with every tensor behind a boundary."""
        args, self.input_places = self._put_boundary(args, self._inputs_known, True)
        self.input_count = len(args)
        return args

    def watch_outputs(self, result: Any) -> Any:
        """Return the result with every tensor behind a boundary."""
        outputs = result if isinstance(result, tuple) else (result,)
        outputs, self.output_places = self._put_boundary(outputs, self._outputs_known, False)
        self.output_count = len(outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    @staticmethod
    def _put_boundary(
        values: tuple, watch: Callable, zeros_for_none: bool
    ) -> tuple[tuple, list[int] | None]:
        places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        tensors = [values[i] for i in places]
        if not (is_grad_enabled() and any(one.requires_grad for one in tensors)):
            return values, None
        new = list(values)
        passed = _Boundary.apply(watch, zeros_for_none, *tensors)
        for place, tensor in zip(places, passed, strict=True):
            new[place] = tensor
        # A named tuple takes its fields one by one.
        return (tuple(new) if type(values) is tuple else type(values)(*new)), places

    def _outputs_known(self, grads: tuple) -> tuple:
        grad_output = _spread(self.output_places or [], grads, self.output_count)
        for hook in self.pre_hooks:
            new = hook(self.module, grad_output)
            grad_output = _replaced(new, grad_output, "Backward pre hook", "grad_output")
        self.grad_output = grad_output
        if self.input_places is None:
            self._run_without_inputs(grad_output)
        return tuple(grad_output[i] for i in self.output_places or [])

    def _inputs_known(self, grads: tuple) -> tuple:
        if self.grad_output is None:  # the gradient reached the input past the output
            return grads
        grad_input = _spread(self.input_places or [], grads, self.input_count)
        for hook in self.hooks:
            new = hook(self.module, grad_input, self.grad_output)
            grad_input = _replaced(new, grad_input, "Backward hook", "grad_input")
        self.grad_output = None
        return tuple(grad_input[i] for i in self.input_places or [])

    def _run_without_inputs(self, grad_output: tuple) -> None:
        """No input takes a gradient: the hooks run at the outputs and cannot replace anything."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients.", stacklevel=2)
        for hook in self.hooks:
            new = hook(self.module, (None,) * self.input_count, grad_output)
            if new is not None and not (isinstance(new, tuple) and all(x is None for x in new)):
                raise errors.StateError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients.")
        self.grad_output = None


def _spread(places: list[int], values: Sequence, count: int) -> tuple:
    """Put `values` at `places` of a tuple of `count` entries, None elsewhere."""
    full = [None] * count
    for place, value in zip(places, values, strict=True):
        full[place] = value
    return tuple(full)


def _replaced(new: Any, old: tuple, who: str, what: str) -> tuple:
    if new is None:
        return old
    new = new if isinstance(new, (tuple, list)) else (new,)
    if len(new) != len(old):
        raise errors.StateError(
            f"{who} returned an invalid number of {what}, got {len(new)}, but expected {len(old)}",
            why="one gradient belongs to each tensor, None where there is none",
            fix=f"return a tuple of {len(old)}, or None to change nothing")
    return tuple(new)
