"""Reading PyTorch's .pt and .pth files, both generations, without executing anything.

    since 1.6   a zip archive: data.pkl (structure), data/0, data/1, ... (elements)
    before      pickles one after the other (magic number, version, machine, structure, names
                of the storages), then the elements of each storage

The structure is read by `pickles.Machine`. It describes a tensor by the storage with its
elements, an offset, a shape and strides.
"""

from __future__ import annotations

import io
import math
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from lampion import dtypes
from lampion.errors import FileFormatError
from lampion.nn.parameter import Parameter
from lampion.serialization.files import LEGACY_TORCH
from lampion.serialization.pickles import Machine, Name
from lampion.serialization.safetensors_files import KINDS
from lampion.serialization.tree import DTYPE_OF_KIND, KIND_OF_DTYPE, from_stored
from lampion.tensor import Tensor

ZIP = b"PK\x03\x04"
MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_KINDS = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16",
    "BFloat16Storage": "BF16", "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16",
    "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64", "ComplexDoubleStorage": "C128",
}


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins so may be one of PyTorch's."""
    return start.startswith(ZIP) or (start.startswith(b"\x80") and LEGACY_TORCH in start)


def read(file: BinaryIO, start: bytes, source: str) -> Any:
    """Read a PyTorch file.

    Args:
        file: positioned behind `start`.
        start: the first bytes of the file, already taken from it.
        source: name of the file in messages.

    Raises:
        FileFormatError: damaged, another kind of archive, or with more than plain values.
    """
    whole = io.BytesIO(start + file.read())
    return _read_zip(whole, source) if start.startswith(ZIP) else _read_legacy(whole, source)


# -- Tensors --------------------------------------------------------------------------------------


@dataclass
class Storage:
    """The elements that one or more tensors look at; `array` is None until it is read."""

    kind: str
    count: int
    array: np.ndarray | None = None


