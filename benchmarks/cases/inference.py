"""Predictions of trained networks, at batch 1 and at batch 64.

The whole prediction is read, so that nothing of it can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .case import Program, Setting, case, cycle, normal
from .convolutional import lenet5_network, resnet18_network, vgg_network
from .dense import mnist_network
from .transformers import WORDS, gpt_network


def _predict(network: Callable[[Any, Setting], Any], make: Callable[..., Any], batch: int
             ) -> Callable[[Any, Setting], Program]:
    def build(torch: Any, setting: Setting) -> Program:
        model = network(torch, setting).eval()
        size = min(batch, setting.size(batch, 3))
        rows = cycle(torch, lambda r: make(r, size, setting))

        def step() -> float:
            (x,) = next(rows)
            with torch.no_grad():
                prediction = model(x)
            return float(prediction.numpy().reshape(-1)[0])

        return Program([model], step)

    return build


def _pictures(channels: int, side: int) -> Callable[..., Any]:
    return lambda r, size, setting: normal(r, size, channels, side, side)


def _tokens(r: Any, size: int, setting: Setting) -> Any:
    return r.integers(0, WORDS, (size, setting.size(64, 8)))


NETWORKS = (
    ("mlp", "MLP 784-256-10", mnist_network, _pictures(1, 28)),
    ("lenet5", "LeNet-5", lenet5_network, _pictures(1, 28)),
    ("vgg-bn", "Small VGG with BatchNorm", vgg_network, _pictures(3, 32)),
    ("resnet18", "ResNet-18 on 32x32", resnet18_network, _pictures(3, 32)),
    ("gpt", "GPT of 4 layers, block 64", gpt_network, _tokens),
)
REFERENCES = {("mlp", 1): 0.026}

for _name, _text, _network, _make in NETWORKS:
    for _batch in (1, 64):
        case(f"predict-{_name}-{_batch}", f"{_text}, batch {_batch}", False,
             REFERENCES.get((_name, _batch)))(_predict(_network, _make, _batch))
