"""Are functions of many numbers as fast as PyTorch's?

    python benchmarks/functions.py [--only tanh] [--double] [--sizes 10000 1000000]

Each function, and some chains of them, runs on one thread by turns: lampion, torch, lampion, ...
on the same numbers. lampion's side is one native loop, as in a program; PyTorch's is called with
`out=` where it is one function, so that it needs no new memory, and as a user writes it where it
is a chain. The figures are lampion's median time in microseconds, PyTorch's divided by lampion's
(above 1: lampion is faster), and the milliseconds of compiling, where nothing was cached. Time is
what the thread got of the processor, so that other programs disturb little.
"""

import argparse
import ctypes
import os
import statistics
import tempfile
import time

import numpy as np
import torch

import lampion
from lampion.cpu import native, steps
from lampion.ir import Type, registry
from lampion.kernel import Compute, Load, Loop, Phase, Store

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
F = torch.nn.functional
# The numbers lie between these; others between -3 and 3.
RANGES = {**dict.fromkeys(("log", "log2", "log10", "sqrt", "rsqrt", "pow"), (0.01, 3)),
          **dict.fromkeys(("asin", "acos", "atanh", "erfinv"), (-0.99, 0.99)), "acosh": (1, 4)}
ONE = ("exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh "
       "atanh erf erfinv sigmoid sqrt rsqrt").split()
TWO = "pow atan2 fmod remainder floor_divide div add".split()
# A chain's numbers c0, c1, ...; its ops on them, on x and on the results before; PyTorch's words.
CHAINS = {
    "gelu": (
        [0.5, 0.5**0.5, 1.0], ["mul x c1", "erf 0", "add 1 c2", "mul x c0", "mul 3 2"], F.gelu),
    "gelu of tanh": (
        [0.5, 0.044715, 1.0, 0.7978845608],
        ["mul x x", "mul 0 x", "mul 1 c1", "add 2 x", "mul 3 c3", "tanh 4", "add 5 c2", "mul x c0",
         "mul 7 6"], lambda x: F.gelu(x, approximate="tanh")),
    "silu": ([], ["sigmoid x", "mul x 0"], F.silu),
    "tanh(a * x + b)": ([0.7, 0.1], ["mul x c0", "add 0 c1", "tanh 1"],
                        lambda x: torch.tanh(0.7 * x + 0.1)),
    "log(1 + exp(x))": ([], ["exp x", "log1p 0"], lambda x: torch.log1p(torch.exp(x))),
}


def loop_of(inputs, ops, dtype, size):
    """Return the loop of a chain; `inputs` tells which operands are single numbers."""
    body = [Load(k, dtype, 0, (int(not single),)) for k, single in enumerate(inputs.values())]
    names = {name: k for k, name in enumerate(inputs)}
    for number, op in enumerate(ops):
        name, *operands = op.split()
        names[str(number)] = len(body)
        body.append(Compute(registry[name], tuple(names[k] for k in operands), (), dtype))
    body.append(Store(len(inputs), len(body) - 1, 0, (1,)))
    types = [Type((1 if single else size,), dtype) for single in inputs.values()]
    return Loop((), (size,), (Phase(tuple(body)),), (*types, Type((size,), dtype)), 1)


def ours(arrays, ops, dtype):
    """Return a function that runs a chain with lampion, and the milliseconds of compiling it."""
    size = arrays["x"].size
    result = np.empty_like(arrays["x"])
    loop = loop_of({k: v.size == 1 for k, v in arrays.items()}, ops, dtype, size)
    start = time.thread_time()
    plan = native.plan_loop(loop)
    (call,) = steps.bind(plan, [a.ctypes.data for a in (*arrays.values(), result)])
    compiling = (time.thread_time() - start) * 1e3
    function, slots = _KERNEL(call.address), call.slots.ctypes.data

    def run(call=call, arrays=arrays):  # which must stay alive
        function(slots, 0, call.jobs)
        return result

    return run, compiling


def cases(dtype, size):
    """Yield name, lampion's function, milliseconds of compiling it, PyTorch's function."""
    rng = np.random.default_rng(0)
    for name in ONE + TWO:
        x = rng.uniform(*RANGES.get(name, (-3, 3)), size).astype(dtype.array)
        y = rng.uniform(0.1, 3, size).astype(dtype.array)
        arrays = {"x": x, "y": y} if name in TWO else {"x": x}
        given = [torch.from_numpy(a) for a in arrays.values()]
        out, function = torch.empty_like(given[0]), getattr(torch, name)
        yield (name, *ours(arrays, [f"{name} {' '.join(arrays)}"], dtype),
               lambda function=function, given=given, out=out: function(*given, out=out))
    for name, (numbers, ops, function) in CHAINS.items():
        x = rng.normal(size=size).astype(dtype.array)
        arrays = {"x": x, **{f"c{k}": np.array([v], x.dtype) for k, v in enumerate(numbers)}}
        given = torch.from_numpy(x)
        yield (name, *ours(arrays, ops, dtype),
               lambda function=function, given=given: function(given))


def timed(functions, size, seconds=0.1):
    """Return the median seconds of functions that take turns, several calls each."""
    times = [[] for _ in functions]
    calls = max(1, 300_000 // size)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, found in zip(functions, times):
            start = time.thread_time_ns()
            for _ in range(calls):
                function()
            found.append((time.thread_time_ns() - start) / calls)
    return [statistics.median(found) * 1e-9 for found in times]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--double", action="store_true", help="float64")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 1_000_000])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["LAMPION_CACHE"] = tempfile.mkdtemp()
    dtype = lampion.float64 if chosen.double else lampion.float32
    print(f"{'':16}" + "".join(f"{size:>10} numbers" for size in chosen.sizes) + "  compiling")
    for row in zip(*(cases(dtype, size) for size in chosen.sizes)):
        name, _, compiling, _ = row[0]
        if chosen.only not in (None, name):
            continue
        text = ""
        for size, (_, mine, _, theirs) in zip(chosen.sizes, row):
            np.testing.assert_allclose(mine(), theirs().numpy(), rtol=1e-4, atol=1e-5)
            a, b = timed((mine, theirs), size)
            text += f"{a * 1e6:9.1f} us {b / a:5.2f}"
        print(f"{name:16}{text}{compiling:8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
