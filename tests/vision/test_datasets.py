"""Data sets of pictures: real files, files made here, damaged files, missing files."""

import gzip
import hashlib
import io
import json
import os
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import lampion
from lampion.errors import FileFormatError
from lampion.vision import datasets, transforms, write_png
from lampion.vision.datasets import cifar, utils
from lampion.vision.datasets import vision as base
from lampion.vision.pillow import has_pillow

ROOT = Path(__file__).resolve().parent.parent.parent
RANDOM = np.random.default_rng(0)


@pytest.fixture
def without_pillow(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    has_pillow.cache_clear()
    yield
    has_pillow.cache_clear()


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


# MNIST and its relatives ---


def test_the_real_digits():
    data = datasets.MNIST(ROOT / "data", train=False, transform=transforms.ToTensor(),
                          download=True)
    assert len(data) == 10_000 and data.classes[7] == "7 - seven"
    picture, label = data[0]
    assert picture.shape == (1, 28, 28) and label == 7
    assert np.allclose(picture.numpy()[0], data.data[0].numpy() / 255)
    assert "Split: Test" in repr(data) and "ToTensor" in repr(data)
    assert data.targets.dtype == lampion.int64 and data.class_to_idx["3 - three"] == 3


def small(monkeypatch, folder, compressed=True, cls=datasets.MNIST):
    """Write a small set in the layout of MNIST; return what it holds."""
    pictures, labels = RANDOM.integers(0, 256, (5, 28, 28)), np.array([3, 1, 4, 1, 5])
    folder.mkdir(parents=True)
    checksums = {}
    for name, array in (("t10k-images-idx3-ubyte.gz", pictures),
                        ("t10k-labels-idx1-ubyte.gz", labels)):
        plain = idx(array)
        packed = gzip.compress(plain, mtime=0)
        checksums[name] = tuple(hashlib.sha256(part).hexdigest() for part in (packed, plain))
        if compressed:
            (folder / name).write_bytes(packed)
        else:
            (folder / name[:-3]).write_bytes(plain)
    monkeypatch.setattr(cls, "checksums", checksums)
    return pictures, labels


@pytest.mark.parametrize("place", ["MNIST/raw", "mnist", "."])
@pytest.mark.parametrize("compressed", [True, False])
def test_where_the_files_are_found(monkeypatch, tmp_path, place, compressed):
    pictures, labels = small(monkeypatch, tmp_path / "root" / place, compressed)
    data = datasets.MNIST(tmp_path / "root", train=False)
    assert np.array_equal(np.asarray(data[2][0]), pictures[2])
    assert [label for _, label in (data[k] for k in range(5))] == labels.tolist()


def test_what_is_written_to_data_and_targets_counts(monkeypatch, tmp_path):
    pictures, _ = small(monkeypatch, tmp_path / "mnist")
    data = datasets.MNIST(tmp_path, train=False, target_transform=lambda label: label * 10)
    data.targets[data.targets == 1] = 8
    assert data[1][1] == 80
    chosen = data.targets == 8
    data.data, data.targets = data.data[chosen], data.targets[chosen]
    assert len(data) == 2 and np.array_equal(np.asarray(data[1][0]), pictures[3])
    data.targets = [6, 7]
    assert data[1][1] == 70


def test_a_damaged_file(monkeypatch, tmp_path):
    small(monkeypatch, tmp_path / "mnist")
    path = tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(FileFormatError, match="SHA-256"):
        datasets.MNIST(tmp_path, train=False)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100",
                                  "VOCDetection", "VOCSegmentation"])
def test_download_fetches_nothing_and_says_what_to_do(tmp_path, name):
    for download in (False, True):
        with pytest.raises(RuntimeError) as caught:
            getattr(datasets, name)(tmp_path, download=download)
        text = str(caught.value)
        assert "Dataset not found" in text and str(tmp_path) in text and "curl" in text
        assert "MD5" in text or "SHA-256" in text
        assert ("fetches nothing" in text) == download
    assert not list(tmp_path.iterdir())


