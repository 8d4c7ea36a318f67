"""Elements between memory and registers: contiguous, spread out, and at the end of a row.

At the end of a row fewer elements exist than a vector holds: `count` says how many, `b.mask` which.
Nothing outside is read or written; the missing elements of a load are 0.
"""

from __future__ import annotations

from ..dtypes import bool_, float16, float32, int32, uint8
from ..dtypes import dtype as DType
from .elements import MEMORY, Vector
from .kernel_text import Whole


def load(b, pointer: str, dtype: DType, stride: Whole, count: Whole | None) -> Vector:
    """Read a vector of elements that lie `stride` apart, or one number if that is 0."""
    raw = _raw(dtype)
    if stride == 0:
        return _decoded(b, b.value(f"load {raw}, ptr {pointer}, align {_size(dtype)}"), dtype, 1)
    many = f"<{b.width} x {raw}>"
    if stride != 1:
        name = _gather(b, pointer, dtype, stride, count)
    elif count is None:
        name = b.value(f"load {many}, ptr {pointer}, align {_size(dtype)}")
    elif _has_masks(b, dtype):
        name = b.call(many, f"llvm.masked.load.v{b.width}{_suffix(raw)}.p0", f"ptr {pointer}",
                      f"i32 {_size(dtype)}", f"<{b.width} x i1> {b.mask}",
                      f"{many} zeroinitializer")
    else:
        place = b.variable(many)
        b.set(many, place, "zeroinitializer")
        _copy(b, place, pointer, count, dtype)
        name = b.get(many, place)
    return _decoded(b, name, dtype, b.width)


def store(b, x: Vector, pointer: str, stride: Whole, count: Whole | None) -> None:
    """Write a vector to elements that lie `stride` apart, or one number if that is 0."""
    raw, size = _raw(x.dtype), _size(x.dtype)
    if stride == 0:
        b.line(f"store {raw} {_encoded(b, x)}, ptr {pointer}, align {size}")
        return
    name = _encoded(b, b.widened(x, b.width))
    many = f"<{b.width} x {raw}>"
    if stride != 1:
        _scatter(b, name, pointer, x.dtype, stride, count)
    elif count is None:
        b.line(f"store {many} {name}, ptr {pointer}, align {size}")
    elif _has_masks(b, x.dtype):
        b.call("void", f"llvm.masked.store.v{b.width}{_suffix(raw)}.p0", f"{many} {name}",
               f"ptr {pointer}", f"i32 {size}", f"<{b.width} x i1> {b.mask}")
    else:
        place = b.variable(many)
        b.set(many, place, name)
        _copy(b, pointer, place, count, x.dtype)


def tail_mask(b, count: Whole) -> str:
    """Return an <W x i1>: the first `count` elements."""
    number = Vector(b.value(f"trunc i64 {count} to i32"), int32, 1)
    lanes = ", ".join(f"i32 {k}" for k in range(b.width))
    return b.value(f"icmp slt <{b.width} x i32> <{lanes}>, {b.widened(number, b.width).name}")


# --- parts ---------------------------------------------------------------------------------


def _raw(dtype: DType) -> str:
    return "i16" if dtype is float16 else MEMORY[dtype.name]


def _size(dtype: DType) -> int:
    return dtype.array.itemsize


def _suffix(raw: str) -> str:
    return {"float": "f32", "double": "f64"}.get(raw, raw)


def _has_masks(b, dtype: DType) -> bool:
    return b.avx512 or (b.avx2 and _size(dtype) >= 4)


def _decoded(b, name: str, dtype: DType, width: int) -> Vector:
    if dtype is bool_:
        byte = Vector(name, uint8, width)
        return b.ne(byte, b.constant(0, byte))
    if dtype is not float16:
        return Vector(name, dtype, width)
    kind = (lambda one: one) if width == 1 else (lambda one: f"<{width} x {one}>")
    if b.has_half:
        half = b.value(f"bitcast {kind('i16')} {name} to {kind('half')}")
        return Vector(b.value(f"fpext {kind('half')} {half} to {kind('float')}"), dtype, width)
    bits = Vector(b.value(f"zext {kind('i16')} {name} to {kind('i32')}"), int32, width)
    return b.retyped(b.from_half_bits(bits), dtype)


def _encoded(b, x: Vector) -> str:
    if x.dtype is bool_:
        return b.convert("zext", x, uint8).name
    if x.dtype is not float16:
        return x.name
    kind = (lambda one: one) if x.width == 1 else (lambda one: f"<{x.width} x {one}>")
    if b.has_half:
        half = b.value(f"fptrunc {b.type(float32, x.width)} {x.name} to {kind('half')}")
        return b.value(f"bitcast {kind('half')} {half} to {kind('i16')}")
    bits = b.to_half_bits(x)
    return b.value(f"trunc {kind('i32')} {bits.name} to {kind('i16')}")


def _copy(b, target: str, source: str, count: Whole, dtype: DType) -> None:
    length = b.f.multiply(count, _size(dtype))
    b.call("void", "llvm.memcpy.p0.p0.i64", f"ptr {target}", f"ptr {source}", f"i64 {length}",
           "i1 false")


def _pointers(b, pointer: str, dtype: DType, stride: Whole) -> str:
    """The addresses of all elements of a vector."""
    lanes = ", ".join(f"i64 {k}" for k in range(b.width))
    type_ = f"<{b.width} x i64>"
    step = b.spread(stride)
    places = b.value(f"mul {type_} <{lanes}>, {step}")
    return b.value(f"getelementptr {_raw(dtype)}, ptr {pointer}, {type_} {places}")


def _all(b, count: Whole | None) -> str:
    return "splat (i1 true)" if count is None else b.mask


def _gather(b, pointer: str, dtype: DType, stride: Whole, count: Whole | None) -> str:
    raw, size = _raw(dtype), _size(dtype)
    many = f"<{b.width} x {raw}>"
    if (b.avx512 or b.avx2) and size >= 4:
        return b.call(
            many, f"llvm.masked.gather.v{b.width}{_suffix(raw)}.v{b.width}p0",
            f"<{b.width} x ptr> {_pointers(b, pointer, dtype, stride)}", f"i32 {size}",
            f"<{b.width} x i1> {_all(b, count)}", f"{many} zeroinitializer")
    name = "poison"
    last = None if count is None else b.f.subtract(count, 1)
    for lane in range(b.width):
        place = lane if last is None else b.f.minimum(lane, last)
        at = b.f.at(pointer, b.f.multiply(place, stride), raw)
        one = b.value(f"load {raw}, ptr {at}, align {size}")
        name = b.value(f"insertelement {many} {name}, {raw} {one}, i64 {lane}")
    return name


def _scatter(b, name: str, pointer: str, dtype: DType, stride: Whole, count: Whole | None) -> None:
    raw, size = _raw(dtype), _size(dtype)
    many = f"<{b.width} x {raw}>"
    if b.avx512 and size >= 4:
        b.call("void", f"llvm.masked.scatter.v{b.width}{_suffix(raw)}.v{b.width}p0",
               f"{many} {name}", f"<{b.width} x ptr> {_pointers(b, pointer, dtype, stride)}",
               f"i32 {size}", f"<{b.width} x i1> {_all(b, count)}")
        return
    place = b.variable(many)
    b.set(many, place, name)
    with b.loop(0, b.width if count is None else count) as lane:
        one = b.get(raw, b.f.at(place, lane, raw))
        b.line(f"store {raw} {one}, ptr {b.f.at(pointer, b.f.multiply(lane, stride), raw)}, "
               f"align {size}")
