"""The instructions of `ops.define`, written as LLVM text for vectors or single numbers.

A `Vector` names a value in the text: `width` elements of a lampion type, or one number (width 1)
that stands for as many as are needed. Where both meet, the number is repeated.

The functions (exp, log, ...) are in `vector_math`, with a table of how exact each one is.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from ..dtypes import bool_, float32, float64, int32, int64
from ..dtypes import dtype as DType
from . import division, halves, vector_math, whole_power
from .elements import HALVES, MEMORY, REGISTER, Vector, bits_of, literal
from .kernel_text import Module, Whole, overload
from .target import X86, Target


class Builder:
    """Writes elementwise instructions for vectors of one width.

    Args:
        module: what functions are added to.
        name: of the function that is written: `void name(ptr args, i64 begin, i64 end)`.
        width: elements in a vector.

    Attributes:
        f: the function being written; whole numbers, addresses and loops are its business.
    """

    def __init__(self, module: Module, name: str, width: int):
        self.module = module
        self.f = module.function(name, ["ptr %args", "i64 %begin", "i64 %end"])
        self.width = width
        self.target: Target = module.target
        target = self.target
        self._helpers: set[str] = set()
        x86 = platform.machine().lower() in X86
        self.has_fma = target.vector_bytes >= 32 or not x86
        self.has_half = self.has_fma
        self.avx512 = x86 and target.vector_bytes == 64
        self.avx2 = x86 and target.vector_bytes == 32
        # Which elements exist, at the end of a row (an <W x i1>), and where faults are noted.
        self.mask: str | None = None
        self.fault: str | None = None
        self.faults = False

    # --- text ------------------------------------------------------------------------------

    def value(self, text: str) -> str:
        """Write an instruction; return the name of its result."""
        return self.f.value(text)

    def line(self, text: str) -> None:
        """Write an instruction without a result."""
        self.f.do(text)

    def call(self, result: str, function: str, *arguments: str) -> str:
        """Call a function from outside and declare it; each argument is `type value`."""
        return self.f.intrinsic(function, [_divided(a) for a in arguments], result)

    def variable(self, type_: str) -> str:
        """Return a place on the stack for a value that changes; LLVM keeps it in a register."""
        return self.f.variable(type_)

    def get(self, type_: str, variable: str) -> str:
        return self.value(f"load {type_}, ptr {variable}")

    def set(self, type_: str, variable: str, value: Whole) -> None:
        self.line(f"store {type_} {value}, ptr {variable}")

    def loop(self, start: Whole, stop: Whole, step: Whole = 1):
        """Repeat what is written inside, with a counter from start up to stop."""
        return self.f.loop(start, stop, step, hidden=True)

    def when(self, condition: str):
        """Do what is written inside only where the condition (an i1) holds."""
        return self.f.when(condition)

    @contextmanager
    def helper(self, name: str, arguments: list[str], returns: str) -> Iterator[None]:
        """Write an inner function in the middle of another one."""
        outside = self.f
        self.f = self.module.function(name, arguments, returns, internal=True)
        yield
        self.f = outside

    def wants_helper(self, name: str) -> bool:
        """Whether a helper function must still be written; asking counts as writing it."""
        if name in self._helpers:
            return False
        self._helpers.add(name)
        return True

    # --- values ----------------------------------------------------------------------------

    def type(self, dtype: DType, width: int, memory: bool = False) -> str:
        """Return LLVM's name of a type, in registers or in memory."""
        one = (MEMORY if memory else REGISTER)[dtype.name]
        return one if width == 1 else f"<{width} x {one}>"

    def constant(self, number, like: Vector) -> Vector:
        """Return a number of the type of `like`."""
        return self.constant_of(number, like.dtype)

    def constant_of(self, number, dtype: DType) -> Vector:
        return Vector(literal(number, dtype), dtype, 1, number)

    def _splat(self, one: str, type_: str, width: int) -> str:
        first = self.value(f"insertelement <{width} x {type_}> poison, {type_} {one}, i64 0")
        return self.value(f"shufflevector <{width} x {type_}> {first}, <{width} x {type_}> poison, "
                          f"<{width} x i32> zeroinitializer")

    def widened(self, x: Vector, width: int) -> Vector:
        """Repeat a number to a vector."""
        if x.width == width:
            return x
        one = self.type(x.dtype, 1)
        if x.number is not None:
            name = f"splat ({one} {x.name})" if width > 1 else x.name
        else:
            name = self._splat(x.name, one, width)
        return Vector(name, x.dtype, width, x.number)

    def _same_width(self, *operands: Vector) -> tuple[Vector, ...]:
        width = max(x.width for x in operands)
        return tuple(self.widened(x, width) for x in operands)

    def retyped(self, x: Vector, dtype: DType) -> Vector:
        """The same register under another type's name (float32 and the halves)."""
        return x if x.dtype is dtype else Vector(x.name, dtype, x.width, x.number)

    def binary(self, instruction: str, a: Vector, b: Vector) -> Vector:
        a, b = self._same_width(a, b)
        return Vector(self.value(f"{instruction} {self.type(a.dtype, a.width)} {a.name}, {b.name}"),
                      a.dtype, a.width)

    def convert(self, instruction: str, x: Vector, dtype: DType) -> Vector:
        """Write `instruction x to dtype`."""
        return Vector(self.value(f"{instruction} {self.type(x.dtype, x.width)} {x.name} to "
                                 f"{self.type(dtype, x.width)}"), dtype, x.width)

    def intrinsic(self, name: str, *operands: Vector, more: tuple[str, ...] = ()) -> Vector:
        """Call an LLVM intrinsic that is named after the operands' type."""
        operands = self._same_width(*operands)
        x = operands[0]
        type_ = self.type(x.dtype, x.width)
        return Vector(self.call(type_, f"{name}.{overload(type_)}",
                                *(f"{type_} {v.name}" for v in operands), *more), x.dtype, x.width)

    def _whole_or(self, instruction: str, x: Vector) -> Vector:
        """A rounding instruction: whole numbers pass unchanged."""
        return self.intrinsic(instruction, x) if x.dtype.is_floating_point else x

    def spread(self, number: Whole) -> str:
        """Return a whole number of an address repeated to <W x i64>."""
        if isinstance(number, int):
            return f"splat (i64 {number})"
        return self._splat(number, "i64", self.width)

    # --- arithmetic ------------------------------------------------------------------------

    def _arithmetic(self, name: str, a: Vector, b: Vector, for_bool: str) -> Vector:
        if a.dtype is bool_:
            return self.binary(for_bool, a, b)
        return self.binary(("f" if a.dtype.is_floating_point else "") + name, a, b)

    def add(self, a: Vector, b: Vector) -> Vector:
        return self._arithmetic("add", a, b, "or")

    def sub(self, a: Vector, b: Vector) -> Vector:
        return self._arithmetic("sub", a, b, "xor")

    def mul(self, a: Vector, b: Vector) -> Vector:
        return self._arithmetic("mul", a, b, "and")

    def div(self, a: Vector, b: Vector) -> Vector:
        return self.binary("fdiv", a, b)

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """a * b + c, rounded once where the processor can, else twice."""
        if self.has_fma:
            return self.intrinsic("llvm.fma", a, b, c)
        return self.add(self.mul(a, b), c)

    def neg(self, x: Vector) -> Vector:
        if x.dtype.is_floating_point:
            return Vector(self.value(f"fneg {self.type(x.dtype, x.width)} {x.name}"),
                          x.dtype, x.width)
        return x if x.dtype is bool_ else self.sub(self.constant(0, x), x)

    def abs(self, x: Vector) -> Vector:
        if x.dtype.is_floating_point:
            return self.intrinsic("llvm.fabs", x)
        return self.intrinsic("llvm.abs", x, more=("i1 false",)) if x.dtype.is_signed else x

    def copysign(self, x: Vector, sign: Vector) -> Vector:
        return self.intrinsic("llvm.copysign", x, sign)

    def sqrt(self, x: Vector) -> Vector:
        return self.intrinsic("llvm.sqrt", x)

    def floor(self, x: Vector) -> Vector:
        return self._whole_or("llvm.floor", x)

    def ceil(self, x: Vector) -> Vector:
        return self._whole_or("llvm.ceil", x)

    def trunc(self, x: Vector) -> Vector:
        return self._whole_or("llvm.trunc", x)

    def round(self, x: Vector) -> Vector:
        return self._whole_or("llvm.rint", x)

    # --- comparing and choosing ------------------------------------------------------------

    def _compare(self, floating: str, whole: str, a: Vector, b: Vector) -> Vector:
        a, b = self._same_width(a, b)
        if a.dtype.is_floating_point:
            how = f"fcmp {floating}"
        else:
            sign = "" if whole in ("eq", "ne") else "s" if a.dtype.is_signed else "u"
            how = f"icmp {sign}{whole}"
        return Vector(self.value(f"{how} {self.type(a.dtype, a.width)} {a.name}, {b.name}"),
                      bool_, a.width)

    def eq(self, a: Vector, b: Vector) -> Vector:
        return self._compare("oeq", "eq", a, b)

    def ne(self, a: Vector, b: Vector) -> Vector:
        return self._compare("une", "ne", a, b)

    def lt(self, a: Vector, b: Vector) -> Vector:
        return self._compare("olt", "lt", a, b)

    def le(self, a: Vector, b: Vector) -> Vector:
        return self._compare("ole", "le", a, b)

    def gt(self, a: Vector, b: Vector) -> Vector:
        return self._compare("ogt", "gt", a, b)

    def ge(self, a: Vector, b: Vector) -> Vector:
        return self._compare("oge", "ge", a, b)

    def is_nan(self, x: Vector) -> Vector:
        return self._compare("uno", "ne", x, x)

    def where(self, condition: Vector, a: Vector, b: Vector) -> Vector:
        condition, a, b = self._same_width(condition, a, b)
        type_ = self.type(a.dtype, a.width)
        return Vector(self.value(f"select {self.type(bool_, a.width)} {condition.name}, {type_} "
                                 f"{a.name}, {type_} {b.name}"), a.dtype, a.width)

    def maximum(self, a: Vector, b: Vector) -> Vector:
        return self._extreme(self.gt, a, b)

    def minimum(self, a: Vector, b: Vector) -> Vector:
        return self._extreme(self.lt, a, b)

    def _extreme(self, better, a: Vector, b: Vector) -> Vector:
        if a.number is None and b.number is not None:
            # Where the comparison fails because x is NaN, x is chosen: one instruction.
            a, b = b, a
        chosen = self.where(better(a, b), a, b)
        if a.number is not None or not a.dtype.is_floating_point:
            return chosen
        return self.where(self.is_nan(a), a, chosen)

    # --- bits ------------------------------------------------------------------------------

    def bit_and(self, a: Vector, b: Vector) -> Vector:
        return self.binary("and", a, b)

    def bit_or(self, a: Vector, b: Vector) -> Vector:
        return self.binary("or", a, b)

    def bit_xor(self, a: Vector, b: Vector) -> Vector:
        return self.binary("xor", a, b)

    def bit_not(self, x: Vector) -> Vector:
        return self.binary("xor", x, self.constant(-1, x))

    def shift_left(self, a: Vector, b: Vector) -> Vector:
        return self._shift("shl", a, b, self.constant(0, a))

    def shift_right(self, a: Vector, b: Vector) -> Vector:
        if not a.dtype.is_signed:
            return self._shift("lshr", a, b, self.constant(0, a))
        zero = self.constant(0, a)
        beyond = self.where(self.lt(a, zero), self.constant(-1, a), zero)
        return self._shift("ashr", a, b, beyond)

    def _shift(self, instruction: str, a: Vector, b: Vector, beyond: Vector) -> Vector:
        """A shift by more than the bits there are, or by less than none, leaves `beyond`."""
        bits = bits_of(a.dtype)
        a, b = self._same_width(a, b)
        limit = self.widened(self.constant(bits - 1, b), b.width)
        inside = Vector(self.value(f"icmp ule {self.type(b.dtype, b.width)} {b.name}, "
                                   f"{limit.name}"), bool_, b.width)
        shifted = self.binary(instruction, a, self.binary("and", b, limit))
        return self.where(inside, shifted, beyond)

    # --- types -----------------------------------------------------------------------------

    def cast(self, x: Vector, dtype: DType) -> Vector:
        """Convert; floating to whole numbers drops the fraction, to bool asks whether not 0."""
        if x.dtype is dtype:
            return x
        if dtype is bool_:
            return self.ne(x, self.constant(0, x))
        if dtype in HALVES:
            return self.rounded(halves.to_float(self, x, dtype), dtype)
        if dtype.is_floating_point:
            return self.to_floating(x, dtype)
        if x.dtype.is_floating_point:
            return self._to_whole(x, dtype)
        before, after = bits_of(x.dtype), bits_of(dtype)
        if before == after:
            return self.retyped(x, dtype)
        extend = "sext" if x.dtype.is_signed else "zext"
        return self.convert("trunc" if before > after else extend, x, dtype)

    def to_floating(self, x: Vector, dtype: DType) -> Vector:
        if not x.dtype.is_floating_point:
            return self.convert("sitofp" if x.dtype.is_signed else "uitofp", x, dtype)
        if dtype is float32 and x.dtype is not float64:
            return self.retyped(x, dtype)
        return self.convert("fptrunc" if dtype is float32 else "fpext", x, dtype)

    def _to_whole(self, x: Vector, dtype: DType) -> Vector:
        # Small types by way of a larger one, as C compilers do: what lies outside wraps around.
        middle = int64 if bits_of(dtype) == 64 else int32
        found = self.convert("fptosi", x, middle)
        frozen = Vector(self.value(f"freeze {self.type(middle, x.width)} {found.name}"), middle,
                        x.width)
        return self.cast(frozen, dtype)

    def bitcast(self, x: Vector, dtype: DType) -> Vector:
        """The same bits under another type of the same size."""
        return self.convert("bitcast", x, dtype)

    def rounded(self, x: Vector, dtype: DType) -> Vector:
        """Round float32 to one of the halves; it stays in a float32 register."""
        return halves.rounded(self, x, dtype)

    def to_half_bits(self, x: Vector) -> Vector:
        return halves.to_bits(self, x)

    def from_half_bits(self, bits: Vector) -> Vector:
        return halves.from_bits(self, bits)

    # --- lanes -----------------------------------------------------------------------------

    def any(self, condition: Vector) -> str:
        """Return an i1: whether the condition holds anywhere among the elements that exist."""
        if condition.width == 1:
            return condition.name
        type_ = self.type(bool_, condition.width)
        name = condition.name
        if self.mask is not None:
            name = self.value(f"and {type_} {name}, {self.mask}")
        return self.call("i1", f"llvm.vector.reduce.or.v{condition.width}i1", f"{type_} {name}")

    def note_fault(self, condition: Vector) -> None:
        """Write 1 to the place for faults if the condition holds anywhere."""
        self.faults = True
        with self.when(self.any(condition)):
            self.line(f"store i64 1, ptr {self.fault}, align 8")

    def half_of(self, x: Vector, upper: bool) -> Vector:
        """The lower or upper half of the elements."""
        half = x.width // 2
        places = ", ".join(f"i32 {k + half * upper}" for k in range(half))
        type_ = self.type(x.dtype, x.width)
        if half == 1:
            return Vector(self.value(f"extractelement {type_} {x.name}, i64 {int(upper)}"),
                          x.dtype, 1)
        return Vector(self.value(f"shufflevector {type_} {x.name}, {type_} poison, "
                                 f"<{half} x i32> <{places}>"), x.dtype, half)

    def joined(self, low: Vector, high: Vector) -> Vector:
        """Two halves as one vector."""
        places = ", ".join(f"i32 {k}" for k in range(2 * low.width))
        type_ = self.type(low.dtype, low.width)
        return Vector(self.value(f"shufflevector {type_} {low.name}, {type_} {high.name}, "
                                 f"<{2 * low.width} x i32> <{places}>"), low.dtype, 2 * low.width)

    def folded(self, x: Vector, combine) -> Vector:
        """Combine all elements to one number: halves with halves, always in the same order."""
        while x.width > 1:
            x = combine(self.half_of(x, False), self.half_of(x, True))
        return x

    def each(self, function: str, *operands: Vector) -> Vector:
        """Call a C function `function(x, ...)` for each element."""
        operands = self._same_width(*operands)
        x = operands[0]
        one, many = self.type(x.dtype, 1), self.type(x.dtype, x.width)
        if x.width == 1:
            return Vector(self.call(one, function, *(f"{one} {v.name}" for v in operands)),
                          x.dtype, 1)
        helper = f"each.{function}.{x.width}"
        if self.wants_helper(helper):
            names = [f"%x{k}" for k in range(len(operands))]
            with self.helper(helper, [f"{many} {name}" for name in names], many):
                self._write_each(function, names, one, many, x.width)
        arguments = ", ".join(f"{many} {v.name}" for v in operands)
        return Vector(self.value(f"call {many} @{helper}({arguments})"), x.dtype, x.width)

    def _write_each(self, function: str, names: list[str], one: str, many: str, width: int) -> None:
        places = [self.variable(many) for _ in names]
        for name, place in zip(names, places):
            self.set(many, place, name)
        with self.loop(0, width) as lane:
            found = self.call(one, function, *(
                f"{one} {self.get(one, self.f.at(place, lane, one))}" for place in places))
            self.set(one, self.f.at(places[0], lane, one), found)
        self.f.done(self.get(many, places[0]))

    # --- functions -------------------------------------------------------------------------

    def exp(self, x: Vector) -> Vector:
        return vector_math.exp(self, x)

    def exp2(self, x: Vector) -> Vector:
        return vector_math.exp2(self, x)

    def expm1(self, x: Vector) -> Vector:
        return vector_math.expm1(self, x)

    def log(self, x: Vector) -> Vector:
        return vector_math.log(self, x)

    def log2(self, x: Vector) -> Vector:
        return vector_math.log2(self, x)

    def log10(self, x: Vector) -> Vector:
        return vector_math.log10(self, x)

    def log1p(self, x: Vector) -> Vector:
        return vector_math.log1p(self, x)

    def sin(self, x: Vector) -> Vector:
        return vector_math.sin(self, x)

    def cos(self, x: Vector) -> Vector:
        return vector_math.cos(self, x)

    def tan(self, x: Vector) -> Vector:
        return vector_math.tan(self, x)

    def asin(self, x: Vector) -> Vector:
        return vector_math.asin(self, x)

    def acos(self, x: Vector) -> Vector:
        return vector_math.acos(self, x)

    def atan(self, x: Vector) -> Vector:
        return vector_math.atan(self, x)

    def sinh(self, x: Vector) -> Vector:
        return vector_math.sinh(self, x)

    def cosh(self, x: Vector) -> Vector:
        return vector_math.cosh(self, x)

    def tanh(self, x: Vector) -> Vector:
        return vector_math.tanh(self, x)

    def asinh(self, x: Vector) -> Vector:
        return vector_math.asinh(self, x)

    def acosh(self, x: Vector) -> Vector:
        return vector_math.acosh(self, x)

    def atanh(self, x: Vector) -> Vector:
        return vector_math.atanh(self, x)

    def erf(self, x: Vector) -> Vector:
        return vector_math.erf(self, x)

    def erfinv(self, x: Vector) -> Vector:
        return vector_math.erfinv(self, x)

    def atan2(self, a: Vector, b: Vector) -> Vector:
        return vector_math.atan2(self, a, b)

    def pow(self, a: Vector, b: Vector) -> Vector:
        if a.dtype.is_floating_point:
            return vector_math.pow(self, a, b)
        return whole_power.pow(self, a, b)

    def floor_divide(self, a: Vector, b: Vector) -> Vector:
        return division.floor_divide(self, a, b)

    def trunc_divide(self, a: Vector, b: Vector) -> Vector:
        return division.trunc_divide(self, a, b)

    def remainder(self, a: Vector, b: Vector) -> Vector:
        return division.remainder(self, a, b)

    def fmod(self, a: Vector, b: Vector) -> Vector:
        return division.fmod(self, a, b)


def _divided(argument: str) -> tuple[str, str]:
    """Type and value of `type value`, where both may contain blanks inside brackets."""
    depth = 0
    for place, letter in enumerate(argument):
        if letter in "<(":
            depth += 1
        elif letter in ">)":
            depth -= 1
        elif letter == " " and depth == 0:
            return argument[:place], argument[place + 1:]
    raise ValueError(f"no type in {argument!r}")
