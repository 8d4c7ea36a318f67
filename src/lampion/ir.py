"""The graph: immutable values made by primitive operations.

    Type     what a value is: shape and element type
    Op       one primitive operation: its meaning, its type rule, its gradient
    Value    one result: an op applied to values with settings - or a leaf that holds data
    Graph    a closed piece of the web of values: inputs, values in order, outputs

A value never changes and never aliases another. In-place methods and views exist only above,
in the Tensor: they bind a tensor to another value.

Gradients follow the same web: a value is `tracked` when it depends on something whose gradient
is wanted. `history` redirects that path: a value that holds new data but keeps the gradient path
of an older value (an update under `no_grad`) names the older value as its history.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from .errors import DTypeOperationError, LampionError, StateError


class VerifyError(LampionError):
    """A graph that breaks its own rules: a mistake inside lampion."""


class Type(NamedTuple):
    """Shape and element type of a value."""

    shape: tuple[int, ...]
    dtype: dtypes.dtype

    def __str__(self) -> str:
        return f"{self.dtype.name}[{'x'.join(map(str, self.shape))}]"


class Mode(threading.local):
    """What applies to the values being made now, per thread.

    Attributes:
        grad: whether new values are tracked for gradients.
        inference: whether tensors made now can never take part in gradients.
        run: what follows the calls of this thread (lampion/replay); None while nothing does.
        noting: the notes of the recorded call that is being made; None outside.
        autocast: the type in which mixed precision computes (lampion/casting.py); None while off.
        mapping: the innermost map (lampion/func/vmap.py) that is being traced; None outside.
        tracing: called with every value that is made; None where nobody asks.
        spreading: the value whose gradient rule is at work, while somebody traces.
        anomaly: what anomaly detection knows (autograd/anomaly.py); None while it is off.
        mutable: whether a backward pass may read what was overwritten since.
    """

    grad = True
    inference = False
    run: Any = None
    noting: Any = None
    autocast: Any = None
    mapping: Any = None
    tracing: Callable[[Value], None] | None = None
    spreading: Value | None = None
    anomaly: Any = None
    mutable = False


mode = Mode()


class NoGradient(NamedTuple):
    """Stands in place of a gradient rule for an op that has none, with the reason."""

    reason: str


def zero(g, y, *inputs, **settings):
    """Gradient rule of an op that is flat almost everywhere: what flows back is zero."""
    return tuple(
        full(v.shape, 0, v.dtype) if v.tracked and v.dtype.is_inexact else None
        for v in inputs)


class Cotangents(dict):
    """Gradients of the parts of one value that stands for several results, by part.

    The parts are the outputs of an `autograd.Function`, or windows of what a `scan` gives back.
    """


class Nested:
    """A setting of an op that is a piece of graph itself (see `body.Body`)."""

    __slots__ = ()

    def verify(self) -> None:
        """Check every rule; raises VerifyError."""


class Op:
    """One primitive operation.

    Args:
        name: the name in the registry and in printed graphs.
        kind: elementwise, movement, reduction or opaque.
        doc: one sentence.
        meaning: `meaning(xp, *arrays, **settings)`, the definition on arrays (NumPy or JAX).
        result: `result(*values, **settings) -> Type`.
        grad: `grad(g, y, *values, **settings)` -> one gradient (or None) for each input.
        lower: what only a compiling backend needs: `emit`, `index`, `start`, `combine`, `kernel`.
        domain: for each input, the range (low, high) in which test samples are drawn.
        samples: settings and input shapes for generated tests.

    Attributes:
        complex: how it takes complex numbers (see `ops/complex_numbers.py`): "no"; "holomorphic",
            its derivative is a complex number, so its gradient rule holds as it stands; "own",
            its rule is written for complex numbers; "values", it has no rule for them.
    """

    __slots__ = (
        "name", "kind", "doc", "meaning", "result", "grad", "lower", "domain", "samples", "complex",
    )

    def __init__(
        self, name: str, kind: str, doc: str, meaning: Callable, result: Callable,
        grad: Callable | NoGradient, lower: dict[str, Any] | None = None,
        domain: tuple = (), samples: tuple = (),
    ):
        self.name, self.kind, self.doc = name, kind, doc
        self.meaning, self.result, self.grad = meaning, result, grad
        self.lower, self.domain, self.samples = lower or {}, domain, samples
        self.complex = "no"

    def __call__(self, *inputs: Value, **settings) -> Value:
        return apply(self, inputs, settings)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


registry: dict[str, Op] = {}
_order = itertools.count()


class Value:
    """One immutable result in the web of operations.

    Attributes:
        op: the op that makes it; None for a leaf.
        inputs, settings: what the op is applied to.
        shape, dtype: its type.
        data: the computed array, or None while it is pending.
        order: position in creation order; inputs always have a smaller one.
        tracked: whether gradients flow through it.
        history: the older value whose gradient path this one continues, or None.
        leaf: weak reference to the tensor that collects the gradient (leaves of the tape).
        versions: for each input the (counter, count) of the tensor it was read from.
        freed: whether a backward pass has used it and let go of it.
        hooks: functions called with its gradient.
        holder: weak reference to the storage that holds it.
        label: name of the public function that made it, for messages and `grad_fn`.
        volatile: whether it reads memory that NumPy may change: compute it at once. An `Unknown`
            where it depends on the argument of a function that is being mapped: never compute it.
    """

    __slots__ = (
        "op", "inputs", "settings", "shape", "dtype", "data", "order", "tracked", "history",
        "leaf", "versions", "freed", "hooks", "holder", "label", "volatile", "__weakref__",
    )

    def __init__(self, op, inputs, settings, shape, dtype, data=None, tracked=False):
        self.op = op
        self.inputs = inputs
        self.settings = settings
        self.shape = shape
        self.dtype = dtype
        self.data = data
        self.order = next(_order)
        self.tracked = tracked
        self.history = None
        self.leaf = None
        self.versions = None
        self.freed = False
        self.hooks = None
        self.holder = None
        self.label = None
        self.volatile = False

    @property
    def type(self) -> Type:
        return Type(self.shape, self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        state = "pending" if self.data is None else "computed"
        return f"<{self.op.name if self.op else 'leaf'} {self.type} {state}>"

    # Arithmetic, so that gradient rules read like mathematics.
    def __add__(self, other):
        return registry["add"](self, same(self, other))

    def __sub__(self, other):
        return registry["sub"](self, same(self, other))

    def __mul__(self, other):
        return registry["mul"](self, same(self, other))

    def __truediv__(self, other):
        return registry["div"](self, same(self, other))

    def __radd__(self, other):
        return same(self, other) + self

    def __rsub__(self, other):
        return same(self, other) - self

    def __rmul__(self, other):
        return same(self, other) * self

    def __rtruediv__(self, other):
        return same(self, other) / self

    def __neg__(self):
        return registry["neg"](self)


class Unknown:
    """Marks what depends on a placeholder: one element of the arguments of a mapped function.

    Args:
        name: the transformation, for messages.
        since: the order of the first placeholder; older values lie outside the function.
    """

    __slots__ = ("name", "since")

    def __init__(self, name: str, since: int):
        self.name, self.since = name, since

    def refuse(self) -> StateError:
        """Return the error of reading such a value."""
        return StateError(
            f"{self.name}: it looks like you're reading the numbers of a tensor inside a mapped "
            "function (.item(), print, bool(), .numpy(), or a shape that depends on data)",
            why="the function is run once for all elements, so that there is no single number "
            "to read",
            fix="torch.where(condition, a, b) in place of if, and reading outside of the function")


def leaf(array: np.ndarray, dtype: dtypes.dtype) -> Value:
    """Return a value that holds `array`, which must not change afterwards."""
    return Value(None, (), {}, array.shape, dtype, array)


class Lifted(float):
    """A number that may be another one when the same call is made again.

    Args:
        value: the number.
        place: which of the call's lifted numbers it is.
    """

    __slots__ = ("place",)

    place: int

    def __new__(cls, value: float, place: int):
        made = super().__new__(cls, value)
        made.place = place
        return made


def number(value: bool | int | float | complex, dtype: dtypes.dtype) -> Value:
    """Return a 0-d value that holds a Python number: an input of programs, never baked in."""
    array = np.asarray(value)
    if array.dtype.kind == "c" and not dtype.is_complex:
        array = array.real
    array = array.astype(dtype.array)
    made = Value(None, (), {}, (), dtype, dtypes.round_to(dtype, array))
    if type(value) is Lifted and mode.noting is not None:
        mode.noting.numbers.append((made, value.place))
    return made


def operand(value: bool | int | float | complex, dtype: dtypes.dtype) -> Value:
    """Return what `number` does, to compute with: in one recorded call, equal ones are one value.

    So a step of many parameters gives its program the learning rate once.
    """
    noting = mode.noting
    if noting is None:
        return number(value, dtype)
    key = (type(value), value.place if type(value) is Lifted else repr(value), dtype)
    found = noting.operands.get(key)
    if found is None:
        found = noting.operands[key] = number(value, dtype)
    return found


def full(shape: tuple[int, ...], value: bool | int | float | complex, dtype: dtypes.dtype) -> Value:
    """Return a value of that shape filled with a number."""
    # A value that nothing was made of may become a tensor's own.
    return expand(operand(value, dtype) if shape else number(value, dtype), shape)


def expand(value: Value, shape: tuple[int, ...]) -> Value:
    """Broadcast a value to a shape, adding leading axes as needed."""
    if value.shape == shape:
        return value
    missing = len(shape) - len(value.shape)
    if missing:
        value = registry["reshape"](value, shape=(1,) * missing + value.shape)
    return value if value.shape == shape else registry["expand"](value, shape=shape)


def same(like: Value, other: Value | bool | int | float | complex) -> Value:
    """Return `other` as a value of `like`'s type; values pass through."""
    return other if isinstance(other, Value) else full(like.shape, other, like.dtype)


