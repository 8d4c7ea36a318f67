"""Vector functions against NumPy and mpmath: errors in ulp, and the special values."""

from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest
from native_elementwise import DTYPES, Call, computed, loop_of, run

from lampion import ops
from lampion.cpu import native, target, vector_math
from lampion.errors import ArgumentError
from lampion.ops import special

assert ops  # fills the registry

TABLE = {name: (float(single), float(double)) for name, single, double in re.findall(
    r"^    (\w+) +(\d\.\d) +(\d\.\d)$", vector_math.__doc__ or "", re.MULTILINE)}
# Where the functions are interesting in float32, and how much farther that is in float64.
RANGES = {
    "exp": (-104, 89, 7), "exp2": (-150, 128, 7.1), "expm1": (-20, 89, 7.9), "log": (0, 10, 1),
    "log2": (0, 10, 1), "log10": (0, 10, 1), "log1p": (-1, 10, 1), "sin": (-100, 100, 9),
    "cos": (-100, 100, 9), "tan": (-100, 100, 9), "asin": (-1, 1, 1), "acos": (-1, 1, 1),
    "atan": (-10, 10, 1), "sinh": (-90, 90, 7.9), "cosh": (-90, 90, 7.9), "tanh": (-10, 10, 2),
    "asinh": (-10, 10, 1), "acosh": (1, 10, 1), "atanh": (-1, 1, 1), "erf": (-6, 6, 1),
    "erfinv": (-1, 1, 1), "sigmoid": (-104, 90, 7), "atan2": (-5, 5, 1), "pow": (-5, 5, 1)}
NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
         "acosh": "arccosh", "atanh": "arctanh", "atan2": "arctan2", "pow": "power"}
TWO = ("atan2", "pow")
FLOATS = (np.float32, np.float64)
WIDE = np.finfo(np.longdouble).nmant > 60  # whether longdouble can be float64's witness
EDGES = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, 1e-39, -1e-39, 0.5,
         -0.5, 2.0, -2.0, 3.0, -3.0, 88.7, 88.8, -87.4, -103.9, -104.1, 1e5, -1e5, 1e30, -1e30,
         3.4028235e38, -3.4028235e38, 1.1754944e-38, 0.99999994, -0.99999994, 1.0000001)


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


@functools.cache
def inputs(name: str, dtype: type, seed: int = 0) -> np.ndarray:
    """A grid, numbers of all sizes near 0 and near 1, any bit patterns, and the edges."""
    rng = np.random.default_rng(seed)
    low, high, factor = RANGES[name]
    if dtype is np.float64:
        low, high = (low * factor, high * factor) if factor != 1 else (low, high)
    count = 6000 if dtype is np.float32 else 1500
    whole = np.uint32 if dtype is np.float32 else np.uint64
    bits = rng.integers(0, np.iinfo(whole).max, count, whole, endpoint=True).view(dtype)
    sizes = 10.0 ** rng.uniform(-12, 1, count) * rng.choice([-1, 1], count)
    parts = [np.linspace(low, high, count), sizes, 1 - sizes, rng.uniform(-1.5, 1.5, count),
             rng.uniform(0.3, 3, count), np.array(EDGES)]
    with np.errstate(all="ignore"):
        found = np.concatenate([bits, *(p.astype(dtype) for p in parts)])
    return rng.permutation(found)


def long_erf(x: np.ndarray) -> np.ndarray:
    """erf in longdouble: 2/sqrt(pi) exp(-x^2) times the sum of 2^n x^(2n+1) / (2n+1)!!."""
    x = x.astype(np.longdouble)
    near = np.clip(x, -7, 7)
    term = total = near
    for n in range(1, 250):
        term = term * 2 * near * near / (2 * n + 1)
        total = total + term
    return total * np.exp(-near * near) * 2 / np.sqrt(4 * np.arctan(np.longdouble(1)))


def long_erfinv(x: np.ndarray) -> np.ndarray:
    mpmath = pytest.importorskip("mpmath")
    found = []
    with mpmath.workdps(30):
        for number in x.tolist():
            if 0 < abs(number) < 1:
                found.append(np.longdouble(mpmath.nstr(mpmath.erfinv(number), 25)))
            else:
                edge = math.copysign(math.inf, number) if abs(number) == 1 else math.nan
                found.append(np.longdouble(number if number == 0 else edge))
    return np.array(found)


