"""How many parameters each network has, against the numbers of the papers and of torchvision."""

import pytest

from lampion import models

PUBLISHED = {
    "LeNet5": 61_706,
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet20": 269_722,
    "MobileNet": 4_231_976,  # torchvision has none; Keras's applications.MobileNet has as many
    "mobilenet_v2": 3_504_872,
}


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_number(name, nothing_is_computed):
    assert count(getattr(models, name)()) == PUBLISHED[name]


def test_unet(nothing_is_computed):
    """Counted layer by layer: two 3x3 convolutions, their scales and shifts, the 2x2 steps up."""
    def double(before, after):
        return 9 * before * after + 9 * after * after + 4 * after

    widths = [64, 128, 256, 512, 1024]
    expected = double(1, 64) + sum(double(w, 2 * w) for w in widths[:-1])
    expected += sum(4 * 2 * w * w + w + double(2 * w, w) for w in widths[:-1]) + 64 * 2 + 2
    assert count(models.UNet()) == expected == 31_036_546
