"""`torchvision.models`: names, layers, and weights from files on this machine."""

import hashlib

import numpy as np
import pytest

import lampion
from lampion.errors import FileFormatError
from lampion.models import as_torchvision
from lampion.models.as_torchvision import weights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder for weights; and a function that puts a file of a model's weights there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)

    def put(model):
        path = folder / "new.pth"
        lampion.save(model.state_dict(), path)
        digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        name = f"resnet18-{digits}.pth"
        path.rename(folder / name)
        made = weights.WeightsEnum("ResNet18_Weights", {
            "IMAGENET1K_V1": weights.Weights(name), "DEFAULT": weights.Weights(name)})
        monkeypatch.setattr(as_torchvision, "resnet18", as_torchvision._builder(
            "resnet18", made, as_torchvision.ResNet, as_torchvision.BasicBlock, [1, 1, 1, 1]))
        return made, folder / name

    return put


def test_weights_are_read_from_their_folder(cache):
    model = as_torchvision.ResNet(as_torchvision.BasicBlock, [1, 1, 1, 1])
    files, path = cache(model)
    for wanted in ({"weights": "DEFAULT"}, {"weights": files.IMAGENET1K_V1}, {"pretrained": True},
                   {"weights": "ResNet18_Weights.IMAGENET1K_V1"}):
        read = as_torchvision.resnet18(**wanted)
        assert np.array_equal(read.fc.weight.detach().numpy(), model.fc.weight.detach().numpy())
    assert as_torchvision.resnet18(weights=None, num_classes=3).fc.out_features == 3
    with pytest.raises(ValueError, match="IMAGENET1K_V1"):
        as_torchvision.resnet18(weights="IMAGENET22K")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(FileFormatError, match="SHA-256 begins with"):
        as_torchvision.resnet18(weights="DEFAULT")


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileFormatError) as caught:
        as_torchvision.resnet50(weights=as_torchvision.ResNet50_Weights.DEFAULT)
    text = str(caught.value)
    assert "fetches nothing" in text and "11ad3fa6" in text and "curl" in text
    assert str(tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth") in text


def test_pictures_are_prepared():
    picture = lampion.full((3, 300, 400), 255, dtype=lampion.uint8)
    ready = as_torchvision.ResNet18_Weights.DEFAULT.transforms()(picture)
    assert ready.shape == (3, 224, 224)
    assert np.allclose(ready[:, 0, 0].numpy(), [(1 - m) / s for m, s in zip(
        weights.MEAN, weights.SPREAD)], atol=1e-5)


def test_as_torchvision():
    reference = pytest.importorskip("torchvision.models")
    torch = pytest.importorskip("torch")
    assert not [name for name in as_torchvision.__all__ if not hasattr(reference, name)]
    image = torch.randint(0, 256, (3, 240, 300), dtype=torch.uint8)
    for name in as_torchvision.__all__:
        if name.endswith("_Weights"):
            ours, theirs = getattr(as_torchvision, name), getattr(reference, name)
            assert ours.DEFAULT.url == theirs.DEFAULT.url or name == "ViT_B_16_Weights"
            for member in ours.__members__:
                assert ours[member].url == theirs[member].url
    ours = as_torchvision.ResNet50_Weights.DEFAULT.transforms()(lampion.tensor(image.numpy()))
    theirs = reference.ResNet50_Weights.DEFAULT.transforms()(image)
    assert np.allclose(ours.numpy(), theirs.numpy(), atol=0.02)  # a step of a byte
    for name in ("resnet18", "resnet50", "mobilenet_v2"):
        with torch.device("meta"):
            wanted = getattr(reference, name)().state_dict()
        state = getattr(as_torchvision, name)().state_dict()
        assert {key: tuple(value.shape) for key, value in state.items()} == {
            key: tuple(value.shape) for key, value in wanted.items()}, name
