"""Steps that read memory which NumPy changes: the same numbers with replay and without."""

import numpy as np
import pytest

import lampion as torch

F = torch.nn.functional


def direct(x, a, layer, step):
    return layer(x).sum()


def as_target(x, a, layer, step):
    return F.mse_loss(layer(torch.ones(6, 4)), x)


def both(x, a, layer, step):
    return F.mse_loss(layer(x), x)


def gathered(x, a, layer, step):
    rows = torch.randint(6, (3,))
    y = x[rows]
    return (layer(y) - y).abs().sum()


def sliced(x, a, layer, step):
    part = x[step % 3 : step % 3 + 2]
    return (layer(part) * part).sum()


def changed_in_between(x, a, layer, step):
    first = layer(x).sum()
    a[1] += 1
    return first + 2 * layer(x).sum()


def view_is_seen_through(x, a, layer, step):
    part = x[2:4]
    loss = layer(part).sum()
    a[2] = step  # the view shows it, the loss does not
    return loss + part.sum()


def expanded_to_a_parameter(x, a, layer, step):
    row = x[0].expand_as(layer.weight)
    a[0, 0] = 7
    return (row * layer.weight).sum()


def written(x, a, layer, step):
    y = layer(x[1:] * 2)
    x.mul_(0.5)
    x[0] = step
    with torch.no_grad():
        x[1:2].copy_(y[1:2])
        F.relu(x[3:], inplace=True)
    return y.sum() + x.sum()


def from_a_new_array(x, a, layer, step):
    batch = torch.from_numpy(a[step % 2 :: 2] * 2)
    return layer(torch.cat([batch, batch])).sum()


def prepared(x, a, layer, step):
    y = (x.double().float() - x.mean()) / x.std()
    return (layer(y) * y).sum()


def wanted_gradient(x, a, layer, step):
    y = torch.from_numpy(a.copy()).requires_grad_()
    loss = (layer(y) * y).sum()
    loss.backward(retain_graph=True)
    return loss + y.grad.sum()


STEPS = [direct, as_target, both, gathered, sliced, changed_in_between, view_is_seen_through,
         expanded_to_a_parameter, written, from_a_new_array, prepared,
         wanted_gradient]


def train(step_of, count=7):
    """Return the losses, the array and the weights after some steps."""
    torch.manual_seed(0)
    a = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    x = torch.from_numpy(a)
    layer = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    losses = []
    for step in range(count):
        loss = step_of(x, a, layer, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        a[step % 6] += 0.25
    return [np.array(losses), a, *(weight.detach().numpy() for weight in layer.parameters())]


@pytest.mark.parametrize("step_of", STEPS)
def test_numbers_are_those_at_the_call(step_of):
    followed = train(step_of)
    torch.set_replay(False)
    try:
        made = train(step_of)
    finally:
        torch.set_replay(True)
    for ours, expected in zip(followed, made, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("step_of", [gathered, prepared, from_a_new_array])
def test_the_rest_of_the_step_is_replayed(step_of):
    train(step_of, 4)
    before = len(torch.explain_recompiles())
    train(step_of, 12)
    reasons = [reason for _, reason in torch.explain_recompiles()[before:]]
    assert not any("not recorded: a tensor" in reason for reason in reasons), reasons
    assert len(reasons) < 8
