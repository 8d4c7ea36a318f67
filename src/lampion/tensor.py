"""The Tensor: every method people call on an array of numbers that remembers how it was made.

Methods are functions of `lampion.functions` with the tensor as first argument; what stands here
in full is what is particular to the object: its properties, its gradient, its conversions.
"""

from __future__ import annotations

import importlib
import math
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import base, dtypes, ir, printing, strides
from .autograd import engine
from .autograd.node import Node, RemovableHandle
from .base import Shared, Storage, TensorBase
from .dtypes import Size
from .dtypes import device as Device
from .dtypes import dtype as DType
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    ExportError,
    GradientError,
    ShapeError,
    StateError,
    shape_text,
)
from .functions import (
    activation,
    assembling,
    complex_numbers,
    copies,
    creation,
    decomposition,
    hashing,
    index_reduction,
    indexing,
    inplace,
    linalg,
    matrix_functions,
    matrix_norms,
    matrix_powers,
    number_parts,
    quantiles,
    queries,
    random,
    reduction,
    reflections,
    sample_statistics,
    special_functions,
    spectrogram,
)
from .functions import elementwise as e
from .functions import shape as shapes
from .functions.operands import infer_dtype_argument
from .ir import Value, mode, origin, registry
from .replay.recorded import forget, recorded


class Export:
    """Memory lent to NumPy: lives as long as an array outside looks at it."""

    __slots__ = ("__array_struct__", "array", "__weakref__")

    def __init__(self, array: np.ndarray):
        self.array = array  # the struct names an address and does not keep it alive
        self.__array_struct__ = array.__array_struct__


