"""Are matrix products as fast as PyTorch's?

    python benchmarks/matmul.py [--threads 1] [--seconds 0.12] [--only 512] [--check]

Each product runs in one process by turns: lampion, torch, torch, lampion, ... on the same operands,
with `torch.mm(a, b, out=c)` or `torch.bmm` (MKL on x86). Both are called from Python; lampion's
side is one native call, as in a program, where it costs less still. A column is a layout: N is
rows one after another, T is the other way round, first of A, then of B. The figures are the median
time of PyTorch divided by lampion's (above 1: lampion is faster) and, for NN, lampion's rate.
On one thread, time is what the thread got of the processor, so that other programs disturb little;
on several it is the fastest turn by the clock on the wall, since a thread without a processor of
its own delays all the others.
"""

import argparse
import ctypes
import statistics
import time

import numpy as np
import torch

import lampion
from lampion.cpu import pool, steps
from lampion.cpu.kernels.matmul import matmul_plan

LAYOUTS = ("NN", "NT", "TN", "TT")
# (batch, m, n, k)
SHAPES = [(1, n, n, n) for n in (4, 8, 12, 16, 24, 32, 48, 64, 96, 100, 128, 200, 256, 333, 512,
                                 768, 1024, 2048)] + [(1, *shape) for shape in (
    # layers of small networks: forward, gradients of the weights and of the input
    (4, 8, 2), (16, 32, 8), (32, 64, 64), (64, 10, 128), (64, 10, 512), (64, 128, 784),
    (64, 256, 784), (128, 256, 784), (128, 10, 256), (784, 256, 128), (784, 256, 64),
    (256, 10, 128), (10, 128, 64), (10, 784, 128), (10, 64, 512), (64, 784, 256), (512, 1024, 256),
    (256, 1024, 512), (1024, 256, 512), (2048, 384, 1152), (2048, 1152, 384),
    # few rows, few columns, odd sizes
    (5, 768, 768), (8, 768, 768), (12, 12, 500), (24, 2048, 512), (32, 4096, 1024),
    (48, 3072, 768), (3, 512, 512), (2, 1024, 1024), (7, 33, 129), (17, 1000, 300),
    (1000, 17, 300), (300, 3, 300), (1000, 1, 1000), (1, 1000, 1000), (1, 512, 512),
    (1, 4096, 1024), (4096, 1, 1024), (1, 64, 64), (333, 777, 55), (31, 31, 1000),
    # outer products and long sums
    (256, 256, 1), (1024, 512, 1), (64, 64, 2), (16, 16, 4096), (64, 64, 8192), (1, 1, 10000),
)] + [(96, 64, 64, 32), (96, 64, 32, 64), (12, 128, 128, 64), (12, 128, 64, 128), (8, 512, 64, 512),
      (256, 16, 16, 16), (32, 1, 64, 64), (64, 10, 10, 10)]

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def numbers(batch, rows, columns, transposed):
    """Return a tensor batch x rows x columns of random numbers that lies in one of two orders."""
    shape = (batch, columns, rows) if transposed else (batch, rows, columns)
    x = torch.randn(shape)
    return x.transpose(1, 2) if transposed else x


