"""The architectures under the names and arguments of `torchvision.models`.

Layers have torchvision's names, so its published weights fit; but nothing is fetched: read a file
of weights with `model.load_state_dict(torch.load(path))`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lampion.errors import UnsupportedError
from lampion.models.alexnet import AlexNet
from lampion.models.mobilenetv2 import MobileNetV2
from lampion.models.resnet import BasicBlock, Bottleneck, ResNet
from lampion.models.vgg import VGG
from lampion.models.vision_transformer import VisionTransformer

__all__ = [
    "AlexNet", "MobileNetV2", "ResNet", "VGG", "VisionTransformer", "alexnet", "mobilenet_v2",
    "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "vgg11", "vgg11_bn", "vgg13",
    "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16",
]


def _builder(name: str, make: Callable[..., Any], *fixed: Any, **settings: Any,
             ) -> Callable[..., Any]:
    """Return `name(weights=None, progress=True, **kwargs)`, which makes a model."""
    def build(weights: Any = None, progress: bool = True, *, pretrained: Any = None,
              **kwargs: Any) -> Any:
        wanted = weights or pretrained
        if wanted:
            raise UnsupportedError(
                f"{name} with weights={wanted!r}",
                why="lampion fetches nothing; torchvision's files of weights fit, once they are "
                "on this machine",
                fix=f"model = {name}(); model.load_state_dict(torch.load('{name}.pth'))")
        kwargs.pop("init_weights", None)  # first values are always drawn
        return make(*fixed, **{**settings, **kwargs})

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""Return {name}.

    Args:
        weights: None; others are not fetched.
        progress: without effect.
        pretrained: the older name of weights; False.
        kwargs: settings of the class, such as num_classes.

    Raises:
        UnsupportedError: weights are asked for.
    """
    return build


resnet18 = _builder("resnet18", ResNet, BasicBlock, [2, 2, 2, 2])
resnet34 = _builder("resnet34", ResNet, BasicBlock, [3, 4, 6, 3])
resnet50 = _builder("resnet50", ResNet, Bottleneck, [3, 4, 6, 3])
resnet101 = _builder("resnet101", ResNet, Bottleneck, [3, 4, 23, 3])
resnet152 = _builder("resnet152", ResNet, Bottleneck, [3, 8, 36, 3])
alexnet = _builder("alexnet", AlexNet)
mobilenet_v2 = _builder("mobilenet_v2", MobileNetV2)
vgg11, vgg13, vgg16, vgg19 = (
    _builder(f"vgg{depth}", VGG, depth) for depth in (11, 13, 16, 19))
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (
    _builder(f"vgg{depth}_bn", VGG, depth, batch_norm=True) for depth in (11, 13, 16, 19))
vit_b_16 = _builder("vit_b_16", VisionTransformer, patch_size=16, image_size=224, num_layers=12,
                    num_heads=12, hidden_dim=768, mlp_dim=3072)
