"""The arithmetic of native loops: each elementwise op against its meaning, on special values."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest
from native_elementwise import Call, run

from lampion import dtypes, interpret, ops
from lampion.cpu import target, vector_math
from lampion.errors import ArgumentError
from lampion.ir import registry

assert ops  # fills the registry

WHOLE = (dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
FLOATING = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
DIVISIONS = ("floor_divide", "trunc_divide", "remainder", "fmod")
BITS = ("bit_and", "bit_or", "bit_xor", "bit_not")
SHIFTS = ("shift_left", "shift_right")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
# Which of 0 and -0 is the larger one is left open, in PyTorch too.
SIGN_OF_ZERO_OPEN = ("maximum", "minimum", "relu", "clamp", "clamp_low", "clamp_high")
# What `test_vector_math` measures.
FUNCTIONS = {name for name, f in vars(vector_math).items() if hasattr(f, "__wrapped__")}
OPS = sorted(name for name, op in registry.items() if op.kind == "elementwise"
             and name not in FUNCTIONS - {"pow"} and name not in ("cast", "where", "sigmoid"))


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMPION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@functools.cache
def targets() -> tuple[str, ...]:
    found = []
    for name in ("host", "avx2", "generic"):
        try:
            target.named(name)
        except ArgumentError:
            continue
        found.append(name)
    return tuple(found)


def accepts(name: str, dtype: dtypes.dtype) -> bool:
    """Whether tensors of that type reach the op."""
    if dtype.is_floating_point:
        return name not in BITS + SHIFTS
    if dtype is dtypes.bool_:
        return name in (*BITS, *COMPARISONS, "add", "mul", "copy", "overwrite", "maximum",
                        "minimum")
    return not registry[name].lower["floating"]


def arity(name: str) -> int:
    return len(inspect.signature(registry[name].meaning).parameters) - 1


@functools.cache
def numbers(dtype: dtypes.dtype) -> np.ndarray:
    """Special and ordinary numbers of a type."""
    if dtype is dtypes.bool_:
        return np.array([False, True])
    if not dtype.is_floating_point:
        low, high = dtypes.iinfo(dtype).min, dtypes.iinfo(dtype).max
        few = (low, low + 1, -128, -3, -2, -1, 0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 100, high - 1,
               high)
        return np.unique(np.array([n for n in few if low <= n <= high], dtype.array))
    facts = dtypes.finfo(dtype)
    few = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, 0.1, 1e3, 65504.0, np.inf, facts.max,
           facts.tiny, facts.tiny * facts.eps, facts.eps, 2.0**31, 127.7, 128.0, 255.5, 256.0,
           300.7, 32768.0, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 65520.0,
           2.0**-25, 2.0**-24 * 1.5, 3.0e9, 2.0**62, 9.3e18]
    with np.errstate(all="ignore"):
        found = np.array([*few, *(-n for n in few), np.nan], dtype.array)
    return dtypes.round_to(dtype, found)


def pairs(dtype: dtypes.dtype) -> list[np.ndarray]:
    return [grid.ravel() for grid in np.meshgrid(numbers(dtype), numbers(dtype))]


def meaning(call: Call, arrays: list[np.ndarray], types) -> np.ndarray:
    given = [arrays[k] for k in call.operands]
    with np.errstate(all="ignore"):
        return interpret.compute(call.value(types, given[0].size), given)


def assert_equal(found: np.ndarray, wanted: np.ndarray, call: Call, arrays, where: str) -> None:
    assert found.dtype == wanted.dtype
    same = (found == wanted) | ((found != found) & (wanted != wanted))
    if call.name == "pow" and wanted.dtype.kind == "f":
        # Each side may be off by its share of a unit in the last place.
        with np.errstate(all="ignore"):
            same |= np.abs(found - wanted) <= np.abs(np.spacing(wanted))
    if wanted.dtype.kind == "f" and call.name not in SIGN_OF_ZERO_OPEN:
        same &= (np.signbit(found) == np.signbit(wanted)) | (found != found)
    if not same.all():
        k = int(np.argmin(same))
        raise AssertionError(f"{call.name} of {[arrays[n][k] for n in call.operands]} on {where}: "
                             f"{found[k]}, not {wanted[k]}")


@pytest.mark.parametrize("dtype", (dtypes.bool_, *WHOLE, *FLOATING), ids=lambda d: d.name)
def test_ops_are_their_meaning(dtype):
    x, y = pairs(dtype)
    # A third operand between the others, and a divisor that is not 0.
    divisor = y if dtype.is_floating_point else np.where(y == 0, np.ones((), y.dtype), y)
    arrays, types = [x, y, np.roll(y, 5), divisor], (dtype,) * 4
    calls = [Call(name, (0, 3) if name in DIVISIONS else tuple(range(arity(name))))
             for name in OPS if accepts(name, dtype)]
    assert len(calls) >= 14
    wanted = [meaning(call, arrays, types) for call in calls]
    for where in targets():
        found = run(calls, arrays, types, target.named(where))
        assert not found.fault
        for call, a, b in zip(calls, found.arrays, wanted):
            assert_equal(a, b, call, arrays, where)


@pytest.mark.parametrize("dtype", (dtypes.bool_, *WHOLE, *FLOATING), ids=lambda d: d.name)
def test_where_chooses(dtype):
    x, y = pairs(dtype)
    condition = np.arange(x.size) % 3 == 0
    arrays, types = [condition, x, y], (dtypes.bool_, dtype, dtype)
    call = Call("where", (0, 1, 2))
    for where in targets():
        found = run([call], arrays, types, target.named(where))
        assert_equal(found.arrays[0], np.where(condition, x, y), call, arrays, where)


@pytest.mark.parametrize("dtype", WHOLE, ids=lambda d: d.name)
@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_zero_is_noted_and_does_not_trap(name, dtype):
    x = np.full(37, dtypes.iinfo(dtype).min, dtype.array)
    ones = np.full(37, 1, dtype.array)
    for where in targets():
        for place in (0, 17, 36):
            y = ones.copy()
            y[place] = 0
            found = run([Call(name, (0, 1))], [x, y], (dtype, dtype), target.named(where))
            assert found.fault
            whole = np.delete(np.arange(37), place)
            expected = x if name in ("floor_divide", "trunc_divide") else x - x
            np.testing.assert_array_equal(found.arrays[0][whole], expected[whole])
        if dtype.is_signed:
            found = run([Call(name, (0, 1))], [x, -ones], (dtype, dtype), target.named(where))
            assert not found.fault


@pytest.mark.parametrize("dtype", WHOLE, ids=lambda d: d.name)
def test_quotients_of_whole_numbers_are_exact(dtype):
    # Products, and their neighbours, by one of the factors: where a rounded quotient would show.
    rng = np.random.default_rng(0)
    facts = dtypes.iinfo(dtype)
    root = int(facts.max ** 0.5)
    y = rng.integers(1, root, 10_000)
    x = y * rng.integers(0, root, 10_000) + rng.integers(-1, 2, 10_000)
    if dtype.is_signed:
        y = y * rng.choice([-1, 1], y.size)
    wide = rng.integers(facts.min, facts.max, (2, 10_000), endpoint=True)
    x = np.concatenate([np.clip(x, facts.min, facts.max), wide[0]]).astype(dtype.array)
    y = np.concatenate([y, np.where(wide[1] == 0, 1, wide[1])]).astype(dtype.array)
    calls = [Call(name, (0, 1)) for name in DIVISIONS]
    for where in targets():
        found = run(calls, [x, y], (dtype, dtype), target.named(where))
        assert not found.fault
        for call, array in zip(calls, found.arrays):
            assert_equal(array, meaning(call, [x, y], (dtype, dtype)), call, [x, y], where)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_rests_of_floating_numbers_are_exact(dtype):
    rng = np.random.default_rng(0)
    count = 20_000
    y = (10.0 ** rng.uniform(-6, 6, count) * rng.choice([-1, 1], count)).astype(dtype)
    whole = np.round(2.0 ** rng.uniform(0, 30, count))
    # Around multiples, where a rounded quotient misleads; and anything else.
    near = np.nextafter((y * whole).astype(dtype), rng.choice([-np.inf, np.inf], count))
    whole_type = np.uint32 if dtype is np.float32 else np.uint64
    bits = rng.integers(0, np.iinfo(whole_type).max, count, whole_type).view(dtype)
    bits = np.where(np.isnan(bits), dtype(1), bits)
    x = np.concatenate([(y * whole).astype(dtype), near.astype(dtype), bits, bits[::-1]])
    y = np.concatenate([y, y, y, bits])
    types = ({np.float32: dtypes.float32, np.float64: dtypes.float64}[dtype],) * 2
    calls = [Call(name, (0, 1)) for name in ("fmod", "remainder", "floor_divide")]
    for where in targets():
        found = run(calls, [x, y], types, target.named(where)).arrays
        for call, array in zip(calls, found):
            assert_equal(array, meaning(call, [x, y], types), call, [x, y], where)


def torch_cast(torch, x: np.ndarray, before: dtypes.dtype, after: dtypes.dtype) -> np.ndarray:
    given = torch.from_numpy(x.copy())
    if before is dtypes.bfloat16:
        given = given.to(torch.bfloat16)
    found = given.to(getattr(torch, after.name))
    return (found.float() if after is dtypes.bfloat16 else found).numpy()


@pytest.mark.parametrize("before", dtypes.ALL, ids=lambda d: d.name)
def test_casts_are_those_of_pytorch(before):
    torch = pytest.importorskip("torch")
    # Several times over, so that PyTorch's vectors and single elements are both met.
    x = np.tile(numbers(before), 5)
    calls = [Call("cast", (0,), (("dtype", after),)) for after in dtypes.ALL if after is not before]
    wanted = [torch_cast(torch, x, before, call.settings[0][1]) for call in calls]
    for where in targets():
        found = run(calls, [x], (before,), target.named(where))
        for call, a, b in zip(calls, found.arrays, wanted):
            assert_equal(a, b, call, [x], f"{where} to {call.settings[0][1]}")


@pytest.mark.parametrize("dtype", (dtypes.float16, dtypes.bfloat16), ids=lambda d: d.name)
def test_each_op_of_a_half_type_is_rounded(dtype):
    # (x * y) + y: with the product unrounded, some results would differ.
    rng = np.random.default_rng(0)
    arrays = [dtypes.round_to(dtype, rng.uniform(-2, 2, 4000).astype(dtype.array))
              for _ in range(2)]
    types = (dtype, dtype)
    product = meaning(Call("mul", (0, 1)), arrays, types)
    for where in targets():
        found = run([Call("mul", (0, 1)), Call("add", (2, 1))], arrays, types,
                    target.named(where)).arrays
        np.testing.assert_array_equal(found[0], product)
        wanted = meaning(Call("add", (0, 1)), [product, arrays[1]], types)
        np.testing.assert_array_equal(found[1], wanted)
