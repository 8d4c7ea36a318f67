"""Interpolation against PyTorch."""

import pytest
from against_torch import check, check_error, numbers

SPACE = {1: (5,), 2: (5, 6), 3: (3, 4, 5)}
MODES = [("nearest", axes) for axes in (1, 2, 3)] + [("nearest-exact", axes) for axes in (1, 2, 3)]
MODES += [("area", axes) for axes in (1, 2, 3)]
SMOOTH = [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)]


@pytest.mark.parametrize(("mode", "axes"), MODES)
@pytest.mark.parametrize("settings", [
    {"size": 3}, {"size": 7}, {"size": 13}, {"scale_factor": 2.0}, {"scale_factor": 0.6},
    {"scale_factor": 1.7}, {"scale_factor": 1.7, "recompute_scale_factor": True},
], ids=str)
def test_plain_modes(mode, axes, settings):
    check("interpolate", numbers(2, 3, *SPACE[axes]), mode=mode, **settings)


@pytest.mark.parametrize(("mode", "axes"), SMOOTH)
@pytest.mark.parametrize("align_corners", [None, True, False])
@pytest.mark.parametrize("settings", [
    {"size": 1}, {"size": 3}, {"size": 8}, {"scale_factor": 2.0}, {"scale_factor": 0.6},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
], ids=str)
def test_smooth_modes(mode, axes, align_corners, settings):
    check("interpolate", numbers(2, 3, *SPACE[axes]), mode=mode, align_corners=align_corners,
          **settings)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(3, 4), (2, 11), (9, 10)])
def test_antialias(mode, size):
    # PyTorch makes these weights in float32.
    check("interpolate", numbers(2, 3, 8, 9), size, mode=mode, antialias=True, order=1, rtol=1e-5)


def test_each_axis_its_own():
    check("interpolate", numbers(1, 2, 5, 6), size=(10, 3))
    check("interpolate", numbers(1, 2, 5, 6), scale_factor=(2.0, 0.5), mode="bilinear")


@pytest.mark.filterwarnings("ignore:.*is deprecated")
def test_old_names():
    check("upsample", numbers(1, 2, 5, 6), scale_factor=2)
    check("upsample_nearest", numbers(1, 2, 5, 6), 7)
    check("upsample_bilinear", numbers(1, 2, 5, 6), scale_factor=2)


@pytest.mark.parametrize(("shape", "settings", "expected"), [
    ((1, 2, 5), {}, ValueError), ((1, 2, 5), {"size": 3, "scale_factor": 2.0}, ValueError),
    ((1, 2, 5), {"size": (3, 3)}, ValueError),
    ((1, 2, 5), {"scale_factor": (2.0, 2.0)}, ValueError),
    ((1, 2, 5), {"size": 3, "align_corners": True}, ValueError),
    ((1, 2, 5), {"size": 3, "mode": "bilinear"}, NotImplementedError),
    ((2, 5), {"size": 3}, NotImplementedError),
    ((1, 2, 5), {"size": 3, "mode": "cubic"}, NotImplementedError),
    ((1, 2, 5), {"size": 3, "mode": "linear", "antialias": True}, ValueError),
    ((1, 2, 5), {"size": 0}, RuntimeError), ((1, 2, 5), {"scale_factor": 0.1}, RuntimeError),
    ((1, 2, 5, 5), {"size": (2.5, 2)}, TypeError),
])
def test_errors(shape, settings, expected):
    check_error("interpolate", numbers(*shape), expected=expected, **settings)