class Reader:
    """Builds the tensors that a structure describes.

    Args:
        storage_of: gives the storage for (key, kind, number of elements).
        source: name of the file in messages.
    """

    def __init__(self, storage_of: Callable[[str, str, int], Storage], source: str) -> None:
        self.storage_of = storage_of
        self.source = source
        self.made: dict[Any, Tensor] = {}

    def structure(self, file: BinaryIO) -> Any:
        """Run the pickle at the position of `file`."""
        utils = "torch._utils"
        builders: dict[Name, Callable[..., Any]] = {
            Name(utils, "_rebuild_tensor"): self.tensor,
            Name(utils, "_rebuild_tensor_v2"): self.tensor,
            Name(utils, "_rebuild_parameter"): self.parameter,
            Name(utils, "_rebuild_parameter_with_state"): self.parameter,
            Name("torch.nn.parameter", "Parameter"): self.parameter,
            Name("torch", "Size"): lambda sizes=(): dtypes.Size(sizes),
            Name("torch", "device"): lambda kind="cpu", index=None: dtypes.device("cpu"),
            Name("torch.serialization", "_get_layout"): lambda name: name,
            **NUMPY_BUILDERS,
        }
        constants: dict[Name, Any] = {
            Name("torch", name): kind for name, kind in STORAGE_KINDS.items()}
        constants |= {Name("torch", name): dtypes.by_name(name) for name in KIND_OF_DTYPE}
        constants |= {Name("torch.storage", "TypedStorage"): None,
                      Name("torch.storage", "UntypedStorage"): "U8",
                      Name("torch", "UntypedStorage"): "U8"}
        return Machine(builders, constants, self.persistent, self.source).run(file)

    def persistent(self, description: Any) -> Storage:
        """Return the storage that a structure refers to."""
        what, kind, key, _place, count, *view = description
        if what != "storage" or kind not in DTYPE_OF_KIND or any(view):
            raise FileFormatError(f"{self.source} refers to {str(description)[:80]}",
                                  why="elements of tensors were expected")
        return self.storage_of(str(key), kind, int(count))

    def tensor(
        self, storage: Storage, offset: int, size: Any, stride: Any,
        requires_grad: bool = False, hooks: Any = None, metadata: Any = None,
    ) -> Tensor:
        """Return the tensor of given shape and strides that looks at a storage."""
        if not isinstance(storage, Storage) or storage.array is None:
            raise ValueError("a tensor without elements")
        size, stride = tuple(size), tuple(stride)
        key = id(storage), offset, size, stride, bool(requires_grad)
        if key not in self.made:
            elements = self._elements(storage.array, offset, size, stride)
            made = from_stored(storage.kind, elements)
            if requires_grad and not made.is_floating_point():
                raise ValueError(f"a tensor of {storage.kind} elements with a gradient")
            self.made[key] = made.requires_grad_() if requires_grad else made
        return self.made[key]

    def _elements(self, array: np.ndarray, offset: int, size: Any, stride: Any) -> np.ndarray:
        numbers = [offset, *size, *stride]
        if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"a tensor of shape {size} with strides {stride}")
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count and last >= len(array):
            raise ValueError(f"a tensor of shape {size} reaches behind its {len(array)} elements")
        if count > max(1 << 24, 64 * len(array)):  # repeated elements that would fill the memory
            raise ValueError(f"a tensor of shape {size} from {len(array)} elements")
        if not count:
            return np.empty(size, array.dtype)
        steps = tuple(step * array.itemsize for step in stride)
        return np.lib.stride_tricks.as_strided(array[offset:], size, steps).copy()

    def parameter(
        self, data: Tensor, requires_grad: bool = True, hooks: Any = None, state: Any = None
    ) -> Parameter:
        """Return a parameter with the elements of `data`, the same one for the same tensor."""
        if not isinstance(data, Tensor) or requires_grad and not data.is_floating_point():
            raise TypeError("a parameter without a tensor of numbers")
        key = "parameter", id(data), bool(requires_grad)
        if key not in self.made:
            self.made[key] = Parameter(data, requires_grad=bool(requires_grad))
        return self.made[key]  # type: ignore[return-value]


def _array(kind: str, data: bytes, count: int, big: bool, what: str, source: str) -> np.ndarray:
    dtype = KINDS[kind]
    if len(data) != count * dtype.itemsize:
        raise FileFormatError(
            f"{source} is cut off or damaged: {what} has {len(data)} bytes, "
            f"not {count * dtype.itemsize}")
    array = np.frombuffer(data, dtype.newbyteorder(">") if big else dtype)
    if kind == "BOOL":  # anything but 0 and 1 would not be a bool for NumPy
        return array.view(np.uint8) != 0
    return array.astype(dtype, copy=False)


# -- NumPy values in checkpoints ------------------------------------------------------------------


@dataclass
class PickledDType:
    """A NumPy type being described by a pickle."""

    code: str

    def set_pickled_state(self, state: Any) -> None:
        """Take the byte order; everything else follows from the code."""
        order = state[1]
        if order in ("<", ">"):
            self.code = order + self.code

    def dtype(self) -> np.dtype:
        """Return the type, if it is one of plain numbers."""
        found = np.dtype(self.code)
        if found.kind not in "biufc":
            raise ValueError(f"NumPy type {found}")
        return found


def _numpy_scalar(kind: PickledDType, data: Any = b"") -> Any:
    if isinstance(data, str):
        data = data.encode("latin-1")
    (value,) = np.frombuffer(data, kind.dtype())
    return value


NUMPY_BUILDERS: dict[Name, Callable[..., Any]] = {
    Name("numpy", "dtype"): lambda code, *flags: PickledDType(str(code)),
    Name("numpy.core.multiarray", "scalar"): _numpy_scalar,
    Name("numpy._core.multiarray", "scalar"): _numpy_scalar,
}


# -- The zip archive ------------------------------------------------------------------------------


