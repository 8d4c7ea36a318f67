"""The kernels of pools: window maxima and sums, and what goes back from them.

A job is one plane of an image. All sizes are slots; kernels differ by the step between windows
along a row: 1 and 2 are read as vectors, other steps number by number.

    pool        each row of windows: join the rows of the image, then the columns of what came out
    positions   each window's first maximum: where it is, or its gradient added there
    spread      each row of windows: spread along the row, then added to all rows it covers
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from ..kernel_text import Bit, Module, Whole, size_of
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target

MOST_STEP = 2  # windows further apart are read number by number
MOST_TAPS = 3  # of these many along a row the kernel is written out


class Slot(IntEnum):
    """The slots of the table of arguments, for all kernels."""

    IMAGE = 0
    WINDOWS = 1  # one number a window: the result, or its gradient
    GRADIENT = 2  # of the image
    SCRATCH = 3
    BUSY = 4  # bits of the regions of scratch memory in use
    REGIONS = 5
    REGION = 6  # bytes of each
    DEPTH = 7  # sizes of the image
    HEIGHT = 8
    WIDTH = 9
    OUT_DEPTH = 10
    OUT_HEIGHT = 11
    OUT_WIDTH = 12
    KERNEL_DEPTH = 13
    KERNEL_HEIGHT = 14
    KERNEL_WIDTH = 15
    STEP_DEPTH = 16
    STEP_HEIGHT = 17
    STEP_WIDTH = 18
    PADDING_DEPTH = 19
    PADDING_HEIGHT = 20
    PADDING_WIDTH = 21
    DILATION_DEPTH = 22
    DILATION_HEIGHT = 23
    DILATION_WIDTH = 24
    LINE = 25  # length of a row with its padding


def kernel(
    name: str, element: str, step: int, taps: int, dilation: int, target: Target,
) -> Kernel:
    """Return a kernel.

    Args:
        name: "max", "sum", "index" (positions of maxima, i64), "back" (of maxima), "spread".
        step: between windows along a row.
        taps, dilation: of a window along a row.
    """
    step = step if step <= MOST_STEP else 0
    known = taps if taps <= MOST_TAPS and dilation == 1 else 0
    writer = {"max": _pool, "sum": _pool, "index": _positions, "back": _positions,
              "spread": _spread}[name]

    def text() -> str:
        made = Writer(name, element, step, known, target)
        made.jobs(lambda: writer(made))
        return made.module.text()

    return Kernel(f"pool {name} {element} step {step} taps {known}", text, "pool")


class Writer:
    """What the kernels have in common: slots, planes, rows of windows, vectors of windows."""

    def __init__(self, name: str, element: str, step: int, known: int, target: Target):
        self.name, self.element, self.step, self.known = name, element, step, known
        self.module = Module(target)
        self.f = self.module.function("pool", ["ptr %args", "i64 %begin", "i64 %end"])
        self.width = target.lanes(size_of(element))
        self.vector = f"<{self.width} x {element}>"
        self.s = {slot: self.f.slot(slot) for slot in Slot}
        infinity = "0xFFF0000000000000"
        self.start = infinity if name == "max" else "0.0"

    def jobs(self, body: Callable[[], None]) -> None:
        """Write the loop over planes, with a region of scratch memory at hand."""
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.line = f.at(f.pointer(s[Slot.SCRATCH]), f.multiply(region, s[Slot.REGION]), "i8")
        area = f.multiply(s[Slot.HEIGHT], s[Slot.WIDTH])
        self.image_size = f.multiply(area, s[Slot.DEPTH])
        windows = f.multiply(f.multiply(s[Slot.OUT_DEPTH], s[Slot.OUT_HEIGHT]), s[Slot.OUT_WIDTH])
        if self.name in ("max", "sum", "spread"):
            self.fill(self.line, s[Slot.LINE], self.start)
        kind = "i64" if self.name == "index" else self.element
        with f.loop("%begin", "%end") as plane:
            self.image, self.gradient = (
                f.at(f.pointer(s[slot]), f.multiply(plane, self.image_size), self.element)
                for slot in (Slot.IMAGE, Slot.GRADIENT))
            self.windows = f.at(f.pointer(s[Slot.WINDOWS]), f.multiply(plane, windows), kind)
            body()
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()

    def fill(self, place: str, count: Whole, number: str) -> None:
        """Set `count` numbers to one."""
        f = self.f
        value = f.splat(self.element, self.width, number)
        with f.loop(0, count, self.width) as k:
            f.vector_store(self.vector, value, f.at(place, k, self.element),
                           f.lanes_below(self.width, f.subtract(count, k)))

    @contextmanager
    def rows(self) -> Iterator[tuple[str, list[tuple[Whole, Whole, Whole]]]]:
        """Loop over rows of windows: where the row begins, and the taps inside the image.

        For depth and height: first tap, end of the taps, place in the image of tap 0.
        """
        f, s = self.f, self.s
        kind = "i64" if self.name == "index" else self.element
        with f.loop(0, s[Slot.OUT_DEPTH]) as d:
            deep = self.taps(d, 0)
            first = f.multiply(d, s[Slot.OUT_HEIGHT])
            with f.loop(0, s[Slot.OUT_HEIGHT]) as h:
                row = f.multiply(f.add(first, h), s[Slot.OUT_WIDTH])
                yield f.at(self.windows, row, kind), [deep, self.taps(h, 1)]

    def taps(self, window: Whole, axis: int) -> tuple[Whole, Whole, Whole]:
        """Return the taps of a window along an axis that are inside, and where tap 0 is."""
        f, s = self.f, self.s
        size, count, step, padding, dilation = (s[Slot(slot + axis)] for slot in (
            Slot.DEPTH, Slot.KERNEL_DEPTH, Slot.STEP_DEPTH, Slot.PADDING_DEPTH,
            Slot.DILATION_DEPTH))
        origin = f.subtract(f.multiply(window, step), padding)
        above = f.subtract(dilation, 1)
        before = f.maximum(f.subtract(above, origin), 0)
        room = f.maximum(f.add(f.subtract(size, origin), above), 0)
        first, end = f.variable("i64", before), f.variable("i64", room)
        with f.when(f.compare("ne", dilation, 1)):  # divisions are slow
            f.store("i64", f.divide(before, dilation), first)
            f.store("i64", f.divide(room, dilation), end)
        return f.load("i64", first), f.minimum(f.load("i64", end), count), origin

    def columns(self, body: Callable[[Whole], None], start: int = 0) -> None:
        """Do something for the distance of each tap along a row, from one tap on."""
        f, s = self.f, self.s
        if self.known:
            for distance in range(start, self.known):
                body(distance)
            return
        with f.loop(start, s[Slot.KERNEL_WIDTH]) as kw:
            body(f.multiply(kw, s[Slot.DILATION_WIDTH]))

    @contextmanager
    def source_rows(self, taps) -> Iterator[tuple[Whole, Bit]]:
        """Loop over the rows of the image that a row of windows meets: row number, tap number."""
        f, s = self.f, self.s
        (d0, d1, origin_d), (h0, h1, origin_h) = taps
        with f.loop(d0, d1) as kd:
            z = f.add(origin_d, f.multiply(kd, s[Slot.DILATION_DEPTH]))
            first = f.multiply(z, s[Slot.HEIGHT])
            with f.loop(h0, h1) as kh:
                y = f.add(origin_h, f.multiply(kh, s[Slot.DILATION_HEIGHT]))
                # Whether this is the first row of all.
                lead = f.both(f.compare("eq", kd, d0), f.compare("eq", kh, h0))
                yield f.add(first, y), lead

    def joined(self, best: str, other: str, kind: str) -> str:
        """Return the larger of two (not a number if one is not), or their sum."""
        f = self.f
        if self.name == "sum":
            return f.float_op("fadd", kind, best, other)
        bits = f"<{self.width} x i1>" if kind.startswith("<") else "i1"
        more = f.value(f"fcmp ogt {kind} {best}, {other}")
        larger = f.value(f"select {bits} {more}, {kind} {best}, {kind} {other}")
        lost = f.value(f"fcmp uno {kind} {best}, {best}")
        return f.value(f"select {bits} {lost}, {kind} {best}, {kind} {larger}")

    def stepped(self, place: str, count: Whole | None) -> str:
        """Read one number a window from a row, `count` of them (None: all lanes may be read)."""
        f, width = self.f, self.width
        if self.step == 1:
            mask = None if count is None else f.lanes_below(width, count)
            return f.vector_load(self.vector, place, mask)
        masks: list[str | None] = [None, None]
        if count is not None:
            reach = f.subtract(f.multiply(count, 2), 1)
            masks = [f.lanes_below(width, reach), f.lanes_below(width, f.subtract(reach, width))]
        low, high = (f.vector_load(self.vector, f.at(place, k * width, self.element), mask)
                     for k, mask in enumerate(masks))
        return f.shuffle(self.vector, low, high, range(0, 2 * width, 2))


def _pool(w: Writer) -> None:
    """Rows first, into a line with padding on both sides, then columns."""
    f, s, element, vector = w.f, w.s, w.element, w.vector
    inner = f.at(w.line, s[Slot.PADDING_WIDTH], element)
    with w.rows() as (out, taps):
        with f.loop(0, s[Slot.WIDTH], w.width) as column:
            mask = f.lanes_below(w.width, f.subtract(s[Slot.WIDTH], column))
            total = f.variable(vector)
            f.store(vector, f.splat(element, w.width, w.start), total, 64)
            with w.source_rows(taps) as (row, _):
                start = f.add(f.multiply(row, s[Slot.WIDTH]), column)
                value = f.vector_load(vector, f.at(w.image, start, element), mask)
                f.store(vector, w.joined(f.load(vector, total, 64), value, vector), total, 64)
            f.vector_store(vector, f.load(vector, total, 64), f.at(inner, column, element), mask)
        single = 1 if not w.step else w.width
        kind = vector if w.step else element
        with f.loop(0, s[Slot.OUT_WIDTH], single) as window:
            here = f.at(w.line, f.multiply(window, s[Slot.STEP_WIDTH]), element)
            read = (lambda place: w.stepped(place, None)) if w.step else (
                lambda place: f.load(element, place))
            total = f.variable(kind)
            f.store(kind, read(here), total, 64)

            def join(distance, here=here, total=total, kind=kind, read=read) -> None:
                value = read(f.at(here, distance, element))
                f.store(kind, w.joined(f.load(kind, total, 64), value, kind), total, 64)

            w.columns(join, 1)
            place = f.at(out, window, element)
            if w.step:
                mask = f.lanes_below(w.width, f.subtract(s[Slot.OUT_WIDTH], window))
                f.vector_store(vector, f.load(vector, total, 64), place, mask)
            else:
                f.store(element, f.load(element, total, 64), place)


def _spread(w: Writer) -> None:
    """Along the row into a line, then the line to all rows of the image that it covers."""
    f, s, element, vector = w.f, w.s, w.element, w.vector
    w.fill(w.gradient, w.image_size, "0.0")
    inner = f.at(w.line, s[Slot.PADDING_WIDTH], element)
    with w.rows() as (windows, taps):
        w.fill(w.line, s[Slot.LINE], "0.0")
        single = w.width if w.step == 1 else 1
        with f.loop(0, s[Slot.KERNEL_WIDTH]) as kw:
            line = f.at(w.line, kw, element)
            with f.loop(0, s[Slot.OUT_WIDTH], single) as window:
                here = f.at(windows, window, element)
                place = f.at(line, f.multiply(window, s[Slot.STEP_WIDTH]), element)
                kind, mask = element, None
                if w.step == 1:
                    kind = vector
                    mask = f.lanes_below(w.width, f.subtract(s[Slot.OUT_WIDTH], window))
                value = f.vector_load(vector, here, mask) if mask else f.load(element, here)
                f.store(kind, f.float_op("fadd", kind, f.load(kind, place), value), place)
        with w.source_rows(taps) as (row, _):
            start = f.at(w.gradient, f.multiply(row, s[Slot.WIDTH]), element)
            with f.loop(0, s[Slot.WIDTH], w.width) as column:
                mask = f.lanes_below(w.width, f.subtract(s[Slot.WIDTH], column))
                place = f.at(start, column, element)
                value = f.vector_load(vector, f.at(inner, column, element), mask)
                total = f.float_op("fadd", vector, f.vector_load(vector, place, mask), value)
                f.vector_store(vector, total, place, mask)


def _positions(w: Writer) -> None:
    """Windows inside the row as vectors, those at its ends one by one."""
    f, s = w.f, w.s
    if w.name == "back":
        w.fill(w.gradient, w.image_size, "0.0")
    low: Whole = 0
    high: Whole = 0
    if w.step:
        # Windows from low on below high have all their taps inside the row.
        low = f.minimum(f.divide(f.add(s[Slot.PADDING_WIDTH], w.step - 1), w.step),
                        s[Slot.OUT_WIDTH])
        reach = f.multiply(f.subtract(s[Slot.KERNEL_WIDTH], 1), s[Slot.DILATION_WIDTH])
        room = f.subtract(f.add(s[Slot.WIDTH], s[Slot.PADDING_WIDTH]), reach)
        high = f.divide(f.maximum(f.add(room, w.step - 1), 0), w.step)
        high = f.maximum(f.minimum(high, s[Slot.OUT_WIDTH]), low)
    with w.rows() as (windows, taps):
        with f.loop(0, low) as window:
            _one_window(w, windows, taps, window)
        if w.step:
            with f.loop(low, high, w.width) as window:
                _some_windows(w, taps, window, f.subtract(high, window))
            with f.loop(low, high) as window:
                position = f.load("i32", f.at(w.line, window, "i32"))
                _found(w, windows, window, f.value(f"sext i32 {position} to i64"))
        with f.loop(high, s[Slot.OUT_WIDTH]) as window:
            _one_window(w, windows, taps, window)


def _found(w: Writer, windows: str, window: Whole, position: Whole) -> None:
    """Use the position of a window's maximum: keep it, or add the window's gradient there."""
    f, element = w.f, w.element
    if w.name == "index":
        f.store("i64", position, f.at(windows, window, "i64"))
        return
    # Far apart, the taps of a window may all lie outside.
    with f.when(f.compare("sge", position, 0)):
        place = f.at(w.gradient, position, element)
        value = f.load(element, f.at(windows, window, element))
        f.store(element, f.float_op("fadd", element, f.load(element, place), value), place)


def _better(w: Writer, best: str, value: str, kind: str) -> str:
    """Return where a value takes the place of the best one: it is larger, or not a number."""
    f = w.f
    larger = f.value(f"fcmp ogt {kind} {value}, {best}")
    lost = f.value(f"fcmp uno {kind} {value}, {value}")
    bits = f"<{w.width} x i1>" if kind.startswith("<") else "i1"
    return f.value(f"or {bits} {larger}, {lost}")


def _some_windows(w: Writer, taps, window: Whole, count: Whole) -> None:
    """Find the maxima of `count` windows with all taps inside the row, a vector at most."""
    f, s, vector, width = w.f, w.s, w.vector, w.width
    whole, bits = f"<{width} x i32>", f"<{width} x i1>"
    lowest = f.splat(w.element, width, "0xFFF0000000000000")
    best, position = f.variable(vector), f.variable(whole)
    f.store(vector, lowest, best, 64)
    f.store(whole, f.splat("i32", width, "-1"), position, 64)
    first = f.subtract(f.multiply(window, w.step), s[Slot.PADDING_WIDTH])
    lanes = "<" + ", ".join(f"i32 {k * w.step}" for k in range(width)) + ">"
    with w.source_rows(taps) as (row, lead):
        start = f.add(f.multiply(row, s[Slot.WIDTH]), first)

        def look(distance, start=start, lead=lead) -> None:
            number = f.add(start, distance)
            value = w.stepped(f.at(w.image, number, w.element), count)
            here = f.value(f"add {whole} {lanes}, "
                           f"{f.splat('i32', width, f.value(f'trunc i64 {number} to i32'))}")
            # A window starts at its first place inside the image.
            begin = f.both(lead, f.compare("eq", distance, 0))
            before = f.load(vector, best, 64)
            better = f.value(f"or {bits} {_better(w, before, value, vector)}, "
                             f"{f.splat('i1', width, str(begin))}")
            f.store(vector, f.value(
                f"select {bits} {better}, {vector} {value}, {vector} {before}"), best, 64)
            f.store(whole, f.value(f"select {bits} {better}, {whole} {here}, "
                                   f"{whole} {f.load(whole, position, 64)}"), position, 64)

        w.columns(look)
    f.store(whole, f.load(whole, position, 64), f.at(w.line, window, "i32"), 4)


def _one_window(w: Writer, windows: str, taps, window: Whole) -> None:
    """Find the maximum of a window at the end of a row."""
    f, s, element = w.f, w.s, w.element
    best = f.variable(element, "0xFFF0000000000000")
    position = f.variable("i64", -1)
    first, end, origin = w.taps(window, 2)
    with w.source_rows(taps) as (row, _):
        start = f.add(f.multiply(row, s[Slot.WIDTH]), origin)
        with f.loop(first, end) as kw:
            number = f.add(start, f.multiply(kw, s[Slot.DILATION_WIDTH]))
            value = f.load(element, f.at(w.image, number, element))
            better: Bit = f.either(_better(w, f.load(element, best), value, element),
                                   f.compare("slt", f.load("i64", position), 0))
            with f.when(better):
                f.store(element, value, best)
                f.store("i64", number, position)
    _found(w, windows, window, f.load("i64", position))
