"""Pictures: data sets of pictures, reading and writing them."""

from lampion.vision.mnist import MNIST
from lampion.vision.pictures import read_picture, write_png

__all__ = ["MNIST", "read_picture", "write_png"]
