"""Pools with one window that covers the whole image: a plane is a run of numbers.

Rows do not matter then: a plane is read in whole vectors, each lane keeps what it has found, and
the lanes are joined at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kernel_text import Module, Whole, overload, size_of
from ..steps import Kernel
from ..target import Target
from .pooling_text import Slot

LOWEST = "0xFFF0000000000000"
LARGEST = str(2**31 - 1)


def kernel(name: str, element: str, target: Target) -> Kernel:
    """Return the kernel "max", "sum", "index", "back" or "spread" for such windows."""
    return Kernel(f"pool global {name} {element}", lambda: _Global(name, element, target).text(),
                  "pool")


class _Global:
    """Writes a kernel: planes, vectors of numbers, lanes."""

    def __init__(self, name: str, element: str, target: Target):
        self.name, self.element = name, element
        self.module = Module(target)
        self.f = self.module.function("pool", ["ptr %args", "i64 %begin", "i64 %end"])
        self.width = target.lanes(size_of(element))
        self.vector, self.bits = f"<{self.width} x {element}>", f"<{self.width} x i1>"
        self.whole = f"<{self.width} x i32>"

    def text(self) -> str:
        f, element = self.f, self.element
        s = {slot: f.slot(slot) for slot in Slot}
        self.area = f.multiply(f.multiply(s[Slot.DEPTH], s[Slot.HEIGHT]), s[Slot.WIDTH])
        self.full = f.subtract(self.area, f.remainder(self.area, self.width))
        kind = "i64" if self.name == "index" else element
        with f.loop("%begin", "%end", hidden=True) as plane:
            image, gradient = (
                f.at(f.pointer(s[slot]), f.multiply(plane, self.area), element)
                for slot in (Slot.IMAGE, Slot.GRADIENT))
            window = f.at(f.pointer(s[Slot.WINDOWS]), plane, kind)
            if self.name == "spread":
                self.fill(gradient, f.splat(element, self.width, f.load(element, window)))
            elif self.name in ("max", "sum"):
                f.store(element, self.total(image), window)
            elif self.name == "index":
                f.store("i64", self.position(image), window)
            else:
                self.fill(gradient, "zeroinitializer")
                place = f.at(gradient, self.position(image), element)
                f.store(element, f.load(element, window), place)
        f.done()
        return self.module.text()

    def vectors(self, body: Callable[[Whole, str | None], None]) -> None:
        """Do something for each vector of a plane, and for what is left, with its mask."""
        f = self.f
        with f.loop(0, self.full, self.width, hidden=True) as k:
            body(k, None)
        with f.when(f.compare("ne", self.full, self.area)):
            body(self.full, f.lanes_below(self.width, f.subtract(self.area, self.full)))

    def fill(self, place: str, value: str) -> None:
        """Set all numbers of a plane."""
        f = self.f
        self.vectors(lambda k, mask: f.vector_store(
            self.vector, value, f.at(place, k, self.element), mask))

    def read(self, image: str, k: Whole, mask: str | None) -> str:
        """Read a vector; lanes outside the mask do not change the result."""
        value = self.f.vector_load(self.vector, self.f.at(image, k, self.element), mask)
        if mask is None or self.name == "sum":
            return value
        return self.either(mask, value, self.f.splat(self.element, self.width, LOWEST))

    def total(self, image: str) -> str:
        """Return the maximum or the sum of a plane."""
        f, vector = self.f, self.vector
        total = f.variable(vector)
        f.store(vector, f.splat(self.element, self.width,
                                "0.0" if self.name == "sum" else LOWEST), total, 64)

        def join(k: Whole, mask: str | None) -> None:
            value = self.joined(f.load(vector, total, 64), self.read(image, k, mask))
            f.store(vector, value, total, 64)

        self.vectors(join)
        return self.first_lane(self.folded(f.load(vector, total, 64)))

    def position(self, image: str) -> str:
        """Return where the first maximum of a plane is; the last NaN if there is one."""
        f, vector, whole = self.f, self.vector, self.whole
        lanes = "<" + ", ".join(f"i32 {k}" for k in range(self.width)) + ">"
        best, place = f.variable(vector), f.variable(whole)
        f.store(vector, f.splat(self.element, self.width, LOWEST), best, 64)
        f.store(whole, lanes, place, 64)

        def look(k: Whole, mask: str | None) -> None:
            value, before = self.read(image, k, mask), f.load(vector, best, 64)
            better = self.f.value(f"fcmp ogt {vector} {value}, {before}")
            better = f.value(f"or {self.bits} {better}, {self.lost(value)}")
            start = f.splat("i32", self.width, f.value(f"trunc i64 {k} to i32"))
            here = f.value(f"add {whole} {lanes}, {start}")
            f.store(vector, self.either(better, value, before), best, 64)
            f.store(whole, self.either(better, here, f.load(whole, place, 64), whole), place, 64)

        self.vectors(look)
        return self.among_lanes(f.load(vector, best, 64), f.load(whole, place, 64))

    def among_lanes(self, best: str, places: str) -> str:
        """Return the place of the lanes' maximum."""
        f, whole = self.f, self.whole
        most = self.folded(best)
        equal = f.value(f"fcmp oeq {self.vector} {best}, "
                        f"{f.splat(self.element, self.width, self.first_lane(most))}")
        last, first = (
            f.intrinsic(f"llvm.vector.reduce.{name}.{overload(whole)}", [
                (whole, self.either(where, places, f.splat("i32", self.width, other), whole))],
                "i32")
            for name, where, other in (("smax", self.lost(best), "-1"), ("smin", equal, LARGEST)))
        none = f.value(f"icmp slt i32 {last}, 0")
        return f.value(f"zext i32 {f.select(none, first, last, 'i32')} to i64")

    def folded(self, value: str) -> str:
        """Return a vector with the maximum or the sum of all lanes in the first."""
        half = self.width // 2
        while half:
            places = [(lane + half) % self.width for lane in range(self.width)]
            value = self.joined(value, self.f.shuffle(self.vector, value, "poison", places))
            half //= 2
        return value

    def joined(self, a: str, b: str) -> str:
        """Return sums, or the larger ones; NaN where one is."""
        if self.name == "sum":
            return self.f.float_op("fadd", self.vector, a, b)
        more = self.f.value(f"fcmp ogt {self.vector} {a}, {b}")
        more = self.f.value(f"or {self.bits} {more}, {self.lost(a)}")
        return self.either(more, a, b)

    def lost(self, value: str) -> str:
        """Return where a value is NaN."""
        return self.f.value(f"fcmp uno {self.vector} {value}, {value}")

    def first_lane(self, value: str) -> str:
        return self.f.value(f"extractelement {self.vector} {value}, i64 0")

    def either(self, where: str, a: str, b: str, kind: str = "") -> str:
        kind = kind or self.vector
        return self.f.value(f"select {self.bits} {where}, {kind} {a}, {kind} {b}")
