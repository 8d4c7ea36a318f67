"""Kernels of convolutions of single planes: pixels lie in the lanes, nothing is copied first.

A job is a band of rows of one plane. Numbers beside the plane are never read: loads have masks for
the columns, and rows outside are left out. Some rows of the result are computed together, so that a
row of the source is read once for all of them; the weights stay in registers.

    forward      result[y][x] = sum of weight[v][u] * source[y s + v - p][x s + u - p]
    transposed   the same for steps of 2 between the numbers of the source: its row i and column j
                 add to rows 2 i + v - p and columns 2 j + u - p of the result. Even and odd rows
                 and columns are sums of their own, side by side, and woven together at the end.
    weight       a job is a plane of the input: weight[o][v][u] = sum over images, y and x of
                 gradient[o][y][x] * source[y s + v - p][x s + u - p], one vector of sums for each
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from ..kernel_text import Module, Whole
from ..steps import Kernel
from ..target import Target
from .convolution_copies import lanes_from, lanes_to
from .convolution_driver import split


class Slot(IntEnum):
    """The slots of all three kernels."""

    SOURCE = 0
    OTHER = 1  # the weight; of the weight's gradient, the result's gradient
    RESULT = 2
    CHANNELS = 3  # planes of an image: of the result; of the weight's gradient, of the input
    SHARE = 4  # of them that read the same plane of the source (inputs of a group)
    HIGH = 5  # sizes of the source
    WIDE = 6
    ROWS = 7  # of the result (of the gradient)
    COLUMNS = 8
    TOP = 9  # rows and columns of zeros before the source
    LEFT = 10
    BANDS = 11
    BAND = 12  # rows of a band
    FIRST = 13  # the first tap and the distance to the next: backwards for a turned kernel
    NEXT = 14
    IMAGES = 15


class Form(NamedTuple):
    """What a kernel is made for.

    Attributes:
        element, width: LLVM's name of a number, and lanes.
        kernel, stride: of rows and of columns.
        rows: how many are computed together.
        outputs: of the weight's gradient: planes of the gradient for each of the input.
    """

    element: str
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    rows: int
    outputs: int = 1

    @property
    def vector(self) -> str:
        return f"<{self.width} x {self.element}>"

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]


def forward(form: Form, target: Target) -> Kernel:
    """Return the kernel of a convolution."""
    return Kernel(f"depthwise {tuple(form)}", lambda: _Forward(form, target).text(), "depthwise")


def transposed(form: Form, target: Target) -> Kernel:
    """Return the kernel of a transposed convolution with steps of 2."""
    return Kernel(f"depthwise transposed {tuple(form)}",
                  lambda: _Transposed(form, target).text(), "depthwise")


def weight(form: Form, target: Target) -> Kernel:
    """Return the kernel of the weight's gradient."""
    return Kernel(f"depthwise weight {tuple(form)}", lambda: _Weight(form, target).text(),
                  "depthwise")


