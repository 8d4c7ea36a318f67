"""gradcheck finds wrong gradients and says which; it passes right ones."""

import pytest

from lampion import errors


def wrong_cube(torch):
    """A cube whose backward forgets the factor 3 in the last element."""

    class WrongCube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, gradient):
            (x,) = ctx.saved_tensors
            factor = torch.full_like(x, 3.0)
            factor[-1] = 1.0
            return gradient * factor * x**2

    return WrongCube.apply


def doubles(torch, *values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


class TestRight:
    def test_several_inputs_and_outputs(self, torch):
        a, b = doubles(torch, 0.5, 1.5), doubles(torch, 2.0, -1.0)

        def function(a, b, power):
            return a * b.exp(), (a**power).sum()

        assert torch.autograd.gradcheck(function, (a, b, 3))
        assert torch.autograd.gradgradcheck(function, (a, b, 3))

    def test_matrix_product_in_one_tensor(self, torch):
        x = torch.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]], dtype=torch.float64,
                         requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: x @ x.T, x)
        assert torch.autograd.gradgradcheck(lambda x: x @ x.T, x)

    def test_function_that_captured_its_tensor(self, torch):
        x = doubles(torch, 0.5, 1.5)
        assert torch.autograd.gradcheck(lambda ignored: x.sin(), (x,))

    def test_inputs_are_put_back(self, torch):
        x = doubles(torch, 0.1, 0.7)
        torch.autograd.gradcheck(lambda x: x.exp(), (x,))
        assert x.tolist() == [0.1, 0.7]
        assert x.grad is None

    def test_an_earlier_graph_survives(self, torch):
        x = doubles(torch, 2.0)
        y = (x * x).sum()
        torch.autograd.gradcheck(lambda x: x.exp(), (x,))
        y.backward()
        assert x.grad.tolist() == [4.0]

    def test_only_tensors_that_require_grad_are_checked(self, torch):
        x = doubles(torch, 2.0)
        constant = torch.tensor([3.0], dtype=torch.float64)
        assert torch.autograd.gradcheck(lambda x, c: x * c.floor(), (x, constant))

    def test_output_apart_from_the_inputs(self, torch):
        x = doubles(torch, 2.0)
        assert torch.autograd.gradcheck(lambda x: torch.ones(2, dtype=torch.float64), (x,))

    def test_given_grad_outputs(self, torch):
        x = doubles(torch, 0.5, 2.0)
        assert torch.autograd.gradgradcheck(lambda x: x**3, (x,), doubles(torch, 1.0, -1.0))

    def test_empty_input(self, torch):
        x = torch.zeros((0, 3), dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: x.sum(0), (x,))


class TestWrong:
    def test_raises(self, torch):
        with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to "
                                               "input 0"):
            torch.autograd.gradcheck(wrong_cube(torch), (doubles(torch, 1.0, 2.0),))

    def test_returns_false(self, torch):
        x = doubles(torch, 1.0, 2.0)
        assert torch.autograd.gradcheck(wrong_cube(torch), (x,), raise_exception=False) is False

    def test_detached_part(self, torch):
        x = doubles(torch, 1.0, 2.0)
        with pytest.raises(RuntimeError, match="mismatch"):
            torch.autograd.gradcheck(lambda x: x * x.detach(), (x,))
        with pytest.raises(RuntimeError, match="(?i)numerical gradient .* expected to be zero"):
            torch.autograd.gradcheck(lambda x: x.detach() ** 2, (x,))

    def test_no_input_requires_grad(self, torch):
        with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
            torch.autograd.gradcheck(lambda x: x, (torch.ones(2),))

    def test_single_precision_is_warned_of(self, torch):
        x = torch.tensor([1.0], requires_grad=True)
        with pytest.warns(UserWarning, match="Input #0 requires gradient"):
            torch.autograd.gradcheck(lambda x: x * 2, (x,), eps=1e-2)

    def test_backward_that_changes_from_run_to_run(self, torch):
        class Drifting(torch.autograd.Function):
            runs = 0

            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, gradient):
                Drifting.runs += 1
                return gradient * (1 + 1e-7 * Drifting.runs)

        x = doubles(torch, 1.0)
        with pytest.raises(RuntimeError, match="reentrant"):
            torch.autograd.gradcheck(Drifting.apply, (x,))
        assert torch.autograd.gradcheck(Drifting.apply, (x,), nondet_tol=1e-3)


class TestReport:
    """What lampion's report says beyond PyTorch's."""

    def test_names_the_worst_entry(self):
        torch = pytest.importorskip("lampion")
        with pytest.raises(errors.GradcheckError) as caught:
            torch.autograd.gradcheck(wrong_cube(torch), (doubles(torch, 1.0, 2.0),))
        text = str(caught.value)
        assert "d output[1] / d input[1] is 4 by backward and 12 by central differences" in text
        assert "1 of 4 entries" in text
        assert "numerical:\n[[" in text and "analytical:\n[[" in text
        assert "write instead" in text

    def test_forward_mode_is_refused(self):
        torch = pytest.importorskip("lampion")
        with pytest.raises(NotImplementedError, match="reverse mode"):
            torch.autograd.gradcheck(lambda x: x, doubles(torch, 1.0), check_forward_ad=True)
