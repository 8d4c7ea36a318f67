"""Memory of results that is used again: by whom, and what a training step holds."""

from __future__ import annotations

import numpy as np

import lampion as torch
from lampion import nn
from lampion.cpu import spare
from lampion.cpu.spare import Spare

LARGE = ((256, 256), np.dtype(np.float32))
SMALL = ((5,), np.dtype(np.float32))


def addresses(arrays) -> list[int]:
    return [array.ctypes.data for array in arrays]


def test_programs_share_large_arrays():
    one, other = Spare([LARGE, LARGE]), Spare([LARGE, LARGE, LARGE])
    first = addresses(one.arrays())
    assert set(first) < set(addresses(other.arrays()))


def test_small_arrays_stay_with_their_program():
    one, other = Spare([SMALL]), Spare([SMALL])
    first = addresses(one.arrays())
    assert addresses(other.arrays()) != first
    assert addresses(one.arrays()) == first


def test_what_somebody_holds_is_not_given_out():
    one = Spare([LARGE, SMALL])
    held = one.arrays()
    view = one.arrays()[0][3:]  # a view keeps its array
    assert not set(addresses(held)) & set(addresses(one.arrays()))
    assert not any(np.shares_memory(view, array) for array in one.arrays())


def test_results_that_take_over_memory_are_not_kept():
    one = Spare([LARGE, SMALL], {0, 1})
    given = {0: np.empty(*LARGE), 1: np.empty(*SMALL)}
    assert addresses(one.arrays(given)) == addresses(given.values())
    before = spare.kept()
    one.arrays()
    assert spare.kept() == before


def test_a_shelf_lets_go_of_what_was_never_used():
    many, few = Spare([LARGE] * 5), Spare([LARGE])
    many.arrays()
    before = spare.kept()
    for _ in range(spare.PATIENCE):
        few.arrays()
    assert spare.kept() <= before - 4 * (1 << 18)


def test_a_shelf_that_is_not_used_is_cleared():
    unused, other = Spare([((300, 77), np.dtype(np.float32))]), Spare([SMALL])
    unused.arrays(), other.arrays()
    before = spare.kept()
    for _ in range(2 * spare.FORGOTTEN + 1):
        other.arrays()
    assert spare.kept() <= before - 300 * 77 * 4


def test_who_wants_an_array_alone_gets_it():
    one = Spare([LARGE])
    (array,) = one.arrays()
    assert spare.let_go(array)
    assert not spare.let_go(array)
    (other,) = one.arrays()
    del other
    assert array.ctypes.data not in addresses(one.arrays())


def test_training_updates_parameters_and_state_where_they_lie():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(200, 300), nn.Tanh(), nn.Linear(300, 10))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(16, 200)

    def step() -> list[int]:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        state = [s[name] for s in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
        return addresses(t._storage.value.data for t in (*model.parameters(), *state))

    for _ in range(4):
        before = step()
    assert step() == before
