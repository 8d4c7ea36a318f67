"""Differences from PyTorch that random programs found: each must stay mended.

A row is a short program; `y` is what it makes, or it raises. Both libraries must agree on the
elements, the type and the shape of `y`, and on the class of the exception.
"""

from __future__ import annotations

import textwrap
import warnings
from math import inf, nan
from typing import Any

import pytest

import lampion

torch = pytest.importorskip("torch")

PROGRAMS = {
    "a write to one of several overlapping windows": """
        y = torch.ones(4)
        y.unfold(0, 2, 1)[1].add_(True)
    """,
    "one number put at a position of an expanded axis": """
        y = torch.zeros(1).expand(3)
        y.index_fill_(0, torch.tensor([0]), 5.0)
    """,
    "an expanded tensor copied to itself": """
        y = torch.arange(3.0).expand(2, 3)
        y[..., 0] = y[..., 0]
    """,
    "a transposed tensor read and written at once": """
        x = torch.arange(4.0).reshape(2, 2)
        x.t().addcmul_(x, x)
    """,
    "a tensor added into itself by positions": """
        x = torch.zeros(0)
        x.scatter_add_(0, torch.zeros(0, dtype=torch.int64), x)
    """,
    "a mask that is the tensor it writes": """
        x = torch.tensor([[True, False], [False, True]])
        x.masked_fill_(x.t(), False)
    """,
    "lerp from infinity": """
        y = torch.tensor([-inf, 1.0]).lerp(torch.tensor([2.0, 3.0]), 0.5)
    """,
    "lerp reaches its end exactly": """
        y = torch.tensor([1e8, 0.1]).lerp(torch.tensor([0.3, 0.7]), torch.tensor([1.0, 0.75]))
    """,
    "lerp of whole numbers": "torch.lerp(torch.tensor([1]), torch.tensor([2]), 1)",
    "a second backward through lerp and alpha": """
        x = torch.ones(2, requires_grad=True)
        z = torch.add(x.lerp(x, 0.25), x, alpha=3.0).sum()
        z.backward()
        z.backward()
        y = x.grad
    """,
    "the slope of 3 ** x at 0": """
        x = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
        (3.0 ** x).sum().backward()
        y = x.grad
    """,
    "1 / x, then x is overwritten": """
        x = torch.tensor([0.5, 2.0], requires_grad=True)
        z = x * 1
        q = 3 / z
        z.add_(1)
        q.sum().backward()
        y = x.grad
    """,
    "the slope of an angle at the origin": """
        x, z = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        torch.atan2(x, z).sum().backward()
        y = torch.cat([x.grad, z.grad])
    """,
    "a tensor copied to itself, again and again": """
        x = torch.ones(2)
        for _ in range(4):
            x.copy_(x)
        y = torch.tensor([x._version])
    """,
    "nothing joined still brings its gradient path": """
        x = torch.zeros(0, requires_grad=True)
        torch.cat([x, torch.ones(2, 2)]).sum().backward()
        y = x.grad
    """,
    "alpha is applied in the common type": """
        y = torch.tensor([10, 20]).add_(torch.tensor([4, 5], dtype=torch.uint8), alpha=-4)
    """,
    "a floating alpha among whole numbers": "torch.add(torch.tensor([1]), 1, alpha=1.0)",
    "arithmetic with a wide number wraps": "y = torch.ones(1, dtype=torch.int8) + 300",
    "comparison with a wide number wraps": "y = torch.ones(1, dtype=torch.int8) == 257",
    "fill with a negative fraction": "torch.full((1,), -0.75, dtype=torch.uint8)",
    "assign a negative fraction": "torch.ones(1, dtype=torch.uint8)[0] = -0.75",
    "fill with a wide number": "torch.ones(1, dtype=torch.int8).fill_(300)",
    "scatter a wide number":
        "torch.ones(1, dtype=torch.int8).scatter_(0, torch.tensor([0]), 300)",
    "choose a wide number":
        "torch.where(torch.tensor([True]), torch.ones(1, dtype=torch.int8), 300)",
    "truth to a power": "torch.tensor([True]) ** torch.tensor([True])",
    "truth to the power True": "y = torch.tensor([True, False]) ** True",
    "truth divided and rounded":
        "torch.div(torch.tensor([True]), torch.tensor([True]), rounding_mode='floor')",
    "truth shifted by a whole number": "y = torch.tensor([True, False]) << 2",
    "truth shifted by truth": "torch.tensor([True]) << torch.tensor([True])",
    "product of truth matrices": "torch.ones(1, 1).bool() @ torch.ones(1, 1).bool()",
    "running sum of truth, in place": "torch.tensor([True, True]).cumsum_(0)",
    "running sum of one truth, in place": "y = torch.tensor(True).cumsum_(0)",
    "addcmul of whole numbers": """
        y = torch.addcmul(*[torch.tensor([2, 3])] * 3, value=2.0)
    """,
    "addcdiv of whole numbers": "torch.addcdiv(*[torch.tensor([2, 3])] * 3)",
    "hypot of whole numbers": "torch.hypot(torch.tensor([3]), torch.tensor([4]))",
    "einsum without a sum promotes": """
        y = torch.einsum('i,j->ij', torch.arange(2), torch.tensor([0.5, 2.0]))
    """,
    "einsum adds small types up wide": """
        y = torch.einsum('ij->i', torch.full((1, 3), 200, dtype=torch.uint8))
    """,
    "a summand larger than the product":
        "torch.addmm(torch.zeros(2, 1), torch.zeros(1, 2), torch.zeros(2, 1))",
    "amax along an empty axis": "torch.zeros(0).amax(0)",
    "the median of no truth values along an axis": "torch.zeros(0).bool().median(0)",
    "the median of nothing": "y = torch.median(torch.zeros(0, dtype=torch.int32))",
    "the Frobenius norm of three axes": "torch.zeros(2, 2, 2).norm('fro', dim=(0, 1, 2))",
    "nothing rolled along an axis that is not there": "y = torch.zeros(0, 1).roll(1, -4)",
    "softplus in half precision": """
        x = torch.tensor([12.0, -12.0, 0.0, 30.0, inf, -inf, nan], dtype=torch.float16)
        y = torch.nn.functional.softplus(x)
    """,
    "a tensor assigned from None": """
        x = torch.zeros(2)
        x[0] = None
    """,
    "what is asked for on the way, before its hooks": """
        x = torch.tensor([1.5, -0.5], requires_grad=True)
        z = x * x
        z.register_hook(lambda grad: grad * 2)
        y = torch.stack(torch.autograd.grad(z.mean(), [x, z]))
    """,
    "a leaf squeezed in place": """
        x = torch.ones(1, requires_grad=True)
        with torch.no_grad():
            x.squeeze_()
        x.backward()
        y = x.grad
    """,
    "the version belongs to the tensor when .data is set": """
        x = torch.zeros(2)
        z = x.view(2)
        z.data = torch.ones(2)
        z.add_(1)
        y = torch.tensor([x._version, z._version])
    """,
    "the strides of what a mask takes from a permuted tensor": """
        x = torch.zeros(3, 4, 3).permute(1, 2, 0)
        y = torch.tensor(x[:, torch.tensor([True, True, False])].stride())
    """,
    "the strides of what positions take from a permuted tensor": """
        x = torch.zeros(3, 4, 3).permute(1, 2, 0)
        rows = torch.tensor([[0, 1], [2, 0]]).T
        y = torch.tensor([*x[rows].stride(), *x[:, rows].stride(), *x[rows, :, rows].stride()])
    """,
    "the strides of what positions take from an empty tensor": """
        x = torch.zeros(2, 3, 4, 0).permute(2, 0, 3, 1)
        y = torch.tensor([*x[:, torch.tensor([0])].stride(), *x[torch.tensor([0, 1])].stride()])
    """,
    "the strides of the positions of nothing": """
        y = torch.tensor([*torch.zeros(3).nonzero().stride(), *torch.argwhere(
            torch.zeros(2, 2)).stride()])
    """,
    "the strides of what flip and sort make": """
        x = torch.arange(6.0).reshape(2, 3).t()
        y = torch.tensor([*x.flip(0).stride(), *x.sort(0).values.stride()])
    """,
    "no elements written to the tensor they come from": """
        x = torch.zeros(0)
        x[torch.zeros(0, dtype=torch.bool)] = x
    """,
    "no rows of a tensor written to itself, beside a whole slice": """
        x = torch.zeros(2, 0)
        x[:, torch.zeros(0, dtype=torch.int64)] = x
    """,
    "no elements, with a leading axis that is dropped": """
        y = torch.zeros(1, 0)
        y[torch.tensor([True]), :] = y
    """,
    "a whole view of one number that came to require grad": """
        x, z = torch.tensor(0.0, requires_grad=True), torch.zeros(())
        a = z.T.add_(x)
        b = a.squeeze().tanh_()
        y = torch.tensor([g is None for g in torch.autograd.grad(b, [a, x], allow_unused=True)])
    """,
    "what is retained stays with the node before a transpose": """
        x = torch.tensor(1.75, requires_grad=True) * 2
        x.retain_grad()
        x.transpose_(-1, -1)
        torch.autograd.grad(x, x)
        y = torch.tensor(x.grad is None)
    """,
    "a hook stays behind where what is retained moves on": """
        x = torch.ones(2, requires_grad=True) * 1
        view = x.view(2)
        with torch.no_grad():
            view += 1
        x.register_hook(lambda grad: grad * 2)
        x.retain_grad()
        x += 1
        view.square().sum().backward()
        y = x.grad
    """,
    "a leaf written with what was computed from it": """
        x = torch.zeros(2, requires_grad=True)
        z = x.clone()
        x.requires_grad_(False)
        x += z
        x.sum().backward()
    """,
    "a gradient that does not fit a leaf of another shape": """
        x = torch.tensor(1.5, requires_grad=True)
        x.mean().backward()
        with torch.no_grad():
            x.unsqueeze_(0)
        x.exp().sum().backward()
    """,
    "a leaf transposed in place": """
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        with torch.no_grad():
            x.t_()
        (x * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
        y = x.grad
    """,
    "a leaf transposed in place after it was used": """
        x = torch.ones(2, 3, requires_grad=True)
        z = x.exp().sum()
        with torch.no_grad():
            x.t_()
        z.backward()
    """,
    "backward from a leaf that has a gradient, again and again": """
        grads = []
        for _ in range(4):
            x = torch.tensor(1.75, requires_grad=True)
            x.backward(torch.tensor(0.0), retain_graph=True)
            g = x.grad
            g.tolist()
            x.backward()
            grads += [g.item(), g._version]
        y = torch.tensor(grads[::2])
    """,
    "elements with gaps between them, added to themselves through another view": """
        x = torch.arange(6.0)[::2]
        x.T.scatter_add_(0, torch.tensor([0]), x)
        y = x
    """,
    "the strides of no positions": """
        y = torch.tensor([*torch.nonzero(torch.tensor(False)).stride(),
                          *torch.nonzero(torch.tensor(True)).stride()])
    """,
    "the strides of activations of a transposed tensor": """
        x = torch.linspace(-3, 8, 12).reshape(3, 4).t()
        f = torch.nn.functional
        made = [f.hardtanh(x), f.relu6(x), f.hardsigmoid(x), f.hardshrink(x), x.angle(),
                f.threshold(x, 0.5, 1.0), torch.signbit(x), torch.isreal(x), torch.tensor(x),
                torch.rand_like(x), x.argsort(0)]
        y = torch.tensor([z.stride() for z in made])
    """,
    "results in row-major order whatever they are computed from": """
        x = torch.linspace(-3, 8, 9).reshape(3, 3).t()
        made = [x.softmax(0), x.log_softmax(1), 2 ** x, x.repeat(1, 1), torch.addmm(x, x, x)]
        y = torch.tensor([z.stride() for z in made])
    """,
    "the strides of a quarter turn": """
        y = torch.tensor([torch.rot90(torch.ones(3).expand(4, 3), k).stride() for k in (1, 3)])
    """,
    "einsum sums a letter that one operand has once, then promotes": """
        y = torch.einsum('ij,j->i', torch.tensor([[-2.5, 2.25], [0.25, -1.5]]), torch.tensor([5]))
    """,
    "new data over an old gradient path": """
        x = torch.ones(2, 2, requires_grad=True)
        z = x * 3
        z.data = torch.arange(4.0).reshape(2, 2).t()
        (z * z).sum().backward()
        y = x.grad
    """,
    "one number added at several positions": "torch.index_add(torch.ones(3), 0, "
        "torch.tensor([0, 0]), torch.tensor(1.0))",
    "one number added to a vector": "torch.index_add(torch.ones(3), 0, torch.tensor([0]), "
        "torch.tensor(1.0))",
    "rows copied from a tensor with fewer axes":
        "torch.ones(3, 2).index_copy_(0, torch.tensor([0]), torch.ones(2))",
    "numbers searched for in a table of another type": """
        table = torch.tensor([0.0, 1.0, 2.0])
        y = torch.searchsorted(table, torch.tensor([1, 2]))
    """,
    "the strides of one-hot vectors of a transposed tensor": """
        x = torch.zeros(3, 2, dtype=torch.int64).t()
        y = torch.tensor(torch.nn.functional.one_hot(x, 3).stride())
    """,
    "something that requires grad written into one of several views": """
        x = torch.split(torch.ones(4, 2), 1)
        x[0][:].add_(torch.tensor(-0.25, requires_grad=True))
    """,
    "one number written to itself under a new axis": """
        x = torch.ones(1)
        x[None, True] = x
    """,
    "the strides of images joined that go through the channels first": """
        x = torch.ones(2, 4, 5, 3).permute(0, 3, 1, 2)
        y = torch.tensor([torch.cat([x, x]).stride(), torch.cat([x, x.contiguous()]).stride()])
    """,
    "the strides of what is broadcast to axes of size 1": """
        x = torch.ones(2, 1)
        z = torch.hypot(torch.ones(1), x.T)
        y = torch.tensor([*z.stride(), *(torch.ones(1) + x.T).stride()])
    """,
    "the slope of elu at NaN": """
        x = torch.tensor([nan, 1.0, -1.0, inf, -inf], requires_grad=True)
        f = torch.nn.functional
        (f.elu(x) + f.selu(x) + f.celu(x)).backward(torch.ones(5))
        y = x.grad
    """,
    "views of a tensor that is resized": """
        x = torch.arange(6.0)
        v, w = x[:2], x.view(2, 3)
        x.resize_(2, 2)[0, 0] = 7
        y = torch.cat([x.flatten(), v, w.flatten(), torch.tensor([x._version, v._version])])
    """,
    "a view that is resized": """
        x = torch.arange(6.0)
        x[1:].resize_(2, 2).fill_(9)
        y = x
    """,
    "a number that does not fit, at a place that is not there":
        "torch.ones(3, dtype=torch.uint8)[3] = -3.0",
    "an axis that is not there, and a source that overlaps": """
        x = torch.zeros(2, 2)
        x.scatter_add_(5, torch.zeros(2, 2, dtype=torch.int64), x)
    """,
    "rows of a table that is none":
        "torch.nn.functional.embedding(torch.tensor([5]), torch.ones(()))",
    "a mask of floating-point numbers":
        "torch.ones(3).masked_scatter_(torch.ones(3), torch.ones(3))",
    "a matrix that is one number": "torch.mv(torch.tensor(1.0), torch.ones(3))",
    "one write at several positions of an expanded axis": """
        x = torch.zeros(3)
        x.expand(2, 3).index_fill_(1, torch.tensor([0, 1, 2]), 5.0)
        y = torch.tensor(x._version)
    """,
    "a view detached in inference mode": """
        y = torch.ones(2, 2)
        with torch.inference_mode():
            y[0].detach_()
    """,
}


