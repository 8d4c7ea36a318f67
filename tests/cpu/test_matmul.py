"""Matrix products by native kernels, against NumPy in float64 and whole numbers."""

import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lampion
from lampion import ir
from lampion.cpu import pool, steps, target
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.kernels.matmul import matmul_plan
from lampion.cpu.target import host
from lampion.dtypes import round_to

DTYPES = {"float32": lampion.float32, "float64": lampion.float64, "int32": lampion.int32,
          "int64": lampion.int64}
LAYOUTS = ("NN", "NT", "TN", "TT")
SMALLER = [name for name in ("generic", "avx2") if name == "generic" or host().vector_bytes >= 32]


def strides(x):
    return tuple(s // x.itemsize for s in x.strides)


def drawn(rng, batch, rows, columns, transposed=False, dtype="float32"):
    """Return an array batch x rows x columns that lies in one of two orders."""
    shape = (batch, columns, rows) if transposed else (batch, rows, columns)
    x = rng.integers(-9, 9, shape) if dtype.startswith("int") else rng.standard_normal(shape)
    x = x.astype(dtype)
    return x.swapaxes(1, 2) if transposed else x


def run(plan, arrays, split=None, chosen=None):
    """Do a plan's jobs: all at once, or in blocks of `split` from the last to the first."""
    scratch = np.full(plan.scratch_bytes + 64, 255, np.uint8)
    places = [x.ctypes.data for x in arrays]
    for call in steps.bind(plan, places, (scratch.ctypes.data + 63) // 64 * 64, chosen):
        size = split or max(call.jobs, 1)
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
            call.address)
        for begin in reversed(range(0, call.jobs, size)):
            function(call.slots.ctypes.data, begin, min(begin + size, call.jobs))


def product(a, b, bias=None, split=None, chosen=None):
    """Multiply arrays batch x m x k and batch x k x n with lampion's kernels."""
    (batch, m, k), n = a.shape, b.shape[2]
    # Numbers beyond the result must stay as they are.
    room = np.full(batch * m * n + 64, 77, a.dtype)
    c = room[32:32 + batch * m * n].reshape(batch, m, n)
    plan = matmul_plan(batch, m, n, k, strides(a), strides(b), DTYPES[a.dtype.name],
                       bias is not None, target.named(chosen) if chosen else None)
    run(plan, [a, b, c] + ([] if bias is None else [bias]), split,
        target.named(chosen) if chosen else None)
    assert (room[:32] == 77).all() and (room[32 + c.size:] == 77).all()
    return c


def check(a, b, bias=None, **how):
    """Compare a product with float64: every sum within a few roundings of its terms' sizes."""
    got = product(a, b, bias, **how)
    with np.errstate(all="ignore"):
        if a.dtype.kind == "i":
            expected = np.matmul(a, b) + (0 if bias is None else bias)
            np.testing.assert_array_equal(got, expected)
            return
        wide = a.astype(np.float64), b.astype(np.float64)
        expected = np.matmul(*wide) + (0 if bias is None else bias)
        sizes = np.matmul(*map(np.abs, wide)) + (0 if bias is None else np.abs(bias))
    allowed = (a.shape[2] ** 0.5 + 4) * np.finfo(a.dtype).eps * sizes
    assert (np.abs(got - expected) <= allowed).all()


SIZES = [(1, 1, 1), (1, 1, 40), (4, 8, 2), (8, 32, 16), (9, 33, 17), (5, 100, 70), (1, 300, 90),
         (90, 1, 300), (3, 7, 1000), (64, 10, 128), (10, 128, 64), (31, 129, 33), (2, 65, 200),
         (17, 250, 800), (70, 64, 900), (130, 200, 60), (40, 300, 401), (12, 12, 500), (300, 3, 50),
         (1, 1501, 401)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "x".join(map(str, s)))
def test_sizes_and_layouts(sizes, layout):
    m, n, k = sizes
    rng = np.random.default_rng(m * n + k)
    a = drawn(rng, 1, m, k, layout[0] == "T")
    b = drawn(rng, 1, k, n, layout[1] == "T")
    check(a, b)
    check(a, b, rng.standard_normal(n).astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 70), st.integers(0, 90),
       st.sampled_from(LAYOUTS), st.sampled_from(sorted(DTYPES)), st.booleans())
