"""Views share their elements with the tensor they were taken from, in both directions."""

import pytest

# Every way to look at a 3x4 tensor, as (name, function).
VIEWS = {
    "index": lambda x: x[1],
    "slice": lambda x: x[1:, ::2],
    "ellipsis": lambda x: x[..., 0],
    "new axis": lambda x: x[None, 1],
    "view": lambda x: x.view(2, 6),
    "view with -1": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(6, 2),
    "flatten": lambda x: x.flatten(),
    "transpose": lambda x: x.transpose(0, 1),
    "t": lambda x: x.t(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "permute": lambda x: x.permute(1, 0),
    "movedim": lambda x: x.movedim(0, 1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(1, 3),
    "diagonal": lambda x: x.diagonal(),
    "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "split": lambda x: x.split(2)[1],
    "chunk": lambda x: x.chunk(2, 1)[0],
    "unbind": lambda x: x.unbind()[2],
    "detach": lambda x: x.detach(),
    "view_as": lambda x: x.view_as(x),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "view of a view": lambda x: x.T[1:].view(3, 3)[0],
}

COPIES = {
    "clone": lambda x: x.clone(),
    "index by a list": lambda x: x[[0, 2]],
    "mask": lambda x: x[x > 3],
    "contiguous of a transpose": lambda x: x.T.contiguous(),
    "reshape of a transpose": lambda x: x.T.reshape(12),
    "repeat": lambda x: x.repeat(1, 1),
    "to another type": lambda x: x.double(),
    "index_select": lambda x: x.index_select(0, x.new_tensor([0]).long()),
}

SAME = {
    "contiguous": lambda x: x.contiguous(),
    "to the same type": lambda x: x.to(x.dtype),
    "float of float": lambda x: x.float(),
}


@pytest.fixture
def x(torch):
    return torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("name", VIEWS)
class TestEveryView:
    def test_a_write_through_the_view_reaches_the_base(self, x, name):
        before = x.clone()
        view = VIEWS[name](x)
        view += 100
        changed = x - before
        assert changed.sum().item() == 100.0 * view.numel()
        assert set(changed.reshape(-1).tolist()) <= {0.0, 100.0}

    def test_a_write_to_the_base_shows_in_the_view(self, x, name):
        view = VIEWS[name](x)
        x.mul_(2)
        assert view.tolist() == VIEWS[name](x).tolist()

    def test_a_value_assigned_by_index_shows_everywhere(self, x, name):
        view, other = VIEWS[name](x), x.view(12)
        view[..., 0] = -1
        assert x.reshape(12).tolist() == other.tolist()
        assert (x == -1).sum().item() == view[..., 0].numel()

    def test_gradient_flows_through(self, torch, x, name):
        weight = x.clone().requires_grad_()
        (VIEWS[name](weight) * 3).sum().backward() if name != "detach" else None
        if name != "detach":
            assert weight.grad.sum().item() == 3.0 * VIEWS[name](x).numel()


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_apart(x, name):
    copy = COPIES[name](x)
    before = x.clone()
    copy.zero_()
    assert x.tolist() == before.tolist()


@pytest.mark.parametrize("name", SAME)
def test_nothing_to_do_gives_the_same_elements(x, name):
    SAME[name](x).zero_()
    assert x.sum().item() == 0.0


class TestViewsAndBackward:
    def test_writing_through_a_view_is_differentiable(self, torch):
        source = torch.tensor([1.0, 2.0], requires_grad=True)
        canvas = torch.zeros(2, 2)
        canvas[0] = source * 3
        assert canvas.requires_grad
        (canvas * torch.tensor([[1.0, 10.0], [5.0, 5.0]])).sum().backward()
        assert source.grad.tolist() == [3.0, 30.0]

    def test_what_is_overwritten_gets_no_gradient(self, torch):
        source = torch.ones(3, requires_grad=True)
        y = source * 2
        y[1] = 0.0
        y.sum().backward()
        assert source.grad.tolist() == [2.0, 0.0, 2.0]

    def test_a_view_taken_before_sees_the_new_graph(self, torch):
        source = torch.ones(3, requires_grad=True)
        y = source * 2
        first = y[0]
        y.mul_(5)
        first.backward()
        assert source.grad.tolist() == [10.0, 0.0, 0.0]

    def test_view_of_a_leaf_may_not_be_written(self, torch):
        leaf = torch.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf"):
            leaf[0] += 1
        with torch.no_grad():
            leaf[0] += 1
        assert leaf.tolist() == [2.0, 1.0, 1.0]

    def test_views_in_no_grad(self, torch):
        leaf = torch.ones(2, 2, requires_grad=True)
        with torch.no_grad():
            leaf.view(-1)[3] = 7.0
        assert leaf.tolist() == [[1.0, 1.0], [1.0, 7.0]]
        assert leaf.is_leaf and leaf.requires_grad


class TestKnowledgeOfViews:
    def test_data_ptr_is_shared(self, torch, x):
        assert x.view(-1).data_ptr() == x.data_ptr()
        assert x[1].data_ptr() != x.data_ptr()
        assert x.clone().data_ptr() != x.data_ptr()

    def test_strides_and_contiguity(self, torch, x):
        assert x.stride() == (4, 1) and x.is_contiguous()
        assert x.T.stride() == (1, 4) and not x.T.is_contiguous()
        assert x[:, 1].stride() == (4,) and x[1, 2:].storage_offset() == 6
        assert x.T.contiguous().stride() == (3, 1)
        assert x[:1].expand(5, 4).stride() == (0, 1)

    def test_view_of_what_is_not_contiguous_is_an_error(self, torch, x):
        with pytest.raises(RuntimeError, match="(?i)reshape"):
            x.T.view(12)

    def test_expanded_elements_may_not_be_written(self, torch):
        x = torch.ones(1, 3).expand(2, 3)
        with pytest.raises(RuntimeError):
            x += 1
