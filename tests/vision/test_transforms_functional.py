"""Functions on pictures: what torchvision gives (where it is installed), Pillow and NumPy."""

import functools
import math

import numpy as np
import pytest

import lampion
from lampion.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from lampion.vision.transforms import InterpolationMode, autoaugment
from lampion.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")
RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (13, 18, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (9, 11), dtype=np.uint8)
FLOATS = RANDOM.uniform(0, 1, (2, 3, 12, 10)).astype(np.float32)


@functools.cache
def torchvision():
    pytest.importorskip("torchvision", reason="torchvision is not installed: no comparison")
    import torch
    import torchvision.transforms.functional as functional

    return torch, functional


def given(kind, library):
    """Return one picture for a library."""
    if kind == "pil":
        return Image.fromarray(COLOUR)
    if kind == "grey pil":
        return Image.fromarray(GREY)
    arrays = {"bytes": COLOUR.transpose(2, 0, 1), "floats": FLOATS, "grey": GREY[None]}
    return library.tensor(arrays[kind].tolist(), dtype=getattr(library, str(arrays[kind].dtype)))


def numbers(result):
    """Return the numbers of a picture, or of several."""
    if isinstance(result, tuple):
        return [numbers(entry) for entry in result]
    if hasattr(result, "getbands"):
        return np.asarray(result)
    return np.array(result.tolist()) if hasattr(result, "tolist") else result


def modes(library):
    functional = F if library is lampion else torchvision()[1]
    return functional.InterpolationMode


# Name -> what is called with (functional, picture, library), how far roundings may be apart, and
# how many pixels may be further apart (a place on the border between two pixels).
CALLS = {
    "hflip": lambda f, x, lib: f.hflip(x),
    "vflip": lambda f, x, lib: f.vflip(x),
    "resize down": lambda f, x, lib: f.resize(x, [5, 7]),
    "resize up": lambda f, x, lib: f.resize(x, [20, 25]),
    "resize short": lambda f, x, lib: f.resize(x, 6),
    "resize long": lambda f, x, lib: f.resize(x, 6, max_size=7),
    "resize bicubic": lambda f, x, lib: f.resize(x, [6, 21], modes(lib).BICUBIC),
    "resize nearest": lambda f, x, lib: f.resize(x, [6, 21], modes(lib).NEAREST),
    "resize without antialias": lambda f, x, lib: f.resize(x, [6, 7], antialias=False),
    "crop": lambda f, x, lib: f.crop(x, 2, 3, 4, 5),
    "crop outside": lambda f, x, lib: f.crop(x, -2, 3, 4, 30),
    "crop far outside": lambda f, x, lib: f.crop(x, 3, 6, 30, 30),
    "center_crop": lambda f, x, lib: f.center_crop(x, [4, 7]),
    "center_crop larger": lambda f, x, lib: f.center_crop(x, [25, 4]),
    "five_crop": lambda f, x, lib: f.five_crop(x, 5),
    "ten_crop": lambda f, x, lib: f.ten_crop(x, [4, 5], vertical_flip=True),
    "resized_crop": lambda f, x, lib: f.resized_crop(x, 1, 2, 6, 7, [4, 9]),
    "pad": lambda f, x, lib: f.pad(x, [1, 2, 3, 4], fill=1),
    "pad two": lambda f, x, lib: f.pad(x, (1, 2)),
    "pad less": lambda f, x, lib: f.pad(x, [-1, 2, -3, 0]),
    "pad edge": lambda f, x, lib: f.pad(x, [1, 2, 3, 4], padding_mode="edge"),
    "pad reflect": lambda f, x, lib: f.pad(x, 3, padding_mode="reflect"),
    "pad symmetric": lambda f, x, lib: f.pad(x, [2, 3], padding_mode="symmetric"),
    "rotate": lambda f, x, lib: f.rotate(x, 30),
    "rotate bilinear": lambda f, x, lib: f.rotate(x, -12.5, modes(lib).BILINEAR, fill=1),
    "rotate expand": lambda f, x, lib: f.rotate(x, 40.0, modes(lib).BILINEAR, expand=True),
    "rotate center": lambda f, x, lib: f.rotate(x, 20.0, center=[2, 3]),
    "affine": lambda f, x, lib: f.affine(x, 10, [2, -1], 1.3, [5.0, -3.0]),
    "affine bilinear": lambda f, x, lib: f.affine(
        x, -25.0, [0, 1], 0.8, [0.0, 4.0], modes(lib).BILINEAR, fill=[1.0], center=[1, 2]),
    "perspective": lambda f, x, lib: f.perspective(
        x, [[0, 0], [8, 0], [8, 8], [0, 8]], [[1, 1], [7, 0], [8, 7], [0, 8]], fill=0),
    "gaussian_blur": lambda f, x, lib: f.gaussian_blur(x, [5, 3], [1.1, 0.4]),
    "gaussian_blur default": lambda f, x, lib: f.gaussian_blur(x, 3),
    "brightness": lambda f, x, lib: f.adjust_brightness(x, 1.4),
    "contrast": lambda f, x, lib: f.adjust_contrast(x, 0.6),
    "saturation": lambda f, x, lib: f.adjust_saturation(x, 1.7),
    "hue": lambda f, x, lib: f.adjust_hue(x, 0.2),
    "hue back": lambda f, x, lib: f.adjust_hue(x, -0.4),
    "gamma": lambda f, x, lib: f.adjust_gamma(x, 0.7, 1.1),
    "sharpness": lambda f, x, lib: f.adjust_sharpness(x, 1.8),
    "grey": lambda f, x, lib: f.rgb_to_grayscale(x),
    "grey three": lambda f, x, lib: f.rgb_to_grayscale(x, 3),
    "invert": lambda f, x, lib: f.invert(x),
    "autocontrast": lambda f, x, lib: f.autocontrast(x),
    "solarize": lambda f, x, lib: f.solarize(x, 0.5),
}
BYTES_ONLY = {
    "posterize": lambda f, x, lib: f.posterize(x, 3),
    "equalize": lambda f, x, lib: f.equalize(x),
    "solarize bytes": lambda f, x, lib: f.solarize(x, 100),
}
CASES = [(kind, name, call)
         for kind in ("pil", "grey pil", "bytes", "floats", "grey")
         for name, call in {**CALLS, **({} if kind == "floats" else BYTES_ONLY)}.items()
         # torchvision leaves one channel of a tensor as it is, though three were asked for.
         if (kind, name) != ("grey", "grey three")]
