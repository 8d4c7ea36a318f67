"""Data sets of pictures under torchvision's names, read from files on this machine.

Nothing is fetched from anywhere: where a file is missing, the error says where it belongs, what
its checksum is and where it is published.
"""

from lampion.vision.datasets import folder, utils
from lampion.vision.datasets.cifar import CIFAR10, CIFAR100
from lampion.vision.datasets.coco import CocoDetection
from lampion.vision.datasets.fake import FakeData
from lampion.vision.datasets.folder import DatasetFolder, ImageFolder
from lampion.vision.datasets.mnist import KMNIST, MNIST, FashionMNIST
from lampion.vision.datasets.vision import VisionDataset
from lampion.vision.datasets.voc import VOCDetection, VOCSegmentation

__all__ = [
    "CIFAR10", "CIFAR100", "CocoDetection", "DatasetFolder", "FakeData", "FashionMNIST",
    "ImageFolder", "KMNIST", "MNIST", "VOCDetection", "VOCSegmentation", "VisionDataset", "folder",
    "utils",
]
