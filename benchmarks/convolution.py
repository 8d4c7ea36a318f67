"""Are convolutions and pools as fast as PyTorch's?

    python benchmarks/convolution.py [--threads 1] [--seconds 0.1] [--only resnet]

Each layer runs in one process by turns on the same numbers: lampion, PyTorch on its default layout
(NCHW), PyTorch on channels_last tensors. Figures are the better median of PyTorch's two layouts
divided by lampion's median (above 1: lampion is faster), and lampion's rate in GFLOP/s; for pools
only the ratio. lampion's side is the steps of a plan, as a program runs them, weights in their
ordinary layout each time. On one thread, time is what the thread got of the processor, so that
other programs disturb little; on several it is the clock on the wall, with a pause before each
side: PyTorch's threads spin for a while after their work.
"""

import argparse
import ctypes
import statistics
import time

import numpy as np
import torch

import lampion
from lampion import ir, ops
from lampion.cpu import pool, steps
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.target import host

# name: batch, channels in, size, channels out, kernel, stride, padding, groups
CONVOLUTIONS = {
    "lenet 1": (64, 1, 28, 6, 5, 1, 2, 1), "lenet 2": (64, 6, 14, 16, 5, 1, 0, 1),
    "mnist 1": (64, 1, 28, 32, 3, 1, 0, 1), "mnist 2": (64, 32, 26, 64, 3, 1, 0, 1),
    "vgg rgb": (32, 3, 32, 32, 3, 1, 1, 1), "vgg 32": (32, 32, 32, 32, 3, 1, 1, 1),
    "vgg 32-64": (32, 32, 16, 64, 3, 1, 1, 1), "vgg 64": (32, 64, 16, 64, 3, 1, 1, 1),
    "vgg 64-128": (32, 64, 8, 128, 3, 1, 1, 1), "vgg 128": (32, 128, 8, 128, 3, 1, 1, 1),
    "resnet rgb": (8, 3, 32, 64, 3, 1, 1, 1), "resnet 64": (8, 64, 32, 64, 3, 1, 1, 1),
    "resnet 64-128": (8, 64, 32, 128, 3, 2, 1, 1), "resnet 128": (8, 128, 16, 128, 3, 1, 1, 1),
    "resnet 128-256": (8, 128, 16, 256, 3, 2, 1, 1), "resnet 256": (8, 256, 8, 256, 3, 1, 1, 1),
    "resnet 256-512": (8, 256, 8, 512, 3, 2, 1, 1), "resnet 512": (8, 512, 4, 512, 3, 1, 1, 1),
    "resnet down 64": (8, 64, 32, 128, 1, 2, 0, 1),
    "resnet down 256": (8, 256, 8, 512, 1, 2, 0, 1),
    "resnet 7x7": (2, 3, 112, 64, 7, 2, 3, 1), "bottleneck": (8, 256, 14, 64, 1, 1, 0, 1),
    "pointwise 64-128": (8, 64, 32, 128, 1, 1, 0, 1),
    "pointwise 512": (8, 512, 7, 512, 1, 1, 0, 1),
    "pointwise 24-144": (8, 24, 28, 144, 1, 1, 0, 1),
    "depthwise 64": (8, 64, 32, 64, 3, 1, 1, 64),
    "depthwise 128/2": (8, 128, 32, 128, 3, 2, 1, 128),
    "depthwise 512": (8, 512, 8, 512, 3, 1, 1, 512),
    "depthwise 5x5": (8, 144, 14, 144, 5, 1, 2, 144), "groups 32": (8, 128, 16, 128, 3, 1, 1, 32),
    "unet up 128": (4, 64, 32, 128, 2, 2, 0, 1), "unet up 32": (4, 16, 64, 32, 2, 2, 0, 1),
    "unet last": (4, 16, 64, 2, 1, 1, 0, 1), "dcgan 4x4": (16, 64, 32, 128, 4, 2, 1, 1),
    "dcgan 4x4 b": (16, 128, 16, 256, 4, 2, 1, 1), "dcgan rgb": (16, 3, 64, 64, 4, 2, 1, 1),
    "coder 1": (32, 1, 28, 16, 3, 2, 1, 1), "coder 2": (32, 16, 14, 32, 3, 2, 1, 1),
    "style 9x9": (1, 3, 64, 32, 9, 1, 4, 1), "odd": (3, 20, 15, 50, 5, 1, 2, 1),
}
# name: batch, channels, size, kernel, stride, padding
POOLS = {
    "lenet pool": (64, 6, 28, 2, 2, 0), "vgg pool": (32, 64, 32, 2, 2, 0),
    "vgg last pool": (32, 128, 8, 2, 2, 0), "resnet pool": (8, 64, 112, 3, 2, 1),
    "same pool": (8, 64, 32, 3, 1, 1), "global pool": (32, 128, 8, 8, 8, 0),
}
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def native(op, tensors, settings, threads):
    """Return a function that computes an op by its kernel, and what planning and compiling took."""
    begin = time.perf_counter()
    arrays = [t.numpy() for t in tensors]
    kind = op.result(*(ir.leaf(a, lampion.float32) for a in arrays), **settings)
    operands = tuple(steps.Operand(lampion.float32, a.shape, 0,
                                   tuple(s // a.itemsize for s in a.strides)) for a in arrays)
    plan = PROVIDERS[op.lower["kernel"]](operands, kind, settings, host())
    result = np.zeros(kind.shape, np.float32)
    scratch = np.zeros(plan.scratch_bytes // 8 + 16)
    places = [a.ctypes.data for a in (*arrays, result)]
    calls = steps.bind(plan, places, -(-scratch.ctypes.data // 64) * 64)
    if threads == 1:
        bound = [(_KERNEL(call.address), call.slots.ctypes.data, call.jobs) for call in calls]

        def run(keep=(arrays, calls, scratch)):
            for function, slots, jobs in bound:
                function(slots, 0, jobs)
    else:
        def run(keep=(arrays, scratch)):
            for call in calls:
                pool.run(call.address, call.slots.ctypes.data, call.jobs)
    run()
    return run, result, time.perf_counter() - begin


def compare(run, rivals, threads, seconds):
    """Return the median times of all, measured by turns."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    sides = [run, *rivals]
    times = [[] for _ in sides]
    end = time.perf_counter() + seconds * len(sides)
    while time.perf_counter() < end or len(times[0]) < 5:
        for side, found in zip(sides, times, strict=True):
            if threads > 1:
                time.sleep(0.003)
            begin = clock()
            side()
            found.append(clock() - begin)
    return [statistics.median(found) for found in times]


def convolution_sides(case, threads):
    """Yield for each of the three products: its name, lampion's side and PyTorch's two."""
    n, inputs, size, outputs, kernel, stride, padding, groups = case
    x = torch.randn(n, inputs, size, size)
    w = torch.randn(outputs, inputs // groups, kernel, kernel)
    y = torch.conv2d(x, w, None, stride, padding, 1, groups)
    g = torch.randn_like(y)
    settings = {"stride": (stride,) * 2, "padding": (padding,) * 2, "dilation": (1, 1),
                "groups": groups}
    own = ops.convolution
    flops = 2 * y.numel() * w[0].numel()
    products = [
        ("forward", own.convolution, (x, w), settings, None),
        ("input", own.convolution_input, (g, w), {"size": (size, size), **settings}, 0),
        ("weight", own.convolution_weight, (x, g), {"kernel": (kernel, kernel), **settings}, 1)]
    for name, op, operands, numbers, which in products:
        rivals = []
        for layout in (torch.contiguous_format, torch.channels_last):
            a, b, c = (t.contiguous(memory_format=layout) for t in (x, w, g))
            if which is None:
                rivals.append(lambda a=a, b=b: torch.conv2d(a, b, None, stride, padding, 1, groups))
                continue
            mask = [which == k for k in range(3)]
            rivals.append(lambda a=a, b=b, c=c, mask=mask: torch.ops.aten.convolution_backward(
                c, a, b, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, mask))
        run, result, cold = native(op, operands, numbers, threads)
        expected = rivals[0]() if which is None else rivals[0]()[which]
        error = np.abs(result - expected.numpy()).max() / np.abs(expected.numpy()).max()
        assert error < 1e-4, (name, case, error)
        yield name, run, rivals, cold, flops


def pool_sides(case, threads):
    """The same for a pool: maxima and means, forward and back."""
    n, channels, size, kernel, stride, padding = case
    x = torch.randn(n, channels, size, size)
    y = torch.nn.functional.max_pool2d(x, kernel, stride, padding)
    g = torch.randn_like(y)
    own, aten = ops.pooling, torch.ops.aten
    both = {"kernel": (kernel,) * 2, "stride": (stride,) * 2, "padding": (padding,) * 2}
    sums = {**both, "out": tuple(y.shape[2:])}
    maxima = {**sums, "dilation": (1, 1)}
    k, s, p = [kernel] * 2, [stride] * 2, [padding] * 2
    sides = {"max": (own.max_pool, (x,), maxima), "max back": (own.max_pool_input, (g, x), maxima),
             "mean": (own.pool_sum, (x,), sums),
             "mean back": (own.pool_spread, (g,), {**both, "size": (size, size)})}
    rivals = {name: [] for name in sides}
    for layout in (torch.contiguous_format, torch.channels_last):
        a, c = (t.contiguous(memory_format=layout) for t in (x, g))
        _, index = aten.max_pool2d_with_indices(a, k, s, p)
        rivals["max"].append(lambda a=a: aten.max_pool2d_with_indices(a, k, s, p))
        rivals["max back"].append(
            lambda a=a, c=c, i=index: aten.max_pool2d_with_indices_backward(
                c, a, k, s, p, [1, 1], False, i))
        rivals["mean"].append(lambda a=a: aten.avg_pool2d(a, k, s, p))
        rivals["mean back"].append(
            lambda a=a, c=c: aten.avg_pool2d_backward(c, a, k, s, p, False, True, None))
    for name, side in sides.items():
        run, _, cold = native(*side, threads)
        yield name, run, rivals[name], cold, 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each side of a comparison")
    parser.add_argument("--only", default="", help="part of a layer's name")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    lampion.set_num_threads(given.threads)
    ratios, colds = [], []
    for layers, sides in ((CONVOLUTIONS, convolution_sides), (POOLS, pool_sides)):
        for layer, case in layers.items():
            if given.only not in layer:
                continue
            line = f"{layer:17}"
            with torch.no_grad():
                for name, run, rivals, cold, flops in sides(case, given.threads):
                    own, *others = compare(run, rivals, given.threads, given.seconds)
                    ratio = min(others) / own
                    ratios.append((ratio, f"{layer} {name}", flops))
                    colds.append(cold)
                    rate = f" {flops / own / 1e9:4.0f} GF" if flops else ""
                    line += f" | {name} {ratio:5.2f}{rate}"
                    line += f" ({others[0] / own:5.2f} {others[1] / own:5.2f})"
            print(line, flush=True)
    kinds = {"convolutions": True, "pools": False}
    for what, has_flops in kinds.items():
        found = sorted(r for r in ratios if bool(r[2]) == has_flops)
        if found:
            worst = ", ".join(f"{name} {ratio:.2f}" for ratio, name, _ in found[:6])
            print(f"{what}: median {statistics.median(r[0] for r in found):.2f}, "
                  f"{sum(r[0] < 0.8 for r in found)} of {len(found)} below 0.8; worst: {worst}")
    print(f"planning, compiling and the first run: {sum(colds):.1f} s for {len(colds)} plans")


if __name__ == "__main__":
    main()