# A new pixel from a place exactly between two old ones may be either.
UNDECIDED = ("rotate", "rotate center", "affine")


@pytest.mark.parametrize(("kind", "name", "call"), CASES,
                         ids=[f"{kind}: {name}" for kind, name, _ in CASES])
def test_as_torchvision(kind, name, call):
    torch, reference = torchvision()
    ours = numbers(call(F, given(kind, lampion), lampion))
    theirs = numbers(call(reference, given(kind, torch), torch))
    for one, other in zip(ours, theirs) if isinstance(ours, list) else [(ours, theirs)]:
        assert one.shape == other.shape and one.dtype == other.dtype
        apart = np.abs(one.astype(float) - other.astype(float))
        # Sums of another order: one step of a byte, or the last bits of a float.
        near = apart <= (2e-5 if kind == "floats" else 1)
        assert near.mean() > (0.97 if name in UNDECIDED else 0.9999), apart.max()
        if kind in ("pil", "grey pil") and "blur" not in name:
            assert not apart.any()
        if name not in UNDECIDED and kind != "floats":
            assert apart.mean() < 0.05


def test_resize_is_pillows_on_floats():
    """Pillow's own resampling of float images is another implementation of the same sums."""
    picture = FLOATS[0, 0]
    for mode, name in ((InterpolationMode.BILINEAR, "BILINEAR"), (InterpolationMode.BICUBIC,
                                                                  "BICUBIC")):
        for height, width in ((5, 4), (23, 7)):
            wanted = Image.fromarray(picture).resize((width, height), Image.Resampling[name])
            ours = F.resize(lampion.tensor(picture)[None], [height, width], mode)[0]
            assert np.allclose(ours.numpy(), np.asarray(wanted), atol=1e-5)


def test_turns_by_right_angles_move_whole_pixels():
    square = lampion.tensor(RANDOM.integers(0, 256, (3, 8, 8), dtype=np.uint8))
    for turns in range(4):
        turned = F.rotate(square, 90.0 * turns)
        assert np.array_equal(turned.numpy(), np.rot90(square.numpy(), turns, (1, 2)))


