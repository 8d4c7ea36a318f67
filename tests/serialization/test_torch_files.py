"""PyTorch's own files, both generations: read without running anything in them."""

import contextlib
import io
import os
import pickle
import random
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64"]
FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


def saved(value, new=True, **options):
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=new, **options)
    return file.getvalue()


def load(data):
    return lampion.load(io.BytesIO(data))


def same(mine, theirs):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(mine, lampion.Tensor)
        assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
        assert tuple(mine.shape) == tuple(theirs.shape)
        assert mine.tolist() == theirs.tolist()
        assert mine.requires_grad == theirs.requires_grad
        assert isinstance(mine, lampion.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
    elif isinstance(theirs, dict):
        assert isinstance(mine, type(theirs)) and list(mine) == list(theirs)
        for key in theirs:
            same(mine[key], theirs[key])
    elif isinstance(theirs, (list, tuple)) and not isinstance(theirs, torch.Size):
        assert type(mine) is type(theirs) and len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            same(a, b)
    elif isinstance(theirs, torch.dtype):
        assert str(mine).split(".")[1] == str(theirs).split(".")[1]
    else:
        assert mine == theirs


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_checkpoint(new, protocol):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 1, 5, 5)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    checkpoint = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
        "scheduler": scheduler.state_dict(),
        "best": 0.25, "names": ("a", ["b"], {"c"}, frozenset([1])), "none": None, "yes": True,
        "big": 2**70, "bytes": b"\x00\xff", "size": torch.Size([2, 3]), "dtype": torch.int8,
        "counter": Counter([1, 1, 2]), "number": np.float64(2.5), "count": np.int64(7),
        "text": "\u00e9\U0001f3ee", "complex": 1 + 2j,
    }
    mine = load(saved(checkpoint, new, pickle_protocol=protocol))
    same(mine, checkpoint)
    assert mine["model"]._metadata == checkpoint["model"]._metadata
    assert mine["size"].numel() == 6


@FORMATS
def test_every_element_type(new):
    tensors = {name: (torch.arange(6) - 2).reshape(2, 3).to(getattr(torch, name))
               for name in NAMES}
    same(load(saved(tensors, new)), tensors)


@FORMATS
def test_views(new):
    base = torch.arange(12.0).reshape(3, 4)
    views = [base, base.t(), base[1], base[:, ::2], base[0, 0], base[2:], torch.zeros(0, 3),
             torch.tensor(1.0).expand(2, 3), base]
    mine = load(saved(views, new))
    same(mine, views)
    assert mine[0] is mine[-1]


@FORMATS
def test_parameters(new):
    parameter = torch.nn.Parameter(torch.ones(2))
    values = [parameter, torch.nn.Parameter(torch.ones(2), requires_grad=False),
              torch.ones(1, requires_grad=True), parameter]
    mine = load(saved(values, new))
    same(mine, values)
    assert mine[0] is mine[3]


def test_a_file_on_disk(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"w": torch.ones(2)}, path)
    assert lampion.load(path, map_location="cpu", weights_only=True)["w"].tolist() == [1, 1]
    assert lampion.load(path, map_location=lambda storage, place: storage)["w"].sum() == 2


def test_big_endian_file():
    data = saved({"w": torch.arange(3, dtype=torch.int32)})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("byteorder"):
                content = b"big"
            elif name.endswith("data/0"):
                content = np.frombuffer(content, "<i4").astype(">i4").tobytes()
            new.writestr(name, content)
    assert load(out.getvalue())["w"].tolist() == [0, 1, 2]


# -- What is refused ------------------------------------------------------------------------------


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Model(torch.nn.Module):
    pass


@FORMATS
def test_nothing_in_the_file_is_executed(new, tmp_path):
    target = tmp_path / "made"
    data = saved({"x": torch.ones(1), "y": Attack(str(target))}, new)
    for weights_only in (True, False):
        with pytest.raises(RuntimeError, match=r"holds a (posix|nt).mkdir"):
            lampion.load(io.BytesIO(data), weights_only=weights_only)
    assert not target.exists()


@FORMATS
def test_a_whole_model(new):
    with pytest.raises(RuntimeError, match=r"Model.*(.|\n)*model.state_dict\(\)"):
        load(saved(Model(), new))


@pytest.mark.parametrize("name", [
    "builtins.eval", "builtins.getattr", "os.system", "torch.load", "torch._utils.__import__",
    "lampion.load", "collections.namedtuple", "numpy.load", "builtins.object",
])
def test_names_outside_the_table(name):
    module, _, function = name.rpartition(".")
    program = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b")R."
    with pytest.raises(RuntimeError, match=f"holds a {name}"):
        load(with_structure(program))


