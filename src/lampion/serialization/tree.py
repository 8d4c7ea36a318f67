"""The structure of a saved object as JSON, with its tensors kept apart.

    encode(object) -> JSON value, tensors by name        decode(JSON value, tensors) -> object

Strings, booleans, None, small integers, finite floats and lists stand for themselves in JSON.
Everything else is an object with one key that names its type: {"tuple": [1, 2]},
{"dict": [[key, value], ...]} (so keys may be anything), {"tensor": "fc.weight"}. Only the types
listed here exist, and making one of them runs no code of the file's or of the user's.
"""

from __future__ import annotations

import base64
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentTypeError, FileFormatError, UnsupportedError
from lampion.functions.creation import adopt
from lampion.nn.parameter import Parameter
from lampion.serialization.safetensors_files import KINDS, Stored
from lampion.tensor import Tensor

LARGEST_JSON_INTEGER = 2**53  # other readers of JSON keep numbers as doubles
KIND_OF_DTYPE = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "uint16": "U16", "uint32": "U32", "uint64": "U64", "complex64": "C64", "complex128": "C128",
}
FLOATING = ("float16", "bfloat16", "float32", "float64")
DTYPE_OF_KIND = {kind: name for name, kind in KIND_OF_DTYPE.items()}


def name_of(dtype: Any) -> str:
    """Return "float32" for `lampion.float32`."""
    return str(dtype).rpartition(".")[2]


# -- Tensors to arrays and back -------------------------------------------------------------------


def to_stored(value: Tensor) -> Stored:
    """Return the elements of a tensor as an array, bfloat16 as its bits."""
    kind = KIND_OF_DTYPE[name_of(value.dtype)]
    elements = value.detach()._read()
    if kind == "C128":
        raise UnsupportedError("a tensor of complex128 cannot be saved",
                               why="the safetensors format has complex64 only",
                               fix="torch.view_as_real(x), or x.to(torch.complex64)")
    if kind == "BF16":  # kept as rounded float32
        bits = np.array(elements, np.float32, order="C").view(np.uint32) >> 16
        return kind, bits.astype(np.uint16)
    return kind, elements


def from_stored(kind: str, array: np.ndarray) -> Tensor:
    """Return a tensor with these elements, which become its own."""
    if kind == "BF16":
        wide = np.asarray(array.astype(np.uint32) << 16).view(np.float32)
        return adopt(wide, dtypes.bfloat16)
    return adopt(array.astype(array.dtype.newbyteorder("="), copy=False))


def memory_of(value: Tensor) -> Any:
    """Return what is equal for two tensors that are the same elements of the same memory."""
    return (id(value._storage.version), value.storage_offset(), tuple(value.shape),
            tuple(value.stride()))


# -- Encoding -------------------------------------------------------------------------------------


class Encoder:
    """Turns an object into a JSON value and collects its tensors in `tensors`."""

    def __init__(self) -> None:
        self.tensors: dict[str, Stored] = {}
        self._names: dict[Any, str] = {}  # memory -> name, so that shared memory is stored once
        self._open: set[int] = set()  # containers being encoded, to notice a loop
        self._kept: list[Any] = []  # keeps ids in `_names` from being used again

    def encode(self, value: Any, path: tuple[Any, ...] = ()) -> Any:
        """Return the JSON value of an object.

        Args:
            path: keys and indices that lead to it from the object that is saved.

        Raises:
            ArgumentTypeError: something that cannot be saved, or that contains itself.
        """
        if value is None or type(value) in (bool, str):
            return value
        encode_number = NUMBERS.get(type(value))
        if encode_number is not None:
            return encode_number(value)
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, np.ndarray) and value.dtype in KINDS.values():
            return {"array": self._store(value, (_kind_of(value), value), path)}
        if id(value) in self._open:
            raise ArgumentTypeError(f"{where(path)} contains itself",
                                    why="a file has an end")
        self._open.add(id(value))
        try:
            return self._container(value, path)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, path: tuple[Any, ...]) -> Any:
        kind = type(value)
        if kind is list:
            return [self.encode(entry, (*path, i)) for i, entry in enumerate(value)]
        if kind in SEQUENCES:
            entries = [self.encode(entry, (*path, i)) for i, entry in enumerate(value)]
            return {SEQUENCES[kind]: entries}
        if kind in MAPPINGS:
            pairs = [[self.encode(key, (*path, key)), self.encode(entry, (*path, key))]
                     for key, entry in value.items()]
            node: dict[str, Any] = {MAPPINGS[kind]: pairs}
            metadata = getattr(value, "_metadata", None)  # versions in a module's state dict
            if metadata is not None:
                node["metadata"] = self.encode(metadata, (*path, "_metadata"))
            return node
        raise _unsavable(value, path)

    def _tensor(self, value: Tensor, path: tuple[Any, ...]) -> Any:
        kind = "parameter" if isinstance(value, Parameter) else "tensor"
        memory = memory_of(value) if value.numel() else id(value)
        name = self._names.get(memory)
        if name is None:
            self._kept.append(value)
            name = self._names[memory] = self._store(value, to_stored(value), path)
        node: dict[str, Any] = {kind: name}
        if value.requires_grad != (kind == "parameter"):
            node["requires_grad"] = value.requires_grad
        return node

    def _store(self, value: Any, stored: Stored, path: tuple[Any, ...]) -> str:
        """Keep the elements under a name made of the path, as other programs would expect."""
        self._kept.append(value)
        wanted = ".".join(str(key) for key in path) or "tensor"
        name, count = wanted, 1
        while name in self.tensors or name == "__metadata__":
            count += 1
            name = f"{wanted}#{count}"
        self.tensors[name] = stored
        return name