def test_the_matrix_of_affine_is_the_product_that_it_says():
    angle, move, scale, shear, center = 20.0, (3.0, -2.0), 1.4, (7.0, -11.0), (4.0, 5.0)
    matrix = F.geometry.inverse_affine_matrix(center, angle, move, scale, shear)

    def moved(x, y):
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)

    turn, sx, sy = (math.radians(value) for value in (angle, *shear))
    turning = np.array([[math.cos(turn), -math.sin(turn), 0],
                        [math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    shear_y = np.array([[1, 0, 0], [-math.tan(sy), 1, 0], [0, 0, 1]])
    shear_x = np.array([[1, -math.tan(sx), 0], [0, 1, 0], [0, 0, 1]])
    whole = (moved(*move) @ moved(*center) @ turning @ shear_y @ shear_x
             @ np.diag([scale, scale, 1]) @ moved(-center[0], -center[1]))
    assert np.allclose(np.array(matrix).reshape(2, 3), np.linalg.inv(whole)[:2])
    forward = F.geometry.inverse_affine_matrix(center, angle, move, scale, shear, inverted=False)
    assert np.allclose(np.array(forward).reshape(2, 3), whole[:2])


def test_hue_there_and_back():
    picture = lampion.tensor(FLOATS)
    back = F.adjust_hue(F.adjust_hue(picture, 0.3), -0.3)
    assert np.allclose(back.numpy(), FLOATS, atol=1e-5)
    assert np.allclose(F.adjust_hue(lampion.tensor([[[1.0]], [[0.0]], [[0.0]]]), 1 / 3).numpy(),
                       [[[0.0]], [[1.0]], [[0.0]]], atol=1e-6)  # red becomes green


def test_blur_is_a_weighted_mean_of_neighbours():
    one = np.zeros((1, 9, 9), np.float32)
    one[0, 4, 4] = 1
    blurred = F.gaussian_blur(lampion.tensor(one), [5, 3], [1.5, 0.5]).numpy()[0]
    across = np.exp(-0.5 * (np.arange(-2, 3) / 1.5) ** 2)
    down = np.exp(-0.5 * (np.arange(-1, 2) / 0.5) ** 2)
    wanted = np.outer(down / down.sum(), across / across.sum())
    assert np.allclose(blurred[3:6, 2:7], wanted, atol=1e-6) and np.isclose(blurred.sum(), 1)


@pytest.mark.parametrize("name", [
    "hflip", "resize down", "resize without antialias", "crop", "crop outside", "pad",
    "pad reflect", "pad symmetric", "rotate bilinear", "affine", "gaussian_blur", "brightness",
    "contrast", "saturation", "grey three", "resize bicubic", "resize nearest"])
def test_a_gradient_goes_through_and_the_values_are_the_same(name):
    plain = lampion.tensor(FLOATS)
    wanted = plain.clone().requires_grad_()
    recorded = CALLS[name](F, wanted, lampion)
    computed = CALLS[name](F, plain, lampion)
    assert not computed.requires_grad
    assert np.allclose(recorded.detach().numpy(), computed.numpy(), atol=1e-5)
    (recorded ** 2).sum().backward()
    gradient = wanted.grad.numpy()
    # Along a random direction, the gradient is the slope.
    direction = RANDOM.normal(size=FLOATS.shape).astype(np.float32)
    step = 1e-4

    def loss(shift):
        moved = lampion.tensor(FLOATS.astype(np.float64) + shift * direction)
        return float((CALLS[name](F, moved, lampion) ** 2).sum())

    slope = (loss(step) - loss(-step)) / (2 * step)
    assert np.isclose((gradient * direction).sum(), slope, rtol=0.02, atol=0.2)


def test_what_no_gradient_goes_through_says_so():
    with pytest.raises(UnsupportedError, match="detach"):
        F.adjust_hue(lampion.tensor(FLOATS).requires_grad_(), 0.1)


def test_results_do_not_share_memory_with_the_picture():
    picture = lampion.tensor(FLOATS)
    part = F.crop(picture, 0, 0, 12, 10)
    part += 1
    assert np.array_equal(picture.numpy(), FLOATS)


@pytest.mark.parametrize(("mode", "kind"), [
    ("RGB", "uint8"), ("L", "uint8"), ("RGBA", "uint8"), ("LA", "uint8"), ("CMYK", "uint8"),
    ("I", "int32"), ("F", "float32"), ("1", "uint8"), ("P", "uint8")])
def test_conversion_of_pillow_images(mode, kind):
    image = Image.fromarray(COLOUR).convert("L" if mode == "LA" else mode).convert(mode)
    tensor = F.pil_to_tensor(image)
    pixels = np.asarray(image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    assert str(tensor.dtype) == f"torch.{kind}" and np.array_equal(tensor.numpy(), pixels)
    scaled = F.to_tensor(image)
    if kind == "uint8":
        full = 1 if mode == "1" else 255
        assert np.allclose(scaled.numpy(), pixels.astype(np.float32) / full, atol=1e-7)
    else:
        assert np.array_equal(scaled.numpy(), pixels)
    if mode not in ("1", "P"):
        back = F.to_pil_image(tensor, mode)
        assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(image))


def test_there_and_back():
    image = Image.fromarray(COLOUR)
    assert np.array_equal(np.asarray(F.to_pil_image(F.to_tensor(image))), COLOUR)
    assert np.array_equal(np.asarray(F.to_pil_image(COLOUR)), COLOUR)
    assert np.array_equal(np.asarray(F.to_pil_image(F.to_tensor(GREY))), GREY)


def test_to_tensor_of_arrays():
    assert np.array_equal(F.to_tensor(COLOUR).numpy(),
                          COLOUR.transpose(2, 0, 1).astype(np.float32) / 255)
    assert F.to_tensor(FLOATS[0, 0].astype(np.float64)).dtype == lampion.float64


@pytest.mark.parametrize(("old", "new", "pairs"), [
    ("uint8", "float32", [(0, 0.0), (51, 0.2), (255, 1.0)]),
    ("float32", "uint8", [(0.0, 0), (0.5, 127), (1.0, 255)]),
    ("uint8", "int16", [(0, 0), (255, 255 * 128)]),
    ("int16", "uint8", [(32767, 255), (127, 0), (128, 1)]),
    ("float32", "float64", [(0.5, 0.5)]),
    ("int64", "uint8", [(2**63 - 1, 255)]),
])
def test_convert_image_dtype(old, new, pairs):
    picture = lampion.tensor([before for before, _ in pairs], dtype=getattr(lampion, old))
    result = F.convert_image_dtype(picture, getattr(lampion, new))
    assert result.dtype == getattr(lampion, new)
    assert np.allclose(result.numpy().astype(float), [after for _, after in pairs])


def test_normalize():
    picture = lampion.tensor(FLOATS)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    wanted = (FLOATS - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert np.allclose(F.normalize(picture, mean, std).numpy(), wanted, atol=1e-6)
    needs = lampion.tensor(FLOATS).requires_grad_()
    F.normalize(needs, mean, std).sum().backward()
    assert np.allclose(needs.grad.numpy(), np.broadcast_to(
        1 / np.reshape(std, (3, 1, 1)), FLOATS.shape))
    assert F.normalize(picture, mean, std, inplace=True) is picture
    assert np.allclose(picture.numpy(), wanted, atol=1e-6)


def test_erase():
    picture = lampion.tensor(FLOATS)
    erased = F.erase(picture, 1, 2, 3, 4, lampion.tensor([7.0, 8.0, 9.0])[:, None, None])
    assert erased.numpy()[1, :, 1:4, 2:6].reshape(3, -1).T.tolist() == [[7, 8, 9]] * 12
    assert np.array_equal(picture.numpy(), FLOATS)


def test_operations_of_the_policies_are_torchvisions():
    torch, reference = torchvision()
    from torchvision.transforms import autoaugment as published

    for name, strength in (("ShearX", 0.2), ("ShearY", -0.3), ("TranslateX", 4.0),
                           ("TranslateY", -3.0), ("Rotate", 15.0), ("Color", 0.5),
                           ("Posterize", 4.0), ("Solarize", 90.0), ("Identity", 0.0)):
        image = Image.fromarray(COLOUR)
        theirs = published._apply_op(image, name, strength, reference.InterpolationMode.NEAREST,
                                       None)
        ours = autoaugment.apply(image, name, strength, InterpolationMode.NEAREST, None)
        assert np.array_equal(np.asarray(ours), np.asarray(theirs)), name
    for kind in published.AutoAugmentPolicy:
        theirs = published.AutoAugment(kind).policies
        assert autoaugment.policy(kind.value) == [list(pair) for pair in theirs]
    space = published.RandAugment()._augmentation_space(31, (20, 30))
    ours = autoaugment._strengths(31, 0.3, 150 / 331 * 30, 150 / 331 * 20, 30.0, 0.9, 4)
    for name, levels in ours.items():
        if levels is not None:
            assert np.allclose(levels, space[name][0].tolist()), name


@pytest.mark.parametrize(("call", "error", "hint"), [
    (lambda: F.to_tensor(lampion.ones(3)), TypeError, "leave ToTensor out"),
    (lambda: F.to_tensor(np.zeros(3)), ValueError, "2/3 dimensional"),
    (lambda: F.hflip(np.zeros((3, 3))), TypeError, "ToTensor"),
    (lambda: F.hflip("a.png"), TypeError, "PIL.Image.open"),
    (lambda: F.hflip(lampion.ones(3)), TypeError, "axes"),
    (lambda: F.normalize(lampion.ones(3, 2, 2, dtype=lampion.uint8), [0.5], [0.5]), TypeError,
     "convert_image_dtype"),
    (lambda: F.normalize(lampion.ones(2, 2), [0.5], [0.5]), ValueError, "size"),
    (lambda: F.normalize(lampion.ones(3, 2, 2), [0.5], [0.0]), ValueError, "division by zero"),
    (lambda: F.normalize(lampion.ones(3, 2, 2), [0.5, 0.5], [0.5]), ValueError, "channels"),
    (lambda: F.resize(lampion.ones(3, 4, 4), [1, 2, 3]), ValueError, "1 or 2"),
    (lambda: F.resize(lampion.ones(3, 4, 4), 3, InterpolationMode.LANCZOS), ValueError, "lanczos"),
    (lambda: F.resize(lampion.ones(3, 4, 4), 3, max_size=3), ValueError, "strictly greater"),
    (lambda: F.resize(lampion.ones(3, 4, 4), 0), ValueError, "at least one pixel"),
    (lambda: F.resize(lampion.ones(3, 4, 4), 3, "bilinear"), TypeError, "InterpolationMode"),
    (lambda: F.pad(lampion.ones(3, 4, 4), (1, 2, 3)), ValueError, "1, 2, or 4"),
    (lambda: F.pad(lampion.ones(3, 4, 4), 5, padding_mode="reflect"), ValueError, "mirror"),
    (lambda: F.pad(lampion.ones(3, 4, 4), 1, padding_mode="wrap"), ValueError, "constant"),
    (lambda: F.five_crop(lampion.ones(3, 4, 4), 9), ValueError, "bigger"),
    (lambda: F.adjust_hue(lampion.ones(3, 4, 4), 0.7), ValueError, "0.5"),
    (lambda: F.adjust_contrast(lampion.ones(2, 4, 4), 0.7), TypeError, "channel"),
    (lambda: F.adjust_brightness(lampion.ones(3, 4, 4), -1), ValueError, "non-negative"),
    (lambda: F.gaussian_blur(lampion.ones(3, 4, 4), 4), ValueError, "odd"),
    (lambda: F.gaussian_blur(lampion.ones(3, 4, 4), 9), ValueError, "fit"),
    (lambda: F.posterize(lampion.ones(3, 4, 4), 4), TypeError, "uint8"),
    (lambda: F.convert_image_dtype(lampion.ones(3), lampion.int32), RuntimeError, "safely"),
    (lambda: F.to_pil_image(lampion.ones(5, 2, 2)), ValueError, "channels"),
    (lambda: F.to_pil_image(lampion.ones(1, 3, 2, 2)), ValueError, "dimensional"),
    (lambda: F.affine(lampion.ones(3, 4, 4), 0, [0, 0], 0, 0), ValueError, "positive"),
    (lambda: F.rotate(lampion.ones(3, 4, 4), 3, fill=[1, 2]), ValueError, "fill"),
])
def test_errors_teach(call, error, hint):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, (ArgumentError, ArgumentTypeError, RuntimeError))
    assert hint in str(caught.value)
