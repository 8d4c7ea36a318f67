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


@settings(max_examples=40, deadline=None)
@given(words, st.integers(0, 200), st.sampled_from([0.0, 1e-9, 0.1, 0.5, 0.999, 1.0]))
def test_choices_are_the_meaning_exactly(seed, count, chance):
    operands = (leaf(np.array([seed, 5], np.uint64).view(np.int64), dtypes.int64),
                leaf(chance, dtypes.float32))
    found, _ = run(registry["random_below"], operands, {"shape": (count,)})
    np.testing.assert_array_equal(found, meaning(registry["random_below"], operands,
                                                 {"shape": (count,)}))


def test_choices_come_as_often_as_they_should():
    operands = (leaf([3, 0], dtypes.int64), leaf(0.3, dtypes.float32))
    found, _ = run(registry["random_below"], operands, {"shape": (100_000,)}, parts=3)
    assert abs(found.mean() - 0.3) < 0.01


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
