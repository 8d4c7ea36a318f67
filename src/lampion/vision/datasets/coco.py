"""Pictures with annotations in COCO's JSON.

Lin et al.: Microsoft COCO: common objects in context, 2014.
"""

from __future__ import annotations

import json
import os
from typing import Any

from lampion.errors import FileFormatError
from lampion.vision.datasets import vision as base
from lampion.vision.datasets.folder import default_loader
from lampion.vision.datasets.vision import VisionDataset


class CocoDetection(VisionDataset):
    """Pictures and COCO's annotations, as pairs (picture, list of dicts).

    Args:
        root: the folder with the pictures.
        annFile: the JSON file with "images" and "annotations".
        transform, target_transform: called with each picture, with each list; or
        transforms: called with both, returns both.

    Attributes:
        ids: the numbers of the pictures, sorted.
        categories: names of the classes by number.
    """

    def __init__(self, root: base.Root, annFile: str,  # noqa: N803 - torchvision's name
                 transform: Any = None, target_transform: Any = None,
                 transforms: Any = None) -> None:
        super().__init__(root, transforms, transform, target_transform)
        with open(annFile, encoding="utf-8") as stream:
            try:
                content = json.load(stream)
                self._files = {image["id"]: image["file_name"] for image in content["images"]}
                self._annotations: dict[Any, list[dict[str, Any]]] = {
                    number: [] for number in self._files}
                for annotation in content.get("annotations", []):
                    self._annotations[annotation["image_id"]].append(annotation)
            except (ValueError, KeyError, TypeError) as error:
                raise FileFormatError(f"{annFile}: not COCO's JSON ({error!r})") from None
        self.ids = sorted(self._files)
        self.categories = {entry["id"]: entry["name"] for entry in content.get("categories", [])}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        number = self.ids[index]
        picture = default_loader(os.path.join(self.root, self._files[number]))
        return self.transformed(picture, list(self._annotations[number]))

    def __len__(self) -> int:
        return len(self.ids)