def with_structure(program, storages=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x/data.pkl", program)
        for key, data in storages:
            archive.writestr(f"x/data/{key}", data)
        archive.writestr("x/version", "3\n")
    return out.getvalue()


@pytest.mark.parametrize("program", [
    b"", b".", b"\x80\x02.", b"\x80\x02", b"K\x01", b"\x80\x02K\x01)R.",
    b"\x80\x02ccollections\nOrderedDict\nK\x01R.",
    b"\x80\x02ccollections\nOrderedDict\n}(X\x08\x00\x00\x00__init__K\x01ub.",
    b"\x80\x02]K\x01K\x02s.", b"\x80\x02}(K\x01u.", b"\x80\x02h\x07.", b"\x80\x02t.",
    b"\x80\x02\x86.", b"\x80\x02](K\x01s.", b"\x80\x02K\x01Q.", b"\x80\x02}(]K\x01u.",
    b"\x80\x02(K\x01i__builtin__\neval\n.", b"\x80\x02\x82\x01.", b"\x80\x02Pid\n.",
    b"\x80\x02cbuiltins\nint\nX\x03\x00\x00\x00abc\x85R.",
    b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\xff\xff\xff\xff\xff\x7f\x85R.",
    b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x86R.",
])
def test_programs_that_make_no_sense(program):
    with pytest.raises(RuntimeError):
        load(with_structure(program))


def tensor_program(numel, offset, size, stride, requires_grad=False):
    """A structure of one tensor over storage 0, made with a pickler of our own."""
    class Pickler(pickle._Pickler):
        def persistent_id(self, entry):
            if entry == "STORAGE":
                return "storage", torch.FloatStorage, "0", "cpu", numel
            return None

    class Rebuilt:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (
                "STORAGE", offset, size, stride, requires_grad, OrderedDict())

    file = io.BytesIO()
    Pickler(file, 2).dump(Rebuilt())
    return file.getvalue()


def test_a_described_tensor():
    data = np.arange(6, dtype="<f4").tobytes()
    program = tensor_program(6, 1, (2, 2), (3, 1))
    assert load(with_structure(program, [("0", data)])).tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize("description", [
    (6, 0, (7,), (1,)), (6, 3, (2, 2), (3, 1)), (6, -1, (2,), (1,)), (6, 5, (2,), (-1,)),
    (6, 0, (-1,), (1,)), (6, 0, (2, 2), (1,)), (6, 0, (2.0,), (1,)), (6, 0, (True,), (1,)),
    (7, 0, (2,), (1,)), (6, 0, (2**40,), (0,)), (6, 0, (2**62, 2**62), (0, 0)),
    (2**61, 0, (1,), (1,)), (-1, 0, (0,), (1,)), (6, 0, (1,) * 70, (1,) * 70),
], ids=str)
def test_a_tensor_that_reaches_outside_its_elements(description):
    data = np.arange(6, dtype="<f4").tobytes()
    with pytest.raises(RuntimeError):
        load(with_structure(tensor_program(*description), [("0", data)]))


def test_other_archives():
    npz = io.BytesIO()
    np.savez(npz, a=np.ones(2))
    with pytest.raises(RuntimeError, match="numpy.load"):
        load(npz.getvalue())
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), script)
    with pytest.raises(RuntimeError, match="TorchScript"):
        load(script.getvalue())


def test_an_encrypted_archive():
    whole = bytearray(saved({"w": torch.ones(2)}))
    position = whole.find(b"PK\x01\x02")
    while position >= 0:
        whole[position + 8] |= 1
        position = whole.find(b"PK\x01\x02", position + 1)
    with pytest.raises(lampion.errors.FileFormatError, match="encrypted"):
        load(bytes(whole))


def test_whole_numbers_have_no_gradient():
    program = tensor_program(2, 0, (2,), (1,), requires_grad=True)
    program = program.replace(b"FloatStorage", b"LongStorage")
    with pytest.raises(lampion.errors.FileFormatError):
        load(with_structure(program, [("0", bytes(16))]))


@FORMATS
def test_damage_never_does_more_than_raise(new):
    whole = saved({"w": torch.arange(12.0).reshape(3, 4), "n": [1, "a"]}, new)
    chance = random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            damaged[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
        with contextlib.suppress(lampion.errors.FileFormatError):
            load(bytes(damaged))
    for length in sorted(chance.sample(range(len(whole)), 100)):
        with pytest.raises(RuntimeError):
            load(whole[:length])
