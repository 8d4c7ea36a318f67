"""In-place operations: what they change, what they keep, and when backward objects."""

import pytest


@pytest.fixture
def x(torch):
    return torch.tensor([1.0, 4.0, 9.0])


# name -> (in place, the same out of place)
PAIRS = {
    "add_": (lambda x: x.add_(2, alpha=3), lambda x: x + 6),
    "sub_": (lambda x: x.sub_(1), lambda x: x - 1),
    "mul_": (lambda x: x.mul_(2), lambda x: x * 2),
    "div_": (lambda x: x.div_(2), lambda x: x / 2),
    "pow_": (lambda x: x.pow_(2), lambda x: x**2),
    "neg_": (lambda x: x.neg_(), lambda x: -x),
    "sqrt_": (lambda x: x.sqrt_(), lambda x: x.sqrt()),
    "exp_": (lambda x: x.exp_(), lambda x: x.exp()),
    "clamp_": (lambda x: x.clamp_(2, 5), lambda x: x.clamp(2, 5)),
    "clamp_min_": (lambda x: x.clamp_(min=2), lambda x: x.clamp(min=2)),
    "relu_": (lambda x: x.sub_(3).relu_(), lambda x: (x - 3).relu()),
    "zero_": (lambda x: x.zero_(), lambda x: x * 0),
    "fill_": (lambda x: x.fill_(7), lambda x: x * 0 + 7),
    "copy_": (lambda x: x.copy_(x.flip(0)), lambda x: x.flip(0)),
    "lerp_": (lambda x: x.lerp_(x * 0, 0.25), lambda x: x * 0.75),
    "addcmul_": (lambda x: x.addcmul_(x, x, value=2), lambda x: x + 2 * x * x),
    "addcdiv_": (lambda x: x.addcdiv_(x, x), lambda x: x + 1),
    "masked_fill_": (lambda x: x.masked_fill_(x > 3, 0), lambda x: x.masked_fill(x > 3, 0)),
    "floor_divide": (lambda x: x.floor_divide_(2), lambda x: x // 2),
    "remainder_": (lambda x: x.remainder_(4), lambda x: x % 4),
    "cumsum_": (lambda x: x.cumsum_(0), lambda x: x.cumsum(0)),
    "cumprod_": (lambda x: x.cumprod_(0), lambda x: x.cumprod(0)),
    "erfc_": (lambda x: x.erfc_(), lambda x: x.erfc()),
    "nan_to_num_": (lambda x: x.log_().nan_to_num_(), lambda x: x.log()),
    "gt_": (lambda x: x.gt_(3), lambda x: (x > 3).float()),
    "logical_not_": (lambda x: x.logical_not_(), lambda x: x * 0),
}


class TestValues:
    @pytest.mark.parametrize("name", PAIRS)
    def test_same_numbers_same_tensor(self, x, name):
        in_place, apart = PAIRS[name]
        expected = apart(x).tolist()
        assert in_place(x) is x
        assert x.tolist() == expected

    def test_triangles_and_diagonals(self, torch):
        assert torch.ones(2, 2).tril_().tolist() == [[1.0, 0.0], [1.0, 1.0]]
        assert torch.ones(2, 2).triu_(1).tolist() == [[0.0, 1.0], [0.0, 0.0]]
        assert torch.zeros(2, 3).fill_diagonal_(5).tolist() == [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]]
        cube = torch.zeros(2, 2, 2).fill_diagonal_(1)
        assert cube.sum().item() == 2.0 and cube[1, 1, 1].item() == 1.0
        tall = torch.zeros(5, 2).fill_diagonal_(1, wrap=True)
        assert tall.nonzero().tolist() == [[0, 0], [1, 1], [3, 0], [4, 1]]
        with pytest.raises(RuntimeError, match="dimensions"):
            torch.zeros(3).fill_diagonal_(1)

    def test_operators(self, torch, x):
        same = x
        x += 1
        x *= 2
        x -= 4
        x /= 2
        x **= 2
        assert x is same and x.tolist() == [0.0, 9.0, 64.0]

    def test_logical_operators(self, torch):
        mask = torch.tensor([True, True, False])
        mask &= torch.tensor([True, False, False])
        assert mask.tolist() == [True, False, False]
        mask |= torch.tensor([False, False, True])
        mask ^= torch.tensor([True, True, True])
        assert mask.tolist() == [False, True, False]

    def test_every_name_of_the_tensor_sees_it(self, x):
        alias, part = x, x[1:]
        x.add_(1)
        assert alias.tolist() == [2.0, 5.0, 10.0] and part.tolist() == [5.0, 10.0]

    def test_other_operand_broadcasts_but_never_the_target(self, torch, x):
        matrix = torch.zeros(2, 3)
        matrix += x
        assert matrix.tolist() == [[1.0, 4.0, 9.0]] * 2
        with pytest.raises(RuntimeError):
            x += matrix

    def test_dtype_stays(self, torch):
        x = torch.tensor([1, 2])
        x += True
        assert x.dtype is torch.int64 and x.tolist() == [2, 3]
        half = torch.ones(2, dtype=torch.float16)
        half += torch.ones(2, dtype=torch.float64)
        assert half.dtype is torch.float16
        with pytest.raises(RuntimeError, match="can't be cast"):
            x += 0.5
        with pytest.raises(RuntimeError, match="can't be cast"):
            x /= 2

    def test_copy_converts(self, torch):
        x = torch.zeros(2, dtype=torch.int64)
        x.copy_(torch.tensor([1.7, -1.7]))
        assert x.tolist() == [1, -1]

    def test_overlapping_copy_reads_first(self, torch):
        x = torch.arange(5)
        x[1:] = x[:-1].clone()
        assert x.tolist() == [0, 0, 1, 2, 3]

    def test_out_argument(self, torch, x):
        target = torch.empty(3)
        assert torch.add(x, 1, out=target) is target
        assert target.tolist() == [2.0, 5.0, 10.0]

    def test_data_assignment(self, torch, x):
        alias = x
        x.data = torch.tensor([5.0, 6.0])
        assert alias.tolist() == [5.0, 6.0]
        x.data.add_(1)
        assert x.tolist() == [6.0, 7.0]

    def test_random_fill_keeps_the_tensor(self, torch):
        torch.manual_seed(0)
        x = torch.zeros(1000)
        assert x.normal_(5.0, 0.1) is x
        assert abs(x.mean().item() - 5.0) < 0.05
        x.uniform_(-1, 1)
        assert -1 <= x.min().item() and x.max().item() < 1


