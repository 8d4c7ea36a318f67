"""Jacobians, Hessians and their products, against formulas known by hand."""

import numpy as np
import pytest


def functional(torch):
    return torch.autograd.functional


def close(tensor, expected):
    np.testing.assert_allclose(tensor.detach().numpy(), expected, rtol=1e-6)


@pytest.fixture
def x(torch):
    return torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)


@pytest.fixture
def y(torch):
    return torch.tensor([0.5, -1.0], dtype=torch.float64)


def outer(x, y):
    return x.unsqueeze(1) * y


def scalar(x, y):
    return (x**3).sum() + x.sum() * (y**2).sum()


class TestJacobian:
    def test_one_input_one_output(self, torch, x):
        close(functional(torch).jacobian(lambda x: x**2, x), np.diag([2.0, 4.0, -6.0]))

    def test_shape_is_output_then_input(self, torch, x, y):
        by_x, by_y = functional(torch).jacobian(outer, (x, y))
        assert tuple(by_x.shape) == (3, 2, 3) and tuple(by_y.shape) == (3, 2, 2)
        close(by_x, np.einsum("ik,j->ijk", np.eye(3), [0.5, -1.0]))
        close(by_y, np.einsum("i,jk->ijk", [1.0, 2.0, -3.0], np.eye(2)))

    def test_several_outputs_nest_outside(self, torch, x, y):
        blocks = functional(torch).jacobian(lambda x, y: (x * 2, y.sum()), (x, y))
        assert [[tuple(b.shape) for b in row] for row in blocks] == [[(3, 3), (3, 2)], [(3,), (2,)]]
        close(blocks[0][1], np.zeros((3, 2)))

    def test_empty_output(self, torch, x):
        if torch.__name__ == "torch":
            pytest.skip("PyTorch raises here")
        assert tuple(functional(torch).jacobian(lambda x: x[:0] * 2, x).shape) == (0, 3)

    def test_result_is_a_constant_unless_create_graph(self, torch, x):
        x.requires_grad_()
        assert not functional(torch).jacobian(lambda x: x**3, x).requires_grad
        jacobian = functional(torch).jacobian(lambda x: x**3, x, create_graph=True)
        jacobian.sum().backward()
        close(x.grad, [6.0, 12.0, -18.0])

    def test_strict(self, torch, x, y):
        with pytest.raises(RuntimeError, match="independent of input 1"):
            functional(torch).jacobian(lambda x, y: x * 2, (x, y), strict=True)
        with pytest.raises(RuntimeError, match="does not require grad"):
            functional(torch).jacobian(lambda x: x.detach(), x, strict=True)

    def test_bad_arguments(self, torch, x):
        with pytest.raises(TypeError, match="Tensor"):
            functional(torch).jacobian(lambda x: 3.0, x)
        with pytest.raises(NotImplementedError):
            functional(torch).jacobian(lambda x: x, x, create_graph=True, strategy="forward-mode")


class TestProducts:
    def test_vjp(self, torch, x, y):
        v = torch.ones((3, 2), dtype=torch.float64)
        output, (by_x, by_y) = functional(torch).vjp(outer, (x, y), v)
        close(output, np.outer([1, 2, -3], [0.5, -1]))
        close(by_x, [-0.5, -0.5, -0.5])
        close(by_y, [0.0, 0.0])
        assert not output.requires_grad

    def test_jvp(self, torch, x, y):
        v = torch.ones_like(x), torch.zeros_like(y)
        output, product = functional(torch).jvp(outer, (x, y), v)
        close(output, np.outer([1, 2, -3], [0.5, -1]))
        close(product, [[0.5, -1.0]] * 3)

    def test_v_may_be_left_out_for_one_number(self, torch, x):
        _, product = functional(torch).vjp(lambda x: (x**2).sum(), x)
        close(product, [2.0, 4.0, -6.0])
        _, product = functional(torch).jvp(lambda t: t * torch.ones(2), torch.tensor([3.0]))
        close(product, [1.0, 1.0])
        with pytest.raises(RuntimeError, match="v can only be None"):
            functional(torch).vjp(lambda x: x, x)
        with pytest.raises(RuntimeError, match="v can only be None"):
            functional(torch).jvp(lambda x: x, x)

    def test_v_of_the_wrong_shape(self, torch, x, y):
        with pytest.raises(RuntimeError, match="v has invalid size"):
            functional(torch).vjp(lambda x: x, x, y)
        with pytest.raises(RuntimeError):
            functional(torch).jvp(outer, (x, y), x)

    def test_jvp_can_be_differentiated(self, torch, x):
        x.requires_grad_()
        v = torch.ones_like(x)
        _, product = functional(torch).jvp(lambda x: x**3, x, v, create_graph=True)
        product.sum().backward()
        close(x.grad, [6.0, 12.0, -18.0])

    def test_product_inside_no_grad(self, torch, x):
        with torch.no_grad():
            _, product = functional(torch).vjp(lambda x: (x**2).sum(), x)
        close(product, [2.0, 4.0, -6.0])


class TestHessian:
    def test_one_input(self, torch, x):
        close(functional(torch).hessian(lambda x: (x**3).sum(), x), np.diag([6.0, 12.0, -18.0]))

    def test_blocks(self, torch, x, y):
        (xx, xy), (yx, yy) = functional(torch).hessian(scalar, (x, y))
        close(xx, np.diag([6.0, 12.0, -18.0]))
        close(xy, [[1.0, -2.0]] * 3)
        close(yx, np.transpose([[1.0, -2.0]] * 3))
        close(yy, np.zeros((2, 2)))

    def test_linear_function_has_zeros(self, torch, x):
        close(functional(torch).hessian(lambda x: x.sum(), x), np.zeros((3, 3)))

    @pytest.mark.parametrize("name", ["hvp", "vhp"])
    def test_products(self, torch, x, y, name):
        v = torch.ones_like(x), torch.tensor([1.0, 0.0], dtype=torch.float64)
        value, (by_x, by_y) = getattr(functional(torch), name)(scalar, (x, y), v)
        assert value.item() == pytest.approx(-18.0)
        close(by_x, [7.0, 13.0, -17.0])
        close(by_y, [3.0, -6.0])

    @pytest.mark.parametrize("name", ["hessian", "hvp", "vhp"])
    def test_the_function_must_return_one_number(self, torch, x, name):
        arguments = (x,) if name == "hessian" else (x, x)
        with pytest.raises(RuntimeError, match="(?i)function"):
            getattr(functional(torch), name)(lambda x: x * 2, *arguments)
