"""What is saved is loaded again: the same structure, types and bits."""

import io
import math
import os
from collections import Counter, OrderedDict, defaultdict, namedtuple

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import lampion
from lampion import nn

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64"]


def through_file(value):
    file = io.BytesIO()
    lampion.save(value, file)
    file.seek(0)
    return lampion.load(file)


def same(a, b):
    """Whether two values are equal in type, structure and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, lampion.Tensor):
        x, y = a.detach(), b.detach()
        if a.dtype == lampion.bfloat16:
            x, y = x.float(), y.float()
        return (a.dtype == b.dtype and a.requires_grad == b.requires_grad
                and tuple(a.shape) == tuple(b.shape)
                and np.array_equal(x.numpy(), y.numpy(), equal_nan=a.is_floating_point()))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or a != a and b != b
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, other) and same(v, w)
            for (k, v), (other, w) in zip(a.items(), b.items(), strict=True))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@st.composite
def tensors(draw):
    name = draw(st.sampled_from([n for n in NAMES if n != "bfloat16"]))
    shape = draw(arrays.array_shapes(min_dims=0, min_side=0, max_side=4))
    return lampion.tensor(draw(arrays.arrays(np.dtype(name), shape)))


hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**80) | st.floats()
    | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=4)
scalars = st.one_of(
    arrays.from_dtype(np.dtype(np.float32)), arrays.from_dtype(np.dtype(np.int16)),
    arrays.from_dtype(np.dtype(np.uint64)), arrays.from_dtype(np.dtype(np.bool_)))
values = st.recursive(
    hashable | scalars | tensors() | st.sampled_from([lampion.float32, lampion.bool])
    | st.lists(st.integers(0, 9), max_size=3).map(lambda n: lampion.Size(n)),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple)
    | st.sets(hashable, max_size=3) | st.dictionaries(hashable, inner, max_size=4)
    | st.dictionaries(st.text(), inner, max_size=4).map(OrderedDict),
    max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(values)
def test_any_nesting(value):
    assert same(through_file(value), value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3, 4)])
def test_every_element_type(name, shape):
    count = math.prod(shape)
    value = (lampion.arange(count) - 3).reshape(shape).to(getattr(lampion, name))
    assert same(through_file(value), value)


def test_special_elements():
    for name in ("float16", "bfloat16", "float32", "float64"):
        value = lampion.tensor([math.nan, math.inf, -math.inf, -0.0, 1e-45, 6e-8]).to(
            getattr(lampion, name))
        assert same(through_file(value), value)


def test_numbers_keep_their_kind():
    value = {True: 1, 2: 1.0, 2.5: -0.0, None: 2**70, (1, 2): math.nan, "x": -2**53 - 1}
    assert same(through_file(value), value)
    assert through_file(10**5000) == 10**5000  # longer than Python reads in decimal


def test_containers():
    value = {
        "counter": Counter({3: 2, 5: 1}), "size": lampion.Size([2, 3]), "dtype": lampion.int8,
        "set": {1, "a"}, "frozen": frozenset({(1,)}), "empty": [[], (), {}, set()],
        "array": np.arange(6, dtype=np.int16).reshape(2, 3), "bytes": b"\x00\xff",
        "complex": complex(math.inf, -1.5), "text": "\u00e9\U0001f3ee\n\x00",
    }
    assert same(through_file(value), value)


def test_parameters_and_gradients():
    value = {
        "parameter": nn.Parameter(lampion.ones(2)),
        "frozen": nn.Parameter(lampion.ones(2), requires_grad=False),
        "leaf": lampion.ones(2, requires_grad=True),
        "plain": lampion.ones(2),
    }
    loaded = through_file(value)
    assert same(loaded, value)
    assert [loaded[name].requires_grad for name in value] == [True, False, True, False]
    assert loaded["leaf"].is_leaf


def test_shared_memory_is_stored_once_and_loaded_as_one_tensor():
    shared = lampion.zeros(1000)
    file = io.BytesIO()
    lampion.save({"a": shared, "b": [shared, shared.detach()], "c": lampion.zeros(1000)}, file)
    assert file.tell() < 10_000
    file.seek(0)
    loaded = lampion.load(file)
    assert loaded["a"] is loaded["b"][0] is loaded["b"][1]
    assert loaded["c"] is not loaded["a"]


def test_a_parameter_and_its_data_share_memory_after_loading():
    weight = nn.Parameter(lampion.zeros(3))
    loaded = through_file([weight, weight.detach()])
    with lampion.no_grad():
        loaded[0].add_(1)
    assert loaded[1].tolist() == [1, 1, 1]
    assert not loaded[1].requires_grad


def test_copies_and_parts_do_not_become_one():
    base = lampion.arange(6).reshape(2, 3)
    value = [base, base.clone(), base[0], base.t(), base[:, 1]]
    loaded = through_file(value)
    assert same(loaded, value)
    loaded[0].zero_()
    assert same(loaded[1:], value[1:])


def test_metadata_of_a_state_dict():
    state = OrderedDict(weight=lampion.ones(1))
    state._metadata = OrderedDict({"": {"version": 2}})
    assert through_file({"model": state})["model"]._metadata == {"": {"version": 2}}


def test_a_file_with_several_objects():
    file = io.BytesIO()
    for value in ({"a": lampion.arange(3)}, [1, 2], None):
        lampion.save(value, file)
    file.seek(0)
    assert same([lampion.load(file) for _ in range(3)],
                [{"a": lampion.arange(3)}, [1, 2], None])


def test_the_loaded_tensor_is_ones_own():
    loaded = through_file({"x": lampion.zeros(2), "y": np.zeros(2)})
    loaded["x"].add_(1)
    loaded["y"] += 1
    assert loaded["x"].tolist() == [1, 1]


class FromPipe:
    """Gives few bytes at a time and cannot go back."""

    def __init__(self, content):
        self.content = content

    def read(self, size=-1):
        size = min(7, size) if size >= 0 else 7
        piece, self.content = self.content[:size], self.content[size:]
        return piece


class RawPipe(FromPipe, io.RawIOBase):
    """The same for a program that reads into its own memory."""

    def readinto(self, memory):
        piece = self.read(len(memory))
        memory[:len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("pipe", [FromPipe, RawPipe])
def test_a_pipe(pipe):
    file = io.BytesIO()
    lampion.save({"x": lampion.arange(100)}, file)
    assert lampion.load(pipe(file.getvalue()))["x"].tolist() == list(range(100))
    with pytest.raises(RuntimeError, match="cut off"):
        lampion.load(pipe(file.getvalue()[:-9]))


# -- Other programs' safetensors ------------------------------------------------------------------


def test_other_programs_read_a_state_dict_under_its_own_names(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    state = OrderedDict({"fc.weight": lampion.arange(6).reshape(2, 3), "fc.bias": lampion.ones(2),
                         "flag": lampion.tensor([True, False]),
                         "half": lampion.tensor([0.5]).half()})
    lampion.save(state, path)
    loaded = safetensors.load_file(path)
    assert sorted(loaded) == sorted(state)
    for name, value in state.items():
        assert loaded[name].dtype == value.numpy().dtype
        assert loaded[name].tolist() == value.tolist()


def test_files_of_other_programs_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    other = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    tensors = {name: torch.arange(6).reshape(2, 3).to(getattr(torch, name)) for name in NAMES}
    other.save_file(tensors, path, metadata={"format": "pt"})
    loaded = lampion.load(path)
    assert sorted(loaded) == sorted(NAMES)
    for name in NAMES:
        assert loaded[name].dtype == getattr(lampion, name)
        assert loaded[name].tolist() == tensors[name].tolist()


def test_an_element_type_that_lampion_does_not_have(tmp_path):
    torch = pytest.importorskip("torch")
    other = pytest.importorskip("safetensors.torch")
    path = tmp_path / "x.safetensors"
    other.save_file({"count": torch.zeros(2).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(RuntimeError, match="'count' has elements of type F8_E4M3"):
        lampion.load(path)


# -- What cannot be saved -------------------------------------------------------------------------


class Net(nn.Module):
    pass


@pytest.mark.parametrize("value, message", [
    (Net(), r"object is a whole Net"),
    ({"model": [1, Net()]}, r"object\['model'\]\[1\] is a whole Net"),
    ({"f": len}, r"object\['f'\] is a builtins.builtin_function_or_method"),
    ([lambda: 0], r"object\[0\] is a builtins.function"),
    ({"d": defaultdict(int)}, r"write instead: dict\("),
    ({"p": namedtuple("Point", "x")(1)}, r"write instead: tuple\("),
    ({"a": np.array(["x"])}, r"object\['a'\] is a numpy.ndarray"),
    ({"r": range(3)}, r"builtins.range"),
])
def test_what_cannot_be_saved(value, message, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(TypeError, match=message):
        lampion.save(value, path)
    assert not os.listdir(tmp_path)


def test_a_module_gets_the_advice_to_save_its_state_dict():
    with pytest.raises(TypeError, match=r"save\(model.state_dict\(\), path\)"):
        lampion.save(Net(), io.BytesIO())


def test_an_object_that_contains_itself():
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(TypeError, match=r"object\[1\]\['again'\] contains itself"):
        lampion.save(loop, io.BytesIO())
    twice = [1]
    assert through_file([twice, twice]) == [[1], [1]]


def test_too_deep():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError, match="nested too deeply"):
        lampion.save(deep, io.BytesIO())


def test_not_a_file():
    for call in (lambda: lampion.save(1, 5), lambda: lampion.load(None)):
        with pytest.raises(TypeError, match="must be a path"):
            call()
