"""Convolutions and patches against PyTorch."""

import pytest
from against_torch import check, check_error, numbers

SPACE = {1: (9,), 2: (7, 8), 3: (4, 5, 6)}
KERNEL = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}
SETTINGS = [
    {}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2},
    {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, {"padding": "same"},
    {"padding": "valid"}, {"padding": "same", "dilation": 3},
]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_convolution(axes, settings):
    if axes == 3 and settings.get("dilation", 1) > 1:
        settings = {**settings, "padding": "same", "stride": 1}
    groups = settings.get("groups", 1)
    check(f"conv{axes}d", numbers(2, 4, *SPACE[axes]),
          numbers(6, 4 // groups, *KERNEL[axes], seed=1), numbers(6, seed=2), **settings)


def test_settings_for_each_axis():
    check("conv2d", numbers(2, 3, 7, 8), numbers(4, 3, 3, 2, seed=1), stride=(2, 1),
          padding=[1, 0], dilation=(1, 2))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_without_samples(axes):
    check(f"conv{axes}d", numbers(4, *SPACE[axes]), numbers(6, 4, *KERNEL[axes], seed=1), order=1)
    check(f"conv_transpose{axes}d", numbers(4, *SPACE[axes]),
          numbers(4, 2, *KERNEL[axes], seed=1), numbers(2, seed=2), order=1)


def test_depthwise_and_pointwise():
    check("conv2d", numbers(2, 4, 5, 5), numbers(8, 1, 3, 3, seed=1), groups=4, padding=1)
    check("conv2d", numbers(2, 4, 5, 5), numbers(3, 4, 1, 1, seed=1))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", [
    {}, {"stride": 2}, {"padding": 1}, {"stride": 3, "output_padding": 2},
    {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2},
], ids=str)
def test_transposed_convolution(axes, settings):
    small = {1: (5,), 2: (3, 4), 3: (2, 3, 2)}[axes]
    check(f"conv_transpose{axes}d", numbers(2, 4, *small), numbers(4, 3, *KERNEL[axes], seed=1),
          numbers(3 * settings.get("groups", 1), seed=2), **settings)


@pytest.mark.parametrize(("arguments", "settings", "mention"), [
    ((numbers(2, 3, 5, 5), numbers(4, 2, 3, 3)), {}, "but got 3 channels"),
    ((numbers(2, 5, 5, 3), numbers(4, 3, 3, 3)), {}, "input.permute(0, 3, 1, 2)"),
    ((numbers(5, 5), numbers(4, 1, 3, 3)), {}, "unsqueeze"),
    ((numbers(2, 3, 2, 2), numbers(4, 3, 3, 3)), {}, "Kernel size can't be greater"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3)), {}, "4 axes"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3), numbers(3)), {}, "4 output channels"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3, dtype="float32")), {}, "float32"),
    ((numbers(2, 4, 5, 5), numbers(3, 2, 3, 3)), {"groups": 2}, "divide"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)), {"stride": 0}, "stride must be 1 or more"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)), {"padding": -1}, "negative padding"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)), {"padding": "same", "stride": 2}, "strided"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)), {"padding": "full"}, "'same'"),
    ((numbers(2, 3, 5, 5), numbers(4, 3, 3, 3)), {"stride": (1, 1, 1)}, "2 spatial axes"),
])
def test_convolution_errors(arguments, settings, mention):
    check_error("conv2d", *arguments, expected=RuntimeError, mention=mention, **settings)


def test_convolution_settings_are_whole_numbers():
    check_error("conv2d", numbers(2, 3, 5, 5), numbers(4, 3, 3, 3), stride=1.5,
                expected=TypeError, mention="whole")


@pytest.mark.parametrize(("arguments", "settings"), [
    ((numbers(2, 3, 4, 4), numbers(4, 3, 3, 3)), {}),
    ((numbers(2, 4, 4, 4), numbers(4, 3, 3, 3)), {"output_padding": 1}),
    ((numbers(2, 4, 4, 4), numbers(4, 3, 3, 3), numbers(4)), {}),
    ((numbers(2, 4, 1, 1), numbers(4, 3, 3, 3)), {"padding": 2}),
])
def test_transposed_convolution_errors(arguments, settings):
    check_error("conv_transpose2d", *arguments, expected=RuntimeError, **settings)


PATCHES = [
    {"kernel_size": 2}, {"kernel_size": (3, 2), "stride": (2, 1)},
    {"kernel_size": 3, "padding": 1, "dilation": (1, 2)},
    {"kernel_size": 2, "padding": (0, 1), "stride": 3, "dilation": 2},
]


@pytest.mark.parametrize("settings", PATCHES, ids=str)
@pytest.mark.parametrize("leading", [(2, 3), (3,)])
def test_unfold(settings, leading):
    check("unfold", numbers(*leading, 6, 7), **settings)


@pytest.mark.parametrize(("settings", "windows"), list(zip(PATCHES, (30, 12, 30, 6), strict=True)),
                         ids=str)
@pytest.mark.parametrize("leading", [(2,), ()])
def test_fold(settings, windows, leading):
    size = settings["kernel_size"]
    area = size * size if isinstance(size, int) else size[0] * size[1]
    check("fold", numbers(*leading, 3 * area, windows), (6, 7), **settings)


def test_patch_errors():
    check_error("unfold", numbers(6, 7), 2, expected=RuntimeError, reference=False)
    check_error("unfold", numbers(1, 2, 2, 2), 3, expected=RuntimeError)
    check_error("fold", numbers(1, 11, 30), (6, 7), 2, expected=RuntimeError)
    check_error("fold", numbers(1, 12, 29), (6, 7), 2, expected=RuntimeError, mention="5x6")


@pytest.mark.parametrize("settings", [
    {"stride": (3, 2), "output_padding": (2, 3), "dilation": (4, 4), "groups": 2},
    {"stride": 2, "padding": 1, "output_padding": 2, "dilation": 3},
])
def test_output_padding_with_room_for_another_window(settings):
    """The gradient's convolution then has positions that the input has not."""
    channels = 4 // settings.get("groups", 1)
    check("conv_transpose2d", numbers(2, 4, 4, 3), numbers(4, channels, 4, 5), **settings)