def test_checksums_are_torchvisions():
    reference = pytest.importorskip("torchvision.datasets")
    for name in ("CIFAR10", "CIFAR100"):
        ours, theirs = getattr(datasets, name), getattr(reference, name)
        assert list(ours.archive) == [theirs.filename, theirs.tgz_md5]
        assert [list(entry) for entry in ours.train_list] == theirs.train_list
        assert [list(entry) for entry in ours.test_list] == theirs.test_list
        assert list(ours.meta) == [theirs.meta["filename"], theirs.meta["md5"]]
        assert (ours.base_folder, ours.meta_key) == (theirs.base_folder, theirs.meta["key"])
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        assert getattr(datasets, name).classes == getattr(reference, name).classes
    assert dict(reference.KMNIST.resources) == {
        name: md5 for name, (md5, _) in datasets.KMNIST.checksums.items()}


def test_without_pillow_pictures_are_arrays(monkeypatch, tmp_path, without_pillow):
    pictures, _ = small(monkeypatch, tmp_path / "mnist")
    plain = datasets.MNIST(tmp_path, train=False)
    assert np.array_equal(plain[0][0], pictures[0])
    ready = datasets.MNIST(tmp_path, train=False, transform=transforms.ToTensor())
    assert np.allclose(ready[0][0].numpy()[0], pictures[0] / 255)
    turning = datasets.MNIST(tmp_path, train=False, transform=transforms.RandomRotation(3))
    with pytest.raises(TypeError, match="ToTensor"):
        turning[0]
    with pytest.raises(ImportError, match=r"lampion\[images\]"):
        transforms.ToPILImage()(pictures[0].astype(np.uint8))


# CIFAR ---