class Tensor(TensorBase):
    """An array of numbers of one type, that operations read lazily and gradients flow through.

    Make one with `lampion.tensor`, `zeros`, `rand`, ...

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([1., 2.], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    __array_priority__ = 1000
    __module__ = "lampion"  # where programs find it: type(x) prints <class 'lampion.Tensor'>

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = _legacy(args, kwargs, dtypes.get_default_dtype())
        return made if cls is Tensor else made.as_subclass(cls)

    # --- what it is ----------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The lengths of the axes."""
        return Size(self._shape)

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._dtype

    @property
    def device(self) -> Device:
        """Where the tensor lives: the CPU."""
        return dtypes.CPU

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def itemsize(self) -> int:
        """The size of one element in bytes."""
        return self._dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The size of all elements in bytes."""
        return self._dtype.itemsize * math.prod(self._shape)

    @property
    def layout(self) -> str:
        """Always strided."""
        return "torch.strided"

    is_cuda = is_sparse = is_quantized = is_meta = is_mps = is_nested = False
    is_cpu = True
    names = None

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis."""
        return Size(self._shape) if dim is None else self._shape[
            shapes.normalize_dim(dim, len(self._shape), "size")]

    def dim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self._shape)

    nelement = numel

    def element_size(self) -> int:
        """The size of one element in bytes."""
        return self._dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How far apart neighbours lie in memory along each axis, in elements."""
        return tuple(self._strides) if dim is None else self._strides[dim]

    def storage_offset(self) -> int:
        """Where the first element lies in the storage, in elements."""
        return self._offset

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in row-major order."""
        return self._contiguous()

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self._dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self._dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the type has negative numbers."""
        return self._dtype.is_signed

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return self._storage.inference

    def is_shared(self) -> bool:
        """Whether the memory is shared between processes: never."""
        return False

    def is_pinned(self) -> bool:
        """Whether the memory is pinned for an accelerator: never."""
        return False

    def get_device(self) -> int:
        """-1: the CPU."""
        return -1

    def data_ptr(self) -> int:
        """A number that tells storages apart, moved on by the offset."""
        return id(self._storage.version) + self._offset * self._dtype.itemsize

    def is_set_to(self, other: Tensor) -> bool:
        """Whether both look at the same memory in the same way."""
        return (self._storage is other._storage and self._strides == other._strides
                and self._shape == other._shape and self._offset == other._offset)

    T = property(shapes.numpy_t, doc="All axes in reverse order.")
    mT = property(shapes.matrix_t, doc="The last two axes exchanged.")
    H = property(lambda self: complex_numbers.conj(shapes.matrix_t(self)),
                 doc="The last two axes exchanged, complex numbers conjugated.")
    mH = H
    real = property(complex_numbers.real, doc="The real part, as a copy; a real tensor itself.")
    imag = property(complex_numbers.imag, doc="The imaginary part, as a copy.")

    # --- gradients -----------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are wanted for this tensor or something it came from."""
        return self._tracked and (self._promise is not None or not self._storage.inference)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            raise GradientError("you can only change requires_grad flags of leaf variables.",
                                why="a computed tensor carries gradients if its inputs do",
                                fix="y = x.detach()")
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Ask for (or no longer collect) the gradient of a leaf; returns the tensor."""
        if requires_grad == self._tracked:
            return self
        base.unrecorded()
        if not requires_grad:
            if not self.is_leaf:
                raise GradientError(
                    "you can only change requires_grad flags of leaf variables. If you want to use "
                    "a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach().", fix="y = x.detach()")
            self._storage = base.detached(self._storage)
            self._cached = None
            return self
        if not self._dtype.is_inexact:
            raise DTypeError(
                "only Tensors of floating point and complex dtype can require gradients, got "
                f"{self._dtype.name}", why="whole numbers do not change continuously",
                fix="x.float().requires_grad_()")
        if self._storage.inference and not mode.inference:
            raise StateError("Setting requires_grad=True on inference tensor outside InferenceMode "
                             "is not allowed.", fix="x.clone().requires_grad_()")
        self._become_leaf()
        return self

    def _become_leaf(self, marker: Value | None = None) -> None:
        """Give the tensor a storage whose gradient path begins at this very tensor."""
        if any(op.name == "expand" for op, _ in self._steps):
            # Repeated elements have one gradient each, so they get memory of their own.
            storage = Storage(base.stop(self._value), self._storage.version)
            self._steps = ()
        else:
            storage = base.detached(self._storage)
        value = storage.value
        if marker is None:
            marker = Value(None, (), {}, self._shape, value.dtype, tracked=True)
            marker.leaf = weakref.ref(self)
        value.tracked, value.history = True, marker
        if self._steps:
            # A leaf's gradient has its own shape, so its path begins behind the view's steps.
            self._root_here(storage, marker)
        self._storage, self._cached = storage, None

    def _begin_again(self, marker: Value) -> None:
        """Be a leaf in another shape than `marker` has, with its hooks."""
        fresh = Value(None, (), {}, self._shape, self._dtype, tracked=True)
        fresh.leaf, fresh.hooks = weakref.ref(self), marker.hooks
        self._become_leaf(fresh)

    def _root_here(self, storage: Storage, marker: Value) -> None:
        storage.value.tracked, storage.value.history = False, None
        view = object.__new__(base.TensorType)
        view._set_up(storage, self._steps, self._shape, self._strides, self._offset)
        path = base.stop(view._value)
        path.tracked, path.history = True, marker
        # Writing the tracked elements into their own place changes no number.
        value = path
        stages = [storage.value]
        for step in self._steps[:-1]:
            stages.append(base._apply_step(stages[-1], step))
        before, mode.grad = mode.grad, True
        try:
            for stage, step in zip(reversed(stages), reversed(self._steps), strict=True):
                value = base._undo_step(stage, step, value)
        finally:
            mode.grad = before
        storage._bind(value)
        storage.rooted = (origin(storage.value), marker)

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor begins a gradient path (or is on none)."""
        if not self._tracked:
            return True
        if self._promise is not None:
            return False
        marker = self._leaf_marker()
        # A view can be a leaf too: requires_grad_() on a view of something untracked.
        return marker is not None and (
            not self._is_view or (marker.leaf is not None and marker.leaf() is self))

    @property
    def grad(self) -> Any:
        """The gradient collected by `backward`, or None."""
        if self._gradient is None and not self.is_leaf and self._retain is None:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor.", UserWarning, stacklevel=2)
        return self._gradient

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, TensorBase):
                raise ArgumentTypeError(f"assigned grad expected to be a Tensor or None but got "
                                        f"grad of type {type(value).__name__}")
            if value is self:
                raise StateError("can't assign Variable as its own grad")
            if tuple(value._shape) != tuple(self._shape):
                raise ShapeError(
                    f"assigned grad has data of a different size: {shape_text(value._shape)} for a "
                    f"tensor of {shape_text(self._shape)}", fix="a gradient of the tensor's shape")
            if value._dtype is not self._dtype:
                raise DTypeError(f"assigned grad has data of a different type: "
                                 f"{value._dtype.name} for {self._dtype.name}",
                                 fix="x.grad = g.to(x.dtype)")
        _set_gradient(self, value)

    @grad.deleter
    def grad(self) -> None:
        _set_gradient(self, None)

    @property
    def grad_fn(self) -> Node | None:
        """The operation that made the tensor; None for leaves."""
        if not self._tracked or self.is_leaf:
            return None
        return Node(origin(self._value))

    def backward(self, gradient: Any = None, retain_graph: bool | None = None,
                 create_graph: bool = False, inputs: Any = None) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf it depends on.

        Args:
            gradient: the gradient of this tensor; may be left out for a scalar.
            retain_graph: keep the graph for another backward.
            create_graph: record the gradients' own computation, for second derivatives.
            inputs: add to the `.grad` of these tensors only.
        """
        engine.backward(self, gradient, retain_graph, create_graph, inputs)

    @recorded
    def detach(self) -> Any:
        """The same memory without the gradient path."""
        made = object.__new__(Tensor)
        storage = base.detached(self._storage)
        made._set_up(storage, self._steps, self._shape, self._strides, self._offset, False)
        return made

    def detach_(self) -> Any:
        """Take the tensor itself off its gradient path."""
        if self._is_view and not mode.inference:
            raise StateError("Can't detach views in-place. Use detach() instead. If you are using "
                             "DistributedDataParallel (DDP) for training, and gradient_as_bucket_"
                             "view is set as True, gradients are views of DDP buckets",
                             fix="x = x.detach()")
        base.unrecorded()
        self._storage = base.detached(self._storage)
        self._cached = None
        return self

    @property
    @recorded
    def data(self) -> Any:
        """The same memory without gradient path; writes to it are not counted."""
        made = object.__new__(Tensor)
        storage = base.detached(self._storage, own_version=True)
        made._set_up(storage, self._steps, self._shape, self._strides, self._offset, False)
        return made

    @data.setter
    def data(self, other: Tensor) -> None:
        base.require_tensor(other, "data", "value")
        base.unrecorded()
        marker, counter = self._leaf_marker(), self._storage.version
        path = origin(self._value) if self._tracked and marker is None else None
        self._storage = base.detached(other._storage, own_version=True)
        self._steps, self._shape, self._strides = other._steps, other._shape, other._strides
        self._offset, self._cached = other._offset, None
        if marker is not None and self._dtype.is_inexact:
            self._begin_again(marker)
        elif path is not None and path.shape == self._shape and path.dtype is self._dtype:
            self._become_leaf(path)  # no leaf: it goes on from what the old data came from
            self._storage.rooted = None
        self._storage.version = counter  # of the tensor, not of its memory

    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(grad)` with this tensor's gradient in every backward.

        What the hook returns, unless None, takes the gradient's place.
        """
        if not self._tracked:
            raise GradientError("cannot register a hook on a tensor that doesn't require gradient",
                                fix="x.requires_grad_()")

        def on_value(g: Value) -> Value:
            answer = hook(base.wrap(g))
            if answer is None:
                return g
            if not isinstance(answer, TensorBase):
                raise ArgumentTypeError(f"hook: expected a Tensor or None, got "
                                        f"{type(answer).__name__}")
            if tuple(answer._shape) != g.shape:
                raise ShapeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size "
                                 f"of value: {shape_text(g.shape)} became "
                                 f"{shape_text(answer._shape)}")
            return answer._value

        forget()
        value = self._path()
        hooks = value.hooks = list(value.hooks or ())
        place = len(hooks) - (1 if self._retain is not None and hooks
                              and hooks[-1] is self._retain else 0)
        hooks.insert(place, on_value)

        def remove() -> None:
            if value.hooks and on_value in value.hooks:
                value.hooks = [h for h in value.hooks if h is not on_value]

        return RemovableHandle(remove)

    def register_post_accumulate_grad_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(tensor)` each time a backward has added to this leaf's `.grad`."""
        if not self.is_leaf or not self._tracked:
            raise GradientError("post accumulate grad hooks cannot be registered on non-leaf "
                                "tensors", fix="register_hook")
        forget()
        hooks = self.__dict__.setdefault("_post_accumulate_hooks", {})
        key = object()
        hooks[key] = hook
        return RemovableHandle(lambda: hooks.pop(key, None))

    def retain_grad(self) -> None:
        """Collect the gradient of a tensor that is no leaf, too."""
        if not self._tracked:
            raise GradientError("can't retain_grad on Tensor that has requires_grad=False",
                                fix="x.requires_grad_() before the computation")
        if self.is_leaf or self._retain is not None:
            return
        forget()
        reference = weakref.ref(self)

        def keep(g: Value) -> Value:
            tensor = reference()
            if tensor is not None:
                held = tensor._gradient
                tensor._gradient = base.wrap(g if mode.grad else base.stop(g)) if held is None \
                    else base.wrap(held._value + g)
            return g

        self._retain = keep
        if not self._steps:
            self._storage.retained = keep
        value = origin(self._value)
        value.hooks = [*(value.hooks or ()), keep]

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was asked for."""
        return self._retain is not None

    @property
    def output_nr(self) -> int:
        """Which output of its operation the tensor is: the only one."""
        return 0

    @property
    def _version(self) -> int:
        if self._storage.deferred is not None:
            self._storage.deferred.materialise()
        return self._storage.version.count

    @property
    def _base(self) -> Any:
        return shapes.storage_tensor(self) if self._is_view else None

    # --- reading: named moments of execution ----------------------------------------------

    def item(self) -> Any:
        """The element of a tensor of one element, as a Python number."""
        if math.prod(self._shape) != 1:
            raise StateError(f"a Tensor with {math.prod(self._shape)} elements cannot be converted "
                             "to Scalar", why="item() reads exactly one number",
                             fix="x.tolist(), or x.mean().item()")
        return self._read().reshape(()).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._read().tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The elements as a NumPy array that shares the tensor's memory.

        Raises:
            StateError: the tensor requires grad.
        """
        if self.requires_grad and not force:
            raise StateError("Can't call numpy() on Tensor that requires grad. Use "
                             "tensor.detach().numpy() instead.",
                             why="NumPy cannot record what it does for gradients",
                             fix="x.detach().numpy()")
        if self._dtype is dtypes.bfloat16:
            raise ArgumentTypeError("Got unsupported ScalarType BFloat16",
                                    why="NumPy has no bfloat16", fix="x.float().numpy()")
        return self._lend()

    def _lend(self) -> np.ndarray:
        self._read()
        storage = self._storage
        if storage.shared is None or not storage.shared.alive():
            self._read()
            # Memory of its own, in this storage's order, so that nothing else can be changed.
            memory = np.array(storage.value.data, order="C")
            export = Export(memory)
            lent = np.asarray(export)
            shared = Shared(memory, weakref.ref(export))
            for peer in self._peers():
                peer.share(shared)
        else:
            lent = storage.shared.lend()
        array = lent
        for step in self._steps:
            array = base.numpy_step(array, step)
        return array

    def _peers(self) -> list[Storage]:
        peers = [r() for r in self._storage.peers or ()]
        return [p for p in peers if p is not None] or [self._storage]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        array = self.numpy() if self._dtype is not dtypes.bfloat16 else self.detach()._read()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(self, array: np.ndarray, context: Any = None,
                       return_scalar: bool = False) -> Any:
        return creation.from_numpy(np.asarray(array).copy())

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """Return `lampion.array_api`, whose functions take tensors."""
        return importlib.import_module("lampion.array_api.array").namespace(api_version)

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        if self.requires_grad:
            raise ExportError("Can't export tensors that require gradient",
                              why="another library cannot record what it does for gradients",
                              fix="x.detach()")
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def _number(self, kind: str) -> Any:
        if math.prod(self._shape) != 1:
            raise ArgumentError(f"only one element tensors can be converted to Python scalars: "
                                f"this one has shape {shape_text(self._shape)}", fix="x.tolist()")
        return self.item()

    def __bool__(self) -> bool:
        if math.prod(self._shape) != 1:
            many = "more than one value" if math.prod(self._shape) else "no values"
            raise StateError(f"Boolean value of Tensor with {many} is ambiguous",
                             why=f"the tensor has shape {shape_text(self._shape)}",
                             fix="x.any() or x.all()")
        return bool(self.item())

    def __int__(self) -> int:
        return int(self._number("int"))

    def __float__(self) -> float:
        return float(self._number("float"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __index__(self) -> int:
        if self._dtype.is_inexact or math.prod(self._shape) != 1:
            raise ArgumentTypeError("only integer tensors of a single element can be converted to "
                                    "an index", fix="int(x)")
        return int(self.item())

    def __len__(self) -> int:
        if not self._shape:
            raise ArgumentTypeError("len() of a 0-d tensor", fix="x.numel()")
        return self._shape[0]

    def __iter__(self) -> Iterator:
        if not self._shape:
            raise ArgumentTypeError("iteration over a 0-d tensor", fix="x.item()")
        return iter(shapes.unbind(self, 0))

    def __reversed__(self) -> Any:
        return shapes.flip(self, 0) if self._shape else self

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, (TensorBase, bool, int, float)):
            raise StateError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed "
                             f"in a {type(element)}.")
        return bool(e.eq(self, element)._read().any())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        if base.is_unknown(self):
            shape = ", ".join(map(str, self._shape))
            return f"tensor(<one element of a mapped tensor>, size=({shape}), {self._dtype})"
        array = self._read()
        facts = []
        grad_fn = self.grad_fn
        if grad_fn is not None:
            facts.append(f"grad_fn=<{grad_fn.name()}>")
        elif self.requires_grad:
            facts.append("requires_grad=True")
        prefix = "tensor(" if type(self) in (Tensor, *printed_as_tensor) else (
            f"{type(self).__name__}(")
        return printing.format_tensor(
            array, self._dtype.name, default_dtype=self._dtype in (
                (default := dtypes.get_default_dtype()), default.to_complex()),
            suffixes=facts, prefix=prefix)

    def __format__(self, spec: str) -> str:
        if not self._shape:
            return printing.format_scalar(self._read(), spec)
        return printing.format_scalar(self._read(), spec) if spec else str(self)

    # --- copies and conversions ------------------------------------------------------------

    @recorded
    def to(self, *args: Any, **kwargs: Any) -> Any:
        """The tensor in another type (and on the CPU): itself where nothing changes.

        Args: a dtype, a device, both, or another tensor whose type is taken; `copy=True` copies
            always; `non_blocking` and `memory_format` are accepted.
        """
        dtype, copy = infer_dtype_argument(args, kwargs)
        if dtype is None or dtype is self._dtype:
            return e.clone(self) if copy else self
        return _cast(self, dtype)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the type, or the tensor in another type."""
        if dtype is None:
            return f"torch.{_TYPE_NAMES[self._dtype]}"
        if isinstance(dtype, str):
            names = {f"torch.{v}": k for k, v in _TYPE_NAMES.items()}
            if dtype not in names:
                raise ArgumentError(f"invalid type: '{dtype}'", fix="torch.FloatTensor")
            dtype = names[dtype]
        dtype = getattr(dtype, "dtype", dtype)
        return self if dtype is self._dtype else _cast(self, dtype)

    def type_as(self, other: Tensor) -> Any:
        """The tensor in another tensor's type."""
        return self.to(other._dtype)

    def float(self, memory_format: Any = None) -> Any:
        """The tensor as float32."""
        return self.to(dtypes.float32)

    def double(self, memory_format: Any = None) -> Any:
        """The tensor as float64."""
        return self.to(dtypes.float64)

    def cfloat(self, memory_format: Any = None) -> Any:
        """The tensor as complex64."""
        return self.to(dtypes.complex64)

    def cdouble(self, memory_format: Any = None) -> Any:
        """The tensor as complex128."""
        return self.to(dtypes.complex128)

    def half(self, memory_format: Any = None) -> Any:
        """The tensor as float16."""
        return self.to(dtypes.float16)

    def bfloat16(self, memory_format: Any = None) -> Any:
        """The tensor as bfloat16."""
        return self.to(dtypes.bfloat16)

    def long(self, memory_format: Any = None) -> Any:
        """The tensor as int64."""
        return self.to(dtypes.int64)

    def int(self, memory_format: Any = None) -> Any:
        """The tensor as int32."""
        return self.to(dtypes.int32)

    def short(self, memory_format: Any = None) -> Any:
        """The tensor as int16."""
        return self.to(dtypes.int16)

    def char(self, memory_format: Any = None) -> Any:
        """The tensor as int8."""
        return self.to(dtypes.int8)

    def byte(self, memory_format: Any = None) -> Any:
        """The tensor as uint8."""
        return self.to(dtypes.uint8)

    def bool(self, memory_format: Any = None) -> Any:
        """True where an element is not zero."""
        return self.to(dtypes.bool_)

    def cpu(self, memory_format: Any = None) -> Any:
        """The tensor itself: it lives on the CPU."""
        return self

    def cuda(self, device: Any = None, non_blocking: Any = False) -> Any:
        """Raises: lampion computes on the CPU."""
        dtypes.check_device("cuda")

    def pin_memory(self, device: Any = None) -> Any:
        """The tensor itself: there is nothing to pin memory for."""
        return self

    def share_memory_(self) -> Any:
        """The tensor itself: workers are threads and share it anyway."""
        return self

    def as_subclass(self, cls: Any) -> Any:
        """The same memory as an object of a subclass of Tensor."""
        made = object.__new__(cls)
        made._set_up(self._storage, self._steps, self._shape, self._strides, self._offset,
                     self._is_view)
        return made

    @staticmethod
    def _make_subclass(cls: Any, data: Tensor, require_grad: Any = False) -> Any:
        """The memory of a tensor, off its gradient path, as an object of a subclass of Tensor."""
        base.require_tensor(data, "_make_subclass", "data")
        made = data.detach().as_subclass(cls)
        return made.requires_grad_() if require_grad else made

    def resize_(self, *size: Any, memory_format: Any = None) -> Any:
        """Give the tensor itself another size; what is new is zero."""
        target = shapes.shape_argument(size, "resize_")
        if self._tracked and not (mode.inference and tuple(target) == tuple(self._shape)):
            raise StateError("cannot resize variables that require grad")
        if tuple(target) == tuple(self._shape):
            return self
        base.unrecorded()
        if self._offset + math.prod(target) <= math.prod(self._storage.value.shape):
            # It fits into the memory that is there, which others may look at.
            seen = shapes.leading(self, target) if not self._steps and self._contiguous() else (
                shapes.as_strided(self, target, strides.contiguous(target), self._offset))
            self._storage.version.count += 1
            self._set_up(seen._storage, seen._steps, seen._shape, seen._strides, seen._offset,
                         self._is_view)
            return self
        flat = np.zeros(math.prod(target), self._dtype.array)
        old = self._read().reshape(-1)[:flat.size]
        flat[:old.size] = old
        self._storage.version.count += 1
        value = ir.leaf(flat.reshape(target), self._dtype)
        # Views of the old memory, and what this is a view of, keep that.
        self._set_up(Storage(value, self._storage.version), (), tuple(target),
                     strides.contiguous(tuple(target)), 0)
        return self

    def resize_as_(self, other: Tensor, memory_format: Any = None) -> Any:
        """Give the tensor itself another tensor's size."""
        return self.resize_(other._shape)

    def set_(self, source: Tensor) -> Any:
        """Let the tensor look at another one's memory."""
        self.data = source
        return self

    def __copy__(self) -> Any:
        made = self.data.as_subclass(type(self))
        if self._tracked:
            made._become_leaf()
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise StateError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.", fix="copy.deepcopy(x.detach())")
        # Tensors that share a storage share its copy.
        storages = memo.setdefault("lampion storages", {})
        key = id(self._storage)
        if key not in storages:
            storages[key] = Storage(base.stop(self._storage.read()))
        made = object.__new__(type(self))
        made._set_up(storages[key], self._steps, self._shape, self._strides, self._offset)
        memo[id(self)] = made
        if self._tracked:
            made.requires_grad_(True)
        if self._gradient is not None:
            made._gradient = self._gradient.__deepcopy__(memo)
        made.__dict__.update(self.__dict__)
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple:
        if self._tracked and not self.is_leaf:
            raise StateError("cannot pickle a Tensor that is not a leaf: its history would be lost",
                             fix="x.detach()")
        arguments = (type(self), _StorageState.of(self._storage), self._steps_state(),
                     tuple(self._shape), tuple(self._strides), self._offset, self.requires_grad,
                     self.__dict__)
        return _rebuild, arguments

    def _steps_state(self) -> list:
        state = []
        for op, settings in self._steps:
            if op is base.POSITIONS:
                state.append((op.name, settings["index"].data))
            else:
                state.append((op.name, settings))
        return state

    # --- new tensors of this type ------------------------------------------------------------

    def new_tensor(self, data: Any, *, dtype: DType | None = None, device: Any = None,
                   requires_grad: Any = False) -> Any:
        """A new tensor with data, of this type."""
        return creation.tensor(data, dtype=dtype or self._dtype, requires_grad=requires_grad)

    def new_zeros(self, *size: Any, dtype: DType | None = None, device: Any = None,
                  requires_grad: Any = False) -> Any:
        """Zeros of this type."""
        return creation.zeros(*size, dtype=dtype or self._dtype, requires_grad=requires_grad)

    def new_ones(self, *size: Any, dtype: DType | None = None, device: Any = None,
                 requires_grad: Any = False) -> Any:
        """Ones of this type."""
        return creation.ones(*size, dtype=dtype or self._dtype, requires_grad=requires_grad)

    def new_full(self, size: Any, fill_value: Any, *, dtype: DType | None = None,
                 device: Any = None, requires_grad: Any = False) -> Any:
        """One number, of this type."""
        return creation.full(size, fill_value, dtype=dtype or self._dtype,
                             requires_grad=requires_grad)

    def new_empty(self, *size: Any, dtype: DType | None = None, device: Any = None,
                  requires_grad: Any = False) -> Any:
        """A tensor of this type, not meant to be read yet."""
        return creation.empty(*size, dtype=dtype or self._dtype, requires_grad=requires_grad)

    def new_empty_strided(self, size: Any, stride: Any, dtype: DType | None = None,
                          device: Any = None, requires_grad: Any = False) -> Any:
        """A tensor of this type and a memory order, not meant to be read yet."""
        return creation.empty_strided(size, stride, dtype=dtype or self._dtype,
                                      requires_grad=requires_grad)

    def new(self, *args: Any) -> Any:
        """A tensor of this type from a size or data (old spelling)."""
        return _legacy(args, {}, self._dtype)

    # --- indexing and operators ----------------------------------------------------------------

    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    def __add__(self, other: Any) -> Any:
        return _operator(e.add, self, other)

    def __sub__(self, other: Any) -> Any:
        return _operator(e.sub, self, other)

    def __mul__(self, other: Any) -> Any:
        return _operator(e.mul, self, other)

    def __truediv__(self, other: Any) -> Any:
        return _operator(e.div, self, other)

    def __floordiv__(self, other: Any) -> Any:
        return _operator(e.floor_divide, self, other)

    def __mod__(self, other: Any) -> Any:
        return _operator(e.remainder, self, other)

    def __pow__(self, other: Any) -> Any:
        return _operator(e.pow, self, other)

    def __matmul__(self, other: Any) -> Any:
        return _operator(linalg.matmul, self, other)

    def __radd__(self, other: Any) -> Any:
        return _operator(e.add, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operator(e.rsub, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operator(e.mul, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        # As PyTorch does; the gradient then needs the quotient, and self may be overwritten.
        return _operator(e.mul, e.reciprocal(self), other)

    __rdiv__ = __rtruediv__

    def __rfloordiv__(self, other: Any) -> Any:
        return _operator(e.floor_divide, other, self)

    def __rmod__(self, other: Any) -> Any:
        return _operator(e.remainder, other, self)

    def __rpow__(self, other: Any) -> Any:
        return _operator(e.pow, other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return _operator(linalg.matmul, other, self)

    def __and__(self, other: Any) -> Any:
        return _operator(e.bitwise_and, self, other)

    def __or__(self, other: Any) -> Any:
        return _operator(e.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Any:
        return _operator(e.bitwise_xor, self, other)

    def __lshift__(self, other: Any) -> Any:
        return _operator(e.bitwise_left_shift, self, other)

    def __rshift__(self, other: Any) -> Any:
        return _operator(e.bitwise_right_shift, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: Any) -> Any:
        return _operator(e.eq, self, other)

    def __ne__(self, other: Any) -> Any:
        return _operator(e.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return _operator(e.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return _operator(e.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return _operator(e.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return _operator(e.ge, self, other)

    __neg__, __abs__, __invert__, __pos__ = e.neg, e.abs, e.bitwise_not, e.positive
    __iadd__, __isub__, __imul__, __itruediv__ = e.add_, e.sub_, e.mul_, e.div_
    __ifloordiv__, __imod__, __ipow__ = e.floor_divide_, e.remainder_, e.pow_
    __iand__, __ior__, __ixor__ = e.bitwise_and_, e.bitwise_or_, e.bitwise_xor_


    # elementwise
    abs = e.abs
    abs_ = e.abs_
    absolute = e.absolute
    acos = e.acos
    acos_ = e.acos_
    acosh = e.acosh
    acosh_ = e.acosh_
    add = e.add
    add_ = e.add_
    addcdiv = e.addcdiv
    addcdiv_ = e.addcdiv_
    addcmul = e.addcmul
    addcmul_ = e.addcmul_
    allclose = e.allclose
    arccos = e.arccos
    arccosh = e.arccosh
    arcsin = e.arcsin
    arcsinh = e.arcsinh
    arctan = e.arctan
    arctan2 = e.arctan2
    arctanh = e.arctanh
    asin = e.asin
    asin_ = e.asin_
    asinh = e.asinh
    asinh_ = e.asinh_
    atan = e.atan
    atan2 = e.atan2
    atan2_ = e.atan2_
    atan_ = e.atan_
    atanh = e.atanh
    atanh_ = e.atanh_
    bitwise_and = e.bitwise_and
    bitwise_and_ = e.bitwise_and_
    bitwise_left_shift = e.bitwise_left_shift
    bitwise_not = e.bitwise_not
    bitwise_not_ = e.bitwise_not_
    bitwise_or = e.bitwise_or
    bitwise_or_ = e.bitwise_or_
    bitwise_right_shift = e.bitwise_right_shift
    bitwise_xor = e.bitwise_xor
    bitwise_xor_ = e.bitwise_xor_
    ceil = e.ceil
    ceil_ = e.ceil_
    clamp = e.clamp
    clamp_ = e.clamp_
    clamp_max = e.clamp_max
    clamp_max_ = e.clamp_max_
    clamp_min = e.clamp_min
    clamp_min_ = e.clamp_min_
    clip = e.clip
    clip_ = e.clip_
    clone = e.clone
    copy_ = e.copy_
    cos = e.cos
    cos_ = e.cos_
    cosh = e.cosh
    cosh_ = e.cosh_
    div = e.div
    div_ = e.div_
    divide = e.divide
    eq = e.eq
    equal = e.equal
    erf = e.erf
    erf_ = e.erf_
    erfc = special_functions.erfc
    erfinv = e.erfinv
    erfinv_ = e.erfinv_
    exp = e.exp
    exp2 = e.exp2
    exp2_ = e.exp2_
    exp_ = e.exp_
    expm1 = e.expm1
    expm1_ = e.expm1_
    fill_ = e.fill_
    fix = e.fix
    floor = e.floor
    floor_ = e.floor_
    floor_divide = e.floor_divide
    floor_divide_ = e.floor_divide_
    fmod = e.fmod
    fmod_ = e.fmod_
    frac = e.frac
    ge = e.ge
    greater = e.greater
    greater_equal = e.greater_equal
    gt = e.gt
    hypot = e.hypot
    isclose = e.isclose
    isfinite = e.isfinite
    isinf = e.isinf
    isnan = e.isnan
    isneginf = e.isneginf
    isposinf = e.isposinf
    le = e.le
    lerp = e.lerp
    lerp_ = e.lerp_
    less = e.less
    less_equal = e.less_equal
    log = e.log
    log10 = e.log10
    log10_ = e.log10_
    log1p = e.log1p
    log1p_ = e.log1p_
    log2 = e.log2
    log2_ = e.log2_
    log_ = e.log_
    logaddexp = e.logaddexp
    logical_and = e.logical_and
    logical_not = e.logical_not
    logical_or = e.logical_or
    logical_xor = e.logical_xor
    logit = e.logit
    lt = e.lt
    masked_fill = e.masked_fill
    masked_fill_ = e.masked_fill_
    maximum = e.maximum
    minimum = e.minimum
    mul = e.mul
    mul_ = e.mul_
    multiply = e.multiply
    nan_to_num = e.nan_to_num
    ne = e.ne
    neg = e.neg
    neg_ = e.neg_
    negative = e.negative
    not_equal = e.not_equal
    positive = e.positive
    pow = e.pow
    pow_ = e.pow_
    reciprocal = e.reciprocal
    reciprocal_ = e.reciprocal_
    relu = e.relu
    relu_ = e.relu_
    remainder = e.remainder
    remainder_ = e.remainder_
    round = e.round
    round_ = e.round_
    rsqrt = e.rsqrt
    rsqrt_ = e.rsqrt_
    sigmoid = e.sigmoid
    sigmoid_ = e.sigmoid_
    sign = e.sign
    sign_ = e.sign_
    sgn = complex_numbers.sgn
    sgn_ = e.sgn_
    fmax = e.fmax
    fmin = e.fmin
    sin = e.sin
    sin_ = e.sin_
    sinh = e.sinh
    sinh_ = e.sinh_
    sqrt = e.sqrt
    sqrt_ = e.sqrt_
    square = e.square
    square_ = e.square_
    sub = e.sub
    sub_ = e.sub_
    subtract = e.subtract
    tan = e.tan
    tan_ = e.tan_
    tanh = e.tanh
    tanh_ = e.tanh_
    true_divide = e.true_divide
    trunc = e.trunc
    trunc_ = e.trunc_
    zero_ = e.zero_
    cumsum_ = inplace.cumsum_
    cumprod_ = inplace.cumprod_
    tril_ = inplace.tril_
    triu_ = inplace.triu_
    eq_ = inplace.eq_
    ne_ = inplace.ne_
    lt_ = inplace.lt_
    le_ = inplace.le_
    gt_ = inplace.gt_
    ge_ = inplace.ge_
    logical_and_ = inplace.logical_and_
    logical_or_ = inplace.logical_or_
    logical_xor_ = inplace.logical_xor_
    logical_not_ = inplace.logical_not_
    bitwise_left_shift_ = inplace.bitwise_left_shift_
    bitwise_right_shift_ = inplace.bitwise_right_shift_
    nan_to_num_ = inplace.nan_to_num_
    erfc_ = inplace.erfc_
    frac_ = inplace.frac_
    hypot_ = inplace.hypot_
    logit_ = inplace.logit_
    addbmm_ = inplace.addbmm_
    baddbmm_ = inplace.baddbmm_
    addmv_ = inplace.addmv_
    addr_ = inplace.addr_
    copysign_ = inplace.copysign_
    nextafter_ = inplace.nextafter_
    deg2rad_ = inplace.deg2rad_
    rad2deg_ = inplace.rad2deg_
    gcd_ = inplace.gcd_
    lcm_ = inplace.lcm_
    heaviside_ = inplace.heaviside_
    ldexp_ = inplace.ldexp_
    float_power_ = inplace.float_power_
    lgamma_ = inplace.lgamma_
    digamma_ = inplace.digamma_
    igamma_ = inplace.igamma_
    igammac_ = inplace.igammac_
    mvlgamma_ = inplace.mvlgamma_
    polygamma_ = inplace.polygamma_
    i0_ = inplace.i0_
    sinc_ = inplace.sinc_
    xlogy_ = inplace.xlogy_
    renorm_ = inplace.renorm_
    fill_diagonal_ = inplace.fill_diagonal_
    # Second names.
    absolute_ = abs_
    arccos_ = acos_
    arccosh_ = acosh_
    arcsin_ = asin_
    arcsinh_ = asinh_
    arctan_ = atan_
    arctanh_ = atanh_
    arctan2_ = atan2_
    divide_ = div_
    true_divide_ = div_
    multiply_ = mul_
    subtract_ = sub_
    negative_ = neg_
    fix_ = trunc_
    greater_ = gt_
    greater_equal_ = ge_
    less_ = lt_
    less_equal_ = le_
    not_equal_ = ne_

    # reductions
    all = reduction.all
    amax = reduction.amax
    amin = reduction.amin
    aminmax = reduction.aminmax
    any = reduction.any
    argmax = reduction.argmax
    argmin = reduction.argmin
    argsort = reduction.argsort
    count_nonzero = reduction.count_nonzero
    cummax = reduction.cummax
    cummin = reduction.cummin
    cumprod = reduction.cumprod
    cumsum = reduction.cumsum
    kthvalue = reduction.kthvalue
    logsumexp = reduction.logsumexp
    nansum = reduction.nansum
    dist = reduction.dist
    max = reduction.max
    mean = reduction.mean
    median = reduction.median
    min = reduction.min
    norm = matrix_norms.norm_old
    prod = reduction.prod
    hash_tensor = hashing.hash_tensor
    geqrf = reflections.geqrf
    ormqr = reflections.ormqr
    orgqr = matrix_powers.householder_product
    lu = decomposition.lu_old
    narrow_copy = copies.narrow_copy
    is_nonzero = queries.is_nonzero
    is_same_size = queries.is_same_size
    quantile = quantiles.quantile
    nanquantile = quantiles.nanquantile
    sort = reduction.sort
    std = reduction.std
    sum = reduction.sum
    topk = reduction.topk
    var = reduction.var

    # shapes
    as_strided = shapes.as_strided
    broadcast_to = shapes.broadcast_to
    chunk = shapes.chunk
    contiguous = shapes.contiguous
    diagonal = shapes.diagonal
    expand = shapes.expand
    expand_as = shapes.expand_as
    flatten = shapes.flatten
    flip = shapes.flip
    diff = shapes.diff
    fliplr = shapes.fliplr
    flipud = shapes.flipud
    adjoint = shapes.matrix_t
    moveaxis = shapes.moveaxis
    movedim = shapes.movedim
    narrow = shapes.narrow
    permute = shapes.permute
    ravel = shapes.ravel
    repeat = shapes.repeat
    repeat_interleave = shapes.repeat_interleave
    reshape = shapes.reshape
    reshape_as = shapes.reshape_as
    roll = shapes.roll
    rot90 = shapes.rot90
    select = shapes.select
    split = shapes.split
    squeeze = shapes.squeeze
    squeeze_ = shapes.squeeze_
    swapaxes = shapes.swapaxes
    swapaxes_ = shapes.swapaxes_
    swapdims = shapes.swapdims
    swapdims_ = shapes.swapdims_
    t = shapes.t
    t_ = shapes.t_
    tensor_split = shapes.tensor_split
    tile = shapes.tile
    transpose = shapes.transpose
    transpose_ = shapes.transpose_
    unbind = shapes.unbind
    unflatten = shapes.unflatten
    unfold = shapes.unfold
    unsqueeze = shapes.unsqueeze
    unsqueeze_ = shapes.unsqueeze_
    view = shapes.view
    view_as = shapes.view_as

    # indexing
    argwhere = indexing.argwhere
    bincount = indexing.bincount
    gather = indexing.gather
    histc = indexing.histc
    index_add = indexing.index_add
    index_add_ = indexing.index_add_
    index_copy = indexing.index_copy
    index_copy_ = indexing.index_copy_
    index_fill = indexing.index_fill
    index_fill_ = indexing.index_fill_
    index_put = indexing.index_put
    index_put_ = indexing.index_put_
    index_select = indexing.index_select
    masked_scatter = indexing.masked_scatter
    masked_scatter_ = indexing.masked_scatter_
    masked_select = indexing.masked_select
    nonzero = indexing.nonzero
    scatter = indexing.scatter
    scatter_ = indexing.scatter_
    scatter_add = indexing.scatter_add
    scatter_add_ = indexing.scatter_add_
    index_reduce = index_reduction.index_reduce
    index_reduce_ = index_reduction.index_reduce_
    put = index_reduction.put
    put_ = index_reduction.put_
    scatter_reduce = index_reduction.scatter_reduce
    scatter_reduce_ = index_reduction.scatter_reduce_
    take = indexing.take
    take_along_dim = indexing.take_along_dim
    unique = indexing.unique
    unique_consecutive = indexing.unique_consecutive

    # products
    addbmm = linalg.addbmm
    addmm = linalg.addmm
    addmm_ = linalg.addmm_
    addmv = linalg.addmv
    addr = linalg.addr
    baddbmm = linalg.baddbmm
    bmm = linalg.bmm
    cross = linalg.cross
    dot = linalg.dot
    ger = linalg.ger
    kron = linalg.kron
    matmul = linalg.matmul
    mm = linalg.mm
    mv = linalg.mv
    outer = linalg.outer
    trace = linalg.trace
    vdot = linalg.vdot

    # matrices
    cholesky = decomposition.cholesky_old
    cholesky_inverse = matrix_functions.cholesky_inverse
    cholesky_solve = matrix_functions.cholesky_solve
    det = matrix_functions.det
    inner = matrix_powers.inner
    inverse = matrix_functions.inv
    logdet = matrix_functions.logdet
    lu_solve = matrix_functions.lu_solve_old
    matrix_exp = matrix_powers.matrix_exp
    matrix_power = matrix_powers.matrix_power
    pinverse = matrix_norms.pinverse
    qr = decomposition.qr_old
    slogdet = matrix_functions.slogdet
    svd = decomposition.svd_old
    triangular_solve = matrix_functions.triangular_solve

    # parts of numbers, special functions, statistics, copies of views
    diagflat = assembling.diagflat
    dsplit = assembling.dsplit
    hsplit = assembling.hsplit
    nonzero_static = assembling.nonzero_static
    sum_to_size = assembling.sum_to_size
    unsafe_chunk = assembling.unsafe_chunk
    unsafe_split = assembling.unsafe_split
    vsplit = assembling.vsplit
    as_strided_scatter = copies.as_strided_scatter
    diagonal_scatter = copies.diagonal_scatter
    select_scatter = copies.select_scatter
    slice_scatter = copies.slice_scatter
    angle = complex_numbers.angle
    conj = complex_numbers.conj
    conj_physical = complex_numbers.conj_physical
    copysign = number_parts.copysign
    deg2rad = number_parts.deg2rad
    float_power = number_parts.float_power
    frexp = number_parts.frexp
    gcd = number_parts.gcd
    heaviside = number_parts.heaviside
    isreal = complex_numbers.isreal
    lcm = number_parts.lcm
    ldexp = number_parts.ldexp
    logaddexp2 = number_parts.logaddexp2
    nextafter = number_parts.nextafter
    rad2deg = number_parts.rad2deg
    resolve_conj = complex_numbers.resolve_conj
    resolve_neg = complex_numbers.resolve_neg
    is_conj = complex_numbers.is_conj
    stft = spectrogram.stft
    istft = spectrogram.istft
    signbit = number_parts.signbit
    digamma = special_functions.digamma
    i0 = special_functions.i0
    igamma = special_functions.igamma
    igammac = special_functions.igammac
    lgamma = special_functions.lgamma
    logcumsumexp = special_functions.logcumsumexp
    mvlgamma = special_functions.mvlgamma
    polygamma = special_functions.polygamma
    sinc = special_functions.sinc
    xlogy = special_functions.xlogy
    corrcoef = sample_statistics.corrcoef
    cov = sample_statistics.cov
    histogram = sample_statistics.histogram
    mode = sample_statistics.mode
    msort = sample_statistics.msort
    nanmean = sample_statistics.nanmean
    nanmedian = sample_statistics.nanmedian
    renorm = sample_statistics.renorm

    # random numbers
    bernoulli = random.bernoulli
    bernoulli_ = random.bernoulli_
    cauchy_ = random.cauchy_
    exponential_ = random.exponential_
    geometric_ = random.geometric_
    log_normal_ = random.log_normal_
    multinomial = random.multinomial
    normal_ = random.normal_
    random_ = random.random_
    uniform_ = random.uniform_

    # activations
    softmax = activation.softmax_of
    log_softmax = activation.log_softmax_of
    prelu = activation.prelu
    hardshrink = activation.hardshrink

    # triangles and diagonals
    diag = creation.diag
    diag_embed = creation.diag_embed
    tril = creation.tril
    triu = creation.triu

    def where(self, condition: Any, other: Any) -> Any:
        """This tensor's elements where the condition holds, else other's."""
        return e.where(condition, self, other)

    def expand_dims(self, dim: Any) -> Any:
        """A new axis of size 1."""
        return shapes.unsqueeze(self, dim)

    def split_with_sizes(self, split_sizes: Any, dim: Any = 0) -> Any:
        """Views of pieces of the given sizes."""
        return shapes.split(self, list(split_sizes), dim)

    def apply_(self, function: Callable) -> Any:
        """Replace each element by what a Python function makes of it (slow)."""
        array = np.vectorize(function, otypes=[self._dtype.array])(self._read())
        return e.copy_(self, creation.tensor(array, dtype=self._dtype))

    def storage(self) -> Any:
        """Raises: storages are internal."""
        raise StateError("storage(): lampion does not expose storages", fix="x.data_ptr()")


printed_as_tensor: tuple = ()
base.TensorType = Tensor

_TYPE_NAMES = {
    dtypes.float32: "FloatTensor", dtypes.float64: "DoubleTensor", dtypes.float16: "HalfTensor",
    dtypes.bfloat16: "BFloat16Tensor", dtypes.int64: "LongTensor", dtypes.int32: "IntTensor",
    dtypes.int16: "ShortTensor", dtypes.int8: "CharTensor", dtypes.uint8: "ByteTensor",
    dtypes.bool_: "BoolTensor", dtypes.uint16: "UInt16Tensor", dtypes.uint32: "UInt32Tensor",
    dtypes.uint64: "UInt64Tensor", dtypes.complex64: "ComplexFloatTensor",
    dtypes.complex128: "ComplexDoubleTensor",
}


# What the operators that exchange their operands call with a number in the first place.
_NUMBERS_FIRST = (e.pow, e.remainder, e.floor_divide, linalg.matmul)


def _operator(function: Callable, a: Any, b: Any) -> Any:
    """Apply a binary function; NotImplemented for operands that are no numbers."""
    if isinstance(b, TensorBase) and isinstance(a, TensorBase) or type(b) in (float, int):
        return function(a, b)
    for x in (a, b):
        if not isinstance(x, (TensorBase, bool, int, float, complex, np.number, np.bool_)):
            if isinstance(x, np.ndarray):
                x = creation.tensor(x)
            else:
                return NotImplemented
    if base.is_number(a) and (function not in _NUMBERS_FIRST or base.is_number(b)):
        base.require_tensor(a, function.__name__)
    a = creation.tensor(a) if isinstance(a, np.ndarray) else a
    b = creation.tensor(b) if isinstance(b, np.ndarray) else b
    return function(a, b)


def _set_gradient(tensor: TensorBase, gradient: Any) -> None:
    tensor._gradient = gradient


def _follow_gradient(run: Any, args: tuple, kwargs: dict) -> None:
    run.set_gradient(*args)


_set_gradient = recorded(_set_gradient, follow=_follow_gradient)


def _cast(tensor: TensorBase, dtype: DType) -> Any:
    if not isinstance(dtype, DType):
        raise ArgumentTypeError(f"to(): expected a torch.dtype, got {type(dtype).__name__}",
                                fix="x.to(torch.float32)")
    found = strides.elementwise(tensor._shape, [(tensor._shape, tensor._strides)])
    return base.call(registry["cast"], (tensor,), {"dtype": dtype}, found, label="to_copy")


def _legacy(args: tuple, kwargs: dict, dtype: DType) -> Any:
    """`torch.FloatTensor(...)`, `torch.Tensor(...)`: a size, data, or nothing."""
    if not args and not kwargs:
        return creation.empty(0, dtype=dtype)
    if len(args) == 1 and not isinstance(args[0], int):
        data = args[0]
        if isinstance(data, Size):
            return creation.empty(data, dtype=dtype)
        if isinstance(data, TensorBase):
            return data.to(dtype) if data._dtype is not dtype else data.detach()
        return creation.tensor(data, dtype=dtype)
    return creation.empty(*args, dtype=dtype)


class _StorageState:
    """A storage as it is pickled: tensors that share one find each other again."""

    def __init__(self, array: np.ndarray, dtype: DType):
        self.array, self.dtype = array, dtype
        self.storage: Storage | None = None

    _known: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, storage: Storage) -> _StorageState:
        """The state of a storage: the same object while the storage's value is the same."""
        from_value = storage.value
        known = cls._known.get(storage)
        if known is None or known[0] is not from_value:
            array = np.array(base.trace.read(storage.value))
            known = (from_value, cls(array, storage.value.dtype))
            cls._known[storage] = known
        return known[1]

    def restore(self) -> Storage:
        """The storage, made at the first call."""
        if self.storage is None:
            self.storage = Storage(ir.leaf(self.array, self.dtype))
        return self.storage

    def __getstate__(self) -> tuple:
        return self.array, self.dtype

    def __setstate__(self, state: tuple) -> None:
        self.array, self.dtype = state
        self.storage = None


def _rebuild(cls, state, steps_state, shape_, strides_, offset, requires_grad, attributes):
    steps = []
    for name, settings in steps_state:
        if name == base.POSITIONS.name:
            steps.append((base.POSITIONS, {"index": ir.leaf(settings, dtypes.int64)}))
        else:
            steps.append((registry[name], settings))
    made = object.__new__(cls)
    made._set_up(state.restore(), tuple(steps), shape_, strides_, offset, bool(steps))
    if requires_grad:
        made.requires_grad_(True)
    made.__dict__.update(attributes)
    return made


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor.

    Example:
        >>> import lampion as torch
        >>> torch.is_tensor(torch.ones(1)), torch.is_tensor([1])
        (True, False)
    """
    return isinstance(x, TensorBase)


class _TensorTypeMeta(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor) and x._dtype is cls.dtype  # type: ignore[attr-defined]


def typed(name: str, dtype: DType):
    """Return an old-style tensor type such as `FloatTensor`."""

    def make(cls, *args: Any, **kwargs: Any) -> Any:
        return _legacy(args, kwargs, dtype)

    return _TensorTypeMeta(name, (), {"dtype": dtype, "__new__": make,
                                      "__doc__": f"`{name}(size or data)`: a {dtype.name} tensor."})

