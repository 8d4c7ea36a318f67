"""The architectures under the names and arguments of `torchvision.models`.

Layers have torchvision's names, so its published weights fit. They are not fetched, but read from
the folder where PyTorch keeps them (`weights.checkpoints`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lampion.models.alexnet import AlexNet
from lampion.models.as_torchvision.weights import WeightsEnum, enumeration
from lampion.models.mobilenetv2 import MobileNetV2
from lampion.models.resnet import BasicBlock, Bottleneck, ResNet
from lampion.models.vgg import VGG
from lampion.models.vision_transformer import VisionTransformer

AlexNet_Weights = enumeration("AlexNet")
MobileNet_V2_Weights = enumeration("MobileNet_V2")
ResNet18_Weights, ResNet34_Weights = enumeration("ResNet18"), enumeration("ResNet34")
ResNet50_Weights, ResNet101_Weights = enumeration("ResNet50"), enumeration("ResNet101")
ResNet152_Weights = enumeration("ResNet152")
VGG11_Weights, VGG11_BN_Weights = enumeration("VGG11"), enumeration("VGG11_BN")
VGG13_Weights, VGG13_BN_Weights = enumeration("VGG13"), enumeration("VGG13_BN")
VGG16_Weights, VGG16_BN_Weights = enumeration("VGG16"), enumeration("VGG16_BN")
VGG19_Weights, VGG19_BN_Weights = enumeration("VGG19"), enumeration("VGG19_BN")
ViT_B_16_Weights = enumeration("ViT_B_16")

__all__ = [
    "AlexNet", "AlexNet_Weights", "MobileNetV2", "MobileNet_V2_Weights", "ResNet",
    "ResNet101_Weights", "ResNet152_Weights", "ResNet18_Weights", "ResNet34_Weights",
    "ResNet50_Weights", "VGG", "VGG11_BN_Weights", "VGG11_Weights", "VGG13_BN_Weights",
    "VGG13_Weights", "VGG16_BN_Weights", "VGG16_Weights", "VGG19_BN_Weights", "VGG19_Weights",
    "ViT_B_16_Weights", "VisionTransformer", "alexnet", "mobilenet_v2", "resnet101", "resnet152",
    "resnet18", "resnet34", "resnet50", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
    "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16",
]


def _builder(name: str, files: type[WeightsEnum], make: Callable[..., Any], *fixed: Any,
             **settings: Any) -> Callable[..., Any]:
    """Return `name(weights=None, progress=True, **kwargs)`, which makes a model."""
    def build(weights: Any = None, progress: bool = True, *, pretrained: Any = None,
              **kwargs: Any) -> Any:
        wanted = files.verify(pretrained if weights is None else weights)
        state = None if wanted is None else wanted.get_state_dict()
        kwargs.pop("init_weights", None)  # first values are always drawn
        model = make(*fixed, **{**settings, **kwargs})
        if state is not None:
            model.load_state_dict(state)
        return model

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"""Return {name}.

    Args:
        weights: of {files.__name__}, or "DEFAULT"; None for random ones. The file must be on this
            machine.
        progress: without effect.
        pretrained: the older name of weights, True or False.
        kwargs: settings of the class, such as num_classes.

    Raises:
        FileFormatError: the file of the weights is not there, or is another one.
    """
    return build


resnet18 = _builder("resnet18", ResNet18_Weights, ResNet, BasicBlock, [2, 2, 2, 2])
resnet34 = _builder("resnet34", ResNet34_Weights, ResNet, BasicBlock, [3, 4, 6, 3])
resnet50 = _builder("resnet50", ResNet50_Weights, ResNet, Bottleneck, [3, 4, 6, 3])
resnet101 = _builder("resnet101", ResNet101_Weights, ResNet, Bottleneck, [3, 4, 23, 3])
resnet152 = _builder("resnet152", ResNet152_Weights, ResNet, Bottleneck, [3, 8, 36, 3])
alexnet = _builder("alexnet", AlexNet_Weights, AlexNet)
mobilenet_v2 = _builder("mobilenet_v2", MobileNet_V2_Weights, MobileNetV2)
vgg11 = _builder("vgg11", VGG11_Weights, VGG, 11)
vgg13 = _builder("vgg13", VGG13_Weights, VGG, 13)
vgg16 = _builder("vgg16", VGG16_Weights, VGG, 16)
vgg19 = _builder("vgg19", VGG19_Weights, VGG, 19)
vgg11_bn = _builder("vgg11_bn", VGG11_BN_Weights, VGG, 11, batch_norm=True)
vgg13_bn = _builder("vgg13_bn", VGG13_BN_Weights, VGG, 13, batch_norm=True)
vgg16_bn = _builder("vgg16_bn", VGG16_BN_Weights, VGG, 16, batch_norm=True)
vgg19_bn = _builder("vgg19_bn", VGG19_BN_Weights, VGG, 19, batch_norm=True)
vit_b_16 = _builder("vit_b_16", ViT_B_16_Weights, VisionTransformer, patch_size=16,
                    image_size=224, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072)
