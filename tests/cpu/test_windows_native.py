"""Windows added back in native code against their meaning."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import FLOATS, INTEGERS, leaf, meaning, run

from lampion.cpu.kernels.numbers import supported
from lampion.cpu.target import host
from lampion.ir import registry

ALL = tuple(d for d in (*INTEGERS, *FLOATS) if supported(d, host()))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.data(), st.sampled_from(ALL),
       st.sampled_from(["plain", "turned", "spread", "flipped"]), st.integers(1, 3))
def test_windows_added_back(shape, data, dtype, layout, parts):
    axis = data.draw(st.integers(0, len(shape) - 1))
    shape[axis] = max(shape[axis], 1)
    size, step, dilation = (data.draw(st.integers(1, 4)) for _ in range(3))
    spare = data.draw(st.integers(0, 3))
    length = (shape[axis] - 1) * step + (size - 1) * dilation + 1 + min(spare, step - 1)
    random = np.random.default_rng(length)
    g = leaf(np.abs(random.normal(size=(*shape, size))) * 20, dtype)
    options = {"axis": axis, "length": length, "step": step, "dilation": dilation}
    found, _ = run(registry["windows_add"], (g,), options, (layout,), parts)
    np.testing.assert_array_equal(found, meaning(registry["windows_add"], (g,), options))


def test_long_windows_are_split():
    g = leaf(np.random.default_rng(0).normal(size=(3, 20000, 5)), FLOATS[2])
    options = {"axis": 1, "length": 20004, "step": 1, "dilation": 1}
    for parts in (1, 4):
        found, _ = run(registry["windows_add"], (g,), options, parts=parts)
        np.testing.assert_array_equal(found, meaning(registry["windows_add"], (g,), options))