def result(program: str, module: Any) -> Any:
    """Run a program; return `y` in plain Python, or the exception."""
    namespace = {"torch": module, "inf": inf, "nan": nan}
    try:
        exec(textwrap.dedent(program), namespace)
    except Exception as error:
        return error
    y = namespace["y"]
    return y.reshape(-1).tolist(), str(y.dtype).split(".")[-1], tuple(y.shape)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_agrees_with_pytorch(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = result(PROGRAMS[name], torch)
        found = result(PROGRAMS[name], lampion)
    assert not isinstance(expected, NameError), expected
    if isinstance(expected, Exception):
        # PyTorch's NotImplementedError for a missing kernel is a RuntimeError.
        kind = RuntimeError if isinstance(expected, NotImplementedError) else type(expected)
        assert isinstance(found, kind), (expected, found)
        return
    assert not isinstance(found, Exception), found
    assert found[1:] == expected[1:]
    assert found[0] == pytest.approx(expected[0], rel=1e-3 if expected[1] == "float16" else 1e-6,
                                     nan_ok=True)


def test_a_hook_on_a_leaf_that_is_a_view_outlives_a_write_into_its_memory():
    base = lampion.ones(4)
    view = base[1:3].detach().requires_grad_()
    view.register_hook(lambda g: g * 2)
    with lampion.no_grad():
        base.mul_(2)
    (view * 1).sum().backward()
    assert view.grad.tolist() == [2, 2]
    assert lampion.autograd.grad((view * 3).sum(), view)[0].tolist() == [6, 6]
