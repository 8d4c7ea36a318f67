"""Networks that look at pictures: shapes, names of layers, and that training lowers the loss."""

import itertools

import numpy as np
import pytest

import lampion
from lampion import models
from lampion.errors import ArgumentError, ShapeError
from lampion.models import mobilenetv2, perceptron, resnet_cifar, vgg
from lampion.nn import functional as F


def losses(model, x, y, steps=6, lr=0.01, loss=F.cross_entropy):
    """Train on one batch; return the loss of each step."""
    optimizer = lampion.optim.Adam(model.parameters(), lr=lr)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


@pytest.mark.parametrize("rule", ["and", "or", "nand"])
def test_the_perceptron_learns_what_a_line_separates(rule):
    inputs = lampion.tensor(list(itertools.product([0.0, 1.0], repeat=2)))
    table = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0]}[rule]
    unit = models.Perceptron(2)
    mistakes = unit.fit(inputs, lampion.tensor(table).float())
    assert mistakes[-1] == 0 and sum(mistakes) > 0
    assert unit(inputs).tolist() == table


def test_the_perceptron_makes_no_more_mistakes_than_novikoff_allows():
    generator = np.random.default_rng(0)
    points = generator.uniform(-1, 1, (60, 2))
    side = points @ [0.6, 0.8]
    points, side = points[abs(side) > 0.2], side[abs(side) > 0.2]
    unit = models.Perceptron(2)
    mistakes = unit.fit(lampion.tensor(points).float(), lampion.tensor(side > 0).float())
    assert mistakes[-1] == 0
    # The bias is the weight of a constant input, so it lengthens every example by 1.
    radius = np.sqrt((points**2).sum(1).max() + 1)
    assert sum(mistakes) <= (radius / np.abs(side).min()) ** 2


def test_no_perceptron_computes_xor_but_two_layers_do():
    inputs = lampion.tensor(list(itertools.product([0.0, 1.0], repeat=2)))
    target = lampion.tensor([0.0, 1.0, 1.0, 0.0])
    unit = models.Perceptron(2)
    mistakes = unit.fit(inputs, target, epochs=50)
    assert len(mistakes) == 50 and min(mistakes) > 0
    # Every threshold unit with weights on a grid fails as well.
    grid = np.linspace(-2, 2, 17)
    w1, w2, b = np.meshgrid(grid, grid, grid)
    says = np.stack([b > 0, w2 + b > 0, w1 + b > 0, w1 + w2 + b > 0])
    assert not (says == np.array([0, 1, 1, 0], bool)[:, None, None, None]).all(0).any()
    assert perceptron.xor_network()(inputs).flatten().tolist() == target.tolist()


def test_the_perceptron_refuses_targets_that_are_too_few():
    with pytest.raises(ArgumentError, match="every example"):
        models.Perceptron(2).fit(lampion.zeros(3, 2), lampion.zeros(2))


def test_mlp_learns_xor():
    lampion.manual_seed(0)
    model = models.MLP(2, [8, 2], activation_layer=lampion.nn.Tanh)
    x = lampion.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = lampion.tensor([0, 1, 1, 0])
    assert losses(model, x, y, steps=150, lr=0.05)[-1] < 0.05
    assert model(x).argmax(1).tolist() == y.tolist()


def test_mlp_layers():
    model = models.MLP(4, [8, 8, 2], norm_layer=lampion.nn.BatchNorm1d, dropout=0.5)
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == 2 * ["Linear", "BatchNorm1d", "ReLU", "Dropout"] + ["Linear"]
    with pytest.raises(ArgumentError, match="empty"):
        models.MLP(4, [])


@pytest.mark.parametrize("make, size", [
    (models.LeNet5, (1, 28, 28)),
    (lambda: models.AlexNet(10), (3, 96, 96)),
    (lambda: models.VGG(19, 10, batch_norm=True), (3, 32, 32)),
    (lambda: models.resnet34(10), (3, 64, 64)),
    (lambda: models.resnet50(10), (3, 64, 64)),
    (lambda: models.CifarResNet(32), (3, 32, 32)),
    (lambda: models.MobileNet(10, 0.25), (3, 64, 64)),
    (lambda: models.MobileNetV2(10), (3, 64, 64)),
])
def test_shapes(make, size, nothing_is_computed):
    assert make()(lampion.zeros(2, *size)).shape == (2, 10)


