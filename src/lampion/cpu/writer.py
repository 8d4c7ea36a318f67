"""LLVM text of one module: functions, loops, branches and whole-number arithmetic for addresses.

Whole numbers are Python ints where they are known and names of i64 values where they are not;
arithmetic on two known numbers writes nothing, so the same code makes special and general kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

Whole = int | str  # a known number, or the name of an i64 value

COMPARE = {
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b, "sgt": lambda a, b: a > b,
    "sge": lambda a, b: a >= b, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
}


class Writer:
    """Writes one function after another; declarations and helper functions are gathered."""

    def __init__(self, attributes: str = "nounwind"):
        self._attributes = attributes
        self._declarations: set[str] = set()
        self._functions: list[str] = []
        self._helpers: set[str] = set()
        self._count = 0
        self._start()

    def _start(self) -> None:
        self._lines: list[str] = []
        self._variables: list[str] = []
        self._block = "entry"

    # --- the module ------------------------------------------------------------------------

    def function(self, heading: str) -> None:
        """Close the function written since the last one, under a heading `void @f(ptr %x)`."""
        body = "\n".join(self._variables + self._lines)
        self._functions.append(f"define {heading} #0 {{\nentry:\n{body}\n}}\n")
        self._start()

    @contextmanager
    def helper(self, heading: str) -> Iterator[None]:
        """Write an inner function in the middle of another one."""
        saved = self._lines, self._variables, self._block
        self._start()
        yield
        self.function(f"internal {heading}")
        self._lines, self._variables, self._block = saved

    def wants_helper(self, name: str) -> bool:
        """Whether a helper function must still be written; asking counts as writing it."""
        if name in self._helpers:
            return False
        self._helpers.add(name)
        return True

    def text(self) -> str:
        """Return the module."""
        return "\n".join([
            *sorted(self._declarations), *self._functions,
            f"attributes #0 = {{ {self._attributes} }}\n",
        ])

    # --- lines -----------------------------------------------------------------------------

    def name(self) -> str:
        """Return a new name."""
        self._count += 1
        return f"%v{self._count}"

    def line(self, text: str) -> None:
        """Write an instruction without a result."""
        self._lines.append("  " + text)

    def value(self, text: str) -> str:
        """Write an instruction; return the name of its result."""
        name = self.name()
        self._lines.append(f"  {name} = {text}")
        return name

    def call(self, result: str, function: str, *arguments: str) -> str:
        """Call a declared function; each argument is `type value`."""
        types = ", ".join(_type_of(a) for a in arguments)
        self._declarations.add(f"declare {result} @{function}({types})")
        text = f"call {result} @{function}({', '.join(arguments)})"
        if result == "void":
            self.line(text)
            return ""
        return self.value(text)

    # --- control ---------------------------------------------------------------------------

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")
        self._block = name

    @contextmanager
    def loop(self, start: Whole, stop: Whole, step: Whole = 1) -> Iterator[str]:
        """Repeat what is written inside, with a counter from start up to stop."""
        self._count += 1
        tag = self._count
        self.line(f"br label %head{tag}")
        before = self._block
        self.label(f"head{tag}")
        self.line(f"%i{tag} = phi i64 [ {start}, %{before} ], [ %next{tag}, %latch{tag} ]")
        self.line(f"%more{tag} = icmp slt i64 %i{tag}, {stop}")
        self.line(f"br i1 %more{tag}, label %body{tag}, label %done{tag}")
        self.label(f"body{tag}")
        yield f"%i{tag}"
        self.line(f"br label %latch{tag}")
        self.label(f"latch{tag}")
        self.line(f"%next{tag} = add nsw i64 %i{tag}, {step}")
        self.line(f"br label %head{tag}")
        self.label(f"done{tag}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Do what is written inside only where the condition (an i1) holds."""
        self._count += 1
        tag = self._count
        self.line(f"br i1 {condition}, label %then{tag}, label %after{tag}")
        self.label(f"then{tag}")
        yield
        self.line(f"br label %after{tag}")
        self.label(f"after{tag}")

    def variable(self, type_: str) -> str:
        """Return a place on the stack for a value that changes; LLVM keeps it in a register."""
        name = self.name()
        self._variables.append(f"  {name} = alloca {type_}, align 64")
        return name

    def get(self, type_: str, variable: str) -> str:
        return self.value(f"load {type_}, ptr {variable}")

    def set(self, type_: str, variable: str, value: Whole) -> None:
        self.line(f"store {type_} {value}, ptr {variable}")

    # --- whole numbers ---------------------------------------------------------------------

    def plus(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.value(f"add nsw i64 {a}, {b}")

    def minus(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.value(f"sub nsw i64 {a}, {b}")

    def times(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.value(f"mul nsw i64 {a}, {b}")

    def quotient(self, a: Whole, b: Whole) -> Whole:
        """a // b for numbers that are not negative."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if b == 1 else self.value(f"udiv i64 {a}, {b}")

    def rest(self, a: Whole, b: Whole) -> Whole:
        """a % b for numbers that are not negative."""
        if isinstance(a, int) and isinstance(b, int):
            return a % b
        return 0 if b == 1 else self.value(f"urem i64 {a}, {b}")

    def compare(self, how: str, a: Whole, b: Whole) -> str:
        """Return an i1: slt sle sgt sge eq ne."""
        if isinstance(a, int) and isinstance(b, int):
            return "true" if COMPARE[how](a, b) else "false"
        return self.value(f"icmp {how} i64 {a}, {b}")

    def smaller(self, a: Whole, b: Whole) -> Whole:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.value(f"select i1 {self.compare('slt', a, b)}, i64 {a}, i64 {b}")

    # --- addresses -------------------------------------------------------------------------

    def address(self, pointer: str, places: Whole, type_: str) -> str:
        """Return the address of the element that lies `places` elements on."""
        if places == 0:
            return pointer
        return self.value(f"getelementptr {type_}, ptr {pointer}, i64 {places}")

    def slot(self, number: int, type_: str) -> str:
        """Return the content of a slot of the argument table."""
        return self.value(f"load {type_}, ptr {self.address('%args', number, 'i64')}, align 8")


def _type_of(argument: str) -> str:
    """The type in `type value`, where the type may contain blanks inside brackets."""
    depth = 0
    for place, letter in enumerate(argument):
        if letter in "<([":
            depth += 1
        elif letter in ">)]":
            depth -= 1
        elif letter == " " and depth == 0:
            return argument[:place]
    return argument
