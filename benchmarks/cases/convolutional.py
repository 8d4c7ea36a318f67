"""Networks that classify pictures."""

from __future__ import annotations

from typing import Any

from .case import Program, Setting, case, cycle, learn, normal


def lenet5_network(torch: Any, setting: Setting) -> Any:
    """LeCun et al. 1998, with the max pooling of today."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def vgg_network(torch: Any, setting: Setting) -> Any:
    """Six 3x3 convolutions with BatchNorm, two at each size."""
    nn = torch.nn
    layers: list[Any] = []
    channels = 3
    for width in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def resnet18_network(torch: Any, setting: Setting) -> Any:
    """He et al. 2015, with the first layer for pictures of 32x32."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.shortcut = nn.Sequential()
            if stride != 1 or channels != width:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x):
            out = torch.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            return torch.relu(out + self.shortcut(x))

    base = setting.size(64, 4)
    layers = [nn.Conv2d(3, base, 3, padding=1, bias=False), nn.BatchNorm2d(base), nn.ReLU()]
    channels = base
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage and not block else 1
            layers.append(Block(channels, base << stage, stride))
            channels = base << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def mobile_network(torch: Any, setting: Setting) -> Any:
    """Depthwise separable convolutions: Howard et al. 2017."""
    nn = torch.nn

    def separable(channels, width, stride):
        return [
            nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU6(),
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()]
    for channels, width, stride in ((16, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2),
                                    (128, 128, 1)):
        layers += separable(channels, width, stride)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def _classifier(torch: Any, model: Any, optimizer: Any, size: int, shape: tuple[int, ...]
                ) -> Program:
    rows = cycle(torch, lambda r: normal(r, size, *shape), lambda r: r.integers(0, 10, size))
    criterion = torch.nn.CrossEntropyLoss()

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer, criterion(model(x), y))

    return Program([model], step)


@case("lenet5", "LeNet-5 on 28x28, batch 64, SGD with momentum", reference=4.0)
def lenet5(torch: Any, setting: Setting) -> Program:
    model = lenet5_network(torch, setting)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return _classifier(torch, model, optimizer, setting.size(64, 4), (1, 28, 28))


@case("vgg-bn", "Small VGG with BatchNorm on 32x32, batch 32, SGD with momentum", reference=25.0)
def vgg_bn(torch: Any, setting: Setting) -> Program:
    model = vgg_network(torch, setting)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    return _classifier(torch, model, optimizer, setting.size(32, 4), (3, 32, 32))


@case("resnet18", "ResNet-18 on 32x32, batch 8, SGD with momentum", reference=147.0)
def resnet18(torch: Any, setting: Setting) -> Program:
    model = resnet18_network(torch, setting)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    return _classifier(torch, model, optimizer, setting.size(8, 4), (3, 32, 32))


@case("mobilenet", "Depthwise separable convolutions on 32x32, batch 32, Adam")
def mobilenet(torch: Any, setting: Setting) -> Program:
    model = mobile_network(torch, setting)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return _classifier(torch, model, optimizer, setting.size(32, 4), (3, 32, 32))
