"""Transforms as classes: their arguments, their chance, and what they hand to the functions."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import lampion
from lampion import nn
from lampion.vision import chance
from lampion.vision import transforms as T
from lampion.vision.transforms import functional as F
from lampion.vision.transforms import v2

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (3, 24, 28), dtype=np.uint8)


def picture():
    return lampion.tensor(PICTURE)


def same(one, other):
    return np.array_equal(one.numpy(), other.numpy())


RANDOM_ONES = {
    "RandomCrop": lambda t: t.RandomCrop((5, 6), padding=2),
    "RandomHorizontalFlip": lambda t: t.RandomHorizontalFlip(),
    "RandomVerticalFlip": lambda t: t.RandomVerticalFlip(0.4),
    "RandomResizedCrop": lambda t: t.RandomResizedCrop(7),
    "RandomRotation": lambda t: t.RandomRotation(30),
    "RandomAffine": lambda t: t.RandomAffine(20, (0.2, 0.1), (0.7, 1.2), (1, 9, -4, 4)),
    "RandomPerspective": lambda t: t.RandomPerspective(p=0.7),
    "RandomErasing": lambda t: t.RandomErasing(0.6, value="random"),
    "ColorJitter": lambda t: t.ColorJitter(0.4, 0.3, 0.2, 0.1),
    "RandomGrayscale": lambda t: t.RandomGrayscale(0.5),
    "GaussianBlur": lambda t: t.GaussianBlur(3),
    "ElasticTransform": lambda t: t.ElasticTransform(9.0, 0.5),
    "RandomInvert": lambda t: t.RandomInvert(),
    "RandomPosterize": lambda t: t.RandomPosterize(2),
    "RandomSolarize": lambda t: t.RandomSolarize(100),
    "RandomAdjustSharpness": lambda t: t.RandomAdjustSharpness(2),
    "RandomAutocontrast": lambda t: t.RandomAutocontrast(),
    "RandomEqualize": lambda t: t.RandomEqualize(),
    "AutoAugment": lambda t: t.AutoAugment(t.AutoAugmentPolicy.CIFAR10),
    "RandAugment": lambda t: t.RandAugment(),
    "AugMix": lambda t: t.AugMix(),
    "TrivialAugmentWide": lambda t: t.TrivialAugmentWide(),
    "RandomApply": lambda t: t.RandomApply([t.RandomInvert(1.0), t.RandomVerticalFlip(0.5)]),
    "RandomChoice": lambda t: t.RandomChoice([t.RandomInvert(1.0), t.Grayscale(3)], [0.3, 0.7]),
    "RandomOrder": lambda t: t.RandomOrder([t.RandomInvert(), t.RandomVerticalFlip()]),
}
DRAWS = 8


@pytest.mark.parametrize("name", RANDOM_ONES)
@pytest.mark.parametrize("kind", [T, v2], ids=["v1", "v2"])
def test_chance_follows_the_seed(kind, name):
    transform = RANDOM_ONES[name](kind)

    def drawn(seed):
        lampion.manual_seed(seed)
        return [transform(picture()) for _ in range(DRAWS)]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(same(a, b) for a, b in zip(first, again))
    assert any(a.shape != b.shape or not same(a, b) for a, b in zip(first, other))
    assert {entry.dtype for entry in first} == {lampion.uint8}
    assert repr(transform).startswith(name)
    again = pickle.loads(pickle.dumps(copy.deepcopy(transform)))
    lampion.manual_seed(1)
    assert same(again(picture()), first[0])


@pytest.mark.parametrize("name", [name for name in RANDOM_ONES if name != "RandomErasing"])
def test_pillow_images_are_taken_too(name):
    image = pytest.importorskip("PIL.Image").fromarray(PICTURE.transpose(1, 2, 0))
    lampion.manual_seed(3)
    result = RANDOM_ONES[name](T)(image)
    lampion.manual_seed(3)
    tensor = RANDOM_ONES[name](T)(picture())
    assert result.size == (tensor.shape[-1], tensor.shape[-2])


def test_arguments_are_torchvisions():
    reference = pytest.importorskip("torchvision.transforms")
    for name in T.__all__:
        theirs = getattr(reference, name)
        if not inspect.isclass(theirs) or name in ("InterpolationMode", "AutoAugmentPolicy"):
            continue
        ours = inspect.signature(getattr(T, name)).parameters
        wanted = inspect.signature(theirs).parameters
        assert list(ours) == list(wanted), name
        for argument, parameter in wanted.items():
            default = parameter.default
            if default is not inspect.Parameter.empty:
                mine = ours[argument].default
                assert getattr(mine, "value", mine) == getattr(default, "value", default), name
    for name in F.__all__:
        if name == "InterpolationMode":
            continue
        ours = inspect.signature(getattr(F, name)).parameters
        wanted = inspect.signature(getattr(reference.functional, name)).parameters
        assert list(ours) == list(wanted), name
    pytest.importorskip("torchvision.transforms.v2")
    for name in v2.__all__:
        assert hasattr(reference.v2, name), name
    for name in v2.functional.__all__:
        assert hasattr(reference.v2.functional, name) or name == "InterpolationMode", name


def test_the_same_pipeline_as_torchvision():
    """Without chance, a whole pipeline gives torchvision's numbers."""
    reference = pytest.importorskip("torchvision.transforms")
    image = pytest.importorskip("PIL.Image").fromarray(PICTURE.transpose(1, 2, 0))

    def prepared(t):
        return t.Compose([t.Resize(10), t.CenterCrop(9), t.Pad(2, 3, "edge"), t.ToTensor(),
                          t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])(image)

    assert np.allclose(prepared(T).numpy(), prepared(reference).numpy(), atol=1e-6)