def exact(name: str, *x: np.ndarray) -> np.ndarray:
    """The function in a wider type."""
    with np.errstate(all="ignore"):
        wide = [v.astype(np.float64 if v.dtype == np.float32 else np.longdouble) for v in x]
        double = wide[0].dtype == np.float64
        if name == "sigmoid":
            return special.sigmoid(np, wide[0])
        if name == "erf":
            return special.erf(np, wide[0]) if double else long_erf(wide[0])
        if name == "erfinv":
            return special.erfinv(np, wide[0]) if double else long_erfinv(wide[0])
        return getattr(np, NUMPY.get(name, name))(*wide)


def ulps(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How far away results are, in units of their last place; inf where special values differ."""
    facts = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        rounded = wanted.astype(found.dtype)
        _, exponent = np.frexp(np.abs(wanted))
        last = np.ldexp(np.ones_like(wanted),
                        np.maximum(exponent - 1, facts.minexp) - facts.nmant)
        error = np.abs(found.astype(wanted.dtype) - wanted) / last
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    special_value = ~np.isfinite(rounded) | ~np.isfinite(found)
    return np.where(special_value, np.where(same, 0, np.inf), error)


def operands(name: str, dtype: type) -> list[np.ndarray]:
    if name == "erfinv" and dtype is np.float64:
        return [np.concatenate([inputs(name, dtype)[::12], [1.0, -1.0, 0.0, -0.0, 1.5]])]
    if name == "erf" and dtype is np.float64:
        return [inputs(name, dtype)[::3]]
    return [inputs(name, dtype, seed) for seed in range(2 if name in TWO else 1)]


def test_the_table_names_every_function():
    names = {name for name, f in vars(vector_math).items() if hasattr(f, "__wrapped__")}
    assert names | {"sigmoid"} == set(TABLE) == set(RANGES)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TABLE)
def test_errors_are_within_the_table(name, dtype):
    if dtype is np.float64 and not WIDE:
        pytest.skip("nothing wider than float64 here")
    x = operands(name, dtype)
    wanted = exact(name, *x)
    for instructions in targets():
        found = computed(name, *x, target=target.named(instructions))
        error = ulps(found, wanted)
        worst = int(np.argmax(error))
        assert error[worst] <= TABLE[name][FLOATS.index(dtype)], (
            instructions, [v[worst] for v in x], found[worst], wanted[worst])
        zero = (found == 0) & (wanted == 0)
        assert (np.signbit(found) == np.signbit(wanted))[zero].all(), instructions


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TWO)
def test_two_edges(name, dtype):
    grid = np.array([*EDGES, 5.0, -5.0, 4.5, 2.0**24, 2.0**24 + 2, 1 / 3], dtype)
    x, y = (v.ravel() for v in np.meshgrid(grid, grid))
    wanted = exact(name, x, y)
    for instructions in targets():
        found = computed(name, x, y, target=target.named(instructions))
        error = ulps(found, wanted)
        worst = int(np.argmax(error))
        assert error[worst] <= TABLE[name][FLOATS.index(dtype)], (
            instructions, x[worst], y[worst], found[worst], wanted[worst])
        zero = (found == 0) & (wanted == 0)
        assert (np.signbit(found) == np.signbit(wanted))[zero].all(), instructions


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, math.nan])
def test_one_exponent_for_all(exponent, dtype):
    x = inputs("pow", dtype)
    wanted = exact("pow", x, np.full(x.shape, exponent, dtype))
    for instructions in targets():
        found = computed("pow", x, np.array([exponent], dtype), target=target.named(instructions))
        # A cube is two products, an inverse root two operations.
        allowed = 1.5 if exponent in (3, -0.5) else TABLE["pow"][FLOATS.index(dtype)]
        error = ulps(found, wanted)
        worst = int(np.argmax(error))
        assert error[worst] <= allowed, (instructions, x[worst], found[worst], wanted[worst])
        zero = (found == 0) & (wanted == 0)
        assert (np.signbit(found) == np.signbit(wanted))[zero].all(), instructions


@pytest.mark.parametrize("dtype", FLOATS)
def test_exact_results(dtype):
    powers = 2.0 ** np.arange(-120, 121)
    tens = 10.0 ** np.arange(0, 11)
    for instructions in map(target.named, targets()):
        def found(name, x, instructions=instructions):
            return computed(name, np.asarray(x, dtype), target=instructions).tolist()

        assert found("exp2", np.arange(-120, 121)) == powers.tolist()
        assert found("log2", powers) == list(range(-120, 121))
        assert found("log10", tens) == list(range(11))
        bases, times = (g.ravel() for g in np.meshgrid(np.arange(1, 20), np.arange(6)))
        whole = computed("pow", bases.astype(dtype), times.astype(dtype), target=instructions)
        assert whole.tolist() == (bases**times).tolist()
        assert found("exp", [0.0, -0.0, -math.inf]) == [1, 1, 0]
        assert found("sigmoid", [0.0, -math.inf, math.inf]) == [0.5, 0, 1]
        assert found("cos", [0.0, -0.0]) == [1, 1]
        assert found("tanh", [50, -50]) == found("erf", [50, -50]) == [1, -1]


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_results_never_leave_the_range(name):
    # Where a polynomial ends at 1, rounding must not carry it beyond.
    x = np.linspace(0.5, 12, 200_001, dtype=np.float32)
    for instructions in map(target.named, targets()):
        found = computed(name, np.concatenate([x, -x]), target=instructions)
        assert found.max() == 1 and found.min() == -1


def test_large_angles_are_reduced_exactly():
    # The multiple of pi/2 that is nearest to a float64 (Kahan and McDonald).
    x = np.array([6381956970095103.0 * 2.0**797, 1e22, -1e300, 3.0, 710.0])
    wanted = np.array([math.cos(v) for v in x])
    for instructions in map(target.named, targets()):
        np.testing.assert_allclose(computed("cos", x, target=instructions), wanted, rtol=1e-15)
    near = np.array([k * math.pi / 2 for k in range(1, 60_000, 7)], np.float32)
    wanted = np.sin(near.astype(np.float64))
    for instructions in map(target.named, targets()):
        found = computed("sin", near, target=instructions)
        assert ulps(found, wanted).max() <= TABLE["sin"][0]


@pytest.mark.parametrize("name", TABLE)
def test_float16_is_rounded_once(name):
    rng = np.random.default_rng(0)
    x = [rng.uniform(-4, 4, 500).astype(np.float16) for _ in range(2 if name in TWO else 1)]
    wanted = exact(name, *(v.astype(np.float32) for v in x))
    for instructions in map(target.named, targets()):
        found = computed(name, *x, target=instructions)
        assert found.dtype == np.float16
        # Half a unit from rounding, and a trifle for what float32 was off.
        assert ulps(found, wanted).max() <= 0.501


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TABLE)
def test_results_do_not_depend_on_the_vector(name, dtype):
    # Alone, in a short array, and in a loop whose vectors are narrower or wider than usual.
    x = [np.linspace(0.25, 0.75, 64).astype(dtype)] * (2 if name in TWO else 1)
    whole = computed(name, *x)
    for size in (1, 5):
        np.testing.assert_array_equal(computed(name, *(v[:size].copy() for v in x)), whole[:size])
    others = {np.float32: np.float64, np.float64: np.float32}
    arrays = [*x, x[0].astype(others[dtype])]
    types = tuple(DTYPES[a.dtype] for a in arrays)
    calls = [Call(name, tuple(range(len(x)))), Call("neg", (len(x),))]
    np.testing.assert_array_equal(run(calls, arrays, types).arrays[0], whole)


@pytest.mark.parametrize("dtype", FLOATS)
def test_other_processors_have_code_too(dtype, monkeypatch):
    # Not run here, but NEON must be able to do all that the text asks for.
    binding = pytest.importorskip("llvmlite.binding")
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine()
    types = (DTYPES[np.dtype(dtype)],) * 2
    for name in TABLE:
        loop = loop_of([Call(name, (0, 1) if name in TWO else (0,))], types, [64, 64])
        plan = native.plan_loop(loop, target.Target("generic", "", 16, 32))
        module = binding.parse_assembly(plan.steps[0].kernel.make_ir())
        module.triple = machine.triple
        module.verify()
        assert "fmla" in machine.emit_assembly(module), name