def _kind_of(array: np.ndarray) -> str:
    return next(kind for kind, dtype in KINDS.items() if dtype == array.dtype and kind != "BF16")


def _encode_integer(value: int) -> Any:
    # Hexadecimal: Python refuses to read very long decimal numbers.
    return value if abs(value) <= LARGEST_JSON_INTEGER else {"int": hex(value)}


def _encode_float(value: float) -> Any:
    return value if math.isfinite(value) else {"float": repr(value)}


def _encode_scalar(value: np.generic) -> Any:
    return {"scalar": [value.dtype.str, base64.b64encode(value.tobytes()).decode()]}


NUMBERS: dict[type, Callable[[Any], Any]] = {
    int: _encode_integer,
    float: _encode_float,
    complex: lambda z: {"complex": [_encode_float(z.real), _encode_float(z.imag)]},
    bytes: lambda b: {"bytes": base64.b64encode(b).decode()},
    dtypes.dtype: lambda d: {"dtype": name_of(d)},
    dtypes.device: lambda d: {"device": str(d)},
    **{kind: _encode_scalar for kind in (
        np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
        np.uint64, np.float16, np.float32, np.float64)},
}
SEQUENCES: dict[type, str] = {
    tuple: "tuple", set: "set", frozenset: "frozenset", dtypes.Size: "Size",
}
MAPPINGS: dict[type, str] = {dict: "dict", OrderedDict: "OrderedDict", Counter: "Counter"}


def where(path: tuple[Any, ...]) -> str:
    """Write a path as one writes it in a program: `object["model"][0]`."""
    return "object" + "".join(f"[{key!r}]" for key in path)


def _unsavable(value: Any, path: tuple[Any, ...]) -> ArgumentTypeError:
    kind = type(value)
    if callable(getattr(value, "state_dict", None)):
        return ArgumentTypeError(
            f"{where(path)} is a whole {kind.__name__}",
            why="a file holds values, not code; a model is rebuilt by its own program",
            fix="save(model.state_dict(), path)   and, to read it, "
            "model.load_state_dict(load(path))",
        )
    allowed = "numbers, strings, bytes, None, tensors, dtypes, list, tuple, set, dict, OrderedDict"
    base = next((one for one in (*MAPPINGS, list, *SEQUENCES) if isinstance(value, one)), None)
    return ArgumentTypeError(
        f"{where(path)} is a {kind.__module__}.{kind.__qualname__}",
        why=f"a file can hold {allowed}",
        fix=f"{base.__name__}(...)" if base else "its values as a dict",
    )


# -- Decoding -------------------------------------------------------------------------------------


class Decoder:
    """Turns a JSON value back into the object.

    Args:
        stored: the arrays of the file.
        source: name of the file in messages.
    """

    def __init__(self, stored: dict[str, Stored], source: str) -> None:
        self.stored = stored
        self.source = source
        self._made: dict[tuple[Any, ...], Tensor] = {}

    def decode(self, node: Any) -> Any:
        """Return the object of a JSON value; raises FileFormatError where there is none."""
        if node is None or isinstance(node, (bool, str, int, float)):
            return node
        if isinstance(node, list):
            return [self.decode(entry) for entry in node]
        try:
            kind, content = next(iter(node.items()))
            if kind in ("tensor", "parameter"):
                return self._tensor(kind, content, node.get("requires_grad"))
            if kind == "array":
                return self.stored[content][1]
            return self._other(kind, content, node)
        except (ValueError, TypeError, KeyError, LookupError, StopIteration, AttributeError):
            raise FileFormatError(
                f"{self.source} is damaged: it holds {str(node)[:80]}",
                why="no type of that description exists",
            ) from None

    def _tensor(self, kind: str, name: str, requires_grad: bool | None) -> Tensor:
        wanted = (kind == "parameter") if requires_grad is None else bool(requires_grad)
        key = kind, name, wanted
        if key not in self._made:
            if wanted and DTYPE_OF_KIND[self.stored[name][0]] not in FLOATING:
                raise ValueError("a gradient of whole numbers")
            value = next((made for (_, other, _), made in self._made.items() if other == name),
                         None)
            value = from_stored(*self.stored[name]) if value is None else value.detach()
            if kind == "parameter":
                value = Parameter(value, requires_grad=wanted)
            elif wanted:
                value.requires_grad_()
            self._made[key] = value
        return self._made[key]

    def _other(self, kind: str, content: Any, node: dict[str, Any]) -> Any:
        if kind in SIMPLE:
            return SIMPLE[kind](content)
        for made, name in SEQUENCES.items():
            if kind == name:
                return made(self.decode(entry) for entry in content)
        for made, name in MAPPINGS.items():
            if kind == name:
                mapping = made()
                for key, entry in content:
                    mapping[self.decode(key)] = self.decode(entry)
                if "metadata" in node:
                    mapping._metadata = self.decode(node["metadata"])  # type: ignore[attr-defined]
                return mapping
        raise ValueError(kind)


def _scalar(content: list[str]) -> Any:
    dtype = np.dtype(content[0])
    if dtype.type not in NUMBERS:
        raise ValueError(content[0])
    (value,) = np.frombuffer(base64.b64decode(content[1], validate=True), dtype)
    return value


def _special_float(content: str) -> float:
    return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]


def _part(content: Any) -> float:
    return content if isinstance(content, float) else _special_float(content["float"])


SIMPLE: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": _special_float,
    "complex": lambda parts: complex(_part(parts[0]), _part(parts[1])),
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "dtype": dtypes.by_name,
    "device": dtypes.device,
    "scalar": _scalar,
}
