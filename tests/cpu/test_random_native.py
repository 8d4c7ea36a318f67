"""Random numbers of the native kernel are the bits of the meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import leaf, meaning, run

from lampion import dtypes
from lampion.ir import registry

words = st.integers(0, 2**64 - 1)


@settings(max_examples=60, deadline=None)
@given(words, words, st.integers(0, 200), st.integers(1, 24))
def test_bits_and_fractions_are_the_meaning_exactly(seed, offset, count, digits):
    key = leaf(np.array([seed, offset], np.uint64).view(np.int64), dtypes.int64)
    for name, options in (("random_bits", {"shape": (count,)}),
                          ("random_uniform", {"shape": (count, 1), "digits": digits})):
        found, _ = run(registry[name], (key,), options)
        np.testing.assert_array_equal(found, meaning(registry[name], (key,), options))


@pytest.mark.parametrize("name, more", [("random_bits", {}), ("random_uniform", {"digits": 24})])
def test_many_numbers_do_not_depend_on_how_jobs_are_split(name, more):
    key = leaf([7, 2**62], dtypes.int64)
    options = {"shape": (3, 20011), **more}
    expected = meaning(registry[name], (key,), options)
    for parts in (1, 2, 4):
        found, _ = run(registry[name], (key,), options, parts=parts)
        np.testing.assert_array_equal(found, expected)


def test_the_first_numbers_are_the_published_ones():
    """Philox4x32-10 of counter 0 and key 0: the known answers of Random123."""
    found, _ = run(registry["random_bits"], (leaf([0, 0], dtypes.int64),), {"shape": (4,)})
    assert [hex(x) for x in found] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