class _Text:
    """What the three have in common."""

    def __init__(self, form: Form, target: Target):
        self.form, self.module = form, Module(target)
        f = self.f = self.module.function("depthwise", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s = {slot: f.slot(slot) for slot in Slot}
        for slot in (Slot.SOURCE, Slot.OTHER, Slot.RESULT):
            self.s[slot] = f.pointer(self.s[slot])

    def plane(self, slot: Slot, number: Whole, area: Whole) -> str:
        return self.f.at(self.s[slot], self.f.multiply(number, area), self.form.element)

    def weights(self, channel: Whole) -> list[list[str]]:
        """Return the taps of a channel, each in all lanes."""
        f, (high, wide) = self.f, self.form.kernel
        start = f.add(f.multiply(channel, self.form.taps), self.s[Slot.FIRST])
        base = f.at(self.s[Slot.OTHER], start, self.form.element)
        return [[f.splat(self.form.element, self.form.width, f.load(self.form.element, f.at(
            base, f.multiply(self.s[Slot.NEXT], v * wide + u), self.form.element)))
            for u in range(wide)] for v in range(high)]

    def inside(self, first: Whole, size: Whole) -> str:
        """Return the mask of the lanes that lie inside, of columns first, first + 1, ..."""
        f, width = self.f, self.form.width
        left, right = f.subtract(0, first), f.subtract(size, first)
        return f.value(f"and <{width} x i1> {lanes_from(f, width, left)}, "
                       f"{lanes_to(f, width, right)}")

    def add(self, total: str, a: str, b: str) -> None:
        vector = self.form.vector
        self.f.store(vector, self.f.multiply_add(vector, a, b, self.f.load(vector, total, 64)),
                     total, 64)

    def columns(self, x: Whole) -> list[tuple[Whole, str, str | None]]:
        """Return for each tap of a row where the columns of lanes begin, and masks.

        With steps of 2, two vectors of neighbours hold every second number for two taps.
        """
        f, form = self.f, self.form
        step, wide = form.stride[1], form.kernel[1]
        first = f.subtract(f.multiply(x, step), self.s[Slot.LEFT])
        found = []
        for u in range(0, wide, step):
            here = f.add(first, u)
            more = self.inside(f.add(here, form.width), self.s[Slot.WIDE]) if step == 2 else None
            found.append((here, self.inside(here, self.s[Slot.WIDE]), more))
        return found

    def read(self, row: str, columns: list[tuple[Whole, str, str | None]]) -> list[str]:
        """Return for each tap of a row the numbers that the lanes meet."""
        f, form = self.f, self.form
        values = []
        for here, mask, more in columns:
            place = f.at(row, here, form.element)
            value = f.vector_load(form.vector, place, mask)
            if more is None:
                values.append(value)
                continue
            after = f.vector_load(form.vector, f.at(place, form.width, form.element), more)
            values += [f.shuffle(form.vector, value, after, range(k, 2 * form.width, 2))
                       for k in range(2)]
        return values[:form.kernel[1]]


class _Forward(_Text):
    """Writes the kernel of a convolution."""

    def text(self) -> str:
        f, s, form = self.f, self.s, self.form
        source_area = f.multiply(s[Slot.HIGH], s[Slot.WIDE])
        area = f.multiply(s[Slot.ROWS], s[Slot.COLUMNS])
        with f.loop("%begin", "%end") as job:
            number, band = split(f, job, s[Slot.BANDS])
            _, channel = split(f, number, s[Slot.CHANNELS])
            source = self.plane(Slot.SOURCE, f.divide(number, s[Slot.SHARE]), source_area)
            result = self.plane(Slot.RESULT, number, area)
            taps = self.weights(channel)
            first = f.multiply(band, s[Slot.BAND])
            final = f.minimum(f.add(first, s[Slot.BAND]), s[Slot.ROWS])
            with f.loop(0, s[Slot.COLUMNS], form.width) as x:
                columns = self.columns(x)
                there = f.lanes_below(form.width, f.subtract(s[Slot.COLUMNS], x))
                with f.loop(first, final, form.rows) as y:
                    self.rows(source, f.at(result, x, form.element), y, final, taps, columns, there)
        f.done()
        return self.module.text()

    def rows(self, source: str, result: str, y: Whole, final: Whole, taps: list[list[str]],
             columns: list, there: str) -> None:
        """Compute some rows of the result, for the lanes of some columns."""
        f, s, form = self.f, self.s, self.form
        step, high = form.stride[0], form.kernel[0]
        totals = [f.variable(form.vector) for _ in range(form.rows)]
        for total in totals:
            f.store(form.vector, "zeroinitializer", total, 64)
        top = f.subtract(f.multiply(y, step), s[Slot.TOP])
        for r in range((form.rows - 1) * step + high):
            row = f.add(top, r)
            with f.when(f.value(f"icmp ult i64 {row}, {s[Slot.HIGH]}")):
                start = f.at(source, f.multiply(row, s[Slot.WIDE]), form.element)
                values = self.read(start, columns)
                for i, total in enumerate(totals):
                    if 0 <= r - i * step < high:
                        for tap, value in zip(taps[r - i * step], values, strict=True):
                            self.add(total, tap, value)
        for i, total in enumerate(totals):
            with f.when(f.compare("slt", f.add(y, i), final)):
                place = f.at(result, f.multiply(f.add(y, i), s[Slot.COLUMNS]), form.element)
                f.vector_store(form.vector, f.load(form.vector, total, 64), place, there)


class _Transposed(_Text):
    """Writes the kernel of a transposed convolution: row and column t of the result, counted from
    where the padding begins, see the taps of t's own parity, at source t // 2 and before."""

    def text(self) -> str:
        f, s, form = self.f, self.s, self.form
        source_area = f.multiply(s[Slot.HIGH], s[Slot.WIDE])
        area = f.multiply(s[Slot.ROWS], s[Slot.COLUMNS])
        with f.loop("%begin", "%end") as job:
            number, band = split(f, job, s[Slot.BANDS])
            _, channel = split(f, number, s[Slot.CHANNELS])
            source = self.plane(Slot.SOURCE, number, source_area)
            result = self.plane(Slot.RESULT, number, area)
            taps = self.weights(channel)
            # Of pairs of rows and of columns: those before, and those that reach into the result.
            start = [f.divide(s[slot], 2) for slot in (Slot.TOP, Slot.LEFT)]
            stop = [f.add(f.divide(f.subtract(f.add(s[size], s[before]), 1), 2), 1)
                    for size, before in ((Slot.ROWS, Slot.TOP), (Slot.COLUMNS, Slot.LEFT))]
            first = f.add(start[0], f.multiply(band, s[Slot.BAND]))
            final = f.minimum(f.add(first, s[Slot.BAND]), stop[0])
            with f.loop(start[1], stop[1], form.width) as pair:
                columns = [(here := f.subtract(pair, u), self.inside(here, s[Slot.WIDE]), None)
                           for u in range((form.kernel[1] + 1) // 2)]
                x = f.subtract(f.multiply(pair, 2), s[Slot.LEFT])
                masks = [self.inside(f.add(x, k * form.width), s[Slot.COLUMNS]) for k in range(2)]
                with f.loop(first, final, form.rows) as y:
                    self.pairs(source, f.at(result, x, form.element), y, final, taps, columns,
                               masks)
        f.done()
        return self.module.text()

    def pairs(self, source: str, result: str, y: Whole, final: Whole, taps: list[list[str]],
              columns: list, masks: list[str]) -> None:
        """Compute some pairs of rows of the result, for the lanes of some pairs of columns."""
        f, s, form = self.f, self.s, self.form
        high, wide = form.kernel
        back = (high - 1) // 2  # source rows before a pair that it sees
        totals = [[[f.variable(form.vector) for _ in range(2)] for _ in range(2)]
                  for _ in range(form.rows)]
        for total in (t for pair in totals for row in pair for t in row):
            f.store(form.vector, "zeroinitializer", total, 64)
        for r in range(-back, form.rows):
            row = f.add(y, r)
            with f.when(f.value(f"icmp ult i64 {row}, {s[Slot.HIGH]}")):
                start = f.at(source, f.multiply(row, s[Slot.WIDE]), form.element)
                values = [f.vector_load(form.vector, f.at(start, here, form.element), mask)
                          for here, mask, _ in columns]
                for i in range(form.rows):
                    for v in (2 * (i - r), 2 * (i - r) + 1):
                        for u in range(wide if 0 <= v < high else 0):
                            self.add(totals[i][v % 2][u % 2], taps[v][u], values[u // 2])
        for i, pair in enumerate(totals):
            for parity, (even, odd) in enumerate(pair):
                t = f.subtract(f.multiply(f.add(y, i), 2), s[Slot.TOP])
                t = f.add(t, parity)
                inside = f.both(f.value(f"icmp ult i64 {t}, {s[Slot.ROWS]}"),
                                f.compare("slt", f.add(y, i), final))
                with f.when(inside):
                    place = f.at(result, f.multiply(t, s[Slot.COLUMNS]), form.element)
                    both = [f.load(form.vector, total, 64) for total in (even, odd)]
                    for k, mask in enumerate(masks):
                        half = [k * form.width // 2 + n // 2 + n % 2 * form.width
                                for n in range(form.width)]
                        f.vector_store(form.vector, f.shuffle(form.vector, both[0], both[1], half),
                                       f.at(place, k * form.width, form.element), mask)


class _Weight(_Text):
    """Writes the kernel of the weight's gradient."""

    def text(self) -> str:
        f, s, form = self.f, self.s, self.form
        source_area = f.multiply(s[Slot.HIGH], s[Slot.WIDE])
        area = f.multiply(s[Slot.ROWS], s[Slot.COLUMNS])
        inputs = s[Slot.SHARE]
        high, wide = form.kernel
        with f.loop("%begin", "%end") as job:
            group, own = split(f, job, inputs)
            totals = [[[f.variable(form.vector) for _ in range(wide)] for _ in range(high)]
                      for _ in range(form.outputs)]
            for total in (t for output in totals for row in output for t in row):
                f.store(form.vector, "zeroinitializer", total, 64)
            groups = f.divide(s[Slot.CHANNELS], inputs)
            with f.loop(0, s[Slot.COLUMNS], form.width) as x:
                columns = self.columns(x)
                there = f.lanes_below(form.width, f.subtract(s[Slot.COLUMNS], x))
                with f.loop(0, s[Slot.IMAGES]) as image:
                    source = self.plane(Slot.SOURCE, f.add(
                        f.multiply(image, s[Slot.CHANNELS]), job), source_area)
                    plane = f.multiply(f.add(f.multiply(image, groups), group), form.outputs)
                    gradient = f.at(self.plane(Slot.OTHER, plane, area), x, form.element)
                    rest = f.remainder(s[Slot.ROWS], form.rows)
                    whole = f.subtract(s[Slot.ROWS], rest)
                    with f.loop(0, whole, form.rows) as y:
                        self.rows(source, gradient, area, y, form.rows, totals, columns, there)
                    if form.rows > 1:
                        with f.loop(whole, s[Slot.ROWS]) as y:
                            self.rows(source, gradient, area, y, 1, totals, columns, there)
            for o, output in enumerate(totals):
                place = f.multiply(f.add(f.multiply(f.add(
                    f.multiply(group, form.outputs), o), inputs), own), form.taps)
                target = f.at(s[Slot.RESULT], place, form.element)
                for k, total in enumerate(total for row in output for total in row):
                    value = self.across(f.load(form.vector, total, 64))
                    f.store(form.element, value, f.at(target, k, form.element))
        f.done()
        return self.module.text()

    def rows(self, source: str, gradient: str, area: Whole, y: Whole, count: int, totals: list,
             columns: list, there: str) -> None:
        """Add what some rows of the gradient say, for the lanes of some columns."""
        f, s, form = self.f, self.s, self.form
        step, high = form.stride[0], form.kernel[0]
        factors = []
        for i in range(count):
            start = f.at(gradient, f.multiply(f.add(y, i), s[Slot.COLUMNS]), form.element)
            factors.append([f.vector_load(
                form.vector, f.at(start, f.multiply(area, o), form.element), there)
                for o in range(form.outputs)])
        top = f.subtract(f.multiply(y, step), s[Slot.TOP])
        for r in range((count - 1) * step + high):
            row = f.add(top, r)
            with f.when(f.value(f"icmp ult i64 {row}, {s[Slot.HIGH]}")):
                values = self.read(f.at(source, f.multiply(row, s[Slot.WIDE]), form.element),
                                   columns)
                # What meets no gradient must not be infinite: zero times that is no number.
                values = [f.value(f"select <{form.width} x i1> {there}, {form.vector} {value}, "
                                  f"{form.vector} zeroinitializer") for value in values]
                for i in range(count):
                    for o in range(form.outputs if 0 <= r - i * step < high else 0):
                        for u, value in enumerate(values):
                            self.add(totals[o][r - i * step][u], factors[i][o], value)

    def across(self, value: str) -> str:
        """Return the sum of all lanes, halves by halves."""
        f, form = self.f, self.form
        width = form.width
        while width > 1:
            width //= 2
            other = f.shuffle(form.vector, value, "poison",
                              [(k + width) % form.width for k in range(form.width)])
            value = f.float_op("fadd", form.vector, value, other)
        return f.value(f"extractelement {form.vector} {value}, i64 0")