def small_mobilenet():
    block = mobilenetv2.InvertedResidual(8, 8, stride=1, expand_ratio=2)
    first = mobilenetv2.conv_bn_relu6(3, 8, stride=2)
    return lampion.nn.Sequential(first, block, lampion.nn.Flatten(), lampion.nn.Linear(128, 10))


@pytest.mark.parametrize("make, size", [
    (models.LeNet5, (1, 28, 28)),
    (lambda: models.CifarResNet(8), (3, 32, 32)),
    (small_mobilenet, (3, 8, 8)),
], ids=["lenet5", "resnet8", "mobilenet"])
def test_training_lowers_the_loss(make, size):
    lampion.manual_seed(1)
    values = losses(make(), lampion.randn(8, *size), lampion.arange(8))
    assert values[-1] < 0.8 * values[0]


def test_unet_learns_to_mark_bright_pixels():
    lampion.manual_seed(1)
    x = lampion.rand(2, 1, 16, 16)
    values = losses(models.UNet(1, 2, base_channels=4, levels=3), x, (x[:, 0] > 0.5).long(),
                    steps=8, lr=0.02)
    assert values[-1] < 0.8 * values[0]


def test_unet_refuses_sizes_that_cannot_be_halved():
    with pytest.raises(ShapeError, match="multiples of 16"):
        models.UNet()(lampion.zeros(1, 1, 40, 32))


def test_depths_that_do_not_exist():
    with pytest.raises(ArgumentError, match="11, 13, 16, 19"):
        models.VGG(12)
    with pytest.raises(ArgumentError, match="6n"):
        models.CifarResNet(21)


def test_names_of_layers_are_those_of_the_published_weights(nothing_is_computed):
    names = set(models.resnet50().state_dict())
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.running_var",
            "fc.bias"} <= names
    names = set(models.mobilenet_v2().state_dict())
    assert {"features.0.0.weight", "features.1.conv.0.0.weight", "features.2.conv.1.0.weight",
            "features.17.conv.3.bias", "features.18.1.weight", "classifier.1.weight"} <= names
    assert {"features.28.weight", "classifier.6.bias"} <= set(vgg.vgg16().state_dict())
    assert {"features.10.weight", "classifier.1.bias"} <= set(models.alexnet().state_dict())
    assert {"layer3.2.bn2.weight", "linear.weight"} <= set(models.resnet20().state_dict())


def test_the_shortcut_of_option_a_adds_zeros():
    x = lampion.randn(1, 4, 6, 6)
    y = resnet_cifar.PadShortcut(2)(x)
    assert lampion.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert y[:, :2].abs().sum() == 0 and y[:, 6:].abs().sum() == 0


def test_zero_init_lets_blocks_start_as_the_identity():
    model = models.ResNet(models.resnet.BasicBlock, [2, 1, 1, 1], 10, zero_init_residual=True)
    x = lampion.rand(1, 64, 4, 4)
    assert lampion.allclose(model.layer1[1](x), x)


def test_residual_block_against_pytorch():
    torch = pytest.importorskip("torch")
    block = models.resnet.Bottleneck(8, 2)
    x = lampion.randn(2, 8, 5, 5)
    w = {name: torch.from_numpy(value.numpy()) for name, value in block.state_dict().items()}
    h = there = torch.from_numpy(x.numpy())
    for layer, padding in ((1, 0), (2, 1), (3, 0)):
        h = torch.nn.functional.conv2d(h, w[f"conv{layer}.weight"], padding=padding)
        h = (h - h.mean((0, 2, 3), keepdim=True)) / (
            h.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
        h = h.relu() if layer < 3 else (h + there).relu()
    assert np.allclose(block(x).detach().numpy(), h.numpy(), atol=1e-5)
