"""Pools with one window that covers the whole image: a plane is a run of numbers.

Rows do not matter then: a plane is read in whole vectors, each lane keeps what it has found, and
the lanes are joined at the end. Where the maximum is, a second look says, at what is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kernel_text import Module, Whole, size_of
from ..steps import Kernel
from ..target import Target
from .pooling_text import Slot

LOWEST = "0xFFF0000000000000"
MOST_BITS = 64
NOT_A_NUMBER = "0x7FF8000000000000"


def kernel(name: str, element: str, area: int, target: Target) -> Kernel:
    """Return the kernel "max", "sum", "index", "back" or "spread" for such windows."""
    count = -(-area // target.lanes(size_of(element)))
    if name not in ("index", "back") or area > MOST_BITS:
        count = 0  # any number of vectors
    return Kernel(f"pool global {name} {element} {count}",
                  lambda: _Global(name, element, count, target).text(), "pool")


class _Global:
    """Writes a kernel: planes, vectors of numbers, lanes.

    Few vectors stay in registers, and a plane's comparisons are the bits of one number.
    """

    def __init__(self, name: str, element: str, count: int, target: Target):
        self.name, self.element, self.count = name, element, count
        self.module = Module(target)
        self.f = self.module.function("pool", ["ptr %args", "i64 %begin", "i64 %end"])
        self.width = target.lanes(size_of(element))
        self.vector, self.bits = f"<{self.width} x {element}>", f"<{self.width} x i1>"

    def text(self) -> str:
        f, element = self.f, self.element
        s = {slot: f.slot(slot) for slot in Slot}
        self.area = f.multiply(f.multiply(s[Slot.DEPTH], s[Slot.HEIGHT]), s[Slot.WIDTH])
        self.full = f.subtract(self.area, f.remainder(self.area, self.width))
        self.last = f.lanes_below(self.width, f.subtract(
            self.area, (self.count - 1) * self.width)) if self.count else ""
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
                place = self.position(image)
                self.fill(gradient, "zeroinitializer")
                f.store(element, f.load(element, window), f.at(gradient, place, element))
        f.done()
        return self.module.text()

    def vectors(self, body: Callable[[Whole, str | None], None], backwards: bool = False) -> None:
        """Do something for each vector of a plane, and for what is left, with its mask."""
        f = self.f
        if self.count:
            for n in range(self.count):
                body(n * self.width, self.last if n == self.count - 1 else None)
            return

        def rest() -> None:
            with f.when(f.compare("ne", self.full, self.area)):
                body(self.full, f.lanes_below(self.width, f.subtract(self.area, self.full)))

        if backwards:
            rest()
        with f.loop(0, self.full, self.width, hidden=True) as k:
            body(f.subtract(f.subtract(self.full, self.width), k) if backwards else k, None)
        if not backwards:
            rest()

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
        return self.f.value(f"select {self.bits} {mask}, {self.vector} {value}, {self.vector} "
                            f"{self.f.splat(self.element, self.width, LOWEST)}")

    def total(self, image: str) -> str:
        """Return the maximum or the sum of a plane."""
        f, element = self.f, self.element
        found, lost = self.joined_plane(image)
        if self.name == "sum":
            return found
        return str(f.select(lost, NOT_A_NUMBER, found, element))

    def joined_plane(self, image: str) -> tuple[str, str]:
        """Return the sum of a plane, or the largest number that is one and whether one is none."""
        f, vector = self.f, self.vector
        start = "0.0" if self.name == "sum" else LOWEST
        total, lost = f.variable(vector), f.variable("i32", 0)
        f.store(vector, f.splat(self.element, self.width, start), total, 64)

        def join(k: Whole, mask: str | None) -> None:
            value = self.read(image, k, mask)
            f.store(vector, self.joined(f.load(vector, total, 64), value, vector), total, 64)
            if self.name != "sum":
                more = self.as_bits("uno", value, value)
                f.store("i32", f.value(f"or i32 {f.load('i32', lost)}, {more}"), lost)

        self.vectors(join)
        none = f.value(f"icmp ne i32 {f.load('i32', lost)}, 0")
        return self.folded(f.load(vector, total, 64)), none

    def position(self, image: str) -> str:
        """Return where the first maximum of a plane is; the last NaN if there is one."""
        f = self.f
        if self.count:
            return self.position_of_few(image)
        most, lost = self.joined_plane(image)
        most = f.splat(self.element, self.width, most)
        place = f.variable("i64", 0)

        def first(k: Whole, mask: str | None) -> None:
            value = self.read(image, k, mask)
            self.place(place, k, self.as_bits("oeq", value, most), "cttz")

        def last(k: Whole, mask: str | None) -> None:
            value = self.read(image, k, mask)
            self.place(place, k, self.as_bits("uno", value, value), "ctlz")

        self.vectors(first, backwards=True)
        with f.when(lost):
            self.vectors(last)
        return f.load("i64", place)

    def position_of_few(self, image: str) -> str:
        """The same, for vectors that fit into registers."""
        f, vector = self.f, self.vector
        values: list[str] = []
        self.vectors(lambda k, mask: values.append(self.read(image, k, mask)))
        most = values
        while len(most) > 1:
            joined = [self.joined(a, b, vector)
                      for a, b in zip(most[::2], most[1::2], strict=False)]
            most = joined + most[len(joined) * 2:]
        largest = f.splat(self.element, self.width, self.folded(most[0]))
        equal = self.bits_of_all([self.as_bits("oeq", value, largest) for value in values])
        lost = self.bits_of_all([self.as_bits("uno", value, value) for value in values])
        first, before = (f.intrinsic(f"llvm.{name}.i64", [("i64", bits), ("i1", "false")], "i64")
                         for name, bits in (("cttz", equal), ("ctlz", lost)))
        return str(f.select(f.compare("eq", lost, 0), first, f.subtract(63, before)))

    def bits_of_all(self, parts: list[str]) -> str:
        """Return the bits of all vectors, one after another."""
        f, whole = self.f, "0"
        for k, part in enumerate(parts):
            moved = f.value(f"shl i64 {f.value(f'zext i32 {part} to i64')}, {k * self.width}")
            whole = f.value(f"or i64 {whole}, {moved}")
        return whole

    def place(self, place: str, k: Whole, bits: str, count: str) -> None:
        """Keep the place of the lowest bit of a vector (the highest for ctlz), if one is set."""
        f = self.f
        zeros = f.intrinsic(f"llvm.{count}.i32", [("i32", bits), ("i1", "false")], "i32")
        lane: Whole = f.value(f"zext i32 {zeros} to i64")
        if count == "ctlz":
            lane = f.subtract(31, lane)
        some = f.value(f"icmp ne i32 {bits}, 0")
        f.store("i64", f.select(some, f.add(k, lane), f.load("i64", place)), place)

    def as_bits(self, how: str, a: str, b: str) -> str:
        """Return a comparison as one whole number, a bit for each lane."""
        where = self.f.value(f"fcmp {how} {self.vector} {a}, {b}")
        bits = self.f.value(f"bitcast {self.bits} {where} to i{self.width}")
        return self.f.value(f"zext i{self.width} {bits} to i32")

    def folded(self, value: str) -> str:
        """Return the maximum or the sum of all lanes, halves by halves."""
        f, width, kind = self.f, self.width, self.vector
        while width > 1:
            width //= 2
            halves = [f.shuffle(kind, value, "poison", range(k * width, (k + 1) * width))
                      for k in range(2)]
            kind = f"<{width} x {self.element}>"
            value = self.joined(halves[0], halves[1], kind)
        return f.value(f"extractelement {kind} {value}, i64 0")

    def joined(self, a: str, b: str, kind: str) -> str:
        """Return sums, or the larger ones where both are numbers, else the first."""
        if self.name == "sum":
            return self.f.float_op("fadd", kind, a, b)
        more = self.f.value(f"fcmp ogt {kind} {b}, {a}")
        width = kind[1:].partition(" ")[0]
        return self.f.value(f"select <{width} x i1> {more}, {kind} {b}, {kind} {a}")