def test_parameters_stay_in_their_ranges():
    lampion.manual_seed(0)
    image = lampion.zeros(3, 20, 30)
    for _ in range(30):
        top, left, height, width = T.RandomResizedCrop.get_params(image, (0.2, 0.5), (0.8, 1.2))
        assert 0 <= top <= 20 - height and 0 <= left <= 30 - width
        assert 0.15 < height * width / 600 < 0.6 and 0.7 < width / height < 1.35
        top, left, height, width = T.RandomCrop.get_params(image, (7, 8))
        assert (height, width) == (7, 8) and 0 <= top <= 13 and 0 <= left <= 22
        angle, move, scale, shear = T.RandomAffine.get_params(
            (-10, 20), (0.1, 0.2), (0.5, 2.0), (1, 2, 3, 4), (30, 20))
        assert -10 <= angle <= 20 and abs(move[0]) <= 3 and abs(move[1]) <= 4
        assert 0.5 <= scale <= 2 and 1 <= shear[0] <= 2 and 3 <= shear[1] <= 4
        order, *factors = T.ColorJitter.get_params((0.5, 1.5), None, (0.0, 1.0), (-0.1, 0.1))
        assert sorted(order) == [0, 1, 2, 3] and factors[1] is None
        assert 0.5 <= factors[0] <= 1.5 and 0 <= factors[2] <= 1 and -0.1 <= factors[3] <= 0.1
        top, left, height, width, value = T.RandomErasing.get_params(
            image, (0.02, 0.3), (0.3, 3.3), [1.0])
        assert 0 < height < 20 and 0 < width < 30 and value.flatten().tolist() == [1.0]


def test_probabilities():
    one = lampion.tensor([[[0, 1]]], dtype=lampion.uint8)
    lampion.manual_seed(0)
    for probability in (0.0, 0.3, 1.0):
        flip = T.RandomHorizontalFlip(probability)
        turned = sum(int(flip(one)[0, 0, 0]) for _ in range(300))
        assert abs(turned / 300 - probability) < 0.1 * (0 < probability < 1) + 1e-9
        keep = T.RandomApply([T.RandomHorizontalFlip(1.0)], probability)
        turned = sum(int(keep(one)[0, 0, 0]) for _ in range(300))
        assert abs(turned / 300 - probability) < 0.1 * (0 < probability < 1) + 1e-9


