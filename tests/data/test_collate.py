"""default_collate and default_convert give what PyTorch's give."""

from collections import OrderedDict, UserDict, deque, namedtuple

import numpy as np
import pytest

import lampion
from lampion.utils import data

torch = pytest.importorskip("torch")
reference = torch.utils.data

Point = namedtuple("Point", ["x", "y"])


class Frozen(dict):
    pass


def batches_of(library):
    zero, one = library.zeros(2), library.ones(2)
    return {
        "floats": [1.0, 2.5],
        "ints": [1, 2**40],
        "bools": [True, False],
        "strings": ["a", "b"],
        "bytes": [b"a", b"b"],
        "tensors": [zero, one],
        "half": [zero.half(), one.half()],
        "bfloat16": [zero.bfloat16(), one.bfloat16()],
        "mixed types": [zero.int(), one],
        "no axes": [library.tensor(1), library.tensor(2)],
        "arrays": [np.arange(3), np.ones(3, np.int64)],
        "arrays of bytes": [np.zeros((2, 2), np.uint8)] * 3,
        "arrays of two types": [np.ones(2, np.int32), np.ones(2, np.float32)],
        "array views": [np.arange(6).reshape(2, 3).T] * 2,
        "array without axes": [np.array(2.0), np.array(3.0)],
        "numpy numbers": [np.float32(1), np.float32(2)],
        "numpy doubles": [np.float64(1), np.float64(2)],
        "numpy ints": [np.int16(1), np.int16(2)],
        "numpy bools": [np.bool_(True), np.bool_(False)],
        "pairs": [(np.ones(2, np.float32), 3), (np.zeros(2, np.float32), 4)],
        "lists": [[1, 2.0], [3, 4.0]],
        "dicts": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        "ordered": [OrderedDict(a=1, b=2), OrderedDict(b=3, a=4)],
        "user dicts": [UserDict(a=1), UserDict(a=2)],
        "subclass of dict": [Frozen(a=1), Frozen(a=2)],
        "named tuples": [Point(1, [2]), Point(3, [4])],
        "deques": [deque([1, 2]), deque([3, 4])],
        "ranges": [range(2), range(2, 4)],
        "nested": [{"a": [(1, 2), {"b": zero}]}, {"a": [(3, 4), {"b": one}]}],
        "one sample": [(1, "a")],
        "empty lists": [[], []],
    }


def plain(value):
    """Structure and types of a batch, comparable between the libraries."""
    if isinstance(value, (lampion.Tensor, torch.Tensor)):
        return "tensor", str(value.dtype).split(".")[1], tuple(value.shape), value.tolist()
    if isinstance(value, (dict, UserDict)):
        return type(value), [(key, plain(value[key])) for key in value]
    if isinstance(value, (list, tuple, deque)):
        return type(value), [plain(entry) for entry in value]
    return type(value), value


@pytest.mark.parametrize("name", batches_of(torch))
def test_collate(name):
    mine = data.default_collate(batches_of(lampion)[name])
    assert plain(mine) == plain(reference.default_collate(batches_of(torch)[name]))


@pytest.mark.parametrize("name", batches_of(torch))
def test_convert(name):
    mine = data.default_convert(batches_of(lampion)[name])
    assert plain(mine) == plain(reference.default_convert(batches_of(torch)[name]))


@pytest.mark.parametrize("batch", [
    [None, None],
    [object(), object()],
    [{1}, {2}],
    [np.array(["a"]), np.array(["b"])],
    [np.array([None]), np.array([None])],
    [[1, 2], [3]],
    [np.zeros(2), np.zeros(3)],
    [],
], ids=["nothing", "objects", "sets", "texts", "array of objects", "lengths", "shapes", "empty"])
def test_what_cannot_be_collated(batch):
    with pytest.raises(Exception) as theirs:
        reference.default_collate(batch)
    with pytest.raises(theirs.type):
        data.default_collate(batch)


def test_tensors_of_different_shapes():
    with pytest.raises(RuntimeError, match="sample 0 is 2x3, sample 1 is 3"):
        data.default_collate([lampion.zeros(2, 3), lampion.zeros(3)])


def test_a_batch_is_a_copy():
    array = np.zeros(2, np.float32)
    batch = data.default_collate([array])
    array += 1
    assert batch.tolist() == [[0, 0]]
    tensor = lampion.zeros(2)
    batch = data.default_collate([tensor])
    tensor.add_(1)
    assert batch.tolist() == [[0, 0]]


def test_a_type_of_ones_own():
    from lampion.data.collate import collate, default_collate_fn_map

    class Word(str):
        pass

    def letters(batch, *, collate_fn_map):
        return "".join(batch)

    table = {Word: letters, **default_collate_fn_map}
    assert collate([[Word("a"), 1], [Word("b"), 2]], collate_fn_map=table)[0] == "ab"
