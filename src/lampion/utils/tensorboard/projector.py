"""The files of TensorBoard's projector: points, their labels, and their pictures in one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import ShapeArgumentError
from .pictures import grid
from .summary import png


def write(folder: Path, points: np.ndarray, metadata: Sequence | None,
          header: Sequence[str] | None, pictures: np.ndarray | None) -> None:
    """Write the files of one set of points."""
    if points.ndim != 2:
        raise ShapeArgumentError(
            f"mat should be 2D, where mat.size(0) is the number of data points: got "
            f"{tuple(points.shape)}", fix="mat.reshape(len(mat), -1)")
    for what, given in (("labels", metadata), ("images", pictures)):
        if given is not None and len(given) != len(points):
            raise ShapeArgumentError(f"#{what} should equal with #data points: {len(given)} and "
                                     f"{len(points)}")
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["\t".join(repr(float(x)) for x in row) for row in points]
    (folder / "tensors.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    if metadata is not None:
        if header:
            lines = ["\t".join(map(str, header)), *("\t".join(map(str, row)) for row in metadata)]
        else:
            lines = [str(label) for label in metadata]
        (folder / "metadata.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if pictures is not None:
        side = math.ceil(math.sqrt(len(pictures)))
        sheet = grid(pictures, "NCHW", side)
        full = np.zeros((side * pictures.shape[2], *sheet.shape[1:]), np.uint8)
        full[:len(sheet)] = sheet
        (folder / "sprite.png").write_bytes(png(full))


def enter(log_dir: Path, folder: Path, tag: str, step: int, labels: bool,
          size: Sequence[int] | None) -> None:
    """Name the files in the projector's list.

    Args:
        labels: whether there are labels.
        size: height and width of a picture, where there are pictures.
    """
    place = folder.relative_to(log_dir).as_posix()
    lines = ["embeddings {", f'tensor_name: "{tag}:{step:05d}"',
             f'tensor_path: "{place}/tensors.tsv"']
    if labels:
        lines.append(f'metadata_path: "{place}/metadata.tsv"')
    if size is not None:
        lines += ["sprite {", f'image_path: "{place}/sprite.png"',
                  f"single_image_dim: {size[1]}", f"single_image_dim: {size[0]}", "}"]
    with open(log_dir / "projector_config.pbtxt", "a", encoding="utf-8") as file:
        file.write("\n".join([*lines, "}"]) + "\n")