def packed(folder, files):
    """Return a tar.gz of files in a folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture(params=["folder", "archive", "binary folder", "binary archive"])
def cifar_files(request, monkeypatch, tmp_path):
    """A small CIFAR-100 in each of its forms; with what it holds."""
    pixels = RANDOM.integers(0, 256, (4, 3072), dtype=np.uint8)
    labels, names = [5, 0, 99, 5], [f"class{n}" for n in range(100)]
    cls = datasets.CIFAR100
    if "binary" in request.param:
        rows = np.concatenate([np.full((4, 1), 7), np.array(labels)[:, None], pixels], 1)
        monkeypatch.setattr(cls, "counts", {False: 4})
        rows = rows.astype(np.uint8)
        files = {"test.bin": rows.tobytes(), "fine_label_names.txt": "\n".join(names).encode()}
        folder, archive = cls.binary_folder, cls.binary_archive[0]
    else:
        # As Python 2 with NumPy 1 wrote them.
        batch = pickle.dumps({"data": pixels, "fine_labels": labels}, protocol=2)
        batch = batch.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        files = {"test": batch, "meta": pickle.dumps({"fine_label_names": names}, protocol=2)}
        monkeypatch.setattr(cls, "test_list", [("test", md5(batch))])
        monkeypatch.setattr(cls, "meta", ("meta", md5(files["meta"])))
        folder, archive = cls.base_folder, cls.archive[0]
    if "folder" in request.param:
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    else:
        content = packed(folder, files)
        (tmp_path / archive).write_bytes(content)
        monkeypatch.setattr(cls, "archive", (cls.archive[0], md5(content)))
        monkeypatch.setattr(cls, "binary_archive", (cls.binary_archive[0], md5(content)))
    return tmp_path, pixels, labels


def test_cifar(cifar_files):
    root, pixels, labels = cifar_files
    data = datasets.CIFAR100(root, train=False, transform=transforms.ToTensor())
    assert data.data.shape[1:] == (32, 32, 3) and data.targets[:4] == labels
    picture, label = data[2]
    assert label == 99 and data.class_to_idx["class99"] == 99
    assert np.allclose(picture.numpy(), pixels[2].reshape(3, 32, 32) / 255)


def test_a_damaged_cifar(cifar_files):
    root, _, _ = cifar_files
    for path in root.rglob("test*"):
        path.write_bytes(path.read_bytes()[:-1])
    for path in root.glob("*.tar.gz"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="original's|pictures of"):
        datasets.CIFAR100(root, train=False)


def test_a_batch_that_would_run_code_is_refused():
    class Evil:
        def __reduce__(self):
            return os.system, ("true",)

    with pytest.raises(FileFormatError, match="system"):
        cifar.unpickled(pickle.dumps({"data": Evil()}), "test")
    with pytest.raises(FileFormatError, match="damaged"):
        cifar.unpickled(b"\x80\x02}q\x00", "test")


# Folders ---


@pytest.fixture
def pets(tmp_path):
    for name, value in (("cat/b.png", 1), ("cat/a.png", 2), ("dog/deep/c.png", 3),
                        ("dog/notes.txt", 0)):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if value:
            write_png(path, np.full((2, 3, 3), value, np.uint8))
        else:
            path.write_text("not a picture")
    (tmp_path / "pets" / "readme").write_text("no class")
    return tmp_path / "pets"


def test_image_folder(pets):
    data = datasets.ImageFolder(pets, transform=transforms.PILToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert [os.path.basename(path) for path, _ in data.samples] == ["a.png", "b.png", "c.png"]
    assert data.targets == [0, 0, 1] and data.imgs is data.samples
    assert [int(picture[0, 0, 0]) for picture, _ in (data[k] for k in range(3))] == [2, 1, 3]
    loader = lampion.utils.data.DataLoader(data, batch_size=3)
    assert next(iter(loader))[0].shape == (3, 3, 2, 3)


def test_image_folder_as_torchvision(pets):
    reference = pytest.importorskip("torchvision.datasets")
    ours, theirs = datasets.ImageFolder(str(pets)), reference.ImageFolder(str(pets))
    assert ours.samples == theirs.samples and ours.class_to_idx == theirs.class_to_idx
    assert datasets.folder.IMG_EXTENSIONS == reference.folder.IMG_EXTENSIONS


def test_image_folder_without_pillow(pets, without_pillow):
    data = datasets.ImageFolder(pets, transform=transforms.ToTensor())
    assert data[0][0].shape == (3, 2, 3) and np.isclose(data[0][0][0, 0, 0].item(), 2 / 255)


def test_dataset_folder(pets):
    data = datasets.DatasetFolder(pets, lambda path: Path(path).read_text(), extensions=(".txt",),
                                  allow_empty=True)
    assert data[0] == ("not a picture", 1)
    chosen = datasets.ImageFolder(pets, is_valid_file=lambda path: path.endswith("a.png"),
                                  allow_empty=True)
    assert len(chosen) == 1


def test_folders_that_do_not_fit(pets, tmp_path):
    (pets / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty"):
        datasets.ImageFolder(pets)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(FileNotFoundError, match="folder of its own"):
        datasets.ImageFolder(tmp_path / "nothing")
    with pytest.raises(ValueError, match="None"):
        datasets.folder.make_dataset(str(pets))


# Annotated pictures ---


@pytest.mark.parametrize("place", ["VOCdevkit/VOC2012", "."])
def test_voc(tmp_path, place):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / place
    for name in ("JPEGImages", "Annotations", "ImageSets/Main", "ImageSets/Segmentation",
                 "SegmentationClass"):
        (folder / name).mkdir(parents=True)
    image.new("RGB", (8, 6), (200, 0, 0)).save(folder / "JPEGImages/one.jpg")
    image.new("L", (8, 6), 3).save(folder / "SegmentationClass/one.png")
    thing = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin></bndbox></object>"
    (folder / "Annotations/one.xml").write_text(
        f"<annotation><filename>one.jpg</filename>{thing}{thing}</annotation>")
    for name in ("Main", "Segmentation"):
        (folder / "ImageSets" / name / "train.txt").write_text("one  1\n\n")
    picture, target = datasets.VOCDetection(tmp_path)[0]
    assert picture.size == (8, 6)
    box = {"name": "cat", "bndbox": {"xmin": "1", "ymin": "2"}}
    assert target == {"annotation": {"filename": "one.jpg", "object": [box, box]}}
    data = datasets.VOCSegmentation(tmp_path, transforms=lambda one, two: (two, one))
    assert np.asarray(data[0][0]).tolist() == [[3] * 8] * 6
    with pytest.raises(ValueError, match="train"):
        datasets.VOCDetection(tmp_path, image_set="tarin")


def test_coco(tmp_path):
    write_png(tmp_path / "7.png", np.zeros((2, 3, 3), np.uint8))
    boxes = [{"id": 1, "image_id": 7, "bbox": [0, 0, 1, 1], "category_id": 2}]
    content = {"images": [{"id": 7, "file_name": "7.png"}], "annotations": boxes,
               "categories": [{"id": 2, "name": "cat"}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    data = datasets.CocoDetection(tmp_path, tmp_path / "a.json")
    assert data[0][1] == boxes and len(data) == 1 and data.categories == {2: "cat"}
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FileFormatError, match="COCO"):
        datasets.CocoDetection(tmp_path, tmp_path / "a.json")


def test_fake_data():
    data = datasets.FakeData(3, (3, 4, 5), 7, transform=transforms.ToTensor())
    first, label = data[1]
    assert first.shape == (3, 4, 5) and 0 <= label < 7
    assert np.array_equal(first.numpy(), data[1][0].numpy())
    assert not np.array_equal(first.numpy(), data[2][0].numpy())
    other = datasets.FakeData(3, (3, 4, 5), 7, transform=transforms.ToTensor(), random_offset=1)
    assert np.array_equal(other[0][0].numpy(), first.numpy())
    with pytest.raises(IndexError):
        data[3]


def test_both_kinds_of_transforms_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="Only transforms"):
        base.VisionDataset(tmp_path, transforms=lambda *pair: pair, transform=lambda x: x)


def test_archives_and_checksums(tmp_path):
    content = packed("folder", {"a.txt": b"text"})
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert utils.check_integrity(tmp_path / "a.tar.gz", md5(content))
    assert not utils.check_integrity(tmp_path / "a.tar.gz", md5(b"other"))
    assert not utils.check_integrity(tmp_path / "none")
    utils.download_and_extract_archive("https://example.org/a.tar.gz", tmp_path, tmp_path / "out",
                                       md5=md5(content))
    assert (tmp_path / "out" / "folder" / "a.txt").read_bytes() == b"text"
    with pytest.raises(NotImplementedError, match="curl"):
        utils.download_url("https://example.org/b.zip", tmp_path)
    (tmp_path / "evil.tar.gz").write_bytes(packed("..", {"a.txt": b"text"}))
    with pytest.raises(FileFormatError, match="outside"):
        utils.extract_archive(tmp_path / "evil.tar.gz", tmp_path / "out")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"plain"))
    utils.extract_archive(tmp_path / "b.txt.gz", remove_finished=True)
    assert (tmp_path / "b.txt").read_bytes() == b"plain" and not (tmp_path / "b.txt.gz").exists()


def test_places_that_programs_import_from():
    from lampion.vision.datasets.mnist import FashionMNIST
    from lampion.vision.datasets.vision import VisionDataset
    from lampion.vision.ops.misc import FrozenBatchNorm2d
    from lampion.vision.transforms.autoaugment import AutoAugment
    from lampion.vision.transforms.transforms import Compose, RandomCrop

    assert issubclass(FashionMNIST, VisionDataset) and Compose is transforms.Compose
    assert RandomCrop is transforms.RandomCrop and AutoAugment is transforms.AutoAugment
    assert FrozenBatchNorm2d(3).weight.shape == (3,)
