"""Positions of the k largest or smallest elements along an axis, in order.

Few of many: the best so far stay in order; a vector of elements at a time is compared with the last
of them, and only what is better is put in its place. Otherwise the line is sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir import Type
from .. import steps
from ..kernel_text import Whole
from ..steps import Kernel, Operand, Plan
from ..target import Target
from . import lines, sort
from .numbers import of_width

FEW = 32
JOB_ELEMENTS = 16 * 1024


def topk(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `topk_index`."""
    (x,) = operands
    k, axis, largest = settings["k"], settings["axis"], bool(settings["largest"])
    view = lines.along(x, axis)
    whole = sort.plan(x, axis, k, largest, target)
    if (view is None or whole is None or not whole.steps or k > FEW
            or view.length <= max(sort.RANKED, 2 * k) or view.inner > 1 or view.stride != 1):
        return whole
    together = max(1, JOB_ELEMENTS // view.length)
    slots: list[steps.Slot] = list(whole.steps[0].slots)
    slots[sort.TOGETHER], slots[sort.REGIONS] = together, 0
    blocks = -(-k // target.lanes(x.dtype.array.itemsize))
    kernel = Kernel(
        f"topk {x.dtype.name} largest {largest} of {blocks} vectors",
        lambda: sort.Sort(x.dtype, largest, target).text(lambda made: _Few(made, blocks)), "sort")
    return Plan((steps.Step(kernel, -(-view.outer // together), tuple(slots)),), 0)


class _Few:
    """Keeps the best of a line in registers, the best first: keys, and positions beside them.

    The list ends with the last lane; lanes in front of it hold the key that nothing comes before.
    """

    def __init__(self, sorting: sort.Sort, blocks: int):
        self.sort, f = sorting, sorting.f
        self.kind, self.blocks = sorting.kind, blocks
        self.width = sorting.module.target.lanes(sorting.size)
        self.vector = of_width(self.kind, self.width)
        self.numbers = of_width("i32", self.width)
        self.keys = [f.variable(self.vector) for _ in range(blocks)]
        self.places = [f.variable(self.numbers) for _ in range(blocks)]
        self.worst, self.bits = f.variable(self.kind), f.variable(f"i{self.width}")
        self.count = f.variable("i64")
        self.table = f.variable(f"[{blocks * self.width} x i32]")

    def line(self, source: str, result: str) -> None:
        f, width, length = self.sort.f, self.width, self.sort.length
        self.start()
        whole = f.value(f"and i64 {length}, -{width}")
        with f.loop(0, whole, width) as k:
            self.scan(source, k)
        with f.loop(whole, length) as k:
            self.offer(source, k)
        self.write(source, result)

    def start(self) -> None:
        """Empty the list: its lanes hold the key that comes after all."""
        f, width, kept = self.sort.f, self.width, self.sort.kept
        f.store("i64", 0, self.count)
        f.store(self.kind, -1, self.worst)
        front = f.subtract(self.blocks * width, kept)
        for block, (keys, places) in enumerate(zip(self.keys, self.places, strict=True)):
            mask = f.lanes_below(width, f.subtract(front, block * width))
            first = f.value(f"select <{width} x i1> {mask}, {self.vector} zeroinitializer, "
                            f"{self.vector} splat ({self.kind} -1)")
            f.store(self.vector, first, keys, 8)
            f.store(self.numbers, "zeroinitializer", places, 8)

    def scan(self, source: str, k: Whole) -> None:
        """Offer those elements of a vector that are better than the worst of the best."""
        f, width, word = self.sort.f, self.width, f"i{self.width}"
        keys = self.sort.keys(width, f.load(self.vector, f.at(source, k, self.kind)))
        worst = f.splat(self.kind, width, f.load(self.kind, self.worst))
        better = f.value(f"icmp ult {self.vector} {keys}, {worst}")
        found = f.value(f"bitcast <{width} x i1> {better} to {word}")
        f.store(word, found, self.bits, 8)
        with f.when(f.value(f"icmp ne {word} {found}, 0")):
            count = self.wide(f.intrinsic(f"llvm.ctpop.{word}", [(word, found)], word))
            with f.loop(0, count):
                bits = f.load(word, self.bits, 8)
                lane = f.intrinsic(f"llvm.cttz.{word}", [(word, bits), ("i1", "true")], word)
                rest = f.value(f"and {word} {bits}, {f.value(f'sub {word} {bits}, 1')}")
                f.store(word, rest, self.bits, 8)
                self.offer(source, f.add(k, self.wide(lane)))

    def wide(self, x: str) -> str:
        return x if self.width == 64 else self.sort.f.value(f"zext i{self.width} {x} to i64")

    def offer(self, source: str, k: Whole) -> None:
        """Take an element if it is better than the worst of the best, which goes."""
        f = self.sort.f
        key = self.sort.key(source, k)
        better = f.value(f"icmp ult {self.kind} {key}, {f.load(self.kind, self.worst)}")
        with f.when(better):
            self.insert(key, f.value(f"trunc i64 {k} to i32"))
            f.store("i64", f.add(f.load("i64", self.count), 1), self.count)

    def insert(self, key: str, position: str) -> None:
        """Lanes up to the key stay, the others move one on, and in between it takes its place."""
        f, width, vector, numbers = self.sort.f, self.width, self.vector, self.numbers
        bits = f"<{width} x i1>"
        new, number = f.splat(self.kind, width, key), f.splat("i32", width, position)
        before, before_place = "zeroinitializer", "zeroinitializer"
        moves = range(width - 1, 2 * width - 1)
        for keys, places in zip(self.keys, self.places, strict=True):
            old, place = f.load(vector, keys, 8), f.load(numbers, places, 8)
            moved = f.shuffle(vector, before, old, moves)
            moved_place = f.shuffle(numbers, before_place, place, moves)
            stays = f.value(f"icmp ule {vector} {old}, {new}")
            behind = f.value(f"icmp ule {vector} {moved}, {new}")
            other = f.value(f"select {bits} {behind}, {vector} {new}, {vector} {moved}")
            other_place = f.value(f"select {bits} {behind}, {numbers} {number}, {numbers} "
                                  f"{moved_place}")
            last = f.value(f"select {bits} {stays}, {vector} {old}, {vector} {other}")
            f.store(vector, last, keys, 8)
            f.store(numbers, f.value(f"select {bits} {stays}, {numbers} {place}, {numbers} "
                                     f"{other_place}"), places, 8)
            before, before_place = old, place
        f.store(self.kind, f.value(f"extractelement {vector} {last}, i64 {width - 1}"), self.worst)

    def write(self, source: str, result: str) -> None:
        """Write the positions of the list, then those of keys that come after all, in order."""
        f, width, kept, length = self.sort.f, self.width, self.sort.kept, self.sort.length
        for block, places in enumerate(self.places):
            f.store(self.numbers, f.load(self.numbers, places, 8),
                    f.at(self.table, block * width, "i32"), 4)
        front = f.subtract(self.blocks * width, kept)
        filled = f.minimum(f.load("i64", self.count), kept)
        with f.loop(0, filled) as k:
            place = f.load("i32", f.at(self.table, f.add(front, k), "i32"))
            self.sort.put(result, k, f.value(f"zext i32 {place} to i64"))
        f.store("i64", filled, self.count)
        with f.when(f.compare("slt", filled, kept)), f.loop(0, length) as k:
            key, count = self.sort.key(source, k), f.load("i64", self.count)
            last = f.value(f"icmp eq {self.kind} {key}, -1")
            with f.when(f.both(last, f.compare("slt", count, kept))):
                self.sort.put(result, count, k)
                f.store("i64", f.add(count, 1), self.count)
