"""Writes the LLVM text of hand-made kernels: functions, whole numbers, loops, vectors, memory.

    module = Module(target)
    f = module.function("twice", ["ptr %x", "i64 %n"])
    with f.loop(0, "%n") as i:
        place = f.at("%x", i, "float")
        x = f.load("float", place)
        f.store("float", f.float_op("fadd", "float", x, x), place)
    f.done()
    module.text()

Whole numbers (i64) are Python ints or names of LLVM values: arithmetic on ints happens now, in
Python, so the same code writes a kernel for known sizes or for sizes that come at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .target import Target

Whole = int | str  # a number known now, or the name of an i64
Bit = bool | str  # a condition known now, or the name of an i1

_COMPARE = {
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b, "sgt": lambda a, b: a > b,
    "sge": lambda a, b: a >= b, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
}


class Module:
    """LLVM text in the making."""

    def __init__(self, target: Target):
        self.target = target
        self.constants: list[str] = []
        self._declarations: set[str] = set()
        self._functions: list[Function] = []

    def function(
        self, name: str, arguments: Sequence[str], returns: str = "void", internal: bool = False,
    ) -> Function:
        """Begin a function; its arguments are written "type %name"."""
        made = Function(self, name, arguments, returns, internal)
        self._functions.append(made)
        return made

    def declare(self, text: str) -> None:
        """Name a function from outside, once."""
        self._declarations.add(f"declare {text}")

    def text(self) -> str:
        """Return the whole module as LLVM text."""
        # LLVM prefers narrower vectors on some processors; what is written is what is meant.
        wide = f'"prefer-vector-width"="{self.target.vector_bytes * 8}"'
        parts = [*self.constants, *sorted(self._declarations),
                 *(function.text() for function in self._functions),
                 f"attributes #0 = {{ nounwind {wide} }}",
                 "!0 = distinct !{!0, !1}", '!1 = !{!"llvm.loop.unroll.disable"}', ""]
        return "\n".join(parts)


class Function:
    """One function: each method writes an instruction and returns the name of its result."""

    def __init__(
        self, module: Module, name: str, arguments: Sequence[str], returns: str, internal: bool,
    ):
        self.module = module
        self.name = name
        self._head = ", ".join(arguments)
        self._returns = returns
        self._internal = internal
        self._lines: list[str] = []
        self._variables: list[str] = []
        self._count = 0
        self._block = "entry"

    def text(self) -> str:
        """Return the function as LLVM text."""
        linkage = "internal " if self._internal else ""
        return "\n".join([f"define {linkage}{self._returns} @{self.name}({self._head}) #0 {{",
                          "entry:", *self._variables, *self._lines, "}", ""])

    # --- instructions as text ----------------------------------------------------------------

    def fresh(self) -> str:
        """Return a name that is not in use."""
        self._count += 1
        return f"v{self._count}"

    def value(self, text: str) -> str:
        """Write an instruction that has a result."""
        name = f"%{self.fresh()}"
        self._lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self._lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Begin a block."""
        self._lines.append(f"{name}:")
        self._block = name

    def done(self, result: str | None = None) -> None:
        """Return from the function."""
        self.do("ret void" if result is None else f"ret {self._returns} {result}")

    def call(self, name: str, arguments: Sequence[str], returns: str = "void") -> str:
        """Call a function by @name or by the name of a pointer; arguments are "type value"."""
        text = f"call {returns} {name}({', '.join(arguments)})"
        if returns == "void":
            self.do(text)
            return ""
        return self.value(text)

    def intrinsic(
        self, name: str, arguments: Sequence[tuple[str, str]], returns: str = "void",
    ) -> str:
        """Call one of LLVM's own functions and declare it; arguments are (type, value)."""
        types = ", ".join(kind for kind, _ in arguments)
        self.module.declare(f"{returns} @{name}({types})")
        return self.call(f"@{name}", [" ".join(pair) for pair in arguments], returns)

    # --- whole numbers -----------------------------------------------------------------------

    def add(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.value(f"add nsw i64 {a}, {b}")

    def subtract(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.value(f"sub nsw i64 {a}, {b}")

    def multiply(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.value(f"mul nsw i64 {a}, {b}")

    def divide(self, a: Whole, b: Whole) -> Whole:
        """Divide numbers that are not negative, rounding down."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if b == 1 else self.value(f"udiv i64 {a}, {b}")

    def remainder(self, a: Whole, b: Whole) -> Whole:
        """Return what a division of numbers that are not negative leaves."""
        if isinstance(a, int) and isinstance(b, int):
            return a % b
        return 0 if b == 1 else self.value(f"urem i64 {a}, {b}")

    def compare(self, how: str, a: Whole, b: Whole) -> Bit:
        if isinstance(a, int) and isinstance(b, int):
            return bool(_COMPARE[how](a, b))
        return self.value(f"icmp {how} i64 {a}, {b}")

    def both(self, a: Bit, b: Bit) -> Bit:
        """Return whether two conditions hold."""
        return self.value(f"and i1 {str(a).lower()}, {str(b).lower()}")

    def either(self, a: Bit, b: Bit) -> Bit:
        """Return whether one of two conditions holds."""
        return self.value(f"or i1 {str(a).lower()}, {str(b).lower()}")

    def select(self, condition: Bit, a: Whole, b: Whole, kind: str = "i64") -> Whole:
        if isinstance(condition, bool):
            return a if condition else b
        return self.value(f"select i1 {condition}, {kind} {a}, {kind} {b}")

    def minimum(self, a: Whole, b: Whole) -> Whole:
        return self.select(self.compare("slt", a, b), a, b)

    def maximum(self, a: Whole, b: Whole) -> Whole:
        return self.select(self.compare("sgt", a, b), a, b)

    # --- memory ------------------------------------------------------------------------------

    def at(self, pointer: str, index: Whole, kind: str) -> str:
        """Return the address of element `index`."""
        if index == 0:
            return pointer
        return self.value(f"getelementptr {kind}, ptr {pointer}, i64 {index}")

    def pointer(self, address: Whole) -> str:
        """Return a whole number as a pointer."""
        return self.value(f"inttoptr i64 {address} to ptr")

    def exists(self, pointer: str) -> Bit:
        """Return whether a pointer is not null."""
        return self.value(f"icmp ne ptr {pointer}, null")

    def load(self, kind: str, pointer: str, align: int | None = None) -> str:
        return self.value(f"load {kind}, ptr {pointer}, align {align or size_of(_element(kind))}")

    def store(self, kind: str, value: Whole, pointer: str, align: int | None = None) -> None:
        self.do(f"store {kind} {value}, ptr {pointer}, align {align or size_of(_element(kind))}")

    def slot(self, index: int, kind: str = "i64") -> str:
        """Read a slot of a kernel's table of arguments."""
        return self.load(kind, self.at("%args", int(index), "i64"), 8)

    def variable(self, kind: str, start: Whole | None = None, align: int | None = None) -> str:
        """Make a place that `load` and `store` use; LLVM turns it into a register."""
        name = f"%{self.fresh()}"
        self._variables.append(f"  {name} = alloca {kind}, align 64")
        if start is not None:
            self.store(kind, start, name, align)
        return name

    def prefetch(self, pointer: str, write: bool = False) -> None:
        self.intrinsic("llvm.prefetch.p0", [("ptr", pointer), ("i32", str(int(write))),
                                            ("i32", "3"), ("i32", "1")])

    # --- order of execution ------------------------------------------------------------------

    @contextmanager
    def loop(
        self, start: Whole, end: Whole, step: Whole = 1, hidden: bool = False,
    ) -> Iterator[str]:
        """Repeat for start, start + step, ... while below end.

        Args:
            hidden: whether LLVM is kept from rewriting addresses that depend on the counter. Its
                attempts take most of the time of compiling, and rarely make a loop faster.
        """
        tag = self.fresh()
        index, before = f"%{tag}", self._block
        self.do(f"br label %head.{tag}")
        self.label(f"head.{tag}")
        self.do(f"{index} = phi i64 [ {start}, %{before} ], [ %next.{tag}, %tail.{tag} ]")
        self.do(f"%more.{tag} = icmp slt i64 {index}, {end}")
        self.do(f"br i1 %more.{tag}, label %body.{tag}, label %end.{tag}")
        self.label(f"body.{tag}")
        yield self.value(f'call i64 asm "", "=r,0"(i64 {index})') if hidden else index
        self.do(f"br label %tail.{tag}")
        self.label(f"tail.{tag}")
        self.do(f"%next.{tag} = add nsw i64 {index}, {step}")
        self.do(f"br label %head.{tag}, !llvm.loop !0")
        self.label(f"end.{tag}")

    @contextmanager
    def while_below(self, variable: str, end: Whole) -> Iterator[str]:
        """Repeat while a variable (i64), which the body moves on, is below end."""
        tag = self.fresh()
        self.do(f"br label %head.{tag}")
        self.label(f"head.{tag}")
        index = self.load("i64", variable)
        more = self.compare("slt", index, end)
        self.do(f"br i1 {more}, label %body.{tag}, label %end.{tag}")
        self.label(f"body.{tag}")
        yield index
        self.do(f"br label %head.{tag}, !llvm.loop !0")
        self.label(f"end.{tag}")

    @contextmanager
    def when(self, condition: Bit) -> Iterator[None]:
        """Do something only if a condition holds."""
        tag = self.fresh()
        self.do(f"br i1 {str(condition).lower()}, label %then.{tag}, label %after.{tag}")
        self.label(f"then.{tag}")
        yield
        self.do(f"br label %after.{tag}")
        self.label(f"after.{tag}")

    # --- vectors and floating numbers --------------------------------------------------------

    def splat(self, kind: str, width: int, scalar: str) -> str:
        """Return a vector with one scalar in all lanes."""
        vector = f"<{width} x {kind}>"
        first = self.value(f"insertelement {vector} poison, {kind} {scalar}, i64 0")
        return self.shuffle(vector, first, "poison", [0] * width)

    def shuffle(self, vector: str, a: str, b: str, places: Sequence[int]) -> str:
        """Return lanes of a (0 ...) and of b (from the width on)."""
        lanes = ", ".join(f"i32 {place}" for place in places)
        return self.value(
            f"shufflevector {vector} {a}, {vector} {b}, <{len(places)} x i32> <{lanes}>")

    def float_op(self, name: str, kind: str, a: str, b: str) -> str:
        return self.value(f"{name} {kind} {a}, {b}")

    def multiply_add(self, kind: str, a: str, b: str, c: str) -> str:
        """Return a * b + c, in one rounding where the processor can."""
        return self.intrinsic(f"llvm.fmuladd.{overload(kind)}",
                              [(kind, a), (kind, b), (kind, c)], kind)

    def lanes_below(self, width: int, count: Whole) -> str:
        """Return the mask of the first `count` lanes."""
        if isinstance(count, int):
            return "<" + ", ".join(f"i1 {str(k < count).lower()}" for k in range(width)) + ">"
        limit = self.splat("i32", width, self.value(f"trunc i64 {count} to i32"))
        lanes = ", ".join(f"i32 {k}" for k in range(width))
        return self.value(f"icmp sgt <{width} x i32> {limit}, <{lanes}>")

    def vector_load(self, vector: str, pointer: str, mask: str | None = None) -> str:
        """Read neighbours; lanes outside the mask are 0 and their memory is not touched."""
        if mask is None:
            return self.load(vector, pointer)
        return self.intrinsic(
            f"llvm.masked.load.{overload(vector)}.p0",
            [("ptr", pointer), ("i32", str(size_of(_element(vector)))), (_bits(vector), mask),
             (vector, "zeroinitializer")], vector)

    def vector_store(self, vector: str, value: str, pointer: str, mask: str | None = None) -> None:
        """Write neighbours; memory of lanes outside the mask stays."""
        if mask is None:
            self.store(vector, value, pointer)
            return
        self.intrinsic(
            f"llvm.masked.store.{overload(vector)}.p0",
            [(vector, value), ("ptr", pointer), ("i32", str(size_of(_element(vector)))),
             (_bits(vector), mask)])


def size_of(kind: str) -> int:
    """Return the size of a scalar type in bytes."""
    return {"float": 4, "double": 8, "ptr": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "i1": 1,
            "half": 2}[kind]


def overload(kind: str) -> str:
    """Return how LLVM writes a type in the name of an intrinsic."""
    if kind.startswith("<"):
        width, _, element = kind[1:-1].partition(" x ")
        return f"v{width}{overload(element)}"
    return {"float": "f32", "double": "f64"}.get(kind, kind)


def _element(vector: str) -> str:
    return vector[1:-1].partition(" x ")[2] if vector.startswith("<") else vector


def _bits(vector: str) -> str:
    return f"<{vector[1:-1].partition(' x ')[0]} x i1>"
