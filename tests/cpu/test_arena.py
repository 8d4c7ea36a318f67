"""The memory of intermediate results: where they lie, and how much is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampion.cpu import arena

LIFE = st.tuples(st.integers(0, 5000), st.integers(0, 20), st.integers(0, 6))
LIVES = st.lists(LIFE, max_size=40)


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setattr(arena, "_memory", arena._Memory())
    return arena.memory


@given(LIVES)
def test_results_that_live_together_share_no_byte(numbers):
    lives = [arena.Life(size, first, first + length) for size, first, length in numbers]
    offsets, whole = arena.plan(lives)
    for step in range(30):
        used = np.zeros(whole + 1, int)
        for life, offset in zip(lives, offsets, strict=True):
            if life.first <= step <= life.last:
                used[offset:offset + life.size] += 1
        assert used.max() <= 1


def test_memory_grows_and_stays(memory):
    small = memory(1000)
    assert memory(500) is small
    large = memory(64 << 20)
    assert large.size >= 64 << 20
    assert all(memory(60 << 20) is large for _ in range(3 * arena.PATIENCE))


def test_memory_that_was_needed_once_is_given_back(memory):
    large = memory(64 << 20)
    for _ in range(2 * arena.PATIENCE + 1):
        assert memory(3 << 20).size >= 3 << 20
    assert memory(3 << 20).size < large.size // 4


def test_a_large_run_now_and_then_keeps_the_memory(memory):
    large = memory(64 << 20)
    for _ in range(10):
        for _ in range(arena.PATIENCE - 1):
            memory(1 << 20)
        assert memory(64 << 20) is large


def test_little_memory_is_kept(memory):
    little = memory(4 << 20)
    assert all(memory(1000) is little for _ in range(3 * arena.PATIENCE))
