"""Programs drawn at random: views, writes, reads and gradients in any order, against PyTorch.

A program is a list of steps on a growing pool of tensors. Both libraries run it; afterwards every
tensor of the pool must hold the same numbers, and the gradient of everything must agree - or both
must refuse it.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

VIEWS = [
    lambda x, k: x[k % x.shape[0]],
    lambda x, k: x[k % x.shape[0] :],
    lambda x, k: x[:: k % 3 + 1],
    lambda x, k: x[..., : k % x.shape[-1] + 1],
    lambda x, k: x.transpose(0, k % x.ndim),
    lambda x, k: x.reshape(-1),
    lambda x, k: x.view(-1),
    lambda x, k: x.unsqueeze(k % (x.ndim + 1)),
    lambda x, k: x.squeeze(),
    lambda x, k: x.detach(),
    lambda x, k: x.narrow(0, k % x.shape[0], 1),
    lambda x, k: x.diagonal(),
]
WRITES = [
    lambda x, y, k: x.add_(k),
    lambda x, y, k: x.mul_(0.5),
    lambda x, y, k: x.zero_(),
    lambda x, y, k: x.sin_(),
    lambda x, y, k: x.copy_(y.clone()),
    lambda x, y, k: x.add_(y.clone()),
    lambda x, y, k: x.mul_(y.clone()),
    lambda x, y, k: x.__setitem__(k % x.shape[0], 0.25),
    lambda x, y, k: x.__setitem__((slice(k % 2, None),), y.clone()),
    lambda x, y, k: x.__setitem__(x > 0.5, 0.125),
    lambda x, y, k: x.masked_fill_(x < 0, 1.5),
]
RESULTS = [
    lambda x, y, k: x * 2 + k,
    lambda x, y, k: x * y,
    lambda x, y, k: x.cos(),
    lambda x, y, k: x.clone(),
    lambda x, y, k: x.sum(0),
    lambda x, y, k: x.flip(0),
]
READ = [lambda x, y, k: x.tolist()]

STEP = st.tuples(
    st.sampled_from(["view", "view", "write", "write", "result", "read"]),
    st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 4),
)


def run(torch, steps, tracked):
    """Run the steps; return what each raised, the pool, and the gradient of the first tensor."""
    leaf = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
    leaf.requires_grad_(tracked)
    pool, raised = [leaf * 1], []
    for kind, which, first, second, number in steps:
        x, y = pool[first % len(pool)], pool[second % len(pool)]
        try:
            if kind == "view":
                pool.append(VIEWS[which % len(VIEWS)](x, number))
            elif kind == "result":
                pool.append(RESULTS[which % len(RESULTS)](x, y, number))
            else:
                table = WRITES if kind == "write" else READ
                table[which % len(table)](x, y, number)
            raised.append(None)
        except (RuntimeError, IndexError, ValueError, ZeroDivisionError) as error:
            builtin = (RuntimeError, IndexError, ValueError, ZeroDivisionError)
            raised.append(next(c.__name__ for c in builtin if isinstance(error, c)))
    values = [t.detach().numpy().copy() for t in pool]
    gradient = None
    tops = [t for t in pool if t.requires_grad]
    if tops:
        try:
            total = sum((t * (i + 1)).sum() for i, t in enumerate(tops))
            (gradient,) = torch.autograd.grad(total, leaf)
            gradient = gradient.numpy()
        except RuntimeError:
            gradient = "refused"
    return raised, values, gradient


@pytest.mark.parametrize("tracked", [False, True], ids=["values", "gradients"])
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=12))
def test_a_drawn_program_does_what_pytorch_does(tracked, steps):
    import lampion

    torch = pytest.importorskip("torch")
    ours, theirs = run(lampion, steps, tracked), run(torch, steps, tracked)
    assert ours[0] == theirs[0]
    for mine, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    if isinstance(theirs[2], np.ndarray):
        np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-9, atol=1e-12)
    else:
        assert ours[2] == theirs[2]
