"""Pictures with boxes or masks in the layout of the PASCAL VOC challenge.

Everingham et al.: The PASCAL visual object classes challenge, 2010.
"""

from __future__ import annotations

import os
from typing import Any
from xml.etree import ElementTree

from lampion.errors import ArgumentError, FileFormatError
from lampion.vision.datasets import vision as base
from lampion.vision.datasets.folder import default_loader
from lampion.vision.datasets.vision import VisionDataset
from lampion.vision.pillow import pillow

# year -> (MD5 of the archive, its name)
ARCHIVES = {
    "2012": ("6cd6e144f989b92b3379bac3b3de84fd", "VOCtrainval_11-May-2012.tar"),
    "2007": ("c52e279531787c972589f7e41ab4ae64", "VOCtrainval_06-Nov-2007.tar"),
}
SOURCE = "http://host.robots.ox.ac.uk/pascal/VOC/"


class _VOC(VisionDataset):
    """What both tasks have in common: the layout.

    Args:
        root: the folder that holds `VOCdevkit/VOC<year>`, or itself holds `JPEGImages`,
            `Annotations` and `ImageSets`.
        year: from "2007" to "2012".
        image_set: the list to read, a file in `ImageSets/Main` or `ImageSets/Segmentation`:
            "train", "val", "trainval", "test".
        download: accepted; nothing is fetched.
        transform, target_transform, transforms: called with picture and target.
    """

    lists = targets_folder = ending = ""

    def __init__(self, root: base.Root, year: str = "2012", image_set: str = "train",
                 download: bool = False, transform: Any = None, target_transform: Any = None,
                 transforms: Any = None) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year, self.image_set = year, image_set
        folders = [os.path.join(self.root, "VOCdevkit", f"VOC{year}"),
                   os.path.join(self.root, f"VOC{year}"), self.root]
        here = base.first_existing(os.path.join(folder, "JPEGImages") for folder in folders)
        if here is None:
            md5, archive = ARCHIVES.get(year, ARCHIVES["2012"])
            raise base.not_found(type(self).__name__, os.path.join(folders[0], "JPEGImages"), md5,
                                 f"{SOURCE}voc{year}/{archive}", download, folders[1:])
        folder = os.path.dirname(here)
        listed = os.path.join(folder, "ImageSets", self.lists, f"{image_set}.txt")
        if not os.path.exists(listed):
            there = os.path.join(folder, "ImageSets", self.lists)
            known = sorted(name[:-4] for name in os.listdir(there)) if os.path.isdir(there) else []
            raise ArgumentError(f"{type(self).__name__}: image_set={image_set!r}",
                                why=f"there is no file {listed}",
                                fix=f"one of {', '.join(known)}" if known else None)
        with open(listed, encoding="utf-8") as stream:
            names = [line.split()[0] for line in stream if line.strip()]
        self.images = [os.path.join(folder, "JPEGImages", f"{name}.jpg") for name in names]
        self.targets = [os.path.join(folder, self.targets_folder, name + self.ending)
                        for name in names]

    def __len__(self) -> int:
        return len(self.images)


class VOCDetection(_VOC):
    """Pictures and what can be seen on them, with boxes, as pairs (picture, dict).

    The dict is the annotation's XML: `["annotation"]["object"]` is a list of dicts with "name" and
    "bndbox" ("xmin", "ymin", "xmax", "ymax" as text).

    Args:
        root: the folder that holds `VOCdevkit/VOC<year>`, or itself holds `JPEGImages`,
            `Annotations` and `ImageSets`.
        year: from "2007" to "2012".
        image_set: the list to read: "train", "val", "trainval", "test".
        download: accepted; nothing is fetched.
        transform, target_transform: called with each picture, with each dict; or
        transforms: called with both, returns both.

    Raises:
        FileFormatError: a folder is missing, or an annotation is no XML.
        ArgumentError: there is no such list.
    """

    lists, targets_folder, ending = "Main", "Annotations", ".xml"

    @property
    def annotations(self) -> list[str]:
        """The paths of the annotations."""
        return self.targets

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        try:
            root = ElementTree.parse(self.targets[index]).getroot()
        except ElementTree.ParseError as error:
            raise FileFormatError(f"{self.targets[index]}: not XML ({error})") from None
        return self.transformed(default_loader(self.images[index]), self.parse_voc_xml(root))

    @staticmethod
    def parse_voc_xml(node: ElementTree.Element) -> dict[str, Any]:
        """Return an element as a dict: text, or what is inside; several of a name as a list.

        Example:
            >>> xml = "<annotation><size><width>3</width></size><object><name>a</name></object>"
            >>> VOCDetection.parse_voc_xml(ElementTree.fromstring(xml + "</annotation>"))
            {'annotation': {'size': {'width': '3'}, 'object': [{'name': 'a'}]}}
        """
        children = list(node)
        if not children:
            return {node.tag: (node.text or "").strip()}
        found: dict[str, list[Any]] = {}
        for child in children:
            for name, entry in VOCDetection.parse_voc_xml(child).items():
                found.setdefault(name, []).append(entry)
        inside = {name: entries[0] if len(entries) == 1 else entries
                  for name, entries in found.items()}
        if node.tag == "annotation" and "object" in found:
            inside["object"] = found["object"]  # a list, however many there are
        return {node.tag: inside}


class VOCSegmentation(_VOC):
    """Pictures and the class of every pixel, as pairs of PIL images.

    Args:
        root, year, image_set, download, transform, target_transform, transforms: as for
            `VOCDetection`; the lists are in `ImageSets/Segmentation`.
    """

    lists, targets_folder, ending = "Segmentation", "SegmentationClass", ".png"

    @property
    def masks(self) -> list[str]:
        """The paths of the masks."""
        return self.targets

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        mask = pillow("VOCSegmentation").Image.open(self.targets[index])
        return self.transformed(default_loader(self.images[index]), mask)
