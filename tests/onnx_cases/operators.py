"""ONNX's operators, by lampion's functions: what a PyTorch user would write for each.

Each takes its inputs and its attributes. The cases are of versions 6 to 12 of the operators, where
axes, pads and limits are attributes, and Softmax is taken over all axes from `axis` on.
"""

from __future__ import annotations

from math import prod
from typing import Any

import lampion as torch
from lampion import nn
from lampion.nn import functional as F


def both_sides(pads: list[int]) -> list[int]:
    """ONNX's (begin of each axis, end of each axis) -> PyTorch's one number for both ends."""
    half = len(pads) // 2
    assert pads[:half] == pads[half:], "pads that differ at the two ends of an axis"
    return pads[:half]


def convolve(x, weight, bias=None, *, dilations, group, kernel_shape, pads, strides):
    function = (F.conv1d, F.conv2d, F.conv3d)[len(kernel_shape) - 1]
    return function(x, weight, bias, strides, both_sides(pads), dilations, group)


def convolve_transposed(x, weight, bias=None, *, dilations, group, kernel_shape, output_padding,
                        pads, strides):
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[len(kernel_shape) - 1]
    return function(x, weight, bias, strides, both_sides(pads), output_padding, group, dilations)


def average(x, *, kernel_shape, pads, strides):
    layer = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[len(kernel_shape) - 1]
    return layer(kernel_shape, strides, both_sides(pads))(x)


def maximum(x, *, kernel_shape, pads, strides, dilations=None):
    layer = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[len(kernel_shape) - 1]
    return layer(kernel_shape, strides, both_sides(pads), dilations or 1)(x)


def batch_norm(x, weight, bias, mean, variance, *, epsilon, momentum, is_test):
    layer = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[x.dim() - 2]
    norm = layer(x.shape[1], eps=epsilon, momentum=1 - momentum)
    norm.load_state_dict({
        "weight": weight, "bias": bias, "running_mean": mean, "running_var": variance,
        "num_batches_tracked": torch.tensor(0)})
    return norm.eval()(x)


def instance_norm(x, weight, bias, *, epsilon):
    return F.instance_norm(x, weight=weight, bias=bias, eps=epsilon)


def gemm(a, b, c, *, alpha=1.0, beta=1.0, transA=0, transB=0, broadcast=0):
    return torch.addmm(c, a.t() if transA else a, b.t() if transB else b, beta=beta, alpha=alpha)


def pad(x, *, pads, mode="constant", value=0.0):
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    half = len(pads) // 2
    pairs = [number for axis in reversed(range(half)) for number in (pads[axis], pads[axis + half])]
    if mode != "constant":  # which PyTorch does on the last axes only
        while pairs[-2:] == [0, 0]:
            pairs = pairs[:-2]
    return F.pad(x, pairs, names[mode], value if mode == "constant" else None)


def over_the_rest(function):
    """Take the softmax over `axis` and all axes after it together."""
    def run(x, *, axis=1):
        return function(x.flatten(axis), axis).reshape(x.shape)

    return run


def broadcast(function):
    """The old rule: with `axis`, the axes of b are those of a from `axis` on."""
    def run(a, b, *, axis=None, broadcast=0):
        if axis is not None:
            b = b.reshape(*b.shape, *[1] * (a.dim() - axis - b.dim()))
        return function(a, b)

    return run


def squeeze(x, *, axes):
    for axis in sorted(axes, reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(x, *, axes):
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x


def split(x, *, axis=0, split=None):
    sizes = split or [x.shape[axis] // 2] * 2
    return torch.split(x, sizes, dim=axis)


def cut(x, *, starts, ends, axes):
    for axis, start, end in zip(axes, starts, ends):
        x = x[(slice(None),) * axis + (slice(start, end),)]
    return x


def flatten(x, *, axis=1):
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def prelu(x, slope):
    return F.prelu(x, slope.flatten())


def expand(x, shape):
    return x * torch.ones(shape.tolist(), dtype=x.dtype)


def shrink(x, *, bias, lambd):
    zero = torch.zeros_like(x)
    return torch.where(x < -lambd, x + bias, torch.where(x > lambd, x - bias, zero))


def reduced(function):
    return lambda x, *, axes, keepdims=1: function(x, dim=axes, keepdim=bool(keepdims))


def split_to_sequence(x, sizes=None, *, axis=0, keepdims=1):
    if sizes is None:
        parts = torch.split(x, 1, dim=axis)
        return list(parts) if keepdims else [part.squeeze(axis) for part in parts]
    return list(torch.split(x, sizes.tolist() if sizes.dim() else sizes.item(), dim=axis))


def insert(items, item, place=None):
    items = list(items)
    items.insert(len(items) if place is None else place.item(), item)
    return items


def erase(items, place=None):
    items = list(items)
    del items[-1 if place is None else place.item()]
    return items


def join(items, *, axis, new_axis=0):
    return torch.stack(items, axis) if new_axis else torch.cat(items, axis)


OPERATORS: dict[str, Any] = {
    "Abs": torch.abs,
    "Add": broadcast(torch.add),
    "AveragePool": average,
    "BatchNormalization": batch_norm,
    "Clip": lambda x, *, min, max: torch.clamp(x, min, max),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "ConcatFromSequence": join,
    "Constant": lambda *, value: torch.tensor(value),
    "Conv": convolve,
    "ConvTranspose": convolve_transposed,
    "Div": broadcast(torch.div),
    "Elu": lambda x, *, alpha: F.elu(x, alpha),
    "Exp": torch.exp,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": lambda weight, index: F.embedding(index, weight),
    "Gemm": gemm,
    "InstanceNormalization": instance_norm,
    "LeakyRelu": lambda x, *, alpha: F.leaky_relu(x, alpha),
    "LogSoftmax": over_the_rest(F.log_softmax),
    "MatMul": torch.matmul,
    "Max": torch.maximum,
    "MaxPool": maximum,
    "Min": torch.minimum,
    "Mul": broadcast(torch.mul),
    "Neg": torch.neg,
    "PRelu": prelu,
    "Pad": pad,
    "Pow": torch.pow,
    "ReduceMean": reduced(torch.mean),
    "ReduceSum": reduced(torch.sum),
    "Relu": F.relu,
    "Reshape": lambda x, shape: x.reshape(shape.tolist()),
    "Selu": F.selu,
    "SequenceAt": lambda items, place: items[place.item()],
    "SequenceConstruct": lambda *items: list(items),
    "SequenceEmpty": lambda: [],
    "SequenceErase": erase,
    "SequenceInsert": insert,
    "SequenceLength": lambda items: torch.tensor(len(items)),
    "Shrink": shrink,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Slice": cut,
    "Softmax": over_the_rest(F.softmax),
    "Softplus": F.softplus,
    "Split": split,
    "SplitToSequence": split_to_sequence,
    "Sqrt": torch.sqrt,
    "Squeeze": squeeze,
    "Sub": broadcast(torch.sub),
    "Sum": lambda first, *rest: sum(rest, first),
    "Tanh": torch.tanh,
    "Tile": lambda x, repeats: x.repeat(repeats.tolist()),
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Unsqueeze": unsqueeze,
}
