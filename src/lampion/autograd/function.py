"""`Function`: an operation with a gradient written by the user."""

from __future__ import annotations

import functools
import weakref
from typing import Any

from ..base import TensorBase, wrap
from ..errors import (
    DTypeError,
    GradientError,
    InplaceError,
    ShapeError,
    UnsupportedError,
    shape_text,
)
from ..ir import Cotangents, Op, Type, Value, full, mode, registry
from .modes import no_grad


def _part_grad(g, y, call, index):
    return (Cotangents({index: g}),)


# One output of a call: its gradient waits at the call for those of the other outputs.
PART = Op("part", "call", "One output of a Function.", meaning=None,  # type: ignore[arg-type]
          result=lambda call, index: Type((), call.dtype), grad=_part_grad)


class FunctionCtx:
    """What `forward` leaves for `backward`.

    Attributes:
        needs_input_grad: for each argument of forward, whether its gradient is wanted.
    """

    def __init__(self, args: tuple):
        self.needs_input_grad = tuple(
            isinstance(a, TensorBase) and a._tracked and mode.grad for a in args)
        self._saved: tuple = ()
        self._versions: tuple = ()
        self._call: weakref.ref | None = None
        self._dirty: tuple = ()
        self._constant: tuple = ()
        self._materialize = True

    def save_for_backward(self, *tensors: TensorBase | None) -> None:
        """Keep tensors for backward, watched for in-place writes."""
        self._saved = tensors
        self._versions = tuple(
            None if t is None else t._version_pair() for t in tensors)

    save_for_forward = save_for_backward

    @property
    def saved_tensors(self) -> tuple:
        """The tensors kept by `save_for_backward`."""
        call = self._call() if self._call is not None else None
        if call is not None and call.freed:
            raise GradientError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed)",
                fix="loss.backward(retain_graph=True) the first time")
        for tensor, pair in zip(self._saved, self._versions, strict=True):
            if tensor is not None and pair[0].count != pair[1] and not any(
                    tensor is d for d in self._dirty):
                raise InplaceError(
                    "one of the variables needed for gradient computation has been modified by "
                    f"an inplace operation: [{shape_text(tensor._shape)}] is at version "
                    f"{pair[0].count}; expected version {pair[1]} instead")
        return self._saved

    def mark_dirty(self, *tensors: TensorBase) -> None:
        """Declare inputs that forward changed in place and returns."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: TensorBase) -> None:
        """Declare outputs that have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for outputs nobody used."""
        self._materialize = value


class Function:
    """An operation with its own gradient: subclass it with `forward` and `backward`.

    `forward(ctx, *args)` computes the outputs, unrecorded. `backward(ctx, *grad_outputs)` returns
    one gradient for each argument of forward, None where there is none. A `setup_context(ctx,
    inputs, output)` may take over the bookkeeping; then forward has no ctx.

    Example:
        >>> import lampion as torch
        >>> class Cube(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x ** 3
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (x,) = ctx.saved_tensors
        ...         return g * 3 * x ** 2
        >>> x = torch.tensor(2., requires_grad=True)
        >>> Cube.apply(x).backward(); x.grad
        tensor(12.)
    """

    @staticmethod
    def forward(ctx, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError("a Function needs a static method forward",
                               fix="@staticmethod\n    def forward(ctx, x): ...")

    @staticmethod
    def backward(ctx, *grad_outputs: Any) -> Any:
        raise UnsupportedError("a Function needs a static method backward to be differentiated",
                               fix="@staticmethod\n    def backward(ctx, gradient): ...")

    setup_context = None
    vjp = None

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward and record the call for gradients."""
        ctx = FunctionCtx(args)
        tensors = [a for a in args if isinstance(a, TensorBase)]
        sources = tuple(t._value for t in tensors)
        with no_grad():
            if cls.setup_context is not None:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args, **kwargs)
        if not mode.grad or not any(s.tracked for s in sources):
            return output
        outputs = output if isinstance(output, tuple) else (output,)
        # Types, not tensors: a rule that held the outputs would hold itself.
        kinds = tuple(isinstance(a, TensorBase) for a in args)
        types = tuple(o._value.type if isinstance(o, TensorBase) else None for o in outputs)
        rule = functools.partial(cls._spread, ctx, kinds, types)
        op = Op(cls.__name__, "call", cls.__doc__ or "", meaning=None,  # type: ignore[arg-type]
                result=lambda *a: Type((), sources[0].dtype), grad=rule)
        call = Value(op, sources, {}, (), sources[0].dtype, tracked=True)
        call.label = f"{cls.__name__}Backward"
        ctx._call = weakref.ref(call)
        results = [_attach(ctx, call, k, out, tensors) for k, out in enumerate(outputs)]
        return tuple(results) if isinstance(output, tuple) else results[0]

    @classmethod
    def _spread(cls, ctx, kinds, types, g, y, *sources):
        """The gradient rule of one call: hands over to the user's backward."""
        grads = []
        for k, kind in enumerate(types):
            if k in g:
                grads.append(wrap(g[k]))
            elif kind is not None and ctx._materialize:
                grads.append(wrap(full(kind.shape, 0, kind.dtype)))
            else:
                grads.append(None)
        answer = (cls.vjp or cls.backward)(ctx, *grads)
        answer = answer if isinstance(answer, tuple) else (answer,)
        while len(answer) > len(kinds) and answer[-1] is None:
            answer = answer[:-1]
        if len(answer) != len(kinds):
            raise GradientError(
                f"function {cls.__name__}Backward returned an incorrect number of gradients "
                f"(expected {len(kinds)}, got {len(answer)})",
                fix="return one gradient, or None, for each argument of forward")
        kept = [part for is_tensor, part in zip(kinds, answer, strict=True) if is_tensor]
        return tuple(_fit(cls, k, source, part)
                     for k, (part, source) in enumerate(zip(kept, sources, strict=True)))