def test_crops_to_stack():
    crops = T.Compose([T.FiveCrop(4), T.Lambda(lampion.stack)])(picture())
    assert crops.shape == (5, 3, 4, 4)
    assert np.array_equal(crops[3].numpy(), PICTURE[:, 20:, 24:])
    assert len(T.TenCrop(4)(picture())) == 10


def test_whitening():
    matrix, mean = RANDOM.normal(size=(12, 12)), RANDOM.normal(size=12)
    images = RANDOM.normal(size=(2, 3, 2, 2))
    done = T.LinearTransformation(lampion.tensor(matrix), lampion.tensor(mean))(
        lampion.tensor(images))
    assert np.allclose(done.numpy(), ((images.reshape(2, 12) - mean) @ matrix).reshape(2, 3, 2, 2))


def test_transforms_are_modules():
    network = nn.Sequential(T.Resize(8), T.ConvertImageDtype(lampion.float32), T.Normalize(0, 2))
    assert network(picture()).shape == (3, 8, 9)
    assert len(network.state_dict()) == 0


def test_v2_takes_whole_samples():
    lampion.manual_seed(0)
    prepare = v2.Compose([v2.Resize((4, 4)), v2.ToDtype(lampion.float32, scale=True),
                          v2.RandomApply([v2.RandomHorizontalFlip(1.0)], p=1.0)])
    label = lampion.tensor(3)
    image, (kept, name) = prepare(picture(), (label, "a"))
    assert image.dtype == lampion.float32 and kept is label and name == "a"
    sample = prepare({"image": picture(), "label": 7})
    assert sample["label"] == 7 and same(sample["image"], image)
    assert same(image, F.convert_image_dtype(F.hflip(F.resize(picture(), [4, 4])),
                                             lampion.float32))
    assert v2.ToImage()(np.zeros((2, 3), np.uint8)).shape == (1, 2, 3)
    noisy = v2.GaussianNoise(sigma=0.5)(lampion.full((1, 30, 30), 0.5))
    assert 0 <= noisy.min().item() and noisy.max().item() <= 1
    assert 0.25 < noisy.std().item() < 0.45  # less than 0.5, for it is clipped


def test_mixup():
    lampion.manual_seed(0)
    images = lampion.tensor(RANDOM.normal(size=(4, 3, 5, 6)))
    labels = lampion.tensor([0, 1, 2, 1])
    mixed, shares = v2.MixUp(alpha=0.8, num_classes=3)(images, labels)
    share = 1 - shares[0, 1].item()  # the last one's label, 1, is mixed into the first's, 0
    wanted = share * images.numpy() + (1 - share) * np.roll(images.numpy(), 1, 0)
    assert 0 < share < 1 and np.allclose(mixed.numpy(), wanted, atol=1e-6)
    assert np.allclose(shares.sum(1).numpy(), 1) and np.isclose(shares[2, 2].item(), share)
    assert v2.MixUp(num_classes=3)([images, labels])[1].shape == (4, 3)
    with pytest.raises(ValueError, match="num_classes"):
        v2.MixUp()(images, labels)
    with pytest.raises(ValueError, match="batch"):
        v2.MixUp(num_classes=3)(images[0], labels)


def test_cutmix():
    lampion.manual_seed(0)
    numbers = np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1, 1)
    images = lampion.tensor(np.broadcast_to(numbers, (4, 1, 8, 10)).copy())
    seen = set()
    for _ in range(20):
        mixed, shares = v2.CutMix(num_classes=4)(images, lampion.tensor([0, 1, 2, 3]))
        kept = (mixed == images).float().mean((1, 2, 3)).tolist()
        assert np.allclose(kept, shares.diagonal().tolist(), atol=1e-6)
        pasted = np.where(mixed.numpy() == images.numpy(), np.roll(numbers, 1, 0), mixed.numpy())
        assert np.array_equal(pasted, np.broadcast_to(np.roll(numbers, 1, 0), pasted.shape))
        seen.add(round(kept[0], 2))
    assert len(seen) > 5