def test_any_sizes(batch, m, n, k, layout, dtype, biased):
    rng = np.random.default_rng(m + 100 * n)
    a = drawn(rng, batch, m, k, layout[0] == "T", dtype)
    b = drawn(rng, batch, k, n, layout[1] == "T", dtype)
    bias = rng.integers(-9, 9, n).astype(dtype) if biased else None
    check(a, b, bias)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_strides(data):
    """Steps over an axis, backwards and broadcast axes, for both operands."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    m, n, k = (data.draw(st.integers(1, 30)) for _ in range(3))

    def view(rows, columns):
        steps_of = [data.draw(st.sampled_from((1, 2, -1, -3, 0))) for _ in range(2)]
        sizes = [max(1, abs(s) * length) for s, length in zip(steps_of, (rows, columns))]
        x = rng.standard_normal(sizes).astype(np.float32)
        for axis, (step, length) in enumerate(zip(steps_of, (rows, columns))):
            if step == 0:
                x = np.broadcast_to(x, (length, *x.shape[1:]) if not axis else (x.shape[0], length))
            else:
                x = x[(slice(None),) * axis + (slice(None, None, step),)]
        return x[None]

    check(view(m, k), view(k, n))


@pytest.mark.parametrize("chosen", SMALLER)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_smaller_instruction_sets(chosen, layout):
    rng = np.random.default_rng(3)
    for m, n, k in ((13, 37, 29), (2, 50, 90), (40, 130, 420)):
        a = drawn(rng, 2, m, k, layout[0] == "T")
        b = drawn(rng, 2, k, n, layout[1] == "T")
        check(a, b, rng.standard_normal(n).astype(np.float32), chosen=chosen)


def test_a_broadcast_batch():
    rng = np.random.default_rng(0)
    a = np.broadcast_to(drawn(rng, 1, 20, 30), (5, 20, 30))
    check(a, drawn(rng, 5, 30, 40))
    check(drawn(rng, 5, 9, 20), np.broadcast_to(drawn(rng, 1, 20, 50, True), (5, 20, 50)))


@pytest.mark.parametrize("sizes", [(1, 600, 130, 900), (1, 100, 700, 500), (40, 20, 30, 50),
                                   (1, 8, 4000, 300), (1, 16, 2000, 700), (1, 1, 5000, 300)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_bits_however_jobs_are_split(sizes, layout):
    batch, m, n, k = sizes
    rng = np.random.default_rng(1)
    a = drawn(rng, batch, m, k, layout[0] == "T")
    b = drawn(rng, batch, k, n, layout[1] == "T")
    whole = product(a, b)
    check(a, b)
    for split in (1, 2, 5):
        np.testing.assert_array_equal(product(a, b, split=split), whole)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_bits_on_several_threads(layout):
    rng = np.random.default_rng(9)
    a = drawn(rng, 1, 210, 500, layout[0] == "T")
    b = drawn(rng, 1, 500, 190, layout[1] == "T")
    whole, c = product(a, b), np.empty((1, 210, 190), np.float32)
    plan = matmul_plan(1, 210, 190, 500, strides(a), strides(b), lampion.float32)
    scratch = np.empty(plan.scratch_bytes + 64, np.uint8)
    calls = steps.bind(plan, [x.ctypes.data for x in (a, b, c)], scratch.ctypes.data)
    before = lampion.get_num_threads()
    lampion.set_num_threads(4)
    try:
        for _ in range(50):
            c[:] = np.nan
            for call in calls:
                pool.run(call.address, call.slots.ctypes.data, call.jobs)
            np.testing.assert_array_equal(c, whole)
    finally:
        lampion.set_num_threads(before)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", [(3, 5, 40), (9, 35, 20), (50, 70, 1000), (20, 600, 100)])
def test_nan_and_infinity_reach_their_rows_and_columns_only(sizes, layout):
    m, n, k = sizes
    rng = np.random.default_rng(2)
    a = drawn(rng, 1, m, k, layout[0] == "T")
    b = drawn(rng, 1, k, n, layout[1] == "T")
    a[0, m - 1, k - 1], b[0, 0, n - 1] = np.nan, np.inf
    got = product(a, b)[0]
    assert np.isnan(got[m - 1]).all()
    assert np.isinf(got[:m - 1, n - 1]).all()
    assert np.isfinite(got[:m - 1, :n - 1]).all()


def test_infinity_times_zero_is_nan_and_overflow_is_infinity():
    a, b = np.zeros((1, 2, 20), np.float32), np.ones((1, 20, 3), np.float32)
    a[0, 1], b[0, 7, 1] = 3e38, np.inf
    got = product(a, b)
    np.testing.assert_array_equal(got, [[[0, np.nan, 0], [np.inf] * 3]])


def test_nothing_to_sum_up():
    empty = np.zeros((2, 3, 0), np.float32), np.zeros((2, 0, 20), np.float32)
    np.testing.assert_array_equal(product(*empty), np.zeros((2, 3, 20)))
    bias = np.arange(20, dtype=np.float32)
    np.testing.assert_array_equal(product(*empty, bias), np.broadcast_to(bias, (2, 3, 20)))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5)])
def test_an_empty_result_needs_no_steps(shape):
    batch, m, n, k = shape
    assert matmul_plan(batch, m, n, k, (m * k, k, 1), (k * n, n, 1), lampion.float32).steps == ()


def test_whole_numbers_wrap_around():
    a, b = np.full((1, 1, 2), 2**30, np.int32), np.full((1, 2, 1), 3, np.int32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(product(a, b), np.matmul(a, b))


class Fenced:
    """Memory for arrays that end (or begin) where the process may not read."""

    def __init__(self, nbytes):
        self.page = mmap.PAGESIZE
        self.size = -(-nbytes // self.page) * self.page
        self.map = mmap.mmap(-1, self.size + 2 * self.page)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map)) + self.page
        for fence in (self.start - self.page, self.start + self.size):
            self.protect(fence, 0)

    def protect(self, address, rights):
        call = ctypes.CDLL(None).mprotect
        assert call(ctypes.c_void_p(address), ctypes.c_size_t(self.page), rights) == 0

    def array(self, values, at_end):
        flat = np.ascontiguousarray(values)
        offset = self.size - flat.nbytes if at_end else 0
        room = (ctypes.c_char * flat.nbytes).from_address(self.start + offset)
        array = np.frombuffer(room, flat.dtype).reshape(flat.shape)
        array[:] = flat
        return array


@pytest.mark.skipif(not hasattr(mmap, "PROT_READ"), reason="needs mprotect")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("at_end", [True, False])
def test_no_number_outside_the_operands_is_read(layout, at_end):
    rng = np.random.default_rng(4)
    for m, n, k in ((3, 5, 37), (9, 35, 21), (50, 70, 1000), (20, 601, 101), (1, 77, 200),
                    (77, 1, 200), (33, 20, 790), (1, 1301, 501)):
        operands, fences = [], []
        for rows, columns, flipped in ((m, k, layout[0] == "T"), (k, n, layout[1] == "T")):
            values = drawn(rng, 1, columns, rows) if flipped else drawn(rng, 1, rows, columns)
            fences.append(Fenced(values.nbytes))
            array = fences[-1].array(values, at_end)
            operands.append(array.swapaxes(1, 2) if flipped else array)
        check(*operands)


def provided(a, b, dtype=None):
    """Multiply by the op's provider; None where it has no plan."""
    dtype = dtype or getattr(lampion, str(a.dtype))
    roots = [x if x.base is None else x.base for x in (a, b)]
    operands = tuple(
        steps.Operand(dtype, x.shape, (x.ctypes.data - root.ctypes.data) // x.itemsize, strides(x))
        for x, root in zip((a, b), roots))
    c = np.full(a.shape[:-1] + b.shape[-1:], 7, a.dtype)
    plan = PROVIDERS["matmul"](operands, ir.Type(c.shape, dtype), {}, host())
    if plan is None:
        return None
    run(plan, [*roots, c])
    return c


def test_the_provider_folds_batch_axes():
    rng = np.random.default_rng(5)
    shapes = [((4, 5), (5, 6)), ((2, 4, 5), (2, 5, 6)), ((2, 3, 4, 5), (2, 3, 5, 6)),
              ((2, 1, 3, 4, 5), (2, 1, 3, 5, 6))]
    for shape_a, shape_b in shapes:
        a, b = rng.standard_normal(shape_a), rng.standard_normal(shape_b)
        np.testing.assert_allclose(provided(a, b), a @ b, rtol=1e-13, atol=1e-13)
    # Heads of attention: two batch axes that do not lie in order, and a broadcast one.
    q, k = (rng.standard_normal((2, 7, 3, 8)).swapaxes(1, 2) for _ in range(2))
    np.testing.assert_allclose(provided(q, k.swapaxes(2, 3)), q @ k.swapaxes(2, 3), rtol=1e-12)
    shared = np.broadcast_to(rng.standard_normal((1, 3, 8, 4)), (2, 3, 8, 4))
    np.testing.assert_allclose(provided(q, shared), q @ shared, rtol=1e-12)
    three = rng.standard_normal((2, 3, 4, 5, 6)).transpose(2, 1, 0, 3, 4)
    assert provided(three, np.ascontiguousarray(three.swapaxes(3, 4))) is None


def test_operands_in_the_middle_of_memory():
    room = np.random.default_rng(7).standard_normal((3, 9, 12))
    a, b = room[1, 2:8, 1:11], room[2, 1:5, 2:].T
    np.testing.assert_allclose(provided(a, b), a @ b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [lampion.float16, lampion.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 4), (70, 64, 300), (2, 9, 100)])
def test_halves_are_rounded_once(dtype, shape):
    m, n, k = shape
    rng = np.random.default_rng(8)
    # Small whole numbers: sums are exact in float32, but not in the halves.
    a, b = rng.integers(-9, 9, (m, k)), rng.integers(-9, 9, (n, k))
    a, b = (x.astype(dtype.array) for x in (a, b))
    exact = round_to(dtype, (a.astype(np.float64) @ b.T.astype(np.float64)).astype(np.float32))
    np.testing.assert_array_equal(provided(a, b.T, dtype), exact.astype(dtype.array))
    a[0, 0] = np.inf
    a[1, 1] = np.nan
    got = provided(a, b.T, dtype)
    assert np.isnan(got[1]).all() and not np.isfinite(got[0]).any()
    assert np.isfinite(got[2:]).all()


def test_float16_that_does_not_fill_its_memory_is_copied_first():
    a = np.ones((4, 8), np.float16)[:, ::2]
    assert provided(a, a.T) is None


def test_the_provider_refuses_types_without_a_kernel():
    a = np.ones((2, 3), np.int8)
    assert provided(a, a.T) is None
