"""`Variable`, as old programs use it, in lampion and in PyTorch itself."""

import pytest


def test_a_variable_is_a_leaf_with_the_same_elements(torch):
    base = torch.ones(3, requires_grad=True) * 2
    x = torch.autograd.Variable(base)
    assert type(x) is torch.Tensor and x.is_leaf and not x.requires_grad
    x = torch.autograd.Variable(torch.ones(3), requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_it_shares_memory(torch):
    base = torch.ones(3)
    torch.autograd.Variable(base).mul_(4)
    assert base.tolist() == [4, 4, 4]


def test_every_tensor_is_one(torch):
    assert isinstance(torch.ones(1), torch.autograd.Variable)
    assert not isinstance(1.0, torch.autograd.Variable)


def test_old_arguments(torch):
    assert torch.autograd.Variable().shape == (0,)
    with pytest.warns(UserWarning, match="volatile was removed"):
        torch.autograd.Variable(torch.ones(1), volatile=True)


def test_what_is_refused(torch):
    with pytest.raises(TypeError, match="has to be a tensor, but got list"):
        torch.autograd.Variable([1.0])
    with pytest.raises(RuntimeError, match="floating point"):
        torch.autograd.Variable(torch.arange(3), requires_grad=True)