def test_augmix_is_a_mean_of_pictures():
    lampion.manual_seed(0)
    flat = lampion.full((2, 3, 12, 12), 80, dtype=lampion.uint8)
    mixed = T.AugMix(all_ops=False, severity=1)(flat)
    assert mixed.dtype == lampion.uint8 and mixed.shape == flat.shape
    # Weights add up to 1: the mean of pictures of one colour, operations at their weakest.
    assert abs(mixed.float().mean().item() - 80) < 30


@pytest.mark.parametrize(("call", "error", "hint"), [
    (lambda: T.RandomCrop(25)(picture()), ValueError, "pad_if_needed"),
    (lambda: T.CenterCrop((1, 2, 3)), ValueError, "two dimensions"),
    (lambda: T.ColorJitter(brightness=-1), ValueError, "non negative"),
    (lambda: T.ColorJitter(hue=0.7), ValueError, "between"),
    (lambda: T.RandomRotation(-3), ValueError, "positive"),
    (lambda: T.RandomRotation((1, 2, 3)), ValueError, "length 2"),
    (lambda: T.RandomAffine(3, translate=(2, 0)), ValueError, "between 0 and 1"),
    (lambda: T.RandomAffine(3, scale=(0, 1)), ValueError, "positive"),
    (lambda: T.RandomErasing(2), ValueError, "between 0 and 1"),
    (lambda: T.RandomErasing(value="noise"), ValueError, "random"),
    (lambda: T.RandomErasing(1.0, value=(1, 2))(lampion.ones(3, 9, 9)), ValueError, "channels"),
    (lambda: T.GaussianBlur(2), ValueError, "odd"),
    (lambda: T.GaussianBlur(3, sigma=(2, 1)), ValueError, "min, max"),
    (lambda: T.Pad(1, padding_mode="wrap"), ValueError, "constant"),
    (lambda: T.Pad((1, 2, 3)), ValueError, "4 element"),
    (lambda: T.Resize("big"), TypeError, "int or sequence"),
    (lambda: T.Lambda(3), TypeError, "callable"),
    (lambda: T.RandomChoice([T.ToTensor()], [0.5, 0.5]), ValueError, "probability"),
    (lambda: T.RandomOrder(T.ToTensor()), TypeError, "sequence"),
    (lambda: T.AutoAugment("cifar10"), ValueError, "AutoAugmentPolicy"),
    (lambda: T.AugMix(severity=11), ValueError, "severity"),
    (lambda: T.RandAugment(magnitude=31), ValueError, "30"),
    (lambda: T.Normalize(0.5, 0.5)(np.zeros((3, 3))), TypeError, "ToTensor"),
    (lambda: v2.ToDtype("float"), TypeError, "float32"),
    (lambda: v2.MixUp(alpha=0), ValueError, "beta"),
])
def test_errors_teach(call, error, hint):
    with pytest.raises(error, match=hint):
        call()


def test_single_draws_are_those_of_tensors():
    def both(by_tensor, by_number):
        lampion.manual_seed(11)
        wanted = [by_tensor(lampion) for _ in range(20)]
        lampion.manual_seed(11)
        assert [by_number() for _ in range(20)] == wanted

    both(lambda torch: torch.rand(1).item(), chance.fraction)
    both(lambda torch: torch.randint(3, 77, (1,)).item(), lambda: chance.whole(3, 77))
    both(lambda torch: torch.randint(0, 2**40, (1,)).item(), lambda: chance.whole(0, 2**40))
    both(lambda torch: torch.randperm(7).tolist(), lambda: chance.order(7))
    lampion.manual_seed(11)
    wanted = lampion.empty(1).uniform_(0.3, 1.7).item()
    lampion.manual_seed(11)
    assert chance.between(0.3, 1.7) == pytest.approx(wanted, rel=1e-6)


def test_a_recorded_network_decides_by_chance_each_time():
    lampion.manual_seed(0)
    network = nn.Sequential(T.RandomHorizontalFlip(), nn.Identity(), nn.Linear(2, 2, bias=False))
    network[2].weight.data.copy_(lampion.eye(2))
    image = lampion.tensor([[[0.0, 1.0]]])
    seen = {tuple(network(image).flatten().tolist()) for _ in range(30)}
    assert seen == {(0.0, 1.0), (1.0, 0.0)}
