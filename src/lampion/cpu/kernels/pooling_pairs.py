"""Pools with windows of 2 x 2 side by side, the usual ones: each number is read and written once.

Every window has its own four numbers, so gradients are stored, not added, and nothing needs to be
looked up. Windows begin at the first row and column; a last odd row or column belongs to none.
"""

from __future__ import annotations

from ..kernel_text import Module, Whole, size_of
from ..steps import Kernel
from ..target import Target
from .pooling_text import Slot


def kernel(name: str, element: str, columns: int, target: Target) -> Kernel:
    """Return the kernel "max", "sum", "back" or "spread" for rows of so many such windows."""
    width = target.lanes(size_of(element))
    while width > 4 and width // 2 >= columns:
        width //= 2
    return Kernel(f"pool pairs {name} {element} {width}",
                  lambda: _Pairs(name, element, width, target).text(), "pool")


class _Pairs:
    """Writes a kernel: planes, blocks of columns, pairs of rows."""

    def __init__(self, name: str, element: str, width: int, target: Target):
        self.name, self.element, self.width = name, element, width
        self.module = Module(target)
        self.f = self.module.function("pool", ["ptr %args", "i64 %begin", "i64 %end"])
        self.vector, self.bits = f"<{self.width} x {element}>", f"<{self.width} x i1>"
        self.s = {slot: self.f.slot(slot) for slot in Slot}

    def text(self) -> str:
        f, s = self.f, self.s
        area = f.multiply(s[Slot.HEIGHT], s[Slot.WIDTH])
        windows = f.multiply(s[Slot.OUT_HEIGHT], s[Slot.OUT_WIDTH])
        whole = f.multiply(windows, 4)
        with f.loop("%begin", "%end") as plane:
            image, gradient = (
                f.at(f.pointer(s[slot]), f.multiply(plane, area), self.element)
                for slot in (Slot.IMAGE, Slot.GRADIENT))
            here = f.at(f.pointer(s[Slot.WINDOWS]), f.multiply(plane, windows), self.element)
            if self.name in ("back", "spread"):
                with f.when(f.compare("ne", whole, area)):
                    self.clear(gradient, area)
            with f.loop(0, s[Slot.OUT_WIDTH], self.width) as column:
                self.columns(image, gradient, here, column)
        f.done()
        return self.module.text()

    def clear(self, gradient: str, area: Whole) -> None:
        """Set a plane of the gradient to zero, for what belongs to no window."""
        f = self.f
        with f.loop(0, area, self.width) as k:
            f.vector_store(self.vector, "zeroinitializer", f.at(gradient, k, self.element),
                           f.lanes_below(self.width, f.subtract(area, k)))

    def columns(self, image: str, gradient: str, windows: str, column: Whole) -> None:
        """Do a vector of windows in every pair of rows."""
        f, s, element, vector = self.f, self.s, self.element, self.vector
        count = f.subtract(s[Slot.OUT_WIDTH], column)
        mask = f.lanes_below(self.width, count)
        double = f.multiply(count, 2)
        masks = [f.lanes_below(self.width, double),
                 f.lanes_below(self.width, f.subtract(double, self.width))]
        with f.loop(0, s[Slot.OUT_HEIGHT]) as row:
            window = f.at(windows, f.add(f.multiply(row, s[Slot.OUT_WIDTH]), column), element)
            number = f.multiply(f.add(f.multiply(row, s[Slot.WIDTH]), column), 2)
            lines = (number, f.add(number, s[Slot.WIDTH]))
            if self.name == "spread":
                parts = [f.vector_load(vector, window, mask)] * 4
            else:
                taps = [tap for start in lines
                        for tap in self.apart(f.at(image, start, element), masks)]
                if self.name != "back":
                    f.vector_store(vector, self.joined(taps), window, mask)
                    parts = []
                else:
                    value = f.vector_load(vector, window, mask)
                    parts = [self.either(where, value, "zeroinitializer")
                             for where in self.best(taps)[1]]
            for k, start in enumerate(lines if parts else ()):
                self.together(f.at(gradient, start, element), parts[2 * k:2 * k + 2], masks)

    def joined(self, taps: list[str]) -> str:
        """Return the maxima or the sums of windows."""
        if self.name == "max":
            return self.best(taps)[0]
        rows = [self.f.float_op("fadd", self.vector, *taps[k:k + 2]) for k in (0, 2)]
        return self.f.float_op("fadd", self.vector, *rows)

    def apart(self, place: str, masks: list[str]) -> list[str]:
        """Read two vectors; return what is at even and at odd places."""
        f, width = self.f, self.width
        low, high = (f.vector_load(self.vector, f.at(place, k * width, self.element), mask)
                     for k, mask in enumerate(masks))
        return [f.shuffle(self.vector, low, high, range(k, 2 * width, 2)) for k in range(2)]

    def together(self, place: str, parts: list[str], masks: list[str]) -> None:
        """The other way: write two vectors with what belongs to even and odd places."""
        f, width = self.f, self.width
        for k, mask in enumerate(masks):
            places = [(k * width + lane) // 2 + lane % 2 * width for lane in range(width)]
            f.vector_store(self.vector, f.shuffle(self.vector, parts[0], parts[1], places),
                           f.at(place, k * width, self.element), mask)

    def either(self, where: str, a: str, b: str) -> str:
        return self.f.value(f"select {self.bits} {where}, {self.vector} {a}, {self.vector} {b}")

    def second(self, a: str, b: str) -> str:
        """Return where b takes the place of an earlier a: it is larger, or not a number."""
        f = self.f
        larger = f.value(f"fcmp ogt {self.vector} {b}, {a}")
        lost = f.value(f"fcmp uno {self.vector} {b}, {b}")
        return f.value(f"or {self.bits} {larger}, {lost}")

    def best(self, taps: list[str]) -> tuple[str, list[str]]:
        """Return the maxima, and for each tap where it is the first of them."""
        f = self.f
        inner = [self.second(taps[k], taps[k + 1]) for k in (0, 2)]
        rows = [self.either(where, taps[2 * k + 1], taps[2 * k]) for k, where in enumerate(inner)]
        lower = self.second(*rows)
        ones = "<" + ", ".join(["i1 true"] * self.width) + ">"
        upper = f.value(f"xor {self.bits} {lower}, {ones}")
        chosen = []
        for k, row in enumerate((upper, lower)):
            left = f.value(f"xor {self.bits} {inner[k]}, {ones}")
            chosen += [f.value(f"and {self.bits} {row}, {where}") for where in (left, inner[k])]
        return self.either(lower, rows[1], rows[0]), chosen

