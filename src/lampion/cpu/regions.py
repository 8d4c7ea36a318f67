"""Scratch memory for the threads that run a kernel: each takes a region while it works.

A slot of the kernel's table of arguments holds one bit for each region, set while it is in use. A
kernel that finds none free waits for one: there are normally as many as threads.
"""

from __future__ import annotations

import os

from .kernel_text import Function, Whole

LIMIT = 62  # bits


def count(jobs: int) -> int:
    """Return how many regions a step with so many jobs should have."""
    return max(1, min(jobs, os.cpu_count() or 1, LIMIT))


def claim(f: Function, slot: int, regions: Whole) -> str:
    """Write the taking of a free region; return its number, 0 where there are no regions."""
    taken = f.variable("i64", 0)
    with f.when(f.compare("sgt", regions, 0)):
        tag = f.fresh()
        busy = f.at("%args", slot, "i64")
        all_bits = f.subtract(f.value(f"shl i64 1, {regions}"), 1)
        f.do(f"br label %look.{tag}")
        f.label(f"look.{tag}")
        before = f.value(f"load atomic i64, ptr {busy} monotonic, align 8")
        free = f.value(f"and i64 {f.value(f'xor i64 {before}, -1')}, {all_bits}")
        f.do(f"br i1 {f.compare('eq', free, 0)}, label %look.{tag}, label %take.{tag}")
        f.label(f"take.{tag}")
        lowest = f.intrinsic("llvm.cttz.i64", [("i64", free), ("i1", "true")], "i64")
        after = f.value(f"or i64 {before}, {f.value(f'shl i64 1, {lowest}')}")
        pair = f.value(f"cmpxchg ptr {busy}, i64 {before}, i64 {after} acquire monotonic")
        f.do(f"br i1 {f.value(f'extractvalue {{ i64, i1 }} {pair}, 1')}, "
             f"label %have.{tag}, label %look.{tag}")
        f.label(f"have.{tag}")
        f.store("i64", lowest, taken)
    return f.load("i64", taken)


def release(f: Function, slot: int, regions: Whole, region: Whole) -> None:
    """Write the giving back of a region."""
    with f.when(f.compare("sgt", regions, 0)):
        mask = f.value(f"xor i64 {f.value(f'shl i64 1, {region}')}, -1")
        f.do(f"atomicrmw and ptr {f.at('%args', slot, 'i64')}, i64 {mask} release")
