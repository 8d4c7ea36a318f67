"""A tour of lampion in ten tests, to be read from top to bottom.

Everything here is plain PyTorch: each test also runs with `torch` being PyTorch itself.
"""

import math

import pytest


def test_1_a_tensor_holds_numbers(torch):
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert x.shape == (2, 3)
    assert x.dtype == torch.float32
    assert x[1, 2].item() == 6.0


def test_2_arithmetic_works_on_all_numbers_at_once(torch):
    x = torch.tensor([1.0, 2.0, 3.0])
    assert (x * 10 + 1).tolist() == [11.0, 21.0, 31.0]
    assert (x > 1.5).tolist() == [False, True, True]
    # A row and a column broadcast: each is stretched along the axis where it has length 1.
    table = x.reshape(3, 1) * x.reshape(1, 3)
    assert table.tolist() == [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]]


def test_3_reductions_take_away_an_axis(torch):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum().item() == 10.0
    assert x.sum(dim=0).tolist() == [4.0, 6.0]
    assert x.max(dim=1).values.tolist() == [2.0, 4.0]


def test_4_a_tensor_prints_its_values(torch):
    assert repr(torch.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert f"{torch.tensor(math.pi):.2f}" == "3.14"


def test_5_views_share_their_numbers(torch):
    x = torch.zeros(2, 3)
    x[0, 1:] = 5.0
    x.T[2] += 1.0
    assert x.tolist() == [[0.0, 5.0, 6.0], [0.0, 0.0, 1.0]]


def test_6_backward_computes_gradients(torch):
    x = torch.tensor(3.0, requires_grad=True)
    y = x**2 + 2 * x
    y.backward()
    assert x.grad.item() == 8.0  # dy/dx = 2x + 2


def test_7_gradient_descent_walks_downhill(torch):
    x = torch.tensor(5.0, requires_grad=True)
    for _ in range(100):
        loss = (x - 2) ** 2
        loss.backward()
        with torch.no_grad():
            x -= 0.1 * x.grad
        x.grad = None
    assert x.item() == pytest.approx(2.0, abs=1e-3)


def test_8_a_module_holds_parameters(torch):
    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = torch.nn.Parameter(torch.tensor(2.0))
            self.offset = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, x):
            return self.slope * x + self.offset

    model = Line()
    assert [name for name, _ in model.named_parameters()] == ["slope", "offset"]
    assert model(torch.tensor([0.0, 1.0])).tolist() == [1.0, 3.0]


def test_9_an_optimizer_moves_them(torch):
    line = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(line.parameters(), lr=0.1)
    x = torch.linspace(-1, 1, 21).unsqueeze(1)
    for _ in range(300):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(line(x), 3 * x - 1)
        loss.backward()
        optimizer.step()
    assert line.weight.item() == pytest.approx(3.0, abs=1e-2)
    assert line.bias.item() == pytest.approx(-1.0, abs=1e-2)


def test_10_a_network_learns_exclusive_or(torch):
    torch.manual_seed(0)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    target = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    # No straight line separates the two classes, so a hidden layer is needed.
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1), torch.nn.Sigmoid()
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    loss_function = torch.nn.BCELoss()
    for _ in range(300):
        optimizer.zero_grad()
        loss = loss_function(model(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert (model(x) > 0.5).tolist() == [[False], [True], [True], [False]]