def apply(op: Op, inputs: tuple[Value, ...], settings: dict[str, Any]) -> Value:
    """Make the value of `op` applied to `inputs`; nothing is computed."""
    shape, dtype = op.result(*inputs, **settings)
    made = Value(op, inputs, settings, shape, dtype)
    differentiable = dtype.is_inexact and mode.grad
    for value in inputs:
        if value.tracked and differentiable:
            made.tracked = True
        if value.volatile and not isinstance(made.volatile, Unknown):
            made.volatile = value.volatile
        if value.dtype.is_complex and op.complex == "no":
            raise DTypeOperationError(
                f'"{op.name}" not implemented for {value.dtype.name}: '
                f"{op.doc[0].lower()}{op.doc[1:]}", why="it is defined for real numbers",
                fix="x.real, x.imag or x.abs() first")
    if mode.tracing is not None:
        mode.tracing(made)
    return made


def origin(value: Value) -> Value:
    """Return the value whose gradient path this one continues (itself, as a rule)."""
    while value.history is not None:
        value = value.history
    return value


class Graph:
    """A closed piece of the web: everything that `outputs` need and that has no data yet.

    Attributes:
        inputs: leaves and computed values that the graph reads.
        values: the values to compute, each after its inputs.
        outputs: the values wanted.
    """

    def __init__(self, outputs: Iterable[Value]):
        self.outputs = list(outputs)
        inputs: dict[int, Value] = {}
        values: dict[int, Value] = {}
        stack = list(self.outputs)
        while stack:
            value = stack.pop()
            if value.order in values or value.order in inputs:
                continue
            if value.data is not None or value.op is None:
                inputs[value.order] = value
                continue
            values[value.order] = value
            stack.extend(value.inputs)
        self.inputs = [inputs[key] for key in sorted(inputs)]
        self.values = [values[key] for key in sorted(values)]

    def verify(self) -> None:
        """Check every rule of the graph; raises VerifyError with the value that breaks one."""
        known = {v.order for v in self.inputs}
        for value in self.inputs:
            if value.data is None:
                raise VerifyError(f"{value!r}: a leaf without data")
            if value.data.shape != value.shape or value.data.dtype != value.dtype.array:
                raise VerifyError(f"{value!r}: holds {value.data.dtype}{value.data.shape}")
        for value in self.values:
            for operand in value.inputs:
                if operand.order not in known:
                    raise VerifyError(f"{value!r}: used before its input {operand!r} is made")
            expected = value.op.result(*value.inputs, **value.settings)
            if tuple(expected) != (value.shape, value.dtype):
                raise VerifyError(f"{value!r}: its type rule says {Type(*expected)}")
            if any(type(n) is not int or n < 0 for n in value.shape):
                raise VerifyError(f"{value!r}: shape {value.shape} is not made of whole numbers")
            for setting in value.settings.values():
                if isinstance(setting, Nested):
                    setting.verify()
            known.add(value.order)
        for value in self.outputs:
            if value.order not in known:
                raise VerifyError(f"{value!r}: an output that the graph does not make")

    def __str__(self) -> str:
        """The graph as text, one value a line; bodies of loops stand below."""
        bodies = list(dict.fromkeys(
            s for v in self.values for s in v.settings.values() if isinstance(s, Nested)))
        called: dict[Any, str] = {body: f"body{k}" for k, body in enumerate(bodies)}
        names = {v.order: f"%{i}" for i, v in enumerate(self.inputs + self.values)}
        heading = ", ".join(f"{names[v.order]}: {v.type}" for v in self.inputs)
        lines = [f"graph({heading})"]
        for value in self.values:
            arguments = [names[v.order] for v in value.inputs]
            arguments += [f"{k}={called[s] if isinstance(s, Nested) else setting_text(s)}"
                          for k, s in value.settings.items()]
            lines.append(
                f"  {names[value.order]}: {value.type} = {value.op.name}({', '.join(arguments)})"
            )
        lines.append(f"  return {', '.join(names[v.order] for v in self.outputs)}")
        lines += [f"{called[body]} = {body}" for body in bodies]
        return "\n".join(lines)


def setting_text(setting: Any) -> str:
    """Return a setting as it is printed in a graph."""
    if isinstance(setting, dtypes.dtype):
        return setting.name
    return repr(setting).replace(" ", "")
