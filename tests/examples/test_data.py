"""The data in the repository are those that data/README.md describes."""

import hashlib
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"
ABOUT = ("README.md", "LICENSE", "LICENSE.md", "SHA256SUMS")


def test_every_file_has_its_checksum():
    lines = (DATA / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    known = {name: checksum for checksum, name in (line.split("  ") for line in lines)}
    files = {path.relative_to(DATA).as_posix(): path for path in DATA.rglob("*")
             if path.is_file() and path.name not in ABOUT}
    assert known.keys() == files.keys()
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == known[name], name


def test_every_folder_has_a_licence_and_is_described():
    about = (DATA / "README.md").read_text(encoding="utf-8")
    for folder in DATA.iterdir():
        if folder.is_dir():
            assert any(path.name.startswith("LICENSE") for path in folder.iterdir()), folder
            assert f"]({folder.name}/)" in about and f"\n## {folder.name}\n" in about, folder