def _attach(ctx: FunctionCtx, call: Value, index: int, out: Any, tensors: list) -> Any:
    """Give an output of forward its place in the graph."""
    if not isinstance(out, TensorBase) or not out._dtype.is_floating_point or any(
            out is c for c in ctx._constant):
        return out
    if any(out is t for t in tensors) and not any(out is d for d in ctx._dirty):
        out = wrap(registry["copy"](out._value))
    part = Value(PART, (call,), {"index": index}, tuple(out._shape), out._dtype, tracked=True)
    part.label = call.label
    value = registry["copy"](out._value)
    value.tracked, value.history = True, part
    if out._steps:
        out._steps, out._cached = (), None
        out._storage = type(out._storage)(value)
    else:
        out._storage._bind(value)
    return out


def _fit(cls, index: int, source: Value, g: TensorBase | None) -> Value | None:
    """Check a gradient that the user's backward returned against the argument it is for."""
    if g is None or not source.tracked:
        return None
    if not isinstance(g, TensorBase):
        raise DTypeError(
            f"Function {cls.__name__}Backward returned a {type(g).__name__} at index {index}; "
            "expected a Tensor or None",
            fix=f"torch.tensor({g!r})" if isinstance(g, (int, float)) else None)
    value = g._value
    if value.shape != source.shape:
        raise ShapeError(
            f"Function {cls.__name__}Backward returned an invalid gradient at index {index} - got "
            f"{shape_text(value.shape)} but expected shape compatible with "
            f"{shape_text(source.shape)}",
            why="the gradient of an argument has the argument's shape")
    return value if value.dtype is source.dtype else registry["cast"](value, dtype=source.dtype)


def once_differentiable(backward):
    """Mark a backward whose own computation must not be differentiated."""
    @functools.wraps(backward)
    def inside(ctx, *args):
        with no_grad():
            answer = backward(ctx, *args)
        anchor = next((a for a in args if isinstance(a, TensorBase) and a._tracked), None)
        if not mode.grad or anchor is None:
            return answer
        several = isinstance(answer, tuple)
        refusing = _Once.apply(anchor, *(answer if several else (answer,)))
        return refusing if several else refusing[0]

    return inside


class _Once(Function):
    """Passes gradients on, and refuses to be differentiated."""

    @staticmethod
    def forward(ctx, anchor, *gradients):
        return gradients

    @staticmethod
    def backward(ctx, *unused):
        raise GradientError(
            "trying to differentiate twice a function that was marked with @once_differentiable",
            fix="a backward without @once_differentiable, made of differentiable operations")