class TestVersions:
    def test_counted(self, torch, x):
        before = x._version
        x.add_(1)
        x[0] = 2
        assert x._version == before + 2

    def test_views_share_the_count(self, torch, x):
        view = x[0:2]
        before = view._version
        x.mul_(2)
        assert view._version == before + 1
        view.mul_(2)
        assert x._version == before + 2

    def test_detach_shares_the_count_and_data_does_not(self, torch, x):
        before = x._version
        x.detach().add_(1)
        assert x._version == before + 1
        x.data.add_(1)
        assert x._version == before + 1


class TestBackward:
    def test_gradient_of_the_result(self, torch, x):
        x.requires_grad_()
        y = x * 2
        y.mul_(3)
        y += x
        y.sum().backward()
        assert x.grad.tolist() == [7.0, 7.0, 7.0]

    def test_grad_fn_follows(self, torch, x):
        y = x.requires_grad_() * 2
        y.add_(1)
        assert y.grad_fn.name() == "AddBackward0"

    def test_a_plain_tensor_begins_to_require_grad(self, torch, x):
        y = torch.zeros(3)
        y += x.requires_grad_()
        assert y.requires_grad and not y.is_leaf

    def test_leaf(self, torch, x):
        x.requires_grad_()
        with pytest.raises(RuntimeError, match="leaf"):
            x.add_(1)
        with torch.no_grad():
            x.add_(1)
        assert x.tolist() == [2.0, 5.0, 10.0] and x.is_leaf

    @pytest.mark.parametrize("function", ["exp", "sigmoid", "tanh", "sqrt"])
    def test_functions_that_need_their_result(self, torch, x, function):
        y = getattr(x.requires_grad_(), function)()
        y.add_(1)
        with pytest.raises(RuntimeError, match="(?i)modified by an in-?place"):
            y.sum().backward()

    @pytest.mark.parametrize("function", ["sin", "log", "square"])
    def test_functions_that_need_their_argument(self, torch, x, function):
        argument = x.requires_grad_() * 1
        y = getattr(argument, function)()
        argument.zero_()
        with pytest.raises(RuntimeError, match="(?i)modified by an in-?place"):
            y.sum().backward()

    def test_functions_that_need_neither(self, torch, x):
        y = x.requires_grad_() * 2
        z = y + 1
        y.zero_()
        z.sum().backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]

    def test_a_write_through_a_view_counts(self, torch, x):
        y = x.requires_grad_().exp()
        y[0] = 0.0
        with pytest.raises(RuntimeError, match="(?i)modified by an in-?place"):
            y.sum().backward()

    def test_a_weight_changed_between_forward_and_backward(self, torch, x):
        weight = torch.ones(3, requires_grad=True)
        loss = (x.requires_grad_() * weight).sum()
        with torch.no_grad():
            weight.mul_(2)
        with pytest.raises(RuntimeError, match="(?i)modified by an in-?place"):
            loss.backward()

    def test_data_writes_are_the_users_own_risk(self, torch, x):
        weight = torch.ones(3, requires_grad=True)
        loss = (x.requires_grad_() * weight).sum()
        weight.data.mul_(2)
        loss.backward()
        assert weight.grad.tolist() == [1.0, 4.0, 9.0]

    def test_masked_assignment(self, torch, x):
        y = x.requires_grad_() * 2
        y[y > 5] = 0.0
        y.sum().backward()
        assert x.grad.tolist() == [2.0, 0.0, 0.0]

    def test_copy_into_a_slice(self, torch, x):
        x.requires_grad_()
        buffer = torch.zeros(2, 3)
        buffer[1].copy_(x * x)
        buffer.sum().backward()
        assert x.grad.tolist() == [2.0, 8.0, 18.0]