def ours(a, b, c, threads):
    """Return a function that multiplies with lampion."""
    (batch, m, n), k = c.shape, a.shape[2]
    plan = matmul_plan(batch, m, n, k, a.stride(), b.stride(), lampion.float32)
    scratch = np.zeros(plan.scratch_bytes + 64, np.uint8)
    places = [x.data_ptr() for x in (a, b, c)]
    calls = steps.bind(plan, places, (scratch.ctypes.data + 63) // 64 * 64)
    team = pool.prepare() if threads > 1 else None
    work = [(_KERNEL(call.address), call.address, call.slots.ctypes.data, call.jobs)
            for call in calls]

    def run():
        for function, address, slots, jobs in work:
            if team is None or jobs == 1:
                function(slots, 0, jobs)
            else:
                team.run(address, slots, jobs)
    return run, (calls, scratch)


def theirs(a, b, c):
    """Return a function that multiplies with PyTorch."""
    if c.shape[0] == 1:
        a, b, c = a[0], b[0], c[0]
        return lambda: torch.mm(a, b, out=c)
    return lambda: torch.bmm(a, b, out=c)


def clock(threads):
    """Return the function that tells the time."""
    return time.perf_counter if threads > 1 else time.thread_time


def calls_for(function, seconds):
    """Return how often a function can be called in so many seconds."""
    function()
    count, taken = 1, 0.0
    while taken < seconds / 4:
        count *= 2
        start = time.perf_counter()
        for _ in range(count):
            function()
        taken = time.perf_counter() - start
    return max(1, int(count * seconds / taken))


def compare(first, second, seconds, threads):
    """Return the seconds of two functions that run by turns: the median, on threads the least."""
    now, pause = clock(threads), 0.008 if threads > 1 else 0.0
    chunk = min(0.004, seconds / 16)
    sides = [(f, max(1, calls_for(f, chunk)), []) for f in (first, second)]
    end, turn = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or turn < 6:
        for function, count, times in sides if turn % 2 else sides[::-1]:
            if pause:
                # The other side's threads must have gone to sleep: OpenMP's go on waiting.
                time.sleep(pause)
                function()
            start = now()
            for _ in range(count):
                function()
            times.append((now() - start) / count)
        turn += 1
    typical = min if threads > 1 else statistics.median
    return [typical(times) for _, _, times in sides]


def case(shape, layout, options):
    """Return PyTorch's time over lampion's, and lampion's seconds."""
    batch, m, n, k = shape
    a = numbers(batch, m, k, layout[0] == "T")
    b = numbers(batch, k, n, layout[1] == "T")
    c, d = torch.full((batch, m, n), torch.nan), torch.empty(batch, m, n)
    mine, _keep = ours(a, b, c, options.threads)
    peer = theirs(a, b, d)
    mine()
    peer()
    error = (c - d).abs().max().item()
    assert error <= 1e-5 * k**0.5 + 1e-6 * k, (shape, layout, error)
    if options.check:
        return 1.0, 1.0
    seconds = options.seconds * (2 if options.threads > 1 else 1)
    own, other = compare(mine, peer, seconds, options.threads)
    return other / own, own


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.12, help="for each product")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument("--check", action="store_true", help="compare results, measure nothing")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lampion.set_num_threads(options.threads)

    ratios = []
    print(f"torch {torch.__version__} time / lampion time, {options.threads} thread(s)\n")
    print(f"{'batch x m x n x k':>22}" + "".join(f"{name:>7}" for name in LAYOUTS)
          + f"{'us':>10}{'GFLOP/s':>9}")
    for shape in SHAPES:
        name = "x".join(map(str, shape if shape[0] > 1 else shape[1:]))
        if options.only not in name:
            continue
        found = [case(shape, layout, options) for layout in LAYOUTS]
        row = [ratio for ratio, _ in found]
        ratios += [(ratio, f"{name} {layout}") for ratio, layout in zip(row, LAYOUTS)]
        rate = 2e-9 * np.prod(shape, dtype=float) / found[0][1]
        print(f"{name:>22}" + "".join(f"{ratio:7.2f}" for ratio in row)
              + f"{found[0][1] * 1e6:10.1f}{rate:9.1f}", flush=True)
    ratios.sort()
    print(f"\n{len(ratios)} products, median {statistics.median(r for r, _ in ratios):.2f}, "
          f"{sum(r < 0.95 for r, _ in ratios)} below 0.95, {sum(r < 0.8 for r, _ in ratios)} "
          "below 0.8; worst:")
    for ratio, name in ratios[:25]:
        print(f"  {ratio:.2f}  {name}")


if __name__ == "__main__":
    main()
