"""Random numbers of Philox4x32-10, a vector of counters at a time.

A lane is one block: a counter of 64 bits becomes four numbers c0 c1 c2 c3 of 32 bits, each in the
lower half of a word of 64 bits. The upper halves hold whatever is left of a product, since the next
multiplication reads the lower half alone. Results lie block after block, so the four vectors are
interleaved at the end.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from ...dtypes import float32
from ...ir import Type
from ...ops.random import MULTIPLY, ROUNDS, WEYL
from ...strides import is_contiguous
from ..kernel_text import Function, Module
from ..steps import Kernel, Operand, Place, Plan, Step
from ..target import Target
from .copies import place

KEY, RESULT, COUNT, GROUPS, SHIFT, SCALE, CHANCE = range(7)  # slots
JOB_NUMBERS = 16 * 1024
LOW = 0xFFFFFFFF


def bits(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `random_bits`."""
    return _plan(operands, result, "bits", 32, target)


def uniform(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `random_uniform`."""
    return _plan(operands, result, "uniform", settings["digits"], target)


def below(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `random_below`."""
    if operands[1].dtype is not float32:
        return None
    return _plan(operands, result, "below", 24, target)


def _plan(operands: tuple[Operand, ...], result: Type, what: str, digits: int,
          target: Target) -> Plan | None:
    key = operands[0]
    if not is_contiguous(key.shape, key.strides):
        return None
    count = math.prod(result.shape)
    group = 4 * target.lanes(8)
    jobs = -(-count // JOB_NUMBERS)
    (scale,) = struct.unpack("i", struct.pack("f", 2.0**-digits))
    chance = place(1, operands[1]) if what == "below" else 0
    slots = (place(0, key), Place(len(operands)), count, JOB_NUMBERS // group, 32 - digits, scale,
             chance)
    kernel = Kernel(f"random {what}", lambda: _text(what, target), "random")
    return Plan((Step(kernel, jobs, slots),) if jobs else (), 0)


def _text(what: str, target: Target) -> str:
    module = Module(target)
    f = module.function("random", ["ptr %args", "i64 %begin", "i64 %end"])
    width = target.lanes(8)
    numbers = 4 * width
    vector = f"<{width} x i64>"
    word, size = {"bits": ("i64", 8), "uniform": ("float", 4), "below": ("i8", 1)}[what]
    key, result = f.slot(KEY, "ptr"), f.slot(RESULT, "ptr")
    count, groups = f.slot(COUNT), f.slot(GROUPS)
    seed, offset = f.load("i64", key), f.load("i64", f.at(key, 1, "i64"))
    keys = _round_keys(f, seed, width)
    shift = f.splat("i32", 2 * width, f.value(f"trunc i64 {f.slot(SHIFT)} to i32"))
    scale = f.splat("float", 2 * width, f.value(
        f"bitcast i32 {f.value(f'trunc i64 {f.slot(SCALE)} to i32')} to float"))
    chance = None
    if what == "below":
        chance = f.splat("float", 2 * width, f.load("float", f.slot(CHANCE, "ptr")))
    lanes = ", ".join(f"i64 {k}" for k in range(width))
    rest = f.variable(f"[{numbers} x {word}]")
    first = f.multiply(f.multiply("%begin", groups), numbers)
    last = f.minimum(f.multiply(f.multiply("%end", groups), numbers), count)
    with f.loop(first, last, numbers) as number:
        # Offsets are numbers of 64 bits without a sign: they may wrap around.
        block = f.value(f"add i64 {offset}, {f.value(f'lshr i64 {number}, 2')}")
        counter = f.value(f"add {vector} {f.splat('i64', width, block)}, <{lanes}>")
        four = _philox(f, vector, counter, keys)
        left = f.subtract(last, number)
        whole = f.compare("sge", left, numbers)
        here = f.at(result, number, word)
        to = str(f.select(whole, here, rest, "ptr"))
        if what == "bits":
            _store_bits(f, width, four, to)
        else:
            _store_fractions(f, width, four, to, shift, scale, chance)
        with f.when(f.value(f"xor i1 {whole}, true")):
            f.intrinsic("llvm.memcpy.p0.p0.i64", [
                ("ptr", here), ("ptr", rest), ("i64", str(f.multiply(left, size))),
                ("i1", "false")])
    f.done()
    return module.text()


def _round_keys(f: Function, seed: str, width: int) -> list[tuple[str, str]]:
    """Return the two keys of each round, in all lanes."""
    halves = (f.value(f"and i64 {seed}, {LOW}"), f.value(f"lshr i64 {seed}, 32"))
    keys = []
    for k in range(ROUNDS):
        one, two = (
            f.splat("i64", width, f.value(f"and i64 {f.value(f'add i64 {h}, {k * w}')}, {LOW}"))
            for h, w in zip(halves, WEYL, strict=True))
        keys.append((one, two))
    return keys


def _philox(f: Function, vector: str, counter: str, keys: list[tuple[str, str]]) -> list[str]:
    """Return the four numbers of each lane's block, in the lower halves."""
    def product(x: str, factor: int) -> str:
        return f.value(f"mul {vector} {f.value(f'and {vector} {x}, splat (i64 {LOW})')}, "
                       f"splat (i64 {factor})")

    def upper(x: str) -> str:
        return f.value(f"lshr {vector} {x}, splat (i64 32)")

    def either(*parts: str) -> str:
        found = parts[0]
        for part in parts[1:]:
            found = f.value(f"xor {vector} {found}, {part}")
        return found

    c0, c1, c2, c3 = counter, upper(counter), "zeroinitializer", "zeroinitializer"
    for one, two in keys:
        first, second = product(c0, MULTIPLY[0]), product(c2, MULTIPLY[1])
        c0, c1 = either(upper(second), c1, one), second
        c2, c3 = either(upper(first), c3, two), first
    return [c0, c1, c2, c3]


def _interleaved(f: Function, vector: str, width: int, a: str, b: str) -> list[str]:
    """Return a0 b0 a1 b1 ... as two vectors."""
    places = [k // 2 + (k % 2) * width for k in range(2 * width)]
    return [f.shuffle(vector, a, b, places[:width]), f.shuffle(vector, a, b, places[width:])]


def _store_bits(f: Function, width: int, four: list[str], to: str) -> None:
    """Store numbers of 32 bits in words of 64."""
    vector = f"<{width} x i64>"
    c = [f.value(f"and {vector} {x}, splat (i64 {LOW})") for x in four]
    starts, ends = (_interleaved(f, vector, width, *pair) for pair in ((c[0], c[1]), (c[2], c[3])))
    for k in range(4):
        places = []
        for number in range(k * width, (k + 1) * width):
            block, which = divmod(number, 4)
            inside = 2 * (block % (width // 2)) + which % 2
            places.append(inside + (width if which >= 2 else 0))
        half = k // 2
        line = f.shuffle(vector, starts[half], ends[half], places)
        f.store(vector, line, f.at(to, k * width, "i64"))


def _store_fractions(f: Function, width: int, four: list[str], to: str, shift: str, scale: str,
                     chance: str | None) -> None:
    """Store the upper bits of each number as a fraction; or whether that is below a chance."""
    vector, whole, floats = f"<{width} x i64>", f"<{2 * width} x i32>", f"<{2 * width} x float>"
    pairs = []
    for low, high in (four[:2], four[2:]):
        moved = f.value(f"shl {vector} {high}, splat (i64 32)")
        kept = f.value(f"and {vector} {low}, splat (i64 {LOW})")
        pairs.append(f.value(f"or {vector} {moved}, {kept}"))
    for k, line in enumerate(_interleaved(f, vector, width, *pairs)):
        numbers = f.value(f"bitcast {vector} {line} to {whole}")
        digits = f.value(f"lshr {whole} {numbers}, {shift}")
        fraction = f.value(f"uitofp {whole} {digits} to {floats}")
        fraction = f.float_op("fmul", floats, fraction, scale)
        if chance is None:
            f.store(floats, fraction, f.at(to, 2 * k * width, "float"))
            continue
        less = f.value(f"fcmp olt {floats} {fraction}, {chance}")
        choices = f.value(f"zext <{2 * width} x i1> {less} to <{2 * width} x i8>")
        f.store(f"<{2 * width} x i8>", choices, f.at(to, 2 * k * width, "i8"))