def _read_zip(file: BinaryIO, source: str) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            return _read_archive(archive, source)
    except FileFormatError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, OverflowError, zlib.error,
            RuntimeError) as error:  # RuntimeError: an entry that is marked as encrypted
        raise FileFormatError(
            f"{source} is cut off or damaged: its zip archive cannot be read ({error})",
            fix="copy or download it again",
        ) from None


def _read_archive(archive: zipfile.ZipFile, source: str) -> Any:
    names = archive.namelist()
    pickle = next((name for name in names if name.split("/", 1)[-1] == "data.pkl"), None)
    if pickle is None:
        npz = bool(names) and all(name.endswith(".npy") for name in names)
        raise FileFormatError(
            f"{source} is a zip archive, but not one of PyTorch's",
            why="it holds NumPy arrays; use numpy.load" if npz else "it holds no data.pkl",
        )
    folder = pickle.removesuffix("data.pkl")
    if folder + "constants.pkl" in names:
        raise FileFormatError(
            f"{source} is a TorchScript program",
            why="lampion reads values, not programs",
            fix="torch.save(torch.jit.load(path).state_dict(), new_path)   with PyTorch",
        )
    big = folder + "byteorder" in names and archive.read(folder + "byteorder") == b"big"
    storages: dict[str, Storage] = {}

    def storage_of(key: str, kind: str, count: int) -> Storage:
        if key not in storages:
            name = f"{folder}data/{key}"
            if name not in names:
                raise FileFormatError(f"{source} is damaged: it has no {name}")
            # A packed entry must not unfold to more than the structure says.
            info, wanted = archive.getinfo(name), count * KINDS[kind].itemsize
            data = archive.read(name) if info.file_size == wanted else b""
            storages[key] = Storage(kind, count, _array(kind, data, count, big, name, source))
        elif (storages[key].kind, storages[key].count) != (kind, count):
            raise FileFormatError(f"{source} is damaged: storage {key} has two types or sizes")
        return storages[key]

    return Reader(storage_of, source).structure(io.BytesIO(archive.read(pickle)))


# -- The older format -----------------------------------------------------------------------------


def _read_legacy(file: BinaryIO, source: str) -> Any:
    def nothing(*_: Any) -> Storage:
        raise ValueError("elements before the structure")

    header = [Reader(nothing, source).structure(file) for _ in range(3)]
    if header[0] != MAGIC or not isinstance(header[2], dict):
        raise FileFormatError(f"{source} is damaged: it does not begin like a PyTorch file")
    big = not header[2].get("little_endian", sys.byteorder == "little")
    position = file.tell()
    described: OrderedDict[str, Storage] = OrderedDict()

    def describe(key: str, kind: str, count: int) -> Storage:
        return described.setdefault(key, Storage(kind, count))

    _collect_storages(file, describe, source)
    keys = Reader(nothing, source).structure(file)
    if not isinstance(keys, list) or {str(key) for key in keys} != set(described):
        raise FileFormatError(f"{source} is damaged: its list of storages does not fit")
    for key in keys:
        storage = described[str(key)]
        count = int.from_bytes(file.read(8), "big" if big else "little", signed=True)
        if count != storage.count:
            raise FileFormatError(
                f"{source} is cut off or damaged: storage {key} has {count} elements, "
                f"not {storage.count}")
        data = file.read(count * KINDS[storage.kind].itemsize)
        storage.array = _array(storage.kind, data, count, big, f"storage {key}", source)
    file.seek(position)
    return Reader(describe, source).structure(file)


class _Collecting(Reader):
    """Runs a structure for the storages it names, before their elements are known."""

    def tensor(self, *description: Any) -> Any:
        return object()

    def parameter(self, *description: Any) -> Any:
        return None


def _collect_storages(
    file: BinaryIO, describe: Callable[[str, str, int], Storage], source: str
) -> None:
    _Collecting(describe, source).structure(file)
