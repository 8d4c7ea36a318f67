"""Reads the flowers of data/flowers: 2,500 photographs of five kinds, 128x128."""

import io
import sys
import tarfile
from pathlib import Path

import numpy as np

import lampion as torch

DATA = Path(__file__).resolve().parent.parent / "data" / "flowers" / "flowers.tar.xz"
CLASSES = ("daisy", "dandelion", "rose", "sunflower", "tulip")


def load(path=DATA, size=128, every=1):
    """Return training pictures and labels, test pictures and labels; pictures are N x 3 x H x W.

    Every fifth picture of a class, by name, is for the test. `every` takes that part of all.
    """
    try:
        from PIL import Image
    except ImportError:
        sys.exit("the flowers are JPEG files, which need Pillow: pip install 'lampion[examples]'")
    parts = {True: ([], []), False: ([], [])}
    with tarfile.open(path) as archive:
        members = sorted((m for m in archive if m.name.endswith(".jpg")), key=lambda m: m.name)
        number = dict.fromkeys(CLASSES, 0)
        for member in members:
            name = Path(member.name).parent.name
            index = number[name]
            number[name] += 1
            if index // 5 % every:
                continue
            with Image.open(io.BytesIO(archive.extractfile(member).read())) as image:
                small = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
            pictures, labels = parts[index % 5 == 0]
            pictures.append(np.asarray(small).transpose(2, 0, 1))
            labels.append(CLASSES.index(name))
    arrays = [np.stack(parts[False][0]), np.array(parts[False][1]),
              np.stack(parts[True][0]), np.array(parts[True][1])]
    return [torch.from_numpy(array) for array in arrays]


def augment(pictures, shift):
    """Mirror half of the pictures, and move each by up to `shift` pixels (the border repeats)."""
    count, _, height, width = pictures.shape
    mirrored = torch.rand(count, 1, 1, 1) < 0.5
    pictures = torch.where(mirrored, pictures.flip(3), pictures)
    wide = torch.nn.functional.pad(pictures, (shift,) * 4, mode="replicate")
    down, right = torch.randint(0, 2 * shift + 1, (2,)).tolist()  # one for the whole batch
    return wide[:, :, down : down + height, right : right + width]
