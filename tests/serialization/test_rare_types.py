"""Complex numbers and wide unsigned integers in files."""

from __future__ import annotations

import pytest

import lampion
from lampion.errors import UnsupportedError


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64", "complex64"])
def test_they_come_back(tmp_path, name):
    x = lampion.tensor([1, 2, 3]).to(getattr(lampion, name))
    lampion.save({"x": x}, tmp_path / "x")
    back = lampion.load(tmp_path / "x")["x"]
    assert back.dtype is x.dtype and back.tolist() == x.tolist()


def test_complex128_is_refused_with_what_to_write(tmp_path):
    with pytest.raises(UnsupportedError, match="view_as_real"):
        lampion.save(lampion.ones(2, dtype=lampion.complex128), tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["complex64", "complex128"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_pytorch_is_read(tmp_path, name, zipped):
    torch = pytest.importorskip("torch")
    theirs = torch.tensor([1 + 2j, -3j], dtype=getattr(torch, name))
    torch.save({"z": theirs}, tmp_path / "z.pt", _use_new_zipfile_serialization=zipped)
    back = lampion.load(tmp_path / "z.pt")["z"]
    assert back.dtype is getattr(lampion, name) and back.tolist() == theirs.tolist()
