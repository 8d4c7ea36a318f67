"""Pictures: data sets of pictures, transforms, reading and writing them; torchvision's names."""

from lampion.vision import transforms
from lampion.vision.mnist import MNIST
from lampion.vision.pictures import read_picture, write_png

__all__ = ["MNIST", "read_picture", "transforms", "write_png"]
