"""What goes back from the windows of a pool, gathered: each number of the image asks its windows.

For windows that overlap and steps of 1 or 2. Adding to the image window by window would read again
what was just written; here every number of the image's gradient is written once.

    spread      the sum of the numbers of all windows that cover a place
    back        of those whose first maximum is at the place. Where the maxima are is found before:
                in each row of the image the best of the taps along it, which stays in registers
                for all rows of windows that see it; then the best of these rows.

Rows and columns t, counted from where the padding begins, are seen by the taps of t's own remainder
by the step, of windows t // step and before. With a step of 2, even and odd columns are sums of
their own, woven together at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from ..kernel_text import Module, Whole, size_of
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target
from .convolution_copies import lanes_from, lanes_to
from .pooling_text import Slot

MOST_STEP = 2
MOST_TAPS = 5  # along an axis
LOWEST = "0xFFF0000000000000"


def suits(kernel_size: tuple[int, ...], step: tuple[int, ...], padding: tuple[int, ...],
          dilation: tuple[int, ...], size: tuple[int, ...], target: Target) -> bool:
    """Return whether these kernels can be used: their loads have masks, so AVX2 is needed."""
    return (target.vector_bytes >= 32 and size[0] == kernel_size[0] == 1 and padding[0] == 0
            and max(dilation) == 1 and max(step[1:]) <= MOST_STEP
            and max(kernel_size) <= MOST_TAPS
            and all(p < k for p, k in zip(padding, kernel_size, strict=True)))


def region(out: tuple[int, ...]) -> int:
    """Return the bytes that a plane needs for the places of its maxima."""
    return out[1] * out[2] * 4


def kernel(name: str, element: str, columns: int, kernel_size: tuple[int, ...],
           step: tuple[int, ...], target: Target) -> Kernel:
    """Return the kernel "back" or "spread" for rows of so many windows."""
    width = target.lanes(size_of(element))
    while width > 4 and width // 2 >= columns:
        width //= 2
    form = (element, width, kernel_size[1:], step[1:])
    return Kernel(f"pool gather {name} {form}",
                  lambda: _Gather(name, *form, target).text(), "pool")


class _Gather:
    """Writes a kernel: planes, vectors of columns, rows."""

    def __init__(self, name: str, element: str, width: int, kernel_size: tuple[int, ...],
                 step: tuple[int, ...], target: Target):
        self.name, self.element, self.width = name, element, width
        self.high, self.wide = kernel_size
        self.step_high, self.step_wide = step
        self.module = Module(target)
        self.f = self.module.function("pool", ["ptr %args", "i64 %begin", "i64 %end"])
        self.vector, self.bits = f"<{width} x {element}>", f"<{width} x i1>"
        self.places = f"<{width} x i32>"

    def text(self) -> str:
        f, element = self.f, self.element
        s = self.s = {slot: f.slot(slot) for slot in Slot}
        taken = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.found = f.at(f.pointer(s[Slot.SCRATCH]), f.multiply(taken, s[Slot.REGION]), "i8")
        area = f.multiply(s[Slot.HEIGHT], s[Slot.WIDTH])
        windows = f.multiply(s[Slot.OUT_HEIGHT], s[Slot.OUT_WIDTH])
        with f.loop("%begin", "%end") as plane:
            image, gradient = (
                f.at(f.pointer(s[slot]), f.multiply(plane, area), element)
                for slot in (Slot.IMAGE, Slot.GRADIENT))
            here = f.at(f.pointer(s[Slot.WINDOWS]), f.multiply(plane, windows), element)
            if self.name == "back":
                self.find(image)
            self.gather(here, gradient)
        release(f, Slot.BUSY, s[Slot.REGIONS], taken)
        f.done()
        return self.module.text()

    # --- where the maxima are ------------------------------------------------------------------

    def find(self, image: str) -> None:
        """For each window, find the place of its first maximum."""
        f, s, step = self.f, self.s, self.step_high
        kept = max(self.high - step, 0)  # rows of the image that the next row of windows sees, too
        with f.loop(0, s[Slot.OUT_WIDTH], self.width) as x:
            there = f.lanes_below(self.width, f.subtract(s[Slot.OUT_WIDTH], x))
            look = self.along_row(image, x)
            rows = [(f.variable(self.vector), f.variable(self.places)) for _ in range(self.high)]
            top = f.subtract(0, s[Slot.PADDING_HEIGHT])
            for v in range(kept):
                look(f.add(top, v), rows[v + step])
            with f.loop(0, s[Slot.OUT_HEIGHT]) as y:
                for v in range(kept):
                    for kind, new, old in zip((self.vector, self.places), rows[v], rows[v + step],
                                              strict=True):
                        f.store(kind, f.load(kind, old, 64), new, 64)
                top = f.subtract(f.multiply(y, step), s[Slot.PADDING_HEIGHT])
                for v in range(kept, self.high):
                    look(f.add(top, v), rows[v])
                pairs = [(f.load(self.vector, best, 64), f.load(self.places, where, 64))
                         for best, where in rows]
                first = pairs[0]
                for pair in pairs[1:]:
                    first = self.better(first, pair)
                target = f.add(f.multiply(y, s[Slot.OUT_WIDTH]), x)
                f.vector_store(self.places, first[1], f.at(self.found, target, "i32"), there)

    def along_row(self, image: str, x: Whole) -> Callable[[Whole, tuple[str, str]], None]:
        """Return what finds the first maxima along a row, of windows from x on.

        Of a row outside, no number is larger than another; the first place inside is as good as
        any.
        """
        f, s, step = self.f, self.s, self.step_wide
        first = f.subtract(f.multiply(x, step), s[Slot.PADDING_WIDTH])
        masks = [self.inside(f.add(first, u), s[Slot.WIDTH]) for u in range(0, self.wide, step)]
        if step == 2:
            more = [self.inside(f.add(first, u + self.width), s[Slot.WIDTH])
                    for u in range(0, self.wide, step)]
            masks = [mask for pair in zip(masks, more, strict=True) for mask in pair]
        columns = self.numbered(first, step)
        inside = f.intrinsic(f"llvm.smax.v{self.width}i32", [
            (self.places, columns), (self.places, f.splat("i32", self.width, "0"))], self.places)

        def look(row: Whole, to: tuple[str, str]) -> None:
            start = f.multiply(f.maximum(row, 0), s[Slot.WIDTH])
            lowest = f.splat(self.element, self.width, LOWEST)
            f.store(self.vector, lowest, to[0], 64)
            f.store(self.places, self.moved(inside, start), to[1], 64)
            with f.when(f.value(f"icmp ult i64 {row}, {s[Slot.HEIGHT]}")):
                values = self.taps(f.at(image, f.add(start, first), self.element), masks)
                pair = lowest, inside
                for u, value in enumerate(values):
                    pair = self.better(pair, (value, self.moved(columns, u)))
                f.store(self.vector, pair[0], to[0], 64)
                f.store(self.places, self.moved(pair[1], start), to[1], 64)

        return look

    def taps(self, place: str, masks: list[str]) -> list[str]:
        """Return for each tap of a row the numbers of a vector of windows."""
        f, values = self.f, []
        for k, u in enumerate(range(0, self.wide, self.step_wide)):
            here = f.at(place, u, self.element)
            if self.step_wide == 1:
                values.append(self.lowest_outside(here, masks[k]))
                continue
            parts = [self.lowest_outside(f.at(here, n * self.width, self.element),
                                         masks[2 * k + n]) for n in range(2)]
            values += [f.shuffle(self.vector, parts[0], parts[1], range(n, 2 * self.width, 2))
                       for n in range(2)]
        return values[:self.wide]

    def better(self, old: tuple[str, str], new: tuple[str, str]) -> tuple[str, str]:
        """Return the new number and place where the number is larger, or is none."""
        f = self.f
        larger = f.value(f"fcmp ogt {self.vector} {new[0]}, {old[0]}")
        lost = f.value(f"fcmp uno {self.vector} {new[0]}, {new[0]}")
        which = f.value(f"or {self.bits} {larger}, {lost}")
        value, where = (f.value(f"select {self.bits} {which}, {kind} {b}, {kind} {a}")
                        for kind, a, b in zip((self.vector, self.places), old, new, strict=True))
        return value, where

    # --- gathering -----------------------------------------------------------------------------

    def gather(self, windows: str, gradient: str) -> None:
        """Write the gradient of a plane, vector after vector of columns."""
        f, s, step = self.f, self.s, self.step_wide
        begin_y, end_y = self.span(Slot.PADDING_HEIGHT, Slot.HEIGHT, self.step_high)
        begin_x, end_x = self.span(Slot.PADDING_WIDTH, Slot.WIDTH, step)
        with f.loop(begin_x, end_x, self.width) as j:
            columns = [f.subtract(j, w) for w in range(-(-self.wide // step))]
            masks = [self.inside(column, s[Slot.OUT_WIDTH]) for column in columns]
            x = f.subtract(f.multiply(j, step), s[Slot.PADDING_WIDTH])
            own = [self.numbered(f.add(x, b), step) for b in range(step)]
            there = [self.inside(f.add(x, k * self.width), s[Slot.WIDTH]) for k in range(step)]
            with f.loop(begin_y, end_y) as i:
                totals = self.totals(windows, i, list(zip(columns, masks, strict=True)), own)
                for a, row in enumerate(totals):
                    y = f.subtract(f.add(f.multiply(i, self.step_high), a), s[Slot.PADDING_HEIGHT])
                    with f.when(f.value(f"icmp ult i64 {y}, {s[Slot.HEIGHT]}")):
                        place = f.at(gradient, f.add(f.multiply(y, s[Slot.WIDTH]), x), self.element)
                        self.write(place, [f.load(self.vector, t, 64) for t in row], there)

    def span(self, padding: Slot, size: Slot, step: int) -> tuple[Whole, Whole]:
        """Return which groups of `step` rows or columns, from the padding on, are in the image."""
        f, s = self.f, self.s
        last = f.subtract(f.add(s[size], s[padding]), 1)
        return f.divide(s[padding], step), f.add(f.divide(last, step), 1)

    def totals(self, windows: str, i: Whole, columns: list[tuple[Whole, str]],
               own: list[str]) -> list[list[str]]:
        """Return the sums of a group of rows, for each row and each remainder of columns."""
        f, s = self.f, self.s
        totals = [[f.variable(self.vector) for _ in range(self.step_wide)]
                  for _ in range(self.step_high)]
        for total in (t for row in totals for t in row):
            f.store(self.vector, "zeroinitializer", total, 64)
        here = []  # the places of all sums
        for a in range(self.step_high):
            y = f.subtract(f.add(f.multiply(i, self.step_high), a), s[Slot.PADDING_HEIGHT])
            here.append([self.moved(columns_, f.multiply(y, s[Slot.WIDTH])) for columns_ in own])
        for back in range(-(-self.high // self.step_high)):
            window = f.subtract(i, back)
            with f.when(f.value(f"icmp ult i64 {window}, {s[Slot.OUT_HEIGHT]}")):
                row = f.multiply(window, s[Slot.OUT_WIDTH])
                for w, (column, mask) in enumerate(columns):
                    self.from_windows(windows, f.add(row, column), mask, here, totals,
                                      (back * self.step_high, w * self.step_wide))
        return totals

    def from_windows(self, windows: str, number: Whole, mask: str, here: list[list[str]],
                     totals: list[list[str]], first: tuple[int, int]) -> None:
        """Add what windows give to the places of their taps first, first + 1, ..."""
        f = self.f
        value = f.vector_load(self.vector, f.at(windows, number, self.element), mask)
        found = (f.vector_load(self.places, f.at(self.found, number, "i32"), mask)
                 if self.name == "back" else "")
        for a, row in enumerate(totals):
            for b, total in enumerate(row):
                if first[0] + a >= self.high or first[1] + b >= self.wide:
                    continue
                part = value
                if found:
                    same = f.value(f"icmp eq {self.places} {found}, {here[a][b]}")
                    part = f.value(f"select {self.bits} {same}, {self.vector} {value}, "
                                   f"{self.vector} zeroinitializer")
                f.store(self.vector, f.float_op(
                    "fadd", self.vector, f.load(self.vector, total, 64), part), total, 64)

    def write(self, place: str, parts: list[str], masks: list[str]) -> None:
        f, width = self.f, self.width
        if len(parts) == 1:
            f.vector_store(self.vector, parts[0], place, masks[0])
            return
        for k, mask in enumerate(masks):
            lanes = [(k * width + lane) // 2 + lane % 2 * width for lane in range(width)]
            f.vector_store(self.vector, f.shuffle(self.vector, parts[0], parts[1], lanes),
                           f.at(place, k * width, self.element), mask)

    # --- vectors -------------------------------------------------------------------------------

    def inside(self, first: Whole, size: Whole) -> str:
        """Return the mask of the lanes that lie inside, of columns first, first + 1, ..."""
        f, width = self.f, self.width
        return f.value(f"and {self.bits} {lanes_from(f, width, f.subtract(0, first))}, "
                       f"{lanes_to(f, width, f.subtract(size, first))}")

    def numbered(self, first: Whole, step: int) -> str:
        """Return first, first + step, ..."""
        lanes = "<" + ", ".join(f"i32 {k * step}" for k in range(self.width)) + ">"
        return self.moved(lanes, first)

    def moved(self, places: str, distance: Whole) -> str:
        """Return places that are further by a distance."""
        f = self.f
        if distance == 0:
            return places
        short = str(distance) if isinstance(distance, int) else f.value(
            f"trunc i64 {distance} to i32")
        return f.value(f"add {self.places} {places}, {f.splat('i32', self.width, short)}")

    def lowest_outside(self, place: str, mask: str) -> str:
        """Read a vector; lanes outside the mask are minus infinity."""
        f = self.f
        suffix = f"v{self.width}{'f32' if self.element == 'float' else 'f64'}"
        return f.intrinsic(f"llvm.masked.load.{suffix}.p0", [
            ("ptr", place), ("i32", str(size_of(self.element))), (self.bits, mask),
            (self.vector, f.splat(self.element, self.width, LOWEST))], self.vector)
